from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.pack import Pack, Packed
from tests.kernels.harness import Case, Mode, check, random_case, run

INT20 = QuantType(20, signed=True)
TYPES = [INT8, BIPOLAR, INT20, *(QuantType(b, signed) for b in (2, 3, 4, 12) for signed in (True, False))]
KERNELS = [
    *(Pack(64, (Packed(30, lanes, type),)) for type in TYPES for lanes in (1, 3, 10)),
    *(Pack(bits, (Packed(48, lanes, INT8),)) for bits in (32, 128) for lanes in (1, 2, 8, 16, 48)),
    Pack(64, (Packed(5, 1, INT8), Packed(12, 4, INT20))),
    Pack(32, (Packed(9, 3, QuantType(4, True)), Packed(3, 1, BIPOLAR), Packed(8, 8, INT8))),
    Pack(64, (Packed(1, 1, INT8), Packed(1, 1, INT8), Packed(2, 1, INT20), Packed(17, 17, INT8))),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    cases = []
    for number, kernel in enumerate(KERNELS):
        case = random_case(kernel, images=3, seed=number)
        last = np.zeros((3, 1, 1), np.int64)
        last[-1] = 1
        cases.append(Case(kernel, (*case.inputs[:-1], last)))
    check(cases, mode)
    for case, result in zip(cases, run(cases, mode), strict=True):
        expected = np.zeros(3 * case.kernel.outputs[0].beats)
        expected[-1] = 1
        assert np.array_equal(result.last, expected)  # TLAST once, on the last word of the last image


def test_each_output_starts_on_a_word() -> None:
    kernel = Pack(32, (Packed(3, 1, INT8), Packed(2, 1, INT8)))
    words = kernel.golden(np.array([[[1], [2], [3]]]), np.array([[[4], [5]]]), np.ones((1, 1, 1), np.int64))[0]
    assert words.tolist() == [[[1, 2, 3, 0], [4, 5, 0, 0]]]


def test_too_many_outputs_are_named() -> None:
    with pytest.raises(ValueError, match=re.escape("an accelerator has 1 to 4 outputs, not 5")):
        Pack(32, (Packed(1, 1, INT8),) * 5)
