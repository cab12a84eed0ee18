"""Random networks of every form: golden, canonical.onnx, the original and the C++ agree on every element."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen import frontend, plan
from hlsgen.canonical import compare, write
from hlsgen.errors import UnsupportedError
from hlsgen.exact import solve
from hlsgen.graph.graph import Graph
from hlsgen.lower.mapping import lower
from tests.networks import FORMS, Coverage, random_network

NETWORKS = 210
BATCH = 15
SIMULATED = tuple(range(1000, 1021))

MUST_OCCUR = (
    *FORMS,
    *("Conv", "Gemm", "MatMul", "QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearConcat", "QLinearAveragePool"),
    *(
        "QLinearGlobalAveragePool",
        "QLinearLeakyRelu",
        "Quant",
        "BipolarQuant",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Relu",
        "Clip",
    ),
    *("BatchNormalization", "Sigmoid", "Tanh", "LeakyRelu", "HardSwish", "MaxPool", "AveragePool", "GlobalAveragePool"),
    *("ReduceMean", "Concat", "Reshape", "Flatten", "Transpose", "1-D", "depthwise", "groups", "channel multiplier"),
    *("dilation", "auto_pad", "stride 2 with asymmetric padding", "average without padding", "padded bipolar input"),
    *("free zero point", "weight zero point", "weight -128", "bipolar weights", "negative gamma", "float bias"),
    *("saturation", "power-of-two scales", "free scales", "16-bit activation", "integer Clip"),
    *("odd zero point inside the rounding", "accumulator operand", "tensor operand", "accumulator output"),
    "maximum before the quantizer",
    *(f"rounding {mode}" for mode in ("ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN")),
)


def save(seed: int, folder: Path) -> Path:
    path = folder / f"network{seed}.onnx"
    onnx.save(random_network(seed), path)
    return path


def images(graph: Graph, seed: int, count: int) -> dict[str, np.ndarray]:
    """Inputs of the quantizer's range and beyond."""
    name = graph.prefix.inputs[0]
    values = np.random.default_rng(seed).normal(size=(count, *graph.prefix.shapes[name])) * 1.5
    return {name: values.astype(np.float32)}


@pytest.mark.parametrize("first", range(0, NETWORKS, BATCH))
def test_golden_equals_canonical_and_explains_the_original(first: int, tmp_path: Path) -> None:
    unsupported = 0
    for seed in range(first, first + BATCH):
        path = save(seed, tmp_path)
        try:
            graph = frontend.load(path)
        except UnsupportedError:  # a sum of two tensors whose elements are in different orders
            unsupported += 1
            continue
        feeds = images(graph, seed, 3)
        canonical = compare.canonical_check(graph, write.write(graph), feeds)
        assert canonical.elements > 0
        assert canonical.mismatches == 0, (seed, [t for t in canonical.tensors if t.mismatches])
        original = compare.original_check(graph, path, feeds)
        assert original.unexplained == 0, (seed, [t for t in original.tensors if t.unexplained])
    assert unsupported <= 2


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 12_000, 100))
def test_many_more(first: int, tmp_path: Path) -> None:
    unsupported = 0
    for seed in range(first, first + 100):
        try:
            graph = frontend.load(save(seed, tmp_path))
        except UnsupportedError:
            unsupported += 1
            continue
        assert compare.canonical_check(graph, write.write(graph), images(graph, seed, 3)).mismatches == 0, seed
    assert unsupported <= 5


def test_sums_never_wait_in_a_deep_fifo(tmp_path: Path) -> None:
    """Requantization follows the multiply-accumulates: accumulator-wide FIFOs have two beats."""
    sums = 0
    for seed in range(60):
        try:
            graph = frontend.load(save(seed, tmp_path))
        except UnsupportedError:
            continue
        units = solve(graph)
        design = lower(graph, units, plan.smallest(graph, units), 64)
        plan.size_fifos(design)
        for instance in design.instances:
            if instance.kernel.kind in ("matvec", "depthwise", "sumpool"):
                sums += 1
                assert all(design.streams[name].depth <= 2 for name in instance.outputs), (seed, instance.name)
    assert sums > 100


@pytest.mark.parametrize("seed", SIMULATED)
def test_c_simulation_equals_golden(seed: int, tmp_path: Path) -> None:
    """``build`` itself compares every stream of the C++ with golden, and raises where they differ."""
    build = hlsgen.build(save(seed, tmp_path), board="pynq-z2", output=tmp_path / "build")
    assert build.manifest["verify"]["csim"]["mismatches"] == 0
    feeds = images(build.graph, seed + 1, 2)
    golden, simulated = (build.run(feeds, engine=engine, trace=True) for engine in ("golden", "csim"))
    assert golden.keys() == simulated.keys()
    for name, expected in golden.items():
        np.testing.assert_array_equal(simulated[name], expected, err_msg=name)


def test_coverage() -> None:
    coverage = Coverage()
    for seed in range(NETWORKS):
        random_network(seed, coverage)
    missing = [name for name in MUST_OCCUR if not coverage.counts[name]]
    assert not missing
    print(Counter(coverage.counts).most_common())
