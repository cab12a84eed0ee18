from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.matvec import Matvec
from tests.kernels.harness import Case, Mode, check, random_case
from tests.kernels.rtl import check_rtl

INT2 = QuantType(2, signed=True)
INT4 = QuantType(4, signed=True)
UINT4 = QuantType(4, signed=False)
UINT1 = QuantType(1, signed=False)
INT9 = QuantType(9, signed=True)
INT16 = QuantType(16, signed=True)
UINT16 = QuantType(16, signed=False)


def make(
    input_type: QuantType = INT8,
    weight_type: QuantType = INT8,
    pixels: int = 3,
    groups: int = 1,
    outputs: int = 8,
    inputs: int = 12,
    pe: int = 1,
    simd: int = 1,
    mac: Mac = Mac.DSP,
    seed: int = 1,
) -> Matvec:
    """Random weights with the type's extremes among them; the accumulator as narrow as the full input range allows."""
    rng = np.random.default_rng(seed)
    shape = (groups, outputs // groups, inputs)
    weights = rng.integers(weight_type.min, weight_type.max, shape, endpoint=True)
    weights.ravel()[0] = weight_type.min
    weights.ravel()[-1] = weight_type.max
    if weight_type.bipolar:
        weights = np.where(weights >= 0, 1, -1)
    bias = rng.integers(-1000, 1000, outputs)
    extremes = np.stack([weights * input_type.min, weights * input_type.max])
    lo = int((extremes.min(0).sum(-1).ravel() + bias).min())
    hi = int((extremes.max(0).sum(-1).ravel() + bias).max())
    acc_type = QuantType.for_range(lo, hi)
    return Matvec(pixels, groups, pe, simd, weights, bias, input_type, weight_type, acc_type, mac)


def straightforward(kernel: Matvec, beats: IntArray) -> IntArray:
    """The definition, one product after the other, in Python integers."""
    groups, outputs, inputs = kernel.weights.shape
    images = []
    for image in beats:
        vectors = image.reshape(kernel.pixels, groups, inputs).tolist()
        results = []
        for pixel in vectors:
            for g, vector in enumerate(pixel):
                for n in range(outputs):
                    products = (x * w for x, w in zip(vector, kernel.weights[g, n].tolist(), strict=True))
                    results.append(sum(products) + int(kernel.bias[g * outputs + n]))
        images.append(results)
    return np.array(images).reshape(len(beats), -1, kernel.pe)


KERNELS = [
    *(make(pe=pe, simd=simd) for pe in (1, 2, 4, 8) for simd in (1, 2, 3, 12)),
    *(make(input_type=x, weight_type=w, pe=2, simd=4, seed=w.bits) for x in (INT8, UINT8) for w in (INT8, INT4, INT2)),
    *(make(groups=g, outputs=8, inputs=6, pe=2, simd=3) for g in (1, 2, 4)),
    *(make(input_type=x, weight_type=w, pe=4, simd=2) for x in (UINT1, INT16, UINT16, UINT4) for w in (INT16, UINT16)),
    make(input_type=UINT8, weight_type=INT9, simd=4),
    make(input_type=BIPOLAR, weight_type=INT4, pe=4, simd=3),
    make(input_type=UINT8, weight_type=BIPOLAR, pe=2, simd=6),
    *(make(input_type=BIPOLAR, weight_type=BIPOLAR, pe=2, simd=4, mac=mac) for mac in (Mac.XNOR, Mac.LUT)),
    *(make(BIPOLAR, BIPOLAR, inputs=70, pe=pe, simd=simd, mac=Mac.XNOR) for pe, simd in ((1, 1), (1, 70), (8, 35))),
    *(make(input_type=x, pe=pe, simd=3, mac=Mac.DSP2) for x in (INT8, UINT8) for pe in (2, 8)),
    make(input_type=INT4, weight_type=INT4, mac=Mac.LUT, pixels=1, outputs=1, inputs=1),
    make(pixels=1, outputs=10, inputs=64, pe=1, simd=16),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    kernels = KERNELS if mode is Mode.NATIVE else KERNELS[::2]
    check([random_case(kernel, seed=number) for number, kernel in enumerate(kernels)], mode)


RTL_KERNELS = [
    *KERNELS[1::2],
    # every order of folds: neither, one of them, both, deeper than the pipeline, start values from each kind of memory
    *(make(outputs=o, inputs=i, pe=2, simd=2, mac=mac) for o in (2, 8) for i in (2, 24) for mac in (Mac.DSP2, Mac.LUT)),
    make(outputs=20, inputs=6, pe=2, simd=2, mac=Mac.DSP2),
    make(outputs=70, inputs=4, pe=1, simd=2),
    make(outputs=140, inputs=2, pe=2, simd=2, mac=Mac.DSP2),
]


def test_rtl_equals_golden() -> None:
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(RTL_KERNELS)])


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_equals_definition(kernel: Matvec) -> None:
    (beats,) = random_case(kernel).inputs
    np.testing.assert_array_equal(kernel.golden(beats)[0], straightforward(kernel, beats))


def corners(mac: Mac, weight_type: QuantType = INT8) -> list[Case]:
    """Every pair of a type's extreme weights, in both lanes, with every extreme activation of either sign."""
    values = np.unique([weight_type.min, weight_type.min + 1, -1, 0, 1, weight_type.max - 1, weight_type.max])
    weights = np.stack([np.repeat(values, len(values)), np.tile(values, len(values))])[None]
    acc_type = QuantType(24, signed=True)
    cases = []
    for type in (INT8, UINT8):
        activations = np.array([type.min, type.min + 1, type.max // 2, type.max // 2 + 1, type.max - 1, type.max])
        kernel = Matvec(6, 1, 2, 1, weights, np.zeros(2, np.int64), type, weight_type, acc_type, mac)
        cases.append(Case(kernel, (np.repeat(activations, weights.shape[2]).reshape(1, -1, 1),)))
    return cases


@pytest.mark.parametrize("mode", [Mode.NATIVE, Mode.AP])
@pytest.mark.parametrize("mac", [Mac.DSP, Mac.DSP2])
def test_corners_of_8_bits(mode: Mode, mac: Mac) -> None:
    check(corners(mac), mode)


def test_rtl_corners() -> None:
    eight = [case for mac in (Mac.DSP, Mac.DSP2, Mac.LUT) for case in corners(mac)]
    check_rtl([*eight, *(case for bits in (2, 3, 5) for case in corners(Mac.LUT, QuantType(bits, signed=True)))])


def alike() -> list[Case]:
    """Layers whose weights are all the same number: the narrowest types, products that are constants."""
    cases = []
    types = [(INT8, INT8), (UINT1, INT8), (INT8, BIPOLAR), (BIPOLAR, BIPOLAR)]
    for (x, w), mac in itertools.product(types, Mac):
        if (mac is Mac.XNOR and (x, w) != (BIPOLAR, BIPOLAR)) or (mac is Mac.DSP2 and BIPOLAR in (x, w)):
            continue
        for value in (-1, 1) if w.bipolar else (w.min, -1, 0, 1):
            weights, reach = np.full((1, 2, 3), value), 3 * max(abs(x.min), x.max) * abs(value)
            bias = np.array([0, reach])
            acc_type = QuantType.for_range(-reach, 2 * reach)
            cases.append(random_case(Matvec(2, 1, 2, 3, weights, bias, x, w, acc_type, mac), images=2))
    return cases


def test_weights_that_are_all_alike() -> None:
    check(alike(), Mode.NATIVE)


def test_rtl_weights_that_are_all_alike() -> None:
    check_rtl(alike())


def test_accumulators_beyond_53_bits_are_exact() -> None:
    weights = np.full((1, 1, 4), (1 << 30) - 1)
    wide = QuantType(31, signed=True)
    kernel = Matvec(1, 1, 1, 2, weights, np.array([1]), wide, wide, QuantType(64, signed=True), Mac.DSP)
    beats = np.full((1, 2, 2), (1 << 30) - 3)
    assert kernel.golden(beats)[0].ravel().tolist() == [4 * ((1 << 30) - 1) * ((1 << 30) - 3) + 1]


def test_cycles_and_beats() -> None:
    kernel = make(pixels=5, groups=2, outputs=8, inputs=12, pe=2, simd=3)
    assert (kernel.inputs[0].beats, kernel.outputs[0].beats, kernel.cycles) == (40, 20, 80)


def test_an_accumulator_that_does_not_fit_is_reported() -> None:
    kernel = Matvec(
        1, 1, 1, 1, np.full((1, 1, 1), 100), np.zeros(1, np.int64), INT8, INT8, QuantType(8, signed=True), Mac.DSP
    )
    with pytest.raises(ValueError, match=re.escape("matvec: accumulators 200..200 do not fit int8")):
        kernel.golden(np.full((1, 1, 1), 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pe": 3}, "pe=3 does not divide 8 outputs"),
        ({"simd": 5}, "simd=5 does not divide 12 inputs"),
        ({"pixels": 0}, "pixels=0 is not positive"),
        ({"mac": Mac.XNOR}, "xnor needs bipolar operands, not int8 and int8"),
        ({"mac": Mac.DSP2}, "dsp2 computes outputs in pairs, so pe=1 must be even"),
        ({"mac": Mac.DSP2, "pe": 2, "weight_type": INT9}, "dsp2 multiplies 8-bit activations by int8 weights"),
    ],
)
def test_illegal_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(**changes)
