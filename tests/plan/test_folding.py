"""Folding: optimal against brute force, within limits, the same every time, and clear about what cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from hlsgen.board import Board, load
from hlsgen.errors import PlanError
from hlsgen.exact import solve
from hlsgen.exact.units import Unit
from hlsgen.graph.graph import Graph
from hlsgen.graph.types import INT8
from hlsgen.kernels.base import Kernel, RamStyle
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.requant import Requant
from hlsgen.lower import lower
from hlsgen.lower.folding import conflict, legal
from hlsgen.lower.layers import layers
from hlsgen.lower.types import stream_types
from hlsgen.plan import check, fold, save, size_fifos, smallest
from hlsgen.plan import load as load_plan
from hlsgen.plan.depths import size_for_rate
from hlsgen.plan.folding import Depths, design_use, plan_of
from hlsgen.plan.limits import SHELL, Amounts, limits
from hlsgen.plan.options import Problem
from hlsgen.plan.plan import written
from hlsgen.plan.resources import Use
from hlsgen.plan.solver import WEIGHTS, select
from tests.lower.graphs import GRAPHS, SAME, Net, graph_of, units_of

BOARD = load("pynq-z2")


def board(**resources: int) -> Board:
    """A PYNQ-Z2 with other amounts of some resources."""
    return BOARD.model_copy(update={"resources": BOARD.resources.model_copy(update=resources)})


def simple_estimate(kernel: Kernel, family: object) -> Use:
    """Costs with reasons as in hardware, but round numbers: tests need no calibrated ones."""
    wires = sum(spec.width for spec in (*kernel.inputs, *kernel.outputs))
    use = Use(lut=10 + wires, ff=10 + 2 * wires)
    match kernel:
        case Matvec() | Depthwise():
            products = kernel.pe * (kernel.simd if isinstance(kernel, Matvec) else kernel.taps)
            rows = -(-kernel.cycles // kernel.pixels)
            bits = products * kernel.weight_type.bits
            block = kernel.memory is RamStyle.BLOCK
            use += Use(ramb18=-(-bits // 36) * -(-rows // 512)) if block else Use(lut=bits * -(-rows // 64))
            each = {Mac.DSP: (0, 1), Mac.DSP2: (8, 0.5), Mac.LUT: (60, 0), Mac.XNOR: (1, 0)}[kernel.mac]
            use += Use(lut=int(products * each[0]), dsp=int(products * each[1]))
        case Requant():
            dsp = kernel.mac is Mac.DSP
            use += Use(lut=kernel.lanes * (60 if dsp else 300), dsp=2 * kernel.lanes // kernel.passes if dsp else 0)
    return use


@pytest.fixture
def simple(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("options", "folding", "explain"):
        monkeypatch.setattr(f"hlsgen.plan.{module}.estimate", simple_estimate)


def dense(inputs: int, outputs: int) -> tuple[Graph, dict[str, tuple[Unit, ...]]]:
    net = Net((2, 2, inputs), INT8)
    graph = net.graph(net.requantize(net.conv(net.input, outputs)))
    return graph, solve(graph)


def combinations(graph: Graph, units: dict[str, tuple[Unit, ...]]) -> Iterator[dict[str, dict[str, int | str]]]:
    """Every legal folding of a graph of few layers."""
    types, choices = stream_types(graph), []
    for layer in layers(graph):
        fields = legal(layer, graph, types, units)
        exact = units[(layer.requantize or layer.op).output]
        every = [dict(zip(fields, values, strict=True)) for values in product(*fields.values())]
        choices.append([(layer.name, values) for values in every if conflict(values, fields, exact) is None])
    for chosen in product(*choices):
        yield dict(chosen)


def weighted(amounts: Amounts, room: Amounts) -> float:
    return sum(w * amount / max(limit, 1) for w, amount, limit in zip(WEIGHTS, amounts, room, strict=True))


def test_no_folding_of_a_layer_is_better(simple: None) -> None:
    graph, units = dense(4, 2)
    every = []
    for fields in combinations(graph, units):
        design = lower(graph, units, written(graph, fields), 64)
        interval = max(instance.kernel.cycles for instance in design.instances)
        every.append((interval, Amounts.of(design_use(design, {}, BOARD.family))))
    assert len(every) > 500
    reached = set()
    for lut, dsp, bram36 in product((320, 360, 420, 600, 1200), (1, 4, 9), (0, 2)):
        small = board(lut=lut, dsp=dsp, bram36=bram36)
        room = limits(small, reserve=Use())
        fitting = [(interval, weighted(amounts, room)) for interval, amounts in every if amounts.fits(room)]
        if not fitting:
            with pytest.raises(PlanError, match="does not fit"):
                fold(graph, units, small, reserve=Use(), depths=lambda design: {})
            continue
        folded = fold(graph, units, small, reserve=Use(), depths=lambda design: {})
        assert folded.optimal
        assert folded.interval_cycles == min(fitting)[0]
        assert weighted(Amounts.of(folded.use), room) == pytest.approx(min(fitting)[1], abs=1e-4)
        reached.add(folded.interval_cycles)
    assert len(reached) >= 3


def test_no_folding_of_two_layers_is_better(simple: None) -> None:
    """Lanes between layers count: ``width`` kernels cost, too."""
    net = Net((2, 2, 2), INT8)
    graph = net.graph(net.requantize(net.conv(net.requantize(net.conv(net.input, 6)), 3)))
    units = solve(graph)
    numbers = ("pe", "lanes", "requant_lanes")

    def trimmed(fields: dict[str, tuple[int | str, ...]]) -> dict[str, tuple[int | str, ...]]:
        return {name: values if name in numbers else values[:1] for name, values in fields.items()}

    problem = Problem.of(graph, units, BOARD.family, 64)
    for place in problem.places:
        place.fields = trimmed(place.fields)
    types = stream_types(graph)
    choices = [trimmed(legal(layer, graph, types, units)) for layer in layers(graph)]
    names = [layer.name for layer in layers(graph)]
    every = []
    for values in product(*(value for fields in choices for value in fields.values())):
        split, fields = iter(values), {}
        for name, names_of in zip(names, choices, strict=True):
            fields[name] = {field: next(split) for field in names_of}
        design = lower(graph, units, written(graph, fields), 64)
        interval = max(instance.kernel.cycles for instance in design.instances)
        every.append((interval, Amounts.of(design_use(design, {}, BOARD.family))))
    room = Amounts(lut=10_000, lutram=1000, ff=10_000, dsp=100, bram18=100)
    for interval in problem.intervals:
        least = min(weighted(amounts, room) for cycles, amounts in every if cycles <= interval)
        selection = select(problem, interval, room).selection
        assert selection is not None
        assert weighted(selection.amounts, room) == pytest.approx(least, abs=0.002), interval


@pytest.mark.parametrize("name", GRAPHS)
def test_the_model_counts_what_the_design_has(name: str) -> None:
    graph, units = graph_of(name), units_of(name)
    problem = Problem.of(graph, units, BOARD.family, 64)
    for interval in {problem.intervals[len(problem.intervals) // 2], problem.intervals[-1]}:
        answer = select(problem, interval, Amounts(*[10**6] * 6))
        if answer.selection is None:
            assert interval != problem.intervals[-1]
            continue
        plan = plan_of(graph, problem, answer.selection)
        check(plan, graph, units)
        design = lower(graph, units, plan, 64)
        kernels = Amounts.of(design_use(design, {}, BOARD.family))
        slowest = max(instance.kernel.cycles for instance in design.instances)
        if len(graph.outputs) == 1:
            assert answer.selection.amounts == kernels
            assert answer.selection.interval == slowest
        else:  # several outputs are packed by one kernel
            assert all(abs(a - b) <= 250 + 0.1 * b for a, b in zip(answer.selection.amounts, kernels, strict=True))
            assert slowest <= answer.selection.interval <= interval


@pytest.mark.parametrize("name", GRAPHS)
def test_plans_fit_and_read_back(name: str, tmp_path: Path) -> None:
    graph, units = graph_of(name), units_of(name)
    folded = fold(graph, units, BOARD)
    assert Amounts.of(folded.use).fits(folded.limits)
    assert folded.limits == limits(BOARD)
    save(folded.plan, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml", graph, units) == folded.plan
    design = lower(graph, units, folded.plan, BOARD.axi_bits)
    assert design_use(design, size_for_rate(design), BOARD.family) == folded.use
    assert max(instance.kernel.cycles for instance in design.instances) == folded.interval_cycles
    slow = lower(graph, units, smallest(graph, units), BOARD.axi_bits)
    assert folded.interval_cycles < max(instance.kernel.cycles for instance in slow.instances)


def test_equal_inputs_give_equal_bytes(simple: None, tmp_path: Path) -> None:
    texts = []
    for attempt in range(3):
        folded = fold(graph_of("residual"), units_of("residual"), board(lut=15_000, dsp=30))
        save(folded.plan, tmp_path / f"{attempt}.yaml")
        texts.append((tmp_path / f"{attempt}.yaml").read_bytes())
    assert texts[0] == texts[1] == texts[2]


def test_less_room_makes_it_slower() -> None:
    graph, units = graph_of("residual"), units_of("residual")
    reached = [fold(graph, units, BOARD, max_utilization=share).interval_cycles for share in (0.25, 0.4, 0.8)]
    assert reached == sorted(reached, reverse=True)
    assert reached[0] > reached[-1]


def test_fps_asks_for_the_smallest_that_is_fast_enough(simple: None) -> None:
    graph, units = graph_of("residual"), units_of("residual")
    fast = fold(graph, units, BOARD)
    for factor in (2, 5):
        wanted = fast.interval_cycles * factor
        folded = fold(graph, units, BOARD, fps=100e6 / wanted)
        assert folded.interval_cycles <= wanted
        room = folded.limits
        assert weighted(Amounts.of(folded.use), room) < weighted(Amounts.of(fast.use), room)
    faster_clock = fold(graph, units, BOARD, fps=100e6 / wanted, clock_mhz=200)
    assert wanted < faster_clock.interval_cycles <= 2 * wanted


def test_a_rate_out_of_reach_is_refused_with_the_reason(simple: None) -> None:
    graph, units = graph_of("residual"), units_of("residual")
    fastest = fold(graph, units, board(lut=15_000, dsp=20))
    with pytest.raises(PlanError) as caught:
        fold(graph, units, board(lut=15_000, dsp=20), fps=100e6 / (fastest.interval_cycles - 1))
    text = str(caught.value)
    assert re.search(r"for which pynq-z2 is too small: .*[\d,]+ (LUTs|DSPs) needed, [\d,]+ available", text)
    assert f"The fastest that fits pynq-z2 takes {fastest.interval_cycles:,} cycles" in text
    with pytest.raises(PlanError, match=r"no folding of .* takes fewer than [\d,]+\. The fastest that fits"):
        fold(graph, units, BOARD, fps=50e6)


def test_a_model_that_is_too_large_is_refused_with_what_is_short() -> None:
    graph, units = graph_of("residual"), units_of("residual")
    with pytest.raises(PlanError) as caught:
        fold(graph, units, board(lut=11_000))
    text = str(caught.value)
    assert text.startswith("The model does not fit pynq-z2, however slow: ")
    assert re.search(r"[\d,]+ LUTs needed, 800 available", text)
    assert "\n" not in text


def test_fifos_have_to_fit_too(simple: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """FIFOs that leave less room give a slower design; FIFOs that leave none are refused."""
    monkeypatch.setattr("hlsgen.plan.folding.estimate_fifo", lambda width, depth, family: Use(lut=width * depth))
    graph, units = dense(16, 16)

    def deep(depth: int) -> Depths:
        return lambda design: dict.fromkeys((name for name in size_fifos(design) if "requant" in name), depth)

    narrow = board(lut=4000)
    shallow = fold(graph, units, narrow, reserve=Use(), depths=deep(0))
    crowded = fold(graph, units, narrow, reserve=Use(), depths=deep(100))
    assert crowded.interval_cycles > shallow.interval_cycles
    assert (shallow.optimal, shallow.gap) == (True, 0)
    assert not crowded.optimal, "other FIFOs might do"
    assert crowded.gap == crowded.interval_cycles / shallow.interval_cycles - 1
    assert Amounts.of(crowded.use).fits(crowded.limits)
    with pytest.raises(PlanError, match=r"does not fit pynq-z2, however slow: [\d,]+ LUTs needed, 3,200 available"):
        fold(graph, units, narrow, reserve=Use(), depths=deep(1000))


def test_a_rate_is_reached_beside_the_fifos(simple: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What FIFOs take, the layers have to do without."""
    monkeypatch.setattr("hlsgen.plan.folding.estimate_fifo", lambda width, depth, family: Use(dsp=depth))
    graph, units = dense(16, 16)
    alone = fold(graph, units, board(dsp=100), fps=100e6 / 16, depths=lambda design: {})
    beside = fold(graph, units, board(dsp=100), fps=100e6 / 16, depths=lambda design: {"net_conv1_matvec_out": 70})
    assert alone.use.dsp > 25
    assert 70 <= beside.use.dsp <= 95
    assert beside.use.lut > alone.use.lut
    assert beside.interval_cycles <= 16


def test_limits_leave_room_for_the_shell() -> None:
    room = limits(BOARD)
    assert room.lut == int(0.8 * 53_200) - SHELL.lut == 34_560
    assert room.dsp == int(0.95 * 220) == 209
    assert room.bram18 == int(0.95 * 280) - 2 * SHELL.ramb36
    assert limits(BOARD, 0.5).lut == 26_600 - SHELL.lut
    assert limits(BOARD, 0.5, Use()).dsp == 110
    assert limits(BOARD, 0.9, Use()).lut == 47_880, "who wants to may take more than the default"
    assert limits(board(lut=1000)).lut == 0


def test_multipliers_are_dsps_in_pairs_while_there_are_any(simple: None) -> None:
    """LUTs multiply only what DSPs cannot: 8 * 8 * 16 outputs of 72 products, at 512 cycles by 144 of them."""
    net = Net((8, 8, 8), INT8)
    graph = net.graph(net.requantize(net.conv(net.input, 16, (3, 3), pads=SAME)))
    units = solve(graph)

    def matvec(dsp: int) -> Matvec:
        folded = fold(graph, units, board(dsp=dsp), fps=100e6 / 512)
        design = lower(graph, units, folded.plan, 64)
        (kernel,) = (instance.kernel for instance in design.instances if isinstance(instance.kernel, Matvec))
        assert kernel.pe * kernel.simd == 144
        return kernel

    assert matvec(dsp=220).mac is Mac.DSP2
    assert matvec(dsp=120).mac is Mac.DSP2
    assert matvec(dsp=60).mac is Mac.LUT
