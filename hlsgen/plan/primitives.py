"""Primitives of the devices: what a kernel takes of them, and how memories are made of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

import numpy as np

from hlsgen.board import Family


@dataclass(frozen=True)
class Use:
    """Primitives taken. ``lut``: LUT1..LUT6 and LUTs used as RAM or SRL, ``lutram`` of them the latter."""

    lut: int = 0
    lutram: int = 0
    ff: int = 0
    dsp: int = 0
    ramb18: int = 0
    ramb36: int = 0
    uram: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(
            self.lut + other.lut,
            self.lutram + other.lutram,
            self.ff + other.ff,
            self.dsp + other.dsp,
            self.ramb18 + other.ramb18,
            self.ramb36 + other.ramb36,
            self.uram + other.uram,
        )

    def __mul__(self, count: int) -> Use:
        return Use(*(getattr(self, item.name) * count for item in fields(Use)))


def block_ram(width: int, words: int) -> Use:
    """Block RAMs of a memory with at most one write and one read port, as Yosys' memory_libmap chooses them."""
    return _block_shape(width, words)[0]


def block_banks(width: int, words: int) -> int:
    """Block RAMs one above the other, among whose outputs LUTs choose."""
    return _block_shape(width, words)[1]


def banked_block_ram(banks: int, width: int, words: int) -> Use:
    """Block RAMs of a memory whose words are ``banks`` parts of ``width`` bits with a write enable each.

    An enable governs whole bytes of 9 bits, or a whole block RAM narrower than that.
    """
    if banks == 1:
        return block_ram(width, words)
    best = (1 << 60, Use())
    for size, bits in [*((size, bits) for bits in (1, 2, 4, 9, 18, 36) for size in (14, 15)), (15, 72)]:
        stacked = -(-words // ((1 << size) // (bits - bits // 9)))
        across = banks * -(-width // bits) if bits < 9 else -(-banks * -(-width // 9) * 9 // bits)
        count = across * stacked
        use = Use(ramb18=count) if size == 14 else Use(ramb36=count)
        best = min(best, (count * (129 if size == 14 else 257), use), key=lambda entry: entry[0])
    return best[1]


@cache
def _block_shape(width: int, words: int) -> tuple[Use, int]:
    """The cheapest of all shapes (a RAMB18 costs 129, a RAMB36 257), the whole memory in one: use and banks."""
    best = (1 << 60, Use(), 0)
    for size, bits in [*((size, bits) for bits in (1, 2, 4, 9, 18, 36) for size in (14, 15)), (15, 72)]:
        banks = -(-words // ((1 << size) // (bits - bits // 9)))  # a parity bit for each eight
        count = -(-width // bits) * banks
        use = Use(ramb18=count) if size == 14 else Use(ramb36=count)
        best = min(best, (count * (129 if size == 14 else 257), use, banks), key=lambda entry: entry[0])
    return best[1], best[2]


def lut_ram(width: int, words: int, family: Family) -> Use:
    """LUTs of a distributed RAM with a write and a read port: in fours, 32 words of 6 bits or 64 words of 3.

    On UltraScale+ in eights, 32 words of 14 bits or 64 words of 7.
    """
    per_slice, bits = (4, 6) if family is Family.ZYNQ_7000 else (8, 14)
    if words > 32:
        bits //= 2
    luts = per_slice * -(-width // bits) * -(-words // 64)
    return Use(lut=luts, lutram=luts)


def bits_for(count: int) -> int:
    """``$clog2(count)``: bits that count 0..count-1."""
    return (count - 1).bit_length()


def shift_register(bits: int, cycles: int) -> Use:
    """A delay without reset: flip-flops for one or two cycles, LUTs as shift registers of up to 32 for more."""
    if cycles < 3:
        return Use(ff=bits * max(0, cycles))
    luts = bits * -(-cycles // 32)
    return Use(lut=luts, lutram=luts)


ROM_LUTS = ((4, 0.1), (8, 0.5), (16, 0.7), (32, 0.9), (64, 3.3), (128, 7.4), (256, 15.6), (512, 29.5), (1024, 69.0))
"""Words of a ROM and LUTs per bit that Yosys takes for it where a counter addresses it and the contents are random.

A LUT6 for each 64 words would do; next to carry chains Yosys' mapper does not find it.
"""


def rom_luts(words: int) -> list[tuple[int, float]]:
    """LUTs per bit of a ROM: in proportion between the next smaller and the next larger size measured, a share each."""
    sizes = [size for size, _ in ROM_LUTS]
    at = min(max(words, sizes[0]), sizes[-1])
    larger = next(size for size in sizes if size >= at)
    smaller = max((size for size in sizes if size <= at), default=larger)
    table = dict(ROM_LUTS)
    if larger == smaller:
        return [(larger, table[larger])]
    share = (at - smaller) / (larger - smaller)
    return [(smaller, (1 - share) * table[smaller]), (larger, share * table[larger])]


def interpolate(x: int, points: tuple[tuple[int, float], ...]) -> float:
    """The piecewise linear function through ``points``, constant outside."""
    return float(np.interp(x, [at for at, _ in points], [value for _, value in points]))
