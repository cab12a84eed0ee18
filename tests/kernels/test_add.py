from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hlsgen.exact.joins import join_units
from hlsgen.exact.units import FloatJoinUnit, JoinUnit, LinearJoinUnit
from hlsgen.graph.reference import QLinearAddReference, Rounding
from hlsgen.graph.types import BIPOLAR, INT8, UINT8, QuantType
from hlsgen.kernels.add import UNITS, Add
from hlsgen.kernels.dot_array import Mac
from hlsgen.resources import resource
from tests.exact.references import ADD_KINDS, qlinear_add
from tests.kernels.harness import Case, Mode, check, random_case
from tests.kernels.rtl import check_rtl

ONE = np.ones(1, np.int64)


def add_of(case: Case) -> Add:
    assert isinstance(case.kernel, Add)
    return case.kernel


def all_pairs(reference: QLinearAddReference, lanes: int = 1) -> Case:
    """The reference's unit on one image that holds every pair of 8-bit inputs."""
    type = INT8 if reference.hi == 127 else UINT8
    domain = type.min, type.max
    (unit,) = join_units(reference, domain, domain)
    a, b = np.meshgrid(np.arange(type.min, type.max + 1), np.arange(type.min, type.max + 1))
    kernel = Add((64, 64, 16), lanes, type, type, type, unit)
    return Case(kernel, (a.reshape(1, -1, lanes), b.reshape(1, -1, lanes)))


def linear(rounding: Rounding, drop: int, shift: int, a: QuantType, b: QuantType, shared: bool, lanes: int) -> Add:
    rng = np.random.default_rng(shift)
    count = 1 if shared else 6
    output = BIPOLAR if rounding is Rounding.SIGN else INT8
    unit = LinearJoinUnit(
        domain_a=(a.min, a.max),
        domain_b=(b.min, b.max),
        mul_a=rng.integers(-300, 300, count),
        mul_b=rng.integers(1, 90, count),
        add=rng.integers(-5000, 5000, 6),
        drop=drop,
        shift=shift,
        rounding=rounding,
        zero_point=0 if rounding is Rounding.SIGN else 5,
        lo=output.min if rounding is Rounding.SIGN else -110,
        hi=output.max,
    )
    return Add((2, 5, 6), lanes, a, b, output, unit)


def floats() -> list[QLinearAddReference]:
    """Sums that need float32 arithmetic: ties of thirds, sixths, fifths."""
    ratios = ((1 / 6, 5 / 6, 11 / 6), (1 / 10, 7 / 10, -3.3), (5 / 6, 1, 0.25))
    return [QLinearAddReference(np.float32(a), np.float32(b), np.float32(c), -128, 127) for a, b, c in ratios]


LINEAR = [
    *(linear(r, d, s, INT8, UINT8, s == 4, 1 + s % 3) for r in Rounding for d, s in ((0, 0), (0, 4), (5, 3))),
    linear(Rounding.HALF_EVEN, 0, 5, QuantType(21, signed=True), INT8, False, 2),
    linear(Rounding.FLOOR, 0, 7, BIPOLAR, BIPOLAR, False, 6),
    linear(Rounding.FLOOR, 0, 30, QuantType(40, signed=True), BIPOLAR, True, 3),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_linear(mode: Mode) -> None:
    check([random_case(kernel, images=2, seed=number) for number, kernel in enumerate(LINEAR)], mode)


@pytest.mark.parametrize("mode", [Mode.NATIVE, Mode.AP])
def test_cpp_of_all_pairs(mode: Mode) -> None:
    rng = np.random.default_rng(1)
    cases = [
        all_pairs(qlinear_add(rng, kind), lanes) for kind, lanes in zip(ADD_KINDS, (1, 2, 4, 1, 16, 1), strict=True)
    ]
    cases += [all_pairs(reference, lanes) for reference, lanes in zip(floats(), (1, 2, 1), strict=True)]
    units = {type(add_of(case).unit) for case in cases}
    assert units == {LinearJoinUnit, FloatJoinUnit}
    check(cases, mode)


def test_rtl_equals_golden() -> None:
    kernels = [*LINEAR[::2], *(dataclasses.replace(kernel, mac=Mac.LUT) for kernel in (*LINEAR[1::4], *LINEAR[-3:]))]
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(kernels)])


def test_rtl_of_all_pairs() -> None:
    """Every pair of 8-bit inputs, products from DSP blocks and from tables."""
    rng = np.random.default_rng(1)
    references = [qlinear_add(rng, kind) for kind in ("random", "same inputs", "small ratio")] + floats()[:2]
    cases = []
    for number, reference in enumerate(references):
        case = all_pairs(reference, 4)
        mac = (Mac.DSP, Mac.LUT)[number % 2]
        cases.append(Case(dataclasses.replace(add_of(case), mac=mac), case.inputs))
    check_rtl(cases)


def test_golden_is_the_reference() -> None:
    rng = np.random.default_rng(1)
    for kind in ADD_KINDS:
        reference = qlinear_add(rng, kind)
        case = all_pairs(reference)
        a, b = case.inputs
        np.testing.assert_array_equal(case.kernel.golden(a, b)[0], reference.evaluate(a, b))


def make(unit: JoinUnit, lanes: int = 1, output: QuantType = INT8, a: QuantType = INT8) -> Add:
    return Add((2, 3, 6), lanes, a, INT8, output, unit)


def test_streams_and_cycles() -> None:
    kernel = LINEAR[-1]
    assert kernel.cycles == 20
    assert [spec.type.bits for spec in kernel.inputs] == [40, 1]
    assert [reads.tolist() for reads in kernel.reads()] == [list(range(1, 21))] * 2


def test_parameters_are_checked() -> None:
    unit = LinearJoinUnit((-9, 9), (-9, 9), ONE, ONE, ONE, 0, 0, Rounding.FLOOR, 0, -20, 20)
    make(unit, lanes=3)
    with pytest.raises(ValueError, match="lanes=4 does not divide 6 channels"):
        make(unit, lanes=4)
    with pytest.raises(ValueError, match=r"domain \(-9, 9\) exceeds uint8"):
        make(unit, a=UINT8)
    with pytest.raises(ValueError, match=r"results \(-20, 20\) do not fit uint8"):
        make(unit, output=UINT8)
    narrow = LinearJoinUnit((-9, 9), (-9, 9), ONE, np.arange(4), ONE, 0, 0, Rounding.FLOOR, 0, -20, 20)
    with pytest.raises(ValueError, match="mul_b has 4 entries for 6 channels"):
        make(narrow)


def test_inputs_outside_the_proved_range_are_refused() -> None:
    unit = LinearJoinUnit((-9, 9), (-8, 8), ONE, ONE, ONE, 0, 0, Rounding.FLOOR, 0, -20, 20)
    a = np.full((1, 36, 1), 9)
    with pytest.raises(ValueError, match=r"inputs 9\.\.9 leave the proved range \(-8, 8\)"):
        make(unit).golden(a, a)


def test_constants_agree_with_the_header() -> None:
    header = resource("templates", "hls", "add.hpp").read_text()
    assert f"const int ADD_LINEAR = {UNITS[LinearJoinUnit]};" in header
    assert f"const int ADD_FLOAT = {UNITS[FloatJoinUnit]};" in header
