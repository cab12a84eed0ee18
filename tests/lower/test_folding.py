"""Legal foldings: divisors, multipliers that fit the operands, exact units."""

from __future__ import annotations

from typing import Any

import pytest

from hlsgen.graph.ops import Conv, Geometry, Join
from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.dot_array import Mac
from hlsgen.lower.folding import conflict, legal, macs, padded_type, weight_type
from hlsgen.lower.layers import describe, layers
from hlsgen.lower.parts import closing_op
from hlsgen.lower.types import stream_types
from tests.lower.graphs import SAME, Net, graph_of, units_of

UINT4 = QuantType(4, signed=False)

MEMORIES = ("block", "distributed")


def fields(net: Net, output: str) -> dict[str, tuple[int | str, ...]]:
    graph = net.graph(output)
    (layer,) = layers(graph)
    return legal(layer, graph, stream_types(graph))


def test_convolution() -> None:
    net = Net((5, 5, 6), INT8)
    assert fields(net, net.conv(net.input, 4, (3, 2), pads=SAME)) == {
        "pe": (1, 2, 4),
        "lanes": (1, 2, 3, 6),
        "taps": (1, 2, 6),
        "mac": ("dsp", "lut", "dsp2"),
        "memory": MEMORIES,
        "line_memory": MEMORIES,
    }


def test_groups_fold_inside_a_group() -> None:
    net = Net((5, 5, 6), INT8)
    assert fields(net, net.conv(net.input, 4, (3, 3), groups=2)) == {
        "pe": (1, 2),
        "lanes": (1, 3),
        "taps": (1, 3, 9),
        "mac": ("dsp", "lut", "dsp2"),
        "memory": MEMORIES,
        "line_memory": MEMORIES,
    }


def test_depthwise_takes_its_channels_as_pe() -> None:
    net = Net((5, 5, 6), INT8)
    assert fields(net, net.conv(net.input, 6, (3, 3), groups=6)) == {
        "pe": (1, 2, 3, 6),
        "taps": (1, 3, 9),
        "mac": ("dsp", "lut"),
        "memory": MEMORIES,
        "line_memory": MEMORIES,
    }


def test_without_a_window_there_is_one_tap() -> None:
    net = Net((5, 5, 6), INT8)
    assert fields(net, net.conv(net.input, 4))["taps"] == (1,)
    net = Net((5, 5, 6), INT8)
    assert fields(net, net.conv(net.input, 4, (5, 5)))["taps"] == (1,)
    net = Net((5, 5, 6), INT8)
    assert fields(net, net.conv(net.input, 6, (5, 5), groups=6))["taps"] == (1, 5, 25), "channel by channel needs one"
    net = Net((5, 5, 6), INT8)
    assert fields(net, net.conv(net.input, 4, strides=(2, 2)))["taps"] == (1,)


def test_pools_and_concat() -> None:
    net = Net((4, 4, 6), INT8)
    assert fields(net, net.maxpool(net.input, Geometry((2, 2), (2, 2)))) == {
        "lanes": (1, 2, 3, 6),
        "taps": (1, 2, 4),
        "line_memory": MEMORIES,
    }
    net = Net((4, 4, 6), INT8)
    assert fields(net, net.sumpool(net.input, net.global_pool(net.input))) == {"lanes": (1, 2, 3, 6), "taps": (1,)}
    net = Net((4, 4, 6), INT8)
    x = net.conv(net.input, 4)
    graph = net.graph(net.concat(x, net.conv(net.input, 6)))
    assert legal(layers(graph)[-1], graph, stream_types(graph)) == {"lanes": (1, 2)}


def test_closing_functions_name_their_units() -> None:
    graph, units = graph_of("single_conv"), units_of("single_conv")
    (layer,) = layers(graph)
    found = legal(layer, graph, stream_types(graph), units)
    assert found["requant_lanes"] == (1, 2, 3, 6)
    assert found["unit"] == tuple(unit.kind for unit in units[graph.outputs[0]])
    assert found["passes"] == (1, 2)
    assert found["requant_mac"] == ("dsp", "lut")
    assert found["requant_memory"] == ("distributed", "block")


def test_a_join_multiplies_in_one_pass() -> None:
    graph, units = graph_of("residual"), units_of("residual")
    joins = [layer for layer in layers(graph) if isinstance(layer.op, Join)]
    for layer in joins:
        found = legal(layer, graph, stream_types(graph), units)
        assert set(found) == {"lanes", "unit", "requant_mac"}


def test_combinations_that_make_no_sense_are_explained() -> None:
    graph, units = graph_of("bipolar"), units_of("bipolar")
    layer = layers(graph)[0]
    found = legal(layer, graph, stream_types(graph), units)
    closing = closing_op(layer)
    assert closing is not None
    exact = units[closing.output]
    assert conflict({"mac": "dsp2", "pe": 1}, found) == (
        "dsp2 computes sums in pairs; with it, legal values of pe are 2, 4, 8"
    )
    assert conflict({"mac": "dsp2"}, found) is not None, "a pe left out is 1"
    assert conflict({"mac": "dsp2", "pe": 2}, found) is None
    text = conflict({"unit": "threshold", "passes": 2}, found, exact)
    assert text is not None
    assert text.startswith("unit threshold multiplies nothing")
    assert conflict({"unit": "threshold", "passes": 1}, found, exact) is None
    text = conflict({"unit": "float24", "passes": 2, "requant_mac": "lut"}, found, exact)
    assert text == "2 passes share DSP blocks; with them, the legal value of requant_mac is dsp"
    assert conflict({"unit": "float24", "passes": 2, "requant_mac": "dsp"}, found, exact) is None
    assert conflict({"unit": "float24", "passes": 1, "requant_mac": "lut"}, found, exact) is None


def conv_of(net: Net, output: str) -> Conv:
    op = next(op for op in net.builder.ops if op.output == output)
    assert isinstance(op, Conv)
    return op


@pytest.mark.parametrize(
    ("type", "options", "expected"),
    [
        (INT8, {}, (Mac.DSP, Mac.LUT, Mac.DSP2)),
        (QuantType(9, signed=True), {}, (Mac.DSP, Mac.LUT)),
        (UINT4, {}, (Mac.LUT, Mac.DSP, Mac.DSP2)),
        (INT8, {"bits": 4}, (Mac.LUT, Mac.DSP, Mac.DSP2)),
        (INT8, {"bits": 9}, (Mac.DSP, Mac.LUT)),
        (BIPOLAR, {"bipolar": True}, (Mac.XNOR, Mac.LUT)),
        (BIPOLAR, {"bipolar": True, "kernel": (3, 3), "pads": SAME}, (Mac.LUT, Mac.DSP, Mac.DSP2)),
        (BIPOLAR, {}, (Mac.LUT, Mac.DSP)),
        (UINT4, {"bipolar": True}, (Mac.LUT, Mac.DSP, Mac.DSP2)),
    ],
)
def test_multipliers_fit_the_operands(type: QuantType, options: dict[str, Any], expected: tuple[Mac, ...]) -> None:
    net = Net((4, 4, 2), type)
    acc = net.conv(net.input, 2, **options)
    assert macs(conv_of(net, acc), type) == expected


def test_weights_are_as_narrow_as_they_can_be() -> None:
    net = Net((1, 1, 8), INT8)
    assert weight_type(conv_of(net, net.conv(net.input, 2, bipolar=True)), Mac.LUT) == BIPOLAR
    assert weight_type(conv_of(net, net.conv(net.input, 2, bipolar=True)), Mac.DSP2) == QuantType(2, signed=True)
    assert weight_type(conv_of(net, net.conv(net.input, 2, bits=5)), Mac.DSP) == QuantType(5, signed=True)


def test_padding_widens_a_type_that_lacks_its_value() -> None:
    padded, plain = Geometry((3, 3), pads=SAME), Geometry((3, 3))
    assert padded_type(BIPOLAR, padded, 0) == QuantType(2, signed=True)
    assert padded_type(BIPOLAR, padded, -1) == BIPOLAR
    assert padded_type(BIPOLAR, plain, 0) == BIPOLAR
    assert padded_type(INT8, padded, -128) == INT8
    assert padded_type(QuantType(8, signed=True, narrow=True), padded, -128) == INT8
    assert padded_type(UINT4, padded, 16) == QuantType(5, signed=False)


def test_descriptions_are_for_people() -> None:
    graphs = [graph_of(name) for name in ("depthwise", "pooling", "reshaping")]
    texts = [describe(layer, graph) for graph in graphs for layer in layers(graph)]
    assert texts[0] == "depthwise convolution 3x3 pads 1,1,1,1, 6x7x6 -> 6x7x6, uint8 -> uint8"
    assert "convolution in 4 groups 2x2 dilation 2x1 pads 1,0,1,1, 3x4x16 -> 3x4x8, uint8 -> int8" in texts
    assert "max pool 3x3 stride 2x2 pads 1,0,1,1, 9x8x4 -> 5x4x4, int8 -> int8" in texts
    assert "dense, 1x1x30 -> 1x1x12, int8 -> int20" in texts
