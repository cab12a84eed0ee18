"""Estimated resources against those of Yosys, on kernels from which no coefficient was fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hlsgen.board import Family
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.fifo import Fifo
from hlsgen.plan.features import FEATURES, fifo
from hlsgen.plan.primitives import Use, banked_block_ram, block_ram, lut_ram
from hlsgen.plan.resources import estimate_fifo, weigh
from hlsgen.synth.yosys import fifo_job, kernel_job, run
from tests.plan.resource_cases import CASES

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


LIMITS = {"elementwise": (0.10, 0.35)}
"""Median and worst error: a requantizer's size hangs on what Yosys makes of the contents of its small ROMs."""


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
        median, worst = LIMITS.get(kind, (0.05, 0.15))
        assert np.median(errors) <= median
        assert max(errors) <= worst


def test_every_kernel_has_features() -> None:
    kinds = {type(case) for train, _ in CASES.values() for case in train()} - {Fifo}
    assert kinds == set(FEATURES)


def test_memories_are_counted_in_primitives() -> None:
    assert block_ram(36, 512) == Use(ramb18=1)
    assert block_ram(37, 512) == Use(ramb36=1)
    assert block_ram(612, 32) == Use(ramb18=17)
    assert block_ram(1, 40000) == Use(ramb18=3)
    assert banked_block_ram(4, 8, 512) == Use(ramb18=1)  # bytes with write enables of their own
    assert banked_block_ram(2, 24, 512) == Use(ramb36=1)
    assert lut_ram(7, 32, Family.ZYNQ_7000) == Use(lut=8, lutram=8)
    assert lut_ram(7, 64, Family.ZYNQ_ULTRASCALE) == Use(lut=8, lutram=8)


def test_wires_take_nothing() -> None:
    assert estimate_fifo(100, 2, Family.ZYNQ_7000) == Use()
