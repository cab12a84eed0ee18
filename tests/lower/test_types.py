"""Stream types: exact for sums, common to the parts of a concat, the tensor's own otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Conv
from hlsgen.graph.types import INT8, UINT8, QuantType
from hlsgen.lower.types import stream_types
from tests.lower.graphs import SAME, UINT4, Net


def narrowed(graph: Graph, lo: int, hi: int) -> Graph:
    """The graph with an input that only reaches lo..hi."""
    tensors = {**graph.tensors, graph.input: replace(graph.tensors[graph.input], lo=lo, hi=hi)}
    return Graph(graph.name, graph.input, graph.outputs, tensors, graph.ops, graph.prefix, graph.suffix)


def test_a_tensor_keeps_its_type() -> None:
    net = Net((2, 2, 2), QuantType(7, signed=True, narrow=True))
    x = net.requantize(net.conv(net.input, 2), UINT4)
    types = stream_types(net.graph(x))
    assert (types[net.input], types[x]) == (QuantType(7, signed=True, narrow=True), UINT4)


def test_a_sum_holds_raw_inputs_and_the_corrected_bias() -> None:
    net = Net((1, 1, 1), UINT8)
    net.builder.ops.clear()
    acc = net.conv(net.input, 1, zero_point=200)
    (op,) = net.builder.ops
    assert isinstance(op, Conv)
    op.weight[:] = 100
    op.bias[:] = 7
    assert stream_types(net.graph(acc))[acc] == QuantType.for_range(7 - 200 * 100, 255 * 100)


def test_padding_counts_as_an_input() -> None:
    net = Net((3, 3, 1), INT8)
    acc = net.conv(net.input, 1, (3, 3), zero_point=-100, pads=SAME)
    (op,) = net.builder.ops
    assert isinstance(op, Conv)
    op.weight[:] = 1
    op.bias[:] = -900
    graph = narrowed(net.graph(acc), 50, 60)
    assert stream_types(graph)[acc] == QuantType.for_range(-900, 540), "raw bias 0, nine taps of -100 to 60"


def test_a_pool_starts_at_its_offset() -> None:
    net = Net((2, 2, 1), UINT8)
    acc = net.sumpool(net.input, net.global_pool(net.input), zero_point=10)
    assert stream_types(net.graph(acc))[acc] == QuantType.for_range(-40, 4 * 255)


def test_parts_of_a_concat_are_widened_where_they_are_made() -> None:
    net = Net((2, 2, 2), INT8)
    a = net.requantize(net.conv(net.input, 2), UINT4)
    b = net.requantize(net.conv(net.input, 2), UINT8)
    pooled = net.maxpool(net.flatten(b), net.global_pool(net.flatten(b)))
    c = net.requantize(net.conv(net.flatten(a), 8), UINT8)
    x = net.concat(pooled, c, net.flatten(net.input))
    types = stream_types(net.graph(x))
    int9 = QuantType(9, signed=True)
    assert types[x] == types[pooled] == types[b] == types[c] == int9
    assert types[a] == UINT4
    assert types[net.input] == INT8, "the input is what it is"


def test_sums_of_different_width_can_be_concatenated() -> None:
    net = Net((1, 1, 4), INT8)
    a, b = net.conv(net.input, 2), net.conv(net.input, 2, bits=2)
    x = net.concat(a, b)
    types = stream_types(net.graph(x))
    assert types[a] == types[b] == types[x]
    assert np.all([types[x].contains(net.builder.tensors[t].lo, net.builder.tensors[t].hi) for t in (a, b)])
