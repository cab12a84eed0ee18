"""Golden against the plainest possible restatement of every operator."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from hlsgen.graph import golden
from hlsgen.graph.graph import Graph, Layout, Tensor, View
from hlsgen.graph.host import HostNode, HostProgram
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Op, Requantize, Reshape, SumPool
from hlsgen.graph.reference import AffineReference, QLinearReference
from hlsgen.graph.types import INT8, UINT8, IntArray, QuantType
from tests.graph.random_graphs import finished, random_frames, random_graph


def plain(op: Op, inputs: list[IntArray], shape: tuple[int, int, int], lowest: int) -> IntArray:
    """One operator in Python integers, element by element. ``inputs``: frames (H, W, C) of one image."""
    x = inputs[0]
    y = np.empty(shape, object)
    match op:
        case Conv() | MaxPool() | SumPool():
            top, left = op.geometry.pads[:2]
            for row, column, channel in np.ndindex(*shape):
                taps = {}
                for kr, kc in product(range(op.geometry.kernel[0]), range(op.geometry.kernel[1])):
                    r = row * op.geometry.strides[0] + kr * op.geometry.dilations[0] - top
                    c = column * op.geometry.strides[1] + kc * op.geometry.dilations[1] - left
                    if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]:
                        taps[kr, kc] = [int(v) for v in x[r, c]]
                y[row, column, channel] = windowed(op, taps, channel, lowest)
        case Requantize():
            flat = x.reshape(-1, x.shape[-1])
            if isinstance(op.reference, AffineReference):
                values = [[op.reference.value(int(v), c) for c, v in enumerate(row)] for row in flat]
            else:
                values = op.reference.evaluate(flat.astype(np.int64)).tolist()
            y[...] = np.array(values, object).reshape(shape)
        case Join():
            y[...] = op.reference.evaluate(inputs[0].astype(np.int64), inputs[1].astype(np.int64))
        case Concat():
            y[...] = np.concatenate([part.astype(object) for part in inputs], axis=2)
        case Reshape():
            y[...] = x.astype(object).reshape(shape)
    return y


def windowed(op: Conv | MaxPool | SumPool, taps: dict[tuple[int, int], list[int]], channel: int, lowest: int) -> int:
    if isinstance(op, MaxPool):
        return max([lowest, *(values[channel] for values in taps.values())])
    if isinstance(op, SumPool):
        return sum(values[channel] - op.zero_point for values in taps.values())
    count, depth = len(op.weight), op.weight.shape[3]
    first = channel // (count // op.groups) * depth
    total = int(op.bias[channel])
    for (row, column), values in taps.items():
        weights = op.weight[channel, row, column]
        total += sum((values[first + d] - op.zero_point) * int(weights[d]) for d in range(depth))
    return total


@pytest.mark.parametrize("block", range(8))
def test_every_operator_equals_its_definition(block: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(block * 20, block * 20 + 20):
        graph = random_graph(seed, seen)
        tensors = golden.run(graph, random_frames(graph, 2, seed))
        for op in graph.ops:
            lowest = graph.tensors[op.inputs[0]].type.min
            for image in range(2):
                inputs = [tensors[name][image] for name in op.inputs]
                expected = plain(op, inputs, graph.tensors[op.output].shape, lowest)
                assert np.array_equal(tensors[op.output][image].astype(object), expected), (seed, op.name)
    assert {"Conv", "Requantize", "Join", "Concat", "MaxPool", "SumPool", "Reshape"} <= set(seen)


def test_random_graphs_cover_every_case() -> None:
    seen: Counter[str] = Counter()
    for seed in range(400):
        random_graph(seed, seen)
    wanted = {
        "depthwise",
        "grouped",
        "dense",
        "float64 sums",
        "wide sums",
        "QLinearAdd",
        "AffineJoin",
        "TableReference",
    }
    wanted |= {"affine power of two", "affine float32", "affine rational", "bipolar input", "global sum", "local sum"}
    wanted |= {"HALF_EVEN", "HALF_UP", "HALF_DOWN", "CEIL", "FLOOR", "UP", "DOWN", "SIGN"}
    assert wanted <= set(seen)


def one_conv(weight: IntArray, bias: IntArray, type: QuantType, zero_point: int) -> Graph:
    length = weight.shape[-1]
    tensors = {
        "x": Tensor("x", (1, 1, length), type, type.min, type.max),
        "y": Tensor("y", (1, 1, len(weight)), QuantType(62, True), -(2**61), 2**61 - 1),
    }
    conv = Conv("dense", ("x",), "y", Geometry((1, 1)), weight, bias, 1, zero_point)
    return finished(tensors, [conv], "x", ["y"])


@pytest.mark.parametrize(
    ("type", "magnitude", "carrier"),
    [
        (UINT8, 100, np.float32),
        (UINT8, 127, np.float32),
        (UINT8, 128, np.float64),
        (QuantType(16, True), 128, np.float64),
        (QuantType(31, True), 2**17, np.int64),
    ],
)
def test_sums_are_exact_beyond_the_mantissa(type: QuantType, magnitude: int, carrier: type[np.generic]) -> None:
    """Odd sums just above a power of two are what a mantissa one bit too short would lose."""
    length = 516
    weight = np.full((2, 1, 1, length), magnitude)
    weight[0, ..., 0] = weight[1, ..., 1] = 1
    graph = one_conv(weight, np.array([1, -1]), type, 0)
    conv = graph.ops[0]
    assert isinstance(conv, Conv)
    assert golden.carrier(golden.conv_bound(conv, graph.tensors["x"])) == carrier
    frames = np.full((3, 1, 1, length), type.max, np.int64)
    frames[1] = type.min
    frames[2, ..., ::2] = type.max - 1
    expected = [[int(w.ravel().astype(object) @ f.ravel().astype(object)) for w in weight] for f in frames]
    result = golden.run(graph, frames)["y"].reshape(3, 2)
    assert result.tolist() == [[a + 1, b - 1] for a, b in expected]


def test_replaced_tensors_reach_consumers_only() -> None:
    graph = one_conv(np.ones((2, 1, 1, 3), np.int64), np.zeros(2, np.int64), INT8, 0)
    graph.tensors["z"] = Tensor("z", (1, 1, 2), INT8, -128, 127)
    reference = QLinearReference(np.array([0.5, 0.25], np.float32), 0, -128, 127)
    graph.ops.append(Requantize("half", ("y",), "z", reference))
    frames = random_frames(graph, 4)
    other = np.array([[-40, 8], [6, 6], [0, 900], [2, -4]]).reshape(4, 1, 1, 2)
    results = golden.run(graph, frames, replace={"y": other})
    assert np.array_equal(results["y"], golden.run(graph, frames)["y"])
    assert results["z"].reshape(4, 2).tolist() == [[-20, 2], [3, 2], [0, 127], [1, -1]]
    moved = golden.run(graph, frames, replace={"x": frames[::-1]})
    assert np.array_equal(moved["y"], results["y"][::-1])


@pytest.mark.parametrize("images", [0, 1, 7])
def test_images_are_independent_of_chunks(images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_graph(5)
    frames = random_frames(graph, 7)[:images]
    whole = golden.run(graph, frames)
    monkeypatch.setattr(golden, "_CHUNK_BYTES", 1)
    monkeypatch.setattr(golden, "_WINDOW_BYTES", 1)
    single = golden.run(graph, frames)
    for name, array in whole.items():
        assert array.shape == (images, *graph.tensors[name].shape)
        assert array.dtype == graph.tensors[name].type.dtype
        assert np.array_equal(array, single[name])


def test_only_wanted_tensors_are_kept() -> None:
    graph = random_graph(8)
    frames = random_frames(graph, 2)
    assert set(golden.run(graph, frames, keep=graph.outputs)) == set(graph.outputs)


def test_wrong_shapes_and_names_are_refused() -> None:
    graph = one_conv(np.ones((1, 1, 1, 3), np.int64), np.zeros(1, np.int64), INT8, 0)
    with pytest.raises(ValueError, match=r"x: expected images of \(1, 1, 3\), got an array of \(2, 3\)"):
        golden.run(graph, np.zeros((2, 3), np.int8))
    with pytest.raises(ValueError, match="no tensor 'z'"):
        golden.run(graph, np.zeros((2, 1, 1, 3), np.int8), replace={"z": np.zeros((2, 1, 1, 3), np.int8)})
    with pytest.raises(ValueError, match=r"input 'x' needs shape \(images, .*\), not \(2, 4\)"):
        golden.predict(graph, {"x": np.zeros((2, 4), np.int8)})
    with pytest.raises(ValueError, match="input 'x' holds no images"):
        golden.predict(graph, {"x": np.zeros((0, *graph.prefix.shapes["x"]), np.int8)})
    with pytest.raises(ValueError, match="input 'x' is missing"):
        golden.predict(graph, {"y": np.zeros((2, 4), np.int8)})


def test_predict_runs_host_parts_in_onnx_layout() -> None:
    """A float image (C, H, W) goes in, a dequantized one comes out, and the integers that left the hardware."""
    tensors = {
        "x": Tensor("x", (2, 3, 4), INT8, -128, 127),
        "y": Tensor("y", (2, 3, 4), UINT8, 0, 255),
    }
    reference = QLinearReference(np.array([0.5], np.float32), 10, 0, 255)
    constants = {"s": np.float32(0.25), "z": np.array(-3, np.int8), "t": np.float32(2), "u": np.array(10, np.uint8)}
    shapes = dict.fromkeys(("in", "x", "y", "out"), (4, 2, 3))
    planar = Layout.planar(4, 2, 3)
    graph = Graph(
        name="host",
        input="x",
        outputs=["y"],
        tensors=tensors,
        ops=[Requantize("half", ("x",), "y", reference)],
        prefix=HostProgram(
            (HostNode("QuantizeLinear", ("in", "s", "z"), ("x",)),),
            constants,
            ("in",),
            ("x",),
            shapes,
            {"in": "float32"},
        ),
        suffix=HostProgram(
            (HostNode("DequantizeLinear", ("y", "t", "u"), ("out",)),),
            constants,
            ("y",),
            ("out",),
            shapes,
            {"y": "uint8"},
        ),
        views={name: View(name, planar, np.ones(1, np.float32), 0) for name in tensors},
    )
    image = np.random.default_rng(0).uniform(-20, 20, (5, 4, 2, 3)).astype(np.float32)
    results = golden.predict(graph, {"in": image})
    x = np.clip(np.rint(image / 0.25) - 3, -128, 127)
    y = np.clip(np.rint(x / 2) + 10, 0, 255)
    assert set(results) == {"out", "int/y"}
    assert results["out"].dtype == np.float32
    assert np.array_equal(results["out"], (y - 10) * 2)
    assert np.array_equal(results["int/y"], y.transpose(0, 2, 3, 1))


def test_float_views_give_back_their_integers() -> None:
    type = QuantType(4, signed=False)
    tensors = {"x": Tensor("x", (2, 2, 3), type, 0, 15)}
    graph = finished(tensors, [], "x", ["x"])
    scale = np.array([0.1, 0.003, 7.5], np.float32)
    view = View("x", Layout.planar(3, 2, 2), scale, 5, is_float=True, axis=0)
    frames = np.random.default_rng(0).integers(0, 16, (4, 2, 2, 3)).astype(np.int8)
    floats = golden.onnx_from_frames(view, frames)
    assert floats.dtype == np.float32
    assert np.array_equal(floats[:, 1], ((frames[..., 1] - 5).astype(np.float32) * scale[1]))
    assert np.array_equal(golden.frames_from_onnx(graph, view, floats), frames)
