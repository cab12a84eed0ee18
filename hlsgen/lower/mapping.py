"""Graph to Design: each operator becomes kernel instances, each tensor a stream."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from hlsgen.graph.graph import Frame, Graph
from hlsgen.graph.ops import Reshape
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.fork import Fork
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.table import Table
from hlsgen.kernels.unpack import Unpack
from hlsgen.kernels.width import Width
from hlsgen.lower.design import Design, Instance, Stream
from hlsgen.lower.folding import Folding, Foldings, Units
from hlsgen.lower.layers import Layer, layers
from hlsgen.lower.names import identifiers
from hlsgen.lower.parts import Parts, closing_op, input_lanes


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
        self.parts = Parts.of(graph, units)
        self.layers = {id(layer.op): layer for layer in layers(graph)}
        self.foldings = {layer.name: plan.folding(layer.name) for layer in self.layers.values()}
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
            return input_lanes(layer, self.foldings[layer.name])
        return 1

    # operators

    def _layer(self, layer: Layer, folding: Folding) -> str:
        lanes, parts = input_lanes(layer, folding), self.parts
        streams = []
        for index, tensor in enumerate(layer.op.inputs):
            stream = self._take(tensor, lanes)
            for kernel in parts.preparing(layer, folding, index):
                carried = isinstance(kernel, Table)  # the same frame in another type; windows are none
                stream = self._single(kernel, [stream], tensor if carried else None)
            streams.append(stream)
        body, closing, op = parts.body(layer, folding), parts.closing(layer, folding), closing_op(layer)
        output = streams[0] if body is None else self._single(body, streams, layer.op.output)
        if closing is None or op is None:
            return output
        return self._single(closing, [self._adapt(output, folding.requant_lanes)], op.output)

    # streams

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
