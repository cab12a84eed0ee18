"""Prints the project's speed figures, each with what it was measured on. Run it by ``make bench``.

Figures on ResNet-8 need the folder of real models (HLSGEN_MODELS); the others make their own network.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import onnxruntime
from rich.console import Console
from rich.table import Table

import hlsgen
from hlsgen.graph import golden
from hlsgen.kernels.axi import words_from_frames
from hlsgen.sim import csim
from tests.networks import cnn

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


def simulation_speed(folder: Path) -> Figure:
    """Native C simulation of a CNN of 3.3 M MACs, whole program, all of its batch."""
    path = folder / "cnn.onnx"
    onnx.save(cnn(), path)
    build = hlsgen.build(path, board="pynq-z2", output=folder / "cnn", verify="none")
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
    """Time and memory of a build without verification, size of its top, time to compile its simulation."""
    arguments = [sys.executable, "-m", "hlsgen", "build", str(model), "--board", "pynq-z2"]
    arguments += ["-o", str(folder / "build"), "--verify", "none"]
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
    command = f"hlsgen build {model.name} --board pynq-z2 --verify none"
    memory = usage.ru_maxrss / 1e6
    return [
        Figure(f"build of {model.stem}, seconds", f"{seconds:.2f}", "< 3", seconds < 3, command),
        Figure(f"build of {model.stem}, GB of memory", f"{memory:.2f}", "< 1", memory < 1, command),
        Figure(f"top.cpp of {model.stem}, lines", str(lines), "< 400", lines < 400, "wc -l DIR/hls/top.cpp"),
        Figure("compiling its simulation, seconds", f"{compiling:.1f}", "< 10", compiling < 10, "g++ -O3, native"),
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
        figures.append(simulation_speed(Path(folder)))
        figures += build_figures(model, Path(folder))
    for figure in figures:
        mark = "[green]reached[/green]" if figure.reached else "[red]missed[/red]"
        table.add_row(figure.what, figure.measured, figure.target, mark, figure.command)
    Console(width=150).print(table)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
