from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.fork import Fork
from tests.kernels.harness import Mode, check, random_case

KERNELS = [Fork(t, lanes, 7, n) for t in (INT8, BIPOLAR, QuantType(3, False)) for lanes in (1, 4) for n in (2, 3, 5)]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


def test_every_output_is_the_input() -> None:
    (beats,) = random_case(KERNELS[0]).inputs
    assert all(np.array_equal(output, beats) for output in KERNELS[0].golden(beats))


def test_one_copy_is_no_fork() -> None:
    with pytest.raises(ValueError, match=re.escape("copies=1: a fork has at least two outputs")):
        Fork(INT8, 1, 1, 1)
