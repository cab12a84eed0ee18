"""What folding believes of a design, against the design that lowering makes of any folding."""

from __future__ import annotations

import pytest

from hlsgen.board import Family
from hlsgen.graph.ops import Geometry
from hlsgen.graph.types import INT8
from hlsgen.lower import lower
from hlsgen.plan.limits import Amounts
from hlsgen.plan.options import Body, Closing, Entrance, Fields, Problem
from hlsgen.plan.plan import Plan
from hlsgen.plan.resources import estimate
from hlsgen.plan.solver import select
from tests.lower.graphs import GRAPHS, SAME, Net, graph_of, units_of
from tests.lower.test_mapping import random_plan

FAMILY = Family.ZYNQ_7000


def fields_of(plan: Plan, place: Body | Closing) -> Fields:
    entry = plan.layers[place.layer].model_dump()
    return {name: entry[name] for name in place.fields}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", GRAPHS)
def test_any_folding_costs_and_takes_what_its_design_does(name: str, seed: int) -> None:
    graph, units, plan = graph_of(name), units_of(name), random_plan(name, seed)
    design = lower(graph, units, plan, 64)
    problem = Problem.of(graph, units, FAMILY, 64)
    options = []
    for place in problem.places:
        if isinstance(place, Entrance):
            unpack = design.instances[0].kernel
            options.append(place.option({"lanes": unpack.outputs[0].lanes}))
        else:
            assert isinstance(place, Body | Closing)
            options.append(place.option(fields_of(plan, place)))
            assert options[-1].cycles in place.intervals
    amounts, cycles = Amounts(), [sum(option.exit_cycles for option in options)]
    for option in options:
        amounts += option.amounts
        cycles.append(option.cycles)
    for edge in problem.edges:
        a, b = options[edge.writer].lanes_out, options[edge.reader].lanes_in
        assert a == b or not edge.rigid
        more, slowest = problem.costs.width(edge, a, b)
        amounts += more
        cycles.append(slowest)
    expected = sum((Amounts.of(estimate(instance.kernel, FAMILY)) for instance in design.instances), Amounts())
    interval = max(instance.kernel.cycles for instance in design.instances)
    if len(graph.outputs) == 1:
        assert amounts == expected
        assert max(cycles) == interval
        assert interval in problem.intervals or interval < problem.intervals[0]
    else:  # outputs are packed by one kernel, not by one each
        assert all(abs(a - b) <= 100 + 0.1 * b for a, b in zip(amounts, expected, strict=True))
        assert max(cycles) >= interval


def test_places_offer_the_least_that_is_fast_enough() -> None:
    net = Net((8, 8, 4), INT8)
    graph = net.graph(net.conv(net.input, 8, (3, 3), pads=SAME))
    problem = Problem.of(graph, {}, FAMILY, 64)
    body = problem.places[1]
    products = 64 * 9 * 4 * 8
    assert max(body.intervals) == products
    assert min(body.intervals) == 64  # a column of the window in every cycle, images one after the other
    for interval in (products, 1000, 64):
        for option in body.options(interval):
            fields = dict(option.fields)
            assert option.cycles <= interval
            smaller = [pe for pe in (1, 2, 4, 8) if pe < int(fields["pe"]) and (pe > 1 or fields["mac"] != "dsp2")]
            assert all(body.cycles({**fields, "pe": pe}) > interval for pe in smaller)
    assert body.options(63) == []


def test_a_window_that_reads_more_than_it_writes_is_as_slow_as_its_input() -> None:
    net = Net((8, 8, 4), INT8)
    graph = net.graph(net.conv(net.input, 2, (2, 2), strides=(4, 4)))
    body = Problem.of(graph, {}, FAMILY, 64).places[1]
    assert body.cycles({"pe": 2, "lanes": 2, "taps": 4, "line_memory": "block"}) == 8 * 8 * 4 // 2
    assert body.cycles({"pe": 1, "lanes": 1, "taps": 1, "line_memory": "block"}) == 8 * 8 * 4


def test_the_first_reader_of_the_input_decides_its_lanes() -> None:
    net = Net((4, 4, 6), INT8)
    x = net.maxpool(net.input, Geometry((2, 2), (2, 2)))
    graph = net.graph(net.conv(x, 2), net.conv(net.input, 3))
    problem = Problem.of(graph, {}, FAMILY, 64)
    assert [option.lanes_out for option in problem.places[0].options(10_000)] == [1, 2, 3, 6]
    rigid = [(edge.writer, edge.reader) for edge in problem.edges if edge.rigid]
    assert rigid == [(0, 1)]


def test_several_outputs_leave_one_after_the_other() -> None:
    """``pack`` may be the slowest of all: 27 elements of the input and 9 of the layer, one per cycle."""
    net = Net((3, 3, 3), INT8)
    graph = net.graph(net.input, net.conv(net.input, 1))
    problem = Problem.of(graph, {}, FAMILY, 64)
    assert problem.intervals[-1] == 27 + 9
    plenty = Amounts(*[10**6] * 6)
    answer = select(problem, problem.intervals[-1], plenty)
    assert answer.selection is not None
    assert sum(option.exit_cycles for option in answer.selection.options) <= 36


def test_an_input_that_only_leaves_has_one_lane() -> None:
    net = Net((4, 4, 6), INT8)
    problem = Problem.of(net.graph(net.input), {}, FAMILY, 64)
    (place,) = problem.places
    assert [option.lanes_out for option in place.options(10_000)] == [1]
