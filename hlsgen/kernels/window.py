"""Sliding window over a frame: padding, stride, dilation; several channels and several taps per beat."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.graph import Frame
from hlsgen.graph.ops import Geometry
from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, require


@dataclass(frozen=True, eq=False)
class Window(Kernel):
    """Windows of a frame (H, W, C), taps outside it having ``pad_value``.

    ``lanes`` channels and ``taps`` window taps per output beat; taps is 1, KW or KH*KW. Output beats are ordered
    (output pixel, group, tap group, channel tile inside the group), a beat's elements (tap, channel). One group serves
    a dense convolution and pooling; ``groups = C / lanes`` puts a channel tile's taps together for a depthwise one.
    """

    kind: ClassVar[str] = "window"

    frame: Frame
    geometry: Geometry
    pad_value: int
    lanes: int
    taps: int
    groups: int
    type: QuantType

    def __post_init__(self) -> None:
        channels = self.frame[2]
        rows, columns = self.geometry.kernel
        require(min(self.frame) > 0, f"frame {self.frame} is empty")
        require(
            self.groups > 0 and channels % self.groups == 0, f"groups={self.groups} does not divide {channels} channels"
        )
        require(
            self.lanes > 0 and channels // self.groups % self.lanes == 0,
            f"lanes={self.lanes} does not divide {channels // self.groups} channels per group",
        )
        legal = sorted({1, columns, rows * columns})
        require(self.taps in legal, f"taps={self.taps} is none of {legal}")
        require(min(self.geometry.pads) >= 0, f"negative pads {self.geometry.pads}")
        require(min(self.output) > 0, f"a frame {self.frame} has no window of {self.geometry}")
        require(
            self.type.contains(self.pad_value, self.pad_value) and (self.pad_value != 0 or not self.type.bipolar),
            f"pad_value={self.pad_value} is not a value of {self.type}",
        )

    @property
    def output(self) -> tuple[int, int]:
        """Output rows and columns."""
        return self.geometry.output(self.frame[0], self.frame[1])

    @property
    def tap_shape(self) -> tuple[int, int]:
        """Rows and columns of the taps in one beat."""
        rows, columns = self.geometry.kernel
        if self.taps == rows * columns:
            return rows, columns
        return (1, columns) if self.taps == columns else (1, 1)

    @property
    def tap_groups(self) -> tuple[int, int]:
        """Beats per window, vertically and horizontally."""
        (rows, columns), (tap_rows, tap_columns) = self.geometry.kernel, self.tap_shape
        return rows // tap_rows, columns // tap_columns

    @property
    def pixel_beats(self) -> int:
        """Input beats per pixel."""
        return self.frame[2] // self.lanes

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        height, width, _ = self.frame
        return (StreamSpec(self.type, self.lanes, height * width * self.pixel_beats),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        rows, columns = self.output
        vertical, horizontal = self.tap_groups
        beats = rows * columns * vertical * horizontal * self.pixel_beats
        return (StreamSpec(self.type, self.taps * self.lanes, beats),)

    @property
    def cycles(self) -> int:
        return max(self.inputs[0].beats, self.outputs[0].beats)

    @property
    def steps(self) -> int:
        """Iterations of the C++ form per image, each one clock cycle: ``cycles`` plus some bubbles per row."""
        return self._schedule[1]

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (self._schedule[0],)

    @cached_property
    def _schedule(self) -> tuple[npt.NDArray[np.int64], int]:
        """Input beats read when each output beat is written, and the number of steps.

        While an output row is written, step t (from 0) reads the t-th of the input beats that belong to the row, and an
        output beat that needs ``a`` of them is written in step ``max(a, previous + 1)`` or later. Unrolled, beat j is
        written in step ``j + max over i <= j of (a_i - i)``: a running maximum.
        """
        height, width, _ = self.frame
        stride = self.geometry.strides[0]
        row_beats = width * self.pixel_beats
        rows = np.arange(self.output[0])
        limits = np.clip(rows * stride - self.geometry.pads[0] + self.geometry.extent[0], 0, height)
        limits[-1] = height
        ends = limits * row_beats
        begins = np.concatenate([[0], ends[:-1]])
        available = (ends - begins)[:, None]

        needed = np.maximum(self._needs() - begins[:, None], 0)
        order = np.arange(needed.shape[1])
        steps = order + np.maximum.accumulate(np.maximum(needed - order, 0), axis=1)
        reads = begins[:, None] + np.minimum(steps + 1, available)
        total = int(np.maximum(available[:, 0], steps[:, -1] + 1).sum())
        return reads.ravel(), total

    def _needs(self) -> npt.NDArray[np.int64]:
        """Per output row and output beat: input beats of the frame up to the last one that the beat needs.

        The last tap of a beat decides; where it lies beyond the frame's edge, the frame's last row or column does, and
        nothing is needed where it lies before the first.
        """
        (height, width, _), (rows, columns) = self.frame, self.output
        (stride_y, stride_x), (dilation_y, dilation_x) = self.geometry.strides, self.geometry.dilations
        top, left, _, _ = self.geometry.pads
        (tap_rows, tap_columns), (vertical, horizontal) = self.tap_shape, self.tap_groups
        last_y = (np.arange(1, vertical + 1) * tap_rows - 1) * dilation_y
        last_x = (np.arange(1, horizontal + 1) * tap_columns - 1) * dilation_x
        y = np.arange(rows)[:, None] * stride_y - top + last_y  # (output row, vertical tap group)
        x = np.arange(columns)[:, None] * stride_x - left + last_x
        pixel = np.minimum(y, height - 1)[:, None, :, None] * width + np.minimum(x, width - 1)[None, :, None, :]
        none = (y < 0)[:, None, :, None] | (x < 0)[None, :, None, :]
        # axes: output row, output column, group, tap group row, tap group column, tile
        tile = np.arange(self.pixel_beats).reshape(self.groups, 1, 1, -1)
        beats = pixel[:, :, None, :, :, None] * self.pixel_beats + tile + 1
        return np.where(none[:, :, None, :, :, None], 0, beats).reshape(rows, -1)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        (height, width, channels), (rows, columns) = self.frame, self.output
        top, left, bottom, right = self.geometry.pads
        frames = beats.reshape(-1, height, width, channels)
        padded = np.pad(
            frames, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=frames.dtype.type(self.pad_value)
        )
        y, x = (
            np.arange(count)[:, None] * stride + np.arange(taps) * dilation
            for count, stride, taps, dilation in zip(
                (rows, columns),
                self.geometry.strides,
                self.geometry.kernel,
                self.geometry.dilations,
                strict=True,
            )
        )
        windows = padded[:, y[:, None, :, None], x[None, :, None, :]]  # image, output pixel, tap, channel
        (tap_rows, tap_columns), (vertical, horizontal) = self.tap_shape, self.tap_groups
        split = windows.reshape(
            len(beats), rows, columns, vertical, tap_rows, horizontal, tap_columns, self.groups, -1, self.lanes
        )
        ordered = split.transpose(0, 1, 2, 7, 3, 5, 8, 4, 6, 9)
        return (ordered.reshape(len(beats), -1, self.taps * self.lanes),)

    def constants(self) -> dict[str, int]:
        geometry = self.geometry
        return {
            "HEIGHT": self.frame[0],
            "WIDTH": self.frame[1],
            "GROUPS": self.groups,
            "TILES": self.pixel_beats // self.groups,
            "LANES": self.lanes,
            "OUTPUT_ROWS": self.output[0],
            "OUTPUT_COLUMNS": self.output[1],
            "TAP_ROWS": self.tap_shape[0],
            "TAP_COLUMNS": self.tap_shape[1],
            "TAP_GROUP_ROWS": self.tap_groups[0],
            "TAP_GROUP_COLUMNS": self.tap_groups[1],
            "EXTENT_ROWS": geometry.extent[0],
            "EXTENT_COLUMNS": geometry.extent[1],
            "STRIDE_ROWS": geometry.strides[0],
            "STRIDE_COLUMNS": geometry.strides[1],
            "DILATION_ROWS": geometry.dilations[0],
            "DILATION_COLUMNS": geometry.dilations[1],
            "PAD_TOP": geometry.pads[0],
            "PAD_LEFT": geometry.pads[1],
            "PAD_VALUE": int(self.pad_value > 0) if self.type.bipolar else self.pad_value,
            "STEPS": self.steps,
        }

    def types(self) -> dict[str, QuantType]:
        return {"type_t": self.type}
