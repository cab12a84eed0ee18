from __future__ import annotations

import re

import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, QuantType
from hlsgen.kernels.maxpool import MaxPool
from tests.kernels.harness import Mode, check, random_case

TYPES = (INT8, UINT8, BIPOLAR, QuantType(2, True), QuantType(16, True))
KERNELS = [
    *(MaxPool(3, 6, 8, lanes, taps, type) for type in TYPES for lanes in (1, 4) for taps in (1, 2, 6)),
    MaxPool(1, 49, 3, 3, 1, INT8),
    MaxPool(7, 1, 1, 1, 1, INT8),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_equals_definition(kernel: MaxPool) -> None:
    (beats,) = random_case(kernel).inputs
    tiles, groups = kernel.channels // kernel.lanes, kernel.kernel_taps // kernel.taps
    (output,) = kernel.golden(beats)
    for window in range(kernel.windows):
        for channel in range(kernel.channels):
            tile, lane = divmod(channel, kernel.lanes)
            values = [
                beats[0, (window * groups + group) * tiles + tile, tap * kernel.lanes + lane]
                for group in range(groups)
                for tap in range(kernel.taps)
            ]
            assert output[0, window * tiles + tile, lane] == max(values)


def test_illegal_taps_are_named() -> None:
    with pytest.raises(ValueError, match=re.escape("taps=4 does not divide kernel_taps=9")):
        MaxPool(1, 9, 4, 1, 4, INT8)
