"""Solvers of the ``scale`` unit: multipliers, addends and a shift that reproduce a monotone function exactly.

``floor((mul * u + add) / 2**s)`` reaches result k at every *lower* point (the step of k) and stays below it at every
*upper* point (the last u before that step). Eliminating ``add`` leaves one condition per pair of points: ``mul / 2**s``
lies strictly between the slopes ``max (i - j) / (p - q + 1)`` and ``min (j - i) / (q - 1 - p)`` over the steps p of
result i and q of result j. Everything is an integer, so the elimination leaves no gap: an open interval that contains
a dyadic rational has a solution, an empty one proves that no multiplier of any width exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hlsgen.exact.proof import is_exact
from hlsgen.exact.steps import StepFunction
from hlsgen.exact.units import ScaleUnit, collapse
from hlsgen.graph.reference import AffineReference, Rounding
from hlsgen.graph.types import Int64Array

_MAX_SHIFT = 90
_INT64_BITS = 62


def scale_units(steps: StepFunction, reference: object) -> list[ScaleUnit]:
    """The exact ``scale`` unit of a layer, if there is one (a list of none or one).

    First the form without rounding logic, with one clamp for all channels and, where a channel's range ends inside
    the clamp on a long flat piece, with clamps per channel; then, for a reference with exact ties, the rounding form.
    """
    domain = int(steps.lo.min()), int(steps.hi.max())
    operand = _operand(steps, domain)
    inner = steps.clipped(*operand)
    clamps = [
        (collapse([steps.base]), collapse([steps.top])),
        (collapse(inner.smallest), collapse(inner.largest)),
    ]
    for lo, hi in clamps:
        unit = _floor_unit(inner, domain, operand, lo, hi)
        if unit is not None and is_exact(unit, steps):
            return [unit]
    if isinstance(reference, AffineReference):
        unit = _rounding_unit(steps, inner, reference, domain, operand)
        return [] if unit is None else [unit]
    return []


def dyadic_unit(reference: AffineReference, lo: Int64Array, hi: Int64Array) -> ScaleUnit | None:
    """The reference's own constants, if all are integers over one power of two: exact without looking at steps."""
    channels = len(lo)
    scales = [reference.scale[c % len(reference.scale)] for c in range(channels)]
    offsets = [reference.offset[c % len(reference.offset)] for c in range(channels)]
    denominator = max(f.denominator for f in (*scales, *offsets))
    if any(f.denominator & (f.denominator - 1) for f in (*scales, *offsets)):
        return None
    domain = int(lo.min()), int(hi.max())
    return _unit(
        domain=domain,
        operand=domain,
        mul=[int(f * denominator) for f in scales],
        add=[int(f * denominator) for f in offsets],
        drop=0,
        shift=denominator.bit_length() - 1,
        rounding=reference.rounding,
        zero_point=reference.zero_point,
        lo=collapse(np.resize(np.array(reference.lo, np.int64), channels)),
        hi=collapse(np.resize(np.array(reference.hi, np.int64), channels)),
    )


def _operand(steps: StepFunction, domain: tuple[int, int]) -> tuple[int, int]:
    """The interval x is clipped to: that of the steps, where this saves at least a bit, else the whole domain."""
    active = steps.active
    narrow = max(abs(active[0]), abs(active[1] + 1)).bit_length()
    return active if narrow < max(abs(domain[0]), abs(domain[1] + 1)).bit_length() else domain


@dataclass(frozen=True, eq=False)
class _Points:
    """Conditions on a line: ``thresholds`` relative to the start of the range, (C, K), and which of them count.

    The line reaches index k at ``thresholds[:, k]`` where ``lower``, and is below it one earlier where ``upper``.
    """

    thresholds: Int64Array
    lower: npt.NDArray[np.bool_]
    upper: npt.NDArray[np.bool_]


def _points(steps: StepFunction, lo: Int64Array, hi: Int64Array) -> _Points:
    """Results at or below ``lo[c]`` and above ``hi[c]`` are left to the clamp."""
    levels = np.arange(steps.base + 1, steps.top + 1)
    u_lo, u_hi = steps.u_lo[:, None], steps.u_hi[:, None]
    inside = (levels > lo[:, None]) & (levels <= hi[:, None])
    # several results reached at the range's first value (or not even at its last): only the hardest one counts
    lower = inside & (steps.thresholds <= u_hi) & ((steps.thresholds > u_lo) | (levels == steps.smallest[:, None]))
    upper = inside & (steps.thresholds > u_lo) & ((steps.thresholds <= u_hi) | (levels == steps.largest[:, None] + 1))
    return _Points(steps.thresholds - u_lo, lower, upper)


def _floor_unit(
    steps: StepFunction, domain: tuple[int, int], operand: tuple[int, int], lo: Int64Array, hi: Int64Array
) -> ScaleUnit | None:
    channels = steps.channels
    points = _points(steps, np.broadcast_to(lo, channels), np.broadcast_to(hi, channels))
    above = [Fraction(n, d) for n, d in zip(*_as_lists(_steepest_below(points)), strict=True)]
    below = [Fraction(n, d) if d else None for n, d in zip(*_as_lists(_flattest_above(points)), strict=True)]
    shift = 0
    for low, high in zip(above, below, strict=True):
        if high is not None and low >= high:
            return None
        while not _contains_dyadic(low, high, shift):
            shift += 1
            if shift > _MAX_SHIFT:
                return None
    mul = [(low * (1 << shift)).__floor__() + 1 for low in above]
    if max(mul).bit_length() > _INT64_BITS - 1:
        return None
    for c in np.flatnonzero(~(points.lower | points.upper).any(axis=1)):
        mul[c] = 0  # the clamp alone makes this channel
    add = _addends(points, steps, mul, shift, lo)
    signed = [m * d for m, d in zip(mul, steps.direction.tolist(), strict=True)]
    return _unit(domain, operand, signed, add, 0, shift, Rounding.FLOOR, 0, lo, hi)


def _contains_dyadic(low: Fraction, high: Fraction | None, shift: int) -> bool:
    """Whether some integer over 2**shift lies strictly between ``low`` and ``high`` (None: no upper bound)."""
    return high is None or (low * (1 << shift)).__floor__() + 1 < high * (1 << shift)


def _as_lists(arrays: tuple[Int64Array, Int64Array]) -> tuple[list[int], list[int]]:
    return arrays[0].tolist(), arrays[1].tolist()


def _flattest_above(points: _Points) -> tuple[Int64Array, Int64Array]:
    """``min (j - i) / (t_j - 1 - t_i)`` over lower points i and upper points j where the denominator is positive.

    Dinkelbach's iteration: at a trial slope n/d find the pair that minimises ``d * (j - i) - n * (t_j - 1 - t_i)``; as
    long as this is negative its own slope is the next trial. Pairs without a positive denominator never win.
    Returns (numerators, denominators), denominator 0 where there is no such pair.
    """
    t, lower, upper = points.thresholds, points.lower, points.upper
    channels, count = t.shape
    if not count:
        return np.ones(channels, np.int64), np.zeros(channels, np.int64)
    row, index = np.arange(channels), np.arange(count)
    first, last = lower.argmax(axis=1), count - 1 - upper[:, ::-1].argmax(axis=1)
    numerator, denominator = last - first, t[row, last] - 1 - t[row, first]
    active = lower.any(axis=1) & upper.any(axis=1) & (denominator > 0)
    numerator, denominator = np.where(active, numerator, 1), np.where(active, denominator, 0)
    huge = np.int64(1 << 61)
    while active.any():
        n, d = numerator[:, None], denominator[:, None]
        height = d * index - n * t
        reach = np.maximum.accumulate(np.where(lower, height, -huge), axis=1)
        gap = np.where(upper[:, 1:] & (reach[:, :-1] > -huge), height[:, 1:] + n - reach[:, :-1], huge)
        if not gap.shape[1]:
            break
        best = gap.argmin(axis=1)
        active &= gap[row, best] < 0
        j = best + 1
        i = np.where(lower & (index <= best[:, None]), height, -huge).argmax(axis=1)
        numerator = np.where(active, j - i, numerator)
        denominator = np.where(active, t[row, j] - 1 - t[row, i], denominator)
    return numerator, denominator


def _steepest_below(points: _Points) -> tuple[Int64Array, Int64Array]:
    """``max (i - j) / (t_i - t_j + 1)`` over lower points i and upper points j <= i, or 0 if none is positive.

    Dinkelbach's iteration as above, from slope 0. Returns (numerators, denominators), denominators positive.
    """
    t, lower, upper = points.thresholds, points.lower, points.upper
    channels, count = t.shape
    numerator, denominator = np.zeros(channels, np.int64), np.ones(channels, np.int64)
    if not count:
        return numerator, denominator
    row, index = np.arange(channels), np.arange(count)
    active = lower.any(axis=1) & upper.any(axis=1)
    huge = np.int64(1 << 61)
    while active.any():
        n, d = numerator[:, None], denominator[:, None]
        height = d * index - n * t
        reach = np.minimum.accumulate(np.where(upper, height, huge), axis=1)
        gap = np.where(lower & (reach < huge), height - n - reach, -huge)
        i = gap.argmax(axis=1)
        active &= gap[row, i] > 0
        j = np.where(upper & (index <= i[:, None]), height, huge).argmin(axis=1)
        numerator = np.where(active, i - j, numerator)
        denominator = np.where(active, t[row, i] - t[row, j] + 1, denominator)
    return numerator, denominator


def _addends(points: _Points, steps: StepFunction, mul: list[int], shift: int, lo: Int64Array) -> list[int]:
    """For each channel the addend with the most trailing zeros in ``max(k 2**s - mul p) .. min(j 2**s - 1 - mul q)``.

    float64 finds the points where the extremes may lie, Python integers compare those.
    """
    clamp = np.broadcast_to(lo, steps.channels).tolist()
    indices = np.arange(points.thresholds.shape[1])
    addends = []
    for c, (m, start) in enumerate(zip(mul, steps.u_lo.tolist(), strict=True)):
        t = points.thresholds[c]
        height = indices - (m / (1 << shift)) * t
        lower = _extremes(-height, points.lower[c])
        upper = _extremes(height, points.upper[c])
        if not lower and not upper:
            addends.append(clamp[c] << shift)
            continue
        heights = [((i + steps.base + 1) << shift) - m * (int(t[i]) + start) for i in (*lower, *upper)]
        least = max(heights[: len(lower)], default=None)
        most = min(heights[len(lower) :], default=None)
        addends.append(_simplest(least, None if most is None else most + m - 1))
    return addends


def _extremes(values: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_]) -> list[int]:
    """Where the smallest allowed values lie, as far as float64 can tell them apart."""
    candidates = np.flatnonzero(allowed)
    if not len(candidates):
        return []
    chosen = values[candidates]
    error = 2.0**-48 * (1 + float(np.abs(chosen).max()) + len(values))
    return [int(i) for i in candidates[chosen <= chosen.min() + error]]


def _simplest(least: int | None, most: int | None) -> int:
    """The integer with the most trailing zeros in ``least..most`` (None: that end is open)."""
    if most is None:
        assert least is not None
        return least
    if least is None:
        return most
    zeros = 0
    while zeros < _INT64_BITS and (most >> (zeros + 1)) << (zeros + 1) >= least:
        zeros += 1
    return (most >> zeros) << zeros


def _rounding_unit(
    steps: StepFunction,
    inner: StepFunction,
    reference: AffineReference,
    domain: tuple[int, int],
    operand: tuple[int, int],
) -> ScaleUnit | None:
    """Multiply, cut the bits that hold only the error of ``mul`` and ``add``, round as the quantizer does.

    ``mul`` is the scale rounded to ``total`` fraction bits and ``add`` makes every sum at least the exact one, by less
    than 2**drop: a tie is then seen as a tie, and nothing else is once 2**-(total - drop) is finer than the values'
    distances from ties. Dyadic constants need no ``drop``.
    """
    channels = steps.channels
    scales = [reference.scale[c % len(reference.scale)] for c in range(channels)]
    offsets = [reference.offset[c % len(reference.offset)] for c in range(channels)]
    constant = steps.constant
    lo = collapse(np.where(constant, steps.smallest, np.resize(np.array(reference.lo, np.int64), channels)))
    hi = collapse(np.where(constant, steps.largest, np.resize(np.array(reference.hi, np.int64), channels)))
    varying = np.flatnonzero(~constant).tolist()
    denominators = [constants[c].denominator for constants in (scales, offsets) for c in varying]
    if not denominators:
        return None
    totals = list(range(1, _MAX_SHIFT))
    if all(d & (d - 1) == 0 for d in denominators) and max(denominators) <= 1 << _MAX_SHIFT:
        totals.insert(0, max(denominators).bit_length() - 1)
    for total in totals:
        mul, add, spread = [], [], 0
        for c in range(channels):
            if constant[c]:
                mul.append(0)
                add.append(0)
                continue
            exact_mul, exact_add = scales[c] * (1 << total), offsets[c] * (1 << total)
            rounded = round(exact_mul)
            errors = [(rounded - exact_mul) * x for x in (int(inner.lo[c]), int(inner.hi[c]))]
            offset = -((min(errors) - exact_add).__floor__())  # smallest integer that leaves no sum below the exact one
            mul.append(rounded)
            add.append(offset)
            spread = max(spread, _ceil(max(errors) + offset - exact_add))
        drop = spread.bit_length()
        if drop > total:
            continue
        unit = _unit(domain, operand, mul, add, drop, total - drop, reference.rounding, reference.zero_point, lo, hi)
        if unit is not None and is_exact(unit, steps):
            return unit
    return None


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _unit(
    domain: tuple[int, int],
    operand: tuple[int, int],
    mul: list[int],
    add: list[int],
    drop: int,
    shift: int,
    rounding: Rounding,
    zero_point: int,
    lo: Int64Array,
    hi: Int64Array,
) -> ScaleUnit | None:
    """The unit, its product in two parts if it needs more than 62 bits; None if even that is too wide."""
    operand_bits = max(abs(operand[0]), abs(operand[1])).bit_length()
    mul_bits = max(abs(m) for m in mul).bit_length()
    sum_bits = max(operand_bits + mul_bits, max(abs(a) for a in add).bit_length(), shift + drop) + 2
    low_bits = 0
    if sum_bits > _INT64_BITS:
        low_bits = sum_bits - _INT64_BITS
        available = drop + shift if rounding is Rounding.FLOOR else drop
        if operand_bits + low_bits > _INT64_BITS - 2 or low_bits > available:
            return None
    mask = (1 << low_bits) - 1
    floor = rounding is Rounding.FLOOR
    try:
        return ScaleUnit(
            domain=domain,
            operand=operand,
            mul=collapse([m >> low_bits for m in mul]),
            add=collapse([a >> low_bits for a in add]),
            low_bits=low_bits,
            mul_low=collapse([m & mask for m in mul]),
            add_low=collapse([a & mask for a in add]),
            drop=0 if floor else drop - low_bits,
            shift=drop + shift - low_bits if floor else shift,
            rounding=rounding,
            zero_point=zero_point,
            lo=lo,
            hi=hi,
        )
    except ValueError:  # more than 63 bits after all
        return None
