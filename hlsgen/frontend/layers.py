"""Multiply-accumulates, pools, concatenation and movement on views: what is emitted before a quantizer closes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.model import Node
from hlsgen.frontend.movement import MOVEMENTS, movement
from hlsgen.frontend.tracer import Handler, Tracer
from hlsgen.frontend.values import (
    Accumulated,
    ConcatView,
    Constant,
    ConstantJoinView,
    FloatView,
    Fractions,
    IntValue,
    JoinView,
    NotHardwareError,
    PendingMax,
    QLinearScale,
    QuantConstant,
    Quantized,
)
from hlsgen.graph.graph import Frame, Layout
from hlsgen.graph.ops import Geometry

Array = npt.NDArray[Any]
_EIGHT_BIT = ("int8", "uint8")
_BIAS_TOLERANCE = 1e-6
"""Relative difference up to which a bias scale counts as x scale * w scale (exporters multiply in other precisions)."""


def weights_of(tracer: Tracer, node: Node, index: int) -> QuantConstant:
    """Quantized constant weights at an input.

    Float integers (all weights whole numbers) count as quantized with scale 1.
    """
    value = tracer.value(node, index)
    if isinstance(value, QuantConstant):
        return value
    if isinstance(value, Constant):
        if value.array.dtype.kind == "f" and not (np.rint(value.array) == value.array).all():
            raise NotHardwareError("its weights are floating point: no quantizer stands before them")
        if value.array.dtype.kind in "fi":
            one = np.ones(1, np.float32)
            return QuantConstant(value.array.astype(np.int64), one, np.zeros(1, np.int64), "")
    raise NotHardwareError("its weights are not constant")


def _data(tracer: Tracer, node: Node) -> FloatView:
    """The view a layer with quantized weights reads. A float operator between it and the layers before is an error."""
    if isinstance(tracer.value(node, 1), QuantConstant):
        tracer.refuse_host(node, 0)
    return tracer.view(node, 0)


def conv(tracer: Tracer, node: Node) -> None:
    """Conv, one or two spatial axes."""
    weights = weights_of(tracer, node, 1)
    bias = tracer.value(node, 2)
    view, base = tracer.quantized(_data(tracer, node))
    tracer.values[node.outputs[0]] = convolve(tracer, node, view, base, weights, bias)


def convolve(
    tracer: Tracer, node: Node, view: FloatView, base: Quantized, weights: QuantConstant, bias: Any
) -> FloatView:
    """Emit a convolution of a plain quantized view; the result reads the accumulator as a real number."""
    axes = weights.integers.ndim - 2
    if axes not in (1, 2):
        raise UnsupportedError(
            f"{node}: convolutions over {axes} axes are not supported; hlsgen builds 1-D and 2-D ones."
        )
    x, shape = tracer.planar(view, axes)
    centered = weights.centered if axes == 2 else weights.centered[:, :, None, :]
    groups = int(node.attribute("group", 1))
    outputs, per_group, *kernel = centered.shape
    if groups < 1 or per_group * groups != shape[2] or outputs % groups:
        raise UnsupportedError(
            f"{node}: weights {list(weights.shape)} with {groups} groups do not fit an input of {shape[2]} "
            "channels. The model is damaged."
        )
    geometry = window(node, (kernel[0], kernel[1]), shape[:2], axes)
    scale, qlinear = _scales(base, weights, outputs)
    integer_bias, offset = _bias(node, bias, outputs, scale, qlinear is not None)
    tensor = tracer.builder.conv(
        node.name, x, geometry, np.ascontiguousarray(centered.transpose(0, 2, 3, 1)), integer_bias, groups,
        base.zero_point, f"{node.outputs[0]}:accumulator",
    )  # fmt: skip
    tracer.mark_heavy()
    return FloatView(tensor, _layout_of(tracer, tensor, axes), _accumulated(scale, offset, qlinear))


def gemm(tracer: Tracer, node: Node) -> None:
    """Gemm with constant weights: ``alpha * A' * B' + beta * C``."""
    weights = weights_of(tracer, node, 1)
    view, base = tracer.quantized(_data(tracer, node))
    if node.attribute("transA", 0):
        raise NotHardwareError("transA is set")
    if node.attribute("transB", 0):
        weights = weights.moved(lambda a: a.T)
    bias, beta = tracer.value(node, 2), float(node.attribute("beta", 1.0))
    if beta != 1.0 and bias is not None:
        array = bias.floats if isinstance(bias, QuantConstant) else tracer.constant(node, 2)
        bias = Constant(np.float32(beta) * np.asarray(array, np.float32))
    alpha = np.float32(node.attribute("alpha", 1.0))
    tracer.values[node.outputs[0]] = dense(tracer, node, view, base, weights, bias, alpha)


def matmul(tracer: Tracer, node: Node) -> None:
    """MatMul of a view by constant weights."""
    if isinstance(tracer.value(node, 0), Constant | QuantConstant):
        raise NotHardwareError("its first operand is the constant; only activations times weights are built")
    weights = weights_of(tracer, node, 1)
    view, base = tracer.quantized(_data(tracer, node))
    tracer.values[node.outputs[0]] = dense(tracer, node, view, base, weights, None, np.float32(1))


def dense(
    tracer: Tracer,
    node: Node,
    view: FloatView,
    base: Quantized,
    weights: QuantConstant,
    bias: Any,
    alpha: np.float32,
) -> FloatView:
    """Emit a dense layer over the last axis; ``weights`` are (K, N), with leading axes of size 1 allowed."""
    while weights.integers.ndim > 2 and weights.shape[0] == 1:
        weights = weights.moved(lambda a: a[0])
    if weights.integers.ndim != 2 or weights.shape[0] != view.layout.index.shape[-1]:
        raise UnsupportedError(
            f"{node}: weights {list(weights.shape)} do not fit an input whose last axis has "
            f"{view.layout.index.shape[-1]} elements. "
            "The model is damaged, or multiplies by a batch of matrices, which hlsgen does not build."
        )
    x, order = tracer.rows(view)
    outputs = weights.shape[1]
    scale, qlinear = _scales(base, weights.moved(lambda a: a.T), outputs)
    if alpha != 1:
        scale = tuple(Fraction(float(alpha)) * s for s in scale)
        if qlinear is not None:
            w_scale = np.broadcast_to(weights.scale, weights.shape)[0].astype(np.float32)
            qlinear = QLinearScale(np.float32(alpha * base.scale) * w_scale)
    integer_bias, offset = _bias(node, bias, outputs, scale, qlinear is not None)
    weight = np.ascontiguousarray(weights.centered[order].T)[:, None, None, :]
    tensor = tracer.builder.conv(
        node.name, x, Geometry((1, 1)), weight, integer_bias, 1, base.zero_point, f"{node.outputs[0]}:accumulator"
    )
    tracer.mark_heavy()
    shape = (*view.layout.index.shape[:-1], outputs)
    return FloatView(
        tensor, Layout(np.arange(int(np.prod(shape))).reshape(shape)), _accumulated(scale, offset, qlinear)
    )


def _accumulated(scale: Fractions, offset: Fractions, qlinear: QLinearScale | None) -> Accumulated:
    return Accumulated(scale, offset, qlinear if not any(offset) else None)


def _scales(base: Quantized, weights: QuantConstant, outputs: int) -> tuple[Fractions, QLinearScale | None]:
    """Exact accumulator scale per output channel (axis 0 of the weights), and QLinear's float32 product where it
    is REF.
    """
    full = np.broadcast_to(weights.scale, weights.shape).reshape(outputs, -1).astype(np.float32)
    if not (full == full[:, :1]).all():
        raise NotHardwareError("its weight scales differ within an output channel (blocked quantization)")
    w_scale = full[:, 0] if not (full[:, 0] == full[0, 0]).all() else full[:1, 0]
    scale = tuple(Fraction(float(base.scale)) * Fraction(float(w)) for w in w_scale)
    qlinear = None
    if base.dtype in _EIGHT_BIT and weights.dtype in _EIGHT_BIT:
        qlinear = QLinearScale((base.scale * w_scale).astype(np.float32))
    return scale, qlinear


def _bias(
    node: Node, bias: Any, outputs: int, scale: Fractions, qlinear: bool
) -> tuple[npt.NDArray[np.int64], Fractions]:
    """The bias as (integers added to the accumulator, exact real offset). Exactly one of them is non-zero.

    An integer bias in accumulator units joins the sum; any other is a real constant of the island's function.
    """
    none = np.zeros(outputs, np.int64)
    if bias is None:
        return none, (Fraction(0),)
    if isinstance(bias, QuantConstant):
        floats, integers = bias.floats.ravel(), np.broadcast_to(bias.centered.ravel(), outputs)
        steps = np.broadcast_to(bias.scale.ravel(), outputs).astype(np.float64)
        product = np.broadcast_to([float(s) for s in scale], outputs)
        exact = all(
            Fraction(float(s)) == p
            for s, p in zip(steps, np.broadcast_to(np.array(scale, object), outputs), strict=True)
        )
        if exact or (qlinear and (np.abs(steps - product) <= _BIAS_TOLERANCE * np.abs(product)).all()):
            return integers.copy(), (Fraction(0),)
    elif isinstance(bias, Constant):
        floats = np.asarray(bias.array, np.float32).ravel()
    else:
        raise NotHardwareError("its bias is not constant")
    if floats.size not in (1, outputs):
        raise UnsupportedError(
            f"{node}: a bias of {floats.size} elements does not fit {outputs} outputs. The model is damaged."
        )
    if not floats.any():
        return none, (Fraction(0),)
    return none, tuple(Fraction(float(v)) for v in floats)


def window(node: Node, kernel: tuple[int, int], frame: Sequence[int], axes: int) -> Geometry:
    """The node's window on a frame (H, W); 1-D ones slide along W.

    ``auto_pad`` and ``ceil_mode`` become explicit padding.
    """

    def pair(name: str) -> tuple[int, int]:
        values = [int(v) for v in node.attribute(name, [1] * axes)]
        if len(values) != axes or min(values) < 1:
            raise UnsupportedError(f"{node}: {name} {values} does not fit {axes} spatial axes. The model is damaged.")
        return (values[0], values[1]) if axes == 2 else (1, values[0])

    strides, dilations = pair("strides"), pair("dilations")
    pads = [int(v) for v in node.attribute("pads", [0] * (2 * axes))]
    if axes == 1:
        pads = [0, pads[0], 0, pads[-1]]
    auto = node.attribute("auto_pad", "NOTSET")
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        for axis in (0, 1):
            total = max((-(-frame[axis] // strides[axis]) - 1) * strides[axis] + extent[axis] - frame[axis], 0)
            small, large = total // 2, total - total // 2
            pads[axis], pads[axis + 2] = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto == "VALID":
        pads = [0, 0, 0, 0]
    if len(pads) != 4 or min(pads) < 0:
        raise UnsupportedError(f"{node}: padding {pads} is not supported (negative, or of the wrong length).")
    if node.attribute("ceil_mode", 0):
        for axis in (0, 1):
            span = frame[axis] + pads[axis] + pads[axis + 2] - extent[axis]
            outputs = -(-span // strides[axis]) + 1
            if (outputs - 1) * strides[axis] >= frame[axis] + pads[axis]:
                outputs -= 1  # a window must start inside the input or its leading padding
            pads[axis + 2] += max((outputs - 1) * strides[axis] - span, 0)
    geometry = Geometry(kernel, strides, dilations, (pads[0], pads[1], pads[2], pads[3]))
    if min(geometry.output(frame[0], frame[1])) < 1:
        raise UnsupportedError(
            f"{node}: its window does not fit an input of {frame[0]} x {frame[1]}. The model is damaged."
        )
    return geometry


def _pool_kernel(node: Node) -> tuple[tuple[int, int], int]:
    kernel = [int(v) for v in node.attribute("kernel_shape", [])]
    if len(kernel) not in (1, 2):
        raise UnsupportedError(f"{node}: pooling over {len(kernel)} axes is not supported; hlsgen builds 1-D and 2-D.")
    return ((1, kernel[0]) if len(kernel) == 1 else (kernel[0], kernel[1])), len(kernel)


def max_pool(tracer: Tracer, node: Node) -> None:
    """MaxPool."""
    if len([o for o in node.outputs if o]) > 1:
        raise NotHardwareError("it also returns indices")
    kernel, axes = _pool_kernel(node)

    def geometry(frame: Frame) -> Geometry:
        result = window(node, kernel, frame[:2], axes)
        _counts(node, result, frame, include_padding=False)  # a maximum of nothing would be the padding's
        return result

    _maximum(tracer, node, axes, geometry)


def global_max_pool(tracer: Tracer, node: Node) -> None:
    """GlobalMaxPool."""
    axes = len(tracer.host.onnx_shape(node.inputs[0])) - 2
    if axes not in (1, 2):
        raise NotHardwareError(f"pooling over {axes} axes is not built")
    _maximum(tracer, node, axes, lambda frame: Geometry((frame[0], frame[1])))


def reduce_max(tracer: Tracer, node: Node) -> None:
    """ReduceMax over the spatial axes: a global pool."""
    _spatial_axes(tracer, node)
    global_max_pool(tracer, node)
    if not node.attribute("keepdims", 1):
        value = tracer.values[node.outputs[0]]
        assert isinstance(value, IntValue | FloatView)
        flat = replace(value, layout=Layout(value.layout.index.reshape(-1)))
        tracer.values[node.outputs[0]] = flat
        if node.outputs[0] in tracer.views:
            seen = tracer.views[node.outputs[0]]
            tracer.views[node.outputs[0]] = replace(seen, layout=flat.layout)


def _maximum(tracer: Tracer, node: Node, axes: int, geometry: Callable[[Frame], Geometry]) -> None:
    """Maximum over windows of integers, or of a view. With a view that grows with its integers it commutes."""
    value = tracer.value(node, 0)
    if isinstance(value, IntValue):
        view = FloatView(value.tensor, value.layout, Quantized(np.float32(1), 0, value.dtype))
    else:
        view = tracer.view(node, 0)
    if view.pool is not None:
        raise NotHardwareError("it pools a maximum that no quantizer has closed; put a quantizer between the two")
    x, frame = tracer.planar(view, axes)
    tracer.mark_heavy()
    if not _grows(view, frame[2]):
        window = geometry(frame)
        layout = _planar_layout(*window.output(frame[0], frame[1]), frame[2], axes)
        pending = PendingMax(node.name, window, len(view.steps))
        tracer.values[node.outputs[0]] = replace(view, tensor=x, layout=layout, pool=pending)
        return
    tensor = tracer.builder.maxpool(node.name, x, geometry(frame), node.outputs[0])
    layout = _layout_of(tracer, tensor, axes)
    if isinstance(value, IntValue):
        tracer.values[node.outputs[0]] = IntValue(tensor, layout, value.dtype)
        tracer.record(node.outputs[0], IntValue(tensor, layout, value.dtype), np.ones(1), 0, False)
    else:
        tracer.values[node.outputs[0]] = replace(view, tensor=tensor, layout=layout)
        if isinstance(view.base, Quantized) and not view.steps:
            tracer.record(
                node.outputs[0], IntValue(tensor, layout, ""), np.asarray(view.base.scale), view.base.zero_point, True
            )


def _grows(view: FloatView, channels: int) -> bool:
    """Whether a view never decreases with its integers, by a function that is the same all over a channel."""
    if isinstance(view.base, Accumulated) and (
        min(view.base.scale) < 0 or max(len(view.base.scale), len(view.base.offset)) > channels
    ):
        return False
    return all(step.grows and step.channels <= channels for step in view.steps)


def _layout_of(tracer: Tracer, tensor: str, axes: int) -> Layout:
    """The layout of an ONNX tensor (C, H, W), or (C, W), in the frame of ``tensor``."""
    return _planar_layout(*tracer.builder.tensors[tensor].shape, axes)


def _planar_layout(rows: int, columns: int, channels: int, axes: int) -> Layout:
    index = Layout.planar(channels, rows, columns).index
    return Layout(index if axes == 2 else index[:, 0, :])


def average_pool(tracer: Tracer, node: Node) -> None:
    """AveragePool: the integer sum; the divisor is part of the view (per position where padding is not counted)."""
    kernel, axes = _pool_kernel(node)
    view, base = tracer.quantized(tracer.view(node, 0))
    x, shape = tracer.planar(view, axes)
    geometry = window(node, kernel, shape[:2], axes)
    counts = _counts(node, geometry, shape[:2], bool(node.attribute("count_include_pad", 0)))
    tracer.values[node.outputs[0]] = _sum_view(tracer, node, x, geometry, base, counts, axes, False)


def _counts(node: Node, geometry: Geometry, frame: Sequence[int], include_padding: bool) -> Array:
    """Elements in each window, shape (OH, OW). Raises UnsupportedError if there is one without any."""
    if include_padding or not any(geometry.pads):
        return np.full(geometry.output(frame[0], frame[1]), geometry.kernel[0] * geometry.kernel[1])
    counts = []
    for axis in (0, 1):
        starts = np.arange(geometry.output(frame[0], frame[1])[axis]) * geometry.strides[axis] - geometry.pads[axis]
        taps = starts[:, None] + np.arange(geometry.kernel[axis]) * geometry.dilations[axis]
        counts.append(((taps >= 0) & (taps < frame[axis])).sum(axis=1))
    if min(counts[0]) == 0 or min(counts[1]) == 0:
        raise UnsupportedError(f"{node}: some of its windows hold nothing but padding. Reduce its padding or dilation.")
    return np.asarray(np.multiply.outer(counts[0], counts[1]))


def _sum_view(
    tracer: Tracer, node: Node, x: str, geometry: Geometry, base: Quantized, counts: Array, axes: int, qlinear: bool
) -> FloatView:
    tensor = tracer.builder.sumpool(node.name, x, geometry, base.zero_point, f"{node.outputs[0]}:accumulator")
    tracer.mark_heavy()
    channels = tracer.builder.tensors[tensor].shape[2]
    flat = counts.ravel() if len(set(counts.ravel())) == 1 else np.repeat(counts.ravel(), channels)
    flat = flat[:1] if len(set(flat)) == 1 else flat
    scale = tuple(Fraction(float(base.scale)) / int(n) for n in flat)
    q = QLinearScale(np.array([base.scale], np.float32), int(flat[0])) if qlinear and base.dtype in _EIGHT_BIT else None
    return FloatView(tensor, _layout_of(tracer, tensor, axes), Accumulated(scale, (Fraction(0),), q))


def global_average_pool(tracer: Tracer, node: Node) -> None:
    """GlobalAveragePool: ONNX Runtime has it as a QLinear kernel on the integer sum."""
    _global_average(tracer, node, tracer.view(node, 0), True, True)


def reduce_mean(tracer: Tracer, node: Node) -> None:
    """ReduceMean over the spatial axes."""
    view = tracer.view(node, 0)
    _spatial_axes(tracer, node)
    _global_average(tracer, node, view, bool(node.attribute("keepdims", 1)), False)


def _spatial_axes(tracer: Tracer, node: Node) -> None:
    """Raise NotHardwareError unless a reduction is over all spatial axes."""
    rank = len(tracer.host.onnx_shape(node.inputs[0]))
    parameter = tracer.constant(node, 1)
    axes = sorted(int(a) % rank for a in (np.ravel(parameter) if parameter is not None else node.attribute("axes", [])))
    if axes != list(range(2, rank)):
        raise NotHardwareError(
            f"it reduces over axes {axes}; only all spatial axes of (batch, channels, ...) together are built"
        )


def _global_average(tracer: Tracer, node: Node, view: FloatView, keep_axes: bool, qlinear: bool) -> None:
    view, base = tracer.quantized(view)
    axes = view.layout.index.ndim - 1
    if axes not in (1, 2):
        raise NotHardwareError("it has no spatial axes to average over")
    x, shape = tracer.planar(view, axes)
    geometry = Geometry((shape[0], shape[1]))
    result = _sum_view(tracer, node, x, geometry, base, np.array([[shape[0] * shape[1]]]), axes, qlinear)
    if not keep_axes:
        result = replace(result, layout=Layout(result.layout.index.reshape(-1)))
    tracer.values[node.outputs[0]] = result


def concat(tracer: Tracer, node: Node) -> None:
    """Concat of quantized tensors: at once where their scales agree, else at the quantizer that follows."""
    parts = [tracer.value(node, i) for i in range(len(node.inputs))]
    plain: list[FloatView] = []
    for part in parts:
        if isinstance(part, IntValue):
            part = FloatView(part.tensor, part.layout, Quantized(np.float32(1), 0, part.dtype))
        if not isinstance(part, FloatView):
            raise NotHardwareError(tracer.why_not(part))
        plain.append(part)
    rank = plain[0].layout.index.ndim + 1
    axis = int(node.attribute("axis", 1)) % rank - 1
    if axis < 0 or any(part.layout.index.ndim + 1 != rank for part in plain):
        raise NotHardwareError("it concatenates along the batch axis, or tensors of different rank")
    tracer.mark_heavy()
    bases = {part.base if isinstance(part.base, Quantized) and not part.steps else None for part in plain}
    if len(bases) == 1 and (base := bases.pop()) is not None:
        value = tracer.concat(plain, axis, node.outputs[0], base.dtype)
        if isinstance(parts[0], IntValue):
            tracer.values[node.outputs[0]] = value
            tracer.record(node.outputs[0], value, np.ones(1), 0, False)
        else:
            tracer.values[node.outputs[0]] = FloatView(value.tensor, value.layout, base)
        return
    shape = np.concatenate([part.layout.index for part in plain], axis=axis).shape
    tracer.values[node.outputs[0]] = ConcatView(tuple(plain), axis, Layout(np.zeros(shape, np.int64)), node.name)


def move(tracer: Tracer, node: Node) -> None:
    """Reshape, Transpose and their kin: only the layout of a view or integer tensor changes."""
    value = tracer.value(node, 0)
    if not isinstance(value, IntValue | FloatView | JoinView | ConstantJoinView):
        raise NotHardwareError(tracer.why_not(value))
    parameter = tracer.constant(node, 1) if node.op_type != "Dropout" else None
    index = value.layout.index
    moved = movement(node, (1, *index.shape), parameter)(index[None])
    if (
        not moved.ndim
        or moved.shape[0] != 1
        or (node.op_type == "Transpose" and int(node.attribute("perm", [1])[0]) != 0)
    ):
        raise UnsupportedError(
            f"{node}: it moves or merges the batch axis (result shape {list(moved.shape)}). Keep a leading axis of 1."
        )
    layout = Layout(np.ascontiguousarray(moved[0]))
    if isinstance(value, JoinView | ConstantJoinView):
        tracer.values[node.outputs[0]] = replace(value, layout=layout)
        return
    tracer.values[node.outputs[0]] = replace(value, layout=layout)
    if isinstance(value, IntValue):
        tracer.record(node.outputs[0], replace(value, layout=layout), np.ones(1), 0, False)


HANDLERS: dict[str, tuple[str, Handler]] = {
    "Conv": ("", conv),
    "Gemm": ("", gemm),
    "MatMul": ("", matmul),
    "MaxPool": ("", max_pool),
    "AveragePool": ("", average_pool),
    "GlobalAveragePool": ("", global_average_pool),
    "ReduceMean": ("", reduce_mean),
    "GlobalMaxPool": ("", global_max_pool),
    "ReduceMax": ("", reduce_max),
    "Concat": ("", concat),
    **dict.fromkeys(sorted(MOVEMENTS), ("", move)),
}
