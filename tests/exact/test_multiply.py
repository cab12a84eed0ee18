"""The solver of ``scale``: it finds the smallest shift, and where it finds nothing, nothing exists."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from hlsgen.exact.multiply import scale_units
from hlsgen.exact.steps import StepFunction
from hlsgen.exact.units import ScaleUnit
from hlsgen.graph.reference import AffineReference, QLinearReference, Rounding, TableReference
from hlsgen.graph.types import IntArray
from tests.exact.references import qlinear


def solve(reference: QLinearReference | AffineReference | TableReference, lo: int, hi: int) -> ScaleUnit | None:
    steps = StepFunction.of(reference, np.array([lo]), np.array([hi]))
    assert steps is not None
    units = scale_units(steps, reference)
    return units[0] if units else None


def line_exists(x: IntArray, y: IntArray) -> bool:
    """Whether ``clamp(floor(slope * x + offset))`` is y for real numbers slope and offset: a linear program."""
    smallest, largest = int(y.min()), int(y.max())
    scale = float(max(1, np.abs(x).max()))
    lower = [(-v / scale, -1.0, 0.0, -float(k)) for v, k in zip(x, y, strict=True) if k > smallest]
    upper = [(v / scale, 1.0, 1.0, float(k + 1)) for v, k in zip(x, y, strict=True) if k < largest]
    constraints = np.array(lower + upper)
    limits = [(None, None), (None, None), (None, 1)]
    result = linprog([0, 0, -1], A_ub=constraints[:, :3], b_ub=constraints[:, 3], bounds=limits)
    return bool(result.x[2] > 1e-9)


def test_nothing_found_means_nothing_exists() -> None:
    rng = np.random.default_rng(8)
    found = []
    for _ in range(60):
        problem = qlinear(rng, channels=1, most=3000)
        steps = StepFunction.of(problem.reference, problem.lo, problem.hi)
        assert steps is not None
        if steps.constant.all():
            continue
        points, results = steps.points
        found.append(bool(scale_units(steps, problem.reference)))
        assert found[-1] == line_exists(points[:, 0], results[:, 0])
    assert any(found)
    assert not all(found)


@pytest.mark.parametrize("seed", range(12))
def test_the_shift_is_the_smallest(seed: int) -> None:
    """Against all multipliers and addends of every smaller shift, for functions of few values."""
    rng = np.random.default_rng(seed)
    y = np.sort(rng.integers(0, 5, 14))
    unit = solve(TableReference(0, y[None], y[None].astype(np.float64)), 0, 13)
    x = np.arange(14)
    smallest, largest = y.min(), y.max()

    def works(shift: int) -> bool:
        for mul in range((5 << shift) + 2):
            product = mul * x
            low = ((y << shift) - product)[y > smallest].max(initial=-(1 << 30))
            high = (((y + 1) << shift) - 1 - product)[y < largest].min(initial=1 << 30)
            if low <= high:
                return True
        return False

    limit = 7 if unit is None else unit.shift
    assert not any(works(shift) for shift in range(limit))
    if unit is not None:
        assert works(unit.shift)


def test_range_ends_count() -> None:
    """0 0 0 1 1 1 with a result range of 0..3 beyond the range: a slope fit to the single step would overshoot."""
    values = np.array([[0] * 40 + [1] * 40, [0] * 30 + [3] * 50])
    reference = TableReference(0, values, values.astype(np.float64))
    steps = StepFunction.of(reference, np.zeros(2, np.int64), np.full(2, 79))
    assert steps is not None
    (unit,) = scale_units(steps, reference)
    x = np.arange(80)[:, None] + np.zeros(2, np.int64)
    np.testing.assert_array_equal(unit.evaluate(x), values.T)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("scale", [Fraction(3, 8), Fraction(-1, 6), Fraction(5, 12), Fraction(-7, 36)])
def test_exact_ties_of_every_rounding(scale: Fraction, rounding: Rounding) -> None:
    """Ratios whose values tie again and again: only the rounding form can follow half to even."""
    reference = AffineReference(
        (scale,), (Fraction(1, 2),), rounding, 0, (-1,) if rounding is Rounding.SIGN else (-99,), (99,)
    )
    unit = solve(reference, -200, 200)
    assert unit is not None
    assert unit.evaluate(np.arange(-200, 201)[:, None])[:, 0].tolist() == [
        reference.value(x, 0) for x in range(-200, 201)
    ]
    if rounding is Rounding.HALF_EVEN:
        assert unit.rounding is Rounding.HALF_EVEN


def test_wide_products_come_in_two_parts() -> None:
    scale = Fraction(float(np.float32(0.0000317))) / Fraction(float(np.float32(0.7)))
    reference = AffineReference((scale,), (Fraction(1, 3),), Rounding.HALF_EVEN, 0, (-(1 << 15),), ((1 << 15) - 1,))
    unit = solve(reference, -(1 << 40), 1 << 40)
    assert unit is not None
    assert unit.low_bits > 0
    rng = np.random.default_rng(0)
    x = rng.integers(-(1 << 30), 1 << 30, 3000)
    assert unit.evaluate(x[:, None])[:, 0].tolist() == [reference.value(v, 0) for v in x.tolist()]


def test_the_operand_is_clipped_where_that_saves_bits() -> None:
    scale = Fraction(float(np.float32(0.37)))
    reference = AffineReference((scale,), (Fraction(0),), Rounding.HALF_EVEN, 0, (-128,), (127,))
    unit = solve(reference, -(1 << 24), 1 << 24)
    assert unit is not None
    assert unit.clips_operand
    assert unit.operand[1] < 400
    wide = np.array([-(1 << 24), 1 << 24, 1000, -1000])[:, None]
    np.testing.assert_array_equal(unit.evaluate(wide), reference.evaluate(wide))
