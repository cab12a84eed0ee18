"""Every unit that is offered computes its reference, for every value of the range."""

from __future__ import annotations

import time
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from hlsgen.exact.requantize import requant_units
from hlsgen.exact.steps import StepFunction
from hlsgen.exact.units import Float24Unit, RequantUnit, ShiftUnit, ThresholdUnit
from hlsgen.graph.reference import AffineReference, QLinearReference, Rounding, TableReference
from tests.exact.references import SCALES, Problem, affine, qlinear, table


def check(problem: Problem, rng: np.random.Generator, most: int = 1 << 14) -> dict[str, RequantUnit]:
    units = requant_units(problem.reference, problem.lo, problem.hi)
    assert units
    assert [unit.cost.weight for unit in units] == sorted(unit.cost.weight for unit in units)
    x = problem.inputs(rng, most)
    expected = problem.reference.evaluate(x)
    for unit in units:
        np.testing.assert_array_equal(unit.evaluate(x), expected, err_msg=str(unit))
    by_kind = {unit.kind: unit for unit in units}
    assert len(by_kind) == len(units), "the plan chooses a unit by its kind"
    return by_kind


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("scale", SCALES)
def test_affine(scale: str, rounding: Rounding) -> None:
    rng = np.random.default_rng([list(SCALES).index(scale), list(Rounding).index(rounding)])
    for _ in range(15):
        problem = affine(rng, scale, rounding)
        kinds = check(problem, rng, 3000)
        assert "scale" in kinds, "the exact real value has a multiplier whatever the rounding"
        reference = problem.reference
        assert isinstance(reference, AffineReference)
        if scale == "power of two" and rounding is not Rounding.SIGN:
            steps = StepFunction.of(reference, problem.lo, problem.hi)
            assert steps is not None
            assert ("shift" in kinds) == (not steps.constant.all())


@pytest.mark.parametrize("seed", range(6))
def test_float32(seed: int) -> None:
    """3,000 channels in all, half of them as near to ties as float32 allows."""
    rng = np.random.default_rng(seed)
    seen: Counter[str] = Counter()
    for _ in range(25):
        kinds = check(qlinear(rng, channels=20), rng, 1 << 12)
        seen.update(list(kinds))
        assert "float24" in kinds
        assert "threshold" in kinds
    assert seen["float24"] == 25


def test_float32_at_every_step_of_many_channels() -> None:
    """Both sides of every step and tie, found independently: around (k + 1/2) / m."""
    rng = np.random.default_rng(1)
    problem = qlinear(rng, channels=3000)
    reference = problem.reference
    assert isinstance(reference, QLinearReference)
    units = {unit.kind: unit for unit in requant_units(reference, problem.lo, problem.hi)}
    ties = np.arange(-300, 300)[:, None] + 0.5
    nearest = np.rint(ties / reference.multiplier.astype(np.float64)).astype(np.int64)
    for offset in range(-3, 4):
        x = np.clip(nearest + offset, problem.lo, problem.hi)
        expected = reference.evaluate(x)
        np.testing.assert_array_equal(units["float24"].evaluate(x), expected)
        np.testing.assert_array_equal(units["threshold"].evaluate(x), expected)


def test_accumulators_beyond_24_bits_are_rounded_first() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        multiplier = (rng.uniform(0.5, 2, 3) * 2.0 ** -rng.integers(17, 24, 3)).astype(np.float32)
        reach = rng.integers(1 << 24, 1 << 31, (2, 3))
        problem = Problem(QLinearReference(multiplier, int(rng.integers(-128, 128)), -128, 127), -reach[0], reach[1])
        unit = check(problem, rng)["float24"]
        assert isinstance(unit, Float24Unit)
        ties = np.rint((np.arange(-200, 200)[:, None] + 0.5) / multiplier).astype(np.int64)
        for offset in (-130, -65, -64, -33, -32, -1, 0, 1, 31, 32, 33, 64, 65, 130):
            x = np.clip(ties + offset, problem.lo, problem.hi)
            np.testing.assert_array_equal(unit.evaluate(x), problem.reference.evaluate(x))


@pytest.mark.parametrize("monotone", [True, False])
def test_table(monotone: bool) -> None:
    rng = np.random.default_rng(4)
    for _ in range(60):
        kinds = check(table(rng, monotone), rng)
        assert {"table", "threshold"} <= set(kinds)


def test_powers_of_two_need_no_multiplier() -> None:
    multiplier = 2.0 ** -np.array([7, 9, 3], np.float32)
    limit = np.array([40000, 100, 3000])
    for zero_point in (-128, 0, 3):
        problem = Problem(QLinearReference(multiplier, zero_point, -128, 127), -limit, limit)
        kinds = check(problem, np.random.default_rng(0), 100000)
        assert next(iter(kinds)) == "shift"
        unit = kinds["shift"]
        assert isinstance(unit, ShiftUnit)
        assert unit.rounding is Rounding.HALF_EVEN


def test_plain_shifts_where_no_tie_occurs() -> None:
    """Odd offsets of a quarter never tie: the half moves into the addend."""
    scale = SCALES["power of two"](np.random.default_rng(0))
    reference = AffineReference((abs(scale) / 4,), (scale / 16,), Rounding.HALF_EVEN, 3, (0,), (15,))
    unit = check(Problem(reference, np.array([-500]), np.array([500])), np.random.default_rng(0))["shift"]
    assert isinstance(unit, ShiftUnit)
    assert unit.rounding is Rounding.FLOOR


def test_bipolar_results_are_one_comparison() -> None:
    rng = np.random.default_rng(9)
    reference = AffineReference(
        tuple(SCALES["float32 ratio"](rng) for _ in range(6)),
        tuple(20 * SCALES["float32"](rng) for _ in range(6)),
        Rounding.SIGN,
        0,
        (-1,),
        (1,),
    )
    unit = check(Problem(reference, np.full(6, -900), np.full(6, 900)), rng)["threshold"]
    assert isinstance(unit, ThresholdUnit)
    assert unit.levels == 1


def test_one_set_of_parameters_stays_one() -> None:
    reference = QLinearReference(np.array([0.0123], np.float32), 0, -128, 127)
    units = requant_units(reference, np.array([-9000, -100, -4000]), np.array([9000, 50, 20000]))
    for unit in units:
        arrays = [value for value in vars(unit).values() if isinstance(value, np.ndarray)]
        assert all(len(array) == 1 for array in arrays), unit.kind


def test_constant_channels_among_others() -> None:
    """Dead channels: no weight, a vanishing scale, a range that a clip swallows; not all of them rest at zero."""
    multiplier = np.array([1e-3, 1e-30, 0, 2e-3, 0.5], np.float32)
    problem = Problem(
        QLinearReference(multiplier, 3, -128, 127),
        np.array([-9000, -5, 7, -100, 5000]),
        np.array([9000, 5, 7, 100, 5009]),
    )
    assert {"float24", "threshold"} <= set(check(problem, np.random.default_rng(0)))


@pytest.mark.parametrize("kind", ["shift", "threshold", "scale", "float24"])
def test_the_proof_notices_a_wrong_parameter(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No unit survives when the arithmetic it is proved with is off by one somewhere in the middle of the range."""
    reference: QLinearReference | AffineReference = QLinearReference(np.array([0.3, 0.1], np.float32), 3, -128, 127)
    if kind in ("shift", "scale"):
        scale = Fraction(1, 8) if kind == "shift" else Fraction(float(np.float32(0.1)))
        reference = AffineReference((scale, scale / 2), (Fraction(1, 3),), Rounding.HALF_EVEN, 3, (-128,), (127,))
    lo, hi = np.full(2, -1800), np.full(2, 1800)
    units = {unit.kind: unit for unit in requant_units(reference, lo, hi)}
    unit_type = type(units[kind])
    evaluate = unit_type.evaluate
    monkeypatch.setattr(unit_type, "evaluate", lambda self, x: evaluate(self, x) + (np.abs(x - 201) < 3))
    assert kind not in {unit.kind for unit in requant_units(reference, lo, hi)}


def test_speed_of_a_wide_layer() -> None:
    """128 channels of 18-bit accumulators; a whole ResNet-8 has fewer steps than twice this."""
    rng = np.random.default_rng(0)
    multiplier = (rng.uniform(0.5, 2, 128) * 2.0**-10).astype(np.float32)
    reach = rng.integers(1 << 17, 1 << 18, 128)
    start = time.process_time()
    requant_units(QLinearReference(multiplier, -128, -128, 127), -reach, reach)
    assert time.process_time() - start < 0.5


def test_sixteen_bit_layer() -> None:
    rng = np.random.default_rng(0)
    scales = tuple(abs(SCALES["float32 ratio"](rng)) / 400 for _ in range(8))
    reference = AffineReference(scales, scales[::-1], Rounding.HALF_EVEN, 0, (-(1 << 15),), ((1 << 15) - 1,))
    limit = np.full(8, 1 << 33)
    start = time.process_time()
    assert "scale" in check(Problem(reference, -limit, limit), rng)
    assert time.process_time() - start < 10


def test_results_too_many_to_step_through() -> None:
    """A 30-bit result has no step function of a size worth holding; dyadic constants need none, others have no unit."""
    bound = 1 << 29
    reference = AffineReference((Fraction(-7, 16),), (Fraction(3, 8),), Rounding.HALF_UP, 5, (-bound,), (bound - 1,))
    lo, hi = np.array([-(1 << 31)]), np.array([1 << 31])
    (unit,) = requant_units(reference, lo, hi)
    x = np.random.default_rng(0).integers(lo, hi, (3000, 1))
    assert unit.evaluate(x)[:, 0].tolist() == [reference.value(v, 0) for v in x[:, 0].tolist()]
    reference = AffineReference((Fraction(3, 7),), (Fraction(3, 8),), Rounding.HALF_UP, 5, (-bound,), (bound - 1,))
    assert requant_units(reference, lo, hi) == ()


def test_a_table_is_offered_for_few_values_only() -> None:
    values = np.zeros((1, 5000), np.int64)
    reference = TableReference(0, values, values.astype(np.float64))
    assert "table" in {u.kind for u in requant_units(reference, np.array([0]), np.array([4095]))}
    assert "table" not in {u.kind for u in requant_units(reference, np.array([0]), np.array([4096]))}
