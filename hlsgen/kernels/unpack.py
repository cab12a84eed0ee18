"""Words of the AXI4-Stream input become the beats of the input frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import UINT8, QuantType
from hlsgen.kernels.axi import check_axi, frames_from_words, last_steps, words_per_frame
from hlsgen.kernels.base import (
    Beats,
    InputTiming,
    Kernel,
    OutputTiming,
    StreamSpec,
    Timing,
    require,
)

LAST = QuantType(1, signed=False)
"""Type of the stream that carries TLAST from ``unpack`` to ``pack``, one beat per image."""


@dataclass(frozen=True, eq=False)
class Unpack(Kernel):
    """AXI words of ``axi_bits`` (as bytes) in; beats of the frame, and TLAST of each image's last word, out.

    An image is ``elements`` elements of ``type.storage_bits`` bits each, least significant bits first; the tail of its
    last word is ignored. ``golden`` has no TLAST to look at and sets it on the batch's last image.
    """

    kind: ClassVar[str] = "unpack"

    axi_bits: int
    elements: int
    lanes: int
    type: QuantType

    def __post_init__(self) -> None:
        check_axi(self.axi_bits, self.type)
        legal = self.lanes > 0 and self.elements > 0 and self.elements % self.lanes == 0
        require(legal, f"lanes={self.lanes} does not divide {self.elements} elements")

    @property
    def words(self) -> int:
        """AXI words per image."""
        return words_per_frame(self.elements, self.type, self.axi_bits)

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(UINT8, self.axi_bits // 8, self.words),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes, self.elements // self.lanes), StreamSpec(LAST, 1, 1))

    @property
    def cycles(self) -> int:
        return max(self.words, self.elements // self.lanes)

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        word_elements = self.axi_bits // self.type.storage_bits
        written = np.arange(1, self.elements // self.lanes + 1) * self.lanes
        return (-(-written // word_elements),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (words,) = inputs
        frames = frames_from_words(words, (self.elements,), self.type)
        last = np.zeros((len(words), 1, 1), np.int8)
        last[-1:] = 1
        return frames.reshape(len(words), -1, self.lanes), last

    def constants(self) -> dict[str, int]:
        return {
            "AXI_BITS": self.axi_bits,
            "STORAGE_BITS": self.type.storage_bits,
            "BITS": self.type.bits,
            "WORDS": self.words,
            "BEATS": self.elements // self.lanes,
            "LANES": self.lanes,
        }

    def types(self) -> dict[str, QuantType]:
        return {"type_t": self.type}

    def timing(self) -> Timing:
        word_elements = self.axi_bits // self.type.storage_bits
        if self.lanes % word_elements == 0:  # a word per step: the form of Width
            ratio = self.lanes // word_elements
            first = np.arange(0, self.words, ratio)
            beats = OutputTiming(emits=first + ratio - 1, latency=2 if ratio > 1 else 1, queue=2, claims=first)
            last = OutputTiming(emits=np.array([self.words - 1]), latency=1, queue=2)
            return Timing(self.words, (InputTiming(needs=np.arange(1, self.words + 1)),), (beats, last))
        (needs,) = self.reads()  # a beat per step
        word = InputTiming(needs, last_steps(needs, self.words), delay=1, release=0)
        beats = OutputTiming(emits=np.arange(len(needs)), latency=1, queue=2)
        last = OutputTiming(emits=np.array([len(needs) - 1]), latency=1, queue=2)
        return Timing(len(needs), (word,), (beats, last))

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        return dict(self.constants())
