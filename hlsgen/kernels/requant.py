"""Requantization: each element through the exact integer unit of its channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hlsgen.exact.units import MANTISSA_BITS, Float24Unit, RequantUnit, ScaleUnit, ShiftUnit, ThresholdUnit, Unit
from hlsgen.graph.graph import Frame
from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, Memory, MemoryImage, RamStyle, pack_rows, require
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
from hlsgen.kernels.datapath import Field, bits_of, field_memories, field_parameters
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.requant_form import Form, requant_form, threshold_form

UNITS: dict[type[RequantUnit], int] = {ShiftUnit: 0, ThresholdUnit: 1, ScaleUnit: 2, Float24Unit: 3}
"""The C++ constants of templates/hls/requant.hpp."""


@dataclass(frozen=True, eq=False)
class Requant(Elementwise):
    """``y = unit(x)`` for every element of a frame (H, W, C), ``lanes`` channels per beat.

    ``unit``: ``shift``, ``threshold``, ``scale`` or ``float24``, with parameters for C channels or one set for all.
    Both types may be bipolar. ``golden`` raises ValueError for inputs outside the unit's domain.
    SystemVerilog only: ``passes`` (1, or 2 if ``shares_multipliers``) cycles per beat, in two of which one multiplier
    does the work of two; ``mac``: DSP blocks multiply, or LUTs; ``memory``: what holds the parameters of the channels.
    """

    kind: ClassVar[str] = "requant"

    frame: Frame
    lanes: int
    input_type: QuantType
    output_type: QuantType
    unit: RequantUnit
    passes: int = 1
    mac: Mac = Mac.DSP
    memory: RamStyle = RamStyle.DISTRIBUTED

    def __post_init__(self) -> None:
        check_frame(self.frame, self.lanes)
        require(type(self.unit) in UNITS, f"requant has no unit {self.unit.kind}")
        require(
            self.input_type.contains(*self.unit.domain),
            f"the unit's domain {self.unit.domain} exceeds {self.input_type}",
        )
        for name, values in _parameters(self.unit).items():
            check_channels(name, values, self.frame[2])
        results = result_range(self.unit)
        require(self.output_type.contains(*results), f"results {results} do not fit {self.output_type}")
        require(self.passes in (1, 2), f"passes={self.passes} is neither 1 nor 2")
        require(self.mac in (Mac.DSP, Mac.LUT), f"requant does not multiply by {self.mac.name}")
        require(
            self.passes == 1 or shares_multipliers(self.unit, self.mac),
            f"passes={self.passes}, but unit {self.unit.kind} with {self.mac.name} has no multipliers to share",
        )

    @property
    def operand_types(self) -> tuple[QuantType, ...]:
        return (self.input_type,)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        check_domain(beats, self.unit.domain)
        y = self.unit.evaluate(by_channel(beats, self.frame[2]))
        return (y.reshape(beats.shape).astype(self.output_type.dtype),)

    def constants(self) -> dict[str, int]:
        return {
            "PIXELS": self.frame[0] * self.frame[1],
            "TILES": self.frame[2] // self.lanes,
            "LANES": self.lanes,
            "INPUT_BIPOLAR": int(self.input_type.bipolar),
            "OUTPUT_BIPOLAR": int(self.output_type.bipolar),
            "UNIT": UNITS[type(self.unit)],
            **_constants(self.unit),
        }

    def types(self) -> dict[str, QuantType]:
        x_type = signed_type(self.input_type.min, self.input_type.max)
        return {"input_t": self.input_type, "output_t": self.output_type, "x_t": x_type, **_types(self.unit)}

    def memories(self) -> Sequence[Memory]:
        if isinstance(self.unit, ThresholdUnit):
            return _threshold_memories(self.unit, self.lanes)
        return [channel_memory(name, values, self.lanes) for name, values in _parameters(self.unit).items()]

    @property
    def latency(self) -> int:
        """Input register, unit, output queue."""
        return (self.unit.levels + 1 if isinstance(self.unit, ThresholdUnit) else self._form.latency) + 2

    @property
    def dsps(self) -> int:
        """Multipliers of 25x18 bits in the SystemVerilog form."""
        return 0 if isinstance(self.unit, ThresholdUnit) else self.lanes * self._form.dsps

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        fields, own = self._fields
        return {
            "UNIT": UNITS[type(self.unit)],
            "PASSES": self.passes,
            "LANES": self.lanes,
            "INPUT_BITS": self.input_type.bits,
            "INPUT_BIPOLAR": int(self.input_type.bipolar),
            "OUTPUT_BITS": self.output_type.bits,
            "OUTPUT_BIPOLAR": int(self.output_type.bipolar),
            "X_BITS": bits_of(*self.unit.domain),
            **field_parameters(fields, self.frame[2], self.lanes),
            **own,
            # a search has little to keep but its thresholds
            "RAM_STYLE" if isinstance(self.unit, ThresholdUnit) else "CHANNELS_STYLE": self.memory.value,
        }

    def rtl_memories(self) -> Sequence[MemoryImage]:
        channels = field_memories(self._fields[0], self.frame[2], self.lanes, self.passes)
        if not isinstance(self.unit, ThresholdUnit):
            return [*channels, *self._form.memories]
        x_type = QuantType(bits_of(*self.unit.domain), signed=True)
        memories = []
        for memory in _threshold_memories(self.unit, self.lanes):
            if memory.name.startswith("level"):
                memories.append(pack_rows(Memory(memory.name, x_type, memory.values)))
            elif memory.name == "values":
                memories.append(pack_rows(Memory(memory.name, self.output_type, memory.values)))
        return [*channels, *memories]

    @cached_property
    def _form(self) -> Form:
        return requant_form(self.unit, self.passes, self.mac)

    @cached_property
    def _fields(self) -> tuple[Sequence[Field], dict[str, int | str | tuple[int, ...]]]:
        if not isinstance(self.unit, ThresholdUnit):
            return self._form.fields, self._form.parameters
        result_bits = max(_threshold_result_type(self.unit).bits, self.output_type.bits)
        fields, parameters = threshold_form(self.unit, result_bits)
        tiles = self.frame[2] // self.lanes
        values = self.unit.values
        parameters |= {
            "LEVEL_TILES": tiles if len(self.unit.thresholds) > 1 else 1,
            "VALUE_TILES": tiles if values is not None and len(values) > 1 else 1,
        }
        return fields, parameters


def shares_multipliers(unit: Unit, mac: Mac) -> bool:
    """Whether a beat may take two cycles: a unit that multiplies, by DSP blocks."""
    return mac is Mac.DSP and isinstance(unit, ScaleUnit | Float24Unit)


def result_range(unit: RequantUnit) -> tuple[int, int]:
    """Smallest and largest result the unit can give within its domain."""
    match unit:
        case ShiftUnit() | ScaleUnit() | Float24Unit():
            return int(unit.lo.min()), int(unit.hi.max())
        case ThresholdUnit(values=None):
            ends = np.array([[unit.domain[0]], [unit.domain[1]]])
            channels = max(len(unit.thresholds), len(unit.base), len(unit.direction))
            results = unit.evaluate(np.broadcast_to(ends, (2, channels)))
            return int(results.min()), int(results.max())
        case ThresholdUnit(values=values) if values is not None:
            return int(values.min()), int(values.max())
    raise TypeError(f"requant has no unit {unit.kind}")


def _parameters(unit: RequantUnit) -> dict[str, IntArray]:
    """Per-channel parameters by their C++ names, each (C,) or (1,) (thresholds and values: with a second axis)."""
    match unit:
        case ShiftUnit():
            negative = (unit.sign < 0).astype(np.int64)
            return {"negative": negative, "left": unit.left, "add": unit.add, "lo": unit.lo, "hi": unit.hi}
        case ThresholdUnit():
            if unit.values is not None:
                return {"thresholds": unit.thresholds, "values": unit.values}
            falling = (unit.direction < 0).astype(np.int64)
            return {"thresholds": unit.thresholds, "base": unit.base, "falling": falling}
        case ScaleUnit():
            low = {"mul_low": unit.mul_low, "add_low": unit.add_low}
            return {"mul": unit.mul, "add": unit.add, **low, "lo": unit.lo, "hi": unit.hi}
        case Float24Unit():
            return {"left": unit.left, "mantissa": unit.mantissa, "lo": unit.lo, "hi": unit.hi}
    raise TypeError(f"requant has no unit {unit.kind}")


def _constants(unit: RequantUnit) -> dict[str, int]:
    match unit:
        case ShiftUnit():
            return {"SHIFT": unit.shift, "ROUNDING": ROUNDINGS[unit.rounding], "ZERO_POINT": unit.zero_point}
        case ThresholdUnit():
            return {"LEVELS": unit.levels, "COUNTS": int(unit.values is None)}
        case ScaleUnit():
            return {
                "CLIPS_OPERAND": int(unit.clips_operand),
                "OPERAND_LO": unit.operand[0],
                "OPERAND_HI": unit.operand[1],
                "LOW_BITS": unit.low_bits,
                "DROP": unit.drop,
                "SHIFT": unit.shift,
                "ROUNDING": ROUNDINGS[unit.rounding],
                "ZERO_POINT": unit.zero_point,
            }
        case Float24Unit():
            return {
                "PRE_ROUND": max(0, _bits(unit.domain) - MANTISSA_BITS) if unit.pre_round else 0,
                "OPERAND_LO": unit.operand[0],
                "OPERAND_HI": unit.operand[1],
                "SHIFT": unit.shift,
                "BINADES": unit.binades,
                "ZERO_POINT": unit.zero_point,
            }
    raise TypeError(f"requant has no unit {unit.kind}")


def _bits(interval: tuple[int, int]) -> int:
    return max(abs(interval[0]), abs(interval[1])).bit_length()


def _types(unit: RequantUnit) -> dict[str, QuantType]:
    signals = {name: signed_type(*interval) for name, interval in unit.signals().items()}
    match unit:
        case ShiftUnit():
            return {"sum_t": signals["sum"], "rounded_t": signals["rounded"]}
        case ThresholdUnit():
            return {"result_t": _threshold_result_type(unit)}
        case ScaleUnit():
            operand = signed_type(*unit.operand)
            widths = {"sum_t": signals["sum"], "rounded_t": signals["rounded"], "low_t": signals["low"]}
            return {
                "operand_t": operand,
                "mul_t": range_type(unit.mul),
                "mul_low_t": range_type(unit.mul_low),
                **widths,
            }
        case Float24Unit():
            return {
                "shifted_t": signals["shifted"],
                "operand_t": signed_type(*unit.operand),
                "mantissa_t": QuantType(MANTISSA_BITS, signed=False),
                "sum_t": signals["sum"],
                "rounded_t": signals["rounded"],
            }
    raise TypeError(f"requant has no unit {unit.kind}")


def _threshold_result_type(unit: ThresholdUnit) -> QuantType:
    """Holds results, bases (which padding may push below them) and the count of thresholds."""
    lo, hi = result_range(unit)
    count = 1 << unit.levels
    return signed_type(min(lo, int(unit.base.min())) - count, max(hi, int(unit.base.max())) + count)


def _threshold_memories(unit: ThresholdUnit, lanes: int) -> list[Memory]:
    """One memory per level of the search, ``2**level`` thresholds per channel, addressed by the comparisons so far."""
    memories = []
    for level in range(unit.levels):
        stride = 1 << (unit.levels - level)
        memories.append(table_memory(f"level{level}", unit.thresholds[:, stride // 2 - 1 :: stride], lanes))
    if unit.values is not None:
        return [*memories, table_memory("values", unit.values, lanes)]
    parameters = _parameters(unit)
    return [*memories, *(channel_memory(name, parameters[name], lanes) for name in ("base", "falling"))]
