from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType
from hlsgen.kernels.sumpool import SumPool
from tests.kernels.harness import Mode, check, random_case
from tests.kernels.rtl import check_rtl


def make(
    windows: int = 6,
    kernel_taps: int = 9,
    channels: int = 8,
    lanes: int = 1,
    taps: int = 1,
    type: QuantType = INT8,
    zero_point: int = 3,
) -> SumPool:
    offset = -zero_point * kernel_taps
    acc_type = QuantType.for_range(type.min * kernel_taps + offset, type.max * kernel_taps + offset)
    return SumPool(windows, kernel_taps, channels, lanes, taps, type, acc_type, offset)


KERNELS = [
    *(make(lanes=lanes, taps=taps) for lanes in (1, 2, 8) for taps in (1, 3, 9)),
    *(
        make(3, 4, 6, 3, taps, type, zero_point)
        for taps in (1, 4)
        for type, zero_point in ((BIPOLAR, 0), (QuantType(1, False), 1), (UINT8, 255), (QuantType(33, True), -5))
    ),
    make(1, 49, 16, 4, 1, UINT8),  # global, of a bare frame
    make(1, 1, 1, 1, 1, INT8, -128),
]
RTL_KERNELS = [
    *KERNELS[:9:2],
    *KERNELS[9:],
    make(1, 2, 1800, 1, 1, UINT8),  # in block RAM
]


def straightforward(kernel: SumPool, beats: IntArray) -> IntArray:
    """The definition: every element is added to its window's and channel's sum."""
    shape = (len(beats), kernel.windows, -1, kernel.channels // kernel.lanes, kernel.taps, kernel.lanes)
    acc = np.full((len(beats), kernel.windows, kernel.channels), kernel.offset)
    for (image, window, _, tile, _, lane), x in np.ndenumerate(beats.reshape(shape)):
        acc[image, window, tile * kernel.lanes + lane] += x
    return acc.reshape(len(beats), -1, kernel.lanes)


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    kernels = KERNELS if mode is Mode.NATIVE else KERNELS[::2]
    check([random_case(kernel, seed=number) for number, kernel in enumerate(kernels)], mode)


def test_rtl_equals_golden() -> None:
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(RTL_KERNELS)])


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_equals_definition(kernel: SumPool) -> None:
    (beats,) = random_case(kernel).inputs
    np.testing.assert_array_equal(kernel.golden(beats)[0], straightforward(kernel, beats))


def test_a_sum_that_does_not_fit_is_reported() -> None:
    kernel = SumPool(1, 2, 1, 1, 1, UINT8, UINT8, 0)
    with pytest.raises(ValueError, match=re.escape("sumpool: accumulators 300..300 do not fit uint8")):
        kernel.golden(np.array([[[200], [100]]]))
