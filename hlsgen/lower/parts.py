"""The kernels that one layer becomes, without the streams between them.

``mapping`` joins them into a design; the plan asks for them one at a time, to see what a folding costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hlsgen.exact.units import JoinUnit, RequantUnit, TableUnit, Unit
from hlsgen.graph.graph import Frame, Graph
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Requantize, SumPool
from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.concat import Concat as ConcatKernel
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.maxpool import MaxPool as MaxPoolKernel
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.sumpool import SumPool as SumPoolKernel
from hlsgen.kernels.table import Table
from hlsgen.kernels.window import Window
from hlsgen.lower.folding import Folding, Units, macs, padded_type, weight_type
from hlsgen.lower.layers import Layer, is_depthwise, needs_window
from hlsgen.lower.types import raw_bias, stream_types


@dataclass(frozen=True, eq=False)
class Parts:
    """Kernels of the layers of ``graph``. ``types``: ``stream_types(graph)``; ``units``: exact units by tensor.

    A layer is, for each input, kernels that prepare the stream (``preparing``), then one that computes (``body``), then
    one that closes the sum (``closing``). Methods raise ValueError for a folding that is not legal, KeyError for a
    unit that is missing.
    """

    graph: Graph
    units: Units
    types: Mapping[str, QuantType]

    @staticmethod
    def of(graph: Graph, units: Units) -> Parts:
        """The parts of ``graph``'s layers."""
        return Parts(graph, units, stream_types(graph))

    def preparing(self, layer: Layer, folding: Folding, index: int = 0) -> list[Kernel]:
        """What input ``index`` passes through first: a table into another type, a sliding window; mostly neither."""
        op = layer.op
        source = self.graph.tensors[op.inputs[index]]
        lanes, type = input_lanes(layer, folding), self._prepared_type(layer, index)
        kernels = _converted(source.shape, lanes, self.types[source.name], type)
        window = self._window_of(layer)
        if window is not None:
            pad = window.pad_value if any(window.geometry.pads) else type.min
            groups = source.shape[2] // lanes if window.groups is None else window.groups
            memory = folding.line_memory
            kernels.append(Window(source.shape, window.geometry, pad, lanes, folding.taps, groups, type, memory=memory))
        return kernels

    def body(self, layer: Layer, folding: Folding) -> Kernel | None:
        """What computes the layer's sums or choices; None for a Requantize by itself."""
        match layer.op:
            case Conv() as op:
                return self._conv(layer, op, folding)
            case MaxPool() as op:
                height, width, channels = self.graph.tensors[op.output].shape
                count = op.geometry.kernel[0] * op.geometry.kernel[1]
                element = self.types[op.output]
                return MaxPoolKernel(height * width, count, channels, folding.lanes, folding.taps, element)
            case SumPool() as op:
                height, width, channels = self.graph.tensors[op.output].shape
                count = op.geometry.kernel[0] * op.geometry.kernel[1]
                return SumPoolKernel(
                    windows=height * width,
                    kernel_taps=count,
                    channels=channels,
                    lanes=folding.lanes,
                    taps=folding.taps,
                    input_type=self._prepared_type(layer),
                    acc_type=self.types[op.output],
                    offset=-count * op.zero_point,
                )
            case Concat() as op:
                height, width, _ = self.graph.tensors[op.output].shape
                channels_of = tuple(self.graph.tensors[name].shape[2] for name in op.inputs)
                return ConcatKernel(height * width, channels_of, folding.lanes, self.types[op.output])
            case Join() as op:
                unit = self.unit(layer, folding)
                assert isinstance(unit, JoinUnit)
                return Add(
                    frame=self.graph.tensors[op.output].shape,
                    lanes=folding.lanes,
                    a_type=self.types[op.inputs[0]],
                    b_type=self.types[op.inputs[1]],
                    output_type=self.types[op.output],
                    unit=unit,
                    mac=folding.requant_mac,
                )
            case Requantize():
                return None
        raise TypeError(f"{layer.op.name}: no kernel computes {type(layer.op).__name__}")

    def closing(self, layer: Layer, folding: Folding) -> Kernel | None:
        """The function that closes the layer's sum, or that a Requantize by itself computes; None without one."""
        op = closing_op(layer)
        if op is None:
            return None
        frame = self.graph.tensors[op.output].shape
        input_type, output_type = self.types[op.inputs[0]], self.types[op.output]
        unit = self.unit(layer, folding)
        assert isinstance(unit, RequantUnit)
        lanes, memory = folding.requant_lanes, folding.requant_memory
        if isinstance(unit, TableUnit):
            return Table(frame, lanes, input_type, output_type, unit.values, unit.domain[0], memory=memory)
        return Requant(
            frame, lanes, input_type, output_type, unit, passes=folding.passes, mac=folding.requant_mac, memory=memory
        )

    def unit(self, layer: Layer, folding: Folding) -> Unit:
        """The exact unit that the folding names, or the cheapest. Raises ValueError for a name that is none."""
        op = closing_op(layer) or layer.op
        candidates = self.units[op.output]
        for unit in candidates:
            if folding.unit in (None, unit.kind):
                return unit
        names = ", ".join(dict.fromkeys(unit.kind for unit in candidates))
        raise ValueError(f"{layer.name}: no exact unit is called {folding.unit}; there are {names}")

    def _conv(self, layer: Layer, op: Conv, folding: Folding) -> Kernel:
        mac = folding.mac or macs(op, self.types[op.inputs[0]])[0]
        height, width, count = self.graph.tensors[op.output].shape
        taps = folding.taps
        input_type, acc_type = self._prepared_type(layer), self.types[op.output]
        if is_depthwise(op):
            return Depthwise(
                pixels=height * width,
                channels=count,
                pe=folding.pe,
                taps=taps,
                weights=op.weight.reshape(count, -1),
                bias=raw_bias(op),
                input_type=input_type,
                weight_type=weight_type(op, mac),
                acc_type=acc_type,
                mac=mac,
                memory=folding.memory,
            )
        return Matvec(
            pixels=height * width,
            groups=op.groups,
            pe=folding.pe,
            simd=taps * folding.lanes,
            weights=stream_order(op.weight, taps, folding.lanes).reshape(op.groups, count // op.groups, -1),
            bias=raw_bias(op),
            input_type=input_type,
            weight_type=weight_type(op, mac),
            acc_type=acc_type,
            mac=mac,
            memory=folding.memory,
        )

    def _prepared_type(self, layer: Layer, index: int = 0) -> QuantType:
        """Element type in which input ``index`` reaches the body: it holds the padding, or all parts of a concat."""
        if isinstance(layer.op, Concat):
            return self.types[layer.op.output]
        type, window = self.types[layer.op.inputs[index]], self._window_of(layer)
        return type if window is None else padded_type(type, window.geometry, window.pad_value)

    def _window_of(self, layer: Layer) -> _Sliding | None:
        """How the layer slides over its input, None where the plain stream is its window."""
        match layer.op:
            case Conv() as op:
                groups = None if is_depthwise(op) else op.groups
                window = _Sliding(op.geometry, op.zero_point, groups, by_channel=op.groups > 1)
            case MaxPool() as op:
                window = _Sliding(op.geometry, self.types[op.output].min, 1, by_channel=False)
            case SumPool() as op:
                window = _Sliding(op.geometry, op.zero_point, 1, by_channel=False)
            case _:
                return None
        frame = self.graph.tensors[layer.op.inputs[0]].shape
        return window if needs_window(window.geometry, frame, window.by_channel) else None


@dataclass(frozen=True)
class _Sliding:
    """A sliding window. ``groups``: of the window kernel; None for one per tile of channels."""

    geometry: Geometry
    pad_value: int
    groups: int | None
    by_channel: bool


def closing_op(layer: Layer) -> Requantize | None:
    """The Requantize that belongs to the layer, or is it."""
    return layer.op if isinstance(layer.op, Requantize) else layer.requantize


def input_lanes(layer: Layer, folding: Folding) -> int:
    """Channels per beat with which the layer takes its inputs."""
    if isinstance(layer.op, Requantize):
        return folding.requant_lanes
    return folding.pe if isinstance(layer.op, Conv) and is_depthwise(layer.op) else folding.lanes


def stream_order(weight: IntArray, taps: int, lanes: int) -> IntArray:
    """Weights (N, KH, KW, C) as (N, K), inputs in the order of a window's beats.

    A window sends (tap group, channel tile) beats of ``taps`` times ``lanes`` elements, channels fastest.
    """
    count, rows, columns, channels = weight.shape
    split = weight.reshape(count, rows * columns // taps, taps, channels // lanes, lanes)
    return np.ascontiguousarray(split.transpose(0, 1, 3, 2, 4)).reshape(count, -1)


def _converted(frame: Frame, lanes: int, source: QuantType, target: QuantType) -> list[Kernel]:
    """The same values in another type, by a table of them (only narrow types ever differ, see ``stream_types``)."""
    if source == target:
        return []
    values = np.arange(source.min, source.max + 1)[None, :]
    return [Table(frame, lanes, source, target, values, source.min)]
