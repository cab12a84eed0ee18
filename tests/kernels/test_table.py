from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.table import Table
from tests.kernels.harness import Case, Mode, check, random_case
from tests.kernels.rtl import check_rtl

UINT4 = QuantType(4, signed=False)
INT3 = QuantType(3, signed=True)
INT12 = QuantType(12, signed=True)
UINT16 = QuantType(16, signed=False)


def values(channels: int, input_type: QuantType, output_type: QuantType) -> IntArray:
    rng = np.random.default_rng(channels)
    size = input_type.max - input_type.min + 1
    drawn = rng.integers(output_type.min, output_type.max, (channels, size), endpoint=True)
    return np.where(drawn >= 0, 1, -1) if output_type.bipolar else drawn


def make(
    input_type: QuantType = INT8,
    output_type: QuantType = UINT8,
    channels: int = 6,
    lanes: int = 1,
    shared: bool = False,
) -> Table:
    contents = values(1 if shared else channels, input_type, output_type)
    return Table((3, 4, channels), lanes, input_type, output_type, contents, input_type.min)


KERNELS = [
    *(make(lanes=lanes, shared=shared) for lanes in (1, 2, 6) for shared in (False, True)),
    *(make(input_type=x, output_type=y) for x in (BIPOLAR, UINT8, INT3) for y in (BIPOLAR, UINT4, UINT16)),
    make(channels=1, shared=True),
    make(input_type=INT12, output_type=INT8, channels=2, lanes=2, shared=True),
]


@pytest.mark.parametrize("mode", Mode)
def test_cpp(mode: Mode) -> None:
    check([random_case(kernel, seed=number) for number, kernel in enumerate(KERNELS)], mode)


def test_rtl_equals_golden() -> None:
    kernels = [*KERNELS, *(dataclasses.replace(kernel, memory=RamStyle.BLOCK) for kernel in KERNELS[:4])]
    part = Table((3, 2, 4), 2, INT8, INT8, values(4, INT3, INT8)[:, :7], -5)
    x = np.random.default_rng(0).integers(-5, 2, (3, 12, 2))
    check_rtl([*(random_case(kernel, images=3, seed=n) for n, kernel in enumerate(kernels)), Case(part, (x,))])


def test_golden_looks_up() -> None:
    for number, kernel in enumerate(KERNELS):
        case = random_case(kernel, seed=number)
        (y,) = kernel.golden(*case.inputs)
        for position, x in enumerate(case.inputs[0].ravel().tolist()):
            channel = position % kernel.frame[2] % len(kernel.values)
            assert y.ravel()[position] == kernel.values[channel, x - kernel.first]


def test_a_table_may_cover_a_part_of_its_type() -> None:
    kernel = Table((1, 2, 2), 2, INT8, INT8, np.array([[5, 6, 7]]), -1)
    check([Case(kernel, (np.array([[[-1, 0], [1, 1]]]),))], Mode.NATIVE)
    with pytest.raises(ValueError, match=r"inputs -2\.\.1 leave the proved range \(-1, 1\)"):
        kernel.golden(np.array([[[-2, 0], [1, 1]]]))


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="lanes=4 does not divide 6 channels"):
        make(lanes=4)
    with pytest.raises(ValueError, match="values has 2 entries for 6 channels"):
        Table((1, 1, 6), 1, INT8, INT8, np.zeros((2, 4), np.int64), 0)
    with pytest.raises(ValueError, match=r"domain \(-9, -6\) exceeds uint8"):
        Table((1, 1, 6), 1, UINT8, INT8, np.zeros((1, 4), np.int64), -9)
    with pytest.raises(ValueError, match=r"results \(-1, 0\) do not fit uint8"):
        Table((1, 1, 6), 1, INT8, UINT8, np.array([[-1, 0]]), 0)
    with pytest.raises(ValueError, match="are no table"):
        Table((1, 1, 6), 1, INT8, UINT8, np.zeros((1, 0), np.int64), 0)


def test_streams_and_cycles() -> None:
    kernel = make(lanes=3)
    assert kernel.cycles == 24
    assert (kernel.inputs[0].lanes, kernel.outputs[0].beats) == (3, 24)
    assert kernel.reads()[0].tolist() == list(range(1, 25))
