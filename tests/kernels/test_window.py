from __future__ import annotations

import re
import time
from dataclasses import replace

import numpy as np
import pytest

from hlsgen.graph.graph import Frame
from hlsgen.graph.ops import Geometry
from hlsgen.graph.types import BIPOLAR, INT8, IntArray, QuantType
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.window import Window
from tests.kernels.harness import Mode, check, random_case
from tests.kernels.rtl import check_rtl, predict

SAME = (1, 1, 1, 1)
GEOMETRIES: list[tuple[Frame, Geometry]] = [
    ((5, 6, 4), Geometry((3, 3), pads=SAME)),
    ((5, 6, 4), Geometry((3, 3))),
    ((7, 5, 4), Geometry((3, 3), strides=(2, 2), pads=(0, 0, 1, 1))),  # asymmetric, as TensorFlow pads
    ((8, 8, 4), Geometry((3, 3), strides=(2, 1), pads=(1, 0, 0, 2))),
    ((7, 9, 4), Geometry((1, 1), strides=(2, 2))),  # rows and columns that no window needs
    ((9, 8, 4), Geometry((2, 2), strides=(3, 3))),  # stride larger than the kernel
    ((6, 6, 4), Geometry((2, 2), strides=(2, 2))),
    ((9, 9, 4), Geometry((3, 3), dilations=(2, 2), pads=(2, 2, 2, 2))),
    ((8, 7, 4), Geometry((3, 2), strides=(1, 2), dilations=(2, 3), pads=(1, 2, 3, 0))),
    ((3, 2, 4), Geometry((5, 5), pads=(2, 2, 2, 2))),  # kernel larger than the frame
    ((2, 2, 4), Geometry((3, 3), pads=(4, 4, 5, 5))),  # windows that lie outside the frame entirely
    ((4, 4, 4), Geometry((3, 3), strides=(5, 5), pads=(3, 3, 3, 3))),
    ((1, 11, 4), Geometry((1, 3), strides=(1, 2), pads=(0, 1, 0, 1))),  # 1-D
    ((11, 1, 4), Geometry((4, 1), pads=(1, 0, 2, 0))),
    ((4, 4, 4), Geometry((4, 4))),  # a single window
    ((1, 1, 4), Geometry((1, 1))),
    ((10, 3, 4), Geometry((2, 3), strides=(4, 1), pads=(1, 1, 1, 1))),
]


def foldings(frame: Frame, geometry: Geometry) -> list[tuple[int, int, int]]:
    """Legal (lanes, taps, groups)."""
    rows, columns = geometry.kernel
    channels = frame[2]
    return [
        (lanes, taps, groups)
        for lanes in (1, 2, 4)
        for taps in sorted({1, columns, rows * columns})
        for groups in sorted({1, 2, channels // lanes})
        if channels // groups % lanes == 0
    ]


ALL = [
    Window(frame, geometry, 7, *folding, INT8)
    for frame, geometry in GEOMETRIES
    for folding in foldings(frame, geometry)
]
KERNELS = [kernel for number, kernel in enumerate(ALL) if kernel.geometry is GEOMETRIES[2][1] or number % 4 == 0]
TYPES = [
    Window((4, 5, 6), Geometry((3, 3), pads=SAME), type.max, 3, 9, 1, type)
    for type in (BIPOLAR, QuantType(1, False), QuantType(4, True), QuantType(16, False), QuantType(33, True))
]
SMALLER = KERNELS[::4] + TYPES[::2]


def straightforward(kernel: Window, beats: IntArray) -> IntArray:
    """The definition: loops over output beats and their elements."""
    height, width, channels = kernel.frame
    (rows, columns), geometry = kernel.output, kernel.geometry
    tap_list = [(kh, kw) for kh in range(geometry.kernel[0]) for kw in range(geometry.kernel[1])]
    tap_groups = [tap_list[i : i + kernel.taps] for i in range(0, len(tap_list), kernel.taps)]
    per_group = channels // kernel.groups
    images = []
    for image in beats:
        frame = image.reshape(height, width, channels).tolist()
        result = []
        for oy in range(rows):
            for ox in range(columns):
                for group in range(kernel.groups):
                    for taps in tap_groups:
                        for tile in range(group * per_group, (group + 1) * per_group, kernel.lanes):
                            beat: list[int] = []
                            for kh, kw in taps:
                                y = oy * geometry.strides[0] + kh * geometry.dilations[0] - geometry.pads[0]
                                x = ox * geometry.strides[1] + kw * geometry.dilations[1] - geometry.pads[1]
                                inside = 0 <= y < height and 0 <= x < width
                                pad = [kernel.pad_value] * kernel.lanes
                                beat += frame[y][x][tile : tile + kernel.lanes] if inside else pad
                            result.append(beat)
        images.append(result)
    return np.array(images)


def steps_one_by_one(kernel: Window) -> tuple[list[int], int]:
    """Reads at each write and the number of steps, by walking through the steps."""
    height, width, _ = kernel.frame
    needs = kernel._needs()
    read, reads, steps = 0, [], 0
    for row in range(kernel.output[0]):
        end = row * kernel.geometry.strides[0] - kernel.geometry.pads[0] + kernel.geometry.extent[0]
        limit = height if row == kernel.output[0] - 1 else min(max(end, 0), height)
        written = 0
        while written < needs.shape[1] or read < limit * width * kernel.pixel_beats:
            ready = written < needs.shape[1] and needs[row, written] <= read
            read += read < limit * width * kernel.pixel_beats
            if ready:
                reads.append(read)
                written += 1
            steps += 1
    return reads, steps


@pytest.mark.parametrize("mode", Mode)
def test_cpp_equals_golden(mode: Mode) -> None:
    kernels = KERNELS + TYPES if mode is Mode.NATIVE else SMALLER
    check([random_case(kernel, seed=number) for number, kernel in enumerate(kernels)], mode)


USUAL = [
    Window((6, 8, 4), Geometry((3, 3), pads=SAME), 1, 2, 9, 1, INT8, memory=RamStyle.DISTRIBUTED),
    Window((8, 6, 4), Geometry((3, 3), strides=(2, 2), pads=SAME), 1, 2, 9, 1, INT8),
    Window((8, 6, 4), Geometry((3, 3), strides=(2, 2), pads=(0, 0, 1, 1)), 1, 1, 3, 4, INT8),
    Window((7, 7, 2), Geometry((3, 3), strides=(2, 2), pads=SAME), 1, 1, 3, 1, INT8),  # two columns in a word
    Window((7, 7, 2), Geometry((5, 5), pads=(2, 2, 2, 2)), 1, 1, 5, 1, INT8, memory=RamStyle.DISTRIBUTED),
    Window((6, 6, 2), Geometry((2, 2), strides=(2, 2)), 1, 1, 4, 2, INT8),
    Window((8, 8, 2), Geometry((1, 1), strides=(2, 2)), 0, 1, 1, 1, INT8),
    Window((1, 12, 2), Geometry((1, 5), strides=(1, 2), pads=(0, 2, 0, 2)), 1, 1, 5, 1, INT8),
    Window((12, 1, 2), Geometry((5, 1), strides=(2, 1), pads=(2, 0, 2, 0)), 1, 1, 5, 1, INT8),
    Window((3, 2, 2), Geometry((3, 3), pads=SAME), 1, 1, 9, 1, INT8),
]
"""The geometries of common networks, on small frames. They lose no cycle, but one of them at an image's end."""

FEWER_ROWS = [
    Window((6, 5, 4), Geometry((3, 3), pads=SAME), 1, 2, 9, 1, INT8, rows=3),
    Window((7, 6, 4), Geometry((3, 3), strides=(2, 2), pads=SAME), 1, 2, 3, 1, INT8, rows=3),
    Window((6, 5, 4), Geometry((3, 3)), 1, 2, 1, 2, INT8, rows=3),
    Window((3, 2, 4), Geometry((5, 5), pads=(2, 2, 2, 2)), 1, 2, 25, 1, INT8, rows=3),
]
MERGED = [
    Window((6, 8, 2), Geometry((3, 3), pads=SAME), 1, 2, 9, 1, INT8),  # a pixel is a beat
    Window((5, 4, 2), Geometry((2, 2), pads=(0, 0, 1, 1)), 1, 2, 4, 1, INT8),  # columns that complete nothing
    Window((7, 6, 4), Geometry((5, 5), pads=(2, 2, 2, 2)), 1, 4, 25, 1, INT8),  # two lookahead columns
    Window((6, 7, 1), Geometry((7, 7), pads=(3, 3, 3, 3)), 1, 1, 49, 1, INT8),  # three
    Window((5, 8, 1), Geometry((3, 3), dilations=(2, 2), pads=(2, 2, 2, 2)), 1, 1, 9, 1, INT8),
    Window((6, 5, 6), Geometry((3, 3), pads=SAME), 1, 3, 9, 1, INT8),  # pixels of two beats, three, four, six
    Window((6, 5, 6), Geometry((3, 3), pads=SAME), 1, 2, 9, 1, INT8, memory=RamStyle.DISTRIBUTED),
    Window((4, 3, 4), Geometry((3, 3), pads=SAME), 1, 1, 9, 4, INT8),
    Window((4, 5, 2), Geometry((3, 3), pads=SAME), 1, 1, 3, 2, INT8),  # a row of taps
    Window((6, 6, 2), Geometry((5, 5), pads=(2, 2, 2, 2)), 1, 1, 25, 1, INT8),  # two columns of two beats
    Window((6, 6, 4), Geometry((5, 5), pads=(2, 2, 2, 2)), 1, 1, 25, 2, INT8),  # of four
    Window((1, 12, 2), Geometry((1, 5), pads=(0, 2, 0, 2)), 1, 2, 5, 1, INT8),  # a row is an image
    Window((1, 9, 2), Geometry((1, 8), pads=(0, 3, 0, 4)), 1, 2, 8, 1, INT8),
    Window((1, 3, 2), Geometry((1, 3), pads=(0, 1, 0, 1)), 1, 2, 3, 1, INT8),
    Window((1, 2, 2), Geometry((1, 3), pads=(0, 1, 0, 1)), 1, 2, 3, 1, INT8),
    Window((4, 8, 1), Geometry((2, 5), strides=(1, 2), pads=(0, 2, 1, 2)), 1, 1, 5, 1, INT8),  # two columns in a word
    Window((4, 9, 2), Geometry((2, 7), strides=(1, 2), pads=(0, 3, 1, 3)), 1, 2, 7, 1, INT8),
]
"""The last windows of an image are completed at the first columns of the next one."""

RTL = KERNELS[::4] + TYPES[:4] + [replace(KERNELS[0], rows=7)]


def test_rtl_equals_golden() -> None:
    check_rtl([random_case(kernel, images=3, seed=number) for number, kernel in enumerate(RTL)])


def test_rtl_of_frames_back_to_back() -> None:
    check_rtl([random_case(kernel, images=6, seed=number) for number, kernel in enumerate(USUAL)])


def test_rtl_of_an_image_s_last_windows_at_the_next_one_s_first_columns() -> None:
    short = [replace(kernel, frame=(3, 4, kernel.frame[2])) for kernel in (MERGED[0], *MERGED[5:7])]
    cases = [random_case(kernel, images=8, seed=number) for number, kernel in enumerate(MERGED)]
    cases += [random_case(kernel, images=60, seed=number) for number, kernel in enumerate(short)]
    cases += [
        random_case(kernel, images=80, seed=number) for number, kernel in enumerate(MERGED) if kernel.frame[0] == 1
    ]
    check_rtl(cases)


def test_rtl_with_fewer_rows_is_slower_and_right() -> None:
    check_rtl([random_case(kernel, images=2, seed=number) for number, kernel in enumerate(FEWER_ROWS)])
    for kernel in FEWER_ROWS[:3]:
        assert interval(kernel) > interval(replace(kernel, rows=0)), kernel


@pytest.mark.slow
def test_rtl_equals_golden_for_all_foldings() -> None:
    for start in range(0, len(ALL), 30):
        check_rtl([random_case(kernel, images=3, seed=start) for kernel in ALL[start : start + 30]])


def interval(kernel: Window) -> int:
    """Cycles from one image's last output beat to the next one's, at steady state."""
    beats = kernel.outputs[0].beats
    _, (handed,) = predict(kernel.timing(), [kernel.inputs[0].beats], 6)
    return handed[-1] - handed[-1 - beats]


def test_no_bubbles_between_rows_and_images() -> None:
    for kernel in ALL + USUAL + MERGED + RTL:
        assert interval(kernel) == kernel.cycles, kernel
    for kernel in USUAL:
        beats = max(kernel.inputs[0].beats, kernel.outputs[0].beats)
        last_pixels = 0 if kernel.filters else kernel._walk.flush_steps
        assert max(beats, kernel.cycles - last_pixels) == beats, kernel
    cnn = replace(USUAL[0], frame=(32, 32, 4))
    assert cnn.cycles == interval(cnn) == 32 * 32 * 2
    assert replace(cnn, lanes=4).cycles == interval(replace(cnn, lanes=4)) == 32 * 32
    deep = replace(cnn, frame=(32, 32, 32))
    assert deep.cycles == interval(deep) == 32 * 32 * 16 + 16  # a column of padding for the whole image


def test_rows_that_no_window_needs_are_left_out() -> None:
    kernel = Window((9, 8, 4), Geometry((2, 2), strides=(3, 3)), 0, 1, 4, 1, INT8)
    assert kernel.rows_held == 3
    assert kernel.ram_shape == (3 * 8, 6 * 4)  # of eight columns, six


def test_memory_of_a_residual_network_is_one_block_ram_per_layer() -> None:
    shapes = [((32, 32, 16), 1), ((16, 16, 32), 1), ((16, 16, 32), 2), ((8, 8, 64), 1)]
    for frame, stride in shapes:
        kernel = Window(frame, Geometry((3, 3), strides=(stride, stride), pads=SAME), 0, 1, 9, 1, INT8)
        assert kernel.ram_shape == (32, 512), kernel
        assert kernel.delay_lines == [(24, frame[2])] * 2
    assert Window((32, 32, 16), Geometry((3, 3), pads=SAME), 0, 1, 3, 1, INT8).ram_shape == (8, 4 * 512)
    assert Window((8, 8, 4), Geometry((1, 1), strides=(2, 2)), 0, 1, 1, 1, INT8).ram_shape == (0, 0)


def test_slots_of_odd_widths_are_padded_to_bytes_in_block_ram_only() -> None:
    kernel = Window((4, 5, 6), Geometry((3, 3), pads=SAME), 0, 1, 9, 1, QuantType(3, True))
    assert kernel.ram_shape[0] == 4 * 8
    assert replace(kernel, memory=RamStyle.DISTRIBUTED).ram_shape[0] == 4 * 3


def test_timing_of_a_large_frame_takes_milliseconds() -> None:
    start = time.process_time()
    Window((32, 32, 64), Geometry((3, 3), pads=SAME), 0, 1, 9, 1, INT8).timing()
    assert time.process_time() - start < 0.5


@pytest.mark.slow
def test_cpp_equals_golden_for_all_foldings() -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(ALL)], Mode.NATIVE)


def test_golden_equals_definition() -> None:
    for kernel in ALL + TYPES:
        (beats,) = random_case(kernel).inputs
        np.testing.assert_array_equal(kernel.golden(beats)[0], straightforward(kernel, beats), err_msg=str(kernel))


def test_closed_form_of_reads_equals_stepping() -> None:
    for kernel in ALL:
        reads, steps = steps_one_by_one(kernel)
        np.testing.assert_array_equal(kernel.reads()[0], reads, err_msg=str(kernel))
        assert kernel.steps == steps, kernel


def test_reading_stays_within_the_rows_of_the_window() -> None:
    kernel = Window((32, 32, 8), Geometry((3, 3), pads=SAME), 0, 8, 9, 1, INT8)
    (reads,) = kernel.reads()
    rows = np.repeat(np.arange(32), 32)
    assert np.all(reads <= np.minimum(rows + 2, 32) * 32)
    assert kernel.cycles == 1024
    assert kernel.steps == 66 + 30 * 34 + 32  # the right column's windows wait for the same pixel


def test_reads_of_a_large_frame_take_milliseconds() -> None:
    kernel = Window((32, 32, 64), Geometry((3, 3), pads=SAME), 0, 1, 9, 1, INT8)
    start = time.process_time()
    kernel.reads()
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lanes": 3}, "lanes=3 does not divide 4 channels per group"),
        ({"groups": 3}, "groups=3 does not divide 4 channels"),
        ({"taps": 2}, "taps=2 is none of [1, 3, 9]"),
        ({"pad_value": 128}, "pad_value=128 is not a value of int8"),
        ({"frame": (2, 5, 4)}, "a frame (2, 5, 4) has no window"),
        ({"type": BIPOLAR, "pad_value": 0}, "pad_value=0 is not a value of bipolar"),
        ({"rows": 2}, "rows=2 does not hold the 3 rows of a window"),
        ({"geometry": Geometry((1, 1), strides=(9, 9), pads=(1, 1, 0, 0)), "taps": 1}, "lies on a frame (5, 5, 4)"),
    ],
)
def test_illegal_parameters_are_named(changes: dict[str, object], message: str) -> None:
    parameters: dict[str, object] = {"frame": (5, 5, 4), "geometry": Geometry((3, 3)), "type": INT8}
    parameters |= {"pad_value": 0, "lanes": 1, "taps": 9, "groups": 1}
    with pytest.raises(ValueError, match=re.escape(message)):
        Window(**(parameters | changes))  # type: ignore[arg-type]
