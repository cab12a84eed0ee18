"""Layers of the canonical model: sums of products, with bytes as the only operands.

With uint8 activations the weights are uint8 as well (zero point 128), because some x86 processors saturate sums of
uint8 times int8 products; other combinations are exact everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from hlsgen.canonical import arithmetic
from hlsgen.canonical.emitter import BYTES, MICROSOFT, Array, Emitter, carrier, numpy_type, per_channel, planar
from hlsgen.errors import UnsupportedError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Conv, Geometry, Requantize, SumPool
from hlsgen.graph.reference import QLinearReference
from hlsgen.graph.types import IntArray


def fusible(graph: Graph) -> dict[str, Requantize]:
    """For each accumulator that exists only inside a QLinear kernel: the Requantize that closes it."""
    consumers = graph.consumers()
    fused: dict[str, Requantize] = {}
    for op in graph.ops:
        if not isinstance(op, Conv | SumPool) or op.output in graph.outputs or len(consumers[op.output]) != 1:
            continue
        (closer,) = consumers[op.output]
        if not isinstance(closer, Requantize) or not isinstance(closer.reference, QLinearReference):
            continue
        element = carrier(graph.tensors[op.inputs[0]].type)
        bounds = np.iinfo(numpy_type(element))
        if (
            element in BYTES
            and element == carrier(graph.tensors[closer.output].type)
            and all(bounds.min <= z <= bounds.max for z in (op.zero_point, closer.reference.zero_point))
            and _has_kernel(graph, op, closer.reference, element)
        ):
            fused[op.output] = closer
    return fused


def _has_kernel(graph: Graph, op: Conv | SumPool, reference: QLinearReference, element: int) -> bool:
    """Whether a QLinear kernel of ONNX Runtime computes ``op`` and ``reference`` at once."""
    source = graph.tensors[op.inputs[0]]
    if isinstance(op, SumPool):
        return (
            op.geometry.kernel == source.shape[:2]
            and not any(op.geometry.pads)
            and reference.multiplier.size == 1
            and arithmetic.pool_scales(reference.multiplier[0], source.shape[0] * source.shape[1]) is not None
        )
    return (
        byte_form(op.weight, element) is not None
        and bool((np.abs(op.bias) < 1 << 31).all())
        and golden.conv_bound(op, source) < 1 << 31
    )


@dataclass(frozen=True, eq=False)
class ByteForm:
    """Weights in bytes: ``weight = values - zero_point``."""

    values: Array
    zero_point: int


def byte_form(weight: IntArray, element: int) -> ByteForm | None:
    """``weight`` as ONNX ``element`` (INT8 or UINT8); None where it spans more than 256 values."""
    dtype = numpy_type(element)
    bounds = np.iinfo(dtype)
    lo, hi = int(weight.min()), int(weight.max())
    usual = 0 if dtype.kind == "i" else 128
    zero_point = min(max(usual, bounds.min - lo), bounds.max - hi)
    if not (bounds.min <= zero_point <= bounds.max and bounds.min <= lo + zero_point and hi + zero_point <= bounds.max):
        return None
    return ByteForm((weight + zero_point).astype(dtype), zero_point)


class LayerEmitter:
    """Emits Conv and SumPool. ``names``: the canonical model's name of each graph tensor."""

    def __init__(self, emitter: Emitter, graph: Graph, names: Mapping[str, str]) -> None:
        self.emitter = emitter
        self.graph = graph
        self.names = names

    def fused(self, op: Conv | SumPool, closer: Requantize) -> None:
        """A layer and the Requantize that closes it in one QLinear kernel."""
        if isinstance(op, SumPool):
            self._qlinear_pool(op, closer, self.names[op.inputs[0]])
        else:
            self._qlinear_layer(op, closer, self.names[op.inputs[0]])

    def accumulators(self, op: Conv | SumPool) -> None:
        """A layer whose sums are a tensor of their own."""
        layer = self._pool_layer(op) if isinstance(op, SumPool) else op
        self._integer_layer(layer, self.names[op.inputs[0]], self.names[op.output])

    def _pool_layer(self, op: SumPool) -> Conv:
        """A sum over windows is a depthwise convolution with ones."""
        channels = self.graph.tensors[op.output].shape[2]
        ones = np.ones((channels, *op.geometry.kernel, 1), np.int64)
        zeros = np.zeros(channels, np.int64)
        return Conv(op.name, op.inputs, op.output, op.geometry, ones, zeros, channels, op.zero_point)

    def _dense(self, op: Conv) -> bool:
        """Whether the layer works on one pixel: a matrix product says it more simply than a convolution."""
        return self.graph.tensors[op.inputs[0]].shape[:2] == (1, 1) and op.geometry.trivial and op.groups == 1

    def _qlinear_layer(self, op: Conv, closer: Requantize, x: str) -> None:
        reference = closer.reference
        assert isinstance(reference, QLinearReference)  # what makes a layer fused
        element = carrier(self.graph.tensors[op.inputs[0]].type)
        dtype = numpy_type(element)
        weight = byte_form(op.weight, element)
        assert weight is not None
        one = self.emitter.float32(1)  # scales of input and output, so that the weights' scale is the multiplier itself
        scale = self.emitter.constant(per_channel(reference.multiplier), np.float32, "multiplier")
        x_zero, y_zero = (self.emitter.constant(z, dtype, "zero_point") for z in (op.zero_point, reference.zero_point))
        zeros = np.full(per_channel(reference.multiplier).shape, weight.zero_point)
        w_zero = self.emitter.constant(zeros, dtype, "zero_point")
        target = self.names[closer.output]
        clipped = (reference.lo, reference.hi) != (np.iinfo(dtype).min, np.iinfo(dtype).max)
        bias = self.emitter.constant(op.bias, np.int32, "bias")
        if self._dense(op):
            length = op.weight.shape[-1]
            matrix = self.emitter.constant(weight.values.reshape(-1, length).T, dtype, "weight")
            flat = self.emitter.reshape(x, (length,))
            if op.bias.any():
                inputs = [flat, one, x_zero, matrix, scale, w_zero, bias, one, y_zero]
                y = self.emitter.node("QGemm", inputs, domain=MICROSOFT)
            else:
                y = self.emitter.node("QLinearMatMul", [flat, one, x_zero, matrix, scale, w_zero, one, y_zero])
            y = self.emitter.reshape(y, (len(op.weight), 1, 1), "" if clipped else target)
        else:
            kernel = self.emitter.constant(weight.values.transpose(0, 3, 1, 2), dtype, "weight")
            inputs = [x, one, x_zero, kernel, scale, w_zero, one, y_zero, bias]
            attributes = {**window_attributes(op.geometry), "group": op.groups}
            y = self.emitter.node("QLinearConv", inputs, output="" if clipped else target, **attributes)
        if clipped:
            self.emitter.clip(y, reference.lo, reference.hi, dtype, target)

    def _qlinear_pool(self, op: SumPool, closer: Requantize, x: str) -> None:
        reference = closer.reference
        assert isinstance(reference, QLinearReference)  # what makes a layer fused
        source = self.graph.tensors[op.inputs[0]]
        dtype = numpy_type(carrier(source.type))
        scales = arithmetic.pool_scales(reference.multiplier[0], source.shape[0] * source.shape[1])
        assert scales is not None
        x_zero, y_zero = (self.emitter.constant(z, dtype, "zero_point") for z in (op.zero_point, reference.zero_point))
        inputs = [x, self.emitter.float32(scales[0]), x_zero, self.emitter.float32(scales[1]), y_zero]
        target = self.names[closer.output]
        clipped = (reference.lo, reference.hi) != (np.iinfo(dtype).min, np.iinfo(dtype).max)
        y = self.emitter.node(
            "QLinearGlobalAveragePool", inputs, "pool", "" if clipped else target, MICROSOFT, channels_last=0
        )
        if clipped:
            self.emitter.clip(y, reference.lo, reference.hi, dtype, target)

    def _integer_layer(self, op: Conv, x: str, output: str) -> None:
        """Convolutions of bytes, weighted and added as integers."""
        target = carrier(self.graph.tensors[op.output].type)
        parts = self._input_parts(op, x)
        weights = [_weight_parts(op.weight, part.element) for part in parts]
        if len(parts) == len(weights[0]) == 1 and target == TensorProto.INT32:
            self._single_convolution(op, parts[0], output)
            return
        total = ""
        for part, bytes_of_weight in zip(parts, weights, strict=True):
            for weight, factor in bytes_of_weight:
                term = self.emitter.cast(self._byte_convolution(op, part, weight), TensorProto.INT64)
                term = self.emitter.node("Mul", [term, self.emitter.int64(part.factor * factor)])
                total = self.emitter.node("Add", [total, term]) if total else term
        total = self.emitter.node("Add", [total, self.emitter.int64(planar(op.bias))])
        self.emitter.cast(total, target, output)

    def _single_convolution(self, op: Conv, part: _Part, output: str) -> None:
        """Bytes by bytes, the sum in 32 bits."""
        if op.bias.any():
            total = self._byte_convolution(op, part, op.weight)
            bias = self.emitter.constant(planar(op.bias), np.int32, "bias")
            self.emitter.node("Add", [total, bias], output=output)
        else:
            self._byte_convolution(op, part, op.weight, output)

    def _input_parts(self, op: Conv, x: str) -> list[_Part]:
        """A byte as it is; a wider input less its zero point as bytes, the most significant one signed."""
        type = self.graph.tensors[op.inputs[0]].type
        element = carrier(type)
        bounds = np.iinfo(numpy_type(element))
        if element in BYTES and bounds.min <= op.zero_point <= bounds.max:
            reach = max(abs(type.min - op.zero_point), abs(type.max - op.zero_point))
            return [_Part(x, element, op.zero_point, 1, reach)]
        rest = self.emitter.cast(x, TensorProto.DOUBLE)
        if op.zero_point:
            rest = self.emitter.node("Sub", [rest, self.emitter.float64(op.zero_point)])
        lo, hi = type.min - op.zero_point, type.max - op.zero_point
        parts: list[_Part] = []
        while lo < -128 or hi > 127:
            upper = self.emitter.node("Floor", [self.emitter.node("Mul", [rest, self.emitter.float64(1 / 256)])])
            lower = self.emitter.node("Sub", [rest, self.emitter.node("Mul", [upper, self.emitter.float64(256)])])
            byte = self.emitter.cast(lower, TensorProto.UINT8)
            parts.append(_Part(byte, int(TensorProto.UINT8), 0, 256 ** len(parts), 255))
            rest, lo, hi = upper, lo >> 8, hi >> 8
        top = self.emitter.cast(rest, TensorProto.INT8)
        return [*parts, _Part(top, int(TensorProto.INT8), 0, 256 ** len(parts), 128)]

    def _byte_convolution(self, op: Conv, part: _Part, weight: IntArray, output: str = "") -> str:
        """ConvInteger or MatMulInteger of one byte of the input and one of the weights."""
        if int(np.abs(weight).reshape(len(weight), -1).sum(axis=1).max()) * part.reach >= 1 << 31:
            raise UnsupportedError(
                f"node {op.name!r}: its sums of 8-bit products exceed 32 bits, which ONNX Runtime cannot check. "
                "Use fewer inputs per output."
            )
        form = byte_form(weight, part.element) or byte_form(weight, int(TensorProto.UINT8))
        assert form is not None  # a byte, signed or not
        zero_points = [
            self.emitter.constant(part.zero_point, numpy_type(part.element), "zero_point"),
            self.emitter.constant(form.zero_point, form.values.dtype, "zero_point"),
        ]
        if self._dense(op):
            length = weight.shape[-1]
            matrix = self.emitter.constant(form.values.reshape(-1, length).T, form.values.dtype, "weight")
            flat = self.emitter.reshape(part.tensor, (length,))
            product = self.emitter.node("MatMulInteger", [flat, matrix, *zero_points])
            return self.emitter.reshape(product, (len(weight), 1, 1), output)
        kernel = self.emitter.constant(form.values.transpose(0, 3, 1, 2), form.values.dtype, "weight")
        attributes = {**window_attributes(op.geometry), "group": op.groups}
        return self.emitter.node("ConvInteger", [part.tensor, kernel, *zero_points], output=output, **attributes)


@dataclass(frozen=True)
class _Part:
    """One byte of a layer's input: ``(tensor - zero_point) * factor``, before the factor at most ``reach``."""

    tensor: str
    element: int
    zero_point: int
    factor: int
    reach: int


def _weight_parts(weight: IntArray, element: int) -> list[tuple[IntArray, int]]:
    """(weights, factor): the weights if they fit a byte of the input's type or uint8, else their bytes from below."""
    if byte_form(weight, element) is not None or byte_form(weight, int(TensorProto.UINT8)) is not None:
        return [(weight, 1)]
    return [(weight & 0xFF, 1), *((part, factor * 256) for part, factor in _weight_parts(weight >> 8, element))]


def window_attributes(geometry: Geometry) -> dict[str, Any]:
    """A window as the attributes of ONNX convolutions and poolings."""
    return {
        "kernel_shape": list(geometry.kernel),
        "strides": list(geometry.strides),
        "dilations": list(geometry.dilations),
        "pads": list(geometry.pads),
    }
