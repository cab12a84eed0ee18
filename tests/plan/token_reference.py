"""The timing of a design cycle by cycle, straight from the rules in ``kernels.base.Timing``: slow and plain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hlsgen.kernels.base import Counts
from hlsgen.lower.design import Design, Instance


@dataclass
class Channel:
    """One stream: cycles in which beats are handed over by the writer, and accepted by the reader."""

    depth: int  # 0: wires
    latency: int
    offers: list[int] = field(default_factory=list)  # t, of the writer, for the beats computed so far
    handed: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)

    def offered(self, cycle: int) -> bool:
        """Whether the writer has a beat to hand over."""
        beat = len(self.handed)
        after = not self.handed or self.handed[-1] < cycle
        return beat < len(self.offers) and self.offers[beat] <= cycle and after

    def available(self, cycle: int) -> bool:
        """Whether the reader is offered a beat."""
        beat = len(self.accepted)
        after = not self.accepted or self.accepted[-1] < cycle
        if self.depth == 0:
            return self.offered(cycle)
        return beat < len(self.handed) and self.handed[beat] + self.latency <= cycle and after

    def accept(self, cycle: int) -> None:
        """The reader takes the beat offered; by wires, that is the writer's handover."""
        self.accepted.append(cycle)
        if self.depth == 0:
            self.handed.append(cycle)

    def store(self, cycle: int) -> bool:
        """The FIFO takes the writer's beat if it can."""
        beat = len(self.handed)
        if self.depth == 0 or not self.offered(cycle):
            return False
        room = beat < self.depth or (
            len(self.accepted) > beat - self.depth and self.accepted[beat - self.depth] < cycle
        )
        if room:
            self.handed.append(cycle)
        return room


class Unit:
    """One instance: which step is next, and what it waits for."""

    def __init__(self, instance: Instance, channels: Mapping[str, Channel], images: int) -> None:
        self.timing = instance.kernel.timing()
        self.inputs = [channels[name] for name in instance.inputs]
        self.outputs = [channels[name] for name in instance.outputs]
        self.issued: list[int] = []
        steps = self.timing.steps
        self.total = images * steps
        self.beats = [images * spec.beats for spec in instance.kernel.inputs]
        self.needs = [
            [image * spec.beats + need for image in range(images) for need in input.needs.tolist()]
            for input, spec in zip(self.timing.inputs, instance.kernel.inputs, strict=True)
        ]
        self.frees = [
            None
            if input.frees is None
            else [image * steps + step for image in range(images) for step in input.frees.tolist()]
            for input in self.timing.inputs
        ]
        self.emits = [_beats_of_steps(output.emits, steps, images) for output in self.timing.outputs]
        self.claims = [
            _beats_of_steps(output.emits if output.claims is None else output.claims, steps, images)
            for output in self.timing.outputs
        ]

    def buffer(self, cycle: int) -> bool:
        """Accept beats into buffers; whether any came."""
        moved = False
        for channel, input, frees, beats in zip(self.inputs, self.timing.inputs, self.frees, self.beats, strict=True):
            beat = len(channel.accepted)
            if frees is None or beat == beats or not channel.available(cycle):
                continue
            step = frees[beat]
            if step < 0 or (step < len(self.issued) and self.issued[step] + input.release <= cycle):
                channel.accept(cycle)
                moved = True
        return moved

    def issue(self, cycle: int) -> bool:
        """Issue the next step if it can; whether it did."""
        step = len(self.issued)
        if step == self.total or (self.issued and self.issued[-1] + self.timing.interval > cycle):
            return False
        taken = []
        for channel, input, frees, needs in zip(self.inputs, self.timing.inputs, self.frees, self.needs, strict=True):
            need = needs[step]
            if frees is None:
                if need > len(channel.accepted):
                    assert need == len(channel.accepted) + 1
                    if not channel.available(cycle):
                        return False
                    taken.append(channel)
            elif need > len(channel.accepted) or (need > 0 and channel.accepted[need - 1] + input.delay > cycle):
                return False
        for channel, output, claims in zip(self.outputs, self.timing.outputs, self.claims, strict=True):
            for beat in claims.get(step, ()):
                before = beat - output.queue
                if before >= 0 and (before >= len(channel.handed) or channel.handed[before] + output.reuse > cycle):
                    return False
        for channel in taken:
            channel.accept(cycle)
        for channel, output, emits in zip(self.outputs, self.timing.outputs, self.emits, strict=True):
            channel.offers += [cycle + output.latency] * len(emits.get(step, ()))
        self.issued.append(cycle)
        return True


def run(
    design: Design,
    images: int,
    depths: Mapping[str, int],
    latency: Callable[[str], int],
    source: Callable[[int], int] = lambda beat: 0,
    limit: int = 100_000,
) -> tuple[dict[str, list[int]], dict[str, Channel]] | None:
    """Cycles of all steps by instance, and the streams; None for a deadlock (or if ``limit`` cycles are not enough).

    ``latency``: of the FIFO of a stream. The source offers word m in cycle ``source(m)`` at the earliest.
    """
    channels = {
        name: Channel(0 if depths.get(name, 0) <= 2 else depths[name], latency(name)) for name in design.streams
    }
    words = images * design.streams[design.input].spec.beats
    entering, leaving = channels[design.input], channels[design.output]
    entering.depth = leaving.depth = 0
    entering.offers = [source(beat) for beat in range(words)]
    units = {instance.name: Unit(instance, channels, images) for instance in design.instances}
    beats = {name: images * stream.spec.beats for name, stream in design.streams.items()}
    for cycle in range(limit):
        moved = True
        while moved:  # what happens in one cycle may make other things possible in it
            moved = False
            for unit in units.values():
                moved |= unit.buffer(cycle)
                moved |= unit.issue(cycle)
            for channel in channels.values():
                moved |= channel.store(cycle)
            if leaving.available(cycle):
                leaving.accept(cycle)
                moved = True
        issued = all(len(unit.issued) == unit.total for unit in units.values())
        if issued and all(len(channel.accepted) == beats[name] for name, channel in channels.items()):
            return {name: unit.issued for name, unit in units.items()}, channels
    return None


def _beats_of_steps(steps: Counts, per_image: int, images: int) -> dict[int, list[int]]:
    """Beats of all images by the step that belongs to them."""
    beats: dict[int, list[int]] = defaultdict(list)
    for image in range(images):
        for beat, step in enumerate(steps.tolist()):
            beats[image * per_image + step].append(image * len(steps) + beat)
    return beats
