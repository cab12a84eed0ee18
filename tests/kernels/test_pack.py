from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, QuantType
from hlsgen.kernels.axi import frames_from_words
from hlsgen.kernels.pack import Pack
from tests.kernels.harness import Case, Mode, check, random_case, run
from tests.kernels.rtl import check_rtl

INT4 = QuantType(4, True)
INT20 = QuantType(20, True)
KERNELS = [
    *(Pack(64, ((36, lanes, INT8),)) for lanes in (1, 2, 3, 4, 6, 12, 36)),
    *(
        Pack(64, ((30, lanes, type),))
        for type in (BIPOLAR, QuantType(2, False), QuantType(3, True), INT4, INT20, QuantType(64, True))
        for lanes in (1, 3, 10, 30)
    ),
    *(Pack(axi_bits, ((35, 5, UINT8),)) for axi_bits in (8, 32, 128, 256, 1024)),
    Pack(64, ((10, 1, INT8), (7, 7, INT20))),
    Pack(64, ((9, 3, INT4), (16, 4, UINT8), (9, 9, INT20), (5, 1, BIPOLAR))),
    Pack(128, ((16, 1, UINT8), (1, 1, UINT8), (24, 8, UINT8))),
]
RTL_KERNELS = [
    *KERNELS[:7],
    *KERNELS[7:-3:3],
    Pack(64, ((25, 1, INT8),)),  # a single beat in the last word
    Pack(64, ((24, 24, INT8), (3, 1, INT20), (40, 2, INT4))),
    *KERNELS[-3:],
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    kernels = KERNELS if mode is Mode.NATIVE else KERNELS[::2]
    check([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(kernels)], mode)


def test_rtl_equals_golden() -> None:
    check_rtl([random_case(kernel, images=4, seed=number) for number, kernel in enumerate(RTL_KERNELS)])


@pytest.mark.parametrize("kernel", KERNELS)
def test_golden_keeps_the_elements(kernel: Pack) -> None:
    inputs = random_case(kernel).inputs
    (words,) = kernel.golden(*inputs)
    first = 0
    for beats, (elements, _, type), count in zip(inputs[:-1], kernel.parts, kernel.words, strict=True):
        frames = frames_from_words(words[:, first : first + count], (elements,), type)
        np.testing.assert_array_equal(frames.ravel(), beats.ravel())
        first += count


def test_tlast_is_set_where_the_last_stream_says_so() -> None:
    kernel = Pack(64, ((9, 3, INT8), (3, 1, INT4)))
    case = random_case(kernel, images=3)
    flags = np.array([0, 1, 0]).reshape(3, 1, 1)
    (result,) = run([Case(kernel, (*case.inputs[:-1], flags))])
    assert result.last.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]


def test_cycles() -> None:
    assert Pack(64, ((16, 1, INT8),)).cycles == 16
    assert Pack(64, ((16, 16, INT8),)).cycles == 2
    assert Pack(64, ((9, 3, INT8),)).cycles == 4  # the third beat completes one word and begins the next
    assert Pack(64, ((16, 1, INT8), (4, 4, INT20))).cycles == 18


@pytest.mark.parametrize(
    ("axi_bits", "part", "message"),
    [
        (64, (8, 3, INT8), "lanes=3 does not divide 8 elements"),
        (32, (8, 1, QuantType(33, True)), "int33 elements do not fit words of 32 bits"),
    ],
)
def test_illegal_parameters_are_named(axi_bits: int, part: tuple[int, int, QuantType], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Pack(axi_bits, (part,))
