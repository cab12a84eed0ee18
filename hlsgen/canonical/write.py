"""A Graph as ONNX that ONNX Runtime executes without a single inexact sum: ``canonical.onnx``.

Tensors are (batch, C, H, W) here; those of at most 8 bits are int8 or uint8 (bipolar ones int8 -1 and +1), wider ones
int32 or int64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from hlsgen.canonical.emitter import BATCH, BYTES, Array, Emitter, carrier, numpy_type, safe
from hlsgen.canonical.functions import FunctionEmitter
from hlsgen.canonical.host import HostEmitter
from hlsgen.canonical.layers import LayerEmitter, fusible, window_attributes
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph, Layout, Tensor
from hlsgen.graph.host import HostProgram
from hlsgen.graph.ops import Concat, Conv, Join, MaxPool, Op, Requantize, Reshape, SumPool


def write(graph: Graph, fuse: bool = True) -> onnx.ModelProto:
    """The canonical model of ``graph``, with the inputs and outputs of the original.

    ``fuse``: close 8-bit layers with ONNX Runtime's QLinear kernels; otherwise every accumulator is a tensor of its own
    and the float32 multiplication is spelled out. Raises UnsupportedError where float64 cannot state a reference.
    """
    return _Writer(graph, fuse).model()


def tensor_names(graph: Graph, fuse: bool = True) -> dict[str, str]:
    """The canonical model's name of each graph tensor it has; inside fused layers there are no accumulators."""
    fused = fusible(graph) if fuse else {}
    taken = {*graph.prefix.inputs, *graph.suffix.outputs}
    names: dict[str, str] = {}
    for number, name in enumerate(graph.tensors):
        if name not in fused:
            own = f"t{number}_{safe(name)}"
            while own in taken:
                own += "_"
            names[name] = own
    return names


class _Writer:
    def __init__(self, graph: Graph, fuse: bool) -> None:
        self.graph = graph
        self.names = tensor_names(graph, fuse)
        self.fused = fusible(graph) if fuse else {}
        self.emitter = Emitter({*graph.prefix.inputs, *graph.suffix.outputs, *self.names.values()})
        self.layers = LayerEmitter(self.emitter, graph, self.names)
        self.functions = FunctionEmitter(self.emitter, graph, self.names)

    def model(self) -> onnx.ModelProto:
        graph = self.graph
        host = HostEmitter(self.emitter)
        self._enter(host)
        for op in graph.ops:
            self._operator(op)
        self._leave(host)
        inputs = [_value_info(name, sample) for name, sample in _samples(graph.prefix).items()]
        outputs = [_value_info(name, sample) for name, sample in self._host_outputs().items()]
        return self.emitter.model(graph.name, inputs, outputs)

    # ---- host parts --------------------------------------------------------------------------------------------------

    def _enter(self, host: HostEmitter) -> None:
        """The prefix, and the integers it ends in as the tensor that enters the accelerator."""
        graph = self.graph
        values = host.program(graph.prefix, {name: name for name in graph.prefix.inputs}, _samples(graph.prefix))
        name = next(name for name in graph.prefix.outputs if graph.views[name].tensor == graph.input)
        tensor, layout = graph.tensors[graph.input], graph.views[name].layout
        height, width, channels = tensor.shape
        order = np.argsort(layout.index, axis=None)[_planar_order(tensor)]
        x = self._in_order(self.emitter.cast(values[name], carrier(tensor.type)), order)
        self.emitter.reshape(x, (channels, height, width), self.names[graph.input])

    def _leave(self, host: HostEmitter) -> None:
        """The integers that leave the accelerator as the ONNX tensors the suffix reads, and the suffix."""
        graph = self.graph
        delivered: dict[str, str] = {}
        for name, sample in self._delivered_samples().items():
            view = graph.views[name]
            order = np.argsort(_planar_order(graph.tensors[view.tensor]))[view.layout.index.ravel()]
            x = self._in_order(self.names[view.tensor], order)
            x = self.emitter.reshape(x, view.layout.index.shape)
            delivered[name] = self.emitter.cast(x, helper.np_dtype_to_tensor_dtype(sample.dtype))
        host.program(graph.suffix, delivered, self._delivered_samples(), keep=graph.suffix.outputs)

    def _in_order(self, x: str, order: npt.NDArray[np.int64]) -> str:
        """The elements of each image in another order, flat unless it is the one they have."""
        if (order == np.arange(order.size)).all():
            return x
        flat = self.emitter.reshape(x, (order.size,))
        return self.emitter.node("Gather", [flat, self.emitter.constant(order, np.int64, "order")], axis=1)

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

    # ---- operators ---------------------------------------------------------------------------------------------------

    def _operator(self, op: Op) -> None:
        match op:
            case Conv() | SumPool() if op.output in self.fused:
                self.layers.fused(op, self.fused[op.output])
            case Conv() | SumPool():
                self.layers.accumulators(op)
            case Requantize() if op.inputs[0] in self.fused:
                pass  # written with its layer
            case Requantize():
                self.functions.requantize(op)
            case Join():
                self.functions.join(op)
            case MaxPool():
                self._max_pool(op)
            case Concat():
                self._concat(op)
            case Reshape():
                self._reshape(op)
            case _:
                raise TypeError(f"{op.name}: no canonical form for {type(op).__name__}")

    def _max_pool(self, op: MaxPool) -> None:
        x, output, tensor = self.names[op.inputs[0]], self.names[op.output], self.graph.tensors[op.inputs[0]]
        element = carrier(tensor.type)
        attributes = window_attributes(op.geometry)
        too_wide = any(pad >= size for pad, size in zip(op.geometry.pads, op.geometry.kernel * 2, strict=True))
        full_byte = element in BYTES and tensor.type.min == np.iinfo(numpy_type(element)).min
        if any(op.geometry.pads) and (too_wide or not full_byte):
            # the operator refuses borders as wide as its window, and its own have the carrier's minimum
            top, left, bottom, right = op.geometry.pads
            pads = self.emitter.constant([0, 0, top, left, 0, 0, bottom, right], np.int64, "pads")
            x = self.emitter.node("Pad", [x, pads, self.emitter.constant(tensor.type.min, numpy_type(element))])
            attributes["pads"] = [0, 0, 0, 0]
        if element in BYTES:
            self.emitter.node("MaxPool", [x], output=output, **attributes)
        else:
            pooled = self.emitter.node("MaxPool", [self.emitter.cast(x, TensorProto.DOUBLE)], **attributes)
            self.emitter.cast(pooled, element, output)

    def _concat(self, op: Concat) -> None:
        element = carrier(self.graph.tensors[op.output].type)
        parts = []
        for name in op.inputs:
            same = carrier(self.graph.tensors[name].type) == element
            parts.append(self.names[name] if same else self.emitter.cast(self.names[name], element))
        self.emitter.node("Concat", parts, output=self.names[op.output], axis=1)

    def _reshape(self, op: Reshape) -> None:
        """Elements are ordered H, W, C in a frame, so the channels go last for the new shape to mean the same."""
        x, output = self.names[op.inputs[0]], self.names[op.output]
        height, width, channels = self.graph.tensors[op.output].shape
        if max(self.graph.tensors[op.inputs[0]].shape[:2]) > 1:
            x = self.emitter.transpose(x, (0, 2, 3, 1))
        if height == width == 1:
            self.emitter.reshape(x, (channels, 1, 1), output)
        else:
            self.emitter.transpose(self.emitter.reshape(x, (height, width, channels)), (0, 3, 1, 2), output)


def _planar_order(tensor: Tensor) -> npt.NDArray[np.int64]:
    """Where each element of (C, H, W), flat, stands in the frame (H, W, C)."""
    height, width, channels = tensor.shape
    return Layout.planar(channels, height, width).index.ravel()


def _samples(program: HostProgram) -> dict[str, Array]:
    """One all-zero image of every input of the model."""
    return {name: np.zeros((1, *program.shapes[name]), program.dtypes[name]) for name in program.inputs}


def _value_info(name: str, sample: Array) -> onnx.ValueInfoProto:
    shape: list[str | int] = [BATCH, *sample.shape[1:]]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(sample.dtype), shape)
