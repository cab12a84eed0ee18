"""Real models: no element differs from the canonical model, and none from the original without a tie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hlsgen import frontend
from hlsgen.canonical.compare import canonical_check, original_check
from hlsgen.canonical.write import tensor_names, write
from hlsgen.graph import golden

PRODUCTS = ("QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger")

KERNELS = {
    "mlperf_resnet8_qdq": {"QLinearConv": 9, "QGemm": 1, "QLinearAdd": 3},
    "mlperf_kws_qdq": {"QLinearConv": 9, "QGemm": 1},
    "qop_micro_kws_m": {"QLinearConv": 3, "QLinearMatMul": 3, "QLinearSoftmax": 1, "MaxPool": 1},
    "qonnx_nn2fpga_resnet8": {"ConvInteger": 9, "MatMulInteger": 1, "MaxPool": 1},
    "qonnx_radioml_vgg10_w8a8": {"ConvInteger": 7, "MatMulInteger": 3, "MaxPool": 7},
    "qonnx_tfc_1w1a": {"MatMulInteger": 4},
    "qonnx_tfc_1w2a": {"MatMulInteger": 4},
}
"""Operators that the canonical model must really hold."""


@pytest.mark.parametrize("name", KERNELS)
def test_canonical_and_original(name: str, model_path: Callable[[str], Path]) -> None:
    path = model_path(f"{name}.onnx")
    graph = frontend.load(path)
    recorded = np.load(model_path(f"{name}.ref.npz"))["input"]
    # real images, and noise that drives every layer into saturation
    noise = np.random.default_rng(1).uniform(recorded.min(), recorded.max(), recorded.shape).astype(np.float32)
    feeds = {graph.prefix.inputs[0]: np.concatenate([recorded, noise])}
    model = write(graph)
    found = [node.op_type for node in model.graph.node]
    assert {kind: found.count(kind) for kind in KERNELS[name]} == KERNELS[name]
    canonical = canonical_check(graph, model, feeds)
    assert canonical.mismatches == 0
    assert len(canonical.tensors) == len(graph.tensors) >= len(tensor_names(graph))
    original = original_check(graph, path, feeds)
    assert original.unexplained == 0
    assert original.explained <= original.elements / 50_000
    assert len(original.tensors) >= 4
    assert not any(check.explained for check in original.tensors) or max(c.farthest for c in original.tensors) <= 1e-4


@pytest.mark.parametrize("name", ["mlperf_resnet8_qdq", "mlperf_kws_qdq"])
def test_classes_of_real_images(name: str, model_path: Callable[[str], Path]) -> None:
    """The whole model on labelled images, in NumPy alone; TFLite's own integers differ from ONNX's in a few values."""
    graph = frontend.load(model_path(f"{name}.onnx"))
    recorded = np.load(model_path(f"{name}.io.npz"))
    output = golden.predict(graph, {graph.prefix.inputs[0]: recorded["input"]})[graph.suffix.outputs[0]]
    integers = np.rint(output / recorded["out_scale"]).astype(int) + int(recorded["out_zp"])
    assert (output.argmax(1) == recorded["ort_noopt_int"].argmax(1)).all()
    assert np.array_equal(integers, recorded["ort_noopt_int"])
    assert (integers != recorded["tflite_int8"]).mean() <= 0.05
