"""How fast a planned design is: interval between images, latency of the first, what every kernel waits for.

Everything follows from the kernels' ``timing`` and the FIFO depths of the SystemVerilog form, clock cycle for clock
cycle (see ``plan/tokens.py``). The source offers a word in every cycle and the sink takes one in every cycle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hlsgen.errors import PlanError
from hlsgen.lower.design import Design, Instance
from hlsgen.plan.maxplus import Times
from hlsgen.plan.tokens import Tokens

EFFORTS = ((24, 20_000), (300, math.inf), (20_000, 0))
"""Sweeps over the system (half a dozen are usual), then visits of nodes in search of a deadlock; in turns, since the
former never end if there is one, and the latter, which find most deadlocks soon, take long if there is none."""

SWEEPS = 24
"""Sweeps within which the slowest kernel's cycles count as a possible interval."""

MANY = 100
"""Sweeps within which a period longer than the slowest kernel's counts as possible."""

FINE = 500
"""The interval is found within one part in this many, where it is not the slowest kernel's."""

FAR = 100
"""Times the slowest kernel's cycles at which the search for an interval ends."""

LONG_AGO = 1 << 40
"""Cycles before anything that matters."""


@dataclass(frozen=True)
class Activity:
    """What an instance does in an image's interval at steady state, in clock cycles.

    ``busy``: cycles of its steps. ``starved`` (by input stream) and ``blocked`` (by output stream): cycles in which its
    next step waits for a beat, or for a place in its output queue. They add up to the interval.
    """

    busy: int
    starved: Mapping[str, int]
    blocked: Mapping[str, int]

    @property
    def binding(self) -> str | None:
        """The stream it waits for longest; None if it never waits."""
        waits = {**self.starved, **self.blocked}
        longest = max(waits, key=lambda name: waits[name], default=None)
        return longest if longest is not None and waits[longest] > 0 else None


@dataclass(frozen=True)
class Prediction:
    """Clock cycles of a design.

    ``interval_cycles``: from one image's last output word to the next one's, images back to back, at steady state.
    ``latency_cycles``: of an image by itself, from the cycle in which its first word is accepted to the one in which
    its last is handed over, both included (the difference of their numbers, plus one). ``bottleneck``: the instance
    that takes the most cycles per image, ``bottleneck_cycles`` of them; a longer interval means that FIFOs are short.
    """

    interval_cycles: int
    latency_cycles: int
    bottleneck: str
    bottleneck_cycles: int
    activities: Mapping[str, Activity]


def rtl_depths(design: Design) -> dict[str, int]:
    """Depths of the streams between kernels in the SystemVerilog form, in beats."""
    inner = (stream for stream in design.streams.values() if stream.name not in (design.input, design.output))
    return {stream.name: stream.depth if stream.rtl_depth is None else stream.rtl_depth for stream in inner}


def simulate(design: Design, images: int, depths: Mapping[str, int] | None = None) -> Tokens:
    """The cycles in which all steps are issued and all beats move, for ``images`` images back to back after a reset.

    ``depths``: in beats (default: ``rtl_depths``). Cycle 0 is the first after the reset. Raises PlanError for a
    deadlock, naming streams that are full and empty.
    """
    tokens = Tokens(design, images)
    tokens.set_depths(rtl_depths(design) if depths is None else depths)
    for sweeps, visits in EFFORTS:
        if tokens.system.solve(sweeps):
            return tokens
        stuck = tokens.stuck(visits)
        if stuck:
            raise PlanError(f"The design deadlocks with these FIFO depths: {'; '.join(stuck)}. Make FIFOs deeper.")
    raise PlanError("The FIFOs are so short that the design hardly moves; make them deeper.")


def bottleneck(design: Design) -> Instance:
    """The instance that takes the most cycles per image."""
    return max(design.instances, key=lambda instance: instance.kernel.cycles)


def predict(design: Design, depths: Mapping[str, int] | None = None) -> Prediction:
    """Interval, latency and activities (``depths``: as for ``simulate``). Raises PlanError for a deadlock."""
    tokens = simulate(design, 1, depths)
    latency = tokens.handed_over(design.output)[0, -1] - tokens.accepted(design.input)[0, 0] + 1
    slowest = bottleneck(design)
    interval = steady_state(tokens, slowest)
    activities = {instance.name: _activity(tokens, instance) for instance in design.instances}
    return Prediction(interval, int(latency), slowest.name, slowest.kernel.cycles, activities)


def steady_state(tokens: Tokens, slowest: Instance) -> int:
    """Solve ``tokens``, of one image, for images back to back; the cycles from one to the next.

    The least period of which the constraints have a solution. Nearly always that is what ``slowest`` takes by itself.
    Otherwise it is found by bisection, and too long by some thousandths at most.
    """
    least = max(node.span for node in tokens.system.nodes)
    if _saturated(tokens, slowest, least):
        return least
    short, enough = least, least + max(1, least // FINE)
    while not _paced(tokens, enough):
        short, enough = enough, enough + 2 * (enough - least)
        if enough > FAR * least:
            raise PlanError("The FIFOs are so short that the design hardly moves; make them deeper.")
    while enough - short > max(1, least // FINE):
        middle = (short + enough) // 2
        if _paced(tokens, middle):
            enough = middle
        else:
            short = middle
    _paced(tokens, enough)
    return enough


def _saturated(tokens: Tokens, slowest: Instance, period: int) -> bool:
    """Whether images can follow each other at ``period``, ``slowest`` beginning one in cycle 0 and never waiting.

    What follows it happens as soon as the data are there, what comes before it as soon as there is room.
    """
    tokens.system.set_period(period)
    for node in tokens.system.nodes:
        node.values[:] = 0 if node is tokens.steps[slowest.name] else -LONG_AGO
    return tokens.system.solve(SWEEPS)


def _paced(tokens: Tokens, period: int) -> bool:
    """Whether images can follow each other at ``period``, their words coming evenly, as far as ``MANY`` sweeps tell."""
    tokens.system.set_period(period)
    tokens.system.reset()
    tokens.pace(period)
    return tokens.system.solve(MANY)


def _activity(tokens: Tokens, instance: Instance) -> Activity:
    """What ``instance`` does in an image's interval at the steady state that ``tokens`` is solved for."""
    timing, steps = tokens.timings[instance.name], tokens.steps[instance.name]
    values = steps.values
    waits = np.diff(values, prepend=values[-1] + steps.span - tokens.system.period)
    waiting = np.flatnonzero(waits)
    blocked, starved = dict.fromkeys(instance.outputs, 0), dict.fromkeys(instance.inputs, 0)
    for name in instance.outputs:
        claim = tokens.streams[name].claim
        assert claim is not None
        tight = claim.bounds(claim.source.values)[waiting] == values[waiting]
        blocked[name] = int(waits[waiting[tight]].sum())
        waiting = waiting[~tight]
    latest, causes = np.full(len(waiting), np.iinfo(np.int64).min), np.zeros(len(waiting), np.int64)
    for index, (name, input) in enumerate(zip(instance.inputs, timing.inputs, strict=True)):
        beats = input.needs[tokens.kept[instance.name][waiting]] - 1  # -1 is the last beat of the image before
        offers = _offers(tokens, name)
        offered = offers[beats] - tokens.system.period * (beats < 0)
        causes[offered > latest] = index
        latest = np.maximum(latest, offered)
    for index, name in enumerate(instance.inputs):
        starved[name] = int(waits[waiting[causes == index]].sum())
    return Activity(timing.steps * timing.interval, starved, blocked)


def _offers(tokens: Tokens, name: str) -> Times:
    """Cycles in which the beats of a stream are offered to its reader at the earliest, shape (beats,)."""
    beats = tokens.streams[name]
    if beats.write is None or beats.emit is None:
        assert beats.accept is not None
        return beats.accept.times
    if beats.latency:
        return np.asarray(beats.write.times + beats.latency)
    return np.asarray(beats.emit.bounds(beats.emit.source.values) + beats.write.skew)
