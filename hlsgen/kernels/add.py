"""Add: the sum of two frames, scaled and rounded by an exact integer unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from hlsgen.exact.units import FloatJoinUnit, JoinUnit, LinearJoinUnit
from hlsgen.graph.graph import Frame
from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Memory, MemoryImage, require
from hlsgen.kernels.channels import (
    ROUNDINGS,
    Elementwise,
    by_channel,
    channel_memory,
    check_channels,
    check_domain,
    check_frame,
    range_type,
    signed_type,
    table_memory,
)
from hlsgen.kernels.datapath import (
    METHOD_DSP,
    METHOD_ROWS,
    METHOD_TABLES,
    ROUNDING_FLOAT,
    Field,
    bits_of,
    field,
    field_memories,
    field_parameters,
    near_bits,
    parts,
    product_latency,
    table_groups,
    tables,
    wire_weights,
)
from hlsgen.kernels.dot_array import Mac

UNITS: dict[type[JoinUnit], int] = {LinearJoinUnit: 0, FloatJoinUnit: 1}
"""The C++ constants of templates/hls/add.hpp."""


@dataclass(frozen=True, eq=False)
class Add(Elementwise):
    """``y = unit(a, b)`` for every element of two frames (H, W, C), ``lanes`` channels per beat.

    All types may be bipolar. ``golden`` raises ValueError for inputs outside the unit's domains. ``mac`` (SystemVerilog
    only): DSP blocks multiply, or LUTs.
    """

    kind: ClassVar[str] = "add"

    frame: Frame
    lanes: int
    a_type: QuantType
    b_type: QuantType
    output_type: QuantType
    unit: JoinUnit
    mac: Mac = Mac.DSP

    def __post_init__(self) -> None:
        check_frame(self.frame, self.lanes)
        require(type(self.unit) in UNITS, f"add has no unit {self.unit.kind}")
        for domain, type_ in ((self.unit.domain_a, self.a_type), (self.unit.domain_b, self.b_type)):
            require(type_.contains(*domain), f"the unit's domain {domain} exceeds {type_}")
        if isinstance(self.unit, LinearJoinUnit):
            for name, values in (("mul_a", self.unit.mul_a), ("mul_b", self.unit.mul_b), ("add", self.unit.add)):
                check_channels(name, values, self.frame[2])
        results = self.unit.lo, self.unit.hi
        require(self.output_type.contains(*results), f"results {results} do not fit {self.output_type}")
        require(self.mac in (Mac.DSP, Mac.LUT), f"add does not multiply by {self.mac.name}")

    @property
    def operand_types(self) -> tuple[QuantType, ...]:
        return (self.a_type, self.b_type)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        a, b = inputs
        check_domain(a, self.unit.domain_a)
        check_domain(b, self.unit.domain_b)
        y = self.unit.evaluate(by_channel(a, self.frame[2]), by_channel(b, self.frame[2]))
        return (y.reshape(a.shape).astype(self.output_type.dtype),)

    def constants(self) -> dict[str, int]:
        return {
            "PIXELS": self.frame[0] * self.frame[1],
            "TILES": self.frame[2] // self.lanes,
            "LANES": self.lanes,
            "A_BIPOLAR": int(self.a_type.bipolar),
            "B_BIPOLAR": int(self.b_type.bipolar),
            "OUTPUT_BIPOLAR": int(self.output_type.bipolar),
            "UNIT": UNITS[type(self.unit)],
            "LO": self.unit.lo,
            "HI": self.unit.hi,
            "SHIFT": self.unit.shift,
            **_constants(self.unit),
        }

    def types(self) -> dict[str, QuantType]:
        signals = self.unit.signals()
        types = {
            "a_t": self.a_type,
            "b_t": self.b_type,
            "output_t": self.output_type,
            "sum_t": signed_type(*signals["sum"]),
            "rounded_t": signed_type(*signals["rounded"]),
        }
        match self.unit:
            case LinearJoinUnit(mul_a=mul_a, mul_b=mul_b):
                return {**types, "mul_a_t": range_type(mul_a), "mul_b_t": range_type(mul_b)}
            case FloatJoinUnit(mul_a=factor):
                return {**types, "mul_a_t": QuantType.for_range(factor, factor)}
        raise TypeError(f"add has no unit {self.unit.kind}")

    def memories(self) -> Sequence[Memory]:
        match self.unit:
            case LinearJoinUnit(mul_a=mul_a, mul_b=mul_b, add=add):
                parameters = {"mul_a": mul_a, "mul_b": mul_b, "add": add}
                return [channel_memory(name, values, self.lanes) for name, values in parameters.items()]
            case FloatJoinUnit(b_term=b_term):
                return (table_memory("b_term", b_term[None], self.lanes),)
        raise TypeError(f"add has no unit {self.unit.kind}")

    @property
    def latency(self) -> int:
        """Input register, sum, rounding in three cycles, output queue."""
        a_bits, b_bits = (bits_of(*domain) for domain in (self.unit.domain_a, self.unit.domain_b))
        if self._method == METHOD_TABLES:
            total = table_groups(self.a_type.bits + self.b_type.bits, self._first_group)
        else:
            a, b, _ = self._fields
            total = product_latency(self._method, a_bits, a.bits, parts(a_bits, a.bits), shared=False)
            if isinstance(self.unit, LinearJoinUnit):
                total += product_latency(self._method, b_bits, b.bits, parts(b_bits, b.bits), shared=False)
        return total + 5

    @property
    def dsps(self) -> int:
        """Multipliers of 25x18 bits in the SystemVerilog form; none for a single multiplier that is a power of two."""
        if self._method != METHOD_DSP:
            return 0
        domains = (self.unit.domain_a, self.unit.domain_b)[: 2 if isinstance(self.unit, LinearJoinUnit) else 1]
        count = 0
        for domain, mul in zip(domains, self._fields, strict=False):
            if mul.per_channel or abs(mul.passes[0][0]).bit_count() > 1:
                count += parts(bits_of(*domain), mul.bits)
        return self.lanes * count

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        a_bits, b_bits = (bits_of(*domain) for domain in (self.unit.domain_a, self.unit.domain_b))
        unit, (a, b, _) = self.unit, self._fields
        linear = isinstance(unit, LinearJoinUnit)
        drop, zero_point = (unit.drop, unit.zero_point) if isinstance(unit, LinearJoinUnit) else (0, 0)
        parameters: dict[str, int | str | tuple[int, ...]] = {
            "UNIT": UNITS[type(unit)],
            "LANES": self.lanes,
            "A_BITS": self.a_type.bits,
            "A_BIPOLAR": int(self.a_type.bipolar),
            "A_X_BITS": a_bits,
            "B_BITS": self.b_type.bits,
            "B_BIPOLAR": int(self.b_type.bipolar),
            "B_X_BITS": b_bits,
            "OUTPUT_BITS": self.output_type.bits,
            "OUTPUT_BIPOLAR": int(self.output_type.bipolar),
            "METHOD": self._method,
            **field_parameters(self._fields, self.frame[2], self.lanes),
            "SUM_BITS": self._sum_bits,
            "DROP": drop,
            "SHIFT": unit.shift,
            "ROUNDING": ROUNDINGS[unit.rounding] if isinstance(unit, LinearJoinUnit) else ROUNDING_FLOAT,
            "ZERO_POINT": zero_point,
            "NEAR_BITS": min(near_bits((unit.lo, unit.hi), zero_point), self._sum_bits - drop - unit.shift),
            "LO": unit.lo,
            "HI": unit.hi,
        }
        if self._method == METHOD_DSP:
            parameters |= {"A_PARTS": parts(a_bits, a.bits), "B_PARTS": parts(b_bits, b.bits) if linear else 1}
        if self._method == METHOD_TABLES:
            parameters["FIRST"] = self._first_group
        elif not linear:
            parameters["TERM_BITS"] = bits_of(min(self._terms), max(self._terms))
        return parameters

    def rtl_memories(self) -> Sequence[MemoryImage]:
        channels = field_memories(self._fields, self.frame[2], self.lanes, passes=1)
        bits = self._sum_bits
        match self.unit:
            case LinearJoinUnit(mul_a=mul_a, mul_b=mul_b, add=add) if self._method == METHOD_TABLES:
                weights = wire_weights(self.b_type, int(mul_b[0])) + wire_weights(self.a_type, int(mul_a[0]))
                start = int(add[0]) if len(add) == 1 else 0
                return [*channels, tables(weights, start, bits, self._first_group)]
            case FloatJoinUnit(mul_a=factor) if self._method == METHOD_TABLES:
                weights = [(0, 0)] * self.b_type.bits + wire_weights(self.a_type, factor)
                return [*channels, tables(weights, 0, bits, self._first_group, self._terms)]
            case FloatJoinUnit():
                term_bits = bits_of(min(self._terms), max(self._terms))
                mask = (1 << term_bits) - 1
                return [*channels, MemoryImage("b_term", term_bits, [term & mask for term in self._terms])]
        return channels

    @property
    def _method(self) -> int:
        """How the products are made; tables need multipliers that all channels share."""
        if self.mac is Mac.DSP:
            return METHOD_DSP
        unit = self.unit
        single = not isinstance(unit, LinearJoinUnit) or len(unit.mul_a) == len(unit.mul_b) == 1
        return METHOD_TABLES if single else METHOD_ROWS

    @property
    def _first_group(self) -> int:
        """Input bits of the first table; a float join looks up all of b in it."""
        return max(6, self.b_type.bits) if isinstance(self.unit, FloatJoinUnit) else 6

    @cached_property
    def _fields(self) -> tuple[Field, Field, Field]:
        """mul_a, mul_b and add, where they are not in tables."""
        none = field([0])
        match self.unit:
            case LinearJoinUnit(mul_a=mul_a, mul_b=mul_b, add=add):
                addends = [int(value) for value in add]
                if self._method == METHOD_TABLES:
                    return none, none, none if len(addends) == 1 else field(addends)
                return field([int(mul) for mul in mul_a]), field([int(mul) for mul in mul_b]), field(addends)
            case FloatJoinUnit(mul_a=factor):
                return none if self._method == METHOD_TABLES else field([factor]), none, none
        raise TypeError(f"add has no unit {self.unit.kind}")

    @cached_property
    def _terms(self) -> list[int]:
        """What b contributes to a float join, and the half that its rounding wants, by b's wires."""
        assert isinstance(self.unit, FloatJoinUnit)
        unit = self.unit
        values = self.b_type.decode(range(1 << self.b_type.bits)).tolist()
        known = {b: int(term) for b, term in enumerate(unit.b_term, unit.domain_b[0])}
        return [known.get(b, 0) + (1 << (unit.shift - 1)) for b in values]

    @cached_property
    def _sum_bits(self) -> int:
        unit = self.unit
        a_bits, b_bits = (bits_of(*domain) for domain in (unit.domain_a, unit.domain_b))
        if isinstance(unit, LinearJoinUnit):
            drop, widest = unit.drop, max(parts(a_bits, self._fields[0].bits), parts(b_bits, self._fields[1].bits))
        else:
            drop, widest = 0, parts(a_bits, self._fields[0].bits)
        return max(bits_of(*unit.signals()["sum"]), drop + unit.shift + 1, 17 * (widest - 1) + 1)


def _constants(unit: JoinUnit) -> dict[str, int]:
    match unit:
        case LinearJoinUnit():
            return {"DROP": unit.drop, "ROUNDING": ROUNDINGS[unit.rounding], "ZERO_POINT": unit.zero_point}
        case FloatJoinUnit():
            return {
                "MUL_A": unit.mul_a,
                "BINADES": unit.binades,
                "B_FIRST": unit.domain_b[0],
                "B_SIZE": len(unit.b_term),
            }
    raise TypeError(f"add has no unit {unit.kind}")
