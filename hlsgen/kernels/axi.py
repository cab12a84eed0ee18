"""How elements lie in AXI4-Stream words: shared by ``unpack``, ``pack`` and whoever feeds or reads an accelerator.

An image's elements follow each other in H, W, C order, each in its type's ``storage_bits`` (sign-extended), least
significant bits first; the tail of the last word is zero, so every image starts on a word.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, Counts, require


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


def last_steps(needs: Counts, beats: int) -> Counts:
    """``InputTiming.frees`` of a kernel that takes beat j, of ``beats``, while the last step without it issues."""
    return np.searchsorted(needs, np.arange(beats), side="right") - 1
