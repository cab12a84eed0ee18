"""What the front end takes, what it refuses and with which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hlsgen import frontend
from hlsgen.canonical import compare
from hlsgen.errors import ModelError, UnsupportedError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Conv, Join, MaxPool, Requantize, SumPool
from hlsgen.graph.reference import AffineJoinReference, AffineReference, QLinearReference, TableReference

Body = Callable[["Sketch"], str]


class Sketch:
    """A QDQ model written by hand, node by node."""

    def __init__(self, shape: list[Any], dtype: int = TensorProto.FLOAT) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.input = helper.make_tensor_value_info("x", dtype, shape)
        self.rng = np.random.default_rng(0)

    def const(self, array: Any) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, op_type: str, *inputs: str, domain: str = "", name: str = "", **attributes: Any) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=name or output, domain=domain, **attributes))
        return output

    def quantize(self, x: str, scale: float = 0.05, zero: int = 3, dtype: str = "int8", domain: str = "") -> str:
        operands = self.const(np.float32(scale)), self.const(np.array(zero, dtype))
        q = self.add("QuantizeLinear", x, *operands, domain=domain)
        return self.add("DequantizeLinear", q, *operands, domain=domain)

    def weight(self, *shape: int) -> str:
        values = self.const(self.rng.integers(-128, 128, shape).astype(np.int8))
        return self.add("DequantizeLinear", values, self.const(np.float32(0.01)), self.const(np.int8(0)))

    def save(self, output: str, folder: Path, opset: int = 13, dtype: int = TensorProto.FLOAT) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "g",
            [self.input],
            [helper.make_tensor_value_info(output, dtype, None)],
            self.initializers,
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        path = folder / "model.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
        return path


def build(tmp_path: Path, shape: list[Any], body: Body, opset: int = 13) -> Graph:
    sketch = Sketch(shape)
    return frontend.load(sketch.save(body(sketch), tmp_path, opset))


def refuse(tmp_path: Path, shape: list[Any], body: Body) -> str:
    with pytest.raises(UnsupportedError) as caught:
        build(tmp_path, shape, body)
    return str(caught.value)


def one_step_from_onnxruntime(path: Path, graph: Graph, scale: float) -> bool:
    """Whether the graph's one output is within a rounding step of what ONNX Runtime makes of the file."""
    shape = graph.prefix.shapes["x"]
    x = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    result = golden.predict(graph, {"x": x})[graph.suffix.outputs[0]]
    return result.shape == expected.shape and bool(np.abs(result - expected).max() < 1.001 * scale)


def kinds(graph: Graph) -> list[str]:
    return [type(op).__name__ for op in graph.ops]


# ---- references ------------------------------------------------------------------------------------------------------


def test_eight_bit_convolution_is_qlinear(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        return s.quantize(s.add("Relu", s.add("Conv", s.quantize("x"), s.weight(4, 2, 3, 3))), 0.2, -5)

    graph = build(tmp_path, [1, 2, 6, 6], body)
    close = graph.ops[1]
    assert isinstance(close, Requantize)
    assert isinstance(close.reference, QLinearReference)
    assert (close.reference.lo, close.reference.hi) == (-5, 127)  # Relu cuts at the zero point


def test_float_bias_is_exact_real(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        bias = s.const(np.array([0.5, -0.25, 0, 1], np.float32))
        return s.quantize(s.add("Conv", s.quantize("x"), s.weight(4, 2, 3, 3), bias), 0.2)

    graph = build(tmp_path, [1, 2, 6, 6], body)
    conv, close = graph.ops
    assert isinstance(conv, Conv)
    assert not conv.bias.any()
    assert isinstance(close, Requantize)
    assert isinstance(close.reference, AffineReference)
    assert [float(o) * 0.2 for o in close.reference.offset] == pytest.approx([0.5, -0.25, 0, 1])


def test_negative_gamma_gives_a_decreasing_function(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        parameters = [s.const(np.array(v, np.float32)) for v in ([-1.5, 2], [0, 1], [1, 1], [4, 1])]
        return s.quantize(
            s.add("BatchNormalization", s.add("Conv", s.quantize("x"), s.weight(2, 2, 1, 1)), *parameters)
        )

    close = build(tmp_path, [1, 2, 3, 3], body).ops[1]
    assert isinstance(close, Requantize)
    assert isinstance(close.reference, AffineReference)
    assert close.reference.scale[0] < 0 < close.reference.scale[1]


def test_maximum_of_a_decreasing_function_is_taken_after_the_quantizer(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        parameters = [s.const(np.array(v, np.float32)) for v in ([-1.5, 2], [0, 1], [1, 1], [4, 1])]
        x = s.add("BatchNormalization", s.add("Conv", s.quantize("x"), s.weight(2, 2, 3, 3)), *parameters)
        return s.quantize(s.add("Relu", s.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])), 0.02, -128)

    sketch = Sketch([1, 2, 8, 8])
    path = sketch.save(body(sketch), tmp_path)
    graph = frontend.load(path)
    assert kinds(graph) == ["Conv", "Requantize", "MaxPool"]
    x = np.random.default_rng(0).normal(size=(5, 2, 8, 8)).astype(np.float32)
    report = compare.original_check(graph, path, {"x": x})
    assert report.unexplained == 0
    assert len({int(v) for v in golden.predict(graph, {"x": x})[f"int/{graph.outputs[0]}"].ravel()}) > 20


def test_maximum_before_a_decreasing_function_is_refused(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        parameters = [s.const(np.array(v, np.float32)) for v in ([-1.5, 2], [0, 1], [1, 1], [4, 1])]
        x = s.add("BatchNormalization", s.add("Conv", s.quantize("x"), s.weight(2, 2, 3, 3)), *parameters)
        x = s.add("MaxPool", x, kernel_shape=[2, 2], name="pool")
        x = s.quantize(s.add("Mul", x, s.const(np.float32(-1))))
        return s.quantize(s.add("Conv", x, s.weight(1, 2, 1, 1)))

    assert "'pool'" in refuse(tmp_path, [1, 2, 8, 8], body)


def test_residual_accumulator_and_tensor(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize("x")
        return s.quantize(s.add("Relu", s.add("Add", s.add("Conv", x, s.weight(2, 2, 1, 1)), x)), 0.11)

    graph = build(tmp_path, [1, 2, 3, 3], body)
    join = graph.ops[-1]
    assert kinds(graph) == ["Conv", "Join"]
    assert isinstance(join, Join)
    assert isinstance(join.reference, AffineJoinReference)


def test_unary_functions_become_one_table(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("Conv", s.quantize("x"), s.weight(2, 2, 1, 1)))
        y = s.quantize(s.add("Mul", s.add("Sigmoid", x), s.const(np.float32(2))), 0.01)
        return s.quantize(s.add("Conv", y, s.weight(1, 2, 1, 1)))

    graph = build(tmp_path, [1, 2, 3, 3], body)
    assert kinds(graph) == ["Conv", "Requantize", "Requantize", "Conv", "Requantize"]
    table = graph.ops[2]
    assert isinstance(table, Requantize)
    assert isinstance(table.reference, TableReference)
    assert table.reference.values.shape == (1, 256)


def test_average_that_ignores_padding_has_a_divisor_per_position(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("AveragePool", s.quantize("x"), kernel_shape=[2, 2], pads=[1, 1, 0, 0]))
        return s.quantize(s.add("Conv", x, s.weight(1, 2, 1, 1)))

    graph = build(tmp_path, [1, 2, 3, 3], body)
    close = graph.ops[2]
    assert isinstance(close, Requantize)
    assert isinstance(close.reference, AffineReference)
    assert len(close.reference.scale) == 3 * 3 * 2
    x = np.random.default_rng(1).normal(size=(2, 2, 3, 3)).astype(np.float32)
    tensors = golden.run(graph, golden.input_frames(graph, {"x": x}))
    inputs = tensors[graph.input].astype(float) - 3
    corner = np.rint(inputs[:, 0, 0] / 1) + 3  # one element in the window: the average is the element itself
    assert np.array_equal(tensors[close.output].reshape(2, 3, 3, 2)[:, 0, 0], corner)


def test_same_integers_are_not_requantized(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("Conv", s.quantize("x"), s.weight(2, 2, 1, 1)), 0.5, 1)
        x = s.quantize(s.add("Flatten", x), 0.5, 1)
        return s.quantize(s.add("MatMul", x, s.weight(18, 3)))

    assert kinds(build(tmp_path, [1, 2, 3, 3], body)) == ["Conv", "Requantize", "Reshape", "Conv", "Requantize"]


def test_clip_on_integers_narrows_the_type(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        operands = s.const(np.float32(0.3)), s.const(np.int8(0))
        q = s.add("QuantizeLinear", s.add("Conv", s.quantize("x"), s.weight(2, 2, 1, 1)), *operands)
        q = s.add("Clip", q, s.const(np.int8(-8)), s.const(np.int8(7)))
        return s.quantize(s.add("Conv", s.add("DequantizeLinear", q, *operands), s.weight(1, 2, 1, 1)))

    graph = build(tmp_path, [1, 2, 3, 3], body)
    assert kinds(graph) == ["Conv", "Requantize", "Conv", "Requantize"]
    assert str(graph.tensors[graph.ops[1].output].type) == "int4"


def test_clip_after_a_quantizer_that_changes_nothing_spares_what_it_shares(tmp_path: Path) -> None:
    """Concat reads both the tensor and its clipped copy."""

    def body(s: Sketch) -> str:
        operands = s.const(np.float32(0.3)), s.const(np.int8(0))
        q = s.add("QuantizeLinear", s.add("Conv", s.quantize("x"), s.weight(2, 2, 1, 1)), *operands)
        x = s.add("DequantizeLinear", q, *operands)
        again = s.add("QuantizeLinear", x, *operands)
        y = s.add("DequantizeLinear", s.add("Clip", again, s.const(np.int8(-8)), s.const(np.int8(7))), *operands)
        joined = s.quantize(s.add("Concat", x, y, axis=1), 0.3, 0)
        return s.quantize(s.add("Conv", joined, s.weight(1, 4, 1, 1)))

    sketch = Sketch([1, 2, 3, 3])
    path = sketch.save(body(sketch), tmp_path)
    graph = frontend.load(path)
    assert kinds(graph) == ["Conv", "Requantize", "Requantize", "Concat", "Conv", "Requantize"]
    x = np.random.default_rng(0).normal(size=(4, 2, 3, 3)).astype(np.float32)
    assert compare.original_check(graph, path, {"x": x}).unexplained == 0


# ---- layouts ---------------------------------------------------------------------------------------------------------


def test_channels_last_input_is_ordered_by_the_host(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        return s.quantize(s.add("Conv", s.add("Transpose", s.quantize("x"), perm=[0, 3, 1, 2]), s.weight(2, 3, 3, 3)))

    graph = build(tmp_path, [1, 5, 4, 3], body)
    assert graph.tensors[graph.input].shape == (5, 4, 3)
    x = np.random.default_rng(0).normal(size=(1, 5, 4, 3)).astype(np.float32)
    frames = golden.input_frames(graph, {"x": x})
    assert np.array_equal(frames, np.clip(np.rint(x / np.float32(0.05)) + 3, -128, 127))


def test_dense_layer_over_the_last_of_several_axes(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        return s.quantize(s.add("MatMul", s.quantize("x"), s.weight(6, 4)), 0.2)

    graph = build(tmp_path, [1, 5, 6], body)
    assert graph.tensors[graph.outputs[0]].shape == (1, 5, 4)
    x = np.random.default_rng(0).normal(size=(2, 5, 6)).astype(np.float32)
    conv = graph.ops[0]
    assert isinstance(conv, Conv)
    integers = np.clip(np.rint(x / np.float32(0.05)) + 3, -128, 127).astype(int) - 3
    tensors = golden.run(graph, golden.input_frames(graph, {"x": x}))
    assert np.array_equal(tensors[conv.output][:, 0], integers @ conv.weight[:, 0, 0].T)


def test_transpose_in_the_middle_is_refused(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("Conv", s.quantize("x"), s.weight(2, 2, 1, 1)))
        return s.quantize(s.add("Conv", s.add("Transpose", x, perm=[0, 1, 3, 2]), s.weight(2, 2, 1, 1), name="late"))

    message = refuse(tmp_path, [1, 2, 3, 4], body)
    assert "'late'" in message
    assert "Remove the Transpose" in message


# ---- host parts ------------------------------------------------------------------------------------------------------


def test_float_in_the_middle_names_the_node(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("MatMul", s.quantize("x"), s.weight(6, 4)))
        x = s.quantize(s.add("Softmax", x, name="attention/probabilities"))
        return s.quantize(s.add("MatMul", x, s.weight(4, 3), name="after"))

    message = refuse(tmp_path, [1, 6], body)
    assert "'attention/probabilities' (Softmax)" in message


def test_function_of_a_sum_in_the_middle_names_the_nodes(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("Sigmoid", s.add("MatMul", s.quantize("x"), s.weight(6, 4))))
        return s.quantize(s.add("MatMul", x, s.weight(4, 3), name="after"))

    message = refuse(tmp_path, [1, 6], body)
    assert "(QuantizeLinear) has to run in floating point" in message
    assert "between the layer and Sigmoid" in message
    assert "'after' (MatMul)" in message


def test_last_layer_without_quantizer_delivers_accumulators(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("MatMul", s.quantize("x"), s.weight(6, 4)), 0.1)
        return s.add("Gemm", x, s.weight(4, 3), s.const(np.array([0.5, 1, -1], np.float32)))

    graph = build(tmp_path, [1, 6], body)
    assert kinds(graph) == ["Conv", "Requantize", "Conv"]
    assert [node.op_type for node in graph.suffix.nodes] == ["Cast", "Mul", "Add"]


def test_trailing_activation_runs_on_the_host(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("MatMul", s.quantize("x"), s.weight(6, 4)), 0.1)
        return s.quantize(s.add("Sigmoid", x), 1 / 256, -128)

    graph = build(tmp_path, [1, 6], body)
    assert kinds(graph) == ["Conv", "Requantize"]
    assert [node.op_type for node in graph.suffix.nodes][:2] == ["DequantizeLinear", "Sigmoid"]


def test_trailing_activation_of_a_sum_runs_on_the_host(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        return s.quantize(s.add("Sigmoid", s.add("MatMul", s.quantize("x"), s.weight(6, 4))), 1 / 256, -128)

    graph = build(tmp_path, [1, 6], body)
    assert kinds(graph) == ["Conv"]
    operators = ["Cast", "Mul", "Sigmoid", "QuantizeLinear", "DequantizeLinear"]
    assert [node.op_type for node in graph.suffix.nodes] == operators


def test_trailing_activation_of_wide_integers_runs_on_the_host(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.add("MatMul", s.quantize("x"), s.weight(6, 4))
        x = s.quantize(x, 1e-3, 0, "int16", domain="com.microsoft")
        return s.quantize(s.add("Tanh", x), 1 / 128, 0)

    graph = build(tmp_path, [1, 6], body)
    assert kinds(graph) == ["Conv", "Requantize"]
    operators = ["DequantizeLinear", "Tanh", "QuantizeLinear", "DequantizeLinear"]
    assert [node.op_type for node in graph.suffix.nodes] == operators


def test_trailing_sum_of_a_clipped_operand_runs_on_the_host(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize("x")
        return s.quantize(s.add("Add", x, s.add("Relu", s.add("Conv", x, s.weight(2, 2, 1, 1)))))

    sketch = Sketch([1, 2, 3, 3])
    path = sketch.save(body(sketch), tmp_path)
    graph = frontend.load(path)
    assert kinds(graph) == ["Conv"]
    assert one_step_from_onnxruntime(path, graph, 0.05)


def test_accumulators_as_integer_output(tmp_path: Path) -> None:
    sketch = Sketch([1, 2, 4, 4], TensorProto.UINT8)
    weight = sketch.const(sketch.rng.integers(-128, 128, (3, 2, 3, 3)).astype(np.int8))
    output = sketch.add("ConvInteger", "x", weight, sketch.const(np.uint8(7)))
    path = sketch.save(output, tmp_path, dtype=TensorProto.INT32)
    graph = frontend.load(path)
    x = np.random.default_rng(0).integers(0, 256, (1, 2, 4, 4)).astype(np.uint8)
    (expected,) = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    result = golden.predict(graph, {"x": x})[graph.suffix.outputs[0]]
    assert result.dtype == np.int32
    assert np.array_equal(result, expected)
    assert not compare.original_check(graph, path, {"x": x}).unexplained  # the file shows no tensor but the input


def test_float_head_runs_on_the_host(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("MatMul", s.quantize("x"), s.weight(6, 4)), 0.1)
        return s.add("MatMul", x, s.const(np.float32(np.arange(8).reshape(4, 2) / 7)))

    graph = build(tmp_path, [1, 6], body)
    assert kinds(graph) == ["Conv", "Requantize"]
    assert [node.op_type for node in graph.suffix.nodes] == ["DequantizeLinear", "MatMul"]


# ---- operators written in another way --------------------------------------------------------------------------------


def test_max_and_min_with_a_number_are_clips(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.add("Max", s.add("Conv", s.quantize("x"), s.weight(4, 2, 3, 3)), s.const(np.zeros(1, np.float32)))
        x = s.quantize(s.add("Min", s.const(np.float32(6)), x), 0.2, -5)
        return s.quantize(s.add("Conv", x, s.weight(1, 4, 1, 1)))

    close = build(tmp_path, [1, 2, 6, 6], body).ops[1]
    assert isinstance(close, Requantize)
    assert isinstance(close.reference, QLinearReference)
    assert (close.reference.lo, close.reference.hi) == (-5, 25)


def test_max_of_two_tensors_is_refused(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize("x")
        x = s.quantize(s.add("Max", x, s.add("Neg", x), name="pair"))
        return s.quantize(s.add("Conv", x, s.weight(1, 2, 1, 1)))

    assert "'pair' (Max)" in refuse(tmp_path, [1, 2, 3, 3], body)


def test_sum_of_two_is_add(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize("x")
        return s.quantize(s.add("Sum", x, s.add("Conv", x, s.weight(2, 2, 1, 1))))

    assert kinds(build(tmp_path, [1, 2, 3, 3], body)) == ["Conv", "Join"]


@pytest.mark.parametrize(("op_type", "keepdims"), [("GlobalMaxPool", 1), ("ReduceMax", 0), ("ReduceMax", 1)])
@pytest.mark.parametrize("shape", [[1, 2, 3, 4], [1, 2, 7]])
def test_global_maximum(tmp_path: Path, shape: list[int], op_type: str, keepdims: int) -> None:
    sketch = Sketch(shape)
    x = sketch.quantize("x")
    if op_type == "ReduceMax":
        x = sketch.add(op_type, x, axes=list(range(2, len(shape))), keepdims=keepdims)
    else:
        x = sketch.add(op_type, x)
    x = sketch.add("Flatten", x)
    path = sketch.save(sketch.quantize(sketch.add("MatMul", x, sketch.weight(2, 3)), 0.1), tmp_path)
    graph = frontend.load(path)
    pool = graph.ops[0]
    assert isinstance(pool, MaxPool)
    assert pool.geometry.kernel == ((3, 4) if len(shape) == 4 else (1, 7))
    assert one_step_from_onnxruntime(path, graph, 0.1)


def test_reduce_max_over_channels_stays_on_the_host(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        return s.add("ReduceMax", s.quantize(s.add("Conv", s.quantize("x"), s.weight(2, 2, 1, 1))), axes=[1])

    graph = build(tmp_path, [1, 2, 3, 3], body)
    assert kinds(graph) == ["Conv", "Requantize"]
    assert [node.op_type for node in graph.suffix.nodes] == ["DequantizeLinear", "ReduceMax"]


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_float_model(tmp_path: Path) -> None:
    message = refuse(
        tmp_path, [1, 2, 6, 6], lambda s: s.add("Conv", "x", s.const(np.ones((1, 2, 3, 3), np.float32)), name="first")
    )
    assert "no quantizer at all" in message
    assert "quantize_static" in message


def test_unknown_operator(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        return s.add("Frobnicate", s.quantize(s.add("MatMul", s.quantize("x"), s.weight(6, 4))), name="odd`one")

    message = refuse(tmp_path, [1, 6], body)
    assert "'odd`one' (Frobnicate)" in message
    assert "cannot run on the CPU" in message


def test_dynamic_quantization(tmp_path: Path) -> None:
    sketch = Sketch([1, 6])
    sketch.nodes.append(helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dynamic"))
    with pytest.raises(UnsupportedError, match="static quantization"):
        frontend.load(sketch.save("q", tmp_path))


def test_per_channel_activation(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        operands = s.const(np.array([0.1, 0.2], np.float32)), s.const(np.zeros(2, np.int8))
        q = s.add("QuantizeLinear", "x", *operands, axis=1, name="wild")
        return s.add("Conv", s.add("DequantizeLinear", q, *operands, axis=1), s.weight(1, 2, 1, 1))

    assert "'wild'" in refuse(tmp_path, [1, 2, 3, 3], body)


def test_dynamic_shape(tmp_path: Path) -> None:
    sketch = Sketch([1, 2, "height", 6])
    with pytest.raises(ModelError, match=r"axis 2 of input 'x' has no fixed size \('height'\)"):
        frontend.load(sketch.save(sketch.quantize("x"), tmp_path))


def test_batch_of_no_images(tmp_path: Path) -> None:
    sketch = Sketch([0, 6])
    with pytest.raises(ModelError, match="leading batch axis of size 1"):
        frontend.load(sketch.save(sketch.quantize(sketch.add("MatMul", "x", sketch.weight(6, 4))), tmp_path))


def test_symbolic_batch_is_one_and_said(tmp_path: Path) -> None:
    graph = build(tmp_path, ["N", 6], lambda s: s.quantize(s.add("MatMul", s.quantize("x"), s.weight(6, 4))))
    assert graph.notes == ["The batch size 'N' of input 'x' is taken as 1."]


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    sketch = Sketch([1, 6])
    path = sketch.save(sketch.quantize(sketch.add("MatMul", sketch.quantize("x"), sketch.weight(6, 4))), tmp_path)
    model = onnx.load(path)
    tensor = next(t for t in model.graph.initializer if t.dims == [6, 4])
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="not a file in the model's own folder"):
        frontend.load(path)


@pytest.mark.parametrize(
    "contents",
    [b"", b"not a model\n" * 30, bytes(range(256)) * 8, b"\x08\x07"],
    ids=["empty", "text", "random", "tiny"],
)
def test_files_that_are_no_model(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(contents)
    with pytest.raises(ModelError, match=r"model\.onnx"):
        frontend.load(path)


def test_truncations_never_crash(tmp_path: Path) -> None:
    sketch = Sketch([1, 6])
    path = sketch.save(sketch.quantize(sketch.add("MatMul", sketch.quantize("x"), sketch.weight(6, 4))), tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            frontend.load(path)


# ---- geometry --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("size", [5, 6, 7])
def test_auto_pad(tmp_path: Path, auto_pad: str, size: int) -> None:
    def body(s: Sketch) -> str:
        return s.quantize(s.add("Conv", s.quantize("x"), s.weight(2, 2, 3, 3), auto_pad=auto_pad, strides=[2, 2]), 0.3)

    sketch = Sketch([1, 2, size, size])
    path = sketch.save(body(sketch), tmp_path)
    graph = frontend.load(path)
    x = np.random.default_rng(size).normal(size=(1, 2, size, size)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    output = graph.suffix.outputs[0]
    assert np.abs(golden.predict(graph, {"x": x})[output] - session.run(None, {"x": x})[0]).max() < 0.301


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
def test_a_pool_of_padding_alone_is_refused(tmp_path: Path, op_type: str) -> None:
    """Four taps three apart around a frame of 2 x 2: all beside it."""

    def body(s: Sketch) -> str:
        return s.quantize(s.add(op_type, s.quantize("x"), kernel_shape=[2, 2], dilations=[3, 3], pads=[1, 1, 1, 1]))

    message = refuse(tmp_path, [1, 2, 2, 2], body)
    assert op_type in message
    assert "hold nothing but padding" in message


@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_max_pool_ceil_mode(tmp_path: Path, ceil_mode: int) -> None:
    def body(s: Sketch) -> str:
        x = s.add("MaxPool", s.quantize("x"), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=ceil_mode)
        return s.quantize(s.add("Conv", x, s.weight(1, 2, 1, 1)))

    graph = build(tmp_path, [1, 2, 6, 6], body)
    assert isinstance(graph.ops[0], MaxPool)
    assert graph.tensors[graph.ops[0].output].shape == ((3, 3, 2) if ceil_mode else (2, 2, 2))


def test_global_average_of_a_transposed_mean(tmp_path: Path) -> None:
    def body(s: Sketch) -> str:
        x = s.quantize(s.add("ReduceMean", s.quantize("x"), axes=[2, 3], keepdims=0))
        return s.quantize(s.add("MatMul", x, s.weight(2, 3)))

    graph = build(tmp_path, [1, 2, 5, 5], body)
    assert isinstance(graph.ops[0], SumPool)
    assert graph.ops[0].geometry.kernel == (5, 5)
