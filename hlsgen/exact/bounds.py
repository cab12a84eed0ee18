"""Which values an accumulator can reach, per channel."""

from __future__ import annotations

import numpy as np

from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Conv, Requantize
from hlsgen.graph.types import Int64Array


def accumulator_bounds(graph: Graph, op: Requantize) -> tuple[Int64Array, Int64Array]:
    """Smallest and largest value of each channel of ``op``'s input, int64 arrays of shape (C,).

    The tensor's own ``lo``..``hi``, narrowed per channel where a convolution produces it: every weight meets the
    input value that makes the sum smallest (largest). Padding contributes 0, which need not be an input value.
    """
    tensor = graph.tensors[op.inputs[0]]
    lo = np.full(tensor.shape[2], tensor.lo, np.int64)
    hi = np.full(tensor.shape[2], tensor.hi, np.int64)
    producer = graph.producers().get(tensor.name)
    if not isinstance(producer, Conv):
        return lo, hi
    source = graph.tensors[producer.inputs[0]]
    smallest, largest = source.lo - producer.zero_point, source.hi - producer.zero_point
    if any(producer.geometry.pads):
        smallest, largest = min(smallest, 0), max(largest, 0)
    weight = producer.weight.reshape(len(producer.weight), -1).astype(np.int64)
    positive, negative = np.maximum(weight, 0).sum(axis=1), np.minimum(weight, 0).sum(axis=1)
    return (
        np.maximum(lo, producer.bias + positive * smallest + negative * largest),
        np.minimum(hi, producer.bias + positive * largest + negative * smallest),
    )
