"""The accelerator's entrance: AXI4-Stream words become beats of elements, TLAST a bit per image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import UINT8, QuantType
from hlsgen.kernels import axi
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, require

LAST = StreamSpec(QuantType(1, signed=False), 1, 1)
"""The stream that carries TLAST past the network: one bit per image, set on the last image of a batch."""


@dataclass(frozen=True, eq=False)
class Unpack(Kernel):
    """``elements`` elements of ``type`` per image from words of ``axi_bits`` bits; ``lanes`` divides ``elements``."""

    kind: ClassVar[str] = "unpack"

    axi_bits: int
    elements: int
    lanes: int
    type: QuantType

    def __post_init__(self) -> None:
        axi.require_axi(self.axi_bits)
        require(
            self.elements > 0 and self.lanes > 0 and self.elements % self.lanes == 0,
            f"lanes={self.lanes} does not divide {self.elements} elements",
        )
        require(
            self.type.storage_bits <= self.axi_bits, f"{self.type} does not fit a word of axi_bits={self.axi_bits} bits"
        )

    @property
    def per_word(self) -> int:
        """Elements in a word."""
        return self.axi_bits // self.type.storage_bits

    @property
    def words(self) -> int:
        """AXI words per image."""
        return axi.words(self.elements, self.type, self.axi_bits)

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(UINT8, self.axi_bits // 8, self.words),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.type, self.lanes, self.elements // self.lanes), LAST)

    @property
    def cycles(self) -> int:
        return max(self.words, self.outputs[0].beats)

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        beats = np.arange(1, self.outputs[0].beats + 1)
        return (-(-beats * self.lanes // self.per_word),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (words,) = inputs
        frames = axi.frames_from_words(words, (1, 1, self.elements), self.type)
        last = np.zeros((len(words), 1, 1), np.int8)
        last[-1:] = 1
        return frames.reshape(len(words), -1, self.lanes), last

    def constants(self) -> dict[str, int]:
        return {
            "AXI_BITS": self.axi_bits,
            "WORDS": self.words,
            "BEATS": self.outputs[0].beats,
            "LANES": self.lanes,
            "BITS": self.type.bits,
            "STORAGE_BITS": self.type.storage_bits,
        }

    def types(self) -> dict[str, QuantType]:
        return {"output_t": self.type}
