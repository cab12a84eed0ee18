"""The driver's packing against the compiler's: golden byte vectors agree, for every type and any number of elements."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlsgen.graph.types import BIPOLAR, QuantType
from hlsgen.kernels.axi import frames_from_words, words_from_frames, words_per_frame

TYPES = st.builds(QuantType, st.integers(1, 32), st.booleans(), st.booleans()).filter(lambda t: t.min <= t.max)
FRAMES = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 9))
WIDTHS = st.sampled_from([32, 64, 128])


def port(driver: Any, frame: tuple[int, ...], type: QuantType, axi_bits: int) -> Any:
    words = words_per_frame(int(np.prod(frame)), type, axi_bits)
    boundary = {
        "tensor": "x",
        "frame": list(frame),
        "type": {"bits": type.bits, "signed": type.signed, "narrow": type.narrow, "bipolar": type.bipolar},
        "storage_bits": type.storage_bits,
        "bytes": words * axi_bits // 8,
    }
    return driver.Port.read(boundary, type.dtype.name)


def values(type: QuantType, shape: tuple[int, ...], seed: int) -> npt.NDArray[Any]:
    rng = np.random.default_rng(seed)
    if type.bipolar:
        return rng.choice([-1, 1], shape).astype(type.dtype)
    return rng.integers(type.min, type.max, shape, endpoint=True).astype(type.dtype)


@settings(max_examples=300, deadline=None)
@given(st.one_of(TYPES, st.just(BIPOLAR)), FRAMES, WIDTHS, st.integers(1, 4), st.integers(0, 99))
def test_bytes_are_those_of_the_compiler(
    modules: Any, type: QuantType, frame: tuple[int, int, int], axi_bits: int, images: int, seed: int
) -> None:
    this = port(modules.driver, frame, type, axi_bits)
    frames = values(type, (images, *frame), seed)
    expected = words_from_frames(frames, type, axi_bits).reshape(images, -1)
    memory = np.zeros((images, this.bytes), np.uint8)
    this.pack(frames, memory)
    assert np.array_equal(memory, expected)
    back = np.empty_like(frames)
    this.unpack(memory, back)
    assert np.array_equal(back, frames)
    beats = expected.reshape(images, -1, axi_bits // 8)
    assert np.array_equal(frames_from_words(beats, frame, type), back)
    assert (this.lo, this.hi) == (type.min, type.max)


@settings(max_examples=100, deadline=None)
@given(TYPES, st.integers(0, 99))
def test_memory_is_used_again(modules: Any, type: QuantType, seed: int) -> None:
    """What an earlier batch left never shows, and frames need not be contiguous."""
    this = port(modules.driver, (3, 2, 5), type, 64)
    memory = np.zeros((4, this.bytes), np.uint8)
    this.pack(values(type, (4, 3, 2, 5), seed), memory)
    planar = values(type, (4, 5, 3, 2), seed + 1)
    this.pack(planar.transpose(0, 2, 3, 1), memory)
    expected = words_from_frames(np.ascontiguousarray(planar.transpose(0, 2, 3, 1)), type, 64)
    assert np.array_equal(memory, expected.reshape(4, -1))


@pytest.mark.parametrize(
    ("type", "frames", "message"),
    [
        (QuantType(8, True), np.zeros((2, 3, 3)), "shape (2, 3, 3)"),
        (QuantType(8, True), np.zeros((0, 3, 2, 5), np.int8), "0 images"),
        (QuantType(8, True), np.zeros((1, 3, 2, 5)), "float64"),
        (QuantType(8, True), np.full((1, 3, 2, 5), 128), "from 128 to 128"),
        (QuantType(8, True, narrow=True), np.full((1, 3, 2, 5), -128, np.int8), "from -127 to 127"),
        (QuantType(4, False), np.full((1, 3, 2, 5), -1, np.int8), "from 0 to 15"),
        (BIPOLAR, np.zeros((1, 3, 2, 5), np.int8), "zeros"),
    ],
)
def test_what_is_no_integer_of_the_type(modules: Any, type: QuantType, frames: Any, message: str) -> None:
    with pytest.raises(modules.driver.InputError, match=r"run_integers\(\) got") as caught:
        port(modules.driver, (3, 2, 5), type, 64).check(frames)
    assert message in str(caught.value)


def pack_ratio(driver: Any, images: int = 256, runs: int = 30) -> tuple[float, float]:
    """Times of packing and unpacking int8 images (32, 32, 3), as multiples of np.copyto's of the same bytes."""
    this = port(driver, (32, 32, 3), QuantType(8, True), 64)
    frames = np.random.default_rng(0).integers(-128, 128, (images, 32, 32, 3)).astype(np.int8)
    memory = np.zeros((images, this.bytes), np.uint8)
    flat = frames.view(np.uint8).reshape(memory.shape)

    def fastest(action: Any, *arguments: Any) -> float:
        times = []
        for _ in range(runs):
            started = time.perf_counter()
            action(*arguments)
            times.append(time.perf_counter() - started)
        return min(times)

    copy = fastest(np.copyto, memory, flat)
    return fastest(this.pack, frames, memory) / copy, fastest(this.unpack, memory, frames) / copy


def test_packing_costs_a_copy(modules: Any) -> None:
    pack, unpack = min((pack_ratio(modules.driver) for _ in range(3)), key=max)
    assert max(pack, unpack) < 2
