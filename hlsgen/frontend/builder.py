"""Adds integer operators to a graph under construction and derives the range of every tensor they write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.errors import UnsupportedError
from hlsgen.graph.graph import Frame, Tensor
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Op, Requantize, Reshape, SumPool
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    JoinReference,
    QLinearAddReference,
    Reference,
    TableReference,
)
from hlsgen.graph.types import IntArray, QuantType

Bounds = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
WIDEST_ACCUMULATOR = 48
"""Bits: the post-adder of one DSP48; wider sums do not occur in networks that fit a Zynq."""


class GraphBuilder:
    """Operators and tensors collected so far. Per-channel accumulator bounds are kept beside the tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self._bounds: dict[str, Bounds] = {}

    def input(self, name: str, shape: Frame, type: QuantType) -> str:
        """Declare the tensor that enters the accelerator."""
        return self._tensor(name, shape, type, type.min, type.max)

    def bounds(self, name: str) -> Bounds:
        """Smallest and largest reachable value per channel (or one entry for all)."""
        tensor = self.tensors[name]
        return self._bounds.get(name, (np.array([tensor.lo]), np.array([tensor.hi])))

    def conv(
        self,
        name: str,
        x: str,
        geometry: Geometry,
        weight: IntArray,
        bias: IntArray,
        groups: int,
        zero_point: int,
        output: str,
    ) -> str:
        """Convolution or dense layer; ``weight`` is (N, KH, KW, C/groups). Returns the accumulator's name."""
        source = self.tensors[x]
        height, width, _ = source.shape
        rows, columns = geometry.output(height, width)
        lows, highs = (source.lo - zero_point, source.hi - zero_point)
        if any(geometry.pads):
            lows, highs = min(lows, 0), max(highs, 0)
        products = np.stack([weight * lows, weight * highs])
        axes = (1, 2, 3)
        lo = products.min(axis=0).sum(axis=axes) + bias
        hi = products.max(axis=0).sum(axis=axes) + bias
        tensor = self._accumulator(name, output, (rows, columns, len(weight)), lo, hi)
        self.ops.append(Conv(name, (x,), tensor, geometry, weight, bias, groups, zero_point))
        return tensor

    def sumpool(self, name: str, x: str, geometry: Geometry, zero_point: int, output: str) -> str:
        """Sum of ``x - zero_point`` over windows. Returns the accumulator's name."""
        source = self.tensors[x]
        rows, columns = geometry.output(*source.shape[:2])
        taps = geometry.kernel[0] * geometry.kernel[1]
        lo, hi = (source.lo - zero_point) * taps, (source.hi - zero_point) * taps
        if any(geometry.pads):
            lo, hi = min(lo, 0), max(hi, 0)
        tensor = self._accumulator(name, output, (rows, columns, source.shape[2]), np.array([lo]), np.array([hi]))
        self.ops.append(SumPool(name, (x,), tensor, geometry, zero_point))
        return tensor

    def maxpool(self, name: str, x: str, geometry: Geometry, output: str) -> str:
        """Maximum over windows. Returns the new tensor's name."""
        source = self.tensors[x]
        rows, columns = geometry.output(*source.shape[:2])
        tensor = self._tensor(output, (rows, columns, source.shape[2]), source.type, source.lo, source.hi)
        if x in self._bounds:
            self._bounds[tensor] = self._bounds[x]
        self.ops.append(MaxPool(name, (x,), tensor, geometry))
        return tensor

    def requantize(self, name: str, x: str, reference: Reference, type: QuantType, output: str) -> str:
        """Apply a function of one integer. An identity is not built: ``x`` itself is returned."""
        lo, hi = self._image(x, reference)
        source = self.tensors[x]
        if isinstance(reference, TableReference) and self._identity(source, reference):
            return x
        tensor = self._tensor(output, source.shape, type, lo, hi)
        self.ops.append(Requantize(name, (x,), tensor, reference))
        return tensor

    def join(self, name: str, a: str, b: str, reference: JoinReference, type: QuantType, output: str) -> str:
        """Apply a function of two integers."""
        first, second = self.tensors[a], self.tensors[b]
        if isinstance(reference, QLinearAddReference):
            corners = reference.evaluate(
                np.array([first.lo, first.lo, first.hi, first.hi]),
                np.array([second.lo, second.hi, second.lo, second.hi]),
            )
            lo, hi = int(corners.min()), int(corners.max())
        else:
            lo, hi = self._join_image(a, b, reference)
        tensor = self._tensor(output, first.shape, type, lo, hi)
        self.ops.append(Join(name, (a, b), tensor, reference))
        return tensor

    def concat(self, name: str, parts: tuple[str, ...], output: str) -> str:
        """Channels side by side; the result's type holds every part's."""
        sources = [self.tensors[part] for part in parts]
        lo, hi = min(s.lo for s in sources), max(s.hi for s in sources)
        types = {s.type for s in sources}
        type = types.pop() if len(types) == 1 else QuantType.for_range(lo, hi)
        height, width, _ = sources[0].shape
        tensor = self._tensor(output, (height, width, sum(s.shape[2] for s in sources)), type, lo, hi)
        self.ops.append(Concat(name, parts, tensor))
        return tensor

    def reshape(self, x: str, shape: Frame) -> str:
        """Declare ``x`` as a frame of another shape; nothing is built when it has that shape already."""
        source = self.tensors[x]
        if source.shape == shape:
            return x
        name = f"{x}:{'x'.join(map(str, shape))}"
        if name not in self.tensors:
            self._tensor(name, shape, source.type, source.lo, source.hi)
            self.ops.append(Reshape(name, (x,), name))
        return name

    def narrow(self, name: str, x: str, lo: int | None, hi: int | None, output: str, sole_reader: bool) -> str:
        """Clip an integer tensor to lo..hi and give it the narrowest type that holds them.

        The operator that writes ``x`` takes over the bounds when nothing else reads it; otherwise a table clips.
        """
        source = self.tensors[x]
        lo = source.type.min if lo is None else max(lo, source.type.min)
        hi = source.type.max if hi is None else min(hi, source.type.max)
        type = narrow_type(source.type, lo, hi)
        last = self.ops[-1] if self.ops else None
        if sole_reader and isinstance(last, Requantize | Join) and last.output == x:
            self.ops.pop()
            del self.tensors[x]
            tensor = self._tensor(output, source.shape, type, min(max(source.lo, lo), hi), max(min(source.hi, hi), lo))
            self.ops.append(replace(last, output=tensor, reference=_clipped(last.reference, lo, hi)))
            return tensor
        if lo <= source.lo and source.hi <= hi:
            return x
        values = np.arange(source.type.min, source.type.max + 1)[None]
        reference = TableReference(source.type.min, np.clip(values, lo, hi), values.astype(np.float64))
        return self.requantize(name, x, reference, type, output)

    def _image(self, x: str, reference: Reference) -> tuple[int, int]:
        """Smallest and largest result over the reachable inputs (extremes lie at the ends of a monotone function)."""
        source = self.tensors[x]
        lo, hi = self.bounds(x)
        if isinstance(reference, TableReference):
            columns = np.arange(source.lo, source.hi + 1) - reference.first
            values = reference.values[:, columns]
            return int(values.min()), int(values.max())
        if isinstance(reference, AffineReference):
            channels = max(len(reference.scale), len(reference.offset), lo.size)
            ends = [reference.value(int(bound[c % bound.size]), c) for c in range(channels) for bound in (lo, hi)]
            return min(ends), max(ends)
        channels = max(lo.size, len(reference.multiplier))
        ends_array = reference.evaluate(np.stack([np.broadcast_to(lo, channels), np.broadcast_to(hi, channels)]))
        return int(ends_array.min()), int(ends_array.max())

    def _join_image(self, a: str, b: str, reference: AffineJoinReference) -> tuple[int, int]:
        channels = self.tensors[a].shape[2]
        corners = [
            reference.evaluate(np.broadcast_to(one, channels)[None], np.broadcast_to(other, channels)[None])
            for one in self.bounds(a)
            for other in self.bounds(b)
        ]
        return int(np.min(corners)), int(np.max(corners))

    def _identity(self, source: Tensor, reference: TableReference) -> bool:
        inputs = np.arange(source.lo, source.hi + 1)
        if source.type.bipolar:
            inputs = np.array([-1, 1])
        return bool((reference.values[:, inputs - reference.first] == inputs).all())

    def _accumulator(self, name: str, output: str, shape: Frame, lo: IntArray, hi: IntArray) -> str:
        type = QuantType.for_range(min(int(lo.min()), 0), max(int(hi.max()), 0))
        if type.bits > WIDEST_ACCUMULATOR:
            raise UnsupportedError(
                f"node {name!r}: its sums need {type.bits} bits; hlsgen builds accumulators of at most "
                f"{WIDEST_ACCUMULATOR}. Use narrower weights, activations or biases."
            )
        tensor = self._tensor(output, shape, type, int(lo.min()), int(hi.max()))
        self._bounds[tensor] = (np.asarray(lo, np.int64), np.asarray(hi, np.int64))
        return tensor

    def _tensor(self, wanted: str, shape: Frame, type: QuantType, lo: int, hi: int) -> str:
        name, copy = wanted, 2
        while name in self.tensors:
            name, copy = f"{wanted}~{copy}", copy + 1
        self.tensors[name] = Tensor(name, shape, type, lo, hi)
        return name


def narrow_type(type: QuantType, lo: int, hi: int) -> QuantType:
    """The smallest type of ``type``'s signedness that holds lo..hi."""
    fit = QuantType.for_range(lo, hi)
    if type.signed and not fit.signed:
        fit = QuantType(fit.bits + 1, signed=True)
    return fit if fit.bits < type.bits else type


def _clipped(reference: Reference | JoinReference, lo: int, hi: int) -> Any:
    """The reference followed by an integer clip."""
    if isinstance(reference, TableReference):
        return replace(reference, values=np.clip(reference.values, lo, hi))
    if isinstance(reference, AffineReference):
        lower, upper = (tuple(min(max(b, lo), hi) for b in bounds) for bounds in (reference.lo, reference.hi))
        return replace(reference, lo=lower, hi=upper)
    return replace(reference, lo=min(max(reference.lo, lo), hi), hi=min(max(reference.hi, lo), hi))
