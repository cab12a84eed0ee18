"""What a plan spends the device on, what limits its speed, and what more or less speed would cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hlsgen.board import Board, Family
from hlsgen.graph.graph import Graph
from hlsgen.kernels.base import Kernel, RamStyle
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.matvec import Matvec
from hlsgen.lower.design import Design
from hlsgen.lower.folding import Units
from hlsgen.lower.names import printable
from hlsgen.plan.limits import RESOURCES, SHELL, TITLES, Amounts, limits
from hlsgen.plan.options import Problem
from hlsgen.plan.resources import Use, estimate, estimate_fifo
from hlsgen.plan.solver import select

KINDS = {
    "window": "line buffers",
    "requant": "requantization",
    "table": "requantization",
    "add": "joins",
    "maxpool": "pools",
    "sumpool": "pools",
    "concat": "joins",
    "fork": "plumbing",
    "width": "plumbing",
    "unpack": "plumbing",
    "pack": "plumbing",
}
"""What a kernel's resources are for, by its kind; those with weights are divided."""

COLUMNS = ("lut", "ff", "dsp", "bram18")
"""Resources shown in tables; the others hardly ever matter."""

LAYERS = 6
"""Layers listed, the largest ones."""

NAMED = 4
"""Slowest kernels listed; in a balanced design there are many."""

NOTABLE = 0.05
"""A saving that is worth naming, as a part of what there is of a resource."""

STEPS = 6
"""How many slower intervals are tried for a notable saving."""


@dataclass(frozen=True)
class Slowest:
    """A kernel that takes as many cycles per image as the whole design. ``layer``: printable."""

    instance: str
    kind: str
    layer: str


@dataclass(frozen=True)
class Alternative:
    """Another speed: ``amounts`` that it needs, without FIFOs; None where no folding is that fast.

    ``hindrance``: then, the layer that cannot be, and the fewest cycles that it takes.
    """

    interval_cycles: int
    amounts: Amounts | None
    hindrance: tuple[str, int] | None = None


@dataclass(frozen=True)
class Explanation:
    """All amounts are estimates. ``kernels``: those of the design without its FIFOs, to compare alternatives with.

    ``room``: what the accelerator may take; ``by_kind`` and ``by_layer`` add up to ``amounts``.
    """

    board: str
    clock_mhz: float
    interval_cycles: int
    slowest: tuple[Slowest, ...]
    amounts: Amounts
    kernels: Amounts
    room: Amounts
    by_kind: Mapping[str, Amounts]
    by_layer: Mapping[str, Amounts]
    double: Alternative
    slower: Alternative | None

    def lines(self) -> list[str]:
        """The explanation as lines of plain text."""
        return [*self._speed(), "", *self._spent(), "", *self._alternatives()]

    def _speed(self) -> Iterator[str]:
        yield f"{self.interval_cycles:,} cycles per image, {self._rate(self.interval_cycles)} at {self.clock_mhz:g} MHz"
        names = [kernel.instance for kernel in self.slowest]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"slowest: {', '.join(names[:NAMED])}{more}"

    def _spent(self) -> Iterator[str]:
        largest = sorted(self.by_layer.items(), key=lambda entry: -_fraction(entry[1], self.room))
        rows: list[tuple[str, Amounts]] = [(name, self.by_kind[name]) for name in self.by_kind]
        rest = sum((amounts for _, amounts in largest[LAYERS:]), Amounts())
        layer_rows = largest[:LAYERS] + ([(f"{len(largest) - LAYERS} other layers", rest)] if rest != Amounts() else [])
        width = max(len(name) for name, _ in [*rows, *layer_rows, ("available", rest)])
        yield _row("estimated", [TITLES[name] for name in COLUMNS], width)
        for table in (rows, layer_rows, [("together", self.amounts), ("available", self.room)]):
            for name, amounts in table:
                yield _row(name, [f"{getattr(amounts, column):,}" for column in COLUMNS], width)
            if table is not rows:
                continue
            yield "of which"

    def _alternatives(self) -> Iterator[str]:
        double, slower = self.double, self.slower
        speed = f"twice the speed, {double.interval_cycles:,} cycles,"
        if double.amounts is None and double.hindrance is not None:
            layer, cycles = double.hindrance
            yield f"{speed} is out of reach: no folding of {layer} takes fewer than {cycles:,} cycles"
        elif double.amounts is not None:
            needs = [
                f"{amount:,} {TITLES[name]} ({amount - available:,} too many)"
                for name, amount, available in zip(RESOURCES, double.amounts, self.room, strict=True)
                if amount > available
            ]
            yield f"{speed} would fit" if not needs else f"{speed} would need {' and '.join(needs)}"
        if slower is not None and slower.amounts is not None:
            saved = [
                f"{saving:,} {TITLES[name]}"
                for name, saving, available in zip(RESOURCES, self.kernels - slower.amounts, self.room, strict=True)
                if name in COLUMNS and saving > NOTABLE * available
            ]
            speed = f"{slower.interval_cycles:,} cycles, {self._rate(slower.interval_cycles)},"
            yield f"the next slower design, {speed} would save {' and '.join(saved) if saved else 'next to nothing'}"

    def _rate(self, cycles: int) -> str:
        return f"{self.clock_mhz * 1e6 / cycles:,.0f} images/s"


def explain(
    graph: Graph,
    units: Units,
    board: Board,
    design: Design,
    depths: Mapping[str, int],
    *,
    clock_mhz: float | None = None,
    max_utilization: float | None = None,
    reserve: Use = SHELL,
    problem: Problem | None = None,
) -> Explanation:
    """Explain ``design``, a lowering of ``graph`` with any plan, ``fold``'s or an edited one.

    ``depths``: of its FIFOs in hardware, in beats by stream. ``problem``: of ``fold``, which saves time. The other
    arguments are those of ``fold``.
    """
    family, room = board.family, limits(board, max_utilization, reserve)
    by_kind: dict[str, Amounts] = {}
    by_layer: dict[str, Amounts] = {}
    for layer, kind, amounts in _shares(design, depths, family):
        by_kind[kind] = by_kind.get(kind, Amounts()) + amounts
        by_layer[layer] = by_layer.get(layer, Amounts()) + amounts
    interval = max(instance.kernel.cycles for instance in design.instances)
    amounts = sum(by_kind.values(), Amounts())
    fifos = by_kind.get("FIFOs", Amounts())
    problem = problem or Problem.of(graph, units, family, design.axi_bits)
    return Explanation(
        board=board.name,
        clock_mhz=clock_mhz or board.clock_mhz,
        interval_cycles=interval,
        slowest=tuple(
            Slowest(instance.name, instance.kernel.kind, printable(instance.layer))
            for instance in design.instances
            if instance.kernel.cycles == interval
        ),
        amounts=amounts,
        kernels=amounts - fifos,
        room=room,
        by_kind=dict(sorted(by_kind.items(), key=lambda entry: -_fraction(entry[1], room))),
        by_layer=by_layer,
        double=_double(problem, interval // 2, room - fifos),
        slower=_slower(problem, interval, room - fifos, amounts - fifos),
    )


def _shares(design: Design, depths: Mapping[str, int], family: Family) -> Iterator[tuple[str, str, Amounts]]:
    """(layer, what for, amounts) of every kernel and FIFO."""
    for instance in design.instances:
        layer, kernel, total = printable(instance.layer), instance.kernel, Amounts.of(estimate(instance.kernel, family))
        if isinstance(kernel, Matvec | Depthwise):
            weights = _weights(kernel, total, family)
            yield layer, "weights", weights
            yield layer, "multiplying", total - weights
        else:
            yield layer, KINDS[kernel.kind], total
    for name, depth in depths.items():
        stream = design.streams[name]
        yield printable(stream.layer), "FIFOs", Amounts.of(estimate_fifo(stream.spec.width, depth, family))


def _weights(kernel: Matvec | Depthwise, total: Amounts, family: Family) -> Amounts:
    """The part of the weights: block RAM; in LUTs, what they take more than weights in block RAM would."""
    if kernel.memory is RamStyle.BLOCK:
        return Amounts(bram18=total.bram18)
    blocks: Kernel = replace(kernel, memory=RamStyle.BLOCK)
    more = total.lut - Amounts.of(estimate(blocks, family)).lut
    return Amounts(lut=max(0, more))


def _double(problem: Problem, interval: int, room: Amounts) -> Alternative:
    selection = select(problem, interval, room, soft=True).selection
    if selection is not None:
        return Alternative(interval, selection.amounts)
    place = max(problem.places, key=lambda place: min(place.intervals))
    return Alternative(interval, None, (place.layer or "the input", min(place.intervals)))


def _slower(problem: Problem, interval: int, room: Amounts, kernels: Amounts) -> Alternative | None:
    """The next slower design that saves something notable; of the nearest few the last, if none does."""
    found = None
    for longer in [cycles for cycles in problem.intervals if cycles > interval][:STEPS]:
        selection = select(problem, longer, room).selection
        if selection is None:
            continue
        found = Alternative(longer, selection.amounts)
        savings = zip(kernels - selection.amounts, room, RESOURCES, strict=True)
        if any(saving > NOTABLE * available for saving, available, name in savings if name in COLUMNS):
            break
    return found


def _fraction(amounts: Amounts, room: Amounts) -> float:
    """Sum of the fractions of what there is."""
    return sum(amount / max(available, 1) for amount, available in zip(amounts, room, strict=True))


def _row(name: str, values: list[str], width: int) -> str:
    return f"{name:<{width}}" + "".join(f"{value:>12}" for value in values)
