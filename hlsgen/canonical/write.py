"""A Graph as ONNX that ONNX Runtime executes without a single inexact sum: ``canonical.onnx``.

Tensors are (batch, C, H, W) here; those of at most 8 bits are int8 or uint8 (bipolar ones int8 -1 and +1), wider ones
int32 or int64. With uint8 activations the weights are uint8 as well (zero point 128), because some x86 processors
saturate sums of uint8 times int8 products; other combinations are exact everywhere.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from hlsgen.canonical import arithmetic
from hlsgen.canonical.emitter import BATCH, Array, Emitter, carrier, numpy_type, safe
from hlsgen.canonical.host import HostEmitter
from hlsgen.errors import UnsupportedError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph, Layout, Tensor
from hlsgen.graph.host import HostProgram
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Op, Requantize, Reshape, SumPool
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    QLinearAddReference,
    QLinearReference,
    Rounding,
    TableReference,
)
from hlsgen.graph.types import IntArray, QuantType

BYTES = (int(TensorProto.INT8), int(TensorProto.UINT8))
_MICROSOFT = "com.microsoft"


def write(graph: Graph, fuse: bool = True, expose: Collection[str] = ()) -> onnx.ModelProto:
    """The canonical model of ``graph``, with the inputs and outputs of the original.

    ``fuse``: close 8-bit layers with ONNX Runtime's QLinear kernels; otherwise every accumulator is a tensor of its own
    and the float32 multiplication is spelled out. ``expose``: tensors of the graph to add as outputs, under the names
    of ``tensor_names``. Raises UnsupportedError where float64 cannot state a reference.
    """
    return _Writer(graph, fuse).model(expose)


def tensor_names(graph: Graph, fuse: bool = True) -> dict[str, str]:
    """The canonical model's name of each graph tensor that exists in it (layers that are fused have no accumulator)."""
    fused = _fused(graph) if fuse else {}
    taken = {*graph.prefix.inputs, *graph.suffix.outputs}
    names: dict[str, str] = {}
    for number, name in enumerate(graph.tensors):
        if name not in fused:
            own = f"t{number}_{safe(name)}"
            while own in taken:
                own += "_"
            names[name] = own
    return names


def _fused(graph: Graph) -> dict[str, Requantize]:
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
            and arithmetic.pool_scale(reference.multiplier[0], source.shape[0] * source.shape[1]) is not None
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


class _Writer:
    def __init__(self, graph: Graph, fuse: bool) -> None:
        self.graph = graph
        self.names = tensor_names(graph, fuse)
        self.fused = _fused(graph) if fuse else {}
        program_names = {*graph.prefix.inputs, *graph.suffix.outputs}
        self.emitter = Emitter(program_names | set(self.names.values()))

    def model(self, expose: Collection[str]) -> onnx.ModelProto:
        graph = self.graph
        host = HostEmitter(self.emitter)
        self._enter(host)
        for op in graph.ops:
            self._operator(op)
        self._leave(host)
        inputs = [_value_info(name, a) for name, a in _samples(graph.prefix).items()]
        outputs = [_value_info(name, a) for name, a in self._host_outputs().items()]
        for name in expose:
            height, width, channels = graph.tensors[name].shape
            shape = [BATCH, channels, height, width]
            outputs.append(helper.make_tensor_value_info(self.names[name], carrier(graph.tensors[name].type), shape))
        return self.emitter.model(graph.name, inputs, outputs)

    # ---- host parts --------------------------------------------------------------------------------------------------

    def _enter(self, host: HostEmitter) -> None:
        """The prefix, and its result as the tensor that enters the accelerator."""
        graph = self.graph
        values = host.program(graph.prefix, {name: name for name in graph.prefix.inputs}, _samples(graph.prefix))
        name = next(name for name in graph.prefix.outputs if graph.views[name].tensor == graph.input)
        view, tensor = graph.views[name], graph.tensors[graph.input]
        x = values[name]
        if view.is_float:
            scale = self.emitter.constant(golden.scale_along_axis(view), np.float64, "scale")
            x = self.emitter.node("Div", [self.emitter.cast(x, TensorProto.DOUBLE), scale])
            x = self.emitter.node("Round", [x])
            x = self.emitter.node("Add", [x, self.emitter.constant(view.zero_point, np.float64, "zero_point")])
        x = self.emitter.cast(x, carrier(tensor.type))
        self._to_planar(x, view.layout, tensor, self.names[graph.input])

    def _to_planar(self, x: str, layout: Layout, tensor: Tensor, output: str) -> None:
        """An ONNX tensor of ``layout`` to (batch, C, H, W)."""
        height, width, channels = tensor.shape
        planar = Layout.planar(channels, height, width).index.ravel()
        if not np.array_equal(layout.index.ravel(), planar):
            places = np.empty(planar.size, np.int64)
            places[layout.index.ravel()] = np.arange(planar.size)
            x = self.emitter.reshape(x, (planar.size,))
            x = self.emitter.node("Gather", [x, self.emitter.constant(places[planar], np.int64, "order")], axis=1)
        self.emitter.reshape(x, (channels, height, width), output)

    def _leave(self, host: HostEmitter) -> None:
        """What leaves the accelerator as the ONNX tensors the suffix reads, and the suffix."""
        graph = self.graph
        delivered: dict[str, str] = {}
        for name in graph.suffix.inputs:
            view = graph.views[name]
            dtype = golden.delivered_dtype(graph, name)
            x = self._from_planar(self.names[view.tensor], view.layout, graph.tensors[view.tensor])
            if view.is_float:
                x = self.emitter.node("Sub", [self.emitter.cast(x, TensorProto.FLOAT), self._float(view.zero_point)])
                x = self.emitter.node("Mul", [x, self.emitter.constant(golden.scale_along_axis(view), np.float32)])
            delivered[name] = self.emitter.cast(x, helper.np_dtype_to_tensor_dtype(dtype))
        host.program(graph.suffix, delivered, self._delivered_samples(), keep=graph.suffix.outputs)

    def _delivered_samples(self) -> dict[str, Array]:
        """One all-zero image of every tensor the suffix reads."""
        graph = self.graph
        return {
            name: np.zeros((1, *graph.views[name].layout.index.shape), golden.delivered_dtype(graph, name))
            for name in graph.suffix.inputs
        }

    def _host_outputs(self) -> dict[str, Array]:
        """The model's outputs for one image that leaves all zeros in the accelerator's outputs."""
        with np.errstate(all="ignore"):
            values = self.graph.suffix.run(self._delivered_samples())
        return {name: values[name] for name in self.graph.suffix.outputs}

    def _from_planar(self, x: str, layout: Layout, tensor: Tensor) -> str:
        height, width, channels = tensor.shape
        planar = Layout.planar(channels, height, width).index.ravel()
        if not np.array_equal(layout.index.ravel(), planar):
            places = np.empty(planar.size, np.int64)
            places[planar] = np.arange(planar.size)
            x = self.emitter.reshape(x, (planar.size,))
            order = places[layout.index.ravel()]
            x = self.emitter.node("Gather", [x, self.emitter.constant(order, np.int64, "order")], axis=1)
        return self.emitter.reshape(x, layout.index.shape)

    # ---- operators ---------------------------------------------------------------------------------------------------

    def _operator(self, op: Op) -> None:
        inputs = [self.names[name] for name in op.inputs if name in self.names]
        output = self.names.get(op.output, "")
        match op:
            case Conv() if op.output in self.fused:
                self._qlinear_layer(op, self.fused[op.output], inputs[0])
            case SumPool() if op.output in self.fused:
                self._qlinear_pool(op, self.fused[op.output], inputs[0])
            case Conv():
                self._integer_layer(op, inputs[0], output)
            case Requantize() if op.inputs[0] in self.fused:
                pass  # written with its layer
            case Requantize():
                self._requantize(op, inputs[0], output)
            case SumPool():
                self._integer_layer(self._pool_layer(op), inputs[0], output)
            case MaxPool():
                self._max_pool(op, inputs[0], output)
            case Join():
                self._join(op, inputs, output)
            case Concat():
                element = carrier(self.graph.tensors[op.output].type)
                parts = [
                    x if carrier(self.graph.tensors[name].type) == element else self.emitter.cast(x, element)
                    for name, x in zip(op.inputs, inputs, strict=True)
                ]
                self.emitter.node("Concat", parts, output=output, axis=1)
            case Reshape():
                self._reshape(op, inputs[0], output)
            case _:
                raise TypeError(f"{op.name}: no canonical form for {type(op).__name__}")

    def _reshape(self, op: Reshape, x: str, output: str) -> None:
        """Elements are ordered H, W, C in a frame, so the channels go last for the new shape to mean the same."""
        height, width, channels = self.graph.tensors[op.output].shape
        if max(self.graph.tensors[op.inputs[0]].shape[:2]) > 1:
            x = self.emitter.transpose(x, (0, 2, 3, 1))
        if height == width == 1:
            self.emitter.reshape(x, (channels, 1, 1), output)
        else:
            self.emitter.transpose(self.emitter.reshape(x, (height, width, channels)), (0, 3, 1, 2), output)

    def _max_pool(self, op: MaxPool, x: str, output: str) -> None:
        tensor = self.graph.tensors[op.inputs[0]]
        element = carrier(tensor.type)
        attributes = _window_attributes(op.geometry)
        if any(pad >= extent for pad, extent in zip(op.geometry.pads, op.geometry.extent * 2, strict=True)):
            # the operator refuses borders as wide as its window
            top, left, bottom, right = op.geometry.pads
            pads = self.emitter.constant([0, 0, top, left, 0, 0, bottom, right], np.int64, "pads")
            x = self.emitter.node("Pad", [x, pads, self.emitter.constant(tensor.type.min, numpy_type(element))])
            attributes["pads"] = [0, 0, 0, 0]
        if element in BYTES:
            self.emitter.node("MaxPool", [x], output=output, **attributes)
        else:
            pooled = self.emitter.node("MaxPool", [self.emitter.cast(x, TensorProto.DOUBLE)], **attributes)
            self.emitter.cast(pooled, element, output)

    def _pool_layer(self, op: SumPool) -> Conv:
        """A sum over windows is a depthwise convolution with ones."""
        channels = self.graph.tensors[op.output].shape[2]
        ones = np.ones((channels, *op.geometry.kernel, 1), np.int64)
        zeros = np.zeros(channels, np.int64)
        return Conv(op.name, op.inputs, op.output, op.geometry, ones, zeros, channels, op.zero_point)

    # ---- layers ------------------------------------------------------------------------------------------------------

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
        one = self._float(1)  # scales of input and output, so that the weights' scale is the multiplier itself
        scale = self.emitter.constant(_per_channel(reference.multiplier), np.float32, "multiplier")
        x_zero, y_zero = (self.emitter.constant(z, dtype, "zero_point") for z in (op.zero_point, reference.zero_point))
        zeros = np.full(_per_channel(reference.multiplier).shape, weight.zero_point)
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
                y = self.emitter.node("QGemm", inputs, domain=_MICROSOFT)
            else:
                y = self.emitter.node("QLinearMatMul", [flat, one, x_zero, matrix, scale, w_zero, one, y_zero])
            y = self.emitter.reshape(y, (len(op.weight), 1, 1), "" if clipped else target)
        else:
            kernel = self.emitter.constant(weight.values.transpose(0, 3, 1, 2), dtype, "weight")
            inputs = [x, one, x_zero, kernel, scale, w_zero, one, y_zero, bias]
            attributes = {**_window_attributes(op.geometry), "group": op.groups}
            y = self.emitter.node("QLinearConv", inputs, output="" if clipped else target, **attributes)
        if clipped:
            self._clip(y, reference.lo, reference.hi, dtype, target)

    def _qlinear_pool(self, op: SumPool, closer: Requantize, x: str) -> None:
        reference = closer.reference
        assert isinstance(reference, QLinearReference)  # what makes a layer fused
        source = self.graph.tensors[op.inputs[0]]
        dtype = numpy_type(carrier(source.type))
        scale = arithmetic.pool_scale(reference.multiplier[0], source.shape[0] * source.shape[1])
        x_zero, y_zero = (self.emitter.constant(z, dtype, "zero_point") for z in (op.zero_point, reference.zero_point))
        inputs = [x, self._float(scale), x_zero, self._float(1), y_zero]
        target = self.names[closer.output]
        clipped = (reference.lo, reference.hi) != (np.iinfo(dtype).min, np.iinfo(dtype).max)
        y = self.emitter.node(
            "QLinearGlobalAveragePool", inputs, "pool", "" if clipped else target, _MICROSOFT, channels_last=0
        )
        if clipped:
            self._clip(y, reference.lo, reference.hi, dtype, target)

    def _clip(self, y: str, lo: int, hi: int, dtype: np.dtype[Any], output: str) -> None:
        """Clip bytes."""
        bounds = [self.emitter.constant(bound, dtype, "bound") for bound in (lo, hi)]
        self.emitter.node("Clip", [y, *bounds], output=output)

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
                term = self.emitter.node("Mul", [term, self._int64(part.factor * factor)])
                total = self.emitter.node("Add", [total, term]) if total else term
        total = self.emitter.node("Add", [total, self._int64(_planar(op.bias))])
        self.emitter.cast(total, target, output)

    def _single_convolution(self, op: Conv, part: _Part, output: str) -> None:
        """Bytes by bytes, the sum in 32 bits."""
        if op.bias.any():
            total = self._byte_convolution(op, part, op.weight)
            bias = self.emitter.constant(_planar(op.bias), np.int32, "bias")
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
            rest = self.emitter.node("Sub", [rest, self._double(op.zero_point)])
        lo, hi = type.min - op.zero_point, type.max - op.zero_point
        parts: list[_Part] = []
        while not (-128 <= lo and hi <= 127):
            upper = self.emitter.node("Floor", [self.emitter.node("Mul", [rest, self._double(1 / 256)])])
            lower = self.emitter.node("Sub", [rest, self.emitter.node("Mul", [upper, self._double(256)])])
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
        attributes = {**_window_attributes(op.geometry), "group": op.groups}
        return self.emitter.node("ConvInteger", [part.tensor, kernel, *zero_points], output=output, **attributes)

    # ---- functions ---------------------------------------------------------------------------------------------------

    def _requantize(self, op: Requantize, x: str, output: str) -> None:
        source, target = self.graph.tensors[op.inputs[0]], self.graph.tensors[op.output]
        match op.reference:
            case QLinearReference():
                self._float32_multiply(op, x, output)
            case AffineReference():
                self._affine(op.reference, x, source, carrier(target.type), output, op.name)
            case TableReference():
                self._table(op.reference, x, source, carrier(target.type), output)

    def _float32_multiply(self, op: Requantize, x: str, output: str) -> None:
        """QLinear arithmetic, operator by operator."""
        reference = op.reference
        assert isinstance(reference, QLinearReference)
        multiplier = self.emitter.constant(_planar(reference.multiplier), np.float32, "multiplier")
        y = self.emitter.node("Mul", [self.emitter.cast(x, TensorProto.FLOAT), multiplier])
        y = self.emitter.node("Round", [y])
        bounds = [self._float(b - reference.zero_point) for b in (reference.lo, reference.hi)]
        y = self.emitter.node("Clip", [y, *bounds])
        y = self.emitter.node("Add", [y, self._float(reference.zero_point)])
        self.emitter.cast(y, carrier(self.graph.tensors[op.output].type), output)

    def _affine(
        self, reference: AffineReference, x: str, source: Tensor, element: int, output: str, name: str
    ) -> None:
        """One multiplication, addition and division in float64, proved to round to the same integers."""
        constants = arithmetic.doubles(reference, source.lo, source.hi, name)
        y = self.emitter.cast(x, TensorProto.DOUBLE)
        y = self.emitter.node("Mul", [y, self.emitter.constant(_planar(constants.numerator), np.float64, "scale")])
        y = self.emitter.node("Add", [y, self.emitter.constant(_planar(constants.constant), np.float64, "offset")])
        if (constants.denominator != 1).any():
            y = self.emitter.node("Div", [y, self.emitter.constant(_planar(constants.denominator), np.float64, "divisor")])
        self._close(y, reference, element, output)

    def _close(self, y: str, reference: AffineReference | AffineJoinReference, element: int, output: str) -> None:
        """Round float64 values, add the zero point, clip and convert."""
        y = self._round(y, reference.rounding)
        if reference.zero_point:
            y = self.emitter.node("Add", [y, self._double(reference.zero_point)])
        lo, hi = (_planar(np.atleast_1d(np.array(b, np.float64))) for b in (reference.lo, reference.hi))
        y = self.emitter.node("Max", [y, self.emitter.constant(lo, np.float64, "bound")])
        y = self.emitter.node("Min", [y, self.emitter.constant(hi, np.float64, "bound")])
        self.emitter.cast(y, element, output)

    def _round(self, y: str, rounding: Rounding) -> str:
        """A rounding mode in operators that ONNX has for float64."""
        if rounding in (Rounding.HALF_EVEN, Rounding.FLOOR, Rounding.CEIL):
            operator = {Rounding.HALF_EVEN: "Round", Rounding.FLOOR: "Floor", Rounding.CEIL: "Ceil"}[rounding]
            return self.emitter.node(operator, [y])
        sign = self.emitter.node("Sign", [y])
        if rounding is Rounding.SIGN:
            # zero counts as positive
            return self.emitter.node("Sign", [self.emitter.node("Add", [sign, self._double(0.5)])])
        magnitude = self.emitter.node("Abs", [y])
        if rounding is Rounding.HALF_UP:
            magnitude = self.emitter.node("Add", [magnitude, self._double(0.5)])
        elif rounding is Rounding.HALF_DOWN:
            magnitude = self.emitter.node("Sub", [magnitude, self._double(0.5)])
        operator = "Ceil" if rounding in (Rounding.UP, Rounding.HALF_DOWN) else "Floor"
        return self.emitter.node("Mul", [sign, self.emitter.node(operator, [magnitude])])

    def _table(self, reference: TableReference, x: str, source: Tensor, element: int, output: str) -> None:
        rows, length = reference.values.shape
        index = self.emitter.cast(x, TensorProto.INT64)
        start = np.arange(rows) * length - reference.first  # one table after another, one per channel
        if start.any():
            index = self.emitter.node("Add", [index, self.emitter.constant(_planar(start), np.int64, "start")])
        table = self.emitter.constant(reference.values.ravel(), numpy_type(element), "table")
        self.emitter.node("Gather", [table, index], output=output, axis=0)

    # ---- joins -------------------------------------------------------------------------------------------------------

    def _join(self, op: Join, inputs: list[str], output: str) -> None:
        reference = op.reference
        target = carrier(self.graph.tensors[op.output].type)
        if isinstance(reference, AffineJoinReference):
            parts = [
                self.emitter.node("Mul", [self.emitter.cast(x, TensorProto.DOUBLE), self._planar_double(scale)])
                for x, scale in zip(inputs, (reference.scale_a, reference.scale_b), strict=True)
            ]
            y = self.emitter.node("Add", parts)
            y = self.emitter.node("Add", [y, self._planar_double(reference.constant)])
            y = self.emitter.node("Mul", [y, self._double(2.0**-reference.shift)])
            self._close(y, reference, target, output)
        else:
            self._qlinear_add(op, reference, inputs, target, output)

    def _qlinear_add(self, op: Join, reference: QLinearAddReference, inputs: list[str], target: int, output: str) -> None:
        a, b = (self.graph.tensors[name] for name in op.inputs)
        known = {view.tensor: view.zero_point for view in self.graph.views.values()}
        likely = (known[a.name], known[b.name]) if a.name in known and b.name in known else None
        dtype = numpy_type(target)
        zero_points = None
        if target in BYTES and carrier(a.type) == carrier(b.type) == target:
            byte = QuantType(8, signed=dtype.kind == "i")
            zero_points = arithmetic.add_zero_points(reference, byte, likely)
        if zero_points is None:
            self._add_table(reference, a, b, inputs, target, output)
            return
        bounds = np.iinfo(dtype)
        clipped = (reference.lo, reference.hi) != (bounds.min, bounds.max)
        scales = [self._float(s) for s in (reference.scale_a, reference.scale_b, 1)]
        zeros = [self.emitter.constant(z, dtype, "zero_point") for z in zero_points]
        arguments = [inputs[0], scales[0], zeros[0], inputs[1], scales[1], zeros[1], scales[2], zeros[2]]
        y = self.emitter.node("QLinearAdd", arguments, "add", "" if clipped else output, _MICROSOFT)
        if clipped:
            self._clip(y, reference.lo, reference.hi, dtype, output)

    def _add_table(
        self, reference: QLinearAddReference, a: Tensor, b: Tensor, inputs: list[str], target: int, output: str
    ) -> None:
        """Operands of different types, which the QLinearAdd kernel does not take: all pairs in one table."""
        table = reference.table(a.type, b.type)
        first, second = (self.emitter.cast(x, TensorProto.INT64) for x in inputs)
        row = self.emitter.node("Mul", [first, self.emitter.constant(table.shape[1], np.int64, "columns")])
        index = self.emitter.node("Add", [row, second])
        origin = self.emitter.constant(a.type.min * table.shape[1] + b.type.min, np.int64, "origin")
        index = self.emitter.node("Sub", [index, origin])
        values = self.emitter.constant(table.ravel(), numpy_type(target), "table")
        self.emitter.node("Gather", [values, index], output=output, axis=0)

    # ---- constants ---------------------------------------------------------------------------------------------------

    def _float(self, value: Any) -> str:
        return self.emitter.constant(value, np.float32)

    def _double(self, value: float) -> str:
        return self.emitter.constant(value, np.float64)

    def _int64(self, value: Any) -> str:
        return self.emitter.constant(value, np.int64)

    def _planar_double(self, values: npt.NDArray[Any]) -> str:
        return self.emitter.constant(_planar(values), np.float64)


@dataclass(frozen=True)
class _Part:
    """One byte of a layer's input: ``(tensor - zero_point) * factor``, at most ``reach`` in magnitude before the factor."""

    tensor: str
    element: int
    zero_point: int
    factor: int
    reach: int


def _weight_parts(weight: IntArray, element: int) -> list[tuple[IntArray, int]]:
    """(byte-wide weights, factor): one if they fit the input's element type or uint8, else bytes from the lowest up."""
    if byte_form(weight, element) is not None or byte_form(weight, int(TensorProto.UINT8)) is not None:
        return [(weight, 1)]
    return [(weight & 0xFF, 1), *((part, factor * 256) for part, factor in _weight_parts(weight >> 8, element))]


def _samples(program: HostProgram) -> dict[str, Array]:
    """One all-zero image of every input of the model."""
    return {name: np.zeros((1, *program.shapes[name]), program.dtypes[name]) for name in program.inputs}


def _value_info(name: str, sample: Array) -> onnx.ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(sample.dtype)
    return helper.make_tensor_value_info(name, element, [BATCH, *sample.shape[1:]])


def _window_attributes(geometry: Geometry) -> dict[str, Any]:
    return {
        "kernel_shape": list(geometry.kernel),
        "strides": list(geometry.strides),
        "dilations": list(geometry.dilations),
        "pads": list(geometry.pads),
    }


def _per_channel(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(C,) as it is, a single value as a scalar."""
    return values.reshape(()) if values.size == 1 else values


def _planar(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Per-channel constants (C,) shaped to meet (batch, C, H, W)."""
    return values.reshape(()) if values.size == 1 else values.reshape(-1, 1, 1)
