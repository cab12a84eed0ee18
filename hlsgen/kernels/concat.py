"""Channels of several frames side by side, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, InputTiming, Kernel, OutputTiming, StreamSpec, Timing, pack_list, require


@dataclass(frozen=True, eq=False)
class Concat(Kernel):
    """Joins frames of ``pixels`` pixels with ``channels[i]`` channels each, ``lanes`` elements of ``type`` per beat."""

    kind: ClassVar[str] = "concat"

    pixels: int
    channels: tuple[int, ...]
    lanes: int
    type: QuantType

    def __post_init__(self) -> None:
        require(self.pixels > 0, f"pixels={self.pixels} is not positive")
        require(len(self.channels) >= 2, f"channels={self.channels}: a concat has at least two inputs")
        for channels in self.channels:
            legal = self.lanes > 0 and channels > 0 and channels % self.lanes == 0
            require(legal, f"lanes={self.lanes} does not divide {channels} channels")

    @property
    def tiles(self) -> tuple[int, ...]:
        """Beats per pixel of each input."""
        return tuple(channels // self.lanes for channels in self.channels)

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return tuple(StreamSpec(self.type, self.lanes, self.pixels * tiles) for tiles in self.tiles)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes, self.cycles),)

    @property
    def cycles(self) -> int:
        return self.pixels * sum(self.tiles)

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        pixel, position = np.divmod(np.arange(self.cycles), sum(self.tiles))
        firsts = np.cumsum([0, *self.tiles[:-1]])
        return tuple(
            pixel * tiles + np.clip(position + 1 - first, 0, tiles)
            for tiles, first in zip(self.tiles, firsts, strict=True)
        )

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        images = len(inputs[0])
        frames = [beats.reshape(images, self.pixels, -1) for beats in inputs]
        return (np.concatenate(frames, axis=2).reshape(images, -1, self.lanes),)

    def constants(self) -> dict[str, int]:
        scalars = {
            "PIXELS": self.pixels,
            "LANES": self.lanes,
            "PARTS": len(self.channels),
            "PIXEL_BEATS": sum(self.tiles),
        }
        return scalars | {f"TILES[{i}]": tiles for i, tiles in enumerate(self.tiles)}

    def types(self) -> dict[str, QuantType]:
        return {"type_t": self.type}

    def timing(self) -> Timing:
        inputs = tuple(InputTiming(needs) for needs in self.reads())
        return Timing(self.cycles, inputs, (OutputTiming(emits=np.arange(self.cycles), latency=1, queue=2),))

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        return {
            "PARTS": len(self.channels),
            "TILES": pack_list(self.tiles),
            "LANES": self.lanes,
            "TYPE_BITS": self.type.bits,
        }
