"""Maximum over the taps of each window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, require


@dataclass(frozen=True, eq=False)
class MaxPool(Kernel):
    """For each of ``windows`` windows and each channel the maximum over ``kernel_taps`` taps.

    Input beats: (window, tap group, channel tile), element = tap * lanes + channel: what ``window`` delivers with
    groups=1, or a bare frame for pooling over all of it (windows=1, taps=1).
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
        beats = self.windows * (self.kernel_taps // self.taps) * (self.channels // self.lanes)
        return (StreamSpec(self.type, self.taps * self.lanes, beats),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes, self.windows * self.channels // self.lanes),)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (pool_reads(self.windows, self.kernel_taps // self.taps, self.channels // self.lanes),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        return (by_tap(beats, self.windows, self.kernel_taps, self.lanes, self.taps).max(axis=2),)

    def constants(self) -> dict[str, int]:
        return pool_constants(self.windows, self.kernel_taps, self.channels, self.lanes, self.taps)

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.type}


def check_pool(windows: int, kernel_taps: int, channels: int, lanes: int, taps: int) -> None:
    """Raise ValueError unless ``taps`` divides ``kernel_taps`` and ``lanes`` divides ``channels``."""
    require(windows > 0, f"windows={windows} is not positive")
    require(taps > 0 and kernel_taps % taps == 0, f"taps={taps} does not divide kernel_taps={kernel_taps}")
    require(lanes > 0 and channels % lanes == 0, f"lanes={lanes} does not divide {channels} channels")


def pool_reads(windows: int, tap_groups: int, tiles: int) -> npt.NDArray[np.int64]:
    """Beats read before each output beat: a window's result waits for the last tap group of its channel tile."""
    window, tile = np.divmod(np.arange(windows * tiles), tiles)
    return (window * tap_groups + tap_groups - 1) * tiles + tile + 1


def by_tap(beats: Beats, windows: int, kernel_taps: int, lanes: int, taps: int) -> Beats:
    """Input beats as (images, output beat, tap, lane)."""
    split = beats.reshape(len(beats), windows, kernel_taps // taps, -1, taps, lanes)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(len(beats), -1, kernel_taps, lanes)


def pool_constants(windows: int, kernel_taps: int, channels: int, lanes: int, taps: int) -> dict[str, int]:
    """Constants of the C++ configuration struct that both pools have."""
    return {
        "WINDOWS": windows,
        "TAP_GROUPS": kernel_taps // taps,
        "TILES": channels // lanes,
        "LANES": lanes,
        "TAPS": taps,
    }
