from __future__ import annotations

import re

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, QuantType
from hlsgen.kernels import axi
from hlsgen.kernels.unpack import Unpack
from tests.kernels.harness import Case, Mode, check, random_case

TYPES = [INT8, UINT8, BIPOLAR, *(QuantType(b, signed) for b in (2, 3, 4, 5, 12, 16) for signed in (True, False))]
KERNELS = [
    *(Unpack(64, 30, lanes, type) for type in TYPES for lanes in (1, 3, 10)),
    *(Unpack(bits, 48, lanes, INT8) for bits in (32, 128) for lanes in (1, 2, 8, 16, 48)),
    Unpack(64, 9, 3, QuantType(16, True)),
    Unpack(32, 5, 5, QuantType(20, True)),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    check([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(KERNELS)], mode)


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("axi_bits", [32, 64, 128])
def test_words_and_frames_are_inverse(type: QuantType, axi_bits: int) -> None:
    rng = np.random.default_rng(type.bits)
    frames = rng.choice(np.array(type.values), (3, 2, 5, 7))
    words = axi.words_from_frames(frames, type, axi_bits)
    assert words.shape == (3, -(-70 * type.storage_bits // axi_bits), axi_bits // 8)
    assert words.min() >= 0
    assert words.max() <= 255
    assert np.array_equal(axi.frames_from_words(words, (2, 5, 7), type), frames)


def test_byte_vectors() -> None:
    """What the driver must produce, written out."""
    frames = np.array([[[[-1, 2, 0, 3, 1]]]])
    words = axi.words_from_frames(frames, QuantType(3, signed=True), 32)
    assert words.tolist() == [[[0x2F, 0x30, 0x01, 0]]]  # 4 bits each, sign-extended
    assert axi.words_from_frames(frames % 2 * 2 - 1, BIPOLAR, 8).tolist() == [[[0b11001]]]
    assert axi.words_from_frames(np.array([[[[-2, 515]]]]), QuantType(11, signed=True), 32).tolist() == [
        [[0xFE, 0xFF, 3, 2]]
    ]


def test_the_tail_is_ignored() -> None:
    kernel = Unpack(64, 3, 1, INT8)
    words = np.full((1, 1, 8), 255)
    words[0, 0, :3] = (1, 2, 3)
    check([Case(kernel, (words,))], Mode.NATIVE)
    assert kernel.golden(words)[0].ravel().tolist() == [1, 2, 3]


def test_illegal_parameters_are_named() -> None:
    with pytest.raises(ValueError, match=re.escape("axi_bits=48 is no AXI4-Stream width")):
        Unpack(48, 4, 1, INT8)
    with pytest.raises(ValueError, match=re.escape("lanes=3 does not divide 4 elements")):
        Unpack(64, 4, 3, INT8)
