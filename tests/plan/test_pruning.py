"""Pruning leaves the best selection in place."""

from __future__ import annotations

import pytest

from hlsgen.board import Family
from hlsgen.plan import solver
from hlsgen.plan.limits import Amounts
from hlsgen.plan.options import Edge, Option, Problem
from hlsgen.plan.pruning import undominated
from hlsgen.plan.solver import select
from tests.lower.graphs import GRAPHS, graph_of, units_of

FAMILY = Family.ZYNQ_7000

ROOM = Amounts(lut=200_000, lutram=60_000, ff=400_000, dsp=1000, bram18=600)


def everything(problem: Problem, interval: int) -> list[list[Option]]:
    return [place.options(interval) for place in problem.places]


@pytest.mark.parametrize("name", GRAPHS)
def test_the_best_selection_costs_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem.of(graph_of(name), units_of(name), FAMILY, 64)
    for interval in problem.intervals[len(problem.intervals) // 3 :: 7]:
        pruned = select(problem, interval, ROOM).selection
        with monkeypatch.context() as patch:
            patch.setattr(solver, "undominated", everything)
            whole = select(problem, interval, ROOM).selection
        assert (pruned is None) == (whole is None)
        if pruned is not None and whole is not None:
            assert pruned.cheapest
            assert whole.cheapest
            assert solver.weighted(pruned.amounts, ROOM) == solver.weighted(whole.amounts, ROOM)


def test_many_options_go() -> None:
    problem = Problem.of(graph_of("residual"), units_of("residual"), FAMILY, 64)
    interval = problem.intervals[len(problem.intervals) // 2]
    before, after = everything(problem, interval), undominated(problem, interval)
    assert sum(map(len, after)) < 0.7 * sum(map(len, before))
    assert all(after)
    assert all(set(few) <= set(all_) for few, all_ in zip(after, before, strict=True))


def test_equal_lanes_leave_no_option_that_is_beaten_at_everything() -> None:
    problem = Problem.of(graph_of("residual"), units_of("residual"), FAMILY, 64)
    for options in undominated(problem, problem.intervals[-1]):
        for a in options:
            rivals = [b for b in options if (b.lanes_in, b.lanes_out) == (a.lanes_in, a.lanes_out) and b is not a]
            assert not any(b.amounts.fits(a.amounts) for b in rivals)


def test_options_with_impossible_lanes_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ``width`` is fast enough behind one lane of a place, nor before several: only several behind one remain."""
    problem = Problem.of(graph_of("residual"), units_of("residual"), FAMILY, 64)
    interval = problem.intervals[-1]
    entering = next(edge for edge in problem.edges if problem.places[edge.reader].widths(1) > {1})
    place = entering.reader
    (leaving,) = (edge for edge in problem.edges if edge.writer == place)
    original = problem.costs.width

    def width(edge: Edge, lanes_in: int, lanes_out: int) -> tuple[Amounts, int]:
        amounts, cycles = original(edge, lanes_in, lanes_out)
        slow = (edge is entering and lanes_out > 1) or (edge is leaving and lanes_in == 1)
        return amounts, interval + 1 if slow else cycles

    monkeypatch.setattr(problem.costs, "width", width)
    kept = undominated(problem, interval)[place]
    assert kept
    assert all(option.lanes_in == 1 < option.lanes_out for option in kept)
