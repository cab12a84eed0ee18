from __future__ import annotations

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.fork import Fork
from tests.kernels.harness import Mode, check, random_case
from tests.kernels.rtl import check_rtl

KERNELS = [
    Fork(INT8, 1, 12, 2),
    Fork(QuantType(5, False), 7, 3, 3),
    Fork(BIPOLAR, 16, 1, 2),
    Fork(QuantType(64, True), 2, 4, 5),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


def test_rtl_equals_golden() -> None:
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(KERNELS)])


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_output_is_the_input(kernel: Fork) -> None:
    (beats,) = random_case(kernel).inputs
    copies = kernel.golden(beats)
    assert len(copies) == kernel.copies
    for copy in copies:
        np.testing.assert_array_equal(copy, beats)


def test_a_fork_has_at_least_two_outputs() -> None:
    with pytest.raises(ValueError, match="copies=1: a fork has at least two outputs"):
        Fork(INT8, 1, 1, 1)
