"""What kernels are counted in, and parts that several of them have: queues, counters, ROMs, adder trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from hlsgen.board import Family
from hlsgen.kernels.base import RamStyle
from hlsgen.plan.features.contents import Columns
from hlsgen.plan.lookup import LUT_WORDS, SLICE_WORDS
from hlsgen.plan.primitives import (
    Use,
    bits_for,
    block_ram,
    lut_ram,
    multiplexer,
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


def bank_luts(words: int) -> int:
    """LUTs per bit that choose among the 64-word banks of a distributed RAM."""
    return -(-(-(-words // 64) - 1) // 3)


def rom(features: Features, name: str, width: int, words: int, style: RamStyle, read: range | None = None) -> None:
    """Add a ROM with a registered output, of which the bits ``read`` of a word are used, or all.

    A single word is a constant, which takes nothing here.
    """
    if words == 1:
        return
    if style is RamStyle.BLOCK:
        use, banks = block_ram(width, words, read_only=True, read=read)
        features.take(use)
        if banks > 1:
            used = width if read is None else len(read)
            features.add(f"{name} banks", lut=used * -(-(banks - 1) // 3), ff=bits_for(banks))
    else:
        each = -(-words // LUT_WORDS) + multiplexer(-(-words // SLICE_WORDS))
        features.add(f"{name} rom", lut=width * each, ff=width)


def known_rom(features: Features, name: str, columns: Columns) -> None:
    """Add a ROM of LUTs whose contents are known."""
    features.add(f"{name} rom", lut=columns.rom_luts, ff=columns.distinct)


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


SMALLEST_IN_DSP = 9
"""Bits of a product below which Yosys makes it of LUTs."""


def dsps(a: int, b: int) -> int:
    """DSP blocks of a product of signed operands of ``a`` and ``b`` bits."""
    if a + b < SMALLEST_IN_DSP:
        return 0
    return min(-(-(a - 1) // 24) * -(-(b - 1) // 17), -(-(b - 1) // 24) * -(-(a - 1) // 17))
