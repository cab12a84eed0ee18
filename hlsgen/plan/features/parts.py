"""What kernels are counted in, and parts that several of them have: queues, counters, ROMs, adder trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from hlsgen.board import Family
from hlsgen.kernels.base import RamStyle
from hlsgen.plan.features.contents import Columns
from hlsgen.plan.primitives import (
    Use,
    bits_for,
    block_banks,
    block_ram,
    interpolate,
    lut_ram,
    rom_luts,
    shift_register,
)


@dataclass
class Features:
    """``variant``: whose coefficients to use. ``exact`` is taken as it is, ``lut`` and ``ff`` are weighed."""

    variant: str
    exact: Use = field(default_factory=Use)
    lut: dict[str, float] = field(default_factory=lambda: {"one": 1.0})
    ff: dict[str, float] = field(default_factory=lambda: {"one": 1.0})

    def add(self, name: str, lut: float = 0.0, ff: float = 0.0) -> None:
        """Count more of a feature, in LUTs, in flip-flops or in both, as if its coefficient were 1."""
        for amounts, amount in ((self.lut, lut), (self.ff, ff)):
            if amount:
                amounts[name] = amounts.get(name, 0.0) + amount

    def take(self, use: Use) -> None:
        """Add to what is known exactly."""
        self.exact += use

    def merge(self, part: Features, count: int) -> None:
        """Count all of ``part`` that many times."""
        for name, amount in part.lut.items():
            self.add(name, lut=count * amount)
        for name, amount in part.ff.items():
            self.add(name, ff=count * amount)
        self.take(part.exact * count)


def queue(features: Features, width: int, depth: int, family: Family) -> None:
    """Add ``hlsgen_queue``."""
    address, count = bits_for(depth), bits_for(depth + 1)
    features.take(lut_ram(width, 1 << address, family))
    features.add("queue addresses", lut=2 * address, ff=3 * address)
    features.add("queue counts", lut=2 * count, ff=2 * count + 2)


def small_fifo(features: Features, width: int, family: Family) -> None:
    """Add ``hlsgen_fifo`` of two beats."""
    features.take(lut_ram(width, 2, family))
    features.add("fifos", lut=8, ff=8)


def counter(features: Features, count: int, name: str = "counters") -> None:
    """Add a counter that runs through ``count`` values."""
    bits = bits_for(count)
    features.add(name, lut=bits, ff=bits)


def chain(features: Features, name: str, bits: float, registers: int) -> None:
    """Add ``registers`` in a row of ``bits`` each, of which nothing reads but the last: from three on in LUTs."""
    if registers < 3:
        features.add(name, ff=bits * max(0, registers))
    else:
        luts = round(bits) * -(-registers // 32)
        features.take(Use(lut=luts, lutram=luts))


MULTIPLEXERS = ((1, 0.0), (2, 1.0), (4, 1.0), (5, 2.0), (6, 2.0), (8, 3.0), (9, 5.0), (16, 7.5), (32, 13.5), (64, 37.0))
"""Inputs of a multiplexer and LUTs per bit that Yosys takes for it (without MUXF7 it is far from the least)."""


def multiplexer(inputs: int) -> float:
    """LUTs per bit of a multiplexer, between the sizes measured in proportion."""
    return interpolate(inputs, MULTIPLEXERS)


def bank_luts(words: int) -> int:
    """LUTs per bit that choose among the 64-word banks of a distributed RAM."""
    return -(-(-(-words // 64) - 1) // 3)


def rom(features: Features, name: str, width: int, words: int, style: RamStyle) -> None:
    """Add a ROM with a registered output. A single word is a constant, which takes nothing here."""
    if words == 1:
        return
    if style is RamStyle.BLOCK:
        features.take(block_ram(width, words))
        banks = block_banks(width, words)
        if banks > 1:
            features.add(f"{name} banks", lut=width * -(-(banks - 1) // 3), ff=bits_for(banks))
    else:
        for size, share in rom_luts(words):
            features.add(f"{name} rom of {size}", lut=width * share)
        features.add(f"{name} rom", ff=width)


MANY = 30
"""Columns beyond which a deep ROM's share so much that the next ones cost less."""

COLUMN_LUTS = (0.0, 0.0, 0.1, 0.6, 1.0, 1.3, 2.4)
"""LUTs per distinct column of a ROM of 2**n words that a counter addresses: resets and sharing do the rest of a few."""


def known_rom(features: Features, name: str, columns: Columns, urgent: bool = False) -> None:
    """Add a ROM of LUTs whose contents are known and which a counter addresses.

    A LUT6 for each 64 words would do. Where the ROM is not ``urgent``, because longer paths set the clock, Yosys'
    mapper rather makes the columns of functions of a few address bits that they share, the more the deeper the ROM.
    """
    size = bits_for(columns.words)
    filled = columns.words / (1 << size) * 2 - 1  # of the upper half of the addresses
    for bits, exact in columns.inputs.items():
        count = float(exact)
        each = COLUMN_LUTS[min(bits, 6)] * (1 << max(0, bits - 6))
        if urgent:
            each = min(each, float(1 << max(0, bits - 6)))
        elif 4 < bits == size:
            half = COLUMN_LUTS[min(bits - 1, 6)] * (1 << max(0, bits - 7))
            each = half + (each - half) * filled
        if bits > 5 and not urgent:
            count = min(count, MANY) + 0.6 * max(0, count - MANY)
        features.add(f"{name} rom of {1 << bits}", lut=count * each)
    if size > 4 and not urgent:
        share = 0.3 * filled if size == 5 else 0.3 + 0.3 * filled if size == 6 else 0.6
        features.add(f"rom functions of {1 << size}", lut=columns.shared * share)
    features.add("rom registers", ff=columns.distinct)


def adder_tree(features: Features, count: int, largest: Sequence[int], out_bits: int, inverted: bool = False) -> None:
    """Add ``count`` times ``hlsgen_adder_tree``. ``largest``: the terms' largest values.

    ``inverted``: two terms are added as three.
    """
    features.merge(_tree(tuple(largest), out_bits, inverted), count)


@cache
def _tree(largest: tuple[int, ...], out_bits: int, inverted: bool) -> Features:
    """One ``hlsgen_adder_tree``."""
    features = Features("", lut={}, ff={})
    passed = [0] * len(largest)  # levels through which a term has come as it is
    terms = list(largest)
    while len(terms) > 1:
        groups = [terms[i : i + 3] for i in range(0, len(terms), 3)]
        runs = [max(passed[i : i + 3]) for i in range(0, len(terms), 3)]
        passed = []
        for group, run in zip(groups, runs, strict=True):
            bits = min(sum(group).bit_length(), out_bits)
            if len(group) == 1:
                passed.append(run + 1)
                continue
            passed_term(features, bits, run)
            kind = "three" if len(group) == 3 or inverted else "two"
            features.add(f"{kind}-term adders", lut=bits, ff=bits)
            passed.append(0)
        terms = [sum(group) for group in groups]
    passed_term(features, min(terms[0].bit_length(), out_bits), passed[0])
    return features


def passed_term(features: Features, bits: int, levels: int) -> None:
    """Add the registers of a term that comes through ``levels`` of a tree as it is."""
    use = shift_register(bits, levels)
    features.take(Use(lut=use.lut, lutram=use.lutram))
    features.add("passed terms", ff=use.ff)


def dsps(a: int, b: int) -> int:
    """DSP blocks of a product of signed operands of ``a`` and ``b`` bits; below 9 bits Yosys makes it of LUTs."""
    if a + b < 9:
        return 0
    return min(-(-(a - 1) // 24) * -(-(b - 1) // 17), -(-(b - 1) // 24) * -(-(a - 1) // 17))
