"""What the elementwise kernels (requant, add, table) share: their streams, and per-channel parameters in memories."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from hlsgen.graph.graph import Frame
from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, InputTiming, Kernel, Memory, OutputTiming, StreamSpec, Timing, require

ROUNDINGS = {rounding: number for number, rounding in enumerate(Rounding)}
"""The C++ constants of templates/hls/rounding.hpp."""


class Elementwise(Kernel):
    """One element of the result from the elements of equal position of all operands.

    Subclasses have the fields ``frame`` (H, W, C), ``lanes`` (channels per beat), ``output_type`` and, unless every
    cycle takes a beat, ``passes`` (cycles per beat).
    """

    frame: Frame
    lanes: int
    output_type: QuantType
    passes: int = 1

    @property
    @abstractmethod
    def operand_types(self) -> tuple[QuantType, ...]:
        """Element type of each input stream."""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Cycles from the acceptance of a beat to the offer of its result in the SystemVerilog form."""

    @property
    def beats(self) -> int:
        """Beats per image of every stream."""
        height, width, channels = self.frame
        return height * width * channels // self.lanes

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return tuple(StreamSpec(type, self.lanes, self.beats) for type in self.operand_types)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.output_type, self.lanes, self.beats),)

    @property
    def cycles(self) -> int:
        return self.beats * self.passes

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (np.arange(1, self.beats + 1),) * len(self.operand_types)

    def timing(self) -> Timing:
        """A step per beat; the output queue has a place for every beat that can be under way at full rate."""
        steps = np.arange(self.beats)
        queue = -(-(self.latency + 1) // self.passes)
        inputs = (InputTiming(needs=steps + 1),) * len(self.operand_types)
        return Timing(self.beats, inputs, (OutputTiming(steps, self.latency, queue),), self.passes)


def check_frame(frame: Frame, lanes: int) -> None:
    """Raise ValueError unless the frame is not empty and ``lanes`` divides its channels."""
    require(min(frame) > 0, f"a frame of {frame} has no elements")
    require(lanes > 0 and frame[2] % lanes == 0, f"lanes={lanes} does not divide {frame[2]} channels")


def check_channels(name: str, values: IntArray, channels: int) -> None:
    """Raise ValueError unless ``values`` has one entry per channel or a single one."""
    require(len(values) in (1, channels), f"{name} has {len(values)} entries for {channels} channels")


def check_domain(beats: Beats, domain: tuple[int, int]) -> None:
    """Raise ValueError when a value lies outside ``domain``: the unit has not been proved there."""
    if beats.size:
        lo, hi = int(beats.min()), int(beats.max())
        require(domain[0] <= lo and hi <= domain[1], f"inputs {lo}..{hi} leave the proved range {domain}")


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
