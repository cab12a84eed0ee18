"""How the elementwise kernels compute in SystemVerilog: parameters of channels, products with constants, rounding.

Everything here is derived from an exact unit and states the same arithmetic in other shapes (ip_repo/requant_*.sv):
a clip that no result depends on is left out, a shift per channel goes into the channel's factor, products in two parts
become one. Integers are Python's, for factors may exceed 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hlsgen.exact.units import MANTISSA_BITS, Interval
from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import MemoryImage

METHOD_DSP, METHOD_ROWS, METHOD_TABLES = range(3)
"""How products are made; the constants METHOD of the SystemVerilog."""

ROUNDING_FLOAT = 8
"""The constant ROUNDING of requant_round.sv for what a float32 multiply and round-half-even give."""

PART_BITS = 17
"""Unsigned bits that a multiplier's narrower port takes of a factor."""

_WIDE_PORT = 25
_INT = 1 << 31
_FIRST_GROUP, _GROUP = 6, 5
FLOAT_NEAR_BITS = 23
"""Signed bits of the numbers among which requant_round.sv knows float32's ties: below 2**22."""


@dataclass(frozen=True)
class Field:
    """A parameter of a channel: ``bits`` wide; for each pass its value for every channel, or a single one for all."""

    bits: int
    passes: tuple[Sequence[int], ...]

    @property
    def per_channel(self) -> bool:
        """Whether channels differ."""
        return any(len(values) > 1 for values in self.passes)

    @property
    def varies(self) -> bool:
        """Whether it is a column of the ROM: not one small number for all channels and passes."""
        first = self.passes[0][0]
        return self.per_channel or any(values[0] != first for values in self.passes) or not -_INT <= first < _INT


def field(values: Sequence[int], signed: bool = True) -> Field:
    """A parameter with the least bits, the same in all passes. ``values``: one per channel or a single one."""
    return Field(bits_of(min(values), max(values)) if signed else max(1, max(values).bit_length()), (values,))


def field_parameters(fields: Sequence[Field], channels: int, lanes: int) -> dict[str, int | str | tuple[int, ...]]:
    """Parameters of requant_channels.sv."""
    return {
        "TILES": channels // lanes if any(f.per_channel for f in fields) else 1,
        "BITS": tuple(f.bits for f in fields),
        "VARIES": tuple(int(f.varies) for f in fields),
        "VALUE": tuple(0 if f.varies else f.passes[0][0] for f in fields),
    }


def field_memories(fields: Sequence[Field], channels: int, lanes: int, passes: int) -> list[MemoryImage]:
    """The ROM of requant_channels.sv, or nothing if no field varies.

    The words of all channel tiles for the first pass, as many as the next power of two (2 at least) if there is another
    pass, then those for the second.
    """
    columns = [f for f in fields if f.varies]
    if not columns:
        return []
    tiles = channels // lanes if any(f.per_channel for f in columns) else 1
    padded = 1 << max(1, (tiles - 1).bit_length())
    words = []
    for number in range(passes):
        for tile in range(padded if number < passes - 1 else tiles):
            word = at = 0
            for lane in range(lanes):
                for column in columns:
                    values = column.passes[number % len(column.passes)]
                    value = values[(tile % tiles * lanes + lane) % len(values)]
                    word |= (value & ((1 << column.bits) - 1)) << at
                    at += column.bits
            words.append(word)
    return [MemoryImage("channels", lanes * sum(column.bits for column in columns), words)]


def parts(operand_bits: int, factor_bits: int) -> int:
    """Multipliers of 25x18 bits for a product of signed operands, as requant_product.sv cuts the factor."""
    narrow, wide = sorted((operand_bits, factor_bits))
    if narrow <= PART_BITS + 1 and wide <= _WIDE_PORT:
        return 1
    return -(-(factor_bits - 1) // PART_BITS)


def factor_field(values: Sequence[int], shared: bool) -> Field:
    """The factor; if one multiplier serves two parts, the lower one in the first pass, the upper in the second."""
    if not shared:
        return field(values)
    mask = (1 << PART_BITS) - 1
    return Field(PART_BITS + 1, ([v & mask for v in values], [v >> PART_BITS for v in values]))


def product_latency(method: int, operand_bits: int, factor_bits: int, count: int, shared: bool) -> int:
    """Cycles from operand to sum. ``count``: parts of the factor, which two passes may share a multiplier for."""
    if method == METHOD_DSP:
        return 3 if shared else count + 1
    return rows_latency(factor_bits) if method == METHOD_ROWS else table_groups(operand_bits)


def rows_latency(factor_bits: int) -> int:
    """Cycles of requant_rows.sv: two rows of two bits each per cycle."""
    return (factor_bits + 3) // 4


def table_groups(bits: int, first: int = _FIRST_GROUP) -> int:
    """Groups of input bits in requant_tables.sv, which are its cycles."""
    return 1 + max(0, -(-(bits - first) // _GROUP))


def tables(
    weights: Sequence[Interval],
    start: int,
    sum_bits: int,
    first: int = _FIRST_GROUP,
    lookup: Sequence[int] = (0,),
) -> MemoryImage:
    """The memory of requant_tables.sv.

    ``weights``: what each input bit contributes when it is 0 and when it is 1. ``lookup``: what the lowest bits
    contribute together, besides, by their number; there are no more than ``first`` of them.
    """
    words = []
    at = 0
    for number in range(table_groups(len(weights), first)):
        group = weights[at : at + (_GROUP if number else first)]
        at += _GROUP if number else first
        for index in range(1 << (_GROUP if number else first)):
            total = sum(pair[index >> bit & 1] for bit, pair in enumerate(group))
            total += 0 if number else start + lookup[index % len(lookup)]
            words.append(total & ((1 << sum_bits) - 1))
    return MemoryImage("tables", sum_bits, words)


def wire_weights(type: QuantType, factor: int) -> list[Interval]:
    """Contributions of the bits of an element of ``type`` to its product with ``factor``, for ``tables``."""
    return [(-factor, factor)] if type.bipolar else bit_weights(type.bits, type.signed, factor)


def bit_weights(bits: int, signed: bool, factor: int) -> list[Interval]:
    """Contributions of an operand's bits to its product with ``factor``, for ``tables``."""
    weights = [(0, factor << bit) for bit in range(bits)]
    if signed:
        weights[-1] = (0, -(factor << (bits - 1)))
    return weights


def bits_of(lo: int, hi: int) -> int:
    """Bits of the smallest signed type that holds ``lo``..``hi``."""
    return max((~lo if lo < 0 else lo).bit_length(), (~hi if hi < 0 else hi).bit_length()) + 1


def near_bits(results: Interval, zero_point: int) -> int:
    """Signed bits of the rounded values that do not clamp, and one more on either side."""
    return bits_of(results[0] - zero_point - 1, results[1] - zero_point + 1)


def round_float32(product: int, shift: int) -> int:
    """``rint(float32(product / 2**shift))``: 24 significant bits, half to even, then an integer, half to even."""
    extra = max(0, abs(product).bit_length() - MANTISSA_BITS)
    return _half_even(_half_even(product, extra) << extra, shift)


def _half_even(value: int, shift: int) -> int:
    if shift == 0:
        return value
    return (value + (1 << (shift - 1)) - 1 + (value >> shift & 1)) >> shift
