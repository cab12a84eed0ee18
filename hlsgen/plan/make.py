"""A whole plan: foldings solved for or given, FIFO depths, and what the design will take. One entry: ``make``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hlsgen.board import Board
from hlsgen.graph.graph import Graph
from hlsgen.lower.design import Design
from hlsgen.lower.folding import Units
from hlsgen.lower.mapping import lower
from hlsgen.plan.depths import size_for_rate
from hlsgen.plan.explain import Explanation, explain
from hlsgen.plan.fifos import size_fifos
from hlsgen.plan.folding import Folded, design_use, fold
from hlsgen.plan.limits import REGISTERS
from hlsgen.plan.plan import Plan, apply_depths
from hlsgen.plan.resources import Use
from hlsgen.plan.timing import Prediction, predict, rtl_depths


@dataclass(frozen=True)
class Planned:
    """A plan, the design it makes (depths set), and what is known of it.

    ``use``: estimate of the whole accelerator, FIFOs included. ``folded``: None where the foldings were given.
    """

    plan: Plan
    design: Design
    prediction: Prediction
    use: Use
    explanation: Explanation
    clock_mhz: float
    folded: Folded | None

    def lines(self) -> list[str]:
        """The result for people, in a few lines."""
        timing, use = self.prediction, self.use
        inner = [s for s in self.design.streams.values() if s.name not in (self.design.input, self.design.output)]
        depths = rtl_depths(self.design)
        bits = sum(depths[stream.name] * stream.spec.width for stream in inner if depths[stream.name] > 2)
        gap = 0.0 if self.folded is None else self.folded.gap
        rate = self.clock_mhz * 1e6 / timing.interval_cycles
        return [
            f"{timing.interval_cycles:,} cycles per image"
            f"{f' (at most {gap:.1%} above the least)' if gap else ''}, {rate:,.0f} images/s at {self.clock_mhz:g} MHz"
            f"; latency {timing.latency_cycles:,} cycles; slowest kernel {timing.bottleneck}",
            f"{use.lut:,} LUT ({use.lutram:,} of them memory), {use.ff:,} FF, {use.dsp} DSP, "
            f"{use.ramb36 + use.ramb18 / 2:g} BRAM36{f', {use.uram} URAM' if use.uram else ''} predicted; "
            f"FIFOs of {bits:,} bits, the deepest {max(depths.values())} beats (plan.txt says more)",
        ]

    def predicted(self) -> dict[str, Any]:
        """For the manifest."""
        timing = self.prediction
        return {
            "timing": {"interval_cycles": timing.interval_cycles, "latency_cycles": timing.latency_cycles},
            "resources": asdict(self.use),
        }


def make(
    graph: Graph,
    units: Units,
    board: Board,
    clock_mhz: float,
    *,
    given: Plan | None = None,
    fps: float | None = None,
    max_utilization: float | None = None,
) -> Planned:
    """Plan ``graph`` for ``board`` at ``clock_mhz``: see ``fold`` for ``fps`` and ``max_utilization``.

    ``given``: a plan whose foldings, and depths where it has any, are taken. Raises PlanError for what is not possible.
    """
    folded = None
    if given is None:
        folded = fold(graph, units, board, fps=fps, clock_mhz=clock_mhz, max_utilization=max_utilization)
        plan, design = folded.plan, folded.design
    else:
        plan, design = given, lower(graph, units, given, board.axi_bits)
        safe = size_fifos(design)
        size_for_rate(design)
        apply_depths(plan, design, safe)
    inner = [s for s in design.streams.values() if s.name not in (design.input, design.output)]
    depths = rtl_depths(design)
    complete = plan.model_copy(
        update={"streams": {stream.name: stream.depth for stream in inner}, "rtl_streams": depths}
    )
    explanation = explain(
        graph,
        units,
        board,
        design,
        depths,
        clock_mhz=clock_mhz,
        max_utilization=max_utilization,
        problem=None if folded is None else folded.problem,
    )
    use = design_use(design, depths, board.family) + REGISTERS
    return Planned(complete, design, predict(design), use, explanation, clock_mhz, folded)
