"""How the SystemVerilog form of ``window`` walks over its windows: what it keeps, reads, waits for and releases.

The same quantities, under the same names, are derived by ``ip_repo/window.sv`` and ``ip_repo/window_walk.sv``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from hlsgen.kernels.base import NEVER, Counts

IMAGES = 8
"""Images after which rows of windows follow each other as they always will."""

MERGED = 4
"""Beats of an image's last windows, up to which they are completed while the next image's first words are read.

For each but one of them, the delay lines have the bits of a word in flip-flops instead of LUTs, and the paths of clock
enables grow. More beats would be as exact, for the same small share of an image's cycles.
"""


@dataclass(frozen=True)
class Axis:
    """Windows along one axis: ``windows`` of ``taps`` positions in a frame of ``size``, the first one at ``-pad``."""

    size: int
    windows: int
    taps: int
    stride: int
    dilation: int
    pad: int

    @property
    def extent(self) -> int:
        """Positions from a window's first tap to its last."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def span(self) -> int:
        """The stride among kept positions: gaps between windows are left out."""
        return min(self.stride, self.extent)

    @cached_property
    def kept(self) -> Counts:
        """The positions of the frame that are kept, in ascending order."""
        positions = np.arange(self.size)
        within = (positions + self.pad) % self.stride < self.span
        return positions[within & (positions < (self.windows - 1) * self.stride + self.extent - self.pad)]

    @property
    def kept_pad(self) -> int:
        """Positions of the first windows before the frame, less the gaps between windows."""
        return self.pad // self.stride * self.span + min(self.pad % self.stride, self.span)

    def reach(self, windows: Counts) -> Counts:
        """Kept positions up to the last one that each of ``windows`` covers, but the first one at least."""
        return np.clip(windows * self.span + self.extent - self.kept_pad, 1, len(self.kept))

    def over(self) -> Counts:
        """Per window, the kept positions that the windows after it do not cover; after the last one, all."""
        over = np.clip(np.arange(1, self.windows + 1) * self.span - self.kept_pad, 0, len(self.kept))
        over[-1] = len(self.kept)
        return over


@dataclass(frozen=True)
class Walk:
    """The steps of one image. Beats of a window: (group, tap group row, tap group column, tile).

    ``phases``: columns of a word. ``overlap``: a row's last windows are completed at the next row's first positions.
    The last row's do not wait for the next image: they are completed as soon as the output takes them, while the steps
    at the next image's first positions are taken, now or later (``merged``), or else by ``flush_steps`` before those.
    """

    rows: Axis
    columns: Axis
    groups: int
    tiles: int
    tap_groups: tuple[int, int]
    phases: int = 1
    overlap: bool = False

    @property
    def pixel_beats(self) -> int:
        """Beats of a pixel."""
        return self.groups * self.tiles

    @property
    def row_beats(self) -> int:
        """Beats of a row that are kept."""
        return len(self.columns.kept) * self.pixel_beats

    @property
    def words(self) -> int:
        """Words of a row per beat of a pixel."""
        return -(-len(self.columns.kept) // self.phases)

    @property
    def by_columns(self) -> bool:
        """Whether positions are words, and earlier columns are remembered; else they are output columns."""
        return self.tap_groups[1] == 1

    @property
    def last_offset(self) -> int:
        """Word of the last tap column of output column 0; rounded down, so maybe negative."""
        return (self.columns.extent - 1 - self.columns.kept_pad) // self.phases

    @property
    def word_stride(self) -> int:
        """Words from window to window."""
        return self.columns.span // self.phases

    @property
    def left_words(self) -> int:
        """Positions before the first word."""
        return max(0, -self.last_offset) if self.by_columns else 0

    @property
    def right_words(self) -> int:
        """Positions after the last word."""
        end = (self.columns.windows - 1) * self.word_stride + self.last_offset + 1
        return end - self.words if self.by_columns else 0

    @property
    def legal(self) -> bool:
        """Whether ``phases`` and ``overlap`` are possible."""
        one_row = self.by_columns and self.tap_groups[0] == self.rows.taps and self.columns.span == self.columns.stride
        if self.phases > 1 and not (self.phases == self.columns.stride and one_row):
            return False
        if not self.overlap:
            return True
        fits = self.right_words <= self.last_offset < self.words  # before the row's own first window
        return self.right_words > 0 and self.left_words == 0 and self.word_stride == 1 and fits

    @property
    def flush(self) -> int:
        """Positions of a row at which windows of the row before are completed."""
        return self.right_words if self.overlap else 0

    @property
    def merged(self) -> bool:
        """Whether an image's last windows are completed while the next image's first positions are walked over."""
        return 0 < self.flush * self.window_steps <= MERGED

    @property
    def positions(self) -> int:
        """Positions along a row."""
        if not self.by_columns:
            return self.columns.windows
        return self.left_words + self.words + self.right_words - self.flush

    @property
    def window_steps(self) -> int:
        """Steps at a position."""
        return self.pixel_beats * self.tap_groups[0] * self.tap_groups[1]

    @property
    def row_steps(self) -> int:
        """Steps of a row of windows."""
        return self.positions * self.window_steps

    @property
    def steps(self) -> int:
        """Steps of an image."""
        return self.rows.windows * self.row_steps + self.flush_steps

    @property
    def flush_steps(self) -> int:
        """Steps after the last row, which only complete its windows."""
        return 0 if self.merged else self.flush * self.window_steps

    def emits(self) -> Counts:
        """Per output beat, its step; the last one for all that wait for nothing else."""
        return np.minimum(self.leaves(), self.steps - 1)

    def leaves(self) -> Counts:
        """Per output beat, the step that cannot be over before it; counted on into the next image."""
        columns = np.arange(self.columns.windows)
        if self.by_columns:
            columns = columns * self.word_stride + self.last_offset + self.left_words
        pixels = np.arange(self.rows.windows)[:, None] * self.positions + columns
        steps = pixels[:, :, None] * self.window_steps + np.arange(self.window_steps)
        return np.asarray(steps.ravel())

    def needs(self) -> Counts:
        """Per step, how many of the frame's beats must have been accepted."""
        reach = np.asarray(self.rows.reach(np.arange(self.rows.windows)))
        before = np.append(0, reach[:-1])
        inside = self._needs_of_the_last_row()
        rows = ((reach - 1) * self.row_beats)[:, None] + inside
        kept = np.maximum.accumulate(np.where((reach > before)[:, None], rows, 0).ravel())
        needs = self._of_frame(kept)
        return np.append(needs, np.full(self.flush_steps, needs[-1]))

    def _needs_of_the_last_row(self) -> Counts:
        """Per step of a row of windows: kept beats needed of the last row that its windows cover."""
        positions = np.arange(self.positions)
        if not self.by_columns:
            reach = positions * self.columns.span + self.columns.extent - self.columns.kept_pad
            return np.repeat(np.clip(reach * self.pixel_beats, 1, self.row_beats), self.window_steps)
        words = positions - self.left_words
        ends = np.clip((words + 1) * self.phases * self.pixel_beats, 1, self.row_beats)
        beats = np.arange(self.pixel_beats).reshape(self.groups, 1, self.tiles) - self.pixel_beats + 1
        beats = np.broadcast_to(beats, (self.groups, self.tap_groups[0], self.tiles)).copy()
        beats[:, 1:] = beats[:, :1, -1:]  # a group's first tap group has waited for all its tiles
        real = (words >= 0) & (words < self.words)
        return np.asarray((ends[:, None] + np.where(real[:, None], beats.ravel(), 0)).ravel())

    def _of_frame(self, kept: Counts) -> Counts:
        """Beats of the frame up to the last one of so many kept beats."""
        row, rest = np.divmod(kept - 1, self.row_beats)
        column, beat = np.divmod(rest, self.pixel_beats)
        pixel = self.rows.kept[row] * self.columns.size + self.columns.kept[column]
        return np.asarray(pixel * self.pixel_beats + beat + 1)

    def frees(self, slots: int) -> Counts:
        """Per beat of the frame, the step that releases the last of the ``slots`` row slots that it waits for."""
        count = len(self.rows.kept)
        windows = np.searchsorted(self.rows.over(), np.arange(count), side="right") + 1
        released = windows * self.row_steps - 1
        images, row = np.divmod(np.arange(count) - slots, count)
        by_row = np.full(self.rows.size, NEVER)
        by_row[self.rows.kept] = released[row] + images * self.steps
        return np.repeat(by_row, self.columns.size * self.pixel_beats)

    def interval(self, slots: int) -> int:
        """Cycles per image at steady state with so many row slots, where input is always valid and output ready.

        Row by row: the last step of a row of windows comes ``row_steps`` after the one of the row before, or a certain
        time after the first beat of the last row of the frame that it needs. Slots are taken and released by rows.
        """
        beats = self.columns.size * self.pixel_beats
        reach = self.rows.reach(np.arange(self.rows.windows)).tolist()
        over = self.rows.over().tolist()
        inside = self._needs_of_the_last_row()
        column, beat = np.divmod(inside - 1, self.pixel_beats)
        offsets = self.columns.kept[column] * self.pixel_beats + beat
        wait = int((offsets - np.arange(self.row_steps)).max()) + self.row_steps
        gaps = (np.diff(self.rows.kept, prepend=-1) * beats).tolist()  # from kept row to kept row
        tail = (self.rows.size - 1 - int(self.rows.kept[-1])) * beats

        released: list[int] = []  # cycle of release, by kept row, from image to image
        row_start, step, ends = -beats, 0, []
        for _ in range(IMAGES):
            done, started = 0, 0
            for needed, finished in zip(reach, over, strict=True):
                for row in range(started, needed):
                    waits_for = len(released) - done + row - slots
                    row_start += gaps[row]
                    if waits_for >= 0:
                        row_start = max(row_start, released[waits_for] + 1)
                step += self.row_steps
                if needed > started:
                    step = max(step, row_start + wait)
                started = needed
                released += [step] * (finished - done)
                done = finished
            row_start += tail
            step += self.flush_steps
            ends.append(step)
        return ends[-1] - ends[-2]


@cache
def least_slots(walk: Walk, cycles: int) -> int:
    """The fewest row slots without which an image would take more than ``cycles``, or rows of windows would wait.

    While a row of windows is read, the rows for the next one are written, all but the last, which is written while it
    is read; that matters where the reader of the windows is slower than this kernel. One slot more than a window has
    rows lets the first step of a row follow the last one of the row before.
    """
    rows = walk.rows
    count = len(rows.kept)
    reach = rows.reach(np.arange(rows.windows))
    held = reach - np.append(0, rows.over()[:-1])
    new = np.append(np.diff(reach), reach[0])  # for the next row of windows
    slots = min(max(rows.extent + 1, int((held + new).max()) - 1), 2 * count)
    while slots < 2 * count and walk.interval(slots) > cycles:
        slots += 1
    return slots
