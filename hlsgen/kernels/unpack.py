"""Words of the AXI4-Stream input become the beats of the input frame; and how elements stand in such words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import UINT8, IntArray, QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec, require

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


def check_axi(axi_bits: int, type: QuantType) -> None:
    """Raise ValueError unless ``axi_bits`` is a width of AXI4-Stream data that holds elements of ``type``."""
    legal = axi_bits in (8, 16, 32, 64, 128, 256, 512, 1024)
    require(legal, f"axi_bits={axi_bits} is no power of two from 8 to 1024")
    require(type.storage_bits <= axi_bits, f"{type} elements do not fit words of {axi_bits} bits")


def words_per_frame(elements: int, type: QuantType, axi_bits: int) -> int:
    """AXI words of ``elements`` elements, the last one filled up."""
    return -(-elements * type.storage_bits // axi_bits)


def words_from_frames(frames: IntArray, type: QuantType, axi_bits: int) -> Beats:
    """Elements (images, ...) of ``type`` as AXI words: bytes 0..255, int16, shape (images, words, axi_bits / 8).

    Elements are sign-extended to ``type.storage_bits`` and stand one after the other, least significant bits first;
    every image starts a new word, and the tail of its last one is zero.
    """
    flat = frames.reshape(len(frames), -1)
    words = words_per_frame(flat.shape[1], type, axi_bits)
    bits = type.storage_bits
    stored = type if type.bipolar else QuantType(bits, type.signed)
    padded = np.zeros((len(flat), words * (axi_bits // bits)), np.uint64)
    padded[:, : flat.shape[1]] = stored.encode(flat)
    if bits < 8:
        per_byte = padded.reshape(len(flat), -1, 8 // bits) << np.arange(0, 8, bits, dtype=np.uint64)
        data: npt.NDArray[np.uint8] = np.bitwise_or.reduce(per_byte, axis=2).astype(np.uint8)
    else:
        data = padded.astype(f"<u{bits // 8}").view(np.uint8)
    return data.reshape(len(flat), words, axi_bits // 8).astype(np.int16)


def frames_from_words(words: Beats, shape: tuple[int, ...], type: QuantType) -> IntArray:
    """Inverse of ``words_from_frames``: elements of shape (images, *shape), dtype ``type.dtype``."""
    data = np.ascontiguousarray(words.reshape(len(words), -1).astype(np.uint8))
    bits = type.storage_bits
    if bits < 8:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        stored = (data[:, :, None] >> shifts & np.uint8((1 << bits) - 1)).reshape(len(data), -1)
    else:
        stored = data.view(f"<u{bits // 8}")
    elements = stored[:, : int(np.prod(shape))].astype(np.uint64)
    if not type.bipolar:
        elements &= np.uint64(0xFFFFFFFFFFFFFFFF >> (64 - type.bits))
    return type.decode(elements).astype(type.dtype).reshape(len(words), *shape)
