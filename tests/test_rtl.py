"""Whole networks in SystemVerilog: every stream is golden's, and the cycles are the predicted ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.errors import UnsupportedError
from hlsgen.pipeline import Build
from tests.networks import random_network

QUICK_MODELS = ("qonnx_tfc_1w1a",)
MODELS = (
    *("mlperf_resnet8_qdq", "mlperf_kws_qdq", "qop_micro_kws_m", "qonnx_tfc_1w2a"),
    *("qonnx_nn2fpga_resnet8", "qonnx_radioml_vgg10_w8a8"),
)
RANDOM = tuple(range(3000, 3020))
TOLERANCE = 0.01
"""What the prediction of cycles may be off by; in all these networks it is off by nothing (see the docs)."""


def check(build: Build) -> None:
    """What ``--verify all`` has found out, and that the prediction was right."""
    verify = build.manifest["verify"]
    assert verify["rtl"]["mismatches"] == verify["csim"]["mismatches"] == 0
    assert verify["rtl"]["images"] >= 2
    assert verify["rtl"]["stalled_images"] >= 2
    assert verify["rtl"]["streams"] == len(build.manifest["streams"])
    predicted, measured = (build.manifest[side]["timing"] for side in ("predicted", "measured"))
    for figure in ("interval_cycles", "latency_cycles"):
        assert abs(measured[figure] - predicted[figure]) <= TOLERANCE * measured[figure], (figure, predicted, measured)


@pytest.mark.parametrize("seed", RANDOM)
def test_random_networks(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    onnx.save(random_network(seed), path)
    try:
        build = hlsgen.build(path, board="pynq-z2", output=tmp_path / "out", verify="all")
    except UnsupportedError:
        pytest.skip("a sum of two tensors whose elements are in different orders")
    check(build)
    name = build.graph.prefix.inputs[0]
    shape = build.graph.prefix.shapes[name]
    x = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
    golden, played = (build.run({name: x}, engine=engine, trace=True) for engine in ("golden", "rtl"))
    assert golden.keys() == played.keys()
    for key, expected in golden.items():
        np.testing.assert_array_equal(played[key], expected, err_msg=key)


@pytest.mark.parametrize("name", QUICK_MODELS)
def test_real_models(name: str, model_path: Callable[[str], Path], tmp_path: Path) -> None:
    check(hlsgen.build(model_path(f"{name}.onnx"), board="pynq-z2", output=tmp_path / "out", verify="all"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_large_real_models(name: str, model_path: Callable[[str], Path], tmp_path: Path) -> None:
    board = "zcu104" if "radioml" in name else "pynq-z2"
    check(hlsgen.build(model_path(f"{name}.onnx"), board=board, output=tmp_path / "out", verify="all"))
