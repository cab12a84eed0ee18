"""Folding: the fastest design that fits a board, or the smallest that is fast enough. One entry: ``fold``."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import floor

from hlsgen.board import Board, Family
from hlsgen.errors import PlanError
from hlsgen.graph.graph import Graph
from hlsgen.lower.design import Design
from hlsgen.lower.folding import Units
from hlsgen.lower.mapping import lower
from hlsgen.plan.depths import size_for_rate
from hlsgen.plan.limits import RESOURCES, SHELL, TITLES, Amounts, limits
from hlsgen.plan.options import Fields, Problem
from hlsgen.plan.plan import Plan, written
from hlsgen.plan.resources import Use, estimate, estimate_fifo
from hlsgen.plan.solver import Selection, select

ROUNDS = 4
"""How often a solution's FIFOs may turn out larger than the room that was left for them, before only designs with
their FIFOs are compared."""

Depths = Callable[[Design], Mapping[str, int]]
"""Computes the depths of a design's FIFOs, in beats by stream."""


@dataclass(frozen=True)
class Folded:
    """A plan and what is known of it.

    ``optimal``: no legal folding within ``limits`` is faster (with ``fps``: none that is fast enough takes less), by
    the estimates. ``gap``: by what fraction the interval may exceed the least one; 0 if optimal or with ``fps``.
    ``use``: of the whole accelerator, FIFOs included, ``limits`` what it might have taken (the board's shares less the
    shell). ``seconds``: spent on it; the only figure that may differ from run to run. ``problem``: what there was to
    choose from, for ``explain``. ``design``: what the plan makes, as ``depths`` of ``fold`` left it.
    """

    plan: Plan
    optimal: bool
    gap: float
    interval_cycles: int
    use: Use
    limits: Amounts
    seconds: float
    problem: Problem = field(repr=False, compare=False)
    design: Design = field(repr=False, compare=False)


def fold(
    graph: Graph,
    units: Units,
    board: Board,
    *,
    axi_bits: int | None = None,
    fps: float | None = None,
    clock_mhz: float | None = None,
    max_utilization: float | None = None,
    reserve: Use = SHELL,
    depths: Depths = size_for_rate,
) -> Folded:
    """The folding of ``graph`` with the fewest cycles between images that fits ``board``; of those, the smallest.

    With ``fps``, the smallest folding that reaches this many images per second at ``clock_mhz`` (default: the
    board's). Limits: see ``limits.limits``. FIFOs are sized by ``depths``, which may set them in the design that it is
    given, and count, too.
    Equal arguments give equal plans. Raises PlanError, saying what is short and what would be possible, when the model
    does not fit or cannot be that fast.
    """
    search = _Search(graph, units, board, axi_bits or board.axi_bits, limits(board, max_utilization, reserve), depths)
    return search.fastest() if fps is None else search.smallest(fps, clock_mhz or board.clock_mhz)


def design_use(design: Design, depths: Mapping[str, int], family: Family) -> Use:
    """Estimate of all kernels of a design and of FIFOs of the given ``depths``, in beats by stream."""
    kernels = (estimate(instance.kernel, family) for instance in design.instances)
    specs = ((design.streams[name].spec, depth) for name, depth in depths.items())
    return sum(kernels, sum((estimate_fifo(spec.width, depth, family) for spec, depth in specs), Use()))


@dataclass(frozen=True)
class _Sized:
    """A selection as a design with FIFOs. ``uncounted``: what that takes more than the selection, mostly FIFOs."""

    selection: Selection
    plan: Plan
    design: Design
    interval: int
    use: Use
    uncounted: Amounts


class _Search:
    """One search on one board."""

    def __init__(self, graph: Graph, units: Units, board: Board, axi_bits: int, room: Amounts, depths: Depths) -> None:
        self.started = time.perf_counter()
        self.graph, self.units, self.board, self.axi_bits, self.depths = graph, units, board, axi_bits, depths
        self.limits = room
        self.problem = Problem.of(graph, units, board.family, axi_bits)
        self.impossible = 0  # so many of the least intervals are too short even without FIFOs

    def fastest(self) -> Folded:
        """The fewest cycles within the limits.

        FIFOs are known only when a design is, so the search is for kernels alone, then again with as much less room as
        the FIFOs of its result need.
        """
        selection = self._fastest(self.limits, self._impossible)
        for _ in range(ROUNDS):
            if selection is None:
                break
            sized = self._sized(selection)
            if self._fits(sized):
                return self._folded(sized)
            selection = self._fastest(self.limits - sized.uncounted)
        return self._folded(self._fastest_design())

    def smallest(self, fps: float, clock_mhz: float) -> Folded:
        """The least that takes ``floor(clock / fps)`` cycles or fewer."""
        interval = floor(clock_mhz * 1e6 / fps)
        sized = self._at(interval)
        if sized is None:
            raise PlanError(self._too_slow(fps, clock_mhz, interval))
        return replace(self._folded(sized), optimal=sized.selection.cheapest, gap=0.0)

    def _fastest(self, room: Amounts, ruled_out: Callable[[int], None] | None = None) -> Selection | None:
        """The cheapest of the selections with the fewest cycles, by bisection over the intervals that there are.

        ``ruled_out`` hears how many of the shortest intervals have been proved impossible.
        """
        intervals = self.problem.intervals
        best = select(self.problem, intervals[-1], room, any_cost=True).selection
        if best is None:
            return None
        low, high = self.impossible, bisect_left(intervals, best.interval)  # the least possible one is between
        while low < high:
            middle = (low + high) // 2
            answer = select(self.problem, intervals[middle], room, any_cost=True)
            if answer.selection is not None:
                best = answer.selection
                high = bisect_left(intervals, best.interval)
            else:
                low = middle + 1
                if answer.proved and ruled_out is not None:
                    ruled_out(low)
        return select(self.problem, best.interval, room).selection or best

    def _impossible(self, count: int) -> None:
        self.impossible = count

    def _fastest_design(self) -> _Sized:
        """The fewest cycles, by bisection over designs with their FIFOs. Raises PlanError if none fits."""
        intervals = self.problem.intervals
        best = self._at(intervals[-1])
        if best is None:
            raise PlanError(self._too_large())
        low, high = self.impossible, bisect_left(intervals, best.interval)
        while low < high:
            middle = (low + high) // 2
            sized = self._at(intervals[middle])
            if sized is None:
                low = middle + 1
            else:
                best, high = sized, bisect_left(intervals, sized.interval)
        return best

    def _at(self, interval: int) -> _Sized | None:
        """The smallest design of an interval that fits with its FIFOs; None if none was found."""
        room = self.limits
        for _ in range(ROUNDS):
            selection = select(self.problem, interval, room).selection
            if selection is None:
                return None
            sized = self._sized(selection)
            if self._fits(sized):
                return sized
            room = self.limits - sized.uncounted
        return None

    def _sized(self, selection: Selection) -> _Sized:
        """The design of a selection, its FIFOs with their depths."""
        plan = plan_of(self.graph, self.problem, selection)
        design = lower(self.graph, self.units, plan, self.axi_bits)
        depths = self.depths(design)
        interval = max(instance.kernel.cycles for instance in design.instances)
        use = design_use(design, depths, self.board.family)
        uncounted = Amounts(*(max(0, more) for more in Amounts.of(use) - selection.amounts))
        return _Sized(selection, plan, design, interval, use, uncounted)

    def _fits(self, sized: _Sized) -> bool:
        return Amounts.of(sized.use).fits(self.limits)

    def _folded(self, sized: _Sized) -> Folded:
        least = self.problem.intervals[self.impossible]
        gap = max(0.0, sized.interval / least - 1)
        seconds = time.perf_counter() - self.started
        return Folded(
            sized.plan, gap == 0, gap, sized.interval, sized.use, self.limits, seconds, self.problem, sized.design
        )

    # messages

    def _too_large(self) -> str:
        short = self._shortages(self.problem.intervals[-1])
        assert short is not None  # without limits there is always a solution
        return (
            f"The model does not fit {self.board.name}, however slow: {short}. "
            "Take a larger board, a smaller model, or allow more with --max-utilization."
        )

    def _too_slow(self, fps: float, clock_mhz: float, interval: int) -> str:
        asked = f"{fps:,.6g} images/s at {clock_mhz:g} MHz leave {interval:,} cycles per image"
        possible = self.fastest().interval_cycles
        advice = (
            f"The fastest that fits {self.board.name} takes {possible:,} cycles, {clock_mhz * 1e6 / possible:,.1f} "
            "images/s. Ask for less with --fps or raise --clock."
        )
        short = self._shortages(interval)
        if short is None:
            slowest = max(self.problem.places, key=lambda place: min(place.intervals))
            where = f"layer {slowest.layer}" if slowest.layer else "the input"
            return f"{asked}; no folding of {where} takes fewer than {min(slowest.intervals):,}. {advice}"
        return f"{asked}, for which {self.board.name} is too small: {short}. {advice}"

    def _shortages(self, interval: int) -> str | None:
        """What an interval needs too much of, in words; None if no folding at all is as fast."""
        selection = select(self.problem, interval, self.limits, soft=True).selection
        if selection is None:
            return None
        amounts = Amounts.of(self._sized(selection).use)
        return ", ".join(
            f"{amount:,} {TITLES[name]} needed, {available:,} available"
            for name, amount, available in zip(RESOURCES, amounts, self.limits, strict=True)
            if amount > available
        )


def plan_of(graph: Graph, problem: Problem, selection: Selection) -> Plan:
    """The plan that builds a selection."""
    fields: dict[str, Fields] = {}
    for place, option in zip(problem.places, selection.options, strict=True):
        if place.layer:
            fields.setdefault(place.layer, {}).update(option.fields)
    return written(graph, fields)
