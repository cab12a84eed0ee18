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
from hlsgen.kernels.base import Beats, InputTiming, Kernel, OutputTiming, RamStyle, StreamSpec, Timing, require
from hlsgen.kernels.window_walk import Axis, Walk, least_slots

STAGES = 3
"""Stages of the SystemVerilog form's pipeline from its memory on: cycles from a step to its beat."""


@dataclass(frozen=True, eq=False)
class Window(Kernel):
    """Windows of a frame (H, W, C), taps outside it having ``pad_value``.

    ``lanes`` channels and ``taps`` window taps per output beat; taps is 1, KW or KH*KW. Output beats are ordered
    (output pixel, group, tap group, channel tile inside the group), a beat's elements (tap, channel). One group serves
    a dense convolution and pooling; ``groups = C / lanes`` puts a channel tile's taps together for a depthwise one.

    ``rows``: rows held on chip, at least those that a window covers of the frame; 0 stands for the fewest without which
    ``cycles`` would not be reached. ``memory``: what holds them. A 1x1 window without padding holds nothing.
    """

    kind: ClassVar[str] = "window"

    frame: Frame
    geometry: Geometry
    pad_value: int
    lanes: int
    taps: int
    groups: int
    type: QuantType
    rows: int = 0
    memory: RamStyle = RamStyle.BLOCK

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
        axes = self._axes
        require(all(len(axis.kept) > 0 for axis in axes), f"no window of {self.geometry} lies on a frame {self.frame}")
        least = min(axes[0].extent, len(axes[0].kept))
        require(self.rows == 0 or self.rows >= least, f"rows={self.rows} does not hold the {least} rows of a window")

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
        beats = max(self.inputs[0].beats, self.outputs[0].beats)
        return beats if self.filters else max(beats, self._walk.steps)

    @cached_property
    def _axes(self) -> tuple[Axis, Axis]:
        """Rows and columns."""
        geometry = self.geometry
        rows, columns = (
            Axis(*parameters)
            for parameters in zip(
                self.frame[:2],
                self.output,
                geometry.kernel,
                geometry.strides,
                geometry.dilations,
                geometry.pads[:2],
                strict=True,
            )
        )
        return rows, columns

    @property
    def filters(self) -> bool:
        """Whether the SystemVerilog form only leaves beats out, and has no memory: 1x1 windows, no padding."""
        return all(axis.extent == 1 and len(axis.kept) == axis.windows for axis in self._axes)

    @cached_property
    def _walk(self) -> Walk:
        """The simplest walk of those with the fewest cycles; with too few rows, rows of windows do not overlap."""
        rows, columns = self._axes
        tiles = self.pixel_beats // self.groups
        walks = (
            Walk(rows, columns, self.groups, tiles, self.tap_groups, phases, overlap)
            for phases in (1, columns.stride)
            for overlap in (False, True)
        )
        beats = max(self.inputs[0].beats, self.outputs[0].beats)
        legal = [walk for walk in walks if walk.legal]
        best = min(legal, key=lambda walk: max(beats, walk.steps))
        if not 0 < self.rows < least_slots(best, max(beats, best.steps)):
            return best
        return min((walk for walk in legal if not walk.overlap), key=lambda walk: max(beats, walk.steps))

    @property
    def rows_held(self) -> int:
        """Row slots of the SystemVerilog form: ``rows`` or the default; 0 if it ``filters``."""
        if self.filters:
            return 0
        if self.rows:
            return self.rows
        return least_slots(self._walk, self.cycles)

    @property
    def ram_shape(self) -> tuple[int, int]:
        """Width in bits and number of words of the row slots; (0, 0) without. One read and one write port.

        Slots (several tap rows per beat) or columns lie side by side in a word, each with a write enable of its own
        and, in block RAM, padded to whole bytes.
        """
        if self.filters:
            return 0, 0
        walk = self._walk
        slots = self.rows_held if self.tap_shape[0] > 1 else 1
        banks = slots * walk.phases
        width = self.lanes * self.type.bits
        if banks > 1 and self.memory is RamStyle.BLOCK:
            width = -(-width // 8) * 8
        return banks * width, walk.words * self.pixel_beats * (self.rows_held // slots)

    @property
    def last_windows(self) -> int:
        """Steps that complete an image's last windows while the next image's first words are read."""
        return self._walk.flush * self._walk.window_steps if self._walk.merged else 0

    @property
    def delay_lines(self) -> list[tuple[int, int]]:
        """Width in bits and depth of the SystemVerilog form's shift registers, which remember columns.

        The youngest words of a walk that is ``merged`` are in registers of their own, of depth 1.
        """
        walk, columns = self._walk, self._axes[1]
        if self.filters or not walk.by_columns:
            return []
        words = [(tap * columns.dilation - columns.kept_pad) for tap in range(columns.taps)]
        width = self.tap_shape[0] * self.lanes * self.type.bits
        apart = walk.flush * walk.window_steps - 1 if walk.merged else 0
        lines = []
        for tap, word in enumerate(words):
            later = [other for other in words[tap + 1 :] if (other - word) % walk.phases == 0]
            end = (later[0] if later else words[-1]) // walk.phases
            age = (words[-1] // walk.phases - end) * walk.window_steps
            depth = (end - word // walk.phases) * walk.window_steps
            single = min(max(0, apart - age), depth)
            lines += [(width, 1)] * single
            if depth > single:
                lines.append((width, depth - single))
        return lines

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

    def timing(self) -> Timing:
        if self.filters:
            rows, columns = self._axes
            kept = rows.kept[:, None, None] * columns.size + columns.kept[:, None]
            beats = (kept * self.pixel_beats + np.arange(self.pixel_beats)).ravel()
            count = self.inputs[0].beats
            return Timing(count, (InputTiming(np.arange(1, count + 1)),), (OutputTiming(beats, 1, 2),))
        walk = self._walk
        # A step must find the first stage free. So the step two before it must be able to leave the second one, which
        # it does at once unless a beat has to leave before it or with it; that beat needs the output register, from
        # which the beat before is taken in the same cycle at the latest. So `claims` of a beat is two steps after the
        # one that leaves with an earlier beat, and `queue` is one more than the beats from that one to this; which
        # earlier one, so that the step is in the same image: the last one that leaves before the last two steps do.
        leaves = walk.leaves()
        images = np.arange(-2, 1)[:, None] * walk.steps  # more than enough
        back = int(((leaves + images) >= walk.steps - 2).sum())
        images, beats = np.divmod(np.arange(len(leaves)) - back, len(leaves))
        claims = leaves[beats] + images * walk.steps + 2
        return Timing(
            walk.steps,
            (InputTiming(walk.needs(), walk.frees(self.rows_held), delay=1, release=1),),
            (OutputTiming(walk.emits(), STAGES, back + 1, claims, reuse=0),),
        )

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        walk = None if self.filters else self._walk
        unused = ("EXTENT_ROWS", "EXTENT_COLUMNS", "STEPS")
        return {
            **{name: value for name, value in self.constants().items() if name not in unused},
            "TYPE_BITS": self.type.bits,
            "ROWS": max(1, self.rows_held),
            "PHASES": 1 if walk is None else walk.phases,
            "OVERLAP": 0 if walk is None else int(walk.overlap),
            "MERGE": 0 if walk is None else int(walk.merged),
            "RAM_STYLE": self.memory.value,
        }
