"""Changes the number of lanes of a stream by an integer ratio; the order of elements stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, require


@dataclass(frozen=True, eq=False)
class Width(Kernel):
    """``beats_in`` beats of ``lanes_in`` elements become beats of ``lanes_out``; one of the two divides the other."""

    kind: ClassVar[str] = "width"

    type: QuantType
    lanes_in: int
    lanes_out: int
    beats_in: int

    def __post_init__(self) -> None:
        require(self.lanes_in > 0 and self.lanes_out > 0, f"lanes {self.lanes_in} to {self.lanes_out} must be positive")
        large, small = max(self.lanes_in, self.lanes_out), min(self.lanes_in, self.lanes_out)
        require(
            large % small == 0, f"lanes_in={self.lanes_in} and lanes_out={self.lanes_out}: neither divides the other"
        )
        elements = self.lanes_in * self.beats_in
        require(
            elements > 0 and elements % self.lanes_out == 0,
            f"{elements} elements per image are no whole number of beats of lanes_out={self.lanes_out}",
        )

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes_in, self.beats_in),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes_out, self.lanes_in * self.beats_in // self.lanes_out),)

    @property
    def cycles(self) -> int:
        return max(self.inputs[0].beats, self.outputs[0].beats)

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        beats = np.arange(1, self.outputs[0].beats + 1)
        return (-(-beats * self.lanes_out // self.lanes_in),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        return (beats.reshape(len(beats), -1, self.lanes_out),)

    def constants(self) -> dict[str, int]:
        return {
            "LANES_IN": self.lanes_in,
            "LANES_OUT": self.lanes_out,
            "BEATS_IN": self.inputs[0].beats,
            "BEATS_OUT": self.outputs[0].beats,
        }

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.type}
