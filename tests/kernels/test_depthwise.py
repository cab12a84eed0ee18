from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from hlsgen.graph.ops import Geometry
from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.window import Window
from tests.kernels.harness import Mode, check, random_beats, random_case
from tests.kernels.rtl import check_rtl

INT4 = QuantType(4, signed=True)
INT16 = QuantType(16, signed=True)
UINT16 = QuantType(16, signed=False)


def make(
    input_type: QuantType = INT8,
    weight_type: QuantType = INT8,
    pixels: int = 5,
    channels: int = 8,
    window: int = 9,
    pe: int = 1,
    taps: int = 1,
    mac: Mac = Mac.DSP,
) -> Depthwise:
    """Random weights with the type's extremes among them; the accumulator as narrow as the full input range allows."""
    rng = np.random.default_rng(channels + pe + taps)
    weights = rng.integers(weight_type.min, weight_type.max, (channels, window), endpoint=True)
    weights.ravel()[0] = weight_type.min
    weights.ravel()[-1] = weight_type.max
    if weight_type.bipolar:
        weights = np.where(weights >= 0, 1, -1)
    bias = rng.integers(-1000, 1000, channels)
    extremes = np.stack([weights * input_type.min, weights * input_type.max])
    acc_type = QuantType.for_range(
        int((extremes.min(0).sum(1) + bias).min()), int((extremes.max(0).sum(1) + bias).max())
    )
    return Depthwise(pixels, channels, pe, taps, weights, bias, input_type, weight_type, acc_type, mac)


KERNELS = [
    *(make(pe=pe, taps=taps) for pe in (1, 2, 8) for taps in (1, 3, 9)),
    *(make(input_type=x, weight_type=w, pe=4, taps=3) for x in (UINT8, UINT16, INT16, INT4) for w in (INT8, INT16)),
    make(input_type=UINT16, weight_type=UINT16, pe=2, taps=9),
    make(input_type=BIPOLAR, weight_type=BIPOLAR, pe=4, taps=3, mac=Mac.XNOR),
    make(input_type=BIPOLAR, weight_type=BIPOLAR, pe=2, taps=9, mac=Mac.LUT),
    make(input_type=BIPOLAR, weight_type=INT4, mac=Mac.LUT),
    make(input_type=UINT8, weight_type=BIPOLAR, pe=2),
    make(pixels=1, channels=1, window=1),
]


def straightforward(kernel: Depthwise, beats: IntArray) -> IntArray:
    """The definition, one product after the other, in Python integers."""
    window = kernel.weights.shape[1]
    shape = (len(beats), kernel.pixels, kernel.channels // kernel.pe, window // kernel.taps, kernel.taps, kernel.pe)
    split = beats.reshape(shape)
    acc = np.zeros((len(beats), kernel.pixels, kernel.channels), object) + kernel.bias.astype(object)
    for (image, pixel, tile, tap_group, tap, lane), x in np.ndenumerate(split):
        channel = tile * kernel.pe + lane
        acc[image, pixel, channel] += int(x) * int(kernel.weights[channel, tap_group * kernel.taps + tap])
    return np.asarray(acc, np.int64).reshape(len(beats), -1, kernel.pe)


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    kernels = KERNELS if mode is Mode.NATIVE else KERNELS[::2]
    check([random_case(kernel, seed=number) for number, kernel in enumerate(kernels)], mode)


def test_rtl_equals_golden() -> None:
    kernels = [
        *KERNELS[::2],
        *(make(pe=2, taps=taps, mac=Mac.LUT) for taps in (1, 3, 9)),
        make(input_type=UINT8, weight_type=INT4, taps=9, mac=Mac.LUT),
    ]
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(kernels)])


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_equals_definition(kernel: Depthwise) -> None:
    (beats,) = random_case(kernel).inputs
    np.testing.assert_array_equal(kernel.golden(beats)[0], straightforward(kernel, beats))


@pytest.mark.parametrize(("pe", "taps"), [(1, 1), (2, 3), (4, 9)])
def test_reads_what_window_writes(pe: int, taps: int) -> None:
    height, width, channels = frame = (6, 5, 4)
    geometry = Geometry((3, 3), strides=(2, 1), pads=(1, 1, 0, 1))
    window = Window(frame, geometry, 3, lanes=pe, taps=taps, groups=channels // pe, type=INT8)
    rows, columns = window.output
    kernel = make(pixels=rows * columns, channels=channels, pe=pe, taps=taps)
    assert kernel.inputs == window.outputs

    (beats,) = (random_beats(spec, 2, np.random.default_rng(0)) for spec in window.inputs)
    (acc,) = kernel.golden(*window.golden(beats))

    padded = np.pad(beats.reshape(2, height, width, channels), ((0, 0), (1, 0), (1, 1), (0, 0)), constant_values=3)
    expected = np.zeros((2, rows, columns, channels), np.int64) + kernel.bias
    for kh in range(3):
        for kw in range(3):
            patch = padded[:, kh : kh + 2 * rows : 2, kw : kw + columns]
            expected += patch[:, :rows] * kernel.weights[:, kh * 3 + kw]
    np.testing.assert_array_equal(acc.reshape(expected.shape), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pe": 3}, "pe=3 does not divide 8 channels"),
        ({"taps": 2}, "taps=2 does not divide a window of 9"),
        ({"mac": Mac.DSP2}, "dsp2 needs two outputs that share an input"),
        ({"mac": Mac.XNOR}, "xnor needs bipolar operands, not int8 and int8"),
    ],
)
def test_illegal_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(**changes)
