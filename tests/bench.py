"""Prints the project's speed figures, each with what it was measured on. Run it by ``make bench``.

Figures on ResNet-8 need the folder of real models (HLSGEN_MODELS); the others make their own network.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import onnxruntime
from rich.console import Console
from rich.table import Table

import hlsgen
from hlsgen import plan
from hlsgen.board import load as load_board
from hlsgen.errors import PlanError
from hlsgen.exact import solve
from hlsgen.graph import golden
from hlsgen.graph.ops import Conv
from hlsgen.kernels.axi import words_from_frames
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.matvec import Matvec
from hlsgen.lower import lower
from hlsgen.lower.design import Design
from hlsgen.pipeline import Build
from hlsgen.plan.depths import size_for_rate
from hlsgen.plan.limits import SHELL
from hlsgen.plan.timing import predict, rtl_depths
from hlsgen.sim import csim, rtlsim, verilator
from tests.deploy.board import shipped_modules
from tests.deploy.test_packing import pack_ratio
from tests.networks import cnn, plain_cnn, resnet20

RESNET8 = "mlperf_resnet8_qdq.onnx"
BATCH = 64
HLS4ML_IMAGES_PER_SECOND = 18.0
"""hls4ml 1.3.0's C simulation of the same topology (3.27 M MACs) on a comparable machine, the best of its runs."""


@dataclass(frozen=True)
class Figure:
    """One line of the report."""

    what: str
    measured: str
    target: str
    reached: bool
    command: str


def best_of(runs: int, action: Callable[[], object]) -> float:
    """Seconds of the fastest of ``runs`` runs, after one that is not counted."""
    action()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def golden_speed(model: Path) -> Figure:
    """NumPy golden against ONNX Runtime: one thread, a batch of 64, host parts included in both."""
    graph = hlsgen.load(model)
    name = graph.prefix.inputs[0]
    x = np.random.default_rng(0).uniform(0, 255, (BATCH, *graph.prefix.shapes[name])).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # not a word about the batch that the file does not announce
    session = onnxruntime.InferenceSession(
        _with_batch(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    ours = best_of(5, lambda: golden.predict(graph, {name: x}))
    theirs = best_of(5, lambda: session.run(None, {name: x}))
    return Figure(
        f"golden on {model.stem}, images/s over ONNX Runtime's",
        f"{BATCH / ours:,.0f} / {BATCH / theirs:,.0f} = {theirs / ours:.2f}",
        ">= 0.2",
        theirs / ours >= 0.2,
        "hlsgen.graph.golden.predict",
    )


def _with_batch(model: Path) -> onnx.ModelProto:
    """The model with a free batch axis: in its inputs and in constant target shapes of Reshape."""
    proto = onnx.load(model)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    targets = {node.input[1] for node in proto.graph.node if node.op_type == "Reshape"}
    for tensor in proto.graph.initializer:
        if tensor.name in targets:
            shape = onnx.numpy_helper.to_array(tensor).copy()
            shape[0] = -1
            tensor.CopyFrom(onnx.numpy_helper.from_array(shape, tensor.name))
    return proto


def simulation_speed(build: Build) -> Figure:
    """Native C simulation of a CNN of 3.3 M MACs, whole program, all of its batch."""
    design, graph = build.artifacts.design, build.graph
    program = csim.compile(build.folder / "hls")
    tensor = graph.tensors[graph.input]
    frames = np.random.default_rng(0).integers(tensor.lo, tensor.hi, (2 * BATCH, *tensor.shape), endpoint=True)
    words = words_from_frames(frames, tensor.type, design.axi_bits)
    rate = len(words) / best_of(3, lambda: csim.run(program, design, words))
    return Figure(
        f"C simulation of a CNN of {graph.macs() / 1e6:.2f} M MACs, images/s",
        f"{rate:,.0f} = {rate / HLS4ML_IMAGES_PER_SECOND:.0f} x hls4ml's {HLS4ML_IMAGES_PER_SECOND:.0f}",
        ">= 20 x",
        rate >= 20 * HLS4ML_IMAGES_PER_SECOND,
        "hlsgen run DIR --engine csim",
    )


def build_figures(model: Path, folder: Path) -> list[Figure]:
    """Time and memory of a build with its foldings given and no verification, size of its top, time to compile it."""
    planned = hlsgen.build(model, board="pynq-z2", output=folder / "planned", verify="none")
    arguments = [sys.executable, "-m", "hlsgen", "build", str(model), "--board", "pynq-z2"]
    arguments += ["-o", str(folder / "build"), "--verify", "none", "--plan", str(planned.folder / "plan.yaml")]
    started = time.perf_counter()
    pid = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=_quiet())
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"the build of {model} failed")
    lines = len((folder / "build" / "hls" / "top.cpp").read_text().splitlines())
    started = time.perf_counter()
    csim.compile(folder / "build" / "hls")
    compiling = time.perf_counter() - started
    command = f"hlsgen build {model.name} --board pynq-z2 --plan plan.yaml --verify none"
    memory = usage.ru_maxrss / 1e6
    return [
        Figure(f"build of {model.stem}, seconds", f"{seconds:.2f}", "< 3", seconds < 3, command),
        Figure(f"build of {model.stem}, GB of memory", f"{memory:.2f}", "< 1", memory < 1, command),
        Figure(f"top.cpp of {model.stem}, lines", str(lines), "< 400", lines < 400, "wc -l DIR/hls/top.cpp"),
        Figure("compiling its simulation, seconds", f"{compiling:.1f}", "< 10", compiling < 10, "g++ -O3, native"),
    ]


def network_figures(model: Path, folder: Path) -> list[Figure]:
    """Speed and size of ResNet-8 on a PYNQ-Z2, measured in Verilator and Yosys; time that the simulation takes."""
    board = load_board("pynq-z2")
    build = hlsgen.build(model, board=board, output=folder / "rtl", verify="rtl", synth="yosys")
    command = f"hlsgen build {model.name} --board pynq-z2 --verify rtl --synth yosys"
    predicted, measured = build.manifest["predicted"], build.manifest["measured"]
    interval, latency = (measured["timing"][name] for name in ("interval_cycles", "latency_cycles"))
    off = max(abs(measured["timing"][name] / predicted["timing"][name] - 1) for name in measured["timing"])
    use, room = measured["resources"], board.resources
    bram = use["ramb36"] + use["ramb18"] / 2
    fits = use["lut"] + SHELL.lut <= room.lut and use["dsp"] <= room.dsp and bram <= room.bram36
    return [
        Figure(f"{model.stem}: cycles between images", f"{interval:,}", "<= 24,576", interval <= 24_576, command),
        Figure(f"{model.stem}: cycles of one image", f"{latency:,}", "<= 50,000", latency <= 50_000, command),
        Figure("predicted cycles, off by", f"{off:.2%}", "<= 1 %", off <= 0.01, command),
        Figure(
            "LUT with 8,000 for the shell, DSP, BRAM36",
            f"{use['lut'] + SHELL.lut:,}, {use['dsp']}, {bram:g}",
            f"{room.lut:,}, {room.dsp}, {room.bram36}",
            fits,
            command,
        ),
        _macs_per_dsp(build),
        shallower_fifos(build),
        packing(build),
        *_simulation_time(build, folder),
    ]


def _macs_per_dsp(build: Build) -> Figure:
    """MACs per cycle and DSP, of the convolutions of 8 channels or more whose products are made by DSPs."""
    convolutions = {op.name: op for op in build.graph.ops if isinstance(op, Conv) and op.weight.shape[-1] >= 8}
    macs, blocks = 0.0, 0
    for instance in build.artifacts.design.instances:
        kernel = instance.kernel
        if isinstance(kernel, Matvec) and kernel.mac in (Mac.DSP, Mac.DSP2) and instance.layer in convolutions:
            macs += kernel.weights.size * kernel.pixels / kernel.cycles
            blocks += build.manifest["measured"]["kernels"][instance.name]["resources"]["dsp"]
    rate = macs / max(1, blocks)
    return Figure("MACs per cycle and DSP, convolutions", f"{rate:.2f}", ">= 1.7", rate >= 1.7, "the same build")


def _simulation_time(build: Build, folder: Path) -> list[Figure]:
    design, rtl = build.artifacts.design, build.folder / "rtl"
    started = time.perf_counter()
    verilator.compile(rtl, cache=folder / "cache")
    compiling = time.perf_counter() - started
    tensor = build.graph.tensors[build.graph.input]
    frames = np.random.default_rng(0).integers(tensor.lo, tensor.hi, (8, *tensor.shape), endpoint=True)
    words = words_from_frames(frames, tensor.type, design.axi_bits)
    started = time.perf_counter()
    rtlsim.run(design, rtl, words, trace=True, cache=folder / "cache")
    each = (time.perf_counter() - started) / len(words)
    return [
        Figure("building its RTL simulation, seconds", f"{compiling:.0f}", "< 90", compiling < 90, "verilator, g++"),
        Figure("RTL simulation, seconds per image", f"{each:.2f}", "<= 5", each <= 5, "hlsgen run DIR --engine rtl"),
    ]


def efficiency(folder: Path) -> Figure:
    """MACs per cycle and thousand LUTs of a small CNN, counted by Yosys."""
    path = folder / "plain_cnn.onnx"
    onnx.save(plain_cnn(), path)
    build = hlsgen.build(path, board="pynq-z2", output=folder / "plain", verify="rtl", synth="yosys")
    measured = build.manifest["measured"]
    interval, lut = measured["timing"]["interval_cycles"], measured["resources"]["lut"]
    rate = build.graph.macs() / interval / (lut / 1000)
    return Figure(
        "MACs per cycle and kLUT, small CNN",
        f"{rate:.1f} ({interval:,} cycles, {lut:,} LUT, {measured['resources']['dsp']} DSP)",
        ">= 10",
        rate >= 10,
        "hlsgen build plain_cnn.onnx --board pynq-z2 --verify rtl --synth yosys",
    )


def shallower_fifos(build: Build) -> Figure:
    """Which FIFOs of 16 beats or more are needed: with 20 % less, a deadlock or 1 % more cycles between images."""
    design = build.artifacts.design
    depths = rtl_depths(design)
    interval = predict(design, depths).interval_cycles
    deep = [name for name, depth in depths.items() if depth >= 16]
    found = [_interval(design, {**depths, name: int(0.8 * depths[name])}) for name in deep]
    slowed = [longer / interval - 1 for longer in found if longer is not None]
    stuck = len(found) - len(slowed)
    least = min(slowed, default=math.inf)
    return Figure(
        "FIFOs of 16 beats or more, 20 % shallower",
        f"{stuck} of {len(deep)} deadlock, the others cost {least:.1%} to {max(slowed, default=0):.1%}",
        ">= 1 %",
        least >= 0.01,
        "plan.timing.predict",
    )


def _interval(design: Design, depths: Mapping[str, int]) -> int | None:
    """Cycles between images with FIFOs of such depths; None for a deadlock."""
    try:
        return predict(design, depths).interval_cycles
    except PlanError:
        return None


def packing(build: Build) -> Figure:
    """The driver's packing and unpacking of int8 images against copying the same bytes."""
    with shipped_modules(build.folder / "deploy") as modules:
        pack, unpack = pack_ratio(modules.driver)
    return Figure(
        "driver: packing, unpacking int8 images",
        f"{pack:.2f}, {unpack:.2f} of np.copyto",
        "<= 2",
        max(pack, unpack) <= 2,
        "deploy/driver.py, batches of 256",
    )


def fifo_memory(build: Build) -> Figure:
    """Bits of all FIFOs of the 13 k-weight CNN."""
    design = build.artifacts.design
    bits = sum(depth * design.streams[name].spec.width for name, depth in rtl_depths(design).items() if depth > 2)
    return Figure("FIFOs of the 13 k-weight CNN, Mb", f"{bits / 1e6:.3f}", "< 0.1", bits < 1e5, "hlsgen build cnn.onnx")


def planning_time(folder: Path) -> list[Figure]:
    """Seconds to fold a ResNet-20 and to size its FIFOs."""
    path = folder / "resnet20.onnx"
    onnx.save(resnet20(), path)
    graph = hlsgen.load(path)
    units, board = solve(graph), load_board("pynq-z2")
    started = time.perf_counter()
    folded = plan.fold(graph, units, board)
    folding = time.perf_counter() - started
    design = lower(graph, units, folded.plan, board.axi_bits)
    sizing = best_of(2, lambda: size_for_rate(design))
    return [
        Figure("folding a ResNet-20, seconds", f"{folding:.1f}", "< 10", folding < 10, "hlsgen.plan.fold"),
        Figure("sizing its FIFOs, seconds", f"{sizing:.2f}", "< 1", sizing < 1, "plan.depths.size_for_rate"),
    ]


def _quiet() -> list[tuple[int, int, str, int, int]]:
    return [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]


def main() -> int:
    """Print the table; 1 if a figure misses its target."""
    models = os.environ.get("HLSGEN_MODELS", "")
    real = Path(models) / RESNET8
    model = real if real.is_file() else Path(__file__).parents[1] / "examples" / "digits_qdq.onnx"
    table = Table("figure", "measured", "target", "", "by", title="hlsgen benchmark (one thread, best of several runs)")
    figures = [golden_speed(model)]
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(cnn(), Path(folder) / "cnn.onnx")
        build = hlsgen.build(Path(folder) / "cnn.onnx", board="pynq-z2", output=Path(folder) / "cnn", verify="none")
        figures += [simulation_speed(build), fifo_memory(build)]
        figures += build_figures(model, Path(folder))
        figures += planning_time(Path(folder))
        figures.append(efficiency(Path(folder)))
        figures += network_figures(model, Path(folder))
    for figure in figures:
        mark = "[green]reached[/green]" if figure.reached else "[red]missed[/red]"
        table.add_row(figure.what, figure.measured, figure.target, mark, figure.command)
    Console(width=150).print(table)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
