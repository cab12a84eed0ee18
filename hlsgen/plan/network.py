"""The design as a graph of processes that count beats: who reads what, and how many beats each beat needs."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from hlsgen.lower.design import Design, Instance

Counts = npt.NDArray[np.int64]
"""Numbers of beats within one image."""


class Network:
    """Processes and streams of a design, and compositions of the kernels' reading orders."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.instances = design.instances
        self.position = {instance.name: index for index, instance in enumerate(design.instances)}
        self.reader = {name: instance for instance in design.instances for name in instance.inputs}
        self.writer = {name: instance for instance in design.instances for name in instance.outputs}
        self.forks = [instance for instance in design.instances if len(instance.outputs) > 1]
        self.joins = [instance for instance in design.instances if len(instance.inputs) > 1]
        self._reads = {
            instance.name: dict(zip(instance.inputs, instance.kernel.reads(), strict=True))
            for instance in design.instances
        }

    def beats(self, name: str) -> int:
        """Beats per image of a stream."""
        return self.design.streams[name].spec.beats

    def reads(self, instance: Instance, name: str) -> Counts:
        """Beats of input ``name`` read when the instance writes beat k of its first output, for every k."""
        return self._reads[instance.name][name]

    def written(self, instance: Instance, name: str, progress: Counts) -> Counts:
        """Beats written to output ``name`` after ``progress`` beats of the first output (all outputs end together)."""
        return progress * self.beats(name) // self.beats(instance.outputs[0])

    def progress(self, instance: Instance, name: str, written: Counts) -> Counts:
        """Beats of its first output that ``instance`` must write for output ``name`` to get ``written`` beats."""
        return -(-written * self.beats(instance.outputs[0]) // self.beats(name))

    def completed(self, instance: Instance, name: str, room: Counts) -> Counts:
        """Beats of its first output that ``instance`` can write while output ``name`` takes ``room`` beats in all."""
        first, beats = self.beats(instance.outputs[0]), self.beats(name)
        return np.minimum(((room + 1) * first - 1) // beats, first)

    def needs(self, join: Instance) -> dict[str, Counts]:
        """For every stream upstream of ``join``: beats that must have been read of it when ``join`` writes beat j."""
        needs = {name: self.reads(join, name) for name in join.inputs}
        for instance in reversed(self.instances[: self.position[join.name]]):
            wanted = [self.progress(instance, name, needs[name]) for name in instance.outputs if name in needs]
            if wanted:
                progress = np.maximum.reduce(wanted)
                for name in instance.inputs:
                    needs[name] = np.concatenate([[0], self.reads(instance, name)])[progress]
        return needs

    def meeting(self, a: str, b: str) -> int:
        """Position of the first process that both streams lead to."""
        common = self._reached(a) & self._reached(b)
        return (common & -common).bit_length() - 1

    def between(self, fork: Instance) -> list[Instance]:
        """The instances on the ways from ``fork`` to the first join of all its branches, both included."""
        first = self.position[fork.name]
        last = max(self.meeting(fork.outputs[0], name) for name in fork.outputs[1:])
        reached, leading = {fork.name}, {self.instances[last].name}
        for instance in self.instances[first + 1 : last + 1]:
            if any(writer.name in reached for writer in self.writers(instance)):
                reached.add(instance.name)
        for instance in reversed(self.instances[first:last]):
            if any(reader.name in leading for reader in self.readers(instance)):
                leading.add(instance.name)
        return [instance for instance in self.instances if instance.name in reached & leading]

    def writers(self, instance: Instance) -> list[Instance]:
        """Who writes what the instance reads."""
        return [self.writer[name] for name in instance.inputs if name in self.writer]

    def readers(self, instance: Instance) -> list[Instance]:
        """Who reads what the instance writes."""
        return [self.reader[name] for name in instance.outputs if name in self.reader]

    @cache  # noqa: B019 - a network lives as long as one computation
    def _reached(self, name: str) -> int:
        """The processes that stream ``name`` leads to, as bits by position."""
        process = self.reader.get(name)
        if process is None:
            return 0
        reached = 1 << self.position[process.name]
        for output in process.outputs:
            reached |= self._reached(output)
        return reached

    def taken_by(self, process: Instance, name: str, room: Counts) -> Counts:
        """Beats of input ``name`` that ``process`` can take while its output has room for ``room`` beats in all.

        Once the last beat is written, the rest of the image is read. Before that the last read for a beat coincides
        with its write, which waits.
        """
        reads = self.reads(process, name)
        ahead = np.maximum(np.concatenate([[0], reads[:-1]]), reads - 1)
        return np.append(ahead, self.beats(name))[np.minimum(room, len(reads))]

    def series_parallel(self) -> bool:
        """Whether forks and joins are nested: merging parallel edges and contracting chains leaves a single edge."""
        source, sink = -1, len(self.instances)
        edges = {
            (
                self.position[self.writer[name].name] if name in self.writer else source,
                self.position[self.reader[name].name] if name in self.reader else sink,
            )
            for name in self.design.streams
        }
        shrinking = True
        while shrinking:
            shrinking = False
            for node in range(len(self.instances)):
                entering = [edge for edge in edges if edge[1] == node]
                leaving = [edge for edge in edges if edge[0] == node]
                if len(entering) == len(leaving) == 1:
                    edges -= {entering[0], leaving[0]}
                    edges.add((entering[0][0], leaving[0][1]))  # a set: parallel edges merge by themselves
                    shrinking = True
        return edges == {(source, sink)}
