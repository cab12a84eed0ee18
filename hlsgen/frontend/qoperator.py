"""The QOperator form: operators on integers with their own scales (ONNX and com.microsoft).

Each is read as DequantizeLinear, the float operator, QuantizeLinear: ONNX Runtime computes both forms alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.errors import UnsupportedError
from hlsgen.frontend import elementwise, layers, qdq
from hlsgen.frontend.closing import type_of
from hlsgen.frontend.model import Node
from hlsgen.frontend.tracer import Handler, Tracer
from hlsgen.frontend.values import (
    ConcatView,
    Constant,
    ConstantJoinView,
    FloatView,
    JoinView,
    NotHardwareError,
    QuantConstant,
    Quantized,
    Quantizer,
    Step,
)
from hlsgen.graph.graph import Layout

Array = npt.NDArray[Any]


def _view(tracer: Tracer, node: Node, data: int, scale: int, zero_point: int) -> FloatView:
    scales, zeros, _ = qdq.parameters(tracer, node, scale, zero_point)
    if node.op_type in ("QLinearConv", "QLinearMatMul", "QGemm"):
        tracer.refuse_host(node, data)
    source = qdq.integers(tracer, node, data)
    step, zero = qdq.scalar(node, scales, zeros)
    return FloatView(source.tensor, source.layout, Quantized(step, zero, source.dtype))


def _constant(tracer: Tracer, node: Node, data: int, scale: int, zero_point: int, axis: int) -> QuantConstant:
    value = tracer.value(node, data)
    if not isinstance(value, Constant):
        raise NotHardwareError("its weights are not constant")
    scales, zeros, _ = qdq.parameters(tracer, node, scale, zero_point)
    shape = value.array.shape

    def spread(array: Array) -> Array:
        return array.reshape([-1 if i == axis % len(shape) and array.size > 1 else 1 for i in range(len(shape))])

    return QuantConstant(value.array.astype(np.int64), spread(scales), spread(zeros), value.array.dtype.name)


def _quantizer(tracer: Tracer, node: Node, scale: int, zero_point: int, dtype: str, inside: bool = False) -> Quantizer:
    scales, zeros, zero_type = qdq.parameters(tracer, node, scale, zero_point)
    if node.input(zero_point):
        dtype = zero_type
    step, zero = qdq.scalar(node, scales, zeros)
    return Quantizer(np.array([step], np.float32), zero, type_of(dtype), dtype, inside=inside)


def _accumulator_bias(
    tracer: Tracer, node: Node, index: int, view: FloatView, weights: QuantConstant, axis: int
) -> Any:
    """An int32 bias input: integers in accumulator units."""
    value = tracer.value(node, index)
    if not isinstance(value, Constant):
        return value
    assert isinstance(view.base, Quantized)
    outputs = weights.shape[axis]
    w_scale = np.moveaxis(np.broadcast_to(weights.scale, weights.shape), axis, 0).reshape(outputs, -1)[:, 0]
    scale = (view.base.scale * w_scale).astype(np.float32)
    array = np.broadcast_to(value.array.astype(np.int64).ravel(), outputs)
    return QuantConstant(array, scale, np.zeros(1, np.int64), "int32")


def conv(tracer: Tracer, node: Node) -> None:
    """QLinearConv(x, xs, xz, w, ws, wz, ys, yz, B)."""
    view, weights = _view(tracer, node, 0, 1, 2), _constant(tracer, node, 3, 4, 5, 0)
    assert isinstance(view.base, Quantized)
    bias = _accumulator_bias(tracer, node, 8, view, weights, 0)
    result = layers.convolve(tracer, node, view, view.base, weights, bias)
    qdq.close(tracer, node, result, _quantizer(tracer, node, 6, 7, view.base.dtype), node.name)


def matmul(tracer: Tracer, node: Node) -> None:
    """QLinearMatMul(a, as, az, b, bs, bz, ys, yz)."""
    view, weights = _view(tracer, node, 0, 1, 2), _constant(tracer, node, 3, 4, 5, -1)
    assert isinstance(view.base, Quantized)
    result = layers.dense(tracer, node, view, view.base, weights, None, np.float32(1))
    qdq.close(tracer, node, result, _quantizer(tracer, node, 6, 7, view.base.dtype), node.name)


def gemm(tracer: Tracer, node: Node) -> None:
    """com.microsoft QGemm(A, as, az, B, bs, bz, C, ys, yz); without ys the result is a float tensor."""
    view = _view(tracer, node, 0, 1, 2)
    assert isinstance(view.base, Quantized)
    if node.attribute("transA", 0):
        raise NotHardwareError("transA is set")
    weights = _constant(tracer, node, 3, 4, 5, 0 if node.attribute("transB", 0) else 1)
    if node.attribute("transB", 0):
        weights = weights.moved(lambda a: a.T)
    alpha = np.float32(node.attribute("alpha", 1.0))
    bias = _accumulator_bias(tracer, node, 6, view, weights, 1)
    if isinstance(bias, QuantConstant) and alpha != 1:
        bias = replace(bias, scale=(bias.scale * alpha).astype(np.float32))
    result = layers.dense(tracer, node, view, view.base, weights, bias, alpha)
    if node.input(7):
        qdq.close(tracer, node, result, _quantizer(tracer, node, 7, 8, view.base.dtype), node.name)
    else:
        tracer.values[node.outputs[0]] = result


def integer_layer(tracer: Tracer, node: Node) -> None:
    """ConvInteger and MatMulInteger(x, w, xz, wz): the accumulator itself, read as a real number of scale 1."""
    source = qdq.integers(tracer, node, 0)
    zeros = tracer.constant(node, 2)
    zero = 0 if zeros is None else int(zeros.ravel()[0])
    base = Quantized(np.float32(1), zero, source.dtype)
    view = FloatView(source.tensor, source.layout, base)
    value = tracer.value(node, 1)
    if not isinstance(value, Constant):
        raise NotHardwareError("its weights are not constant")
    weight_zero = tracer.constant(node, 3)
    integers = value.array.astype(np.int64)
    axis = 0 if node.op_type == "ConvInteger" else integers.ndim - 1
    zero_array = np.zeros(1, np.int64) if weight_zero is None else weight_zero.astype(np.int64).ravel()
    shape = [-1 if i == axis and zero_array.size > 1 else 1 for i in range(integers.ndim)]
    weights = QuantConstant(integers, np.ones(1, np.float32), zero_array.reshape(shape), "")
    if node.op_type == "ConvInteger":
        tracer.values[node.outputs[0]] = layers.convolve(tracer, node, view, base, weights, None)
    else:
        tracer.values[node.outputs[0]] = layers.dense(tracer, node, view, base, weights, None, np.float32(1))


def add(tracer: Tracer, node: Node) -> None:
    """com.microsoft QLinearAdd(A, as, az, B, bs, bz, ys, yz): two tensors, or a tensor and a constant."""
    constants = [isinstance(tracer.value(node, i), Constant) for i in (0, 3)]
    value: JoinView | ConstantJoinView
    if any(constants):
        tensor, constant = (3, 0) if constants[0] else (0, 3)
        view = _view(tracer, node, tensor, tensor + 1, tensor + 2)
        array = tracer.constant(node, constant)
        scales, zeros, dtype = qdq.parameters(tracer, node, constant + 1, constant + 2)
        assert array is not None
        value = ConstantJoinView(
            view, QuantConstant(array.astype(np.int64), scales.reshape(1), zeros.reshape(1), dtype), view.layout
        )
    else:
        a, b = _view(tracer, node, 0, 1, 2), _view(tracer, node, 3, 4, 5)
        if a.layout.index.shape != b.layout.index.shape or not (a.layout.index == b.layout.index).all():
            raise NotHardwareError(
                "its two operands differ in shape or in the order of their elements; broadcasting between "
                "tensors has no kernel"
            )
        tracer.mark_heavy()
        value = JoinView(a, b, 1, a.layout, node.name)
    view = value.a
    assert isinstance(view.base, Quantized)
    qdq.close(tracer, node, value, _quantizer(tracer, node, 6, 7, view.base.dtype), node.name)


def average_pool(tracer: Tracer, node: Node) -> None:
    """com.microsoft QLinearAveragePool(x, xs, xz, ys, yz): the zero point is added before rounding."""
    _pool(tracer, node, layers.average_pool, True)


def global_average_pool(tracer: Tracer, node: Node) -> None:
    """com.microsoft QLinearGlobalAveragePool(x, xs, xz, ys, yz)."""
    _pool(tracer, node, layers.global_average_pool, False)


def _pool(tracer: Tracer, node: Node, handler: Handler, inside: bool) -> None:
    if node.attribute("channels_last", 0):
        raise NotHardwareError("channels_last is set")
    output = node.outputs[0]
    view = _view(tracer, node, 0, 1, 2)
    assert isinstance(view.base, Quantized)
    handler(tracer, _on_view(tracer, node, view))
    qdq.close(tracer, node, tracer.values[output], _quantizer(tracer, node, 3, 4, view.base.dtype, inside), node.name)


def unary(tracer: Tracer, node: Node) -> None:
    """com.microsoft QLinearLeakyRelu and QLinearSigmoid(x, xs, xz, ys, yz): tables."""
    view = _view(tracer, node, 0, 1, 2)
    assert isinstance(view.base, Quantized)
    function, attributes = elementwise.UNARY[node.op_type.removeprefix("QLinear")], node.attributes
    step = Step(node.op_type, lambda x: np.asarray(function(x, attributes), np.float32))
    qdq.close(tracer, node, view.then(step), _quantizer(tracer, node, 3, 4, view.base.dtype), node.name)


def concat(tracer: Tracer, node: Node) -> None:
    """com.microsoft QLinearConcat(ys, yz, x1, s1, z1, x2, ...)."""
    parts = tuple(_view(tracer, node, i, i + 1, i + 2) for i in range(2, len(node.inputs), 3))
    axis = int(node.attribute("axis", 1)) % (parts[0].layout.index.ndim + 1) - 1
    if axis < 0:
        raise NotHardwareError("it concatenates along the batch axis")
    tracer.mark_heavy()
    shape = np.concatenate([part.layout.index for part in parts], axis=axis).shape
    view = ConcatView(parts, axis, Layout(np.zeros(shape, np.int64)), node.name)
    assert isinstance(parts[0].base, Quantized)
    qdq.close(tracer, node, view, _quantizer(tracer, node, 0, 1, parts[0].base.dtype), node.name)


def dynamic(tracer: Tracer, node: Node) -> None:
    """DynamicQuantizeLinear: its scale depends on the data."""
    raise UnsupportedError(
        f"{node}: dynamic quantization computes its scale from each input, which a fixed-point accelerator cannot. "
        "Use static quantization (onnxruntime.quantization.quantize_static)."
    )


def _on_view(tracer: Tracer, node: Node, view: FloatView) -> Node:
    """The float operator behind a QLinear one: its input stands for ``view``."""
    name = f"{node.outputs[0]}:operand"
    tracer.values[name] = view
    return replace(node, inputs=(name,))


HANDLERS: dict[str, tuple[str, Handler]] = {
    "QLinearConv": ("qoperator", conv),
    "QLinearMatMul": ("qoperator", matmul),
    "QGemm": ("qoperator", gemm),
    "ConvInteger": ("qoperator", integer_layer),
    "MatMulInteger": ("qoperator", integer_layer),
    "QLinearAdd": ("qoperator", add),
    "QLinearAveragePool": ("qoperator", average_pool),
    "QLinearGlobalAveragePool": ("qoperator", global_average_pool),
    "QLinearLeakyRelu": ("qoperator", unary),
    "QLinearSigmoid": ("qoperator", unary),
    "QLinearConcat": ("qoperator", concat),
    "DynamicQuantizeLinear": ("qoperator", dynamic),
}
