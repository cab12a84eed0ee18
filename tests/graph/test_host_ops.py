"""Host operators against ONNX Runtime, one line per operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from hlsgen.graph import host_ops
from hlsgen.graph.host import HostNode, HostProgram

RNG = np.random.default_rng(7)
X = RNG.normal(0, 2, (3, 4, 5)).astype(np.float32)
Y = RNG.normal(0, 2, (3, 4, 5)).astype(np.float32)
POSITIVE = np.abs(X) + np.float32(0.1)
PLANES = RNG.normal(0, 2, (3, 4, 5, 6)).astype(np.float32)
TIES = np.array([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 300, -300]], np.float32)
BYTES = RNG.integers(-128, 128, (3, 4, 5)).astype(np.int8)
UBYTES = RNG.integers(0, 256, (3, 4, 5)).astype(np.uint8)
WORDS = RNG.integers(-32768, 32768, (3, 4, 5)).astype(np.int16)
INTS = RNG.integers(-1000, 1000, (3, 4, 5)).astype(np.int64)
MASK = X > 0
PER_CHANNEL = np.array([0.1, 0.3, 2, 0.02], np.float32)


def i64(*values: int) -> Any:
    return np.array(values, np.int64)


def f32(*values: float) -> Any:
    return np.array(values[0] if len(values) == 1 else values, np.float32)


EXACT: list[tuple[str, list[Any], dict[str, Any]]] = [
    *((name, [X], {}) for name in ("Abs", "Neg", "Relu", "Sign", "Floor", "Ceil", "Identity", "ThresholdedRelu")),
    *((name, [TIES], {}) for name in ("Round", "Sign", "Abs")),
    *((name, [X, Y], {}) for name in ("Add", "Sub", "Mul", "Div", "PRelu", "Min", "Max", "Sum", "Mean")),
    *((name, [X, Y, POSITIVE], {}) for name in ("Min", "Max", "Sum")),
    *((name, [X, Y], {}) for name in ("Greater", "Less", "Equal", "GreaterOrEqual", "LessOrEqual")),
    *((name, [MASK, Y > 0], {}) for name in ("And", "Or")),
    ("Not", [MASK], {}),
    ("Where", [MASK, X, Y], {}),
    ("Add", [X, f32(1.5)], {}),
    ("Div", [INTS, i64(7)], {}),
    ("Div", [INTS, i64(-3)], {}),
    ("Sqrt", [POSITIVE], {}),
    ("Reciprocal", [POSITIVE], {}),
    ("LeakyRelu", [X], {"alpha": 0.3}),
    ("LeakyRelu", [X], {}),
    ("Clip", [X, f32(-1), f32(1.25)], {}),
    ("Clip", [X, None, f32(1.25)], {}),
    ("Clip", [X, f32(-1)], {}),
    ("Cast", [X], {"to": 6}),
    ("Cast", [X], {"to": 11}),
    ("Cast", [INTS], {"to": 1}),
    ("ReduceMax", [X], {"axes": [1, -1]}),
    ("ReduceMin", [X], {"axes": [2], "keepdims": 0}),
    ("ReduceSum", [INTS, i64(1)], {}),
    ("ArgMax", [X], {"axis": 1}),
    ("ArgMax", [np.rint(X)], {"axis": -1, "keepdims": 0}),
    ("ArgMax", [np.rint(X)], {"axis": -1, "select_last_index": 1}),
    ("ArgMin", [np.rint(X)], {"axis": 2}),
    ("TopK", [X, i64(3)], {"axis": 2}),
    ("TopK", [np.rint(X), i64(2)], {"axis": 1, "largest": 0}),
    ("TopK", [INTS, i64(2)], {"axis": -1}),
    ("Flatten", [PLANES], {}),
    ("Transpose", [PLANES], {"perm": [0, 3, 1, 2]}),
    ("Squeeze", [X[:, :1], i64(1)], {}),
    ("Unsqueeze", [X, i64(1, -1)], {}),
    ("Concat", [X, Y], {"axis": 1}),
    ("Concat", [X, Y], {"axis": -1}),
    ("Slice", [X, i64(1), i64(3), i64(1)], {}),
    ("Slice", [X, i64(-1), i64(-9), i64(2), i64(-2)], {}),
    ("Slice", [X, i64(0, 1), i64(99, 4), i64(1, 2), i64(2, 1)], {}),
    ("Gather", [X, i64(2, 0, -1)], {"axis": 1}),
    ("Gather", [X, np.array(1)], {"axis": 2}),
    ("Split", [X, i64(1, 3)], {"axis": 1}),
    ("Pad", [X, i64(0, 1, 0, 0, 2, 1), f32(7)], {}),
    ("Pad", [X, i64(0, 1, 1, 0, 2, 1)], {"mode": "reflect"}),
    ("Pad", [X, i64(0, 1, 1, 0, 2, 1)], {"mode": "edge"}),
    ("Dropout", [X], {}),
    ("GlobalMaxPool", [PLANES], {}),
    ("QuantizeLinear", [X * 9, f32(0.11), np.array(3, np.int8)], {}),
    ("QuantizeLinear", [X * 9, f32(0.11), np.array(128, np.uint8)], {}),
    ("QuantizeLinear", [X * 9, f32(0.11)], {}),
    ("QuantizeLinear", [TIES, f32(1), np.array(1, np.int8)], {}),
    ("QuantizeLinear", [X * 9, f32(0.0004), np.array(-5, np.int16)], {}),
    ("QuantizeLinear", [X * 9, PER_CHANNEL, np.array([0, 5, -7, 100], np.int8)], {"axis": 1}),
    ("DequantizeLinear", [BYTES, f32(0.11), np.array(3, np.int8)], {}),
    ("DequantizeLinear", [UBYTES, f32(0.11)], {}),
    ("DequantizeLinear", [WORDS, f32(0.11), np.array(77, np.int16)], {}),
    ("DequantizeLinear", [BYTES, PER_CHANNEL, np.array([0, 5, -7, 100], np.int8)], {"axis": 1}),
]

CLOSE: list[tuple[str, list[Any], dict[str, Any]]] = [
    *(
        (name, [X], {})
        for name in ("Sigmoid", "Tanh", "Exp", "Erf", "Softplus", "Softsign", "HardSigmoid", "HardSwish")
    ),
    *((name, [X], {}) for name in ("Elu", "Selu", "Celu", "Sin", "Cos", "Softmax", "LogSoftmax")),
    ("Mish", [X], {}),
    ("Gelu", [X], {}),
    ("Gelu", [X], {"approximate": "tanh"}),
    ("Elu", [X], {"alpha": 0.3}),
    ("Celu", [X], {"alpha": 0.3}),
    ("Selu", [X], {"alpha": 1.1, "gamma": 0.9}),
    ("HardSigmoid", [X], {"alpha": 0.3, "beta": 0.4}),
    ("Log", [POSITIVE], {}),
    ("Pow", [POSITIVE, f32(0.5)], {}),
    ("Pow", [X, f32(2)], {}),
    ("Softmax", [X], {"axis": 1}),
    ("LogSoftmax", [X], {"axis": 1}),
    ("ReduceMean", [X], {"axes": [1, 2]}),
    ("ReduceL1", [X], {"axes": [1]}),
    ("ReduceL2", [X], {"axes": [1]}),
    ("GlobalAveragePool", [PLANES], {}),
    ("BatchNormalization", [X, *(np.abs(RNG.normal(size=(4, 4))).astype(np.float32) + np.float32(0.2))], {}),
    ("MatMul", [X, RNG.normal(size=(5, 3)).astype(np.float32)], {}),
    ("Gemm", [X[:, 0], RNG.normal(size=(5, 3)).astype(np.float32), f32(1, 2, 3)], {"alpha": 0.5, "beta": 2.0}),
    ("Gemm", [X[:, 0], RNG.normal(size=(3, 5)).astype(np.float32)], {"transB": 1}),
]

MICROSOFT: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("QLinearSoftmax", [BYTES, f32(0.04), np.array(-9, np.int8), f32(1 / 256), np.array(-128, np.int8)], {"axis": 2}),
    ("QLinearSoftmax", [UBYTES, f32(0.04), np.array(9, np.uint8), f32(1 / 256), np.array(0, np.uint8)], {"axis": 1}),
    ("QLinearSoftmax", [BYTES, f32(0.2), np.array(0, np.int8), f32(1 / 256), np.array(-128, np.int8)], {"axis": -1}),
    ("QLinearSoftmax", [BYTES, f32(0.3), np.array(0, np.int8), f32(1 / 100.9), np.array(-99, np.int8)], {"axis": -1}),
    ("QLinearSoftmax", [BYTES, f32(3), np.array(0, np.int8), f32(1 / 256), np.array(-128, np.int8)], {"axis": -1}),
    ("QLinearSoftmax", [UBYTES, f32(3), np.array(0, np.uint8), f32(1 / 256), np.array(0, np.uint8)], {"axis": -1}),
    ("QLinearSigmoid", [BYTES, f32(0.04), np.array(-9, np.int8), f32(1 / 256), np.array(-128, np.int8)], {}),
    (
        "QLinearLeakyRelu",
        [UBYTES, f32(0.04), np.array(99, np.uint8), f32(0.03), np.array(90, np.uint8)],
        {"alpha": 0.1},
    ),
]

OPSETS = {"Gelu": 20, "HardSwish": 14, "Mish": 18}
"""Operators younger than the operator set of host parts."""


def runtime(op_type: str, inputs: list[Any], attributes: dict[str, Any], domain: str, outputs: int) -> list[Any]:
    """ONNX Runtime on one node; arrays without a batch axis are constants."""
    names = [f"i{k}" if array is not None else "" for k, array in enumerate(inputs)]
    arrays = {name: np.asarray(array) for name, array in zip(names, inputs, strict=True) if name}
    extra: dict[str, Any] = {"opset": 13} if op_type == "QLinearSoftmax" else {}
    results = [f"o{k}" for k in range(outputs)]
    node = helper.make_node(op_type, names, results, domain=domain, **attributes, **extra)
    infos = [helper.make_tensor_value_info("i0", helper.np_dtype_to_tensor_dtype(arrays["i0"].dtype), inputs[0].shape)]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name != "i0"]
    graph = helper.make_graph(
        [node], "one", infos, [helper.make_empty_tensor_value_info(r) for r in results], constants
    )
    version = 21 if any(a.dtype == np.int16 for a in arrays.values()) else OPSETS.get(op_type, 13)
    opsets = [helper.make_opsetid("", version), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"i0": arrays["i0"]}))


def ours(op_type: str, inputs: list[Any], attributes: dict[str, Any]) -> list[Any]:
    return host_ops.OPERATORS[op_type]([None if a is None else np.asarray(a) for a in inputs], attributes)


@pytest.mark.parametrize(("op_type", "inputs", "attributes"), EXACT)
def test_exact_operators(op_type: str, inputs: list[Any], attributes: dict[str, Any]) -> None:
    results = ours(op_type, inputs, attributes)
    for result, expected in zip(results, runtime(op_type, inputs, attributes, "", len(results)), strict=True):
        assert result.dtype == expected.dtype
        assert result.shape == expected.shape
        assert np.array_equal(result, expected)


@pytest.mark.parametrize(("op_type", "inputs", "attributes"), CLOSE)
def test_float_functions(op_type: str, inputs: list[Any], attributes: dict[str, Any]) -> None:
    """Transcendental functions are approximations in every library; these agree to float32 rounding."""
    (result,) = ours(op_type, inputs, attributes)
    (expected,) = runtime(op_type, inputs, attributes, "", 1)
    assert result.dtype == expected.dtype == np.float32
    assert result.shape == expected.shape
    assert np.allclose(result, expected, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize(("op_type", "inputs", "attributes"), MICROSOFT)
def test_quantized_functions(op_type: str, inputs: list[Any], attributes: dict[str, Any]) -> None:
    (result,) = ours(op_type, inputs, attributes)
    (expected,) = runtime(op_type, inputs, attributes, "com.microsoft", 1)
    assert result.dtype == expected.dtype
    assert np.array_equal(result, expected)


def test_every_operator_is_tested() -> None:
    tested = {name for name, _, _ in (*EXACT, *CLOSE, *MICROSOFT)}
    elsewhere = {"Quant", "IntQuant", "BipolarQuant", "Reshape"}
    assert set(host_ops.OPERATORS) == tested | elsewhere


def test_reshape_keeps_images_apart() -> None:
    (result,) = ours("Reshape", [PLANES], {"shape": (6, 20)})
    assert np.array_equal(result, PLANES.reshape(3, 6, 20))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ROUND", [-2, -2, 0, 0, 2, 2]),
        ("HALF_EVEN", [-2, -2, 0, 0, 2, 2]),
        ("CEIL", [-2, -1, 0, 1, 2, 3]),
        ("FLOOR", [-3, -2, -1, 0, 1, 2]),
        ("UP", [-3, -2, -1, 1, 2, 3]),
        ("DOWN", [-2, -1, 0, 0, 1, 2]),
        ("HALF_UP", [-3, -2, -1, 1, 2, 3]),
        ("half_down", [-2, -1, 0, 0, 1, 2]),
    ],
)
def test_quant_rounds_as_told(mode: str, expected: list[int]) -> None:
    x = f32(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5) * np.float32(0.5)
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": mode}
    (result,) = ours("Quant", [x, f32(0.5), f32(0), f32(4)], attributes)
    assert np.array_equal(result, np.array(expected, np.float32) * np.float32(0.5))


def test_quant_adds_the_zero_point_inside_and_clamps_first() -> None:
    x = f32(-20, 0.5, 1.5, 7.75, 99)
    # 0.5 + 1 rounds to even 2; 7.75 + 1 is clamped to 7 before rounding
    (signed,) = ours("Quant", [x, f32(1), f32(1), f32(4)], {"signed": 1, "narrow": 1})
    assert signed.tolist() == [-8, 1, 1, 6, 6]
    (unsigned,) = ours("Quant", [x, f32(1), f32(0), f32(3)], {"signed": 0, "narrow": 1})
    assert unsigned.tolist() == [0, 0, 2, 6, 6]


def test_bipolar_quantizers_count_zero_as_positive() -> None:
    x = f32(-1, -0.0, 0, 1e-30)
    assert ours("BipolarQuant", [x, f32(0.5)], {})[0].tolist() == [-0.5, 0.5, 0.5, 0.5]
    assert ours("Quant", [x, f32(0.5), f32(0), f32(1)], {"signed": 1})[0].tolist() == [-0.5, 0.5, 0.5, 0.5]


def test_four_bit_results_take_a_byte() -> None:
    (result,) = ours("QuantizeLinear", [TIES, f32(1)], {"output_dtype": 22})
    assert result.dtype == np.int8
    assert result.tolist() == [[-2, -2, 0, 0, 2, 2, 7, -8]]


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes"),
    [
        ("Transpose", [X], {"perm": [1, 0, 2]}),
        ("Transpose", [X], {}),
        ("Flatten", [X], {"axis": 2}),
        ("ReduceMax", [X], {}),
        ("ArgMax", [X], {}),
        ("Concat", [X, Y], {"axis": 0}),
        ("Gather", [X, i64(0)], {}),
        ("Slice", [X, i64(0), i64(1), i64(0)], {}),
        ("Squeeze", [X, i64(0)], {}),
        ("Unsqueeze", [X, i64(0)], {}),
        ("Split", [X, i64(1, 2)], {}),
        ("Pad", [X, i64(1, 0, 0, 0, 0, 0)], {}),
        ("Gemm", [X[:, 0], X[:, 0]], {"transA": 1}),
        ("TopK", [X, i64(1)], {"axis": 0}),
    ],
)
def test_images_may_not_be_mixed(op_type: str, inputs: list[Any], attributes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"which a host part cannot do|transA"):
        ours(op_type, inputs, attributes)


def test_constants_serve_every_image() -> None:
    program = HostProgram(
        (HostNode("Concat", ("x", "c"), ("y",), {"axis": 1}), HostNode("Relu", ("y",), ("z",))),
        {"c": np.ones((1, 2), np.float32)},
        ("x",),
        ("z",),
    )
    result = program.run({"x": -np.ones((3, 2), np.float32)})["z"]
    assert result.tolist() == [[0, 0, 1, 1]] * 3
    with pytest.raises(KeyError):
        program.run({})
