"""Reference arithmetic: what "bit-exact" means, one class per kind of integer function.

A reference is the *definition* of an operator's result; hardware units (package ``exact``) are proved against it and
``canonical.onnx`` (package ``canonical``) states it in operators that ONNX Runtime executes. Per-channel parameters
have one entry per channel (last axis of the frame) or a single one that serves all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import IntArray, QuantType

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]


class Rounding(Enum):
    """How a real value becomes an integer. Names are QONNX's; ONNX always rounds ``HALF_EVEN``."""

    HALF_EVEN = "half_even"
    HALF_UP = "half_up"  # ties away from zero
    HALF_DOWN = "half_down"  # ties towards zero
    CEIL = "ceil"
    FLOOR = "floor"
    UP = "up"  # away from zero
    DOWN = "down"  # towards zero
    SIGN = "sign"  # +1 where the value is >= 0, else -1 (BipolarQuant)


def round_fraction(value: Fraction, rounding: Rounding) -> int:
    """Round an exact rational once, to an integer (-1 or +1 for ``SIGN``)."""
    floor = value.numerator // value.denominator
    rest = value - floor
    half = Fraction(1, 2)
    if rounding is Rounding.SIGN:
        return 1 if value >= 0 else -1
    if rounding is Rounding.FLOOR or rest == 0:
        return floor
    if rounding is Rounding.CEIL:
        return floor + 1
    if rounding in (Rounding.UP, Rounding.DOWN):
        return floor + ((rounding is Rounding.UP) == (value > 0))
    if rest != half:
        return floor + (rest > half)
    if rounding is Rounding.HALF_EVEN:
        return floor + floor % 2
    return floor + ((rounding is Rounding.HALF_UP) == (value > 0))


def round_float(value: Float64Array, rounding: Rounding) -> Float64Array:
    """Round float64 values; exact whenever the argument is."""
    match rounding:
        case Rounding.HALF_EVEN:
            return np.rint(value)
        case Rounding.FLOOR:
            return np.floor(value)
        case Rounding.CEIL:
            return np.ceil(value)
        case Rounding.UP:
            return np.copysign(np.ceil(np.abs(value)), value)
        case Rounding.DOWN:
            return np.trunc(value)
        case Rounding.HALF_UP:
            return np.copysign(np.floor(np.abs(value) + 0.5), value)
        case Rounding.HALF_DOWN:
            return np.copysign(np.ceil(np.abs(value) - 0.5), value)
        case Rounding.SIGN:
            return np.where(value >= 0, 1.0, -1.0)


@dataclass(frozen=True, eq=False)
class QLinearReference:
    """One float32 multiply, as ONNX Runtime's QLinear kernels do (x64): an accumulator becomes 8 bits.

    ``y = clip(rint(float32(acc) * multiplier[c]) + zero_point, lo, hi)``, all in float32, half to even.
    ``multiplier``: float32, shape (C,) or (1,), positive. ``lo``/``hi`` hold the type's bounds and a following Relu
    or Clip.
    """

    multiplier: Float32Array
    zero_point: int
    lo: int
    hi: int

    def real(self, x: IntArray) -> Float64Array:
        """Value before rounding, in output LSB, zero point included, float64."""
        scaled = x.astype(np.float32) * self.multiplier
        return scaled.astype(np.float64) + self.zero_point

    def evaluate(self, x: IntArray) -> IntArray:
        """Result for accumulators of shape (..., C)."""
        scaled = x.astype(np.float32) * self.multiplier
        np.rint(scaled, out=scaled)
        # zero_point is added to a value below 2**24 in magnitude after the clip, so this order changes nothing
        np.clip(scaled, self.lo - self.zero_point, self.hi - self.zero_point, out=scaled)
        scaled += np.float32(self.zero_point)
        return scaled.astype(np.int16)


@dataclass(frozen=True, eq=False)
class AffineReference:
    """The exact real value of an affine expression, rounded once by the closing quantizer.

    ``y = clip(round(scale[c] * x + offset[c]) + zero_point, lo[c], hi[c])``. ``scale`` and ``offset`` are exact
    rationals in units of the output's LSB; QONNX's zero point stands inside the rounding and is then part of ``offset``
    (``zero_point`` is 0). Real clips (Relu, Clip) commute with rounding and are folded into ``lo`` and ``hi``.
    With ``Rounding.SIGN`` the result is -1 or +1 and ``zero_point`` is 0.
    """

    scale: tuple[Fraction, ...]
    offset: tuple[Fraction, ...]
    rounding: Rounding
    zero_point: int
    lo: tuple[int, ...]
    hi: tuple[int, ...]

    def value(self, x: int, channel: int) -> int:
        """Exact result for one integer (the definition; slow)."""
        exact = self.scale[channel % len(self.scale)] * x + self.offset[channel % len(self.offset)]
        y = round_fraction(exact, self.rounding) + self.zero_point
        return min(max(y, self.lo[channel % len(self.lo)]), self.hi[channel % len(self.hi)])

    def real(self, x: IntArray) -> Float64Array:
        """Value before rounding, in output LSB, zero point included, float64 (approximate)."""
        scale = np.array([float(s) for s in self.scale])
        offset = np.array([float(o) for o in self.offset])
        return np.asarray(x * scale + offset + self.zero_point)

    def evaluate(self, x: IntArray) -> IntArray:
        """Result for integers of shape (..., C), exact for every input.

        float64 decides wherever its error (a few units in the last place) cannot reach a rounding boundary; the few
        values nearer than that are done in rationals. When every denominator is a power of two nothing rounds at all.
        """
        unrounded = self.unrounded(x)
        rounded = round_float(unrounded, self.rounding) + self.zero_point
        wide = max(map(abs, (*self.lo, *self.hi))) >= 1 << 31
        clipped = np.clip(rounded, np.array(self.lo, np.float64), np.array(self.hi, np.float64))
        y = clipped.astype(np.int64 if wide else np.int32)
        if not self.exact_in_float64(int(np.abs(x).max(initial=0))):
            doubled = unrounded * 2  # boundaries of every rounding mode are multiples of 1/2
            numerator, constant, denominator = self.float64_constants()
            terms = (np.abs(x) * np.abs(numerator) + np.abs(constant)) / denominator  # they may cancel in the sum
            near = np.abs(doubled - np.rint(doubled)) <= 2.0**-48 * (1 + terms)
            channels = np.broadcast_to(np.arange(x.shape[-1]), x.shape)
            pairs, where = np.unique(np.stack([x[near], channels[near]]), axis=1, return_inverse=True)
            y[near] = np.array([self.value(int(v), int(c)) for v, c in pairs.T], y.dtype)[where.ravel()]
        return y

    def exact_in_float64(self, magnitude: int) -> bool:
        """Whether ``unrounded`` is free of rounding for every |x| <= magnitude: dyadic constants, sums below 2**53."""
        return magnitude <= self._exact_reach

    @cached_property
    def _exact_reach(self) -> int:
        """Largest |x| for which no channel's sum rounds in float64; -1 if a constant is not dyadic."""
        reach = 1 << 62
        for c in range(max(len(self.scale), len(self.offset))):
            scale, offset = self.scale[c % len(self.scale)], self.offset[c % len(self.offset)]
            common = _lcm(scale.denominator, offset.denominator)
            room = (1 << 53) - 1 - abs(int(offset * common))
            if common & (common - 1) or room < 0:
                return -1
            if scale:
                reach = min(reach, room // abs(int(scale * common)))
        return reach

    def unrounded(self, x: IntArray) -> Float64Array:
        """``(x * numerator + constant) / denominator`` in float64, the operations canonical.onnx performs."""
        numerator, constant, denominator = self.float64_constants()
        return (x.astype(np.float64) * numerator + constant) / denominator

    def float64_constants(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """(numerator, constant, denominator), float64, one per channel.

        Exact rationals are used where they fit 53 bits; otherwise scale and offset are rounded to float64 over 1.
        """
        return self._float64_constants

    @cached_property
    def _float64_constants(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        channels = max(len(self.scale), len(self.offset))
        out = np.empty((3, channels))
        for c in range(channels):
            scale = self.scale[c % len(self.scale)]
            offset = self.offset[c % len(self.offset)]
            common = _lcm(scale.denominator, offset.denominator)
            parts = (scale * common, offset * common, Fraction(common))
            if any(_significant_bits(int(p)) > 53 for p in parts):
                parts = (scale, offset, Fraction(1))
            out[:, c] = [float(p) for p in parts]
        return out[0], out[1], out[2]


@dataclass(frozen=True, eq=False)
class TableReference:
    """Any function of an integer with few values: ``y = values[c, x - first]``.

    ``values``: integers, shape (C or 1, n). ``exact``: the value before rounding in output LSB, same shape, float64,
    for the tie report.
    """

    first: int
    values: IntArray
    exact: Float64Array

    def _lookup(self, table: npt.NDArray[Any], x: IntArray) -> npt.NDArray[Any]:
        index = x.astype(np.intp) - self.first
        if len(table) == 1:
            return np.asarray(table[0][index])
        return np.asarray(table[np.arange(len(table)), index])

    def real(self, x: IntArray) -> Float64Array:
        """Value before rounding, in output LSB, zero point included, float64."""
        return np.asarray(self._lookup(self.exact, x), np.float64)

    def evaluate(self, x: IntArray) -> IntArray:
        """Result for integers of shape (..., C)."""
        return np.asarray(self._lookup(self.values, x))


@dataclass(frozen=True, eq=False)
class QLinearAddReference:
    """ONNX Runtime's QLinearAdd (AVX2 kernel) of two 8-bit tensors, in float32 with fused multiply-adds.

    ``y = clip(rint(fma(a, scale_a, fma(b, scale_b, constant))), lo, hi)``; the zero point is inside the rounding.
    """

    scale_a: np.float32
    scale_b: np.float32
    constant: np.float32
    lo: int
    hi: int

    def real(self, a: IntArray, b: IntArray) -> Float64Array:
        """Value before rounding, in output LSB, zero point included, float64."""
        return self._sum(a, b).astype(np.float64)

    def _sum(self, a: IntArray, b: IntArray) -> Float32Array:
        # 80-bit intermediates hold product and sum exactly, so that each cast is the single rounding of an fma
        wide = np.longdouble
        inner = (b.astype(wide) * wide(self.scale_b) + wide(self.constant)).astype(np.float32)
        return np.asarray(a.astype(wide) * wide(self.scale_a) + inner.astype(wide), np.float32)

    def table(self, a: QuantType, b: QuantType) -> IntArray:
        """All results, int16, shape (a values, b values), for a = a.min.. and b = b.min..."""
        first = np.arange(a.min, a.max + 1)[:, None]
        second = np.arange(b.min, b.max + 1)[None, :]
        return np.clip(np.rint(self._sum(first, second)), self.lo, self.hi).astype(np.int16)

    def evaluate(self, a: IntArray, b: IntArray) -> IntArray:
        """Result for two integer arrays of equal shape."""
        return np.clip(np.rint(self._sum(a, b)), self.lo, self.hi).astype(np.int16)


@dataclass(frozen=True, eq=False)
class AffineJoinReference:
    """Sum of two integer tensors (accumulators or not) with fixed-point constants, rounded once.

    ``y = clip(round((a * scale_a[c] + b * scale_b[c] + constant[c]) / 2**shift) + zero_point, lo, hi)``.
    The constants are integers (int64 arrays, shape (C,) or (1,)): the real ones where these are dyadic, otherwise the
    nearest on a grid so fine that no sum is more than 2**-17 LSB off. Every sum fits 53 bits, so float64 is exact.
    """

    scale_a: npt.NDArray[np.int64]
    scale_b: npt.NDArray[np.int64]
    constant: npt.NDArray[np.int64]
    shift: int
    rounding: Rounding
    zero_point: int
    lo: int
    hi: int

    def real(self, a: IntArray, b: IntArray) -> Float64Array:
        """Value before rounding, in output LSB, zero point included, float64 (exact)."""
        return self.unrounded(a, b) + self.zero_point

    def unrounded(self, a: IntArray, b: IntArray) -> Float64Array:
        """The exact sum in output LSB, float64."""
        total = a.astype(np.int64) * self.scale_a + b.astype(np.int64) * self.scale_b + self.constant
        return np.ldexp(total.astype(np.float64), -self.shift)

    def evaluate(self, a: IntArray, b: IntArray) -> IntArray:
        """Result for two integer arrays of equal shape (..., C)."""
        rounded = round_float(self.unrounded(a, b), self.rounding) + self.zero_point
        return np.clip(rounded, self.lo, self.hi).astype(np.int32)


Reference = QLinearReference | AffineReference | TableReference
JoinReference = QLinearAddReference | AffineJoinReference


def _lcm(a: int, b: int) -> int:
    return Fraction(a, b).numerator * b


def _significant_bits(value: int) -> int:
    value = abs(value)
    return value.bit_length() - (((value & -value).bit_length() - 1) if value else 0)
