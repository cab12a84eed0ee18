"""Real models: what runs where, and every recorded reference tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hlsgen import frontend
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Requantize

ModelPath = Callable[[str], Path]

PARTITIONS = {
    "mlperf_resnet8_qdq": (
        "QuantizeLinear",
        {"Conv": 10, "Requantize": 11, "Join": 3, "SumPool": 1},
        "DequantizeLinear Softmax QuantizeLinear DequantizeLinear Reshape",
    ),
    "mlperf_kws_qdq": (
        "QuantizeLinear",
        {"Conv": 10, "Requantize": 11, "SumPool": 1},
        "DequantizeLinear Softmax QuantizeLinear DequantizeLinear Reshape",
    ),
    "qop_micro_kws_m": (
        "Reshape QuantizeLinear",
        {"Conv": 6, "Requantize": 11, "MaxPool": 1, "SumPool": 2, "Reshape": 1},
        "QLinearSoftmax DequantizeLinear",
    ),
    "qonnx_nn2fpga_resnet8": (
        "Div Clip Round Cast",
        {"Conv": 10, "Requantize": 22, "Join": 3, "MaxPool": 1},
        "DequantizeLinear",
    ),
    "qonnx_radioml_vgg10_w8a8": (
        "Div Clip Round Cast",
        {"Conv": 10, "Requantize": 9, "MaxPool": 7, "Reshape": 1},
        "Cast Mul Add",
    ),
    "qonnx_tfc_1w1a": (
        "Reshape Mul Sub Div GreaterOrEqual Where Cast",
        {"Conv": 4, "Requantize": 3},
        "Cast Mul Sub Div Mul Add",
    ),
    "qonnx_tfc_1w2a": (
        "Reshape Mul Sub Div Clip Round Cast",
        {"Conv": 4, "Requantize": 3},
        "Cast Mul Sub Div Mul Add",
    ),
}
"""Per model: host prefix, operators in hardware, host suffix."""


@pytest.mark.parametrize("name", PARTITIONS)
def test_partition(name: str, model_path: ModelPath) -> None:
    graph = frontend.load(model_path(f"{name}.onnx"))
    prefix, hardware, suffix = PARTITIONS[name]
    assert " ".join(node.op_type for node in graph.prefix.nodes) == prefix
    assert dict(Counter(type(op).__name__ for op in graph.ops)) == hardware
    assert " ".join(node.op_type for node in graph.suffix.nodes) == suffix


@pytest.mark.parametrize("name", [name for name in PARTITIONS if not name.startswith("qonnx")])
def test_recorded_integers(name: str, model_path: ModelPath) -> None:
    """Every integer tensor ONNX Runtime recorded: exact, each operator fed with the recorded tensors before it,
    or a tie.
    """
    graph = frontend.load(model_path(f"{name}.onnx"))
    recorded = np.load(model_path(f"{name}.ref.npz"))
    frames = golden.input_frames(graph, {graph.prefix.inputs[0]: recorded["input"]})
    references = {
        view.tensor: view.layout.to_frames(recorded[f"ref/{tensor}"], graph.tensors[view.tensor].shape)
        for tensor, view in graph.views.items()
        if f"ref/{tensor}" in recorded
    }
    assert len(references) >= 12
    computed = golden.run(graph, frames, replace=references)
    producers = graph.producers()
    ties = 0
    for tensor, reference in references.items():
        wrong = computed[tensor] != reference
        if not wrong.any():
            continue
        op = producers[tensor]
        assert isinstance(op, Requantize)
        real = op.reference.real(computed[op.inputs[0]])[wrong]
        assert (np.abs(computed[tensor].astype(int) - reference)[wrong] == 1).all(), tensor
        assert (np.abs(np.abs(real - np.floor(real)) - 0.5) <= 1e-4).all(), tensor
        ties += int(wrong.sum())
    assert ties <= 2
    outputs = golden.predict(graph, {graph.prefix.inputs[0]: recorded["input"]})
    final = graph.suffix.outputs[0]
    assert np.array_equal(outputs[final], recorded[f"ref/{final}"])


@pytest.mark.parametrize("name", [name for name in PARTITIONS if name.startswith("qonnx")])
def test_recorded_floats(name: str, model_path: ModelPath) -> None:
    """Every tensor the qonnx package recorded is one of ours, bit for bit (its order of execution may differ)."""
    graph = frontend.load(model_path(f"{name}.onnx"))
    recorded = np.load(model_path(f"{name}.ref.npz"))
    feeds = {graph.prefix.inputs[0]: recorded["input"]}
    tensors = golden.run(graph, golden.input_frames(graph, feeds))
    ours = [golden.onnx_from_frames(v, tensors[v.tensor]) for v in graph.views.values() if v.is_float]
    names = [key for key in recorded if key.startswith("ref/") and not key.endswith("global_out")]
    assert len(names) >= 4
    for key in names:
        match = next(
            (
                i
                for i, a in enumerate(ours)
                if a.size == recorded[key].size and (a.ravel() == recorded[key].ravel()).all()
            ),
            None,
        )
        assert match is not None, key
        ours.pop(match)
    final = next(recorded[key] for key in recorded if key.endswith("global_out"))
    output = golden.predict(graph, feeds)[graph.suffix.outputs[0]]
    assert np.allclose(output.reshape(final.shape), final, rtol=1e-6, atol=1e-6)


def test_every_view_is_reachable(model_path: ModelPath) -> None:
    graph: Graph = frontend.load(model_path("mlperf_resnet8_qdq.onnx"))
    assert {view.tensor for view in graph.views.values()} <= set(graph.tensors)
