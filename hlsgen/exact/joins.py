"""Exact units for Join operators: sums of two integer tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlsgen.exact.units import Interval, JoinUnit, collapse
from hlsgen.graph.reference import AffineJoinReference, JoinReference, QLinearAddReference, Rounding

Int64Array = npt.NDArray[np.int64]
Float64Array = npt.NDArray[np.float64]

_NO_EXCEPTIONS = np.zeros((0, 3), np.int64)
_FIRST_SHIFT, _LAST_SHIFT = 2, 28
_NEAREST = 96
_NEAR = 4096


def join_units(reference: JoinReference, a: Interval, b: Interval) -> tuple[JoinUnit, ...]:
    """Exact units, cheapest first, for inputs within the intervals ``a`` and ``b``; empty if there is none."""
    if isinstance(reference, AffineJoinReference):
        unit = _affine_unit(reference, a, b)
        return () if unit is None else (unit,)
    return (_qlinear_unit(reference, a, b),)


def _affine_unit(reference: AffineJoinReference, a: Interval, b: Interval) -> JoinUnit | None:
    """The reference's own integers, without the zero bits that all of them share; exact for every input in bounds."""
    constants = np.concatenate([reference.scale_a, reference.scale_b, reference.constant])
    zeros = min((int(v) & -int(v)).bit_length() - 1 for v in constants if v) if constants.any() else 0
    if reference.rounding is not Rounding.SIGN:
        # SIGN alone does not care; the other roundings may lose at most the bits they shift out
        zeros = min(zeros, reference.shift)
    try:
        return JoinUnit(
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
            exceptions=_NO_EXCEPTIONS,
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


def _qlinear_unit(reference: QLinearAddReference, a: Interval, b: Interval) -> JoinUnit:
    """A linear form proved on all pairs: with FLOOR, else with half-even ties, else the better one with exceptions."""
    grid = _grid(reference, a, b)
    unit = _floor_form(reference, grid, a, b)
    if unit is not None:
        return unit
    candidates = [_half_even_form(reference, grid, a, b), _plain_form(reference, a, b)]
    best, wrong = None, grid.y.size + 1
    for candidate in candidates:
        errors = int((candidate.evaluate(grid.a, grid.b) != grid.y).sum())
        if errors < wrong:
            best, wrong = candidate, errors
    assert best is not None
    return _with_exceptions(best, grid)


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


def _floor_form(reference: QLinearAddReference, grid: _Grid, a: Interval, b: Interval) -> JoinUnit | None:
    """``(a * mul_a + b * mul_b + add) >> shift`` with the smallest shift for which slopes next to the real ones work.

    At each shift the multipliers around the real scales are tried together: first against the pairs nearest to a
    rounding boundary, the survivors against more of them, and what is left, in integers, against all.
    """
    scale_a, scale_b = float(reference.scale_a), float(reference.scale_b)
    half = float(reference.constant) + 0.5
    first, second = _Nearest.of(grid, _NEAREST), _Nearest.of(grid, _NEAR)
    for shift in range(_FIRST_SHIFT, _LAST_SHIFT):
        around = np.arange(-8, 9) if shift > 20 else np.arange(-2, 3)
        mul_a, mul_b = np.meshgrid(round(scale_a * (1 << shift)) + around, round(scale_b * (1 << shift)) + around)
        mul_a, mul_b = mul_a.ravel(), mul_b.ravel()
        order = np.argsort(np.abs(mul_a - scale_a * (1 << shift)) + np.abs(mul_b - scale_b * (1 << shift)))
        mul_a, mul_b = mul_a[order], mul_b[order]
        for nearest in (first, second):
            least, most = nearest.offsets(mul_a / (1 << shift) - scale_a, mul_b / (1 << shift) - scale_b)
            holds_integer = np.ceil((most + half) * (1 << shift)) > np.ceil((least + half) * (1 << shift))
            mul_a, mul_b = mul_a[holds_integer], mul_b[holds_integer]
        for first_mul, second_mul in zip(mul_a.tolist(), mul_b.tolist(), strict=True):
            add = _addend(grid, reference, first_mul, second_mul, shift)
            if add is not None:
                return _join(reference, a, b, first_mul, second_mul, add, 0, shift, Rounding.FLOOR)
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


def _half_even_form(reference: QLinearAddReference, grid: _Grid, a: Interval, b: Interval) -> JoinUnit:
    """Ties to even: sums within 2**-shift of a tie, where float32 sees one, count as ties; the smallest form that holds.

    ``drop`` low bits are cut so that such sums fall into one cell of width 2**-shift with the tie in its middle. With
    scales of few bits there is nothing to drop. If nothing holds, the form with the fewest errors near the boundaries.
    """
    nearest = _Nearest.of(grid, _NEAREST)
    near_a, near_b = (
        np.concatenate([nearest.below[i], nearest.above[i]]).astype(np.int64) for i in range(2)
    )
    expected = grid.y[near_a - a[0], near_b - b[0]]
    scale_a, scale_b = float(reference.scale_a), float(reference.scale_b)
    middle_a, middle_b = sum(a) / 2, sum(b) / 2
    best, fewest = None, len(expected) + 1
    for total in range(_LAST_SHIFT - 2):
        unit_of_sum = float(1 << total)
        mul_a, mul_b = round(scale_a * unit_of_sum), round(scale_b * unit_of_sum)
        drift = (mul_a - scale_a * unit_of_sum) * middle_a + (mul_b - scale_b * unit_of_sum) * middle_b
        for drop in range(total):
            add = round(float(reference.constant) * unit_of_sum - drift + ((1 << drop) >> 1))
            unit = _join(reference, a, b, mul_a, mul_b, add, drop, total - drop, Rounding.HALF_EVEN)
            errors = int((unit.evaluate(near_a, near_b) != expected).sum())
            if not errors and np.array_equal(unit.evaluate(grid.a, grid.b), grid.y):
                return unit
            if errors < fewest:
                best, fewest = unit, errors
    assert best is not None
    return best


def _plain_form(reference: QLinearAddReference, a: Interval, b: Interval) -> JoinUnit:
    """The real scales to 24 fraction bits: wrong only where float32 rounding, not the sum, decides."""
    shift = 24
    constants = (float(reference.scale_a), float(reference.scale_b), float(reference.constant) + 0.5)
    mul_a, mul_b, add = (round(c * (1 << shift)) for c in constants)
    return _join(reference, a, b, mul_a, mul_b, add, 0, shift, Rounding.FLOOR)


def _with_exceptions(unit: JoinUnit, grid: _Grid) -> JoinUnit:
    """The unit with a correction for every pair that it gets wrong."""
    difference = grid.y - unit.evaluate(grid.a, grid.b)
    row, column = np.nonzero(difference)
    exceptions = np.stack([grid.a[row, 0], grid.b[0, column], difference[row, column]], axis=1)
    return JoinUnit(
        unit.domain_a, unit.domain_b, unit.mul_a, unit.mul_b, unit.add, unit.drop, unit.shift, unit.rounding,
        unit.zero_point, unit.lo, unit.hi, exceptions.astype(np.int64),
    )  # fmt: skip


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
) -> JoinUnit:
    return JoinUnit(
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
        exceptions=_NO_EXCEPTIONS,
    )
