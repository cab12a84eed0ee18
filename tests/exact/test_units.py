from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from hlsgen.exact.units import (
    Float24Unit,
    LinearJoinUnit,
    ScaleUnit,
    ShiftUnit,
    TableUnit,
    ThresholdUnit,
    collapse,
    round_float32_product,
    round_shift,
    round_to_float32,
)
from hlsgen.graph.reference import Rounding, round_fraction

ONE = np.ones(1, np.int64)
ZERO = np.zeros(1, np.int64)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", [0, 1, 2, 5])
def test_round_shift(rounding: Rounding, shift: int) -> None:
    values = np.arange(-130, 131)
    expected = [round_fraction(Fraction(int(v), 1 << shift), rounding) for v in values]
    assert round_shift(values, shift, rounding).tolist() == expected


def test_round_to_float32() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.integers(-(1 << bits), 1 << bits, 20000) for bits in range(20, 40)])
    ties = np.concatenate([(rng.integers(-(1 << 24), 1 << 24, 1000) * 2 + 1) << extra for extra in range(15)])
    for x in (values, ties, ties + 1, ties - 1):
        np.testing.assert_array_equal(round_to_float32(x), x.astype(np.float32).astype(np.int64))


@pytest.mark.parametrize("shift", [1, 5, 16, 24, 30, 36])
def test_round_float32_product(shift: int) -> None:
    rng = np.random.default_rng(shift)
    ties = (2 * rng.integers(-400, 400, 4000) + 1) << (shift - 1)
    near = ties + rng.integers(-5, 6, 4000) * (1 << rng.integers(0, max(1, shift - 15), 4000))
    anywhere = rng.integers(-(800 << shift), 800 << shift, 20000)
    for product in (ties, near, anywhere):
        # one rounding to float32 of the exact quotient: float64 holds every product here exactly
        expected = np.rint((product / (1 << shift)).astype(np.float32)).astype(np.int64)
        np.testing.assert_array_equal(round_float32_product(product, shift, 10), expected)


def test_shift_unit_is_what_its_docstring_says() -> None:
    unit = ShiftUnit(
        (-9, 9), np.array([1, -1]), np.array([0, 2]), np.array([3, -1]), 2, Rounding.HALF_EVEN, 5, -ONE, 9 * ONE
    )
    x = np.arange(-9, 10)
    for c, (sign, left, add) in enumerate(((1, 0, 3), (-1, 2, -1))):
        expected = [
            min(max(round_fraction(Fraction(sign * v * 2**left + add, 4), Rounding.HALF_EVEN) + 5, -1), 9)
            for v in x.tolist()
        ]
        assert unit.evaluate(np.stack([x, x], axis=1))[:, c].tolist() == expected


def scale_unit(**changes: Any) -> ScaleUnit:
    fields: dict[str, Any] = {
        "domain": (-1000, 1000),
        "operand": (-700, 600),
        "mul": np.array([77, -31]),
        "add": np.array([1000, -5]),
        "low_bits": 0,
        "mul_low": ZERO,
        "add_low": ZERO,
        "drop": 0,
        "shift": 9,
        "rounding": Rounding.FLOOR,
        "zero_point": 0,
        "lo": -100 * ONE,
        "hi": 90 * ONE,
    }
    return ScaleUnit(**{**fields, **changes})


def test_scale_unit_is_what_its_docstring_says() -> None:
    unit = scale_unit()
    x = np.arange(-1000, 1001)
    clipped = np.clip(x, -700, 600)
    for c, (mul, add) in enumerate(((77, 1000), (-31, -5))):
        expected = np.clip((clipped * mul + add) >> 9, -100, 90)
        np.testing.assert_array_equal(unit.evaluate(np.stack([x, x], axis=1))[:, c], expected)


@pytest.mark.parametrize("rounding", [Rounding.FLOOR, Rounding.HALF_EVEN, Rounding.UP])
def test_a_product_in_two_parts_is_the_whole_product(rounding: Rounding) -> None:
    """12 low bits apart: the sum before ``drop`` and ``shift`` loses nothing but what the floor loses anyway."""
    whole_mul, whole_add = np.array([123456789, -98765432]), np.array([1 << 33, -12345])
    drop = 0 if rounding is Rounding.FLOOR else 14
    shift = 30 - drop
    whole = scale_unit(mul=whole_mul, add=whole_add, drop=drop, shift=shift, rounding=rounding)
    split = scale_unit(
        mul=whole_mul >> 12,
        add=whole_add >> 12,
        low_bits=12,
        mul_low=whole_mul & 4095,
        add_low=whole_add & 4095,
        drop=drop - 12 if drop else 0,
        shift=shift if drop else shift - 12,
        rounding=rounding,
    )
    x = np.arange(-1000, 1001)[:, None] + np.zeros(2, np.int64)
    assert len(np.unique(whole.evaluate(x))) > 50
    np.testing.assert_array_equal(split.evaluate(x), whole.evaluate(x))


def test_signals_bound_every_intermediate() -> None:
    unit = scale_unit()
    x = np.arange(-700, 601)[:, None]
    low, high = unit.signals()["sum"]
    total = x * unit.mul + unit.add
    assert low <= total.min()
    assert total.max() + (1 << unit.shift) <= high
    # and not by more than the rounding needs
    assert total.min() - low <= 1


@pytest.mark.parametrize(
    "changes",
    [
        {"mul": ONE << 53},
        {"add": ONE << 62},
        {"shift": 62},
        {"low_bits": 1, "mul_low": ONE << 53},
    ],
)
def test_more_than_63_bits_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="more than 63 bits"):
        scale_unit(**changes)


def test_joins_of_more_than_63_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 63 bits"):
        LinearJoinUnit((-128, 127), (-128, 127), ONE << 55, ONE, ONE, 0, 1, Rounding.FLOOR, 0, 0, 1)


def test_float24_refuses_products_beyond_its_tie_window() -> None:
    fields: dict[str, Any] = {"left": ZERO, "mantissa": ONE << 23, "pre_round": False}
    fields |= {"zero_point": 0, "lo": ZERO, "hi": ONE}
    with pytest.raises(ValueError, match="is not one float32 operation"):
        Float24Unit((-9, 9), (-9, 9), shift=20, binades=23, **fields)
    with pytest.raises(ValueError, match="exceeds"):
        Float24Unit((-9, 9), (-9, 9), shift=24, binades=1, **fields)


def test_threshold_unit_counts_and_looks_up() -> None:
    thresholds = np.array([[-5, -5, 3], [0, 1, 7]])
    counter = ThresholdUnit((-9, 9), thresholds, np.array([10, 20]), np.array([1, -1]), None)
    x = np.arange(-9, 10)
    both = np.stack([x, x], axis=1)
    counts = (both[..., None] >= thresholds).sum(axis=-1)
    np.testing.assert_array_equal(counter.evaluate(both), np.array([10, 20]) + np.array([1, -1]) * counts)
    looked_up = ThresholdUnit((-9, 9), thresholds, ZERO, ONE, np.array([[3, -7, 3, 9]]))
    np.testing.assert_array_equal(looked_up.evaluate(both), np.array([3, -7, 3, 9])[counts])


def test_malformed_units_are_refused() -> None:
    with pytest.raises(ValueError, match="one less than a power of two, not 2"):
        ThresholdUnit((-9, 9), np.zeros((1, 2), np.int64), ZERO, ONE, None)
    with pytest.raises(ValueError, match=r"2 values do not cover 0\.\.2"):
        TableUnit((0, 2), np.zeros((1, 2), np.int64))


def test_collapse() -> None:
    assert collapse([3, 3, 3]).tolist() == [3]
    assert collapse([3, 3, 4]).tolist() == [3, 3, 4]


def test_cost_orders_by_what_is_scarce() -> None:
    cheap = ShiftUnit((-9, 9), ONE, ZERO, ZERO, 2, Rounding.FLOOR, 0, ZERO, ONE)
    table = TableUnit((-2048, 2047), np.arange(4096)[None] % 256)
    assert cheap.cost.weight < scale_unit().cost.weight < table.cost.weight
    assert scale_unit().cost.dsp == 1
    assert scale_unit(mul=ONE << 4).cost.dsp == 0
