"""Breaks one thing at a time, in the C++, in the SystemVerilog, in the design, in the golden model, in what ONNX
Runtime is given, and requires that verification notices. Runs with ``make test-mutations``.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import hlsgen
from hlsgen import frontend, samples
from hlsgen import plan as plans
from hlsgen.emit.rtl import write as write_rtl
from hlsgen.errors import PlanError, ToolError, VerificationError
from hlsgen.exact import solve
from hlsgen.graph.graph import Graph
from hlsgen.graph.host import Array
from hlsgen.graph.ops import Conv, Join, MaxPool, Op, Requantize, SumPool
from hlsgen.graph.reference import QLinearReference
from hlsgen.graph.types import QuantType
from hlsgen.kernels.axi import words_from_frames
from hlsgen.lower.folding import legal
from hlsgen.lower.layers import layers
from hlsgen.lower.types import stream_types
from hlsgen.pipeline import Build
from hlsgen.plan.timing import predict
from hlsgen.sim import csim
from hlsgen.verify import verify_cpp, verify_references, verify_rtl
from tests.conftest import EXAMPLES

pytestmark = pytest.mark.mutation

DIGITS = EXAMPLES / "digits_qdq.onnx"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Eight sums at a time and whole windows, whatever a plan for some board would be."""
    folder = tmp_path_factory.mktemp("build")
    graph = frontend.load(DIGITS)
    units = solve(graph)
    chosen = plans.smallest(graph, units)
    types = stream_types(graph)
    for layer in layers(graph):
        fields = legal(layer, graph, types, units)
        for name, most in (("pe", 8), ("taps", 9)):
            if name in fields:
                setattr(chosen.layers[layer.name], name, max(int(v) for v in fields[name] if int(v) <= most))
    plans.save(chosen, folder / "plan.yaml")
    return hlsgen.build(DIGITS, board="pynq-z2", output=folder / "out", plan=folder / "plan.yaml", verify="none")


@pytest.fixture(scope="module")
def feeds(build: Build) -> dict[str, Array]:
    graph = build.graph
    return samples.joined(samples.read(EXAMPLES / "digits_samples.npz", graph), samples.made_up(graph))


def test_the_unchanged_build_passes(build: Build, feeds: dict[str, Array]) -> None:
    verify_cpp(build.graph, build.artifacts.design, build.folder, feeds)
    verify_references(build.graph, build.folder, feeds, DIGITS)


def entry(table: str, change: Callable[[int], int]) -> Callable[[str], str]:
    """Change the first entry of the ROM whose name ends in ``table``."""

    def mutate(text: str) -> str:
        return re.sub(
            rf"(::{table}(?:\[\d+\])+ = \{{\s*)(-?\d+)", lambda m: f"{m[1]}{change(int(m[2]))}", text, count=1
        )

    return mutate


def literal(old: str, new: str) -> Callable[[str], str]:
    """Replace a piece of text."""
    return lambda text: text.replace(old, new, 1)


def half_bit(text: str) -> str:
    """Take the rounding half out of the first channel's addend."""
    shift = re.search(r"int SHIFT = (\d+);", text)
    assert shift is not None
    return entry("add", lambda value: value - (1 << (int(shift[1]) - 1)))(text)


CPP: dict[str, tuple[str, Callable[[str], str]]] = {
    "weight": ("params/stem_0_conv.hpp", entry("weights", lambda w: w - 1 if w > 0 else w + 1)),
    "depthwise weight": ("params/depthwise_0_conv.hpp", entry("weights", lambda w: w - 1 if w > 0 else w + 1)),
    "bias": ("params/block_0_0_conv.hpp", entry("start", lambda b: b + 1)),
    "rounding bit": ("params/stem_0_conv.hpp", half_bit),
    "threshold": ("params/average_globalaveragepool.hpp", entry("level0", lambda t: t + 64)),
    "addend of the join": ("params/add.hpp", entry("add", lambda a: a + (1 << 18))),
    "pad value": ("params/block_0_0_conv.hpp", literal("PAD_VALUE = -128", "PAD_VALUE = -127")),
    "offset of the sum pool": ("params/average_globalaveragepool.hpp", literal("OFFSET = 2048", "OFFSET = 2047")),
    "clip": ("params/block_0_0_conv.hpp", entry("hi", lambda hi: hi - 1)),
    "beats of the output": ("params/output.hpp", lambda text: re.sub(r"(BEATS.* = \{?)10", r"\g<1>9", text, count=1)),
    "TLAST": ("pack.hpp", literal("word.last = flag[0];", "word.last = !flag[0];")),
}


@pytest.mark.parametrize("name", CPP)
def test_a_change_in_the_cpp_is_found(name: str, build: Build, feeds: dict[str, Array], tmp_path: Path) -> None:
    shutil.copytree(build.folder, tmp_path / "out")
    file, mutate = CPP[name]
    path = tmp_path / "out" / "hls" / file
    text = path.read_text()
    assert mutate(text) != text, "the mutation does not apply any more"
    path.write_text(mutate(text))
    with pytest.raises(VerificationError):
        verify_cpp(build.graph, build.artifacts.design, tmp_path / "out", feeds)


def bit(position: int) -> Callable[[str], str]:
    """Flip a bit of a memory's first word."""

    def mutate(text: str) -> str:
        first, rest = text.split("\n", 1)
        return f"{int(first, 16) ^ 1 << position:0{len(first)}x}\n{rest}"

    return mutate


def pattern(old: str, new: str) -> Callable[[str], str]:
    """Replace the first match of a regular expression."""
    return lambda text: re.sub(old, new, text, count=1)


def addend(text: str) -> str:
    """Change the constant that the join adds."""
    constant = re.compile(r"(hlsgen_add #\(.*?VALUE\('\{[^}]*sd)(\d+)\}", re.DOTALL)
    return constant.sub(lambda m: f"{m[1]}{int(m[2]) + (1 << 19)}}}", text, count=1)


RTL: dict[str, tuple[str, Callable[[str], str]]] = {
    "weight": ("block_0_0_conv_matvec_weights.mem", bit(1)),
    "depthwise weight": ("depthwise_0_conv_depthwise_weights.mem", bit(1)),
    "bias": ("block_0_0_conv_matvec_start.mem", bit(6)),
    "rounding bit": ("stem_0_conv_requant_channels.mem", bit(19)),
    "threshold": ("average_globalaveragepool_requant_level0.mem", bit(6)),
    "addend of the join": ("accel_core.sv", addend),
    "pad value": ("accel_core.sv", pattern(r"PAD_VALUE\(-64'sd128\)", "PAD_VALUE(-64'sd127)")),
    "padding": ("accel_core.sv", pattern(r"PAD_TOP\(1\)", "PAD_TOP(0)")),
    "offset of the sum pool": ("accel_core.sv", literal(".OFFSET(64'sd2048)", ".OFFSET(64'sd2047)")),
    "accumulator": ("dot_array.sv", literal("(beginning ? start[p] : acc[p])", "start[p]")),
    "TLAST": ("accel_core.sv", literal(".out_last(m_axis_last)", ".out_last()")),
    "word of pack": ("accel_core.sv", literal(".out_data(m_axis_data)", ".out_data()")),
    "place in the queue": ("queue.sv", literal("write_address <= write_address + 1'b1", "write_address <= '0")),
    "reset": ("queue.sv", literal("room <= 1'b1;", "room <= 1'b0;")),
}


@pytest.mark.parametrize("name", RTL)
def test_a_change_in_the_system_verilog_is_found(
    name: str, build: Build, feeds: dict[str, Array], tmp_path: Path
) -> None:
    shutil.copytree(build.folder, tmp_path / "out")
    file, mutate = RTL[name]
    path = tmp_path / "out" / "rtl" / file
    text = path.read_text()
    assert mutate(text) != text, "the mutation does not apply any more"
    path.write_text(mutate(text))
    with pytest.raises((VerificationError, ToolError)):
        verify_rtl(build.graph, build.artifacts.design, tmp_path / "out", feeds)


def test_the_unchanged_system_verilog_passes(build: Build, feeds: dict[str, Array]) -> None:
    verify_rtl(build.graph, build.artifacts.design, build.folder, feeds)


def test_a_shallow_fifo_in_the_system_verilog_shows(build: Build, feeds: dict[str, Array], tmp_path: Path) -> None:
    """It slows the network down, or stops it, and the timing model says so beforehand."""
    design = build.artifacts.design
    whole = predict(design)
    deepest = max(design.streams.values(), key=lambda stream: stream.rtl_depth or 0)
    assert deepest.rtl_depth is not None
    deepest.rtl_depth = deepest.rtl_depth * 3 // 4
    write_rtl(design, tmp_path / "rtl", "0" * 16)
    try:
        predicted = predict(design)
    except PlanError:
        with pytest.raises(VerificationError, match="stuck"):
            verify_rtl(build.graph, design, tmp_path, feeds)
    else:
        assert predicted.interval_cycles > whole.interval_cycles
        measured = verify_rtl(build.graph, design, tmp_path, feeds).timing["interval_cycles"]
        assert measured > whole.interval_cycles


def test_a_fifo_one_too_shallow_deadlocks(build: Build) -> None:
    design = build.artifacts.design
    deepest = max(design.streams.values(), key=lambda stream: stream.depth)
    assert deepest.depth > 2
    rng = np.random.default_rng(3)
    tensor = build.graph.tensors[build.graph.input]
    words = words_from_frames(rng.integers(-128, 128, (2, *tensor.shape)).astype(np.int8), tensor.type, design.axi_bits)
    program = csim.compile(build.folder / "hls", bounded=True)
    csim.run(program, design, words)
    with pytest.raises(VerificationError, match=f"deadlock.*{deepest.name}"):
        csim.run(program, design, words, depths={deepest.name: deepest.depth // 2})


def changed(graph: Graph, kind: type[Op], change: Callable[[Op], Op]) -> Graph:
    """The graph with its first operator of ``kind`` that ``change`` alters."""
    ops = list(graph.ops)
    for index, op in enumerate(ops):
        if isinstance(op, kind) and (new := change(op)) is not op:
            ops[index] = new
            return dataclasses.replace(graph, ops=ops)
    raise AssertionError(f"no {kind.__name__} can be changed")


def weight(op: Op) -> Op:
    assert isinstance(op, Conv)
    weights = op.weight.copy()
    weights.flat[0] += 1 if weights.flat[0] < 0 else -1
    return dataclasses.replace(op, weight=weights)


def bias(op: Op) -> Op:
    assert isinstance(op, Conv)
    return dataclasses.replace(op, bias=op.bias + 400)


def widened(graph: Graph, kind: type[Op]) -> Graph:
    """With the range of what the first operator of ``kind`` gives if its zero point is one more, where it is a sum."""
    op = next(op for op in graph.ops if isinstance(op, kind))
    if isinstance(op, SumPool):
        tensor = graph.tensors[op.output]
        lo = tensor.lo - int(np.prod(op.geometry.kernel))
        wider = dataclasses.replace(tensor, lo=lo, type=QuantType.for_range(lo, tensor.hi))
        return dataclasses.replace(graph, tensors={**graph.tensors, op.output: wider})
    return graph


def zero_point(op: Op) -> Op:
    assert isinstance(op, Conv | SumPool)
    return dataclasses.replace(op, zero_point=op.zero_point + 1)


def geometry(op: Op) -> Op:
    assert isinstance(op, MaxPool)
    return dataclasses.replace(op, geometry=dataclasses.replace(op.geometry, dilations=(1, 2), pads=(0, 0, 0, 1)))


def multiplier(op: Op) -> Op:
    assert isinstance(op, Requantize)
    if not isinstance(op.reference, QLinearReference):
        return op
    scaled = op.reference.multiplier * np.float32(1.01)
    return dataclasses.replace(op, reference=dataclasses.replace(op.reference, multiplier=scaled))


def operands(op: Op) -> Op:
    assert isinstance(op, Join)
    return dataclasses.replace(op, inputs=op.inputs[::-1])


GRAPH: dict[str, tuple[type[Op], Callable[[Op], Op]]] = {
    "weight": (Conv, weight),
    "bias": (Conv, bias),
    "zero point": (Conv, zero_point),
    "zero point of the pool": (SumPool, zero_point),
    "window": (MaxPool, geometry),
    "multiplier": (Requantize, multiplier),
    "operands of the join": (Join, operands),
}


@pytest.mark.parametrize("name", GRAPH)
def test_a_change_in_the_golden_model_is_found(name: str, build: Build, feeds: dict[str, Array]) -> None:
    with pytest.raises(VerificationError, match="The C simulation differs from golden"):
        verify_cpp(changed(build.graph, *GRAPH[name]), build.artifacts.design, build.folder, feeds)


@pytest.mark.parametrize("name", GRAPH)
def test_a_model_read_wrongly_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then C++, golden and canonical.onnx agree with each other; only the user's own file can tell."""
    load = frontend.load
    monkeypatch.setattr(frontend, "load", lambda path: changed(widened(load(path), GRAPH[name][0]), *GRAPH[name]))
    with pytest.raises(VerificationError, match="differ from what ONNX Runtime computes for the original"):
        hlsgen.build(DIGITS, board="pynq-z2", output=tmp_path / "out", samples=EXAMPLES / "digits_samples.npz")
    assert not (tmp_path / "out").exists()


def test_a_change_in_the_canonical_model_is_found(build: Build, feeds: dict[str, Array], tmp_path: Path) -> None:
    shutil.copytree(build.folder, tmp_path / "out")
    path = tmp_path / "out" / "canonical.onnx"
    model = onnx.load(str(path))
    largest = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
    array = numpy_helper.to_array(largest).copy()
    array.flat[0] += 1 if array.flat[0] < 100 else -1
    largest.CopyFrom(numpy_helper.from_array(array, largest.name))
    onnx.save(model, str(path))
    with pytest.raises(VerificationError, match=r"ONNX Runtime's run of canonical\.onnx"):
        verify_references(build.graph, tmp_path / "out", feeds, DIGITS)
