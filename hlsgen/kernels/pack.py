"""The accelerator's exit: beats of elements become AXI4-Stream words, with TLAST on a batch's last word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import UINT8, QuantType
from hlsgen.kernels import axi
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, require
from hlsgen.kernels.unpack import LAST


@dataclass(frozen=True)
class Packed:
    """One output tensor: ``elements`` elements of ``type`` per image in beats of ``lanes``."""

    elements: int
    lanes: int
    type: QuantType


MOST = 4
"""Output tensors of one accelerator."""


@dataclass(frozen=True, eq=False)
class Pack(Kernel):
    """The outputs of an image follow each other, each from a fresh word of ``axi_bits`` bits on."""

    kind: ClassVar[str] = "pack"

    axi_bits: int
    tensors: tuple[Packed, ...]

    def __post_init__(self) -> None:
        axi.require_axi(self.axi_bits)
        require(1 <= len(self.tensors) <= MOST, f"an accelerator has 1 to {MOST} outputs, not {len(self.tensors)}")
        for packed in self.tensors:
            require(
                packed.elements > 0 and packed.lanes > 0 and packed.elements % packed.lanes == 0,
                f"lanes={packed.lanes} does not divide {packed.elements} elements",
            )
            require(
                packed.type.storage_bits <= self.axi_bits,
                f"{packed.type} does not fit a word of axi_bits={self.axi_bits} bits",
            )

    def words(self, packed: Packed) -> int:
        """AXI words per image of one output tensor."""
        return axi.words(packed.elements, packed.type, self.axi_bits)

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (*(StreamSpec(p.type, p.lanes, p.elements // p.lanes) for p in self.tensors), LAST)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(UINT8, self.axi_bits // 8, sum(map(self.words, self.tensors))),)

    @property
    def cycles(self) -> int:
        return sum(self._steps(packed) for packed in self.tensors)

    def _per_word(self, packed: Packed) -> int:
        return self.axi_bits // packed.type.storage_bits

    def _steps(self, packed: Packed) -> int:
        """Iterations of one output tensor's loop: see ``_emission``."""
        return int(self._emission(packed)[-1]) + 1

    def _emission(self, packed: Packed) -> npt.NDArray[np.int64]:
        """Iteration in which each word is written.

        Every iteration reads a beat while less than a word is held, and writes a word when one is held or nothing more
        comes. Word j needs ``ceil((j + 1) * per_word / lanes)`` beats.
        """
        per_word, beats = self._per_word(packed), packed.elements // packed.lanes
        index = np.arange(self.words(packed))
        if packed.lanes >= per_word:
            return index
        needed = np.minimum(-(-(index + 1) * per_word // packed.lanes), beats)
        return np.maximum.accumulate(needed - 1 - index) + index

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        total = self.outputs[0].beats
        starts = np.cumsum([0, *map(self.words, self.tensors)])
        ports = []
        for packed, start in zip(self.tensors, starts, strict=False):
            per_word, beats = self._per_word(packed), packed.elements // packed.lanes
            index = np.arange(self.words(packed))
            if packed.lanes >= per_word:
                own = np.minimum(-(-(index + 1) * per_word // packed.lanes), beats)
            else:
                own = np.minimum(self._emission(packed) + 1, beats)
            port = np.zeros(total, np.int64)
            port[start : start + len(own)] = own
            port[start + len(own) :] = beats
            ports.append(port)
        last = np.zeros(total, np.int64)
        last[-1] = 1
        return (*ports, last)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        words = [
            axi.words_from_frames(beats, packed.type, self.axi_bits)
            for beats, packed in zip(inputs, self.tensors, strict=False)
        ]
        return (np.concatenate(words, axis=1),)

    def constants(self) -> dict[str, int]:
        tables: dict[str, int] = {"AXI_BITS": self.axi_bits, "WORDS": self.outputs[0].beats}
        for i, packed in enumerate(self.tensors):
            tables[f"BEATS{i}"] = packed.elements // packed.lanes
            tables[f"LANES{i}"] = packed.lanes
            tables[f"STORAGE_BITS{i}"] = packed.type.storage_bits
            tables[f"STEPS{i}"] = self._steps(packed)
        return tables

    def types(self) -> dict[str, QuantType]:
        return {f"input{i}_t": packed.type for i, packed in enumerate(self.tensors)}
