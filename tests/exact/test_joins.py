"""Every join unit computes its reference for all pairs of inputs."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hlsgen.exact import joins
from hlsgen.exact.joins import join_units
from hlsgen.exact.units import FloatJoinUnit, JoinUnit, LinearJoinUnit
from hlsgen.graph.reference import AffineJoinReference, QLinearAddReference, Rounding
from tests.exact.references import ADD_KINDS, qlinear_add


def domain_of(reference: QLinearAddReference) -> tuple[int, int]:
    return (-128, 127) if reference.hi == 127 else (0, 255)


def check(reference: QLinearAddReference, a: tuple[int, int], b: tuple[int, int]) -> JoinUnit:
    start = time.process_time()
    (unit,) = join_units(reference, a, b)
    assert time.process_time() - start < 0.3
    rows, columns = np.arange(a[0], a[1] + 1)[:, None], np.arange(b[0], b[1] + 1)[None]
    expected = reference.evaluate(*np.broadcast_arrays(rows, columns))
    np.testing.assert_array_equal(unit.evaluate(rows, columns), expected)
    return unit


@pytest.mark.parametrize("kind", ADD_KINDS)
def test_qlinear_add(kind: str) -> None:
    rng = np.random.default_rng(ADD_KINDS.index(kind))
    units = []
    for _ in range(25):
        reference = qlinear_add(rng, kind)
        units.append(check(reference, domain_of(reference), domain_of(reference)))
    linear = [unit for unit in units if isinstance(unit, LinearJoinUnit)]
    if kind == "small ratio":
        assert len(linear) < 25, "float32 breaks some of these ties irregularly"
    else:
        assert len(linear) >= 24
    if kind in ("same", "power of two"):
        assert all(unit.cost.dsp == 0 for unit in linear)


def test_ties_need_the_half_even_form() -> None:
    reference = QLinearAddReference(np.float32(0.5), np.float32(0.25), np.float32(3), -128, 127)
    unit = check(reference, (-128, 127), (-128, 127))
    assert isinstance(unit, LinearJoinUnit)
    assert unit.rounding is Rounding.HALF_EVEN
    assert (unit.mul_a[0], unit.mul_b[0], unit.shift) == (2, 1, 2)


def test_ties_made_by_float32_need_float32() -> None:
    """float32(1/6): many sums tie after the rounding to float32, not before."""
    reference = QLinearAddReference(np.float32(1 / 6), np.float32(5 / 6), np.float32(11 / 6), -128, 127)
    unit = check(reference, (-128, 127), (-128, 127))
    assert isinstance(unit, FloatJoinUnit)


@pytest.mark.parametrize("domain", [((0, 0), (0, 255)), ((3, 200), (7, 9)), ((-5, -5), (2, 2)), ((0, 1), (-128, 127))])
def test_narrow_inputs(domain: tuple[tuple[int, int], tuple[int, int]]) -> None:
    rng = np.random.default_rng(1)
    for kind in ADD_KINDS:
        check(qlinear_add(rng, kind), *domain)


@pytest.mark.parametrize("kind", ["same", "power of two", "small ratio"])
def test_the_nearest_pairs_only_sift(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two pairs for a first look, wrong candidates reach the proof, which must refuse them."""
    monkeypatch.setattr(joins, "_NEAREST", 2)
    monkeypatch.setattr(joins, "_NEAR", 2)
    rng = np.random.default_rng(7)
    for _ in range(3):
        reference = qlinear_add(rng, kind)
        (unit,) = join_units(reference, domain_of(reference), domain_of(reference))
        rows = np.arange(domain_of(reference)[0], domain_of(reference)[1] + 1)
        a, b = np.meshgrid(rows, rows)
        np.testing.assert_array_equal(unit.evaluate(a, b), reference.evaluate(a, b))


def test_a_sum_that_never_leaves_the_clamp() -> None:
    check(QLinearAddReference(np.float32(1), np.float32(1), np.float32(900), 0, 255), (0, 255), (0, 255))
    check(QLinearAddReference(np.float32(1), np.float32(1), np.float32(-900), 0, 255), (0, 255), (0, 255))


def affine(rounding: Rounding, shift: int, zeros: int, channels: int, rng: np.random.Generator) -> AffineJoinReference:
    constants = (rng.integers(-(1 << 9), 1 << 9, (3, channels)) << zeros) * np.array([[1], [1], [40]])
    lo, hi, zero_point = (-1, 1, 0) if rounding is Rounding.SIGN else (-100, 120, 7)
    return AffineJoinReference(constants[0], constants[1], constants[2], shift, rounding, zero_point, lo, hi)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("shift", "zeros"), [(0, 0), (1, 0), (8, 3), (9, 12), (20, 4)])
def test_affine_join(rounding: Rounding, shift: int, zeros: int) -> None:
    rng = np.random.default_rng(shift)
    for channels in (1, 5):
        reference = affine(rounding, shift, zeros, channels, rng)
        (unit,) = join_units(reference, (-3000, 3000), (-128, 127))
        a, b = rng.integers(-3000, 3001, (4000, 5)), rng.integers(-128, 128, (4000, 5))
        np.testing.assert_array_equal(unit.evaluate(a, b), reference.evaluate(a, b))


def test_affine_join_sees_ties() -> None:
    reference = AffineJoinReference(np.array([4]), np.array([2]), np.array([0]), 3, Rounding.HALF_EVEN, 0, -100, 100)
    (unit,) = join_units(reference, (-50, 50), (-50, 50))
    a, b = np.arange(-50, 51)[:, None], np.arange(-50, 51)[None]
    expected = [[round((2 * i + j) / 4) for j in range(-50, 51)] for i in range(-50, 51)]
    np.testing.assert_array_equal(unit.evaluate(a, b), np.clip(expected, -100, 100))
    assert isinstance(unit, LinearJoinUnit)
    assert unit.mul_a[0] == 2  # the zero bits that all constants share are gone


def test_sums_of_more_than_63_bits_have_no_unit() -> None:
    reference = AffineJoinReference(
        np.array([(1 << 40) + 1]), np.array([1]), np.array([0]), 40, Rounding.HALF_EVEN, 0, -100, 100
    )
    assert join_units(reference, (-(1 << 24), 1 << 24), (0, 1)) == ()
