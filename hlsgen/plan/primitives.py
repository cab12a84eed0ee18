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


@cache
def block_ram(
    width: int, words: int, parts: int = 1, read_only: bool = False, read: range | None = None
) -> tuple[Use, int]:
    """Block RAMs of a memory with at most one write and one read port, as Yosys' memory_libmap chooses them.

    Its words are ``parts`` of ``width`` bits with a write enable each. With them, the banks of words among whose
    outputs LUTs choose: all banks stand side by side in the words of the block RAMs, for an enable governs bytes of 9
    bits (or a whole block RAM narrower than that). Block RAMs without any of the bits ``read`` (default: all) are left
    out.
    """
    best = (1 << 60, 14, 1, 0, 0)
    # a RAMB18 costs 129, a RAMB36 257
    for size, bits in [*((size, bits) for bits in (1, 2, 4, 9, 18, 36) for size in (14, 15)), (15, 72)]:
        banks = -(-words // ((1 << size) // (bits - bits // 9)))  # a parity bit for each eight
        if read_only or parts * banks == 1:
            count = -(-banks * parts * width // bits)
        elif bits < 9:
            count = banks * parts * -(-width // bits)
        else:
            count = -(-banks * parts * -(-width // 9) * 9 // bits)
        cost = count * (129 if size == 14 else 257)
        best = min(best, (cost, size, bits, banks, count), key=lambda entry: entry[0])
    _, size, bits, banks, count = best
    if read is not None:
        count = len({(bank * width + bit) // bits for bank in range(banks) for bit in read})
    return Use(ramb18=count) if size == 14 else Use(ramb36=count), banks


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


def interpolate(x: int, points: tuple[tuple[int, float], ...]) -> float:
    """The piecewise linear function through ``points``, constant outside."""
    return float(np.interp(x, [at for at, _ in points], [value for _, value in points]))


MULTIPLEXERS = (
    *((1, 0.0), (2, 1.0), (4, 1.0), (5, 2.0), (6, 2.0), (8, 3.0), (9, 5.0), (10, 5.2), (11, 6.0), (12, 5.4)),
    *((13, 5.5), (14, 6.2), (16, 7.2), (24, 10.0), (32, 13.5), (64, 37.0)),
)
"""Inputs of a multiplexer and LUTs per bit that Yosys takes for it (far from the least, without wide multiplexers)."""


def multiplexer(inputs: int) -> float:
    """LUTs per bit of a multiplexer, between the sizes measured in proportion."""
    return interpolate(inputs, MULTIPLEXERS)


def multiplexer_tree(inputs: int) -> int:
    """LUTs per bit of ``hlsgen_multiplexer``: one for two to four words, and of what they choose in the same way."""
    luts = 0
    while inputs > 1:
        luts += inputs // 4 + (inputs % 4 > 1)
        inputs = -(-inputs // 4)
    return luts
