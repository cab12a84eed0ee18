"""FIFO depths of the SystemVerilog form: the smallest with which the design still takes its bottleneck's interval.

A design takes P cycles per image, at steady state, if and only if its constraints have a solution that repeats with
period P (the hardware moves every beat as early as it can, hence never later than that solution). So no long simulation
is needed: solve one image that follows itself. P is that of the slowest kernel; less is impossible.

First the source paces the images evenly and FIFOs are endless; how full they get is how deep they need to be at most.
Then streams become wires where the period survives it, and the FIFOs that forks write, where beats wait for the other
branch to arrive, are shrunk by bisection. Each test looks at the kernels between fork and join only.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

import numpy as np

from hlsgen.lower.design import Design, Instance
from hlsgen.plan.fifos import SMALLEST, size_fifos
from hlsgen.plan.maxplus import Node, restore, saved
from hlsgen.plan.network import Network
from hlsgen.plan.tokens import Tokens

SWEEPS = 7
"""Sweeps within which a period counts as possible. Usual are 3 to 5 if it is, and endless ones otherwise."""

PATIENCE = 24
"""Sweeps for all depths together, which take some more, as they are solved for from the beginning."""

TOLERANCE = 50
"""Bisection stops at one part in this many."""

SLACK = (2, 4, 8, 16, 64)
"""Beats by which FIFOs are deeper, at first, than beats are seen to wait where FIFOs take no time."""

PARTS = (0, 0.05, 0.1, 0.2, 0.5)
"""How far to go back to deeper FIFOs where shallow ones that do one by one do not all together."""

SHALLOW = 16
"""FIFOs of no more beats cost little: they stay as they are or become wires."""

Regions = Sequence[Sequence[Node]]
"""Parts of a system to solve one after the other."""


def size_for_rate(design: Design) -> dict[str, int]:
    """Set ``depth`` and ``rtl_depth`` of the streams between kernels, and return the latter, in beats.

    ``rtl_depth`` is the least that keeps the slowest kernel busy, within one part in ``TOLERANCE``. ``depth``, for the
    C++, is that or, where it is more, the least with which the C++ cannot deadlock (see ``plan/fifos.py``).
    """
    safe = size_fifos(design)
    depths = rate_depths(design, safe)
    for name, depth in depths.items():
        design.streams[name].rtl_depth = depth
        design.streams[name].depth = max(depth, safe[name])
    return depths


def rate_depths(design: Design, safe: Mapping[str, int]) -> dict[str, int]:
    """The depths of the SystemVerilog form, in beats; ``safe``: those of ``size_fifos``, where to start from."""
    sizing = _Sizing(design)
    depths = {name: depth if name in sizing.forked else SMALLEST for name, depth in safe.items()}
    sizing.start(depths)
    for fork in sizing.network.forks:
        sizing.shrink(fork)
    return sizing.finish()


class _Sizing:
    """``depths`` under change. They keep the period, with the system solved for them, if ``sufficient`` does."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.network = Network(design)
        self.tokens = Tokens(design)
        self.system = self.tokens.system
        self.forked = {name for fork in self.network.forks for name in fork.outputs}
        self.period = max(node.span for node in self.system.nodes)
        # few beats along the whole design, as that of the batch's last image
        self.aside = {
            name
            for fork in self.network.forks
            for name in fork.outputs
            if self.network.beats(name) < self.network.beats(fork.outputs[0])
        }
        self.depths: dict[str, int] = {}
        self.system.set_period(self.period)
        self.tokens.pace(self.period)
        self.system.solve(SWEEPS)
        self.endless = saved(self.system.nodes)

    def start(self, depths: Mapping[str, int]) -> None:
        """Begin with ``depths``, raised where beats need more places than that to flow without stops."""
        inner = [name for name in depths if name not in (self.design.input, self.design.output)]
        occupied = {name: self._occupied(name) for name in inner}
        self.depths = {name: max(depths[name], occupied[name] if name in self.forked else 0) for name in inner}
        crowded = [name for name in inner if self._crowded(name)]
        bursts = {name for name in crowded if self._bursts(name)}
        self.tokens.set_depths(self.depths)
        if bursts or not self.system.attempt(SWEEPS, [self.system.nodes]):
            wires = self.depths
            for slack in SLACK:  # FIFOs take time themselves, which others have to make up for
                deep = {name: max(wires[name], occupied[name] + slack) for name in crowded}
                if self._buffer(wires, {**wires, **deep}, bursts):
                    break
        self.sufficient = dict(self.depths)

    def _bursts(self, name: str) -> bool:
        """Whether a stream's beats come in bursts that need a FIFO, for all that its neighbours have endless ones."""
        self.tokens.set_depth(name, self.depths[name])
        flows = self.system.attempt(SWEEPS, [self._near(name)], keep=False)
        self.tokens.set_depth(name, None)
        return not flows

    def _buffer(self, wires: Mapping[str, int], deep: Mapping[str, int], bursts: Container[str]) -> bool:
        """Find the streams that need FIFOs, among them ``bursts``, between ``wires`` and ``deep``, if these suffice."""
        self.depths = dict(deep)
        self.tokens.set_depths(deep)
        if not self.system.attempt(SWEEPS, [self.system.nodes]):
            return False
        bits = {name: self.design.streams[name].spec.width * depth for name, depth in deep.items()}
        candidates = sorted((name for name in deep if wires[name] < deep[name]), key=lambda name: -bits[name])
        kept = [name for name in candidates if name in bursts or not self._change(name, wires[name], self._wide(name))]
        for name in kept:
            self._shorten(name, wires[name], self._wide(name))
        self._gather(wires, kept)
        return True

    def _gather(self, wires: Mapping[str, int], kept: Sequence[str]) -> None:
        """Make wires of those FIFOs ``kept`` whose beats take fewer bits where they wait in others instead."""

        def bits(depths: Mapping[str, int]) -> int:
            return sum(self.design.streams[name].spec.width * depths[name] for name in kept if depths[name] > SMALLEST)

        for name in sorted(kept, key=lambda name: self.design.streams[name].spec.width * self.depths[name]):
            former = dict(self.depths)
            if former[name] <= max(SMALLEST, wires[name]):
                continue
            near = {id(node) for node in self._near(name)}
            others = [other for other in kept if other != name and near & {id(node) for node in self._near(other)}]
            # as many places as are given up, of which those that the period does without go again
            deeper = {other: former[other] + former[name] for other in others if former[other] > SMALLEST}
            trial = {**former, **deeper, name: wires[name]}
            if deeper and self._holds(trial):
                self.depths = trial
                for other in deeper:
                    self._shorten(other, wires[other], self._wide(other))
                if bits(self.depths) < bits(former):
                    continue
            self.depths = former
            self._holds(former)

    def shrink(self, fork: Instance) -> None:
        """Make the FIFOs that ``fork`` writes as shallow as the period allows, looking at its surroundings only."""
        deep = [name for name in fork.outputs if self.depths[name] > SMALLEST and name not in self.aside]
        if not deep:
            return
        between = self.network.between(fork)
        around = self._around(between)
        self.system.solve(SWEEPS, around)  # neighbours may have been shrunk
        for name in deep:
            self._shorten(name, SMALLEST, [self._nodes(between), around])

    def finish(self) -> dict[str, int]:
        """The depths, if they keep the period all together; otherwise the least of those between that do."""
        self._holds(self.depths)
        for name in self.aside:
            self.depths[name] = min(self.depths[name], max(SMALLEST + 1, self._occupied(name) + 1))
        shallow = self.depths
        for part in PARTS:
            between = {name: depth + int((self.sufficient[name] - depth) * part) for name, depth in shallow.items()}
            if self._holds(between):
                return between
        return self.sufficient

    def _shorten(self, name: str, least: int, regions: Regions) -> None:
        """Find the smallest depth of a stream, ``least`` or more, with which ``regions`` keep the period."""
        enough, short = self.depths[name], least - 1

        def suffices(depth: int) -> bool:
            nonlocal short
            if short < depth < self.depths[name] and not self._change(name, depth, regions):
                short = depth
            return depth > short

        # mostly no depth is enough but the present one; then only the last trial is needed to know
        last = _bisect(enough, least, lambda depth: False)
        if last is not None and suffices(last):
            _bisect(enough, least, suffices)

    def _change(self, name: str, depth: int, regions: Regions) -> bool:
        """Change a stream's depth if ``regions``, each larger than the one before, then keep the period."""
        self.tokens.set_depth(name, depth)
        if self.system.attempt(SWEEPS, regions):
            self.depths[name] = depth
            return True
        self.tokens.set_depth(name, self.depths[name])
        return False

    def _holds(self, depths: Mapping[str, int]) -> bool:
        """Whether the design keeps the period with ``depths``; if so, the system has the least solution for them."""
        restore(self.system.nodes, self.endless)
        self.tokens.set_depths(depths)
        return self.system.attempt(PATIENCE, [self.system.nodes])

    def _wide(self, name: str) -> Regions:
        """What to try a depth of a stream with: its surroundings, then all."""
        return [self._near(name), self.system.nodes]

    def _near(self, name: str) -> list[Node]:
        """The nodes around a stream, up to instances that are busy all the time."""
        return self._around([self.network.writer[name], self.network.reader[name]])

    def _around(self, between: list[Instance]) -> list[Node]:
        """The nodes that feel how deep FIFOs ``between`` instances are: theirs and, before the first and after the last
        one, those up to instances that are busy all the time, since those cannot make up for being stopped.
        """
        inside = {instance.name: instance for instance in between}
        for end, neighbours in ((between[0], self.network.writers), (between[-1], self.network.readers)):
            pending = [end]
            while pending:
                for other in neighbours(pending.pop()):
                    if other.name not in inside:
                        inside[other.name] = other
                        if self.tokens.steps[other.name].span < self.period:
                            pending.append(other)
        return self._nodes(inside.values())

    def _nodes(self, instances: Iterable[Instance]) -> list[Node]:
        """The nodes of instances and of the streams between them."""
        inside = list(instances)
        written = {name for instance in inside for name in instance.outputs}
        read = {name for instance in inside for name in instance.inputs}
        nodes = {self.tokens.steps[instance.name] for instance in inside}
        for name in written & read:
            beats = self.tokens.streams[name]
            nodes |= {node for node in (beats.write, beats.accept) if node is not None}
        return [node for node in self.system.nodes if node in nodes]

    def _crowded(self, name: str) -> bool:
        """Whether a stream's beats wait for longer than its writer's queue has room for them."""
        beats = self.tokens.streams[name]
        assert beats.claim is not None
        assert beats.accept is not None
        steps = beats.claim.target.values
        return bool((beats.claim.bounds(beats.accept.values) > steps).any())

    def _occupied(self, name: str) -> int:
        """Depth that a FIFO needs for a stream's beats to be handed over and accepted when they are now."""
        write, accept = self.tokens.streams[name].write, self.tokens.streams[name].accept
        if write is None or accept is None:
            return 0
        writes, accepts = write.times, accept.times
        images = max(0, int(accepts[-1] - writes[0]) // self.period) + 2  # in flight
        left = np.concatenate([accepts - image * self.period for image in range(images - 1, -1, -1)]) + 1
        gone = np.searchsorted(left, writes, side="right") - (images - 1) * len(writes)
        return int((np.arange(len(writes)) + 1 - gone).max())


def _bisect(enough: int, least: int, suffices: Callable[[int], bool]) -> int | None:
    """Search between ``enough`` and ``least`` for the smallest depth that suffices, to one part in ``TOLERANCE``.

    Returns the last depth tried, None if there was none to try.
    """
    short, trial, last = least - 1, least if enough <= SHALLOW else enough * 4 // 5, None
    while enough - short > max(1, enough // TOLERANCE):
        last = trial
        if suffices(trial):
            enough = trial
        elif enough <= SHALLOW:
            break
        else:
            short = trial
        trial = (enough + short) // 2 if short >= least else max(least, enough * 4 // 5)
    return last
