"""Exact units for Join operators: sums of two integer tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.exact.units import FloatJoinUnit, Interval, JoinUnit, LinearJoinUnit, collapse
from hlsgen.graph.reference import AffineJoinReference, Float64Array, JoinReference, QLinearAddReference, Rounding
from hlsgen.graph.types import Int64Array

_LAST_SHIFT = 27
_NEAREST = 96
_NEAR = 4096
_WIDEST = 2.0**50
"""Largest multiplier and addend that are tried: with 9-bit operands, sums stay within int64."""


def join_units(reference: JoinReference, a: Interval, b: Interval) -> tuple[JoinUnit, ...]:
    """Exact units, cheapest first, for inputs within the intervals ``a`` and ``b``; empty if there is none."""
    unit: JoinUnit | None
    if isinstance(reference, AffineJoinReference):
        unit = _affine_unit(reference, a, b)
    else:
        grid = _grid(reference, a, b)
        unit = _floor_form(reference, grid, a, b) or _half_even_form(reference, grid, a, b)
        # the last form is always exact and never the cheapest
        unit = unit or _float_form(reference, grid, a, b)
    return () if unit is None else (unit,)


def _affine_unit(reference: AffineJoinReference, a: Interval, b: Interval) -> LinearJoinUnit | None:
    """The reference's own integers, without the zero bits that all of them share; exact for every input in bounds."""
    constants = np.concatenate([reference.scale_a, reference.scale_b, reference.constant])
    zeros = min((int(v) & -int(v)).bit_length() - 1 for v in constants if v) if constants.any() else 0
    if reference.rounding is not Rounding.SIGN:
        # SIGN alone does not care; the other roundings may lose at most the bits they shift out
        zeros = min(zeros, reference.shift)
    try:
        return LinearJoinUnit(
            domain_a=a,
            domain_b=b,
            mul_a=collapse(reference.scale_a >> zeros),
            mul_b=collapse(reference.scale_b >> zeros),
            add=collapse(reference.constant >> zeros),
            drop=0,
            shift=max(0, reference.shift - zeros),
            rounding=reference.rounding,
            zero_point=reference.zero_point,
            lo=reference.lo,
            hi=reference.hi,
        )
    except ValueError:  # more than 63 bits
        return None


@dataclass(frozen=True, eq=False)
class _Grid:
    """All pairs of inputs: ``a`` (A, 1), ``b`` (1, B), results ``y`` (A, B), exact real sums ``real`` in output LSB.

    ``below``: how far the sum may fall before the result does, ``above``: how far it may rise (float64, (A, B),
    infinite where the clamp decides; negative where a float32 rounding carried the sum across the boundary).
    """

    a: Int64Array
    b: Int64Array
    y: Int64Array
    real: Float64Array
    below: Float64Array
    above: Float64Array


def _grid(reference: QLinearAddReference, domain_a: Interval, domain_b: Interval) -> _Grid:
    a = np.arange(domain_a[0], domain_a[1] + 1)[:, None]
    b = np.arange(domain_b[0], domain_b[1] + 1)[None, :]
    y = reference.evaluate(a, b).astype(np.int64)
    real = a * float(reference.scale_a) + b * float(reference.scale_b) + float(reference.constant)
    below = np.where(y > reference.lo, real + 0.5 - y, np.inf)
    above = np.where(y < reference.hi, y + 0.5 - real, np.inf)
    return _Grid(a, b, y, real, below, above)


@dataclass(frozen=True, eq=False)
class _Nearest:
    """The pairs whose sums are nearest to a boundary: (a, b, room) for each side, ascending room."""

    below: tuple[Float64Array, Float64Array, Float64Array]
    above: tuple[Float64Array, Float64Array, Float64Array]

    @staticmethod
    def of(grid: _Grid, count: int) -> _Nearest:
        def pick(room: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
            count_here = min(count, int(np.isfinite(room).sum()))
            order = np.argpartition(room.ravel(), max(count_here - 1, 0))[:count_here]
            row, column = np.divmod(order, room.shape[1])
            return grid.a[row, 0].astype(float), grid.b[0, column].astype(float), room.ravel()[order]

        return _Nearest(pick(grid.below), pick(grid.above))

    def offsets(self, error_a: Float64Array, error_b: Float64Array) -> tuple[Float64Array, Float64Array]:
        """For slope errors (n,) the interval [least, most) of constant errors that keep every pair on its side."""
        a, b, room = self.below
        least = (-room - error_a[:, None] * a - error_b[:, None] * b).max(axis=1, initial=-np.inf)
        a, b, room = self.above
        most = (room - error_a[:, None] * a - error_b[:, None] * b).min(axis=1, initial=np.inf)
        return least, most


def _floor_form(reference: QLinearAddReference, grid: _Grid, a: Interval, b: Interval) -> LinearJoinUnit | None:
    """``(a * mul_a + b * mul_b + add) >> shift`` with the smallest shift for which slopes next to the real ones work.

    At each shift the multipliers around the real scales are tried together: first against the pairs nearest to a
    rounding boundary, the survivors against more of them, and what is left, in integers, against all.
    """
    scale_a, scale_b = float(reference.scale_a), float(reference.scale_b)
    half = float(reference.constant) + 0.5
    first, second = _Nearest.of(grid, _NEAREST), _Nearest.of(grid, _NEAR)
    for shift in range(_LAST_SHIFT):
        one = 1 << shift
        if max(abs(scale_a), abs(scale_b), abs(half)) * one >= _WIDEST:
            return None
        around = np.arange(-8, 9) if shift > 20 else np.arange(-2, 3)
        mul_a, mul_b = (
            mul.ravel() for mul in np.meshgrid(round(scale_a * one) + around, round(scale_b * one) + around)
        )
        order = np.argsort(np.abs(mul_a - scale_a * one) + np.abs(mul_b - scale_b * one))
        mul_a, mul_b = mul_a[order], mul_b[order]
        for nearest in (first, second):
            least, most = nearest.offsets(mul_a / one - scale_a, mul_b / one - scale_b)
            holds_integer = np.ceil((most + half) * one) > np.ceil((least + half) * one)
            mul_a, mul_b = mul_a[holds_integer], mul_b[holds_integer]
        for pair_a, pair_b in zip(mul_a.tolist(), mul_b.tolist(), strict=True):
            add = _addend(grid, reference, pair_a, pair_b, shift)
            if add is not None:
                return _join(reference, a, b, pair_a, pair_b, add, 0, shift, Rounding.FLOOR)
    return None


def _addend(grid: _Grid, reference: QLinearAddReference, mul_a: int, mul_b: int, shift: int) -> int | None:
    """An addend that puts every pair's sum between its result's boundaries, in integers; None if there is none."""
    total = grid.a * mul_a + grid.b * mul_b
    low = ((grid.y << shift) - total)[grid.y > reference.lo]
    high = (((grid.y + 1) << shift) - 1 - total)[grid.y < reference.hi]
    if not low.size or not high.size:
        return int(low.max()) if low.size else int(high.min()) if high.size else reference.lo << shift
    least, most = int(low.max()), int(high.min())
    if least > most:
        return None
    zeros = (least ^ most).bit_length() if least != most else 0
    while (most >> zeros) << zeros < least:
        zeros -= 1
    return (most >> zeros) << zeros


def _half_even_form(reference: QLinearAddReference, grid: _Grid, a: Interval, b: Interval) -> LinearJoinUnit | None:
    """Ties to even: sums so near a tie that float32 sees one count as ties; the smallest form that holds.

    ``drop`` low bits are cut so that such sums fall into one cell of width 2**-shift with the tie in its middle. With
    scales of few bits there is nothing to drop.
    """
    nearest = _Nearest.of(grid, _NEAREST)
    near_a, near_b = (np.concatenate([nearest.below[i], nearest.above[i]]).astype(np.int64) for i in range(2))
    expected = grid.y[near_a - a[0], near_b - b[0]]
    scale_a, scale_b = float(reference.scale_a), float(reference.scale_b)
    middle_a, middle_b = sum(a) / 2, sum(b) / 2
    for total in range(_LAST_SHIFT):
        one = float(1 << total)
        if max(abs(scale_a), abs(scale_b), abs(float(reference.constant))) * one >= _WIDEST:
            return None
        mul_a, mul_b = round(scale_a * one), round(scale_b * one)
        drift = (mul_a - scale_a * one) * middle_a + (mul_b - scale_b * one) * middle_b
        for drop in range(total):
            add = round(float(reference.constant) * one - drift + ((1 << drop) >> 1))
            unit = _join(reference, a, b, mul_a, mul_b, add, drop, total - drop, Rounding.HALF_EVEN)
            if np.array_equal(unit.evaluate(near_a, near_b), expected) and np.array_equal(
                unit.evaluate(grid.a, grid.b), grid.y
            ):
                return unit
    return None


def _float_form(reference: QLinearAddReference, grid: _Grid, a: Interval, b: Interval) -> FloatJoinUnit | None:
    """The float32 operations themselves, at a binary point at which all their operands are integers."""
    wide = np.longdouble
    b_term = (grid.b[0].astype(wide) * wide(reference.scale_b) + wide(reference.constant)).astype(np.float32)
    parts = [float(reference.scale_a), *b_term.tolist()]
    shift = max(1, *(float(part).as_integer_ratio()[1].bit_length() - 1 for part in parts))
    mul_a, *table = (int(part * (1 << shift)) if shift < 1000 else 0 for part in parts)
    largest = max(abs(a_end) for a_end in a) * abs(mul_a) + max(map(abs, table))
    try:
        unit = FloatJoinUnit(
            domain_a=a,
            domain_b=b,
            mul_a=mul_a,
            b_term=np.array(table, np.int64),
            shift=shift,
            binades=max(0, largest.bit_length() - shift),
            lo=reference.lo,
            hi=reference.hi,
        )
    except (ValueError, OverflowError):  # more than 63 bits
        return None
    return unit if np.array_equal(unit.evaluate(grid.a, grid.b), grid.y) else None


def _join(
    reference: QLinearAddReference,
    a: Interval,
    b: Interval,
    mul_a: int,
    mul_b: int,
    add: int,
    drop: int,
    shift: int,
    rounding: Rounding,
) -> LinearJoinUnit:
    return LinearJoinUnit(
        domain_a=a,
        domain_b=b,
        mul_a=collapse([mul_a]),
        mul_b=collapse([mul_b]),
        add=collapse([add]),
        drop=drop,
        shift=shift,
        rounding=rounding,
        zero_point=0,
        lo=reference.lo,
        hi=reference.hi,
    )
