"""What the elementwise kernels (requant, add, table) share: their streams, and per-channel parameters in memories."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from hlsgen.graph.graph import Frame
from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, Kernel, Memory, StreamSpec, require

ROUNDINGS = {rounding: number for number, rounding in enumerate(Rounding)}
"""The C++ constants of templates/hls/rounding.hpp."""


class Elementwise(Kernel):
    """One element of the result from the elements of equal position of all operands; one beat per cycle.

    Subclasses have the fields ``frame`` (H, W, C), ``lanes`` (channels per beat) and ``output_type``.
    """

    frame: Frame
    lanes: int
    output_type: QuantType

    @property
    @abstractmethod
    def operand_types(self) -> tuple[QuantType, ...]:
        """Element type of each input stream."""

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return tuple(StreamSpec(type, self.lanes, self.cycles) for type in self.operand_types)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.output_type, self.lanes, self.cycles),)

    @property
    def cycles(self) -> int:
        height, width, channels = self.frame
        return height * width * channels // self.lanes

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (np.arange(1, self.cycles + 1),) * len(self.operand_types)


def check_frame(frame: Frame, lanes: int) -> None:
    """Raise ValueError unless the frame is not empty and ``lanes`` divides its channels."""
    require(min(frame) > 0, f"a frame of {frame} has no elements")
    require(lanes > 0 and frame[2] % lanes == 0, f"lanes={lanes} does not divide {frame[2]} channels")


def check_channels(name: str, values: IntArray, channels: int) -> None:
    """Raise ValueError unless ``values`` has one entry per channel or a single one."""
    require(len(values) in (1, channels), f"{name} has {len(values)} entries for {channels} channels")


def by_channel(beats: Beats, channels: int) -> IntArray:
    """Beats (images, beats, lanes) as (images, pixels, channels)."""
    return beats.reshape(len(beats), -1, channels)


def channel_memory(name: str, values: IntArray, lanes: int) -> Memory:
    """Parameters (C,) or (1,): one row per channel tile, or a single row; one column per lane."""
    rows = values.reshape(-1, lanes) if len(values) > 1 else np.full((1, lanes), values[0])
    return Memory(name, range_type(rows), rows)


def table_memory(name: str, values: IntArray, lanes: int) -> Memory:
    """Tables (C, n) or (1, n): row ``tile * n + index`` (or ``index``), one column per lane."""
    if len(values) == 1:
        rows = np.repeat(values[0][:, None], lanes, axis=1)
    else:
        rows = values.reshape(-1, lanes, values.shape[1]).transpose(0, 2, 1).reshape(-1, lanes)
    return Memory(name, range_type(rows), np.ascontiguousarray(rows))


def signed_type(lo: int, hi: int) -> QuantType:
    """The smallest signed type that holds ``lo``..``hi``: C++ never compares signed with unsigned then."""
    return QuantType.for_range(min(lo, -1), hi)


def range_type(values: npt.NDArray[np.integer]) -> QuantType:
    """The smallest type of the given values."""
    return QuantType.for_range(int(values.min()), int(values.max()))
