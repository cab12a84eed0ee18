"""Add: the sum of two frames, scaled and rounded by an exact integer unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from hlsgen.exact.units import FloatJoinUnit, JoinUnit, LinearJoinUnit
from hlsgen.graph.graph import Frame
from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Memory, require
from hlsgen.kernels.channels import (
    ROUNDINGS,
    Elementwise,
    by_channel,
    channel_memory,
    check_channels,
    check_frame,
    range_type,
    signed_type,
    table_memory,
)
from hlsgen.kernels.requant import check_domain

UNITS: dict[type[JoinUnit], int] = {LinearJoinUnit: 0, FloatJoinUnit: 1}
"""The C++ constants of templates/hls/add.hpp."""


@dataclass(frozen=True, eq=False)
class Add(Elementwise):
    """``y = unit(a, b)`` for every element of two frames (H, W, C), ``lanes`` channels per beat.

    All types may be bipolar. ``golden`` raises ValueError for inputs outside the unit's domains.
    """

    kind: ClassVar[str] = "add"

    frame: Frame
    lanes: int
    a_type: QuantType
    b_type: QuantType
    output_type: QuantType
    unit: JoinUnit

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
