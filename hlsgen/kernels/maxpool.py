"""Largest element of each window, per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, require


@dataclass(frozen=True, eq=False)
class MaxPool(Kernel):
    """Maximum over ``kernel_taps`` taps for each of ``windows`` windows.

    Input beats are ordered (window, tap group, channel tile), elements (tap, channel): those of a Window kernel with
    one group, or a bare frame for global pooling (``windows=1, kernel_taps=H*W, taps=1``).
    """

    kind: ClassVar[str] = "maxpool"

    windows: int
    kernel_taps: int
    channels: int
    lanes: int
    taps: int
    type: QuantType

    def __post_init__(self) -> None:
        check_pool(self.windows, self.kernel_taps, self.channels, self.lanes, self.taps)

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.taps * self.lanes, self.cycles),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes, self.windows * self.channels // self.lanes),)

    @property
    def cycles(self) -> int:
        return self.windows * (self.kernel_taps // self.taps) * (self.channels // self.lanes)

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (pool_reads(self.windows, self.kernel_taps // self.taps, self.channels // self.lanes),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        largest = split_windows(beats, self.windows, self.taps, self.channels, self.lanes).max(axis=(2, 4))
        return (largest.reshape(len(beats), -1, self.lanes),)

    def constants(self) -> dict[str, int]:
        return {
            "WINDOWS": self.windows,
            "TAP_GROUPS": self.kernel_taps // self.taps,
            "TAPS": self.taps,
            "TILES": self.channels // self.lanes,
            "LANES": self.lanes,
        }

    def types(self) -> dict[str, QuantType]:
        return {"type_t": self.type}


def check_pool(windows: int, kernel_taps: int, channels: int, lanes: int, taps: int) -> None:
    """Raise ValueError unless these parameters of a pooling kernel go together."""
    require(windows > 0, f"windows={windows} is not positive")
    require(taps > 0 and kernel_taps % taps == 0, f"taps={taps} does not divide a window of {kernel_taps}")
    require(lanes > 0 and channels % lanes == 0, f"lanes={lanes} does not divide {channels} channels")


def split_windows(beats: Beats, windows: int, taps: int, channels: int, lanes: int) -> Beats:
    """Beats with their axes apart: (images, windows, tap groups, tiles, taps, lanes)."""
    return beats.reshape(len(beats), windows, -1, channels // lanes, taps, lanes)


def pool_reads(windows: int, tap_groups: int, tiles: int) -> npt.NDArray[np.int64]:
    """Input beats read when each output beat is written: a tile is out as soon as the last tap group has brought it."""
    window, tile = np.divmod(np.arange(windows * tiles), tiles)
    return window * tap_groups * tiles + (tap_groups - 1) * tiles + tile + 1
