"""How elements lie in AXI4-Stream words: shared by ``unpack``, ``pack`` and the driver's golden vectors.

An image's elements follow each other in H, W, C order, each in its type's ``storage_bits`` (sign-extended), least
significant bits first; the tail of the last word is zero, so every image starts on a word.
"""

from __future__ import annotations

import numpy as np

from hlsgen.graph.graph import Frame
from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, require

WORD = np.int16
"""NumPy type of a word's bytes in ``Beats``: signed, as all stream values are."""


def words(elements: int, type: QuantType, axi_bits: int) -> int:
    """AXI words of one image of ``elements`` elements."""
    return -(-elements * type.storage_bits // axi_bits)


def words_from_frames(frames: IntArray, type: QuantType, axi_bits: int) -> Beats:
    """Frames (N, H, W, C) of ``type`` -> bytes of AXI words (N, words, axi_bits / 8), values 0..255."""
    flat = frames.reshape(len(frames), -1)
    bits = type.storage_bits
    storage = type if type.bipolar else QuantType(bits, type.signed)
    if bits >= 8:
        octets = storage.encode(flat).astype(f"<u{bits // 8}").view(np.uint8)
    else:
        per_byte = 8 // bits
        padded = np.zeros((len(flat), -(-flat.shape[1] // per_byte) * per_byte), np.uint8)
        padded[:, : flat.shape[1]] = storage.encode(flat)
        parts = padded.reshape(len(flat), -1, per_byte) << (np.arange(per_byte, dtype=np.uint8) * np.uint8(bits))
        octets = np.bitwise_or.reduce(parts, axis=2)
    count = words(flat.shape[1], type, axi_bits)
    out = np.zeros((len(flat), count * axi_bits // 8), WORD)
    out[:, : octets.shape[1]] = octets
    return out.reshape(len(flat), count, axi_bits // 8)


def frames_from_words(beats: Beats, shape: Frame, type: QuantType) -> IntArray:
    """Bytes of AXI words (N, words, bytes) -> frames (N, H, W, C); the tail is ignored."""
    elements = shape[0] * shape[1] * shape[2]
    bits = type.storage_bits
    octets = np.ascontiguousarray(beats.reshape(len(beats), -1).astype(np.uint8))
    if bits >= 8:
        size = bits // 8
        wires = octets[:, : elements * size].copy().view(f"<u{size}").astype(np.uint64)
    else:
        per_byte = 8 // bits
        shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(bits)
        wires = ((octets[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(len(octets), -1)[:, :elements]
    mask = np.uint64(0xFFFFFFFFFFFFFFFF >> (64 - type.bits))
    return type.decode(wires.astype(np.uint64) & mask).astype(type.dtype).reshape(len(beats), *shape)


def require_axi(axi_bits: int) -> None:
    """Raise ValueError unless ``axi_bits`` is a width the AXI DMA has: 8 to 1024, a power of two."""
    require(8 <= axi_bits <= 1024 and axi_bits & (axi_bits - 1) == 0, f"axi_bits={axi_bits} is no AXI4-Stream width")
