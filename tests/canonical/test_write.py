"""Golden equals ONNX Runtime's run of the canonical model, in every element of every tensor."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest

from hlsgen.canonical.compare import canonical_check
from hlsgen.canonical.emitter import IR_VERSION, OPSET
from hlsgen.canonical.layers import byte_form
from hlsgen.canonical.runtime import open_session
from hlsgen.canonical.write import tensor_names, write
from hlsgen.errors import UnsupportedError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph, Layout, Tensor
from hlsgen.graph.host import HostNode, HostProgram
from hlsgen.graph.ops import Conv, Geometry, MaxPool, Op, Requantize, SumPool
from hlsgen.graph.reference import AffineReference, QLinearReference, Rounding
from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType
from tests.graph.random_graphs import finished, random_frames, random_graph

PRODUCTS = {"QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger"}


def feeds(graph: Graph, images: int, seed: int = 0) -> dict[str, Any]:
    frames = random_frames(graph, images, seed)
    return {graph.input: graph.views[graph.input].layout.to_onnx(frames)}


@pytest.mark.parametrize("block", range(10))
def test_random_graphs(block: int) -> None:
    for seed in range(block * 30, block * 30 + 30):
        graph = random_graph(seed)
        model = write(graph)
        onnx.checker.check_model(model, full_check=True)
        report = canonical_check(graph, model, feeds(graph, 4, seed))
        assert [check for check in report.tensors if check.mismatches] == [], seed
        assert {check.tensor for check in report.tensors} == set(graph.tensors)
        assert report.elements == 4 * sum(tensor.elements for tensor in graph.tensors.values())
        layers = sum(isinstance(op, Conv) for op in graph.ops)
        assert sum(node.op_type in PRODUCTS for node in model.graph.node) >= layers


def test_random_graphs_use_every_kernel() -> None:
    used: Counter[str] = Counter()
    for seed in range(300):
        used.update(node.op_type for node in write(random_graph(seed)).graph.node)
    assert used.keys() >= (PRODUCTS - {"QLinearMatMul"}) | {
        "QLinearAdd",
        "QLinearGlobalAveragePool",
        "MaxPool",
        "Concat",
        "Gather",
        "Clip",
    }


def test_a_wrong_golden_is_seen() -> None:
    """One weight changed by one behind the canonical model's back."""
    graph = layer(UINT8, UINT8, np.arange(-20, 25).reshape(5, 3, 3, 1), groups=5, zero_point=7)
    model = write(graph)
    good = canonical_check(graph, model, feeds(graph, 3))
    conv = graph.ops[0]
    assert isinstance(conv, Conv)
    conv.weight[2, 1, 1, 0] += 1
    bad = canonical_check(graph, model, feeds(graph, 3))
    assert (good.mismatches, bad.mismatches > 0) == (0, True)
    assert {check.tensor for check in bad.tensors if check.mismatches} == {"y"}


def layer(
    source: QuantType,
    target: QuantType,
    weight: IntArray,
    groups: int = 1,
    zero_point: int = 0,
    bias: int = 5,
    size: int = 6,
) -> Graph:
    """A convolution (size x size frames) and a QLinear requantization."""
    channels = weight.shape[3] * groups
    kernel = (weight.shape[1], weight.shape[2])
    geometry = Geometry(kernel, pads=tuple(k // 2 for k in kernel * 2))
    shape = (*geometry.output(size, size), len(weight))
    tensors = {"x": Tensor("x", (size, size, channels), source, source.min, source.max)}
    conv = Conv("conv", ("x",), "acc", geometry, weight, np.full(len(weight), bias), groups, zero_point)
    bound = golden.conv_bound(conv, tensors["x"])
    tensors["acc"] = Tensor("acc", shape, QuantType.for_range(-bound, bound), -bound, bound)
    tensors["y"] = Tensor("y", shape, target, target.min, target.max)
    multiplier = np.linspace(60, 300, len(weight)).astype(np.float32) / np.float32(bound)
    ops: list[Op] = [
        conv,
        Requantize("requantize", ("acc",), "y", QLinearReference(multiplier, 1, target.min, target.max)),
    ]
    return finished(tensors, ops, "x", ["y"])


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


WEIGHT = np.random.default_rng(0).integers(-128, 128, (4, 3, 3, 2))


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (layer(INT8, INT8, WEIGHT), {"QLinearConv": 1}),
        (layer(UINT8, UINT8, WEIGHT, zero_point=100), {"QLinearConv": 1}),
        # weights that lost their zero point span -100..155
        (layer(INT8, INT8, WEIGHT + 28), {"QLinearConv": 1}),
        (layer(UINT8, UINT8, WEIGHT + 28), {"QLinearConv": 1}),
        # there is no kernel whose result has another type than its input
        (layer(UINT8, INT8, WEIGHT), {"ConvInteger": 1, "Round": 1}),
        (layer(QuantType(4, False), UINT8, WEIGHT), {"QLinearConv": 1}),
        (layer(INT8, INT8, WEIGHT * 2), {"ConvInteger": 2}),
        (layer(QuantType(16, True), INT8, WEIGHT), {"ConvInteger": 2}),
        (layer(QuantType(16, False), INT8, WEIGHT * 200, zero_point=9), {"ConvInteger": 6}),
        (layer(INT8, INT8, WEIGHT[:, :1, :1], size=1), {"QGemm": 1}),
        (layer(UINT8, UINT8, WEIGHT[:, :1, :1], size=1, bias=0), {"QLinearMatMul": 1}),
        (layer(UINT8, INT8, WEIGHT[:, :1, :1], size=1), {"MatMulInteger": 1}),
        (layer(BIPOLAR, INT8, np.sign(WEIGHT) | 1), {"QLinearConv": 1}),
    ],
)
def test_layers_are_what_they_are(graph: Graph, expected: dict[str, int]) -> None:
    model = write(graph)
    found = kinds(model)
    assert {name: found[name] for name in expected} == expected
    assert sum(found[name] for name in PRODUCTS) == sum(expected[name] for name in expected if name in PRODUCTS)
    assert canonical_check(graph, model, feeds(graph, 5)).mismatches == 0


def test_uint8_activations_meet_uint8_weights() -> None:
    """Products of uint8 and int8 would saturate on some processors."""
    for fuse in (True, False):
        model = write(layer(UINT8, UINT8, WEIGHT), fuse)
        (product,) = (node for node in model.graph.node if node.op_type in PRODUCTS)
        types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        weight = product.input[3 if fuse else 1]
        assert types[weight] == onnx.TensorProto.UINT8


@pytest.mark.parametrize("element", [onnx.TensorProto.INT8, onnx.TensorProto.UINT8])
@pytest.mark.parametrize(("lo", "hi"), [(-128, 127), (-127, 127), (0, 255), (-255, 0), (-100, 155), (3, 9), (200, 255)])
def test_byte_form(element: int, lo: int, hi: int) -> None:
    weight = np.arange(lo, hi + 1).reshape(-1, 1, 1, 1)
    form = byte_form(weight, element)
    if form is None:
        assert (lo, hi) in ((0, 255), (-255, 0), (200, 255))
        assert element == onnx.TensorProto.INT8
    else:
        assert np.array_equal(form.values.astype(int) - form.zero_point, weight)
        assert np.iinfo(form.values.dtype).min <= form.zero_point <= np.iinfo(form.values.dtype).max


def test_byte_form_needs_256_values() -> None:
    assert byte_form(np.array([-100, 156]).reshape(2, 1, 1, 1), onnx.TensorProto.INT8) is None
    assert byte_form(np.array([-100, 156]).reshape(2, 1, 1, 1), onnx.TensorProto.UINT8) is None


@pytest.mark.parametrize("lo", [-128, -7])
def test_global_average_pool_has_its_kernel(lo: int) -> None:
    tensors = {
        "x": Tensor("x", (7, 5, 3), INT8, -128, 127),
        "sum": Tensor("sum", (1, 1, 3), QuantType(16, True), -9000, 9000),
        "y": Tensor("y", (1, 1, 3), INT8, lo, 127),
    }
    multiplier = np.array([np.float32(0.7) / np.float32(np.float32(0.3) * np.float32(35))], np.float32)
    ops: list[Op] = [
        SumPool("pool", ("x",), "sum", Geometry((7, 5)), 3),
        Requantize("requantize", ("sum",), "y", QLinearReference(multiplier, -5, lo, 127)),
    ]
    graph = finished(tensors, ops, "x", ["y"])
    model = write(graph)
    assert kinds(model)["QLinearGlobalAveragePool"] == 1
    assert kinds(model)["ConvInteger"] == 0
    assert canonical_check(graph, model, feeds(graph, 64)).mismatches == 0


@pytest.mark.parametrize("type", [INT8, QuantType(3, True), QuantType(12, True)])
def test_max_pool_borders_never_win(type: QuantType) -> None:
    """Also where a window holds nothing but border, and where the border is as wide as the window."""
    for geometry in (
        Geometry((2, 2), dilations=(2, 2), pads=(1, 1, 1, 1)),
        Geometry((1, 2), strides=(2, 1), pads=(1, 0, 1, 0)),
    ):
        shape = (*geometry.output(1, 4), 2)
        tensors = {
            "x": Tensor("x", (1, 4, 2), type, type.min, type.max),
            "y": Tensor("y", shape, type, type.min, type.max),
        }
        graph = finished(tensors, [MaxPool("pool", ("x",), "y", geometry)], "x", ["y"])
        assert canonical_check(graph, write(graph), feeds(graph, 8)).mismatches == 0


@pytest.mark.parametrize("rounding", list(Rounding))
def test_every_rounding_at_its_ties(rounding: Rounding) -> None:
    """Every value of a small input, on and beside every boundary, for scales that are and are not dyadic."""
    target = BIPOLAR if rounding is Rounding.SIGN else QuantType(6, True)
    source = QuantType(10, True)
    scale = (Fraction(1, 16), Fraction(-1, 8), Fraction(1, 20), Fraction(7, 300), Fraction(1, 3))
    offset = (Fraction(0), Fraction(1, 2), Fraction(-1, 4), Fraction(1, 2), Fraction(1, 6))
    bounds = ((target.min,) * 5, (target.max,) * 5)
    reference = AffineReference(scale, offset, rounding, 0, *bounds)
    shape = (32, 32, 5)
    tensors = {
        "x": Tensor("x", shape, source, source.min, source.max),
        "y": Tensor("y", shape, target, target.min, target.max),
    }
    graph = finished(tensors, [Requantize("affine", ("x",), "y", reference)], "x", ["y"])
    values = np.broadcast_to(np.arange(-512, 512).reshape(1, 32, 32, 1), (1, *shape)).astype(np.int16)
    model = write(graph)
    image = {"x": graph.views["x"].layout.to_onnx(values)}
    assert canonical_check(graph, model, image).mismatches == 0
    result = golden.run(graph, values)["y"].reshape(-1, 5)
    expected = [[reference.value(x, c) for c in range(5)] for x in range(-512, 512)]
    assert result.tolist() == expected


def test_sums_beyond_32_bits_of_bytes_are_refused() -> None:
    weight = np.full((1, 1, 1, 70000), 127)
    graph = layer(UINT8, INT8, weight, size=1)
    with pytest.raises(UnsupportedError, match="node 'conv': its sums of 8-bit products exceed 32 bits"):
        write(graph)


def test_the_model_is_one_that_onnx_runtime_reads() -> None:
    graph = random_graph(0)
    model = write(graph)
    assert model.ir_version == IR_VERSION <= 11
    assert {o.domain: o.version for o in model.opset_import} == {"": OPSET, "com.microsoft": 1}
    assert write(graph).SerializeToString(deterministic=True) == model.SerializeToString(deterministic=True)


def test_names_are_safe_and_unique() -> None:
    """The graph's names are full of quotes and line ends; the model's own input and output keep theirs."""
    graph = random_graph(4)
    model = write(graph)
    own = {graph.input, *graph.outputs}
    tensors = [name for node in model.graph.node for name in node.output]
    nodes = [node.name for node in model.graph.node]
    constants = [tensor.name for tensor in model.graph.initializer]
    assert len(set(tensors + nodes + constants)) == len(tensors + nodes + constants)
    assert all(name.replace("_", "").isalnum() for name in {*tensors, *nodes, *constants} - own)


def test_names_that_imitate_ours_do_no_harm() -> None:
    graph = layer(INT8, INT8, WEIGHT)
    names = {"x": "t0_x", "acc": "t1_acc", "y": "t2_y"}
    tensors = {
        new: Tensor(
            new, graph.tensors[old].shape, graph.tensors[old].type, graph.tensors[old].lo, graph.tensors[old].hi
        )
        for old, new in names.items()
    }
    conv, closer = graph.ops
    assert isinstance(conv, Conv)
    assert isinstance(closer, Requantize)
    ops: list[Op] = [
        Conv("t0_x", ("t0_x",), "t1_acc", conv.geometry, conv.weight, conv.bias, 1, 0),
        Requantize("t2_y", ("t1_acc",), "t2_y", closer.reference),
    ]
    imitation = finished(tensors, ops, "t0_x", ["t2_y"])
    image = feeds(imitation, 3)
    assert canonical_check(imitation, write(imitation), image).mismatches == 0
    assert set(tensor_names(imitation).values()).isdisjoint(("t0_x", "t2_y"))


def test_host_parts_are_in_the_model() -> None:
    """A float model around the accelerator: ONNX Runtime computes what NumPy does."""
    graph = layer(INT8, INT8, WEIGHT)
    height, width, channels = graph.tensors["y"].shape
    shapes: dict[str, tuple[int, ...]] = {"image": (6, 6, 2), "x": (2, 6, 6), "y": (channels, height, width)}
    graph.prefix = HostProgram(
        (
            HostNode("Transpose", ("image",), ("turned",), {"perm": [0, 3, 1, 2]}),
            HostNode("Mul", ("turned", "gain"), ("louder",)),
            HostNode("QuantizeLinear", ("louder", "scale", "zero"), ("x",)),
        ),
        {
            "gain": np.array([[[2.0]], [[0.5]]], np.float32),
            "scale": np.array(0.02, np.float32),
            "zero": np.array(0, np.int8),
        },
        ("image",),
        ("x",),
        shapes,
        {"image": "float32"},
    )
    graph.suffix = HostProgram(
        (
            HostNode("DequantizeLinear", ("y", "fine", "shift"), ("real",)),
            HostNode("ReduceMax", ("real",), ("top",), {"axes": [2, 3]}),
            HostNode("Reshape", ("top",), ("scores",), {"shape": (channels,)}),
            HostNode("ArgMax", ("scores",), ("label",), {"axis": 1}),
        ),
        {"fine": np.array(0.5, np.float32), "shift": np.array(3)},
        ("y",),
        ("top", "label", "y"),
        shapes,
        {"y": "int8"},
    )
    model = write(graph)
    onnx.checker.check_model(model, full_check=True)
    image = {"image": np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype(np.float32)}
    assert canonical_check(graph, model, image).mismatches == 0
    expected = golden.predict(graph, image)
    found = open_session(model).run(["top", "label", "y"], image)
    for name, array in found.items():
        assert array.dtype == expected[name].dtype
        assert np.array_equal(array, expected[name])
    assert [o.name for o in model.graph.output] == ["top", "label", "y"]


def test_any_layout_of_input_and_output() -> None:
    """ONNX tensors whose elements stand in the frames in an order of their own."""
    graph = layer(UINT8, UINT8, WEIGHT)
    rng = np.random.default_rng(5)
    for name, view in graph.views.items():
        index = rng.permutation(view.layout.index.size).reshape(-1, 2)
        object.__setattr__(view, "layout", Layout(index))
        for program in (graph.prefix, graph.suffix):
            object.__setattr__(program, "shapes", {**program.shapes, name: index.shape})
    model = write(graph)
    image = {"x": rng.integers(0, 256, (3, 36, 2)).astype(np.int16)}
    assert canonical_check(graph, model, image).mismatches == 0
    found = open_session(model).run(["y"], image)["y"]
    assert np.array_equal(found, golden.predict(graph, image)["y"])
