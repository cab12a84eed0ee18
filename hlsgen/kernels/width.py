"""Changes the number of lanes of a stream by an integer ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, InputTiming, Kernel, OutputTiming, StreamSpec, Timing, require


@dataclass(frozen=True, eq=False)
class Width(Kernel):
    """``beats_in`` beats of ``lanes_in`` elements become beats of ``lanes_out``; the order of elements stays."""

    kind: ClassVar[str] = "width"

    type: QuantType
    lanes_in: int
    lanes_out: int
    beats_in: int

    def __post_init__(self) -> None:
        require(
            min(self.lanes_in, self.lanes_out, self.beats_in) > 0,
            f"lanes_in={self.lanes_in}, lanes_out={self.lanes_out} and beats_in={self.beats_in} must be positive",
        )
        integer = max(self.lanes_in, self.lanes_out) % min(self.lanes_in, self.lanes_out) == 0
        require(integer, f"lanes {self.lanes_in} -> {self.lanes_out} are no integer ratio")
        elements = self.beats_in * self.lanes_in
        require(elements % self.lanes_out == 0, f"lanes_out={self.lanes_out} does not divide {elements} elements")

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes_in, self.beats_in),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes_out, self.beats_in * self.lanes_in // self.lanes_out),)

    @property
    def cycles(self) -> int:
        return max(self.beats_in, self.outputs[0].beats)

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        written = np.arange(1, self.outputs[0].beats + 1) * self.lanes_out
        return (-(-written // self.lanes_in),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        return (inputs[0].reshape(len(inputs[0]), -1, self.lanes_out),)

    def constants(self) -> dict[str, int]:
        return {"LANES_IN": self.lanes_in, "LANES_OUT": self.lanes_out, "BEATS_IN": self.beats_in}

    def types(self) -> dict[str, QuantType]:
        return {"type_t": self.type}

    def timing(self) -> Timing:
        steps = np.arange(self.beats_in)  # each takes a beat
        if self.lanes_in == self.lanes_out:
            output = OutputTiming(emits=steps, latency=1, queue=2)
        elif self.lanes_in < self.lanes_out:  # two wider beats have a place; the first part of a beat claims one
            first = steps[:: self.lanes_out // self.lanes_in]
            output = OutputTiming(emits=first + self.lanes_out // self.lanes_in - 1, latency=2, queue=2, claims=first)
        else:  # a beat is taken when all but the last part of the former one have left
            ratio = self.lanes_in // self.lanes_out
            output = OutputTiming(emits=np.repeat(steps, ratio), latency=1, queue=ratio + 1)
        return Timing(self.beats_in, (InputTiming(needs=steps + 1),), (output,))

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        return {"LANES_IN": self.lanes_in, "LANES_OUT": self.lanes_out, "TYPE_BITS": self.type.bits}
