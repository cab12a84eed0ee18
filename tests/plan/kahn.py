"""A bounded dataflow run that only counts beats, for designs of any kernels: does one image pass through?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import UINT8
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, Timing
from hlsgen.lower.design import Design, Instance, Stream


@dataclass(frozen=True, eq=False)
class Counting(Kernel):
    """A kernel that is only its reading order: ``orders[i][k]`` beats of input i are read when beat k is written."""

    kind = "counting"

    beats: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]
    copies: int = 1

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return tuple(StreamSpec(UINT8, 1, beats) for beats in self.beats)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(UINT8, 1, len(self.orders[0])),) * self.copies

    @property
    def cycles(self) -> int:
        return len(self.orders[0])

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return tuple(np.array(order, np.int64) for order in self.orders)

    def timing(self) -> Timing:
        raise NotImplementedError

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        raise NotImplementedError

    def constants(self) -> dict[str, int]:
        return {}


def build(nodes: Sequence[tuple[str, Kernel, Sequence[str]]], result: str) -> Design:
    """A design from (name, kernel, inputs) in order; output i of node ``a`` is stream ``a.i``; ``result`` leaves it."""
    design = Design("counts", 8)

    def renamed(stream: str) -> str:
        return design.output if stream == result else stream

    for name, kernel, inputs in nodes:
        outputs = [renamed(f"{name}.{index}") for index in range(len(kernel.outputs))]
        for stream, spec in zip((*inputs, *outputs), (*kernel.inputs, *kernel.outputs), strict=True):
            design.streams.setdefault(stream, Stream(stream, spec, name))
        design.instances.append(Instance(name, kernel, tuple(inputs), tuple(outputs), name))
    design.check()
    return design


def passes(design: Design, depths: Mapping[str, int], strict: bool) -> bool:
    """Whether one image passes through FIFOs of these depths, all processes running as far as they can.

    ``strict``: the last read for a beat and its writes to all outputs happen at once. Otherwise every read and every
    write happens by itself, in the order of inputs and outputs.
    """
    held = dict.fromkeys(design.streams, 0)
    held[design.input] = design.streams[design.input].spec.beats
    limits = {**depths, design.output: design.streams[design.output].spec.beats}
    processes = [_Process(design, instance, held, limits, strict) for instance in design.instances]
    moved = True
    while moved:
        moved = False
        for process in processes:
            moved |= process.advance()
    return all(process.finished for process in processes)


class _Process:
    def __init__(
        self, design: Design, instance: Instance, held: dict[str, int], depths: Mapping[str, int], strict: bool
    ) -> None:
        self.instance = instance
        self.held = held
        self.depths = depths
        self.strict = strict
        self.totals = [design.streams[name].spec.beats for name in instance.inputs]
        self.orders = instance.kernel.reads()
        self.read = [0] * len(instance.inputs)
        self.output_beats = [design.streams[name].spec.beats for name in instance.outputs]
        self.written = [0] * len(instance.outputs)
        self.done = 0  # beats of output 0 that have been written to every output

    @property
    def finished(self) -> bool:
        return self.done == self.output_beats[0] and self.read == self.totals

    def advance(self) -> bool:
        """Go on until blocked; returns whether anything happened."""
        moved = False
        while self._step():
            moved = True
        return moved

    def _step(self) -> bool:
        if self.done == self.output_beats[0]:
            return self._take_all(self.totals)
        wanted = [int(order[self.done]) for order in self.orders]
        due = [(self.done + 1) * beats // self.output_beats[0] for beats in self.output_beats]
        return self._strict_step(wanted, due) if self.strict else self._lax_step(wanted, due)

    def _strict_step(self, wanted: list[int], due: list[int]) -> bool:
        """All but the last reads for a beat one by one, then those and all writes at once."""
        if self._take_all([want - 1 for want in wanted]):
            return True
        missing = [i for i, want in enumerate(wanted) if self.read[i] < want]
        if any(wanted[i] - self.read[i] > 1 or not self.held[self.instance.inputs[i]] for i in missing):
            return False
        pending = [o for o, count in enumerate(due) if self.written[o] < count]
        if not all(self._room(o) for o in pending):
            return False
        self._take_all(wanted)
        for o in pending:
            self._put(o)
        self.done += 1
        return True

    def _lax_step(self, wanted: list[int], due: list[int]) -> bool:
        """The next read or write by itself, inputs and outputs in their order."""
        for i, want in enumerate(wanted):
            if self.read[i] < want:
                return self._take(i, self.read[i] + 1)
        for o, count in enumerate(due):
            if self.written[o] < count:
                return self._put(o)
        self.done += 1
        return True

    def _take_all(self, limits: list[int]) -> bool:
        moved = False
        for i, limit in enumerate(limits):
            moved |= self._take(i, limit)
        return moved

    def _room(self, o: int) -> bool:
        name = self.instance.outputs[o]
        return self.held[name] < self.depths[name]

    def _take(self, i: int, limit: int) -> bool:
        count = min(limit - self.read[i], self.held[self.instance.inputs[i]])
        if count <= 0:
            return False
        self.read[i] += count
        self.held[self.instance.inputs[i]] -= count
        return True

    def _put(self, o: int) -> bool:
        if not self._room(o):
            return False
        self.held[self.instance.outputs[o]] += 1
        self.written[o] += 1
        return True
