from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from hlsgen.exact.requantize import requant_units
from hlsgen.exact.units import (
    Float24Unit,
    RequantUnit,
    ScaleUnit,
    ShiftUnit,
    TableUnit,
    ThresholdUnit,
    collapse,
)
from hlsgen.graph.reference import AffineReference, QLinearReference, Rounding, TableReference
from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.channels import ROUNDINGS
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.requant import UNITS, Requant
from hlsgen.resources import resource
from tests.exact.references import SCALES, Problem, affine, qlinear, table
from tests.kernels.harness import Case, Mode, check
from tests.kernels.rtl import check_rtl

ONE = np.ones(1, np.int64)
ZERO = np.zeros(1, np.int64)


def requant_of(case: Case) -> Requant:
    assert isinstance(case.kernel, Requant)
    return case.kernel


def make(problem: Problem, kind: str, lanes: int = 1, pixels: int = 40, output_type: QuantType | None = None) -> Case:
    """The unit of a kind for a random layer, fed with values of each channel's whole range, ends included."""
    unit = next(u for u in requant_units(problem.reference, problem.lo, problem.hi) if u.kind == kind)
    return feed(unit, problem.lo, problem.hi, lanes, pixels, output_type)


def feed(
    unit: RequantUnit, lo: IntArray, hi: IntArray, lanes: int, pixels: int, output_type: QuantType | None = None
) -> Case:
    """``unit`` on two images of values within each channel's ``lo``..``hi``."""
    channels = len(lo)
    rng = np.random.default_rng(channels)
    x = rng.integers(lo, hi + 1, (2, pixels, channels))
    x[:, 0], x[:, 1] = lo, hi
    # half of the values around the middle of the range, where steps are dense
    x[:, ::2] = np.clip(x[:, ::2] // 32, lo, hi)
    if output_type is None:
        ends = (unit.lo, unit.hi) if isinstance(unit, ShiftUnit | ScaleUnit | Float24Unit) else ()
        results = np.stack(ends) if ends else unit.evaluate(np.stack([lo, hi]))
        output_type = QuantType.for_range(int(results.min()), int(results.max()))
    kernel = Requant((pixels // 4, 4, channels), lanes, QuantType.for_range(*unit.domain), output_type, unit)
    return Case(kernel, (x.reshape(2, -1, lanes),))


def shifts() -> list[Case]:
    cases = []
    for rounding in Rounding:
        rng = np.random.default_rng(list(Rounding).index(rounding))
        for shift, left in ((0, 0), (1, 0), (4, 2)):
            unit = ShiftUnit(
                domain=(-900, 1000),
                sign=np.array([1, -1, 1, -1]),
                left=collapse(rng.integers(0, left + 1, 4)),
                add=rng.integers(-50, 50, 4),
                shift=shift,
                rounding=rounding,
                zero_point=-3,
                lo=np.array([-100, -90, -80, -100]),
                hi=collapse([70]),
            )
            cases.append(feed(unit, np.full(4, -900), np.full(4, 1000), 1 + shift % 2, 60, INT8))
    return cases


def thresholds() -> list[Case]:
    rng = np.random.default_rng(3)
    cases = [make(qlinear(rng, channels), "threshold", lanes) for channels, lanes in ((4, 1), (6, 3), (8, 2), (1, 1))]
    while len(cases) < 10:  # levels of 1, falling channels, shared tables
        cases.append(make(table(rng, monotone=True), "threshold", output_type=INT8))
    while len(cases) < 14:
        cases.append(make(table(rng, monotone=False), "threshold", output_type=INT8))
    scales = tuple(SCALES["float32 ratio"](rng) for _ in range(6))
    bipolar = AffineReference(scales, (Fraction(7, 2),), Rounding.SIGN, 0, (-1,), (1,))
    wide = Problem(bipolar, np.full(6, -500), np.full(6, 700))
    cases += [make(wide, "threshold", lanes, output_type=BIPOLAR) for lanes in (1, 2)]
    both = Problem(bipolar, np.full(6, -1), np.ones(6, np.int64))
    unit = next(u for u in requant_units(bipolar, both.lo, both.hi) if u.kind == "threshold")
    x = np.where(rng.integers(0, 2, (2, 12, 3)) > 0, 1, -1)
    return [*cases, Case(Requant((2, 3, 6), 3, BIPOLAR, BIPOLAR, unit), (x,))]


def scales() -> list[Case]:
    rng = np.random.default_rng(4)
    cases = []
    for rounding in Rounding:
        for scale in ("dyadic", "small ratio", "float32 ratio"):
            problem = affine(rng, scale, rounding)
            assert isinstance(problem.reference, AffineReference)
            if problem.reference.hi[0] < 1 << 15:
                cases.append(make(problem, "scale", output_type=BIPOLAR if rounding is Rounding.SIGN else None))
    ties = AffineReference((Fraction(-7, 36), Fraction(1, 6)), (Fraction(1, 2),), Rounding.HALF_EVEN, 3, (-99,), (99,))
    cases.append(make(Problem(ties, np.full(2, -300), np.full(2, 300)), "scale", 2))
    sixteen = AffineReference(
        tuple(abs(SCALES["float32 ratio"](rng)) / 9000 for _ in range(3)),
        (Fraction(5, 3),),
        Rounding.HALF_EVEN,
        0,
        (-(1 << 15),),
        ((1 << 15) - 1,),
    )
    split = make(Problem(sixteen, np.full(3, -(1 << 34)), np.full(3, 1 << 34)), "scale", 3)
    unit = requant_of(split).unit
    assert isinstance(unit, ScaleUnit)
    assert unit.low_bits
    return [*cases, split]


def float24s() -> list[Case]:
    rng = np.random.default_rng(5)
    cases = [make(qlinear(rng, channels), "float24", lanes) for channels, lanes in ((1, 1), (8, 1), (8, 4), (16, 2))]
    # ties that float32 makes, among all steps: products within the window of a tie, on both sides
    problem = qlinear(rng, channels=50)
    reference = problem.reference
    assert isinstance(reference, QLinearReference)
    unit = next(u for u in requant_units(reference, problem.lo, problem.hi) if u.kind == "float24")
    nearest = np.rint((np.arange(-200, 200)[:, None] + 0.5) / reference.multiplier).astype(np.int64)
    x = np.clip(np.stack([nearest, nearest + 1, nearest - 1]), problem.lo, problem.hi)
    kernel = Requant((20, 20, 50), 1, QuantType.for_range(*unit.domain), QuantType(9, signed=True), unit)
    return [*cases, Case(kernel, (x.reshape(3, -1, 1),)), pre_rounded(rng), half_a_unit_from_ties()]


def pre_rounded(rng: np.random.Generator) -> Case:
    """Accumulators of up to 31 bits around every step, where rounding them to 24 bits decides the result."""
    multiplier = (rng.uniform(0.5, 2, 6) * 2.0 ** -rng.integers(19, 24, 6)).astype(np.float32)
    reach = np.full(6, (1 << 31) - 1)
    problem = Problem(QLinearReference(multiplier, 5, -128, 127), -reach, reach)
    unit = next(u for u in requant_units(problem.reference, problem.lo, problem.hi) if u.kind == "float24")
    assert isinstance(unit, Float24Unit)
    assert unit.pre_round
    nearest = np.rint((np.arange(-160, 160)[:, None] + 0.5) / multiplier).astype(np.int64)
    offsets = np.array([-130, -65, -33, -16, -8, -3, -1, 0, 1, 4, 9, 17, 31, 64, 129])
    x = np.clip(nearest + offsets[:, None, None], -reach, reach)
    plain = dataclasses.replace(unit, pre_round=False)
    assert (unit.evaluate(x) != plain.evaluate(x)).any()
    return Case(Requant((20, 16, 6), 2, QuantType(32, signed=True), INT8, unit), (x.reshape(len(offsets), -1, 2),))


def half_a_unit_from_ties() -> Case:
    """Products exactly half a float32 unit away from a tie, on either side: the edges of the tie window."""
    mantissas = np.arange(1 << 17, 1 << 18)  # times 2**6
    pairs = []
    for k in range(1, 200):
        for sign in (-1, 1):
            tie = (2 * k + 1) << 29
            product = tie + sign * (1 << (tie.bit_length() - 25))
            exact = mantissas[(product >> 6) % mantissas == 0][:1].tolist()
            pairs += [(m << 6, product // (m << 6)) for m in exact if product % (m << 6) == 0]
    mantissa, x = np.array(pairs).T
    limit = int(x.max())
    unit = Float24Unit(
        domain=(-limit, limit),
        operand=(-limit, limit),
        left=ZERO,
        mantissa=mantissa,
        shift=30,
        binades=9,
        pre_round=False,
        zero_point=0,
        lo=-500 * ONE,
        hi=500 * ONE,
    )
    reference = QLinearReference((mantissa / (1 << 30)).astype(np.float32), 0, -500, 500)
    both = np.stack([x, -x])
    np.testing.assert_array_equal(unit.evaluate(both), reference.evaluate(both))
    kernel = Requant((1, 1, len(x)), 1, QuantType(22, signed=True), QuantType(10, signed=True), unit)
    return Case(kernel, (both[..., None],))


CASES = {"shift": shifts, "threshold": thresholds, "scale": scales, "float24": float24s}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("unit", CASES)
def test_cpp(unit: str, mode: Mode) -> None:
    cases = CASES[unit]()
    assert all(requant_of(case).unit.kind == unit for case in cases)
    check(cases, mode)


def as_built(case: Case, passes: int = 1, mac: Mac = Mac.DSP, memory: RamStyle = RamStyle.DISTRIBUTED) -> Case:
    """The same arithmetic, otherwise made in SystemVerilog."""
    return Case(dataclasses.replace(requant_of(case), passes=passes, mac=mac, memory=memory), case.inputs)


def rtl_cases(unit: str) -> list[Case]:
    """A part of the cases, where the unit has them with both numbers of passes, products and memories of both kinds."""
    cases = CASES[unit]()
    match unit:
        case "shift":
            return [*cases[1:-1:2], cases[-1]]
        case "threshold":
            return [as_built(case, memory=list(RamStyle)[number % 2]) for number, case in enumerate(cases[::2])]
        case "scale":
            return [
                *(as_built(case, 1 + number % 2) for number, case in enumerate([*cases[:-2:2], *cases[-2:]])),
                *(as_built(case, mac=Mac.LUT) for case in cases[1::6]),
            ]
        case _:
            # inputs of more bits: the products at the tie window's edges come in two parts
            reach = -(1 << 21), (1 << 21) - 1
            kernel = requant_of(cases[-1])
            assert isinstance(kernel.unit, Float24Unit)
            wide = dataclasses.replace(kernel.unit, domain=reach, operand=reach, binades=15)
            two_parts = Case(dataclasses.replace(kernel, unit=wide, passes=2), cases[-1].inputs)
            return [
                *(cases[1], *cases[4:], two_parts),
                *(as_built(case, 2, memory=list(RamStyle)[number % 2]) for number, case in enumerate(cases)),
                *(as_built(case, mac=Mac.LUT) for case in (cases[0], cases[3])),
            ]


@pytest.mark.parametrize("unit", CASES)
def test_rtl_equals_golden(unit: str) -> None:
    check_rtl(rtl_cases(unit))


def test_rtl_of_every_input() -> None:
    """Whole domains of up to 2**16 values: a float32 multiply, a scale, a search."""
    rng = np.random.default_rng(8)
    multiplier = np.array([0.0039, 0.0051, 1 / 384, 0.0078], np.float32)
    reach = np.full(4, 30000)
    floats = requant_units(QLinearReference(multiplier, -3, -128, 127), -reach, reach)
    scale = tuple(SCALES["float32 ratio"](rng) / 200 for _ in range(4))
    affine_reference = AffineReference(scale, (Fraction(1, 2),), Rounding.HALF_UP, 4, (0,), (15,))
    affine_units = requant_units(affine_reference, -reach, reach)
    x = np.arange(-30000, 30001)[None, :, None] + np.zeros((1, 1, 4), np.int64)
    cases = []
    for kind, candidates, passes in (
        ("float24", floats, 1),
        ("float24", floats, 2),
        ("scale", affine_units, 2),
        ("threshold", affine_units, 1),
    ):
        unit = next(unit for unit in candidates if unit.kind == kind)
        output_type = INT8 if kind == "float24" else UINT8
        kernel = Requant((x.shape[1], 1, 4), 4, QuantType(16, signed=True), output_type, unit, passes)
        cases.append(Case(kernel, (x,)))
    check_rtl(cases)


def test_clips_are_left_out_only_where_no_result_depends_on_them() -> None:
    """A channel that is not yet at the clamp where the unit clips needs the clip itself."""
    unit = Float24Unit(
        domain=(-5000, 5000),
        operand=(-1000, 1000),
        left=np.array([0, 1]),
        mantissa=np.array([1 << 23, 3 << 22]),
        shift=26,
        binades=9,
        pre_round=False,
        zero_point=0,
        lo=-100 * ONE,
        hi=100 * ONE,
    )
    x = np.arange(-5000, 5001)[None, :, None] + np.zeros((1, 1, 2), np.int64)
    cases = []
    for changed in (unit, dataclasses.replace(unit, hi=200 * ONE, lo=-200 * ONE)):
        kernel = Requant((10001, 1, 2), 2, QuantType(14, signed=True), QuantType(10, signed=True), changed)
        cases += [as_built(Case(kernel, (x,)), passes) for passes in (1, 2)]
    assert [case.kernel.rtl_parameters()["CLIP"] for case in cases] == [1, 0, 2, 2]
    check_rtl(cases)


@pytest.mark.parametrize("unit", CASES)
def test_golden_is_the_unit_channel_by_channel(unit: str) -> None:
    for case in CASES[unit]():
        kernel = case.kernel
        assert isinstance(kernel, Requant)
        channels = kernel.frame[2]
        (y,) = kernel.golden(*case.inputs)
        flat = case.inputs[0].reshape(-1, channels)
        np.testing.assert_array_equal(y.reshape(-1, channels), kernel.unit.evaluate(flat))
        assert y.dtype == kernel.output_type.dtype


def identity(lanes: int = 1, unit: RequantUnit | None = None, input_type: QuantType = INT8) -> Requant:
    unit = unit or ShiftUnit((-100, 100), ONE, ZERO, ZERO, 0, Rounding.FLOOR, 0, -100 * ONE, 100 * ONE)
    return Requant((2, 3, 6), lanes, input_type, INT8, unit)


def test_streams_and_cycles() -> None:
    kernel = identity(lanes=3)
    assert kernel.cycles == 12
    assert (kernel.inputs[0].beats, kernel.inputs[0].lanes, kernel.outputs[0].beats) == (12, 3, 12)
    assert kernel.reads()[0].tolist() == list(range(1, 13))
    slow = dataclasses.replace(requant_of(scales()[0]), passes=2)
    assert (slow.cycles, slow.inputs[0].beats, slow.timing().steps, slow.timing().interval) == (240, 120, 120, 2)


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="lanes=4 does not divide 6 channels"):
        identity(lanes=4)
    with pytest.raises(ValueError, match=r"domain \(-100, 100\) exceeds int4"):
        identity(input_type=QuantType(4, signed=True))
    wide = ShiftUnit((-1, 1), ONE, ZERO, ZERO, 0, Rounding.FLOOR, 0, -100 * ONE, 200 * ONE)
    with pytest.raises(ValueError, match=r"results \(-100, 200\) do not fit int8"):
        identity(unit=wide)
    with pytest.raises(ValueError, match="add has 5 entries for 6 channels"):
        identity(unit=dataclasses.replace(wide, add=np.arange(5), hi=ONE))
    with pytest.raises(ValueError, match="passes=3 is neither 1 nor 2"):
        dataclasses.replace(identity(), passes=3)
    with pytest.raises(ValueError, match="passes=2, but unit shift with DSP has no multipliers to share"):
        dataclasses.replace(identity(), passes=2)
    with pytest.raises(ValueError, match="passes=2, but unit scale with LUT has no multipliers to share"):
        dataclasses.replace(requant_of(scales()[0]), passes=2, mac=Mac.LUT)
    with pytest.raises(ValueError, match="requant does not multiply by DSP2"):
        dataclasses.replace(identity(), mac=Mac.DSP2)
    with pytest.raises(ValueError, match="requant has no unit table"):
        identity(unit=TableUnit((0, 1), np.array([[0, 1]])))
    falling = ThresholdUnit((-1, 1), np.array([[0]]), 300 * ONE, ONE, None)
    with pytest.raises(ValueError, match=r"results \(300, 301\) do not fit int8"):
        identity(unit=falling)


def test_inputs_outside_the_proved_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"inputs 0\.\.101 leave the proved range \(-100, 100\)"):
        identity().golden(np.array([0, 101] * 18).reshape(1, 36, 1))


def test_constants_agree_with_the_header() -> None:
    requant = resource("templates", "hls", "requant.hpp").read_text()
    rounding = resource("templates", "hls", "rounding.hpp").read_text()
    for unit, number in UNITS.items():
        assert f"const int REQUANT_{unit.kind.upper()} = {number};" in requant
    for mode, number in ROUNDINGS.items():
        assert f"const int ROUND_{mode.name} = {number};" in rounding
    assert set(UNITS) == {ShiftUnit, ThresholdUnit, ScaleUnit, Float24Unit}


def test_memories_have_one_row_per_tile_or_one_for_all() -> None:
    table_reference = TableReference(0, np.arange(12).reshape(3, 4) // 2, np.zeros((3, 4)))
    lo, hi = np.zeros(3, np.int64), np.full(3, 3)
    unit = next(u for u in requant_units(table_reference, lo, hi) if u.kind == "threshold")
    kernel = Requant((1, 1, 3), 1, UINT8, INT8, unit)
    shapes = {memory.name: memory.values.shape for memory in kernel.memories()}
    assert shapes == {"level0": (1, 1), "base": (3, 1), "falling": (1, 1)}
