from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8
from hlsgen.kernels.concat import Concat
from tests.kernels.harness import Mode, check, random_case

CHANNELS = [(4, 4), (2, 8), (8, 2, 4), (2, 2, 2, 6)]
KERNELS = [Concat(5, c, lanes, t) for c in CHANNELS for lanes in (1, 2) for t in (INT8, BIPOLAR)]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_equals_definition(kernel: Concat) -> None:
    inputs = random_case(kernel).inputs
    images = []
    for image in range(2):
        frames = [b[image].reshape(kernel.pixels, c).tolist() for b, c in zip(inputs, kernel.channels, strict=True)]
        images.append([value for pixel in range(kernel.pixels) for frame in frames for value in frame[pixel]])
    assert np.array_equal(kernel.golden(*inputs)[0].reshape(2, -1), images)


def test_illegal_lanes_are_named() -> None:
    with pytest.raises(ValueError, match=re.escape("lanes=4 does not divide 6 channels")):
        Concat(1, (4, 6), 4, INT8)
