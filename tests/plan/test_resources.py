"""Estimated resources against those of Yosys, on kernels from which no coefficient was fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hlsgen.board import Family
from hlsgen.exact.units import ShiftUnit
from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import INT8, UINT8, QuantType
from hlsgen.kernels.base import Kernel, RamStyle
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.fifo import Fifo
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.table import Table
from hlsgen.plan.features import FEATURES, Features, fifo
from hlsgen.plan.features.arithmetic import Product, product, shift_luts
from hlsgen.plan.features.contents import Columns, image_of
from hlsgen.plan.features.parts import chain
from hlsgen.plan.primitives import Use, block_ram, lut_ram
from hlsgen.plan.resources import estimate, estimate_fifo, weigh
from hlsgen.synth.yosys import Job, fifo_job, kernel_job, run
from tests.plan.resource_cases import CASES

FAMILY = Family.ZYNQ_7000
UINT4, INT20 = QuantType(4, False), QuantType(20, True)

FLOOR = 40
"""LUTs or flip-flops below which an error counts as if there were so many."""


def estimated(case: Kernel | Fifo, family: Family) -> Use:
    features = fifo(case, family) if isinstance(case, Fifo) else FEATURES[type(case)](case, family)
    return weigh(features, family)


def synthesised(case: Kernel | Fifo, family: Family, folder: Path) -> Use:
    pytest.importorskip("pyosys")
    job = fifo_job(case, family) if isinstance(case, Fifo) else kernel_job(case, family)
    return run(job, folder / "yosys.log").use


def error(estimate: int, truth: int) -> float:
    return abs(estimate - truth) / max(truth, FLOOR)


@pytest.mark.parametrize("kind", CASES)
def test_a_kernel_that_was_not_calibrated(kind: str, tmp_path: Path) -> None:
    case = min(CASES[kind][1](), key=lambda case: estimated(case, Family.ZYNQ_7000).lut)
    ours, truth = estimated(case, Family.ZYNQ_7000), synthesised(case, Family.ZYNQ_7000, tmp_path)
    assert (ours.dsp, ours.ramb18, ours.ramb36) == (truth.dsp, truth.ramb18, truth.ramb36)
    assert error(ours.lut, truth.lut) <= 0.15
    assert error(ours.ff, truth.ff) <= 0.15


@pytest.mark.slow
@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("kind", CASES)
def test_all_kernels_that_were_not_calibrated(kind: str, family: Family, tmp_path: Path) -> None:
    pairs = [(estimated(case, family), synthesised(case, family, tmp_path)) for case in CASES[kind][1]()]
    for ours, truth in pairs:
        assert (ours.dsp, ours.ramb18, ours.ramb36) == (truth.dsp, truth.ramb18, truth.ramb36)
    for name in ("lut", "ff"):
        errors = [error(getattr(ours, name), getattr(truth, name)) for ours, truth in pairs]
        assert np.median(errors) <= 0.05
        assert max(errors) <= 0.15


def test_every_kernel_has_features() -> None:
    kinds = {type(case) for train, _ in CASES.values() for case in train()} - {Fifo}
    assert kinds == set(FEATURES)


def test_what_is_fitted_is_not_what_judges() -> None:
    for train, held_out in CASES.values():
        keys = [{_job(case).key for case in cases()} for cases in (train, held_out)]
        assert keys[1]
        assert not keys[0] & keys[1]


def _job(case: Kernel | Fifo) -> Job:
    return fifo_job(case, FAMILY) if isinstance(case, Fifo) else kernel_job(case, FAMILY)


def test_columns_of_a_rom() -> None:
    # column 0 is the address' lowest bit, 1 the same, 2 constant, 3 the AND of both bits
    columns = Columns.of_words([0b0100, 0b0111, 0b0100, 0b1111], 4)
    assert columns.distinct == 2
    assert columns.rom_luts == 1  # an address bit itself takes none
    assert Columns.of_words([0b1, 0b0], 1).rom_luts == 1  # an inverter
    assert columns.lowest == 0
    assert columns.part(2, 1).distinct == 0
    assert columns.part(2, 2).lowest == 0
    assert columns.rows(1, 2).distinct == 0
    parity = Columns.of_words([word.bit_count() & 1 for word in range(256)], 1)
    assert parity.rom_luts == 2  # the parity of six bits and its complement, among which the slice chooses
    words = np.random.default_rng(0).integers(0, 2, 1000).tolist()
    luts = [Columns.of_words(words[:size], 1).rom_luts for size in (5, 64, 100, 128, 200, 256, 300, 512, 1000)]
    assert luts == [1, 1, 2, 2, 4, 4, 5 + 1, 8 + 1, 16 + 1]


def test_equal_columns_are_one_register() -> None:
    values = np.arange(16)[None]
    alike, different = (Table((1, 1, 2), 2, UINT4, UINT4, values * factor % 16, 0) for factor in (15, 5))
    assert image_of(alike, "values").distinct == image_of(different, "values").distinct == 4
    halved = Table((1, 1, 2), 2, UINT4, UINT4, values // 4 * 5, 0)
    assert image_of(halved, "values").distinct == 2
    assert estimate(halved, FAMILY).ff == estimate(alike, FAMILY).ff - 4  # two of four, in two lanes


def few_rows(mac: Mac, weights: list[list[int]], memory: RamStyle = RamStyle.DISTRIBUTED) -> Features:
    """Of a row of a weight for each output, all in one step."""
    values = np.array(weights).T[None]  # (groups, rows, inputs)
    kernel = Matvec(4, 1, 1, len(weights), values, np.zeros(len(weights[0]), int), INT8, INT8, INT20, mac, memory)
    return FEATURES[Matvec](kernel, FAMILY)


def test_equal_columns_of_weights_are_one_register() -> None:
    # two rows: a bit of a weight is constant, as the row's number or its complement
    one, same, opposite = [[1, -2]], [[1, -2], [1, -2]], [[1, -2], [-2, 1]]
    assert few_rows(Mac.DSP, one).ff["few weight rom"] == few_rows(Mac.DSP, opposite).ff["few weight rom"] == 2
    assert few_rows(Mac.DSP, same).ff["few weight rom"] == 2
    assert few_rows(Mac.DSP, [[1, 3]]).ff["few weight rom"] == 1
    assert "weight rom" not in few_rows(Mac.DSP, one).ff


def test_delayed_columns_of_weights_are_one_register() -> None:
    # bit 7, the last digit's, waits for three cycles behind the ROM's register: a memory of four, unless it is read
    # before, as bits 0, 1, ... are
    last = [[0, -128]]
    assert few_rows(Mac.LUT, last).exact.lutram == few_rows(Mac.LUT, [[-128, -128]]).exact.lutram + 1
    assert few_rows(Mac.LUT, last).ff["delayed weights"] == -1
    all_digits = few_rows(Mac.LUT, [[0, -1], [127, -128]])
    assert all_digits.exact.lutram == few_rows(Mac.LUT, [[0, 0], [-128, -128]]).exact.lutram
    assert all_digits.ff["few weight rom"] == 2
    assert all_digits.ff["delayed weights"] == 3 + 3


def test_positions_of_words_take_a_lut_each_bit() -> None:
    def words_out(elements: int, lanes: int) -> float:
        return FEATURES[Pack](Pack(64, ((elements, lanes, INT8),)), FAMILY).lut.get("words out", 0)

    assert words_out(64, 8) == 0
    assert words_out(64, 16) == 64
    assert words_out(48, 3) == 64  # three positions
    assert words_out(30, 3) == 64 + 48  # and a fourth of six elements, with zeros above them


def shifts(left: list[int], add: list[int], out: QuantType = INT8) -> Features:
    """Of a requantizer in two lanes, of 14 bits with 7 below the point; channels 0, 2, ... are in lane 0."""
    one = np.array([1])
    unit = ShiftUnit(
        domain=(-5000, 5000),
        sign=one,
        left=np.array(left),
        add=np.array(add),
        shift=7,
        rounding=Rounding.FLOOR,
        zero_point=0,
        lo=one * out.min,
        hi=one * out.max,
    )
    return FEATURES[Requant](Requant((1, 1, 4), 2, QuantType(14, True), out, unit), FAMILY)


def test_a_lane_whose_distance_never_changes_needs_no_shifter() -> None:
    alike, one, both = (shifts(left, [1, 3, 5, 7]) for left in ([1], [1, 1, 1, 3], [1, 1, 3, 3]))
    assert "shifter" not in alike.lut
    assert 0 < 2 * one.lut["shifter"] == both.lut["shifter"]
    assert alike.ff["shifted"] == 2 * (15 - 1)  # the lowest bit is 0
    assert one.ff["shifted"] == 2 * (17 - 1)


def test_a_shift_chooses_among_four_in_a_lut() -> None:
    assert shift_luts(8, 12, 0) == 0
    assert shift_luts(8, 9, 1) == 8  # the top bit is the sign, shifted or not
    assert shift_luts(8, 11, 2) == 10
    assert shift_luts(8, 15, 3) == 10 + 14 - 3


def test_results_that_clamp_at_0_only_are_reset() -> None:
    # 39 and a bit are within uint8 and int8, eight times as much is not
    assert "clamp" not in shifts([0], [8], UINT8).lut
    assert shifts([0], [8], UINT8).ff["clamp"] == 2 * 8
    assert "clamp" not in shifts([0], [8]).ff
    for out in (INT8, UINT8):
        assert shifts([3], [8], out).lut["clamp"] == 2 * 9


def test_bits_below_what_is_added_wait() -> None:
    dense, sparse = shifts([0], [1, 5, 3, 2]), shifts([0], [256, 1280, 768, 512])
    assert sparse.ff["input register"] == dense.ff["input register"] - 2 * 8


def test_parts_of_a_factor_that_only_shift_take_no_block() -> None:
    def blocks(constant: int) -> int:
        features = Features("elementwise", lut={}, ff={})
        product(features, Product(19, 25, 43, 2, 0, 33, constant), 3, 0, in_dsp=True)
        return features.exact.dsp

    assert blocks(127 << 17 | 4549) == 3 * 2
    assert blocks(127 << 17 | 4096) == blocks(127 << 17) == blocks(1 << 17 | 4549) == 3
    assert blocks(1 << 17) == 0


def test_products_below_nine_bits_take_no_block(tmp_path: Path) -> None:
    """-8 x 15 to 7 x 15 are eight bits, although the operands have nine; -16 x 15 to 15 x 15 are nine."""
    for bits, blocks in ((4, 0), (5, 8)):
        numbers = np.arange(-1 << bits - 1, 1 << bits - 1)
        weights = np.random.default_rng(0).permuted(numbers.repeat(8)).reshape(1, -1, 8)
        bias = np.zeros(len(numbers), int)
        kernel = Matvec(4, 1, 1, 8, weights, bias, UINT4, QuantType(bits, True), INT20, Mac.DSP)
        ours, truth = estimate(kernel, FAMILY), synthesised(kernel, FAMILY, tmp_path)
        assert ours.dsp == truth.dsp == blocks
        assert blocks or max(error(ours.lut, truth.lut), error(ours.ff, truth.ff)) <= 0.15


def test_registers_in_a_row_become_memory() -> None:
    features = Features("elementwise", ff={})
    for registers in (1, 2, 3, 33):
        chain(features, "line", 8, registers)
    assert features.ff == {"line": 8 + 16}
    assert features.exact == Use(lut=8 + 16, lutram=8 + 16)


def test_memories_are_counted_in_primitives() -> None:
    assert block_ram(36, 512) == (Use(ramb18=1), 1)
    assert block_ram(37, 512) == (Use(ramb36=1), 1)
    assert block_ram(612, 32) == (Use(ramb18=17), 1)
    assert block_ram(1, 40000) == (Use(ramb18=3), 3)
    assert block_ram(48, 2560) == (Use(ramb36=4), 5)  # five words of six bytes side by side in 32 bytes
    assert block_ram(32, 1536, read_only=True) == (Use(ramb18=3), 3)
    assert block_ram(32, 1536, read_only=True, read=range(8)) == (Use(ramb18=2), 3)  # bits 0 to 71 of 96
    assert block_ram(8, 512, 4) == (Use(ramb18=1), 1)  # bytes with write enables of their own
    assert block_ram(24, 512, 2) == (Use(ramb36=1), 1)
    assert lut_ram(7, 32, Family.ZYNQ_7000) == Use(lut=8, lutram=8)
    assert lut_ram(7, 64, Family.ZYNQ_ULTRASCALE) == Use(lut=8, lutram=8)


def test_wires_take_nothing() -> None:
    assert estimate_fifo(100, 2, Family.ZYNQ_7000) == Use()
