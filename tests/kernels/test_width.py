from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.width import Width
from tests.kernels.harness import Mode, check, random_case

RATIOS = [(1, 1), (1, 8), (8, 1), (3, 9), (9, 3), (4, 8), (16, 4), (2, 6)]
KERNELS = [Width(t, a, b, 24) for t in (INT8, QuantType(21, True), BIPOLAR) for a, b in RATIOS]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


@pytest.mark.parametrize("kernel", KERNELS)
def test_elements_keep_their_order(kernel: Width) -> None:
    (beats,) = random_case(kernel).inputs
    assert np.array_equal(kernel.golden(beats)[0].ravel(), beats.ravel())


@pytest.mark.parametrize(
    ("lanes_in", "lanes_out", "beats", "message"),
    [
        (4, 6, 6, "lanes_in=4 and lanes_out=6: neither divides the other"),
        (2, 8, 3, "6 elements per image are no whole number of beats of lanes_out=8"),
    ],
)
def test_illegal_ratios_are_named(lanes_in: int, lanes_out: int, beats: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Width(INT8, lanes_in, lanes_out, beats)
