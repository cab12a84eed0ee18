from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.concat import Concat
from tests.kernels.harness import Mode, check, random_case
from tests.kernels.rtl import check_rtl

KERNELS = [
    Concat(5, (4, 8), 1, INT8),
    Concat(5, (4, 8), 4, INT8),
    Concat(5, (4, 2, 6), 2, QuantType(8, False)),
    Concat(1, (3, 3, 3, 6, 9), 3, QuantType(20, True)),
    Concat(7, (1, 1), 1, BIPOLAR),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


def test_rtl_equals_golden() -> None:
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(KERNELS)])


def test_golden_keeps_pixels_and_channels() -> None:
    kernel = Concat(2, (2, 1), 1, INT8)
    first = np.array([[[1], [2], [3], [4]]])
    second = np.array([[[5], [6]]])
    assert kernel.golden(first, second)[0].ravel().tolist() == [1, 2, 5, 3, 4, 6]
    assert [reads.tolist() for reads in kernel.reads()] == [[1, 2, 2, 3, 4, 4], [0, 0, 1, 1, 1, 2]]


@pytest.mark.parametrize(
    ("channels", "lanes", "message"),
    [
        ((4, 6), 4, "lanes=4 does not divide 6 channels"),
        ((4,), 1, "channels=(4,): a concat has at least two inputs"),
    ],
)
def test_illegal_parameters_are_named(channels: tuple[int, ...], lanes: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Concat(1, channels, lanes, INT8)
