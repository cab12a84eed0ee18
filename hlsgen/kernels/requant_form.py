"""The SystemVerilog form of the arithmetic of ``requant``: which parameters ip_repo/requant.sv gets for a unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hlsgen.exact.units import MANTISSA_BITS, Float24Unit, Interval, RequantUnit, ScaleUnit, ShiftUnit, ThresholdUnit
from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import Int64Array
from hlsgen.kernels.base import MemoryImage
from hlsgen.kernels.channels import ROUNDINGS
from hlsgen.kernels.datapath import (
    FLOAT_NEAR_BITS,
    METHOD_DSP,
    METHOD_ROWS,
    METHOD_TABLES,
    Field,
    bit_weights,
    bits_of,
    factor_field,
    field,
    near_bits,
    parts,
    product_latency,
    round_float32,
    tables,
)
from hlsgen.kernels.dot_array import Mac

Parameters = dict[str, int | str | tuple[int, ...]]

_NO_FIELD = Field(1, ([0],))
_CLIP_NONE, _CLIP_TYPE, _CLIP_RANGE = range(3)


@dataclass(frozen=True)
class Form:
    """``fields``: left, factor, add, lo, hi. ``latency``: cycles from operand to result, UNIT_LATENCY.

    ``dsps``: multipliers of 25x18 bits for each lane.
    """

    fields: tuple[Field, ...]
    parameters: Parameters
    memories: tuple[MemoryImage, ...]
    latency: int
    dsps: int


@lru_cache(maxsize=1000)  # kernels of all foldings share it
def requant_form(unit: RequantUnit, passes: int, mac: Mac) -> Form:
    """The arithmetic of a ``shift``, ``scale`` or ``float24`` unit; raises TypeError for another one."""
    match unit:
        case ShiftUnit():
            return _shift_form(unit)
        case ScaleUnit() | Float24Unit():
            return _multiply_form(unit, passes, mac)
    raise TypeError(f"requant has no arithmetic for {unit.kind}")


def _shift_form(unit: ShiftUnit) -> Form:
    fields = (
        field(_ints(unit.left), signed=False),
        field([int(sign < 0) for sign in unit.sign], signed=False),
        field(_ints(unit.add)),
        *_clamp(unit),
    )
    point = max(bits_of(*unit.signals()["sum"]), unit.shift + 1)
    return Form(fields, _rounding(unit, point, 0, unit.shift, unit.rounding), (), 5, 0)


@dataclass(frozen=True)
class _Product:
    """One way to write the unit's arithmetic: ``clip(x << left[c]) * factor[c] + add[c]``."""

    left: list[int]
    factor: list[int]
    operand: Interval
    clip: int
    exact: bool  # whether it gives the unit's results

    @property
    def parts(self) -> int:
        return parts(bits_of(*self.operand), bits_of(min(self.factor), max(self.factor)))

    def dsps(self, passes: int) -> int:
        """Multipliers: two passes share one for two parts."""
        return 1 if passes == 2 and self.parts == 2 else self.parts

    @property
    def luts(self) -> int:
        """About what operand and product take without multipliers: a row of adders per two bits of the factor."""
        operand_bits = bits_of(*self.operand)
        rows = -(-bits_of(min(self.factor), max(self.factor)) // 2)
        return operand_bits * (rows + (self.clip != _CLIP_NONE) + max(self.left).bit_length())


def _multiply_form(unit: ScaleUnit | Float24Unit, passes: int, mac: Mac) -> Form:
    # the first of the cheapest; the last one is the unit itself
    product = min((p for p in _products(unit) if p.exact), key=lambda p: p.dsps(passes) if mac is Mac.DSP else p.luts)
    add = _addends(unit)
    ends = [
        x * factor + addend
        for factor, addend in zip(*_broadcast(product.factor, add), strict=True)
        for x in product.operand
    ]
    point = unit.shift + (0 if isinstance(unit, Float24Unit) else unit.drop + unit.low_bits)
    operand_bits = bits_of(*product.operand)
    factor_bits = bits_of(min(product.factor), max(product.factor))
    sum_bits = max(bits_of(min(ends), max(ends)), point + 1, operand_bits, 17 * (product.parts - 1) + 1)
    method = METHOD_DSP if mac is Mac.DSP else METHOD_ROWS
    memories: list[MemoryImage] = []
    if mac is not Mac.DSP and len(product.factor) == len(add) == 1:
        method = METHOD_TABLES
        memories.append(tables(bit_weights(operand_bits, True, product.factor[0]), add[0], sum_bits))
    shared = passes == 2 and product.parts == 2 and method == METHOD_DSP
    fields = (
        field(product.left, signed=False),
        _NO_FIELD if method == METHOD_TABLES else factor_field(product.factor, shared),
        _NO_FIELD if method == METHOD_TABLES or isinstance(unit, Float24Unit) else field(add),
        *_clamp(unit),
    )
    extra = 0
    if isinstance(unit, Float24Unit) and unit.pre_round:
        extra = max(0, max(map(abs, unit.domain)).bit_length() - MANTISSA_BITS)
    left_most = max(product.left)
    latency = 2 * (extra > 0) + (left_most > 0) + (product.clip != _CLIP_NONE)
    latency += product_latency(method, operand_bits, factor_bits, product.parts, shared) + 3
    parameters: Parameters = {
        "EXTRA": extra,
        "LEFT_MOST": left_most,
        "CLIP": product.clip,
        "OPERAND_BITS": operand_bits,
        "METHOD": method,
        "PARTS": product.parts,
    }
    if product.clip == _CLIP_RANGE:
        parameters |= {"OPERAND_LO": product.operand[0], "OPERAND_HI": product.operand[1]}
    if isinstance(unit, Float24Unit):
        rounding = _rounding(unit, sum_bits, 0, unit.shift, Rounding.HALF_EVEN)
    else:
        rounding = _rounding(unit, sum_bits, unit.drop + unit.low_bits, unit.shift, unit.rounding)
    power = len(product.factor) == 1 and abs(product.factor[0]).bit_count() <= 1  # no multiplier is left of it
    dsps = 0 if method != METHOD_DSP or power else product.dsps(passes)
    return Form(fields, parameters | rounding, tuple(memories), latency, dsps)


def _products(unit: ScaleUnit | Float24Unit) -> Iterator[_Product]:
    """Ways to make the operand, the least logic first.

    Results rise or fall with x. Where a clip is left out, or is one to a type, they go on doing so beyond the unit's
    clip; if the domain's ends still give the unit's results then every x between does.
    """
    domain = unit.domain
    zeros = [0]
    if isinstance(unit, Float24Unit):
        if unit.pre_round:
            domain = _rounded_away(domain[0]), _rounded_away(domain[1])
        left, factor = _ints(unit.left), _ints(unit.mantissa)
        folded = [m << n for m, n in zip(*_broadcast(factor, left), strict=True)]
    else:
        left, factor = zeros, _ints(unit.mul)
        low = _ints(unit.mul_low)
        factor = folded = [(m << unit.low_bits) + part for m, part in zip(*_broadcast(factor, low), strict=True)]
    bits = bits_of(*unit.operand)
    type_range = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    yield _checked(unit, _Product(zeros, folded, domain, _CLIP_NONE, exact=False))
    if bits < bits_of(*domain):
        yield _checked(unit, _Product(zeros, folded, type_range, _CLIP_TYPE, exact=False))
    shifted = [x << n for n in left for x in domain]
    if unit.operand[0] <= min(shifted) and max(shifted) <= unit.operand[1]:
        yield _Product(left, factor, (min(shifted), max(shifted)), _CLIP_NONE, exact=True)
    else:
        if any(left) and bits < bits_of(min(shifted), max(shifted)):
            yield _checked(unit, _Product(left, factor, type_range, _CLIP_TYPE, exact=False))
        yield _Product(left, factor, unit.operand, _CLIP_RANGE, exact=True)


def _checked(unit: ScaleUnit | Float24Unit, product: _Product) -> _Product:
    """``product`` with the answer whether it gives the unit's results."""
    count = _channel_count(unit)
    ends = np.array(unit.domain)[:, None] + np.zeros((1, count), np.int64)
    expected = unit.evaluate(ends)
    lo, hi, add = (np.resize(np.array(v, object), count) for v in (unit.lo, unit.hi, _addends(unit)))
    left, factor = (np.resize(np.array(v, object), count) for v in (product.left, product.factor))
    near = near_bits((min(lo), max(hi)), unit.zero_point)
    reach = max(abs(x) for x in product.operand) * max(map(abs, product.factor))
    if isinstance(unit, Float24Unit) and min(near, bits_of(0, reach >> unit.shift) + 1) > FLOAT_NEAR_BITS:
        return product
    for end, x in enumerate(unit.domain):
        for c in range(count):
            value = round_float32(x, 0) if isinstance(unit, Float24Unit) and unit.pre_round else x
            operand = min(max(value << left[c], product.operand[0]), product.operand[1])
            if isinstance(unit, Float24Unit):
                rounded = round_float32(operand * factor[c], unit.shift)
            else:
                total = (operand * factor[c] + add[c]) >> (unit.drop + unit.low_bits)
                rounded = _round(total, unit.shift, unit.rounding)
            if min(max(rounded + unit.zero_point, lo[c]), hi[c]) != expected[end, c]:
                return product
    return _Product(product.left, product.factor, product.operand, product.clip, exact=True)


def _round(value: int, shift: int, rounding: Rounding) -> int:
    """``round_shift`` of the units, for integers of any size."""
    floor, rest, half = value >> shift, value & ((1 << shift) - 1), (1 << shift) >> 1
    match rounding:
        case Rounding.SIGN:
            return 1 if value >= 0 else -1
        case Rounding.FLOOR:
            up = False
        case Rounding.CEIL:
            up = rest > 0
        case Rounding.UP:
            up = rest > 0 and value > 0
        case Rounding.DOWN:
            up = rest > 0 and value < 0
        case _ if shift == 0 or rest != half:
            up = shift > 0 and rest > half
        case Rounding.HALF_UP:
            up = value > 0
        case Rounding.HALF_DOWN:
            up = value < 0
        case _:
            up = floor % 2 == 1
    return floor + up


def _rounded_away(value: int) -> int:
    """Beyond ``value`` rounded to 24 bits."""
    return value if abs(value) < 1 << MANTISSA_BITS else round_float32(value, 0)


def _addends(unit: ScaleUnit | Float24Unit) -> list[int]:
    if isinstance(unit, Float24Unit):
        return [1 << (unit.shift - 1)]
    pairs = zip(*_broadcast(_ints(unit.add), _ints(unit.add_low)), strict=True)
    return [(high << unit.low_bits) + low for high, low in pairs]


def _channel_count(unit: ScaleUnit | Float24Unit) -> int:
    if isinstance(unit, Float24Unit):
        own = [unit.left, unit.mantissa]
    else:
        own = [unit.mul, unit.add, unit.mul_low, unit.add_low]
    return max(len(values) for values in (*own, unit.lo, unit.hi))


def _clamp(unit: ShiftUnit | ScaleUnit | Float24Unit) -> tuple[Field, Field]:
    return field(_ints(unit.lo)), field(_ints(unit.hi))


def _rounding(
    unit: ShiftUnit | ScaleUnit | Float24Unit, sum_bits: int, drop: int, shift: int, rounding: Rounding
) -> Parameters:
    results = int(unit.lo.min()), int(unit.hi.max())
    return {
        "SUM_BITS": sum_bits,
        "DROP": drop,
        "SHIFT": shift,
        "ROUNDING": ROUNDINGS[rounding],
        "ZERO_POINT": unit.zero_point,
        "NEAR_BITS": min(near_bits(results, unit.zero_point), sum_bits - drop - shift),
    }


def _ints(values: Int64Array) -> list[int]:
    return [int(value) for value in values]


def _broadcast(a: Sequence[int], b: Sequence[int]) -> tuple[list[int], list[int]]:
    count = max(len(a), len(b))
    return [a[i % len(a)] for i in range(count)], [b[i % len(b)] for i in range(count)]


def threshold_form(unit: ThresholdUnit, result_bits: int) -> tuple[tuple[Field, ...], Parameters]:
    """Fields and parameters of a search; its memories are those of the C++ form."""
    counts = unit.values is None
    base = field(_ints(unit.base)) if counts else _NO_FIELD
    falling = field([int(d < 0) for d in unit.direction], signed=False) if counts else _NO_FIELD
    parameters: Parameters = {"LEVELS": unit.levels, "COUNTS": int(counts), "RESULT_BITS": result_bits}
    return (_NO_FIELD, falling, base, _NO_FIELD, _NO_FIELD), parameters
