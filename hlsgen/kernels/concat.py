"""Channels of several frames side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, require

MOST = 4
"""Inputs of one kernel; more are joined by several."""


@dataclass(frozen=True, eq=False)
class Concat(Kernel):
    """For each of ``pixels`` pixels: the beats of input 0's ``channels[0]`` channels, then input 1's, and so on."""

    kind: ClassVar[str] = "concat"

    pixels: int
    channels: tuple[int, ...]
    lanes: int
    type: QuantType

    def __post_init__(self) -> None:
        require(self.pixels > 0, f"pixels={self.pixels} is not positive")
        require(2 <= len(self.channels) <= MOST, f"channels={self.channels}: a concatenation has 2 to {MOST} inputs")
        for channels in self.channels:
            require(
                self.lanes > 0 and channels > 0 and channels % self.lanes == 0,
                f"lanes={self.lanes} does not divide {channels} channels",
            )

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return tuple(StreamSpec(self.type, self.lanes, self.pixels * c // self.lanes) for c in self.channels)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes, self.pixels * sum(self.channels) // self.lanes),)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    @property
    def ends(self) -> npt.NDArray[np.int64]:
        """For each input: beats of a pixel up to and including its own."""
        return np.cumsum(self.channels) // self.lanes

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        per_pixel = self.ends[-1]
        written = np.arange(1, self.outputs[0].beats + 1)
        pixel, inside = (written - 1) // per_pixel, (written - 1) % per_pixel + 1
        starts = self.ends - np.array(self.channels) // self.lanes
        return tuple(
            pixel * (end - start) + np.clip(inside - start, 0, end - start)
            for start, end in zip(starts, self.ends, strict=True)
        )

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        images = len(inputs[0])
        frames = [beats.reshape(images, self.pixels, -1) for beats in inputs]
        return (np.concatenate(frames, axis=2).reshape(images, -1, self.lanes),)

    def constants(self) -> dict[str, int]:
        ends = {f"END[{i}]": int(end) for i, end in enumerate(self.ends)}
        return {"PIXELS": self.pixels, "BEATS": int(self.ends[-1]), "LANES": self.lanes, **ends}

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.type}
