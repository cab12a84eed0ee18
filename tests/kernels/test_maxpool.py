from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, IntArray, QuantType
from hlsgen.kernels.maxpool import MaxPool
from tests.kernels.harness import Mode, check, random_case
from tests.kernels.rtl import check_rtl

KERNELS = [
    *(MaxPool(6, 9, 8, lanes, taps, INT8) for lanes in (1, 2, 8) for taps in (1, 3, 9)),
    *(
        MaxPool(3, 4, 6, 3, taps, type)
        for taps in (1, 2, 4)
        for type in (BIPOLAR, QuantType(1, False), QuantType(2, True), QuantType(8, False), QuantType(40, True))
    ),
    MaxPool(1, 49, 16, 4, 1, INT8),  # global, of a bare frame
    MaxPool(5, 1, 4, 4, 1, INT8),
    MaxPool(1, 1, 1, 1, 1, INT8),
]
RTL_KERNELS = [
    *KERNELS[:9:2],
    *KERNELS[9:],
    MaxPool(1, 3, 1800, 1, 1, INT8),  # in block RAM
]


def straightforward(kernel: MaxPool, beats: IntArray) -> IntArray:
    """The definition: every element is compared with its window's and channel's largest."""
    shape = (len(beats), kernel.windows, -1, kernel.channels // kernel.lanes, kernel.taps, kernel.lanes)
    largest = np.full((len(beats), kernel.windows, kernel.channels), kernel.type.min)
    for (image, window, _, tile, _, lane), x in np.ndenumerate(beats.reshape(shape)):
        channel = tile * kernel.lanes + lane
        largest[image, window, channel] = max(largest[image, window, channel], x)
    return largest.reshape(len(beats), -1, kernel.lanes)


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    kernels = KERNELS if mode is Mode.NATIVE else KERNELS[::2]
    check([random_case(kernel, seed=number) for number, kernel in enumerate(kernels)], mode)


def test_rtl_equals_golden() -> None:
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(RTL_KERNELS)])


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_equals_definition(kernel: MaxPool) -> None:
    (beats,) = random_case(kernel).inputs
    np.testing.assert_array_equal(kernel.golden(beats)[0], straightforward(kernel, beats))


def test_all_negative_windows_keep_their_sign() -> None:
    kernel = MaxPool(1, 2, 1, 1, 2, INT8)
    assert kernel.golden(np.array([[[-128, -7]]]))[0].tolist() == [[[-7]]]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((0, 9, 8, 1, 1), "windows=0 is not positive"),
        ((1, 9, 8, 1, 2), "taps=2 does not divide a window of 9"),
        ((1, 9, 8, 3, 1), "lanes=3 does not divide 8 channels"),
    ],
)
def test_illegal_parameters_are_named(parameters: tuple[int, int, int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MaxPool(*parameters, INT8)
