from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.width import Width
from tests.kernels.harness import Mode, check, random_case
from tests.kernels.rtl import check_rtl

KERNELS = [
    *(Width(INT8, a, b, 24) for a in (1, 2, 4, 12) for b in (1, 2, 4, 12) if max(a, b) % min(a, b) == 0),
    Width(BIPOLAR, 3, 27, 9),
    Width(QuantType(18, True), 6, 2, 1),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


def test_rtl_equals_golden() -> None:
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(KERNELS)])


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_order_of_elements_stays(kernel: Width) -> None:
    (beats,) = random_case(kernel).inputs
    (out,) = kernel.golden(beats)
    assert out.shape[2] == kernel.lanes_out
    np.testing.assert_array_equal(out.ravel(), beats.ravel())


def test_beats_wait_for_their_last_element_only() -> None:
    assert Width(INT8, 1, 4, 8).reads()[0].tolist() == [4, 8]
    assert Width(INT8, 4, 2, 2).reads()[0].tolist() == [1, 1, 2, 2]
    assert (Width(INT8, 1, 4, 8).cycles, Width(INT8, 4, 2, 2).cycles) == (8, 4)


@pytest.mark.parametrize(
    ("lanes_in", "lanes_out", "beats", "message"),
    [
        (2, 3, 6, "lanes 2 -> 3 are no integer ratio"),
        (2, 4, 3, "lanes_out=4 does not divide 6 elements"),
        (0, 4, 3, "lanes_in=0, lanes_out=4 and beats_in=3 must be positive"),
    ],
)
def test_illegal_parameters_are_named(lanes_in: int, lanes_out: int, beats: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Width(INT8, lanes_in, lanes_out, beats)
