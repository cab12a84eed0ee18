"""The explanation of a plan adds up, and says what is scarce."""

from __future__ import annotations

from functools import cache

import pytest

from hlsgen.board import load
from hlsgen.graph.types import INT8
from hlsgen.lower import lower
from hlsgen.lower.design import Design
from hlsgen.plan import Folded, Plan, fold, smallest
from hlsgen.plan.depths import size_for_rate
from hlsgen.plan.explain import Explanation, explain
from hlsgen.plan.folding import design_use
from hlsgen.plan.limits import Amounts
from tests.lower.graphs import Net, graph_of, units_of

BOARD = load("pynq-z2")
NAME = "residual"


def design_of(plan: Plan, name: str = NAME) -> Design:
    return lower(graph_of(name), units_of(name), plan, BOARD.axi_bits)


@cache
def fastest() -> Folded:
    return fold(graph_of(NAME), units_of(NAME), BOARD)


def explained(plan: Plan, name: str = NAME, max_utilization: float | None = None) -> Explanation:
    design = design_of(plan, name)
    depths = size_for_rate(design)
    return explain(graph_of(name), units_of(name), BOARD, design, depths, max_utilization=max_utilization)


@pytest.mark.parametrize("name", ["residual", "depthwise", "bipolar", "pooling"])
def test_shares_add_up(name: str) -> None:
    folded = fold(graph_of(name), units_of(name), BOARD)
    explanation = explained(folded.plan, name)
    design = design_of(folded.plan, name)
    total = Amounts.of(design_use(design, size_for_rate(design), BOARD.family))
    assert explanation.amounts == total == Amounts.of(folded.use)
    assert sum(explanation.by_kind.values(), Amounts()) == total
    assert sum(explanation.by_layer.values(), Amounts()) == total
    assert explanation.interval_cycles == folded.interval_cycles
    assert explanation.kernels + explanation.by_kind.get("FIFOs", Amounts()) == total


def test_the_slowest_kernels_are_named() -> None:
    explanation = explained(smallest(graph_of(NAME), units_of(NAME)))
    design = design_of(smallest(graph_of(NAME), units_of(NAME)))
    cycles = {instance.name: instance.kernel.cycles for instance in design.instances}
    assert explanation.slowest
    for kernel in explanation.slowest:
        assert cycles[kernel.instance] == max(cycles.values())
    first, rate = explanation.lines(), f"{100e6 / max(cycles.values()):,.0f} images/s"
    assert first[0] == f"{max(cycles.values()):,} cycles per image, {rate} at 100 MHz"
    assert first[1].startswith(f"slowest: {explanation.slowest[0].instance}")


def test_weights_count_apart_from_multipliers() -> None:
    plan = smallest(graph_of(NAME), units_of(NAME))
    blocks = explained(plan)
    for entry in plan.layers.values():
        entry.memory = "distributed" if entry.memory else None
    luts = explained(plan)
    assert blocks.by_kind["weights"].bram18 > 0
    assert blocks.by_kind["weights"].lut == 0
    assert luts.by_kind["weights"].bram18 == 0
    assert luts.by_kind["weights"].lut > 0


def test_twice_the_speed_says_what_would_be_needed() -> None:
    folded = fold(graph_of(NAME), units_of(NAME), BOARD, max_utilization=0.35)
    explanation = explained(folded.plan, max_utilization=0.35)
    assert explanation.double.interval_cycles == folded.interval_cycles // 2
    assert explanation.double.amounts is not None
    assert not explanation.double.amounts.fits(explanation.room)
    (line,) = (line for line in explanation.lines() if line.startswith("twice the speed"))
    assert "would need" in line
    assert "too many)" in line


def test_a_speed_that_no_folding_has_names_the_layer() -> None:
    net = Net((4, 4, 2), INT8)
    graph = net.graph(net.conv(net.input, 2))
    folded = fold(graph, {}, BOARD)
    assert folded.interval_cycles == 32 // 2  # a pixel per cycle
    design = lower(graph, {}, folded.plan, BOARD.axi_bits)
    explanation = explain(graph, {}, BOARD, design, {})
    assert explanation.double.amounts is None
    (line,) = (line for line in explanation.lines() if line.startswith("twice the speed"))
    assert line.startswith("twice the speed, 8 cycles, is out of reach: no folding of ")
    assert line.endswith("takes fewer than 16 cycles")


def test_the_next_slower_design_saves_something() -> None:
    explanation = explained(fastest().plan)
    slower = explanation.slower
    assert slower is not None
    assert slower.amounts is not None
    assert slower.interval_cycles > explanation.interval_cycles
    assert any("the next slower design" in line and "would save" in line for line in explanation.lines())
    slowest = explained(smallest(graph_of(NAME), units_of(NAME)))
    assert slowest.slower is None


def test_lines_are_plain_and_fit_a_terminal() -> None:
    for line in explained(fastest().plan).lines():
        assert line.isascii()
        assert len(line) <= 200
