"""Real models through the whole chain: every stream of the C++, with native and with AMD's integer types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.canonical import compare, write
from hlsgen.graph.ops import Requantize
from hlsgen.graph.reference import TableReference
from hlsgen.sim.csim import Types

ModelPath = Callable[[str], Path]

MODELS = (
    "mlperf_resnet8_qdq",
    "mlperf_kws_qdq",
    "qop_micro_kws_m",
    "qonnx_nn2fpga_resnet8",
    "qonnx_radioml_vgg10_w8a8",
    "qonnx_tfc_1w1a",
    "qonnx_tfc_1w2a",
)

TYPES: tuple[Types, ...] = ("native", "ap")
TIES = {"mlperf_resnet8_qdq": {"t34_q": 2}}


@pytest.mark.parametrize("name", MODELS)
def test_every_stream_of_the_c_simulation(name: str, model_path: ModelPath, tmp_path: Path) -> None:
    """``build`` compares C++ (unbounded, then with the planned depths), golden, canonical.onnx and the original."""
    recorded = model_path(f"{name}.ref.npz")
    images = np.load(recorded)["input"]
    samples = tmp_path / "samples.npy"
    np.save(samples, images)
    build = hlsgen.build(model_path(f"{name}.onnx"), board="pynq-z2", output=tmp_path / "build", samples=samples)
    verify = build.manifest["verify"]
    assert verify["canonical"]["mismatches"] == 0
    assert verify["csim"]["mismatches"] == 0
    assert verify["original"]["unexplained"] == 0

    golden = build.run(images, engine="golden", trace=True)
    assert len(golden) > 10
    for types in TYPES:
        simulated = build.run(images, engine="csim", trace=True, types=types)
        assert golden.keys() == simulated.keys()
        for key, expected in golden.items():
            np.testing.assert_array_equal(simulated[key], expected, err_msg=f"{types}: {key}")


@pytest.mark.parametrize("name", MODELS)
def test_ties_on_the_recorded_images(name: str, model_path: ModelPath) -> None:
    """Each operator fed with ONNX Runtime's own tensors: all exact, but two averages of ResNet-8 that are ties."""
    path = model_path(f"{name}.onnx")
    graph = hlsgen.load(path)
    images = np.load(model_path(f"{name}.ref.npz"))["input"]
    report = compare.original_check(graph, path, {graph.prefix.inputs[0]: images})
    assert report.unexplained == 0
    assert {check.tensor: check.explained for check in report.tensors if check.explained} == TIES.get(name, {})


@pytest.mark.parametrize("name", MODELS)
def test_canonical_holds_the_real_layers(name: str, model_path: ModelPath) -> None:
    """canonical.onnx computes every layer with an integer operator of ONNX Runtime, none by a table."""
    graph = hlsgen.load(model_path(f"{name}.onnx"))
    operators = Counter(node.op_type for node in write.write(graph).graph.node)
    layers = Counter(node.op_type for node in onnx.load(model_path(f"{name}.onnx")).graph.node)
    wanted = sum(layers[op_type] for op_type in ("Conv", "QLinearConv", "MatMul", "QLinearMatMul", "Gemm"))
    integer = ("QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger", "QGemm")
    assert wanted >= 4
    assert sum(operators[op_type] for op_type in integer) >= wanted
    assert not any(operators[op_type] for op_type in ("Conv", "MatMul", "Gemm"))
    tables = sum(isinstance(op, Requantize) and isinstance(op.reference, TableReference) for op in graph.ops)
    assert operators["Gather"] == tables
