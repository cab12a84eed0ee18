"""Hardware units for functions of one or two integers: their parameters, arithmetic, bounds and rough cost.

``evaluate`` is the arithmetic of the hardware in int64. Parameters that may differ per channel are int64 arrays of
shape (C,) or, when one serves all channels, (1,). ``signals`` gives the interval of every intermediate value for all
inputs within the unit's domain; the constructor raises ValueError unless each fits 63 signed bits: int64 never wraps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import Int64Array, QuantType

Interval = tuple[int, int]

MANTISSA_BITS = 24
"""Significant bits of a float32."""

_LIMIT = 1 << 62


@dataclass(frozen=True)
class Cost:
    """Rough size of one lane at one element per clock cycle; the memory serves all channels, however many lanes.

    ``lut``: 6-input LUTs of logic, ``dsp``: 25x18 multipliers, ``rom_bits``: constants.
    """

    lut: int
    dsp: int
    rom_bits: int

    @property
    def weight(self) -> float:
        """One number to order units by, in LUTs: a 7020 has about 240 LUTs for each DSP and 190 for each RAMB18."""
        return self.lut + 240 * self.dsp + min(self.rom_bits / 50, 190 * -(-self.rom_bits // 18432))


class Unit(ABC):
    """Base of all units: a function of one integer (or of two, ``JoinUnit``)."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def cost(self) -> Cost:
        """Rough size, to order the units of a layer."""


class RequantUnit(Unit):
    """A function of one integer. ``domain`` is the inclusive range of its input for which it has been proved."""

    domain: Interval

    @abstractmethod
    def evaluate(self, x: npt.NDArray[np.integer]) -> Int64Array:
        """Results, int64, for x of shape (..., C) within ``domain``."""

    @abstractmethod
    def signals(self) -> dict[str, Interval]:
        """Interval of every intermediate value, by name, over the whole domain."""


def round_shift(value: Int64Array, shift: int, rounding: Rounding) -> Int64Array:
    """``round(value / 2**shift)`` in integers: one addition that depends on sign or parity, then a shift."""
    if rounding is Rounding.SIGN:
        return 2 * (value >= 0).astype(np.int64) - 1
    if shift == 0:
        return value
    half, ones = 1 << (shift - 1), (1 << shift) - 1
    match rounding:
        case Rounding.FLOOR:
            return value >> shift
        case Rounding.CEIL:
            return (value + ones) >> shift
        case Rounding.UP:
            return (value + np.where(value > 0, ones, 0)) >> shift
        case Rounding.DOWN:
            return (value + np.where(value < 0, ones, 0)) >> shift
        case Rounding.HALF_UP:
            return (value + half - (value < 0)) >> shift
        case Rounding.HALF_DOWN:
            return (value + half - (value > 0)) >> shift
        case Rounding.HALF_EVEN:
            return (value + (half - 1) + ((value >> shift) & 1)) >> shift


@dataclass(frozen=True, eq=False)
class ShiftUnit(RequantUnit):
    """``clamp(round((sign[c] * x << left[c]) + add[c], >> shift) + zero_point)``: no multiplier.

    Exact for scales that are powers of two; ``rounding`` is the quantizer's, or FLOOR with the half in ``add``
    wherever no tie can occur. ``left`` brings all channels to one binary point.
    Width: |x| * 2**left + |add| + 2**shift, the interval "sum".
    """

    kind: ClassVar[str] = "shift"

    domain: Interval
    sign: Int64Array
    left: Int64Array
    add: Int64Array
    shift: int
    rounding: Rounding
    zero_point: int
    lo: Int64Array
    hi: Int64Array

    def __post_init__(self) -> None:
        _check(self)

    def evaluate(self, x: npt.NDArray[np.integer]) -> Int64Array:
        """See ``RequantUnit.evaluate``."""
        total = ((x.astype(np.int64) * self.sign) << self.left) + self.add
        return np.clip(round_shift(total, self.shift, self.rounding) + self.zero_point, self.lo, self.hi)

    def signals(self) -> dict[str, Interval]:
        """``sum``: before the shift, with the rounding's addend; ``rounded``: before the clamp."""
        ends = _hull(
            sign * (x << left) + add for sign, left, add in _zip(self.sign, self.left, self.add) for x in self.domain
        )
        return _rounding_signals(ends, self.shift, self.zero_point, _results(self))

    @property
    def cost(self) -> Cost:
        """An adder as wide as the sum, a multiplexer if shifts differ, the clamp."""
        width = _width(self.signals()["sum"])
        lut = width * (1 + (len(self.left) > 1)) + (0 if self.rounding is Rounding.FLOOR else width)
        return Cost(lut + _clamp_luts(self), 0, _rom_bits(self.sign, self.left, self.add, self.lo, self.hi))


@dataclass(frozen=True, eq=False)
class ThresholdUnit(RequantUnit):
    """Binary search for the run of equal results in which x lies: ``run`` = how many thresholds are <= x.

    The result is ``base[c] + direction[c] * run`` or, where ``values`` is given, ``values[c, run]``.
    ``thresholds``: (C or 1, 2**levels - 1), ascending; a channel with fewer begins with copies of the domain's low end.
    ``values``: (C or 1, 2**levels) or None. Exact for every function with at most 2**levels runs.
    """

    kind: ClassVar[str] = "threshold"

    domain: Interval
    thresholds: Int64Array
    base: Int64Array
    direction: Int64Array
    values: Int64Array | None

    def __post_init__(self) -> None:
        count = self.thresholds.shape[1]
        if count != (1 << self.levels) - 1:
            raise ValueError(f"the number of thresholds is one less than a power of two, not {count}")

    @property
    def levels(self) -> int:
        """Comparisons one after the other."""
        return int(self.thresholds.shape[1]).bit_length()

    def evaluate(self, x: npt.NDArray[np.integer]) -> Int64Array:
        """See ``RequantUnit.evaluate``."""
        run = self.runs(x)
        if self.values is None:
            return self.base + self.direction * run
        return self.values[np.arange(len(self.values)), run]

    def runs(self, x: npt.NDArray[np.integer]) -> Int64Array:
        """Number of thresholds <= x, by binary search as the hardware does it."""
        channels = np.arange(len(self.thresholds))
        run = np.zeros(x.shape, np.int64)
        for level in reversed(range(self.levels)):
            middle = run + (1 << level)
            run = np.where(x >= self.thresholds[channels, middle - 1], middle, run)
        return run

    def signals(self) -> dict[str, Interval]:
        """The thresholds lie within the domain: nothing grows."""
        return {}

    @property
    def cost(self) -> Cost:
        """One comparator per level, and the memories."""
        width = _width(self.domain)
        bits = self.thresholds.size * width
        if self.values is not None:
            bits += self.values.size * _width(_ends(self.values))
        else:
            bits += _rom_bits(self.base, self.direction)
        return Cost(self.levels * (width // 2 + 4), 0, bits)


@dataclass(frozen=True, eq=False)
class ScaleUnit(RequantUnit):
    """``clamp(round((clip(x) * mul[c] + add[c]) >> drop, >> shift) + zero_point)``.

    ``operand``: x is clipped to this interval first, outside which no channel has a step; it narrows the multiplier.
    ``rounding`` is mostly FLOOR (the half is in ``add``, ``drop`` is 0). Other modes serve functions with exact ties:
    ``drop`` low bits, which hold nothing but the error of ``mul``, are cut off so that a tie is seen as a tie.

    A product of more than 62 bits is computed in two parts, exactly: with ``low_bits`` = L,
    ``(x * (mul * 2**L + mul_low) + add * 2**L + add_low) >> L == x * mul + add + ((x * mul_low + add_low) >> L)``;
    ``drop`` and ``shift`` then count from that binary point. Without (L = 0) ``mul_low`` and ``add_low`` are 0.
    Widths: |operand| * |mul| + |add| + 2**(shift + drop) for "sum", |operand| * mul_low + add_low for "low".
    """

    kind: ClassVar[str] = "scale"

    domain: Interval
    operand: Interval
    mul: Int64Array
    add: Int64Array
    low_bits: int
    mul_low: Int64Array
    add_low: Int64Array
    drop: int
    shift: int
    rounding: Rounding
    zero_point: int
    lo: Int64Array
    hi: Int64Array

    def __post_init__(self) -> None:
        _check(self)

    @property
    def clips_operand(self) -> bool:
        """Whether the clip of x does anything."""
        return self.operand != self.domain

    def evaluate(self, x: npt.NDArray[np.integer]) -> Int64Array:
        """See ``RequantUnit.evaluate``."""
        operand = np.clip(x.astype(np.int64), *self.operand)
        total = operand * self.mul + self.add
        if self.low_bits:
            total += (operand * self.mul_low + self.add_low) >> self.low_bits
        rounded = round_shift(total >> self.drop, self.shift, self.rounding)
        return np.clip(rounded + self.zero_point, self.lo, self.hi)

    def signals(self) -> dict[str, Interval]:
        """``low``: lower part of the product, ``sum`` and ``rounded`` as in ``ShiftUnit``."""
        low = _hull(x * mul + add for mul, add in _zip(self.mul_low, self.add_low) for x in self.operand)
        carry = (low[0] >> self.low_bits, low[1] >> self.low_bits)
        ends = _hull(x * mul + add for mul, add in _zip(self.mul, self.add) for x in self.operand)
        total = (ends[0] + min(carry[0], 0), ends[1] + max(carry[1], 0))
        return {"low": low, **_rounding_signals(total, self.drop + self.shift, self.zero_point, _results(self))}

    @property
    def cost(self) -> Cost:
        """The multiplier's DSPs, its adders, the clamps."""
        operand, width = _width(self.operand), _width(self.signals()["sum"])
        dsp = _dsps(operand, _width(_ends(self.mul))) if not _is_constant_power(self.mul) else 0
        dsp += _dsps(operand, self.low_bits + 1) if self.low_bits else 0
        lut = width if self.rounding is Rounding.FLOOR else 2 * width
        lut += 2 * operand if self.clips_operand else 0
        rom = _rom_bits(self.mul, self.add, self.mul_low, self.add_low, self.lo, self.hi)
        return Cost(lut + _clamp_luts(self), dsp, rom)


@dataclass(frozen=True, eq=False)
class Float24Unit(RequantUnit):
    """One float32 multiply followed by round-half-even, in integers: a 24-bit mantissa and a tie window.

    ``p = clip(x << left[c], operand) * mantissa[c]`` is the exact product at the binary point ``shift`` that all
    channels share, ``k = (p + half) >> shift`` its nearest integer with ties up, ``f`` the fraction above k - 1/2.
    float32 rounds the product to 24 significant bits, which moves it onto a tie when it lies within
    ``w = 2**(bits(|p|) - 25)`` of one, and ties go to the even neighbour: an odd k becomes k - 1 if f <= w and k + 1 if
    2**shift - f <= w. (w is 0 when p has fewer than 25 bits; k is even where |p| < 2**(shift - 1).) This is exact while
    |p| < 2**(shift + 22), which the clip guarantees. ``binades``: |p| < 2**(shift + binades).
    ``pre_round``: x beyond 24 bits is itself rounded to a float32 first, half to even.
    Widths: the operand's times 24 bits plus 2**(shift - 1), the interval "sum"; |x| << left, "shifted".
    """

    kind: ClassVar[str] = "float24"

    domain: Interval
    operand: Interval
    left: Int64Array
    mantissa: Int64Array
    shift: int
    binades: int
    pre_round: bool
    zero_point: int
    lo: Int64Array
    hi: Int64Array

    def __post_init__(self) -> None:
        _check_binades(self.shift, self.binades, max(map(abs, self.operand)) * int(self.mantissa.max()))
        _check(self)

    def evaluate(self, x: npt.NDArray[np.integer]) -> Int64Array:
        """See ``RequantUnit.evaluate``."""
        value = x.astype(np.int64)
        if self.pre_round:
            value = round_to_float32(value)
        product = np.clip(value << self.left, *self.operand) * self.mantissa
        nearest = round_float32_product(product, self.shift, self.binades)
        return np.clip(nearest + self.zero_point, self.lo, self.hi)

    def signals(self) -> dict[str, Interval]:
        """``shifted``: x at the common binary point before its clip, ``sum``, ``rounded`` as in ``ShiftUnit``."""
        shifted = _hull(x << int(left) for left in self.left for x in self.domain)
        if self.pre_round:  # rounding to 24 bits may reach the next power of two
            shifted = (2 * min(shifted[0], 0), 2 * max(shifted[1], 0))
        ends = _hull(x * int(mantissa) for mantissa in self.mantissa for x in self.operand)
        return {"shifted": shifted, **_rounding_signals(ends, self.shift, self.zero_point, _results(self))}

    @property
    def cost(self) -> Cost:
        """The multiplier's DSPs; the logic as synthesised for a 7-series device, 240 to 350 LUTs."""
        operand = _width(self.operand)
        dsp = 0 if _is_constant_power(self.mantissa) else _dsps(operand, MANTISSA_BITS + 1)
        rom = _rom_bits(self.left, self.mantissa, self.lo, self.hi)
        return Cost(200 + 4 * operand + (100 if self.pre_round else 0), dsp, rom)


@dataclass(frozen=True, eq=False)
class TableUnit(RequantUnit):
    """``values[c, x - domain[0]]``: a ROM of all results, for inputs of few values. ``values``: (C or 1, n)."""

    kind: ClassVar[str] = "table"

    domain: Interval
    values: Int64Array

    def __post_init__(self) -> None:
        if self.values.shape[1] != self.domain[1] - self.domain[0] + 1:
            raise ValueError(f"{self.values.shape[1]} values do not cover {self.domain[0]}..{self.domain[1]}")

    def evaluate(self, x: npt.NDArray[np.integer]) -> Int64Array:
        """See ``RequantUnit.evaluate``."""
        return self.values[np.arange(len(self.values)), x.astype(np.int64) - self.domain[0]]

    def signals(self) -> dict[str, Interval]:
        """Nothing grows."""
        return {}

    @property
    def cost(self) -> Cost:
        """The ROM."""
        return Cost(8, 0, self.values.size * _width(_ends(self.values)))


class JoinUnit(Unit):
    """A function of two integers, proved for ``domain_a`` x ``domain_b``, with results within ``lo``..``hi``."""

    domain_a: Interval
    domain_b: Interval
    shift: int
    lo: int
    hi: int

    @abstractmethod
    def evaluate(self, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]) -> Int64Array:
        """Results, int64, for a and b of equal shape (..., C) within their domains."""

    @abstractmethod
    def signals(self) -> dict[str, Interval]:
        """Interval of every intermediate value, by name, over the whole domain."""


@dataclass(frozen=True, eq=False)
class LinearJoinUnit(JoinUnit):
    """``clamp(round((a * mul_a[c] + b * mul_b[c] + add[c]) >> drop, >> shift) + zero_point)``.

    ``drop`` and ``rounding`` as in ``ScaleUnit``.
    Width: |a| * |mul_a| + |b| * |mul_b| + |add| + 2**(shift + drop), the interval "sum".
    """

    kind: ClassVar[str] = "join"

    domain_a: Interval
    domain_b: Interval
    mul_a: Int64Array
    mul_b: Int64Array
    add: Int64Array
    drop: int
    shift: int
    rounding: Rounding
    zero_point: int
    lo: int
    hi: int

    def __post_init__(self) -> None:
        _check(self)

    def evaluate(self, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]) -> Int64Array:
        """See ``JoinUnit.evaluate``."""
        a, b = a.astype(np.int64), b.astype(np.int64)
        total = (a * self.mul_a + b * self.mul_b + self.add) >> self.drop
        return np.clip(round_shift(total, self.shift, self.rounding) + self.zero_point, self.lo, self.hi)

    def signals(self) -> dict[str, Interval]:
        """``sum`` and ``rounded`` as in ``ShiftUnit``."""
        ends = _hull(
            a * mul_a + b * mul_b + add
            for mul_a, mul_b, add in _zip(self.mul_a, self.mul_b, self.add)
            for a in self.domain_a
            for b in self.domain_b
        )
        return _rounding_signals(ends, self.drop + self.shift, self.zero_point, (self.lo, self.hi))

    @property
    def cost(self) -> Cost:
        """Two multipliers, two adders, the clamp."""
        dsp = sum(
            0 if _is_constant_power(mul) else _dsps(_width(domain), _width(_ends(mul)))
            for mul, domain in ((self.mul_a, self.domain_a), (self.mul_b, self.domain_b))
        )
        width = _width(self.signals()["sum"])
        lut = width * (2 if self.rounding is Rounding.FLOOR else 3) + 16
        return Cost(lut, dsp, _rom_bits(self.mul_a, self.mul_b, self.add))


@dataclass(frozen=True, eq=False)
class FloatJoinUnit(JoinUnit):
    """``clip(rint(float32(a * scale_a + b_term(b))))`` in integers: float32 arithmetic, whatever the scales.

    ``p = a * mul_a + b_term[b - domain_b[0]]`` is the exact sum at the binary point ``shift``; the memory ``b_term``
    holds float32 results itself. Rounding to 24 bits and then half to even is done as in ``Float24Unit``.
    Needed where the ratio of scales makes many sums tie, which float32 breaks irregularly. Width: the interval "sum".
    """

    kind: ClassVar[str] = "float_join"

    domain_a: Interval
    domain_b: Interval
    mul_a: int
    b_term: Int64Array
    shift: int
    binades: int
    lo: int
    hi: int

    def __post_init__(self) -> None:
        _check_binades(self.shift, self.binades, max(map(abs, self.signals()["product"])))
        _check(self)

    def evaluate(self, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]) -> Int64Array:
        """See ``JoinUnit.evaluate``."""
        product = a.astype(np.int64) * self.mul_a + self.b_term[b.astype(np.int64) - self.domain_b[0]]
        return np.clip(round_float32_product(product, self.shift, self.binades), self.lo, self.hi)

    def signals(self) -> dict[str, Interval]:
        """``product``: the exact sum, ``sum`` and ``rounded`` as in ``ShiftUnit``."""
        ends = _hull(a * self.mul_a + term for a in self.domain_a for term in _ends(self.b_term))
        return {"product": ends, **_rounding_signals(ends, self.shift, 0, (self.lo, self.hi))}

    @property
    def cost(self) -> Cost:
        """One multiplier, the memory, the tie logic of ``Float24Unit``."""
        rom = self.b_term.size * _width(_ends(self.b_term))
        return Cost(250 + _width(self.signals()["sum"]), _dsps(_width(self.domain_a), MANTISSA_BITS + 1), rom)


def round_float32_product(product: Int64Array, shift: int, binades: int) -> Int64Array:
    """``rint(float32(product / 2**shift))`` in integers for |product| < 2**(shift + binades); see ``Float24Unit``."""
    lifted = product + (1 << (shift - 1))
    nearest, fraction = lifted >> shift, lifted & ((1 << shift) - 1)
    magnitude = np.abs(product)
    window = np.zeros_like(product)
    for binade in range(binades + 1):  # |p| in [2**(shift + binade - 1), 2**(shift + binade))
        bits = shift + binade
        if bits > MANTISSA_BITS:
            window = np.where(magnitude >= 1 << (bits - 1), 1 << (bits - MANTISSA_BITS - 1), window)
    odd = nearest & 1
    down = (fraction <= window).astype(np.int64)
    up = ((1 << shift) - fraction <= window).astype(np.int64)
    return nearest + odd * (up - down)


def round_to_float32(value: Int64Array) -> Int64Array:
    """``int(float32(value))`` for |value| < 2**40, in integers: 24 significant bits, half to even."""
    magnitude, rounded = np.abs(value), value
    for extra in range(1, 17):
        rounded = np.where(
            magnitude >= 1 << (MANTISSA_BITS + extra - 1),
            round_shift(value, extra, Rounding.HALF_EVEN) << extra,
            rounded,
        )
    return rounded


def collapse(values: Iterable[int] | Int64Array) -> Int64Array:
    """int64 array (C,), or (1,) when all entries are equal."""
    array = np.asarray(list(values) if not isinstance(values, np.ndarray) else values, np.int64)
    return array[:1] if (array == array[0]).all() else array


def _check(unit: ShiftUnit | ScaleUnit | Float24Unit | LinearJoinUnit | FloatJoinUnit) -> None:
    for name, (lo, hi) in unit.signals().items():
        if lo < -_LIMIT or hi >= _LIMIT:
            raise ValueError(f"{unit.kind}: {name} reaches {lo}..{hi}, more than 63 bits")


def _check_binades(shift: int, binades: int, product: int) -> None:
    if shift < 1 or not 0 <= binades <= 22:
        raise ValueError(f"a shift of {shift} with {binades} binades is not one float32 operation")
    if product >= 1 << (shift + binades):
        raise ValueError(f"a product of {product} exceeds 2**{shift + binades}")


def _zip(*arrays: Int64Array) -> Iterable[tuple[int, ...]]:
    channels = max(map(len, arrays))
    return zip(*(np.broadcast_to(array, channels).tolist() for array in arrays), strict=True)


def _hull(values: Iterable[int]) -> Interval:
    listed = list(values)
    return min(listed), max(listed)


def _rounding_signals(value: Interval, shift: int, zero_point: int, results: Interval) -> dict[str, Interval]:
    """``sum``: the interval widened by what any rounding adds before the shift.

    ``rounded``: after the shift with the zero point added, and the clamped results.
    """
    total = value[0] - 1, max(value[1], 0) + (1 << shift)  # holds 2**shift itself, too
    # a rounding to float32 moves by one more, SIGN gives -1 or +1
    least, most = min((total[0] >> shift) - 1, -1) + zero_point, max((total[1] >> shift) + 1, 1) + zero_point
    return {"sum": total, "rounded": (min(least, results[0]), max(most, results[1]))}


def _results(unit: ShiftUnit | ScaleUnit | Float24Unit) -> Interval:
    return int(unit.lo.min()), int(unit.hi.max())


def _ends(values: Int64Array) -> Interval:
    return int(values.min()), int(values.max())


def _width(interval: Interval) -> int:
    return QuantType.for_range(*interval).bits


def _rom_bits(*arrays: Int64Array) -> int:
    """Bits of the parameters that differ per channel; a single one is part of the logic."""
    return sum(len(array) * _width(_ends(array)) for array in arrays if len(array) > 1)


def _is_constant_power(mul: Int64Array) -> bool:
    return len(mul) == 1 and abs(int(mul[0])).bit_count() <= 1


def _dsps(a: int, b: int) -> int:
    """25x18 signed multipliers for a product of a by b bits, pieces in the better of the two orders."""
    return min(-(-(a - 1) // 24) * -(-(b - 1) // 17), -(-(b - 1) // 24) * -(-(a - 1) // 17))


def _clamp_luts(unit: ShiftUnit | ScaleUnit) -> int:
    return 2 * _width((min(_ends(unit.lo)[0], 0), max(_ends(unit.hi)[1], 1)))
