from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, QuantType
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.matvec import Mac
from tests.kernels.harness import Mode, check, random_case

INT2 = QuantType(2, signed=True)
INT4 = QuantType(4, signed=True)
INT16 = QuantType(16, signed=True)


def make(
    input_type: QuantType = INT8,
    weight_type: QuantType = INT8,
    pe: int = 1,
    taps: int = 1,
    mac: Mac = Mac.DSP,
    pixels: int = 3,
    channels: int = 4,
    kernel_taps: int = 9,
) -> Depthwise:
    """Random weights with the type's extremes among them; the accumulator as narrow as the full input range allows."""
    rng = np.random.default_rng(pe * 100 + taps)
    weights = rng.integers(weight_type.min, weight_type.max, (channels, kernel_taps), endpoint=True)
    weights.ravel()[[0, -1]] = weight_type.min, weight_type.max
    if weight_type.bipolar:
        weights = np.where(weights >= 0, 1, -1)
    bias = rng.integers(-300, 300, channels)
    ends = np.stack([weights * input_type.min, weights * input_type.max])
    lo, hi = ends.min(0).sum(1) + bias, ends.max(0).sum(1) + bias
    acc_type = QuantType.for_range(int(lo.min()), int(hi.max()))
    return Depthwise(pixels, channels, pe, taps, weights, bias, input_type, weight_type, acc_type, mac)


KERNELS = [
    *(make(pe=pe, taps=taps) for pe in (1, 2, 4) for taps in (1, 3, 9)),
    *(make(x, w, 2, 3) for x in (INT8, UINT8, INT2, INT16) for w in (INT8, INT4, INT16)),
    *(make(BIPOLAR, BIPOLAR, 2, taps, mac) for taps in (1, 9) for mac in (Mac.XNOR, Mac.LUT)),
    make(BIPOLAR, INT4, 4, 3),
    make(UINT8, BIPOLAR, 4, 9),
    make(mac=Mac.LUT, pixels=1, channels=1, kernel_taps=1),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_equals_definition(kernel: Depthwise) -> None:
    (beats,) = random_case(kernel).inputs
    (output,) = kernel.golden(beats)
    for pixel in range(kernel.pixels):
        for channel in range(kernel.channels):
            tile, lane = divmod(channel, kernel.pe)
            acc = int(kernel.bias[channel])
            for tap in range(kernel.weights.shape[1]):
                group, inside = divmod(tap, kernel.taps)
                beat = (pixel * kernel.tiles + tile) * kernel.tap_groups + group
                acc += int(beats[0, beat, inside * kernel.pe + lane]) * int(kernel.weights[channel, tap])
            assert output[0, pixel * kernel.tiles + tile, lane] == acc


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pe": 3}, "pe=3 does not divide 4 channels"),
        ({"taps": 2}, "taps=2 does not divide 9 taps"),
        ({"mac": Mac.DSP2}, "dsp2 shares an activation between two outputs"),
        ({"mac": Mac.XNOR}, "xnor needs bipolar operands, not int8 and int8"),
    ],
)
def test_illegal_parameters_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(**changes)  # type: ignore[arg-type]
