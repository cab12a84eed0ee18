"""Beats of the output frames become words of the AXI4-Stream output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import UINT8, QuantType
from hlsgen.kernels.axi import check_axi, last_steps, words_from_frames, words_per_frame
from hlsgen.kernels.base import Beats, InputTiming, Kernel, OutputTiming, StreamSpec, Timing, pack_list, require
from hlsgen.kernels.unpack import LAST


class Part(NamedTuple):
    """One output frame: ``elements`` elements of ``type`` per image, ``lanes`` per beat."""

    elements: int
    lanes: int
    type: QuantType


@dataclass(frozen=True, eq=False)
class Pack(Kernel):
    """Frames ``parts`` and the stream of TLAST bits in; AXI words of ``axi_bits`` (as bytes) out.

    The parts of an image follow one another, each starting a new word, elements stored as ``words_from_frames`` does.
    TLAST of an image's last word is the image's beat of the last input; ``golden`` returns no TLAST.
    """

    kind: ClassVar[str] = "pack"

    axi_bits: int
    parts: tuple[tuple[int, int, QuantType], ...]

    def __post_init__(self) -> None:
        require(len(self.parts) > 0, "a pack has at least one part")
        for elements, lanes, type in self.parts:
            check_axi(self.axi_bits, type)
            legal = lanes > 0 and elements > 0 and elements % lanes == 0
            require(legal, f"lanes={lanes} does not divide {elements} elements")

    @property
    def words(self) -> tuple[int, ...]:
        """AXI words per image of each part."""
        return tuple(words_per_frame(elements, type, self.axi_bits) for elements, _, type in self.parts)

    @property
    def steps(self) -> tuple[int, ...]:
        """Iterations of the C++ form per part: one more than beats and words where a last beat completes two words."""
        return tuple(self._steps(Part(*part), words) for part, words in zip(self.parts, self.words, strict=True))

    def _steps(self, part: Part, words: int) -> int:
        word_elements = self.axi_bits // part.type.storage_bits
        if part.lanes > word_elements:
            return words
        beats = part.elements // part.lanes
        full = part.elements // word_elements
        full_written = -(-full * word_elements // part.lanes)  # steps until the last full word is out
        return beats if full == words else max(beats, full_written + 1)

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        specs = [StreamSpec(type, lanes, elements // lanes) for elements, lanes, type in self.parts]
        return (*specs, StreamSpec(LAST, 1, 1))

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(UINT8, self.axi_bits // 8, sum(self.words)),)

    @property
    def cycles(self) -> int:
        return sum(self.steps)

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        reads = []
        first = 0
        for (elements, lanes, type), words in zip(self.parts, self.words, strict=True):
            order = np.clip(np.arange(1, sum(self.words) + 1) - first, 0, words)  # words of this part written
            completed = order * (self.axi_bits // type.storage_bits)
            reads.append(np.minimum(-(-completed // lanes), elements // lanes))
            first += words
        last = np.zeros(first, np.int64)
        last[-1] = 1
        return (*reads, last)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        words = [
            words_from_frames(beats, type, self.axi_bits)
            for beats, (_, _, type) in zip(inputs[:-1], self.parts, strict=True)
        ]
        return (np.concatenate(words, axis=1),)

    def constants(self) -> dict[str, int]:
        constants = {"AXI_BITS": self.axi_bits, "PARTS": len(self.parts)}
        types = [type for _, _, type in self.parts]
        columns = {
            "BEATS": [elements // lanes for elements, lanes, _ in self.parts],
            "STORAGE_BITS": [type.storage_bits for type in types],
            "WORDS": list(self.words),
            "STEPS": list(self.steps),
        }
        for name, values in columns.items():
            constants |= {f"{name}[{i}]": value for i, value in enumerate(values)}
        return constants

    def timing(self) -> Timing:
        needs = self.reads()
        words = sum(self.words)  # each a step
        inputs = [
            InputTiming(need, last_steps(need, spec.beats), delay=1, release=0)
            for need, spec in zip(needs[:-1], self.inputs, strict=False)
        ]
        output = OutputTiming(emits=np.arange(words), latency=1, queue=1 if self.spaced else 2)
        return Timing(words, (*inputs, InputTiming(needs[-1])), (output,))

    @property
    def spaced(self) -> bool:
        """Whether every word takes at least two whole beats, so that words come at least two cycles apart."""
        for (elements, lanes, type), words in zip(self.parts, self.words, strict=True):
            word_elements = self.axi_bits // type.storage_bits
            rest = elements - (words - 1) * word_elements
            if word_elements % lanes or word_elements < 2 * lanes or rest < 2 * lanes:
                return False
        return True

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        types = [type for _, _, type in self.parts]
        return {
            "AXI_BITS": self.axi_bits,
            "PARTS": len(self.parts),
            "LANES": pack_list(lanes for _, lanes, _ in self.parts),
            "BITS": pack_list(type.bits for type in types),
            "SIGNED": pack_list(int(type.signed and not type.bipolar) for type in types),
            "STORAGE_BITS": pack_list(type.storage_bits for type in types),
            "BEATS": pack_list(elements // lanes for elements, lanes, _ in self.parts),
            "IN_BITS": sum(spec.width for spec in self.inputs[:-1]),
        }
