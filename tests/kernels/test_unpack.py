from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, QuantType
from hlsgen.kernels.axi import frames_from_words, words_from_frames
from hlsgen.kernels.unpack import Unpack
from tests.kernels.harness import Case, Mode, check, random_beats
from tests.kernels.rtl import check_rtl

TYPES = [
    BIPOLAR,
    QuantType(1, False),
    QuantType(2, True),
    QuantType(3, True),
    QuantType(4, False),
    INT8,
    UINT8,
    QuantType(12, True),
    QuantType(16, False),
    QuantType(24, True),
]
KERNELS = [
    *(Unpack(64, 36, lanes, INT8) for lanes in (1, 2, 3, 4, 6, 12, 36)),
    *(Unpack(64, 30, lanes, type) for type in TYPES for lanes in (1, 3, 10)),
    *(Unpack(axi_bits, 35, 5, type) for axi_bits in (8, 32, 128, 256, 1024) for type in (INT8, QuantType(4, True))),
    Unpack(64, 5, 1, QuantType(64, True)),
    Unpack(64, 1, 1, UINT8),
]
RTL_KERNELS = [
    *KERNELS[:7],
    *KERNELS[8:-2:3],
    Unpack(64, 24, 12, INT8),  # a word and a half per beat, none left over
    Unpack(64, 48, 16, INT8),  # two words per beat
    Unpack(64, 16, 8, INT8),
    *KERNELS[-2:],
]


def case(kernel: Unpack, images: int = 3) -> Case:
    """Random elements in words whose tail is not zero: it must be ignored."""
    rng = np.random.default_rng(kernel.elements + kernel.lanes)
    frames = random_beats(kernel.outputs[0], images, rng)
    words = words_from_frames(frames, kernel.type, kernel.axi_bits)
    tail = kernel.words * kernel.axi_bits // 8 - -(-kernel.elements * kernel.type.storage_bits // 8)
    if tail:
        words.reshape(images, -1)[:, -tail:] = 0xA5
    return Case(kernel, (words,))


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    kernels = KERNELS if mode is Mode.NATIVE else KERNELS[::2]
    check([case(kernel) for kernel in kernels], mode)


def test_rtl_equals_golden() -> None:
    check_rtl([case(kernel, images=4) for kernel in RTL_KERNELS])


def test_bytes_of_a_golden_vector() -> None:
    def hex_words(values: list[int], type: QuantType, axi_bits: int = 32) -> str:
        return words_from_frames(np.array([values]), type, axi_bits).astype(np.uint8).tobytes().hex()

    assert hex_words([1, -1, 127, -128, 5], INT8) == "01ff7f8005000000"
    assert hex_words([1, 2, 3, 15, 9], QuantType(4, False)) == "21f30900"
    assert hex_words([-4, 3, -1], QuantType(3, True)) == "3c0f0000"  # sign-extended to 4 bits
    assert hex_words([1, -1, -1, 1, 1, 1, 1, 1, 1], BIPOLAR) == "f9010000"
    assert hex_words([1, -2, -1], QuantType(2, True)) == "39000000"
    assert hex_words([-2], QuantType(12, True)) == "feff0000"
    assert hex_words([0x1234, -2], QuantType(17, True)) == "34120000feffffff"
    assert hex_words([-2], QuantType(40, True), 64) == "feffffffffffffff"


@pytest.mark.parametrize("type", [*TYPES, QuantType(40, True)])
@pytest.mark.parametrize("axi_bits", [64, 128])
def test_words_and_frames_are_inverse(type: QuantType, axi_bits: int) -> None:
    rng = np.random.default_rng(type.bits)
    shape = (3, 5, 7)
    values = rng.integers(0, 2, (2, *shape)) * 2 - 1 if type.bipolar else rng.integers(type.min, type.max, (2, *shape))
    words = words_from_frames(values, type, axi_bits)
    assert words.shape == (2, -(-105 * type.storage_bits // axi_bits), axi_bits // 8)
    assert int(words.min()) >= 0
    assert int(words.max()) <= 255
    back = frames_from_words(words, shape, type)
    assert back.dtype == type.dtype
    np.testing.assert_array_equal(back, values)


def test_golden_marks_the_last_image() -> None:
    kernel = Unpack(64, 8, 1, INT8)
    _, last = kernel.golden(np.zeros((3, 1, 8), np.int16))
    assert last.ravel().tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("axi_bits", "elements", "lanes", "type", "message"),
    [
        (48, 8, 1, INT8, "axi_bits=48 is no power of two from 8 to 1024"),
        (32, 8, 1, QuantType(33, True), "int33 elements do not fit words of 32 bits"),
        (64, 8, 3, INT8, "lanes=3 does not divide 8 elements"),
    ],
)
def test_illegal_parameters_are_named(axi_bits: int, elements: int, lanes: int, type: QuantType, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Unpack(axi_bits, elements, lanes, type)
