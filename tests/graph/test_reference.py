"""The reference arithmetic against ONNX Runtime's own kernels, and against exact rationals."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    QLinearAddReference,
    QLinearReference,
    Rounding,
    TableReference,
    round_float,
    round_fraction,
)
from hlsgen.graph.types import INT8, UINT8, QuantType

Array = npt.NDArray[Any]


def runtime(nodes: list[onnx.NodeProto], constants: dict[str, Array], **inputs: Array) -> Array:
    """The output ``y`` of a model of these nodes, as ONNX Runtime computes it on the CPU."""
    types = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in inputs.items()}
    zero_point = constants["y_zero_point"]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, types[name], array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(zero_point.dtype), None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, inputs)[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("seed", range(4))
def test_qlinear_conv(dtype: type, seed: int) -> None:
    """Weights of 7 bits: no instruction set saturates their 16-bit intermediate sums."""
    rng = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    inputs, outputs = int(rng.integers(1, 200)), 40
    x: Array = rng.integers(info.min, info.max + 1, (1, inputs, 60, 1)).astype(dtype)
    weight = rng.integers(-63, 64, (outputs, inputs, 1, 1)).astype(np.int8)
    bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
    x_scale, y_scale = np.float32(rng.uniform(0.01, 0.1)), np.float32(rng.uniform(0.05, 0.4))
    weight_scale = rng.uniform(0.001, 0.02, outputs).astype(np.float32)
    weight_scale[::4] = 2.0 ** -np.float32(rng.integers(5, 9))  # ties
    x_zero_point, y_zero_point = (int(rng.integers(info.min, info.max + 1)) for _ in range(2))
    constants = {
        "x_scale": x_scale,
        "x_zero_point": np.array(x_zero_point, dtype),
        "w": weight,
        "w_scale": weight_scale,
        "w_zero_point": np.zeros(outputs, np.int8),
        "y_scale": y_scale,
        "y_zero_point": np.array(y_zero_point, dtype),
        "bias": bias,
    }
    node = helper.make_node(
        "QLinearConv",
        ["x", "x_scale", "x_zero_point", "w", "w_scale", "w_zero_point", "y_scale", "y_zero_point", "bias"],
        ["y"],
    )
    expected = runtime([node], {name: np.asarray(value) for name, value in constants.items()}, x=x)
    acc = np.einsum("oi,ip->po", weight[:, :, 0, 0].astype(np.int64), x[0, :, :, 0].astype(np.int64) - x_zero_point)
    multiplier = (x_scale * weight_scale) / y_scale
    assert multiplier.dtype == np.float32
    reference = QLinearReference(multiplier, y_zero_point, info.min, info.max)
    np.testing.assert_array_equal(reference.evaluate(acc + bias).T, expected[0, :, :, 0])
    assert (
        np.abs(reference.real(acc + bias) - reference.evaluate(acc + bias))[
            (reference.evaluate(acc + bias) > info.min) & (reference.evaluate(acc + bias) < info.max)
        ].max(initial=0)
        <= 0.5 + 1e-6
    )


def test_qlinear_matmul_beyond_24_bits() -> None:
    """Accumulators that float32 must round first: 2,000 products of full range."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (300, 2000)).astype(np.uint8)
    x[:, :1200] = 255
    weight = rng.integers(100, 256, (2000, 10)).astype(np.uint8)
    scales = np.float32(0.02), np.float32(0.003), np.float32(40.0)
    constants: dict[str, Array] = {
        "x_scale": np.asarray(scales[0]),
        "x_zero_point": np.array(0, np.uint8),
        "w": weight,
        "w_scale": np.asarray(scales[1]),
        "w_zero_point": np.array(0, np.uint8),
        "y_scale": np.asarray(scales[2]),
        "y_zero_point": np.array(5, np.uint8),
    }
    node = helper.make_node(
        "QLinearMatMul",
        ["x", "x_scale", "x_zero_point", "w", "w_scale", "w_zero_point", "y_scale", "y_zero_point"],
        ["y"],
    )
    expected = runtime([node], constants, x=x)
    acc = x.astype(np.int64) @ weight.astype(np.int64)
    assert acc.max() > 1 << 25
    reference = QLinearReference(np.array([scales[0] * scales[1] / scales[2]], np.float32), 5, 0, 255)
    np.testing.assert_array_equal(reference.evaluate(acc), expected)


def add_reference(scales: Array, zero_points: list[int], lo: int, hi: int) -> QLinearAddReference:
    """The constants of ONNX Runtime's kernel: ratios of scales, and ``zy - fma(ra, za, rb * zb)`` in float32."""
    scale_a, scale_b, scale_y = scales.astype(np.float32)
    ratio_a, ratio_b = np.float32(scale_a / scale_y), np.float32(scale_b / scale_y)
    inner = np.float32(ratio_b * np.float32(zero_points[1]))
    fused = np.float32(np.longdouble(ratio_a) * np.longdouble(zero_points[0]) + np.longdouble(inner))
    return QLinearAddReference(ratio_a, ratio_b, np.float32(np.float32(zero_points[2]) - fused), lo, hi)


ADD_SCALES: dict[str, Callable[[np.random.Generator], Array]] = {
    "random": lambda rng: rng.uniform(0.01, 0.1, 3),
    "same": lambda rng: np.full(3, rng.uniform(0.01, 0.1)),
    "power of two": lambda rng: 2.0 ** rng.integers(-7, -3, 3),
    "small ratio": lambda rng: rng.uniform(0.01, 0.1) * rng.integers(1, [8, 8, 12]),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("kind", ADD_SCALES)
def test_qlinear_add(kind: str, dtype: type) -> None:
    """All 65,536 pairs of inputs. (An instruction set without fused multiply-add would differ in a few per million.)"""
    rng = np.random.default_rng(list(ADD_SCALES).index(kind))
    info = np.iinfo(dtype)
    values = np.arange(info.min, info.max + 1)
    for _ in range(6):
        scales = ADD_SCALES[kind](rng)
        zero_points = rng.integers(info.min, info.max + 1, 3).tolist()
        a, b = np.meshgrid(values, values, indexing="ij")
        constants: dict[str, Array] = {}
        for name, scale, zero_point in zip("aby", scales, zero_points, strict=True):
            constants[f"{name}_scale"] = np.asarray(np.float32(scale))
            constants[f"{name}_zero_point"] = np.array(zero_point, dtype)
        names = ["a", "a_scale", "a_zero_point", "b", "b_scale", "b_zero_point", "y_scale", "y_zero_point"]
        node = helper.make_node("QLinearAdd", names, ["y"], domain="com.microsoft")
        expected = runtime([node], constants, a=a.astype(dtype), b=b.astype(dtype))
        reference = add_reference(scales, zero_points, int(info.min), int(info.max))
        np.testing.assert_array_equal(reference.evaluate(a, b), expected)
        type = INT8 if info.min else UINT8
        np.testing.assert_array_equal(reference.table(type, type), expected)


def test_quantize_linear_is_the_affine_reference_where_float32_is_exact() -> None:
    """``QuantizeLinear`` of exact dyadic values, ties included: half to even, the zero point added after rounding."""
    x = np.arange(-4000, 4000)
    for zero_point in (0, 3, 128):
        constants: dict[str, Array] = {
            "y_scale": np.asarray(np.float32(8)),
            "y_zero_point": np.array(zero_point, np.uint8),
        }
        node = helper.make_node("QuantizeLinear", ["x", "y_scale", "y_zero_point"], ["y"])
        expected = runtime([node], constants, x=x.astype(np.float32))
        reference = AffineReference((Fraction(1, 8),), (Fraction(0),), Rounding.HALF_EVEN, zero_point, (0,), (255,))
        np.testing.assert_array_equal(reference.evaluate(x[:, None])[:, 0], expected)


EXPECTED_ROUNDINGS = {
    Rounding.HALF_EVEN: [-2, -2, -2, -1, -1, 0, 0, 0, 1, 1, 2, 2, 2],
    Rounding.HALF_UP: [-2, -2, -2, -1, -1, -1, 0, 1, 1, 1, 2, 2, 2],
    Rounding.HALF_DOWN: [-2, -2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2],
    Rounding.CEIL: [-2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2, 2],
    Rounding.FLOOR: [-2, -2, -2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2],
    Rounding.UP: [-2, -2, -2, -1, -1, -1, 0, 1, 1, 1, 2, 2, 2],
    Rounding.DOWN: [-2, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2],
    Rounding.SIGN: [-1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1],
}
"""Of -2, -7/4, -3/2, -1, -3/4, -1/2, 0, 1/2, 3/4, 1, 3/2, 7/4, 2."""


@pytest.mark.parametrize("rounding", Rounding)
def test_roundings(rounding: Rounding) -> None:
    quarters = [-8, -7, -6, -4, -3, -2, 0, 2, 3, 4, 6, 7, 8]
    assert [round_fraction(Fraction(q, 4), rounding) for q in quarters] == EXPECTED_ROUNDINGS[rounding]
    assert round_float(np.array(quarters) / 4, rounding).tolist() == EXPECTED_ROUNDINGS[rounding]
    dense = np.arange(-400, 401)
    assert round_float(dense / 8, rounding).tolist() == [round_fraction(Fraction(int(v), 8), rounding) for v in dense]


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        (Fraction(3, 16), Fraction(5, 8)),
        (Fraction(-1, 6), Fraction(1, 3)),
        (Fraction(float(np.float32(0.1))) / Fraction(float(np.float32(0.3))), Fraction(-7, 2)),
        (Fraction(0), Fraction(1, 2)),
    ],
)
def test_affine_evaluate_is_its_definition(scale: Fraction, offset: Fraction, rounding: Rounding) -> None:
    reference = AffineReference((scale, -scale), (offset,), rounding, 0, (-100,), (90, 80))
    x = np.arange(-700, 700)
    both = np.stack([x, x], axis=1)
    expected = [[reference.value(int(v), 0), reference.value(int(v), 1)] for v in x]
    assert reference.evaluate(both).tolist() == expected


@pytest.mark.parametrize("rounding", Rounding)
def test_affine_evaluate_where_large_terms_cancel(rounding: Rounding) -> None:
    """Small sums, half of them ties, of large terms: float64's error is that of the terms, not of the sum."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        a, b, c, d = (Fraction(float(np.float32(v))) for v in rng.uniform(0.05, 1, 4))
        scale = a * b / c / d
        start = int(rng.integers(1 << 26, 1 << 30))
        offset = Fraction(int(rng.integers(-20, 20)), 2) - scale * start
        reference = AffineReference((scale,), (offset,), rounding, 0, (-100,), (100,))
        x = start + np.arange(-5, 6)
        assert reference.evaluate(x[:, None])[:, 0].tolist() == [reference.value(int(v), 0) for v in x]


@pytest.mark.parametrize("rounding", Rounding)
def test_affine_join(rounding: Rounding) -> None:
    reference = AffineJoinReference(
        np.array([3, -5]), np.array([4]), np.array([7, 0]), 3, rounding, 0 if rounding is Rounding.SIGN else 2, -60, 50
    )
    a, b = np.meshgrid(np.arange(-40, 40), np.arange(-30, 30), indexing="ij")
    results = reference.evaluate(np.stack([a, a], -1), np.stack([b, b], -1))
    for c, (scale, constant) in enumerate(((3, 7), (-5, 0))):
        exact = [
            [
                round_fraction(Fraction(scale * i + 4 * j + constant, 8), rounding) + reference.zero_point
                for j in range(-30, 30)
            ]
            for i in range(-40, 40)
        ]
        np.testing.assert_array_equal(results[..., c], np.clip(exact, -60, 50))


def test_table() -> None:
    values = np.array([[5, 6, 7], [1, -1, 0]])
    reference = TableReference(-1, values, values / 2)
    x = np.array([[-1, 1], [0, 0]])
    assert reference.evaluate(x).tolist() == [[5, 0], [6, -1]]
    assert reference.real(x).tolist() == [[2.5, 0], [3, -0.5]]
    shared = TableReference(-1, values[:1], values[:1] / 2)
    assert shared.evaluate(x).tolist() == [[5, 7], [6, 6]]


def test_types_of_operands() -> None:
    table = QLinearAddReference(np.float32(1), np.float32(1), np.float32(0), -8, 7).table(
        QuantType(4, signed=True), QuantType(2, signed=False)
    )
    assert table.shape == (16, 4)
    assert (table[0, 0], table[15, 3]) == (-8, 7)
