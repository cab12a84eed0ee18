"""Comparison with the original: what is exact, what a tie explains, and what must not pass."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hlsgen import frontend
from hlsgen.canonical import compare, runtime
from hlsgen.canonical.compare import canonical_check, original_check
from hlsgen.canonical.write import write
from hlsgen.errors import UnsupportedError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph, Tensor
from hlsgen.graph.ops import Concat, Conv, Geometry, MaxPool, Op, Requantize, Reshape
from hlsgen.graph.reference import AffineReference, QLinearReference, Rounding, TableReference
from hlsgen.graph.types import INT8, QuantType
from tests.graph.random_graphs import finished
from tests.networks import random_network

RNG = np.random.default_rng(0)


def save(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def images(graph: Graph, count: int, seed: int) -> dict[str, Any]:
    name = graph.prefix.inputs[0]
    shape = (count, *graph.prefix.shapes[name])
    return {name: np.random.default_rng(seed).normal(0, 1.2, shape).astype(np.float32)}


def model_of(
    nodes: list[onnx.NodeProto], constants: dict[str, Any], shape: list[int], opset: int = 21
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *shape])],
        [helper.make_empty_tensor_value_info(nodes[-1].output[0])],
        [
            array if isinstance(array, TensorProto) else numpy_helper.from_array(np.asarray(array), name)
            for name, array in constants.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def dense_model(scale: float = 0.37, zero: int = 3) -> onnx.ModelProto:
    """Quantize, dense layer, quantize: input scale 1, weights of scale 1 and a result scale of one's choice."""
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "one", "z0"], ["xq"]),
        node("DequantizeLinear", ["xq", "one", "z0"], ["xf"]),
        node("DequantizeLinear", ["w", "one", "z0"], ["wf"]),
        node("MatMul", ["xf", "wf"], ["acc"]),
        node("QuantizeLinear", ["acc", "s", "z"], ["yq"]),
        node("DequantizeLinear", ["yq", "s", "z"], ["y"]),
    ]
    weight = RNG.integers(-20, 20, (8, 5)).astype(np.int8)
    constants = {
        "one": np.float32(1), "z0": np.int8(0), "w": weight, "s": np.float32(scale), "z": np.int8(zero)
    }  # fmt: skip
    return model_of(nodes, constants, [8])


@pytest.mark.parametrize("block", range(6))
def test_random_networks(block: int, tmp_path: Path) -> None:
    """Through the front end: nothing differs from the canonical model, and from the original only at ties."""
    elements = explained = 0
    for seed in range(block * 15, block * 15 + 15):
        model = random_network(seed)
        model.opset_import[0].version = 14  # HardSwish is as young as that
        path = save(model, tmp_path)
        try:
            graph = frontend.load(path)
        except UnsupportedError:
            continue
        feeds = images(graph, 8, seed)
        assert canonical_check(graph, write(graph), feeds).mismatches == 0, seed
        report = original_check(graph, path, feeds)
        assert report.unexplained == 0, seed
        assert report.exact + report.explained == report.elements
        elements, explained = elements + report.elements, explained + report.explained
    assert elements > 5000
    assert explained < elements / 500


def test_every_integer_tensor_of_the_original_is_compared(tmp_path: Path) -> None:
    path = save(dense_model(), tmp_path)
    report = original_check(frontend.load(path), path, {"x": RNG.normal(0, 40, (16, 8)).astype(np.float32)})
    assert {check.tensor: check.elements for check in report.tensors} == {"xq": 16 * 8, "yq": 16 * 5}
    assert (report.exact, report.explained, report.unexplained) == (report.elements, 0, 0)


def with_reference(graph: Graph, change: dict[str, Any]) -> Graph:
    """The graph with its last function changed."""
    closer = graph.ops[-1]
    assert isinstance(closer, Requantize)
    changed = dataclasses.replace(closer, reference=dataclasses.replace(closer.reference, **change))
    return dataclasses.replace(graph, ops=[*graph.ops[:-1], changed])


@pytest.mark.parametrize("change", [{"zero_point": 4}, {"multiplier": np.array([2.8], np.float32)}, {"lo": -20}])
def test_a_wrong_reference_is_unexplained(change: dict[str, Any], tmp_path: Path) -> None:
    path = save(dense_model(), tmp_path)
    graph = frontend.load(path)
    assert isinstance(graph.ops[-1], Requantize)
    assert isinstance(graph.ops[-1].reference, QLinearReference)
    feeds = {"x": RNG.normal(0, 40, (64, 8)).astype(np.float32)}
    report = original_check(with_reference(graph, change), path, feeds)
    assert report.unexplained > 0
    assert {check.tensor for check in report.tensors if check.unexplained} == {"yq"}


def test_a_wrong_weight_is_unexplained(tmp_path: Path) -> None:
    path = save(dense_model(), tmp_path)
    graph = frontend.load(path)
    conv = next(op for op in graph.ops if isinstance(op, Conv))
    conv.weight[0, 0, 0, 0] += 1
    report = original_check(graph, path, {"x": RNG.normal(0, 40, (64, 8)).astype(np.float32)})
    assert report.unexplained > 0


def test_a_wrong_input_is_unexplained(tmp_path: Path) -> None:
    path = save(dense_model(), tmp_path)
    graph = frontend.load(path)
    constants = {**graph.prefix.constants, "z0": np.array(1, np.int8)}
    shifted = dataclasses.replace(graph, prefix=dataclasses.replace(graph.prefix, constants=constants))
    report = original_check(shifted, path, {"x": RNG.normal(0, 40, (4, 8)).astype(np.float32)})
    assert {check.tensor for check in report.tensors if check.unexplained} == {"xq"}
    assert report.unexplained == 4 * 8


def test_ties_are_explained_and_counted(tmp_path: Path) -> None:
    """A scale of 2 puts half of all sums on a tie; a reference one ulp aside decides each the other way."""
    path = save(dense_model(scale=2.0, zero=0), tmp_path)
    graph = frontend.load(path)
    feeds = {"x": np.rint(RNG.normal(0, 1, (64, 8))).astype(np.float32)}
    assert original_check(graph, path, feeds).exact == 64 * 13
    ulp = np.nextafter(np.float32(0.5), np.float32(0))
    report = original_check(with_reference(graph, {"multiplier": np.array([ulp])}), path, feeds)
    assert report.unexplained == 0
    assert 20 < report.explained < 64 * 5
    worst = {check.tensor: check.farthest for check in report.tensors}
    assert worst["xq"] == 0
    assert 0 < worst["yq"] < 1e-4
    # two LSB, or one LSB farther away than rounding errors reach, is not a tie
    aside = with_reference(graph, {"multiplier": np.array([0.4999], np.float32)})
    assert original_check(aside, path, feeds).unexplained > 0


@pytest.mark.parametrize(
    ("rounding", "real", "pair", "expected"),
    [
        (Rounding.HALF_EVEN, 2.5, (2, 3), 0.0),
        (Rounding.HALF_UP, -1.25, (-2, -1), 0.25),
        (Rounding.FLOOR, 2.999, (2, 3), 0.001),
        (Rounding.CEIL, 2.001, (3, 2), 0.999 - 0.998),
        (Rounding.DOWN, -3.01, (-3, -2), 1.01 - 1.0),
        (Rounding.SIGN, -0.25, (-1, 1), 0.25),
        # the boundary must be the one between the two integers
        (Rounding.HALF_EVEN, 7.5, (2, 3), 5.0),
    ],
)
def test_distance_from_the_boundary(rounding: Rounding, real: float, pair: tuple[int, int], expected: float) -> None:
    one, other = (np.array([v]) for v in pair)
    assert compare._distance(np.array([real]), rounding, one, other) == pytest.approx(expected, abs=1e-9)


def test_rounding_of_a_table_is_found() -> None:
    exact = np.array([[-1.5, -0.4, 0.6, 1.2, 9.0]])
    halves = TableReference(0, np.clip(np.rint(exact), -1, 4), exact)
    floors = TableReference(0, np.floor(exact), exact)
    assert compare._rounding(halves) is Rounding.HALF_EVEN
    assert compare._rounding(floors) is Rounding.FLOOR
    assert compare._rounding(AffineReference((), (), Rounding.CEIL, 0, (), ())) is Rounding.CEIL


@pytest.mark.parametrize("dtype", ["int4", "uint4"])
def test_four_bit_tensors(dtype: str, tmp_path: Path) -> None:
    """ONNX Runtime's 4-bit tensors have no NumPy form and are read through a cast."""
    element = TensorProto.INT4 if dtype == "int4" else TensorProto.UINT4
    low = 0 if dtype == "uint4" else -2
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "s0", "z0"], ["xq"]),
        node("DequantizeLinear", ["xq", "s0", "z0"], ["xf"]),
        node("DequantizeLinear", ["w", "s1", "z1"], ["wf"]),
        node("MatMul", ["xf", "wf"], ["acc"]),
        node("QuantizeLinear", ["acc", "s2", "z0"], ["yq"]),
        node("DequantizeLinear", ["yq", "s2", "z0"], ["y"]),
    ]
    constants: dict[str, Any] = {
        "s0": np.float32(0.25),
        "s1": np.float32(0.1),
        "s2": np.float32(0.33),
        "z0": helper.make_tensor("z0", element, [], [low]),
        "z1": helper.make_tensor("z1", TensorProto.INT4, [], [0]),
        "w": helper.make_tensor("w", TensorProto.INT4, [6, 4], RNG.integers(-8, 8, 24).tolist()),
    }
    path = save(model_of(nodes, constants, [6]), tmp_path)
    graph = frontend.load(path)
    feeds = {"x": RNG.normal(0, 1, (50, 6)).astype(np.float32)}
    assert canonical_check(graph, write(graph), feeds).mismatches == 0
    report = original_check(graph, path, feeds)
    assert {check.tensor for check in report.tensors} == {"xq", "yq"}
    assert report.exact >= report.elements - 1
    assert report.unexplained == 0


def test_movements_carry_the_value_before_rounding() -> None:
    """A tie of two unseen tensors shows only after they were joined, pooled and reshaped."""
    shape = (1, 2, 2)
    tensors = {
        name: Tensor(name, size, INT8, -128, 127)
        for name, size in {
            "x": shape, "a": shape, "b": shape, "ab": (1, 2, 4), "pooled": (1, 1, 4), "y": (1, 4, 1)
        }.items()
    }  # fmt: skip
    half = AffineReference((Fraction(1, 2),), (Fraction(0),), Rounding.HALF_EVEN, 0, (-128,), (127,))
    down = AffineReference((Fraction(1, 2),), (Fraction(1, 4),), Rounding.HALF_EVEN, 0, (-128,), (127,))
    ops: list[Op] = [
        Requantize("a", ("x",), "a", half),
        Requantize("b", ("x",), "b", down),
        Concat("ab", ("a", "b"), "ab"),
        MaxPool("pooled", ("ab",), "pooled", Geometry((1, 2))),
        Reshape("y", ("pooled",), "y"),
    ]
    graph = finished(tensors, ops, "x", ["y"])
    frames = np.array([[[[7, 1], [2, 3]]]], np.int8)
    computed = golden.run(graph, frames)
    judge = compare._Judge(graph, computed, {"x": frames})
    real, rounding = judge._real("y")
    assert rounding is Rounding.HALF_EVEN
    assert real.ravel().tolist() == [3.5, 1.5, 3.75, 1.75]
    other = computed["y"].copy()
    other.ravel()[:] = [3, 1, 3, 1]  # 3.5 and 1.5 are ties, 3.75 and 1.75 are not
    seen = compare._Seen(graph, graph.views["y"], graph.views["y"].layout.to_onnx(other))
    check = judge.check("y", "y", seen, computed["y"])
    assert (check.elements, check.explained, check.unexplained) == (4, 2, 2)
    # once the original shows a and b, their integers are what counts, and nothing is near a tie
    shown = compare._Judge(graph, computed, {"x": frames, "a": computed["a"], "b": computed["b"]})
    assert shown._real("y")[0].ravel().tolist() == [4, 2, 4, 2]
    assert shown.check("y", "y", seen, computed["y"]).unexplained == 4


def test_wide_results_may_be_as_far_as_float32_is_coarse() -> None:
    """30000 is 4e-3 from its tie, one unit of float32 being 2e-3; 2000 is 3e-2 from its own."""
    type = QuantType(16, True)
    tensors = {name: Tensor(name, (1, 1, 2), type, type.min, type.max) for name in ("x", "y")}
    scale = (Fraction(1) + Fraction(1, 2**23), Fraction(1) + Fraction(1, 2**16))
    bounds = ((type.min,) * 2, (type.max,) * 2)
    reference = AffineReference(scale, (Fraction(1, 2),) * 2, Rounding.HALF_EVEN, 0, *bounds)
    graph = finished(tensors, [Requantize("y", ("x",), "y", reference)], "x", ["y"])
    frames = np.array([[[[30000, 2000]]]], np.int16)
    computed = golden.run(graph, frames)
    assert computed["y"].ravel().tolist() == [30001, 2001]
    judge = compare._Judge(graph, computed, {"x": frames})
    seen = compare._Seen(graph, graph.views["y"], (computed["y"] - 1).transpose(0, 3, 1, 2))
    check = judge.check("y", "y", seen, computed["y"])
    assert (check.explained, check.unexplained) == (1, 1)
    assert check.farthest == pytest.approx(30000 / 2**23)


def test_two_lsb_are_never_a_tie() -> None:
    tensors = {name: Tensor(name, (1, 1, 3), INT8, -128, 127) for name in ("x", "y")}
    for rounding in (r for r in Rounding if r is not Rounding.SIGN):
        reference = AffineReference((Fraction(1, 2),), (Fraction(0),), rounding, 0, (-128,), (127,))
        graph = finished(tensors, [Requantize("y", ("x",), "y", reference)], "x", ["y"])
        frames = np.array([[[[6, 7, -9]]]], np.int8)
        computed = golden.run(graph, frames)
        judge = compare._Judge(graph, computed, {"x": frames})
        for step in (2, -2):
            seen = compare._Seen(graph, graph.views["y"], (computed["y"] + step).transpose(0, 3, 1, 2))
            assert judge.check("y", "y", seen, computed["y"]).unexplained == 3


def test_a_saturating_processor_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is the processor's: it appears as a note, and the canonical model does not depend on it."""
    model = next(
        model
        for seed in range(100)
        if runtime._multiplies_uint8_by_int8(model := random_network(seed, form="qoperator"))
    )
    path = save(model, tmp_path)
    graph = frontend.load(path)
    monkeypatch.setattr(runtime, "saturates", lambda: True)
    feeds = images(graph, 3, 0)
    report = original_check(graph, path, feeds)
    assert report.notes == (runtime.SATURATION_NOTE,)
    assert report.unexplained == 0
    assert canonical_check(graph, write(graph), feeds).notes == ()
