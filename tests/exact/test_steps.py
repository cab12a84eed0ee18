from __future__ import annotations

import numpy as np
import pytest

from hlsgen.exact.steps import StepFunction
from hlsgen.graph.reference import AffineReference, QLinearReference, Rounding
from tests.exact.references import SCALES, Problem, affine, qlinear, table


def expected(problem: Problem, x: np.ndarray) -> np.ndarray:
    """The definition: rationals for an affine reference, the float32 formula or the table otherwise."""
    if isinstance(problem.reference, AffineReference):
        return np.array([[problem.reference.value(int(v), c) for c, v in enumerate(row)] for row in x])
    return problem.reference.evaluate(x).astype(np.int64)


def check(problem: Problem, rng: np.random.Generator, most: int = 1 << 14) -> StepFunction:
    steps = StepFunction.of(problem.reference, problem.lo, problem.hi)
    assert steps is not None
    x = problem.inputs(rng, most)
    np.testing.assert_array_equal(steps.evaluate(x), expected(problem, x))
    points, results = steps.points
    assert (points >= problem.lo).all()
    assert (points <= problem.hi).all()
    np.testing.assert_array_equal(results, expected(problem, points))
    return steps


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("scale", SCALES)
def test_affine(scale: str, rounding: Rounding) -> None:
    rng = np.random.default_rng([list(SCALES).index(scale), list(Rounding).index(rounding)])
    for _ in range(12):
        check(affine(rng, scale, rounding), rng, 600)


@pytest.mark.parametrize("seed", range(8))
def test_qlinear(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(8):
        check(qlinear(rng), rng)


def test_qlinear_beyond_24_bits() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        multiplier = (rng.uniform(0.5, 2, 3) * 2.0 ** -rng.integers(17, 24, 3)).astype(np.float32)
        reach = rng.integers(1 << 24, 1 << 31, (2, 3))
        check(Problem(QLinearReference(multiplier, 7, -128, 127), -reach[0], reach[1]), rng)


def test_qlinear_of_vanishing_multipliers() -> None:
    multiplier = np.array([0, 1e-45, 1e-30, 0.5], np.float32)
    limit = np.full(4, 1 << 20)
    steps = check(Problem(QLinearReference(multiplier, 3, -128, 127), -limit, limit), np.random.default_rng(0))
    assert steps.constant.tolist() == [True, True, True, False]


@pytest.mark.parametrize("seed", range(4))
def test_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(20):
        check(table(rng, monotone=True), rng)


def test_a_function_that_rises_and_falls_has_no_steps() -> None:
    problem = table(np.random.default_rng(0), monotone=False)
    assert StepFunction.of(problem.reference, problem.lo, problem.hi) is None


def test_thresholds_are_the_smallest_arguments() -> None:
    problem = affine(np.random.default_rng(5), "power of two", Rounding.HALF_EVEN)
    reference = problem.reference
    assert isinstance(reference, AffineReference)
    steps = check(problem, np.random.default_rng(0))
    for c in range(steps.channels):
        u = np.arange(steps.u_lo[c], steps.u_hi[c] + 1)
        y = np.array([reference.value(int(v * steps.direction[c]), c) for v in u])
        for level in range(steps.base + 1, steps.top + 1):
            reached = u[y >= level]
            first = reached[0] if len(reached) else steps.u_hi[c] + 1
            assert steps.thresholds[c, level - steps.base - 1] == first
        assert (steps.smallest[c], steps.largest[c]) == (y[0], y[-1])


def test_clipping_the_argument_to_the_active_range_changes_nothing() -> None:
    rng = np.random.default_rng(11)
    for rounding in Rounding:
        problem = affine(rng, "float32", rounding)
        steps = StepFunction.of(problem.reference, problem.lo, problem.hi)
        assert steps is not None
        inner = steps.clipped(*steps.active)
        x = problem.inputs(rng, 600)
        clipped = np.clip(x, *steps.active)
        assert (clipped >= inner.lo).all()
        assert (clipped <= inner.hi).all()
        np.testing.assert_array_equal(inner.evaluate(clipped), steps.evaluate(x))


def test_sixteen_bit_results() -> None:
    rng = np.random.default_rng(3)
    multiplier = tuple(SCALES["float32"](rng) / 300 for _ in range(2))
    offset = tuple(SCALES["float32 ratio"](rng) * 1000 for _ in range(2))
    reference = AffineReference(multiplier, offset, Rounding.HALF_EVEN, 0, (-(1 << 15),), ((1 << 15) - 1,))
    limit = np.full(2, 1 << 33)
    check(Problem(reference, -limit, limit), rng, 2000)
