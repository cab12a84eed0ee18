"""The element type of the stream that carries each tensor."""

from __future__ import annotations

import numpy as np

from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Concat, Conv, MaxPool, Op, Reshape, SumPool
from hlsgen.graph.types import QuantType
from hlsgen.lower.accumulators import accumulator_type


def stream_types(graph: Graph) -> dict[str, QuantType]:
    """Element type of every tensor's stream.

    A tensor keeps its own type, except that a sum gets the exact type of its partial sums, and what is concatenated
    with elements of another type is produced in the type that holds all parts. Only the accelerator's input cannot be:
    its type then differs from that of the Concat that reads it.
    """
    producers = graph.producers()
    wider: dict[str, QuantType] = {}
    while True:
        types = {graph.input: graph.tensors[graph.input].type}
        for op in graph.ops:
            types[op.output] = wider.get(op.output) or _natural(op, graph, types)
        before = dict(wider)
        for op in graph.ops:
            if isinstance(op, Concat):
                for part in op.inputs:
                    for origin in _origins(part, producers):
                        if origin != graph.input and types[origin] != types[op.output]:
                            wider[origin] = types[op.output]
        if wider == before:
            return types


def conv_type(op: Conv, graph: Graph) -> QuantType:
    """Accumulator of a convolution whose padding is done by the window and whose zero point is in the bias."""
    lo, hi = _range(op, graph, op.zero_point)
    return accumulator_type(op.weight.reshape(len(op.weight), -1), raw_bias(op), lo, hi)


def raw_bias(op: Conv) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bias for raw inputs, int64 (N,): ``sum((x - z) * w) + bias == sum(x * w) + (bias - z * sum(w))``."""
    sums = op.weight.reshape(len(op.weight), -1).sum(axis=1, dtype=np.int64)
    return np.asarray(op.bias - op.zero_point * sums, np.int64)


def pool_type(op: SumPool, graph: Graph) -> QuantType:
    """Accumulator of a sum pool of raw inputs that starts or ends with ``-taps * zero_point``."""
    taps = op.geometry.kernel[0] * op.geometry.kernel[1]
    lo, hi = _range(op, graph, op.zero_point)
    return accumulator_type(np.ones((1, taps), np.int64), np.array([-taps * op.zero_point]), lo, hi)


def _range(op: Conv | SumPool, graph: Graph, pad_value: int) -> tuple[int, int]:
    source = graph.tensors[op.inputs[0]]
    if any(op.geometry.pads):
        return min(source.lo, pad_value), max(source.hi, pad_value)
    return source.lo, source.hi


def _natural(op: Op, graph: Graph, types: dict[str, QuantType]) -> QuantType:
    match op:
        case Conv():
            return conv_type(op, graph)
        case SumPool():
            return pool_type(op, graph)
        case MaxPool() | Reshape():
            return types[op.inputs[0]]
        case Concat():
            parts = {types[name] for name in op.inputs}
            if len(parts) == 1:
                return parts.pop()
            return QuantType.for_range(min(t.min for t in parts), max(t.max for t in parts))
        case _:
            return graph.tensors[op.output].type


def _origins(tensor: str, producers: dict[str, Op]) -> list[str]:
    """The tensors whose producers choose the type of ``tensor``: through operators that only move elements."""
    op = producers.get(tensor)
    if isinstance(op, MaxPool | Reshape | Concat):
        return [origin for name in op.inputs for origin in _origins(name, producers)]
    return [tensor]
