"""Lowering: every design computes what its graph computes, at every folding, and is built of the right kernels."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest

from hlsgen.exact import solve
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Conv, Geometry
from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.table import Table
from hlsgen.kernels.window import Window
from hlsgen.lower import lower
from hlsgen.lower.design import Design
from hlsgen.lower.folding import conflict, legal
from hlsgen.lower.layers import layers
from hlsgen.lower.parts import stream_order
from hlsgen.lower.types import stream_types
from hlsgen.plan import LayerPlan, Plan, smallest
from tests.lower.graphs import GRAPHS, SAME, Net, graph_of, leaving, random_frames, random_words, units_of


def random_plan(name: str, seed: int) -> Plan:
    """Any legal folding of every layer."""
    choose = random.Random(seed)
    graph, units = graph_of(name), units_of(name)
    entries, types = {}, stream_types(graph)
    for layer in layers(graph):
        fields = legal(layer, graph, types, units)
        exact = units.get((layer.requantize or layer.op).output, ())
        values: dict[str, int | str] = {}
        while not values or conflict(values, fields, exact):
            values = {field: choose.choice(choices) for field, choices in fields.items()}
        entries[layer.name] = LayerPlan.model_validate(values)
    return Plan(layers=entries)


@cache
def expected(name: str) -> dict[str, IntArray]:
    return golden.run(graph_of(name), random_frames(graph_of(name)))


def assert_computes(design: Design, name: str) -> None:
    """Every stream that carries a tensor, and every output, holds the golden integers."""
    graph = graph_of(name)
    beats = design.run(random_words(graph, design.axi_bits))
    carried = set()
    for stream in design.streams.values():
        if stream.tensor is not None:
            want = expected(name)[stream.tensor]
            np.testing.assert_array_equal(beats[stream.name].reshape(want.shape), want, err_msg=stream.name)
            carried.add(stream.tensor)
    shaped = {op.output for op in graph.ops if type(op).__name__ == "Reshape"}
    assert carried == set(graph.tensors) - shaped
    for tensor, frames in leaving(design, graph, beats[design.output]).items():
        np.testing.assert_array_equal(frames, expected(name)[tensor], err_msg=tensor)


@pytest.mark.parametrize("name", GRAPHS)
def test_smallest_design_computes_the_graph(name: str) -> None:
    graph, units = graph_of(name), units_of(name)
    assert_computes(lower(graph, units, smallest(graph, units), 64), name)
    assert_computes(lower(graph, units, smallest(graph), 32), name)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", GRAPHS)
def test_any_folding_computes_the_graph(name: str, seed: int) -> None:
    graph, units = graph_of(name), units_of(name)
    assert_computes(lower(graph, units, random_plan(name, seed), (32, 64, 128, 1024)[seed % 4]), name)


def kernels(design: Design) -> list[str]:
    return [instance.kernel.kind for instance in design.instances]


def design_of(graph: Graph) -> Design:
    units = solve(graph)
    return lower(graph, units, smallest(graph, units), 64)


def kernel_of(design: Design, kind: type) -> list[object]:
    return [instance.kernel for instance in design.instances if isinstance(instance.kernel, kind)]


def test_layers_become_their_kernels() -> None:
    assert kernels(design_of(graph_of("single_conv"))) == ["unpack", "window", "matvec", "requant", "pack"]
    assert kernels(design_of(graph_of("pass_through")))[:2] == ["unpack", "fork"]


def test_a_kernel_of_one_tap_needs_no_window() -> None:
    net = Net((4, 4, 3), INT8)
    x = net.requantize(net.conv(net.input, 2))
    assert "window" not in kernels(design_of(net.graph(net.requantize(net.conv(net.flatten(x), 3)))))


def test_a_kernel_over_the_whole_frame_needs_no_window() -> None:
    net = Net((4, 5, 3), INT8)
    assert "window" not in kernels(design_of(net.graph(net.conv(net.input, 3, (4, 5)))))
    net = Net((4, 5, 3), INT8)
    assert "window" in kernels(design_of(net.graph(net.conv(net.input, 3, (4, 5), pads=SAME))))


def test_groups_over_the_whole_frame_need_a_window() -> None:
    """Their weights want the taps of one channel tile together, and the frame has the channels together."""
    net = Net((3, 2, 4), INT8)
    graph = net.graph(net.conv(net.input, 4, (3, 2), groups=4), net.conv(net.input, 4, (3, 2), groups=2))
    design = design_of(graph)
    assert kernels(design).count("window") == 2
    words = random_words(graph)
    expected = golden.run(graph, random_frames(graph))
    for name, frames in leaving(design, graph, design.run(words)[design.output]).items():
        np.testing.assert_array_equal(frames, expected[name])


def test_one_filter_per_channel_is_depthwise_and_more_are_groups() -> None:
    net = Net((4, 4, 4), INT8)
    design = design_of(net.graph(net.conv(net.input, 4, (3, 3), groups=4, pads=SAME)))
    assert kernel_of(design, Depthwise)
    (window,) = kernel_of(design, Window)
    assert isinstance(window, Window)
    assert window.groups == 4
    net = Net((4, 4, 4), INT8)
    (matvec,) = kernel_of(design_of(net.graph(net.conv(net.input, 8, (3, 3), groups=4, pads=SAME))), Matvec)
    assert isinstance(matvec, Matvec)
    assert matvec.weights.shape == (4, 2, 9)


def test_zero_point_goes_into_the_bias_and_the_padding() -> None:
    net = Net((4, 4, 2), UINT8)
    graph = net.graph(net.conv(net.input, 3, (3, 3), zero_point=77, pads=SAME))
    design = design_of(graph)
    (window,), (matvec,) = kernel_of(design, Window), kernel_of(design, Matvec)
    assert isinstance(window, Window)
    assert isinstance(matvec, Matvec)
    assert window.pad_value == 77
    (op,) = graph.ops
    assert isinstance(op, Conv)
    assert matvec.bias.tolist() == (op.bias - 77 * op.weight.sum(axis=(1, 2, 3))).tolist()


def test_bipolar_layers_use_xnor_unless_padded() -> None:
    design = lower(graph_of("bipolar"), units_of("bipolar"), smallest(graph_of("bipolar")), 64)
    macs = [instance.kernel.mac for instance in design.instances if isinstance(instance.kernel, Matvec)]
    assert macs == [Mac.LUT, Mac.LUT, Mac.XNOR, Mac.XNOR, Mac.LUT]
    converters = [instance.kernel for instance in design.instances if isinstance(instance.kernel, Table)]
    assert [(table.input_type, table.output_type) for table in converters] == [(BIPOLAR, QuantType(2, signed=True))]


def test_parts_of_a_concat_are_made_in_the_common_type() -> None:
    design = lower(graph_of("concatenation"), units_of("concatenation"), smallest(graph_of("concatenation")), 64)
    for instance in design.instances:
        if instance.kernel.kind == "concat":
            assert len({spec.type for spec in (*instance.kernel.inputs, *instance.kernel.outputs)}) == 1
    tables = [instance for instance in design.instances if instance.kernel.kind == "table"]
    converted = [table for table in tables if design.streams[table.inputs[0]].tensor == "image"]
    assert len(converted) == 1, "only the input cannot be made in another type"


def test_width_kernels_bridge_lanes_in_two_steps_where_needed() -> None:
    graph, units = graph_of("single_conv"), units_of("single_conv")
    plan = smallest(graph, units)
    plan.layers["net_conv1"].pe = 2
    plan.layers["net_conv1"].requant_lanes = 3
    design = lower(graph, units, plan, 64)
    widths = [instance.kernel for instance in design.instances if instance.kernel.kind == "width"]
    ratios = [(width.inputs[0].lanes, width.outputs[0].lanes) for width in widths]
    assert ratios == [(2, 1), (1, 3)]
    assert_computes(design, "single_conv")


def test_every_reader_of_a_tensor_gets_its_own_copy() -> None:
    net = Net((2, 2, 2), INT8)
    x = net.requantize(net.conv(net.input, 2))
    graph = net.graph(net.requantize(net.conv(x, 2)), net.affine_add(net.conv(x, 2), x), x)
    forks = [i for i in design_of(graph).instances if i.kernel.kind == "fork"]
    assert [len(fork.outputs) for fork in forks] == [4]


def test_untrusted_names_do_not_reach_identifiers() -> None:
    class Untrusted(Net):
        def name(self, stem: str) -> str:
            return f'{stem}"; */ {self.rng.integers(1 << 30)}\n'

    net = Untrusted((2, 2, 2), INT8)
    graph = net.graph(net.qlinear(net.conv(net.input, 2)))
    design = design_of(graph)
    for name in (*(i.name for i in design.instances), *design.streams):
        assert name.isascii()
        assert name.replace("_", "").isalnum()


def test_stream_order_follows_the_window() -> None:
    weight = np.arange(2 * 3 * 2 * 4).reshape(2, 3, 2, 4)
    window = Window((3, 2, 4), Geometry((3, 2)), 0, lanes=2, taps=2, groups=1, type=INT8)
    frame = np.arange(3 * 2 * 4).reshape(1, -1, 2)
    (beats,) = window.golden(frame)
    np.testing.assert_array_equal(stream_order(weight, 2, 2)[0], beats.ravel())
    np.testing.assert_array_equal(stream_order(weight, 2, 2)[1], beats.ravel() + 24)


def test_a_tensor_nobody_reads_is_a_defect() -> None:
    net = Net((2, 2, 2), INT8)
    x, _ = net.conv(net.input, 2), net.conv(net.input, 3)
    with pytest.raises(ValueError, match="nothing reads"):
        design_of(net.graph(x))


def test_an_unknown_unit_is_named_with_those_there_are() -> None:
    graph, units = graph_of("single_conv"), units_of("single_conv")
    plan = smallest(graph, units)
    plan.layers["net_conv1"].unit = "guess"
    with pytest.raises(ValueError, match="net_conv1: no exact unit is called guess; there are"):
        lower(graph, units, plan, 64)
