"""The timing of a whole design as one max-plus system: the recurrences of its kernels, joined by its streams.

For each instance there is a node of the steps that it issues. Steps that wait for nothing and that nothing waits for
are left out: they follow the one before. For each stream there are the beats' handovers by the writer and their
acceptances by the reader. Where the planned depth means wires the two are the same event, else there is a FIFO:

    write[m] >= accept[m - depth] + 1        a place is free the cycle after its beat has left
    accept[m] >= write[m] + latency          when the reader sees the beat at the earliest
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hlsgen.kernels.base import NEVER, Counts, InputTiming, OutputTiming, StreamSpec, Timing, require
from hlsgen.kernels.fifo import Fifo
from hlsgen.lower.design import Design, Instance
from hlsgen.plan.maxplus import Edge, Indices, Node, System, Times


@dataclass(eq=False)
class Beats:
    """A stream: its nodes, the edges that make it wires or a FIFO, and the two edges of its writer's queue.

    At the boundary there is no ``write`` (the source) or no ``accept`` (the sink).
    """

    spec: StreamSpec
    write: Node | None = None
    accept: Node | None = None
    forward: Edge | None = None
    backward: Edge | None = None
    emit: Edge | None = None
    claim: Edge | None = None
    latency: int = 0
    depth: int = 0


class Tokens:
    """The max-plus system of ``design`` for ``images`` images back to back.

    With one image, a period may be set, which makes it the steady state. The streams start without limit, as FIFOs of
    no end and no latency. Raises ValueError for a Timing that contradicts itself or its kernel's streams.
    """

    def __init__(self, design: Design, images: int = 1) -> None:
        self.design = design
        self.images = images
        self.system = System()
        self.streams = {name: Beats(stream.spec) for name, stream in design.streams.items()}
        self.timings = {instance.name: instance.kernel.timing() for instance in design.instances}
        self.steps: dict[str, Node] = {}
        self.kept: dict[str, Indices] = {}
        for instance in design.instances:
            self._add(instance)

    # what the system is made of

    def _add(self, instance: Instance) -> None:
        timing = self.timings[instance.name]
        inputs, outputs = instance.kernel.inputs, instance.kernel.outputs
        try:
            check(timing, inputs, outputs)
        except ValueError as error:
            raise ValueError(f"timing of {instance.name}: {error}") from error
        kept = _kept(timing)
        rows = np.zeros(timing.steps, np.int64)
        rows[kept] = 1
        rows = np.cumsum(rows) - 1
        for name, spec in zip(instance.inputs, inputs, strict=True):
            beats = self.streams[name]
            beats.accept = self._beats(f"{name} accepted", spec.beats)
            if beats.write is not None:
                beats.forward = self.system.following(beats.write, beats.accept, 0, 0)
        places, span = self._all(kept, timing.steps), self.images * timing.steps
        steps = self.system.node(instance.name, places, span, timing.interval)
        self.steps[instance.name], self.kept[instance.name] = steps, kept
        for name, input, spec in zip(instance.inputs, timing.inputs, inputs, strict=True):
            accept = self.streams[name].accept
            assert accept is not None
            self._input(steps, accept, input, kept, rows, spec.beats)
        for name, output, spec in zip(instance.outputs, timing.outputs, outputs, strict=True):
            self._output(steps, self.streams[name], output, kept, rows, self._beats(f"{name} written", spec.beats))

    def _input(self, steps: Node, accept: Node, input: InputTiming, kept: Indices, rows: Indices, beats: int) -> None:
        self.system.edge(accept, steps, self._all(input.needs[kept] - 1, beats), input.delay)
        if input.frees is None:
            takes = np.searchsorted(input.needs, np.arange(beats), side="right")
            self.system.edge(steps, accept, self._all(rows[takes], len(kept)), 0, same=True)
            return
        images, step = np.divmod(input.frees, len(rows))
        never = np.flatnonzero(self._all((input.frees <= NEVER // 2).astype(np.int64), 0))
        frees = np.where(input.frees <= NEVER // 2, 0, rows[step] + images * len(kept))
        self.system.edge(steps, accept, self._all(frees, len(kept)), input.release, voids=never)

    def _output(
        self, steps: Node, beats: Beats, output: OutputTiming, kept: Indices, rows: Indices, write: Node
    ) -> None:
        beats.write = write
        beats.emit = self.system.edge(steps, write, self._all(rows[output.emits], len(kept)), output.latency)
        claims = output.emits if output.claims is None else output.claims
        last = np.flatnonzero(np.append(claims[1:] != claims[:-1], True))  # the last beat that each step claims
        targets = None if len(last) == len(kept) else self._all(rows[claims[last]], len(kept))
        places = self._all(last - output.queue, beats.spec.beats)
        beats.claim = self.system.edge(write, steps, places, output.reuse, targets)

    def _beats(self, name: str, beats: int) -> Node:
        return self.system.node(name, self._all(np.arange(beats), beats), self.images * beats)

    def _all(self, tokens: Indices, per_image: int) -> Indices:
        """Numbers of tokens within an image, repeated for every image and counted on by ``per_image``."""
        return np.asarray((np.arange(self.images)[:, None] * per_image + tokens).ravel())

    # streams

    def set_depth(self, name: str, depth: int | None) -> None:
        """Make a stream between kernels wires or a FIFO of ``depth`` beats; None: endless and without latency."""
        beats = self.streams[name]
        write, accept = beats.write, beats.accept
        if write is None or accept is None:
            raise ValueError(f"{name} is at the boundary of the design")
        for edge in (beats.forward, beats.backward):
            if edge is not None:
                self.system.drop(edge)
        fifo = None if depth is None else Fifo(beats.spec.width, depth)
        beats.latency, beats.depth = (0, 0) if fifo is None else (fifo.latency, fifo.depth)
        beats.forward = self.system.following(write, accept, 0, beats.latency)
        beats.backward = None
        if fifo is not None and fifo.wires:
            beats.backward = self.system.following(accept, write, 0, 0, same=True)
        elif fifo is not None:
            beats.backward = self.system.following(accept, write, fifo.depth, 1)

    def set_depths(self, depths: Mapping[str, int | None]) -> None:
        """``set_depth`` for several streams."""
        for name, depth in depths.items():
            self.set_depth(name, depth)

    def pace(self, period: int) -> None:
        """Let the source offer an image's words at even distances, an image every ``period`` cycles."""
        accept = self.streams[self.design.input].accept
        assert accept is not None
        order = np.arange(len(accept.skew))
        words = len(order) // self.images
        np.maximum(accept.values, order * period // words - accept.skew, out=accept.values)
        accept.settle(self.system.period)
        for edge in accept.outgoing:
            edge.stale = True

    # what has been found

    def stuck(self, visits: float = math.inf) -> list[str]:
        """In a deadlock, the FIFOs that are full, as text, or if none is, all that are empty; nothing without one.

        ``visits`` bounds the effort (see ``System.reached``); a deadlock that takes more is not found.
        """
        done = self.system.reached(visits)
        if done is None or all(done[node.name] == len(node.values) for node in self.system.nodes):
            return []
        full, empty = [], []
        for name, beats in self.streams.items():
            if beats.write is None or beats.accept is None or beats.backward is None:
                continue
            accepted = done[beats.accept.name]
            for edge in beats.accept.incoming:
                if edge.same:  # steps take the beats: those before the first that a missing step would have taken
                    _, counts = edge.progress()
                    accepted = int(counts.searchsorted(done[edge.source.name], side="right"))
            held = done[beats.write.name] - accepted
            if not beats.backward.same and held > 0 and held == beats.depth:
                full.append(f"{name} is full with {held} beats")
            elif held == 0:
                empty.append(f"{name} is empty")
        return full or empty or ["a kernel waits for itself"]

    def times_of_steps(self, instance: str) -> Times:
        """Cycles in which the instance issues its steps, shape (images, steps)."""
        timing, kept = self.timings[instance], self.kept[instance]
        last = np.zeros(timing.steps, np.int64)
        last[kept] = 1
        last = np.cumsum(last) - 1  # the last step kept, for every step
        issued = self.steps[instance].times.reshape(self.images, -1)[:, last]
        return np.asarray(issued + (np.arange(timing.steps) - kept[last]) * timing.interval)

    def handed_over(self, stream: str) -> Times:
        """Cycles in which the writer of a stream (not the source) hands its beats over, shape (images, beats)."""
        write = self.streams[stream].write
        if write is None:
            raise ValueError(f"{stream} is written by the boundary")
        return write.times.reshape(self.images, -1)

    def accepted(self, stream: str) -> Times:
        """Cycles in which the reader of a stream (not the sink) accepts its beats, shape (images, beats)."""
        accept = self.streams[stream].accept
        if accept is None:
            raise ValueError(f"{stream} is read by the boundary")
        return accept.times.reshape(self.images, -1)


def check(timing: Timing, inputs: tuple[StreamSpec, ...], outputs: tuple[StreamSpec, ...]) -> None:
    """Raise ValueError unless ``timing`` is consistent and fits the kernel's streams."""
    require(timing.steps > 0 and timing.interval > 0, f"{timing.steps} steps, interval {timing.interval}")
    require(len(timing.inputs) == len(inputs) and len(timing.outputs) == len(outputs), "other numbers of streams")
    for index, (input, spec) in enumerate(zip(timing.inputs, inputs, strict=True)):
        needs = input.needs
        require(len(needs) == timing.steps and _rising(needs), f"needs of input {index} are not one per step, rising")
        require(needs[0] >= 0 and needs[-1] <= spec.beats, f"needs of input {index} are not within its beats")
        if input.frees is not None:
            require(len(input.frees) == spec.beats, f"frees of input {index} are not one per beat")
            require(bool((input.frees < timing.steps).all()), f"frees of input {index} are beyond the steps")
        else:
            single = needs[0] <= 1 and needs[-1] == spec.beats and bool((np.diff(needs) <= 1).all())
            require(single and input.delay == 0, f"steps do not take the beats of input {index} one by one, at once")
    for index, (output, spec) in enumerate(zip(timing.outputs, outputs, strict=True)):
        for steps in (output.emits, output.emits if output.claims is None else output.claims):
            require(len(steps) == spec.beats and _rising(steps), f"output {index}: not one step per beat, rising")
            require(steps[0] >= 0 and steps[-1] < timing.steps, f"output {index}: beats of steps that are none")
        require(output.queue > 0 and output.reuse >= 0, f"output {index}: a queue of {output.queue} beats")


def _kept(timing: Timing) -> Indices:
    """The steps that wait for something or that something waits for, and the first."""
    kept = np.zeros(timing.steps, bool)
    kept[0] = True
    for input in timing.inputs:
        kept[1:] |= input.needs[1:] != input.needs[:-1]
        if input.frees is not None:
            kept[input.frees[input.frees > NEVER // 2] % timing.steps] = True
    for output in timing.outputs:
        kept[output.emits] = True
        if output.claims is not None:
            kept[output.claims] = True
    return np.flatnonzero(kept)


def _rising(values: Counts) -> bool:
    return bool((values[1:] >= values[:-1]).all())
