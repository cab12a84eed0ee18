"""Constants for ONNX Runtime's arithmetic, at the places where the last bit decides."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hlsgen.canonical import arithmetic
from hlsgen.errors import UnsupportedError
from hlsgen.graph.reference import AffineReference, QLinearAddReference, Rounding
from hlsgen.graph.types import INT8, UINT8, QuantType


def affine(
    scale: Fraction, offset: Fraction, rounding: Rounding = Rounding.HALF_EVEN, bound: int = 127
) -> AffineReference:
    return AffineReference((scale,), (offset,), rounding, 0, (-bound,), (bound,))


@pytest.mark.parametrize("rounding", [r for r in Rounding if r is not Rounding.SIGN])
def test_doubles_equal_the_exact_function_on_every_value(rounding: Rounding) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        scale = Fraction(float(np.float32(rng.uniform(0.01, 2)))) / Fraction(float(np.float32(rng.uniform(1, 9))))
        offset = Fraction(float(np.float32(rng.normal()))) / Fraction(float(np.float32(0.3)))
        reference = affine(scale * int(rng.choice([-1, 1])), offset, rounding, 31)
        constants = arithmetic.doubles(reference, -300, 300, "n")
        x = np.arange(-300, 301)[:, None]
        assert constants.evaluate(reference, x).ravel().tolist() == [reference.value(int(v), 0) for v in x.ravel()]


@pytest.mark.parametrize("side", [1, -1])
def test_a_value_beside_a_tie_is_moved_off_it(side: int) -> None:
    """x = 3 lies 2**-60 from a tie: more than float64 can tell, so the constant must move."""
    tiny = Fraction(side, 2**60)
    reference = affine(Fraction(1, 3), Fraction(1, 2) + tiny, Rounding.HALF_EVEN)
    plain = arithmetic.Doubles(*reference.float64_constants())
    x = np.array([[3]])
    exact = reference.value(3, 0)
    assert exact == (2 if side > 0 else 1)
    constants = arithmetic.doubles(reference, -100, 100, "n")
    assert constants.evaluate(reference, x) == exact
    if side < 0:  # the tie itself would round to the even 2
        assert plain.evaluate(reference, x) != exact
        assert constants.constant != plain.constant
    every = np.arange(-100, 101)[:, None]
    assert constants.evaluate(reference, every).ravel().tolist() == [reference.value(int(v), 0) for v in every.ravel()]


def test_contradicting_ties_are_refused() -> None:
    """Two values next to ties, one above and one below, by less than float64 resolves."""
    reference = AffineReference(
        (Fraction(1, 2) + Fraction(1, 2**70),), (Fraction(0),), Rounding.HALF_EVEN, 0, (-127,), (127,)
    )
    with pytest.raises(UnsupportedError, match="node 'n': its scales lie so close to a rounding boundary"):
        arithmetic.doubles(reference, -100, 100, "n")


def test_too_many_levels_are_refused() -> None:
    reference = affine(Fraction(1, 3), Fraction(0), bound=1 << 30)
    with pytest.raises(UnsupportedError, match="too many levels"):
        arithmetic.doubles(reference, -(1 << 40), 1 << 40, "n")


def test_constant_functions_have_no_boundaries() -> None:
    reference = affine(Fraction(0), Fraction(1, 3))
    constants = arithmetic.doubles(reference, -5, 5, "n")
    assert constants.evaluate(reference, np.array([[-5], [5]])).tolist() == [[0], [0]]


def test_few_functions_of_many_elements_are_checked_once_each() -> None:
    scales = tuple(Fraction(k, 3 * 7) for k in (1, 2, 3)) * 2000
    reference = AffineReference(scales, (Fraction(0),), Rounding.HALF_EVEN, 0, (-32768,), (32767,))
    constants = arithmetic.doubles(reference, -70000, 70000, "n")
    x = np.random.default_rng(0).integers(-70000, 70000, (50, len(scales)))
    assert np.array_equal(constants.evaluate(reference, x), reference.evaluate(x))


def test_pool_scales_reach_every_multiplier() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        count = int(rng.integers(1, 200))
        multiplier = np.float32(rng.uniform(0.001, 3))
        scales = arithmetic.pool_scales(multiplier, count)
        assert scales is not None
        assert np.float32(scales[0] / np.float32(scales[1] * np.float32(count))) == multiplier


@pytest.mark.parametrize("type", [INT8, UINT8])
@pytest.mark.parametrize("known", [True, False])
def test_add_zero_points(type: QuantType, known: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        a, b, c = (int(z) for z in rng.integers(type.min, type.max + 1, 3))
        scales = rng.uniform(0.1, 2, 2).astype(np.float32)
        wide = np.longdouble
        fused = np.float32(wide(scales[0]) * a + wide(np.float32(scales[1] * np.float32(b))))
        constant = np.float32(np.float32(c) - fused)
        reference = QLinearAddReference(scales[0], scales[1], constant, type.min, type.max)
        found = arithmetic.add_zero_points(reference, type, (a, b) if known else None)
        assert found is not None
        again = np.float32(wide(scales[0]) * found[0] + wide(np.float32(scales[1] * np.float32(found[1]))))
        assert np.float32(np.float32(found[2]) - again) == constant
        if known:
            assert found == (a, b, c)


def test_no_zero_points_for_a_constant_of_its_own() -> None:
    reference = QLinearAddReference(np.float32(1), np.float32(1), np.float32(0.3), -128, 127)
    assert arithmetic.add_zero_points(reference, INT8, (0, 0)) is None
