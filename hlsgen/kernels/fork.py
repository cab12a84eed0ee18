"""Copies a stream to several readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, InputTiming, Kernel, OutputTiming, StreamSpec, Timing, require


@dataclass(frozen=True, eq=False)
class Fork(Kernel):
    """``copies`` outputs, each the input: ``beats`` beats of ``lanes`` elements of ``type`` per image."""

    kind: ClassVar[str] = "fork"

    type: QuantType
    lanes: int
    beats: int
    copies: int

    def __post_init__(self) -> None:
        require(self.lanes > 0 and self.beats > 0, f"lanes={self.lanes} and beats={self.beats} must be positive")
        require(self.copies >= 2, f"copies={self.copies}: a fork has at least two outputs")

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes, self.beats),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return self.inputs * self.copies

    @property
    def cycles(self) -> int:
        return self.beats

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (np.arange(1, self.beats + 1),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        return inputs * self.copies

    def constants(self) -> dict[str, int]:
        return {"LANES": self.lanes, "BEATS": self.beats, "COPIES": self.copies}

    def types(self) -> dict[str, QuantType]:
        return {"type_t": self.type}

    def timing(self) -> Timing:
        beats = np.arange(self.beats)
        output = OutputTiming(emits=beats, latency=1, queue=2)
        return Timing(self.beats, (InputTiming(needs=beats + 1),), (output,) * self.copies)

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        return {"LANES": self.lanes, "TYPE_BITS": self.type.bits, "COPIES": self.copies}
