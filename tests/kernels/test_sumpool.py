from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, QuantType
from hlsgen.kernels.maxpool import MaxPool
from hlsgen.kernels.sumpool import SumPool
from tests.kernels.harness import Mode, check, random_case


def make(type: QuantType, lanes: int, taps: int, windows: int = 3, kernel_taps: int = 6, channels: int = 8) -> SumPool:
    """The accumulator as narrow as the input type allows."""
    offset = -kernel_taps * 5
    acc_type = QuantType.for_range(kernel_taps * type.min + offset, kernel_taps * type.max + offset)
    return SumPool(windows, kernel_taps, channels, lanes, taps, type, acc_type, offset)


TYPES = (INT8, UINT8, BIPOLAR, QuantType(2, True), QuantType(16, False))
KERNELS = [
    *(make(type, lanes, taps) for type in TYPES for lanes in (1, 4) for taps in (1, 2, 6)),
    make(INT8, 3, 1, windows=1, kernel_taps=49, channels=3),
    make(INT8, 1, 1, windows=7, kernel_taps=1, channels=1),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_equals_definition(kernel: SumPool) -> None:
    (beats,) = random_case(kernel).inputs
    tiles, groups = kernel.channels // kernel.lanes, kernel.kernel_taps // kernel.taps
    taps = beats.reshape(2, kernel.windows, groups, tiles, kernel.taps, kernel.lanes)
    expected = np.einsum("nwgtpl->nwtl", taps.astype(np.int64)) + kernel.offset
    assert np.array_equal(kernel.golden(beats)[0].reshape(expected.shape), expected)


def test_beats_are_those_of_maxpool() -> None:
    kernel = make(INT8, 4, 2)
    other = MaxPool(3, 6, 8, 4, 2, INT8)
    assert np.array_equal(kernel.reads()[0], other.reads()[0])
    assert kernel.cycles == other.cycles == 18


def test_a_sum_that_does_not_fit_is_reported() -> None:
    kernel = SumPool(1, 2, 1, 1, 1, INT8, INT8, 0)
    with pytest.raises(ValueError, match=re.escape("sumpool: accumulators 200..200 do not fit int8")):
        kernel.golden(np.full((1, 2, 1), 100))
