"""Graph to Design: each operator becomes kernel instances, each tensor a stream."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from hlsgen.exact.units import JoinUnit, RequantUnit, TableUnit, Unit
from hlsgen.graph.graph import Frame, Graph
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Op, Requantize, Reshape, SumPool
from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.concat import Concat as ConcatKernel
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.fork import Fork
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.maxpool import MaxPool as MaxPoolKernel
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.sumpool import SumPool as SumPoolKernel
from hlsgen.kernels.table import Table
from hlsgen.kernels.unpack import Unpack
from hlsgen.kernels.width import Width
from hlsgen.kernels.window import Window
from hlsgen.lower.design import Design, Instance, Stream
from hlsgen.lower.folding import Folding, Foldings, Units, macs, padded_type, weight_type
from hlsgen.lower.layers import Layer, is_depthwise, layers, needs_window
from hlsgen.lower.names import identifiers
from hlsgen.lower.types import raw_bias, stream_types


def lower(graph: Graph, units: Units, plan: Foldings, axi_bits: int) -> Design:
    """Build ``graph`` with the foldings of ``plan``, for an AXI4-Stream of ``axi_bits`` bits.

    ``units``: exact units by the output tensor of each Requantize and Join. FIFO depths are left at 2 (``plan`` sizes
    them). Raises ValueError for a folding that is not legal and KeyError for a layer or unit that is missing.
    """
    return _Lowering(graph, units, plan, axi_bits).run()


class _Lowering:
    """One lowering under way: the design so far, and the streams that nobody reads yet."""

    def __init__(self, graph: Graph, units: Units, plan: Foldings, axi_bits: int) -> None:
        self.graph = graph
        self.units = units
        self.layers = {id(layer.op): layer for layer in layers(graph)}
        self.foldings = {layer.name: plan.folding(layer.name) for layer in self.layers.values()}
        self.types = stream_types(graph)
        self.consumers = graph.consumers()
        self.design = Design(identifiers([graph.name], ["network"])[0], axi_bits)
        self.waiting: dict[str, list[str]] = {}
        self.name = ""  # layer whose instances are being made
        self.origin = ""  # its name in the model

    def run(self) -> Design:
        graph = self.graph
        self._begin("input", graph.input)
        last = self._unpack()
        for op in graph.ops:
            if isinstance(op, Reshape):
                self._offer(op.output, self._take(op.inputs[0]))
            elif id(op) in self.layers:
                layer = self.layers[id(op)]
                self._begin(layer.name, op.name)
                output = self._layer(layer, self.foldings[layer.name])
                self._offer((layer.requantize or op).output, output)
        self._begin("output", ", ".join(graph.outputs))
        self._pack(last)
        self.design.check()
        return self.design

    # the boundary

    def _unpack(self) -> str:
        tensor = self.graph.tensors[self.graph.input]
        kernel = Unpack(self.design.axi_bits, tensor.elements, self._wanted_lanes(tensor.name), tensor.type)
        self.design.streams[self.design.input] = Stream(self.design.input, kernel.inputs[0], self.origin)
        data, last = self._add(kernel, [self.design.input], tensor.name, tensor.shape)
        self._offer(tensor.name, data)
        return last

    def _pack(self, last: str) -> None:
        streams = [self._take(name) for name in self.graph.outputs]
        specs = [self.design.streams[name].spec for name in streams]
        kernel = Pack(self.design.axi_bits, tuple((spec.elements, spec.lanes, spec.type) for spec in specs))
        self._add(kernel, [*streams, last], outputs=[self.design.output])

    def _wanted_lanes(self, tensor: str) -> int:
        """Lanes with which the first reader of ``tensor`` takes its beats."""
        for op in self.consumers[tensor]:
            if isinstance(op, Reshape):
                return self._wanted_lanes(op.output)
            layer = self.layers[id(op)]
            folding = self.foldings[layer.name]
            if isinstance(op, Requantize):
                return folding.requant_lanes
            return folding.pe if isinstance(op, Conv) and is_depthwise(op) else folding.lanes
        return 1

    # operators

    def _layer(self, layer: Layer, folding: Folding) -> str:
        match layer.op:
            case Conv():
                output = self._conv(layer.op, folding)
            case MaxPool():
                output = self._maxpool(layer.op, folding)
            case SumPool():
                output = self._sumpool(layer.op, folding)
            case Concat():
                output = self._concat(layer.op, folding)
            case Join():
                output = self._join(layer.op, folding)
            case Requantize():
                output = self._requantize(layer.op, self._take(layer.op.inputs[0], folding.requant_lanes), folding)
            case _:
                raise TypeError(f"{layer.op.name}: no kernel computes {type(layer.op).__name__}")
        if layer.requantize is not None:
            output = self._requantize(layer.requantize, self._adapt(output, folding.requant_lanes), folding)
        return output

    def _conv(self, op: Conv, folding: Folding) -> str:
        source = self.graph.tensors[op.inputs[0]]
        depthwise = is_depthwise(op)
        lanes = folding.pe if depthwise else folding.lanes
        groups = source.shape[2] // lanes if depthwise else op.groups
        stream, taps = self._windows(op, op.geometry, op.zero_point, lanes, folding.taps, groups, op.groups > 1)
        input_type = self.design.streams[stream].spec.type
        mac = folding.mac or macs(op, self.types[source.name])[0]
        weights_type = weight_type(op, mac)
        height, width, count = self.graph.tensors[op.output].shape
        kernel: Kernel
        if depthwise:
            kernel = Depthwise(
                pixels=height * width,
                channels=count,
                pe=folding.pe,
                taps=taps,
                weights=op.weight.reshape(count, -1),
                bias=raw_bias(op),
                input_type=input_type,
                weight_type=weights_type,
                acc_type=self.types[op.output],
                mac=mac,
            )
        else:
            kernel = Matvec(
                pixels=height * width,
                groups=op.groups,
                pe=folding.pe,
                simd=taps * lanes,
                weights=stream_order(op.weight, taps, lanes).reshape(op.groups, count // op.groups, -1),
                bias=raw_bias(op),
                input_type=input_type,
                weight_type=weights_type,
                acc_type=self.types[op.output],
                mac=mac,
            )
        return self._single(kernel, [stream], op.output)

    def _maxpool(self, op: MaxPool, folding: Folding) -> str:
        height, width, channels = self.graph.tensors[op.output].shape
        pad_value = self.types[op.output].min
        stream, taps = self._windows(op, op.geometry, pad_value, folding.lanes, folding.taps, 1, by_channel=False)
        rows, columns = op.geometry.kernel
        kernel = MaxPoolKernel(height * width, rows * columns, channels, folding.lanes, taps, self.types[op.output])
        return self._single(kernel, [stream], op.output)

    def _sumpool(self, op: SumPool, folding: Folding) -> str:
        height, width, channels = self.graph.tensors[op.output].shape
        stream, taps = self._windows(op, op.geometry, op.zero_point, folding.lanes, folding.taps, 1, by_channel=False)
        count = op.geometry.kernel[0] * op.geometry.kernel[1]
        kernel = SumPoolKernel(
            windows=height * width,
            kernel_taps=count,
            channels=channels,
            lanes=folding.lanes,
            taps=taps,
            input_type=self.design.streams[stream].spec.type,
            acc_type=self.types[op.output],
            offset=-count * op.zero_point,
        )
        return self._single(kernel, [stream], op.output)

    def _concat(self, op: Concat, folding: Folding) -> str:
        height, width, _ = self.graph.tensors[op.output].shape
        type = self.types[op.output]
        frames = [self.graph.tensors[name].shape for name in op.inputs]
        streams = [
            self._convert(self._take(name, folding.lanes), frame, type)
            for name, frame in zip(op.inputs, frames, strict=True)
        ]
        channels = tuple(frame[2] for frame in frames)
        return self._single(ConcatKernel(height * width, channels, folding.lanes, type), streams, op.output)

    def _join(self, op: Join, folding: Folding) -> str:
        a, b = (self._take(name, folding.lanes) for name in op.inputs)
        unit = self._unit(op, folding)
        assert isinstance(unit, JoinUnit)
        kernel = Add(
            frame=self.graph.tensors[op.output].shape,
            lanes=folding.lanes,
            a_type=self.design.streams[a].spec.type,
            b_type=self.design.streams[b].spec.type,
            output_type=self.types[op.output],
            unit=unit,
        )
        return self._single(kernel, [a, b], op.output)

    def _requantize(self, op: Requantize, stream: str, folding: Folding) -> str:
        frame = self.graph.tensors[op.output].shape
        input_type, output_type = self.design.streams[stream].spec.type, self.types[op.output]
        unit = self._unit(op, folding)
        assert isinstance(unit, RequantUnit)
        kernel: Kernel
        if isinstance(unit, TableUnit):
            kernel = Table(frame, folding.requant_lanes, input_type, output_type, unit.values, unit.domain[0])
        else:
            kernel = Requant(frame, folding.requant_lanes, input_type, output_type, unit)
        return self._single(kernel, [stream], op.output)

    def _unit(self, op: Requantize | Join, folding: Folding) -> Unit:
        candidates = self.units[op.output]
        if folding.unit is None:
            return candidates[0]
        for unit in candidates:
            if unit.kind == folding.unit:
                return unit
        names = ", ".join(dict.fromkeys(unit.kind for unit in candidates))
        raise ValueError(f"{self.name}: no exact unit is called {folding.unit}; there are {names}")

    # parts of operators

    def _windows(
        self,
        op: Op,
        geometry: Geometry,
        pad_value: int,
        lanes: int,
        taps: int,
        groups: int,
        by_channel: bool,
    ) -> tuple[str, int]:
        """The stream of ``op``'s windows, and the taps per beat in it (1 where the plain stream will do)."""
        source = self.graph.tensors[op.inputs[0]]
        stream = self._take(source.name, lanes)
        if not needs_window(geometry, source.shape, by_channel):
            return stream, 1
        type = padded_type(self.design.streams[stream].spec.type, geometry, pad_value)
        stream = self._convert(stream, source.shape, type)
        pad = pad_value if any(geometry.pads) else type.min
        return self._single(Window(source.shape, geometry, pad, lanes, taps, groups, type), [stream]), taps

    def _convert(self, stream: str, frame: Frame, type: QuantType) -> str:
        """The same values in another type, by a table of them (only narrow types ever differ, see ``stream_types``)."""
        source = self.design.streams[stream]
        if source.spec.type == type:
            return stream
        first, last = source.spec.type.min, source.spec.type.max
        values = np.arange(first, last + 1)[None, :]
        kernel = Table(frame, source.spec.lanes, source.spec.type, type, values, first)
        return self._add(kernel, [stream], source.tensor, source.frame)[0]

    def _adapt(self, stream: str, lanes: int) -> str:
        """The same elements with ``lanes`` per beat; if neither number divides the other, by way of their divisor."""
        spec = self.design.streams[stream].spec
        if spec.lanes == lanes:
            return stream
        if lanes % spec.lanes and spec.lanes % lanes:
            return self._adapt(self._adapt(stream, gcd(spec.lanes, lanes)), lanes)
        source = self.design.streams[stream]
        kernel = Width(spec.type, spec.lanes, lanes, spec.beats)
        return self._add(kernel, [stream], source.tensor, source.frame)[0]

    # streams

    def _offer(self, tensor: str, stream: str) -> None:
        """Declare ``stream`` to carry ``tensor``, once per reader."""
        readers = len(self.consumers[tensor]) + self.graph.outputs.count(tensor)
        if readers == 0:
            raise ValueError(f"{tensor}: nothing reads this tensor")
        if readers == 1:
            self.waiting[tensor] = [stream]
            return
        source = self.design.streams[stream]
        kernel = Fork(source.spec.type, source.spec.lanes, source.spec.beats, readers)
        self.waiting[tensor] = self._add(kernel, [stream], source.tensor, source.frame)

    def _take(self, tensor: str, lanes: int | None = None) -> str:
        """One reading of ``tensor``, with ``lanes`` elements per beat (None: as they come)."""
        stream = self.waiting[tensor].pop(0)
        return stream if lanes is None else self._adapt(stream, lanes)

    def _begin(self, name: str, origin: str) -> None:
        self.name, self.origin = name, origin

    def _single(self, kernel: Kernel, inputs: Sequence[str], tensor: str | None = None) -> str:
        """Add a kernel with one output; ``tensor`` is the graph's tensor that it carries, if any."""
        frame = self.graph.tensors[tensor].shape if tensor is not None else None
        return self._add(kernel, inputs, tensor, frame)[0]

    def _add(
        self,
        kernel: Kernel,
        inputs: Sequence[str],
        tensor: str | None = None,
        frame: Frame | None = None,
        outputs: Sequence[str] | None = None,
    ) -> list[str]:
        """Add an instance and its output streams, ``outputs`` by name or named after the instance."""
        taken = {instance.name for instance in self.design.instances}
        name, copy = f"{self.name}_{kernel.kind}", 2
        while name in taken:
            name, copy = f"{self.name}_{kernel.kind}_{copy}", copy + 1
        if outputs is None:
            single = len(kernel.outputs) == 1
            outputs = [f"{name}_out" if single else f"{name}_out{index}" for index in range(len(kernel.outputs))]
        for index, stream in enumerate(outputs):
            carried = (tensor, frame) if index == 0 or isinstance(kernel, Fork) else (None, None)
            self.design.streams[stream] = Stream(stream, kernel.outputs[index], self.origin, *carried)
        self.design.instances.append(Instance(name, kernel, tuple(inputs), tuple(outputs), self.origin))
        return list(outputs)


def stream_order(weight: IntArray, taps: int, lanes: int) -> IntArray:
    """Weights (N, KH, KW, C) as (N, K), inputs in the order of a window's beats.

    A window sends (tap group, channel tile) beats of ``taps`` times ``lanes`` elements, channels fastest.
    """
    count, rows, columns, channels = weight.shape
    split = weight.reshape(count, rows * columns // taps, taps, channels // lanes, lanes)
    return np.ascontiguousarray(split.transpose(0, 1, 3, 2, 4)).reshape(count, -1)
