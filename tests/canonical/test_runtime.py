"""Sessions, and the processor whose products saturate."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hlsgen.canonical import runtime
from hlsgen.canonical.write import write
from hlsgen.errors import ModelError
from tests.graph.random_graphs import random_graph


def product_model(activation: int, weight: int, zero_points: bool = True) -> onnx.ModelProto:
    """A MatMulInteger of the given element types."""
    types = [helper.tensor_dtype_to_np_dtype(t) for t in (activation, weight)]
    constants = {"w": np.ones((4, 3), types[1]), "xz": np.zeros((), types[0]), "wz": np.zeros((), types[1])}
    node = helper.make_node("MatMulInteger", ["x", "w", *(["xz", "wz"] if zero_points else [])], ["y"])
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", activation, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, ["n", 3])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_the_processor_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime.saturates.cache_clear()
    first = runtime.saturates()
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    assert runtime.saturates() is first


@pytest.mark.parametrize("fault", ["QLinearConv", "MatMulInteger"])
def test_a_saturating_processor_is_recognised(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results as AVX2 without VNNI gives them: pairs of products saturate at 2**15 - 1."""

    class Saturating:
        def __init__(self, *arguments: object, **options: object) -> None: ...

        def run(self, names: object, feeds: object) -> list[np.ndarray]:
            convolved, product = np.full((1, 8, 1, 1), 127), np.full((1, 8), 255 * 127 * 64)
            if fault == "QLinearConv":
                convolved -= 62
            else:
                product[:] = 32 * 32767
            return [convolved, product]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Saturating)
    assert runtime.saturates.__wrapped__()


U8, S8 = TensorProto.UINT8, TensorProto.INT8


@pytest.mark.parametrize(
    ("activation", "weight", "zero_points", "endangered"),
    [(U8, S8, True, True), (U8, S8, False, True), (U8, U8, True, False), (S8, S8, True, False), (S8, U8, True, False)],
)
@pytest.mark.parametrize("fault", [True, False])
def test_only_endangered_models_are_changed(
    activation: int, weight: int, zero_points: bool, endangered: bool, fault: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "saturates", lambda: fault)
    session = runtime.open_session(product_model(activation, weight, zero_points))
    assert (session.note != "") == (fault and endangered)
    options = session.inner.get_session_options()
    if session.note:
        assert options.get_session_config_entry("session.x64quantprecision") == "1"
        assert "x64quantprecision" in session.note
    x = np.full((2, 4), 100, helper.tensor_dtype_to_np_dtype(activation))
    assert session.run(["y"], {"x": x})["y"].tolist() == [[400] * 3] * 2


def test_canonical_models_are_never_endangered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "saturates", lambda: True)
    for seed in range(30):
        assert runtime.open_session(write(random_graph(seed))).note == ""


def test_every_node_runs_as_the_file_says() -> None:
    session = runtime.open_session(product_model(S8, S8))
    options = session.inner.get_session_options()
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert options.intra_op_num_threads == 1
    assert session.output_types == {"y": "tensor(int32)"}


def test_a_refused_model_is_an_error_of_ours() -> None:
    model = product_model(S8, S8)
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ModelError, match="ONNX Runtime does not load the model"):
        runtime.open_session(model)
