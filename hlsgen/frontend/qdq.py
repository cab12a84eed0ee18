"""The QDQ form: QuantizeLinear and DequantizeLinear around float operators (ONNX and com.microsoft domains)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.closing import type_of
from hlsgen.frontend.model import Node
from hlsgen.frontend.tracer import Handler, Tracer
from hlsgen.frontend.values import (
    Accumulated,
    ConcatView,
    Constant,
    ConstantJoinView,
    FloatView,
    HostValue,
    IntValue,
    JoinView,
    NotHardwareError,
    QuantConstant,
    Quantized,
    Quantizer,
    Value,
)

Array = npt.NDArray[Any]
_ELEMENT_TYPES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 21: "uint4", 22: "int4", 25: "uint2", 26: "int2"}
"""ONNX TensorProto.DataType of the integer types a quantizer may produce."""


def integers(tracer: Tracer, node: Node, index: int) -> IntValue:
    """The integer tensor at an input; the model's own integer input enters here. Raises NotHardwareError."""
    value = tracer.value(node, index)
    if isinstance(value, IntValue):
        return value
    if (
        isinstance(value, HostValue)
        and value.cause is None
        and value.sample.dtype.name in ("int8", "uint8", "int16", "uint16")
    ):
        name, dtype = node.inputs[index], value.sample.dtype.name
        entered = tracer.enter(name, dtype, type_of(dtype), value.sample.shape[1:])
        tracer.values[name] = entered
        tracer.record(name, entered, np.ones(1), 0, False)
        return entered
    raise NotHardwareError(tracer.why_not(value))


def parameters(tracer: Tracer, node: Node, scale: int, zero_point: int) -> tuple[Array, Array, str]:
    """Constant scale (float32) and zero point (int64) at two inputs, and the zero point's type name (uint8 if
    left out).
    """
    scales, zeros = tracer.constant(node, scale), tracer.constant(node, zero_point)
    if scales is None:
        raise UnsupportedError(f"{node}: its scale is missing. The model is damaged.")
    scales = scales.astype(np.float32)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise UnsupportedError(
            f"{node}: a scale must be a positive number, but {float(scales.min())} occurs. Quantize the model again."
        )
    if zeros is None:
        dtype = _ELEMENT_TYPES.get(int(node.attribute("output_dtype", 0)), "uint8")
        return scales, np.zeros(scales.shape, np.int64), dtype
    if zeros.dtype.kind == "f" or "float" in zeros.dtype.name:
        raise UnsupportedError(
            f"{node}: 8-bit floating-point quantization ({zeros.dtype.name}) is not supported. Quantize to integers."
        )
    return scales, zeros.astype(np.int64), zeros.dtype.name


def scalar(node: Node, scale: Array, zero_point: Array) -> tuple[np.float32, int]:
    """Scale and zero point of an activation: one for the whole tensor. Raises UnsupportedError otherwise."""
    if (scale != scale.ravel()[0]).any() or (zero_point != zero_point.ravel()[0]).any():
        raise UnsupportedError(
            f"{node}: an activation quantized per channel is not supported. Use one scale per activation tensor."
        )
    return np.float32(scale.ravel()[0]), int(zero_point.ravel()[0])


def spread_axis(node: Node, array: Array, shape: tuple[int, ...]) -> Array:
    """A per-channel parameter in a shape that broadcasts to ``shape`` (attribute ``axis``; blocks are repeated)."""
    if array.size == 1:
        return array.reshape((1,) * len(shape))
    axis = int(node.attribute("axis", 1)) % len(shape)
    if array.ndim == 1:
        if array.size != shape[axis]:
            raise UnsupportedError(
                f"{node}: {array.size} scales do not fit axis {axis} of shape {list(shape)}. The model is damaged."
            )
        return array.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    block = int(node.attribute("block_size", 0)) or -(-shape[axis] // array.shape[axis])
    return np.repeat(array, block, axis=axis)[tuple(slice(0, d) for d in shape)]


def dequantize(tracer: Tracer, node: Node) -> None:
    """DequantizeLinear: integers become a view, integer constants a quantized constant."""
    scale, zero_point, _ = parameters(tracer, node, 1, 2)
    value = tracer.value(node, 0)
    if isinstance(value, Constant):
        shape = value.array.shape
        tracer.values[node.outputs[0]] = QuantConstant(
            value.array.astype(np.int64),
            spread_axis(node, scale, shape),
            spread_axis(node, zero_point, shape),
            value.array.dtype.name,
        )
        return
    if isinstance(value, QuantConstant):  # constant -> QuantizeLinear -> DequantizeLinear
        shape = value.shape
        tracer.values[node.outputs[0]] = QuantConstant(
            value.integers, spread_axis(node, scale, shape), spread_axis(node, zero_point, shape), value.dtype
        )
        return
    source = integers(tracer, node, 0)
    step, zero = scalar(node, scale, zero_point)
    tracer.values[node.outputs[0]] = FloatView(source.tensor, source.layout, Quantized(step, zero, source.dtype))


def quantize(tracer: Tracer, node: Node) -> None:
    """QuantizeLinear: closes an island, quantizes a float constant, or is where the accelerator begins."""
    scale, zero_point, dtype = parameters(tracer, node, 1, 2)
    value = tracer.value(node, 0)
    try:
        type = type_of(dtype)
    except KeyError:
        raise UnsupportedError(
            f"{node}: quantization to {dtype} is not supported. Use 2-, 4-, 8- or 16-bit integers."
        ) from None
    if isinstance(value, Constant):
        shape = value.array.shape
        steps, zeros = spread_axis(node, scale, shape), spread_axis(node, zero_point, shape)
        raw = np.clip(np.rint(value.array.astype(np.float32) / steps) + zeros, type.min, type.max).astype(np.int64)
        tracer.values[node.outputs[0]] = QuantConstant(raw, np.ones_like(steps), np.zeros_like(zeros), dtype)
        return
    step, zero = scalar(node, scale, zero_point)
    if isinstance(value, HostValue):
        if value.cause is not None:
            raise NotHardwareError(tracer.why_not(value))
        tracer.host.add_prefix(node)
        entered = tracer.enter(node.outputs[0], dtype, type, value.sample.shape[1:])
        tracer.values[node.outputs[0]] = entered
        tracer.record(node.outputs[0], entered, np.array([step]), zero, False)
        return
    quantizer = Quantizer(np.array([step], np.float32), zero, type, dtype)
    close(tracer, node, value, quantizer)


def close(tracer: Tracer, node: Node, value: Value | None, quantizer: Quantizer, name: str = "") -> None:
    """Close the island ``value`` with ``quantizer`` at ``node``: its first output becomes an integer tensor."""
    if not isinstance(value, FloatView | JoinView | ConstantJoinView | ConcatView):
        raise NotHardwareError(tracer.why_not(value))
    refuse_tail_table(tracer, value)
    output = node.outputs[0]
    closed = tracer.close(value, quantizer, output, name or island_name(tracer, node, value))
    tracer.values[output] = closed
    tracer.record(output, closed, quantizer.scale, quantizer.zero_point, False)


def refuse_tail_table(tracer: Tracer, value: Any) -> None:
    """A table after the last layer belongs on the CPU."""
    table = isinstance(value, FloatView) and isinstance(value.base, Quantized) and value.pool is None
    if tracer.in_tail and table:
        raise NotHardwareError("no layer follows it, so it runs on the CPU")


def island_name(tracer: Tracer, node: Node, value: Any) -> str:
    """What to call the closing of an island: the layer whose sum it closes, else the quantizer itself."""
    if isinstance(value, FloatView) and isinstance(value.base, Accumulated):
        producer = next((op.name for op in reversed(tracer.builder.ops) if op.output == value.tensor), None)
        return producer or node.name
    return node.name


def clip_integers(tracer: Tracer, node: Node) -> None:
    """Clip of integers between QuantizeLinear and DequantizeLinear (QCDQ): a narrower type."""
    lo, hi = (None if b is None else int(b.ravel()[0]) for b in (tracer.constant(node, i) for i in (1, 2)))
    clipped = tracer.narrow(node, integers(tracer, node, 0), lo, hi)
    tracer.values[node.outputs[0]] = clipped
    tracer.record(node.outputs[0], clipped, np.ones(1), 0, False)


HANDLERS: dict[str, tuple[str, Handler]] = {
    "DequantizeLinear": ("qdq", dequantize),
    "QuantizeLinear": ("qdq", quantize),
}
