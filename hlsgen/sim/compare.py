"""Compares the streams of a simulation with golden's and says where they first differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hlsgen.kernels.base import Beats
from hlsgen.lower.design import Design


@dataclass(frozen=True)
class Mismatch:
    """The first wrong element of the first wrong stream in dataflow order, which is nearest to the cause.

    ``pixel`` is (row, column, channel) where the stream carries a frame. ``different`` of the stream's ``elements`` are
    wrong.
    """

    stream: str
    layer: str
    image: int
    beat: int
    lane: int
    pixel: tuple[int, int, int] | None
    expected: int
    got: int
    different: int
    elements: int

    def __str__(self) -> str:
        place = f"beat {self.beat}, lane {self.lane}"
        if self.pixel is not None:
            row, column, channel = self.pixel
            place = f"pixel ({row}, {column}), channel {channel} ({place})"
        return (
            f"Layer {self.layer!r}, stream {self.stream}, image {self.image}, {place}: {self.got} instead of "
            f"{self.expected}; {self.different:,} of {self.elements:,} elements differ"
        )


def first_mismatch(design: Design, got: Mapping[str, Beats], expected: Mapping[str, Beats]) -> Mismatch | None:
    """Compare the streams ``got``, beats (images, beats, lanes) by name, with ``expected``; None if all are equal.

    Streams that ``got`` does not have are not compared. Raises ValueError for a stream of another shape.
    """
    for name in dataflow_order(design):
        if name not in got:
            continue
        if got[name].shape != expected[name].shape:
            raise ValueError(f"stream {name}: {got[name].shape} beats cannot be compared with {expected[name].shape}")
        different = got[name] != expected[name]
        count = int(np.count_nonzero(different))
        if count == 0:
            continue
        stream = design.streams[name]
        image, beat, lane = map(int, np.unravel_index(int(different.argmax()), different.shape))
        pixel = None
        if stream.frame is not None:
            row, column, channel = np.unravel_index(beat * stream.spec.lanes + lane, stream.frame)
            pixel = (int(row), int(column), int(channel))
        return Mismatch(
            stream=name,
            layer=stream.layer,
            image=image,
            beat=beat,
            lane=lane,
            pixel=pixel,
            expected=int(expected[name][image, beat, lane]),
            got=int(got[name][image, beat, lane]),
            different=count,
            elements=different.size,
        )
    return None


def dataflow_order(design: Design) -> list[str]:
    """Names of all streams, each after those that it is computed from."""
    return [design.input, *(name for instance in design.instances for name in instance.outputs)]


def golden_streams(design: Design, words: Beats, batches: Sequence[int]) -> dict[str, Beats]:
    """``Design.run`` for images that come in several batches, so that the stream of TLAST bits is theirs.

    ``words``: AXI words (images, words, bytes); ``batches``: images of each, their sum is the number of images.
    """
    ends = np.cumsum(batches).tolist()
    parts = [design.run(words[end - size : end]) for size, end in zip(batches, ends, strict=True)]
    return {name: np.concatenate([part[name] for part in parts]) for name in design.streams}
