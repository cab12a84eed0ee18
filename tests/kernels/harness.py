"""Runs the C++ form of kernel instances, many parameter sets in one compiled unit; returns outputs and reading order.

    results = run([Case(kernel, (beats,)), ...], Mode.NATIVE)
    check([Case(kernel, (beats,)), ...], Mode.AP)      # equal to kernel.golden and kernel.reads, beat for beat

Compiled units are kept in the user's cache folder under a hash of everything that went into them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlsgen.emit.config import config_struct, cpp_beat
from hlsgen.kernels.base import Beats, Kernel, StreamSpec
from hlsgen.resources import resource

BOUNDED_DEPTH = 1


class Mode(Enum):
    """How the C++ is simulated; the value is the compiler's extra flags."""

    NATIVE = ("-fsanitize=bounds,shift", "-fno-sanitize-recover")
    AP = ("-DHLSGEN_AP", "-Wno-uninitialized", "-Wno-maybe-uninitialized")  # both fire in AMD's default constructors
    BOUNDED = ("-DHLSGEN_BOUNDED",)


@dataclass(frozen=True, eq=False)
class Case:
    """A kernel and, for each of its inputs, beats of shape (images, beats per image, lanes)."""

    kernel: Kernel
    inputs: tuple[Beats, ...]

    @property
    def images(self) -> int:
        """Images in the batch."""
        return len(self.inputs[0])


@dataclass(frozen=True, eq=False)
class Result:
    """What the C++ did: output beats, ``reads[image, beat of output 0, input]``, and TLAST of all AXI output beats."""

    outputs: tuple[Beats, ...]
    reads: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]


def random_beats(spec: StreamSpec, images: int, rng: np.random.Generator) -> Beats:
    """Values of the whole type, a quarter of them its extremes."""
    shape = (images, spec.beats, spec.lanes)
    if spec.type.bipolar:
        return rng.integers(0, 2, shape) * 2 - 1
    values = rng.integers(spec.type.min, spec.type.max, shape, endpoint=True)
    extremes = rng.integers(0, 8, shape)
    return np.where(extremes == 0, spec.type.min, np.where(extremes == 1, spec.type.max, values))


def random_case(kernel: Kernel, images: int = 2, seed: int = 0) -> Case:
    """The kernel with random beats on every input."""
    rng = np.random.default_rng(seed)
    return Case(kernel, tuple(random_beats(spec, images, rng) for spec in kernel.inputs))


def check(cases: list[Case], mode: Mode) -> None:
    """Assert that the C++ writes golden's beats and reads as ``reads()`` says, for every case."""
    for number, (case, result) in enumerate(zip(cases, run(cases, mode), strict=True)):
        title = f"case {number}: {case.kernel}"
        expected = case.kernel.golden(*case.inputs)
        for got, want, spec in zip(result.outputs, expected, case.kernel.outputs, strict=True):
            assert want.shape == (case.images, spec.beats, spec.lanes), title
            np.testing.assert_array_equal(got, want, err_msg=title)
        reads = np.stack(case.kernel.reads(), axis=-1)
        np.testing.assert_array_equal(result.reads, np.broadcast_to(reads, result.reads.shape), err_msg=title)


def run(cases: list[Case], mode: Mode = Mode.NATIVE) -> list[Result]:
    """Compile (or find) the unit of these cases and run it. A failing simulation raises RuntimeError, its message."""
    program = compile_unit(_source(cases), mode.value)
    values = [
        _wires(beats, spec).ravel()
        for case in cases
        for beats, spec in zip(case.inputs, case.kernel.inputs, strict=True)
    ]
    completed = subprocess.run([program], input=np.concatenate(values).tobytes(), capture_output=True, check=False)
    if completed.returncode != 0:
        raise RuntimeError(completed.stderr.decode().strip() or f"exit code {completed.returncode}")
    return _split(cases, np.frombuffer(completed.stdout, np.int64))


def compile_unit(source: str, flags: tuple[str, ...] = (), optimize: str = "-Og") -> Path:
    """Compile one C++ source against templates/hls; returns the program, from the cache when nothing has changed."""
    templates = resource("templates", "hls")
    here = Path(__file__).parent
    headers = [path for path in sorted(templates.rglob("*")) if path.suffix in (".h", ".hpp")] + [here / "harness.hpp"]
    command = ["g++", "-std=c++14", optimize, "-fwrapv", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", *flags]
    command += [f"-I{templates}", f"-I{templates / 'sim'}", f"-I{here}", "-isystem", str(_ap_headers())]
    digest = hashlib.sha256("\0".join([*command, source, *(path.read_text() for path in headers)]).encode())
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hlsgen" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / digest.hexdigest()[:32]
    if not program.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            unit = Path(work) / "unit.cpp"
            unit.write_text(source)
            compiled = Path(work) / "unit"
            subprocess.run([*command, str(unit), "-o", str(compiled)], check=True)
            compiled.replace(program)  # atomic: another test process may be compiling the same unit
    return program


def _ap_headers() -> Path:
    spec = importlib.util.find_spec("da4ml")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "codegen" / "hls" / "source" / "ap_types" / "include"


def _beat_types(kernel: Kernel) -> tuple[list[str], list[str]]:
    """C++ beat types of inputs and outputs; the outer sides of ``unpack`` and ``pack`` are AXI beats."""
    inputs, outputs = ([cpp_beat(spec) for spec in specs] for specs in (kernel.inputs, kernel.outputs))
    if kernel.kind == "unpack":
        inputs[0] = f"ap_axiu<{kernel.inputs[0].width}, 0, 0, 0>"
    if kernel.kind == "pack":
        outputs[0] = f"ap_axiu<{kernel.outputs[0].width}, 0, 0, 0>"
    return inputs, outputs


def _source(cases: list[Case]) -> str:
    includes = "\n".join(f'#include "{kind}.hpp"' for kind in sorted({case.kernel.kind for case in cases}))
    bodies = "\n".join(_case_function(number, case) for number, case in enumerate(cases))
    calls = "\n".join(f"    hlsgen::harness::case_{number}();" for number in range(len(cases)))
    return f"""#include "harness.hpp"
{includes}
namespace hlsgen {{
namespace harness {{
{bodies}
}}  // namespace harness
}}  // namespace hlsgen

int main() {{
  try {{
{calls}
  }} catch (const std::exception& error) {{
    fprintf(stderr, "%s\\n", error.what());
    return 1;
  }}
  return 0;
}}
"""


def _case_function(number: int, case: Case) -> str:
    kernel = case.kernel
    config = f"case_{number}_{kernel.kind}"
    input_types, output_types = _beat_types(kernel)
    inputs = [f"in_{i}" for i in range(len(input_types))]
    outputs = [f"out_{i}" for i in range(len(output_types))]
    lines = [config_struct(config, kernel)]
    lines += [f"void case_{number}() {{", "  sim::clear_taps();", "  Values reads, last;"]
    lines += [f'  sim::tap("{name}").depth = {BOUNDED_DEPTH};' for name in (*inputs, *outputs)]
    for name, type, spec in zip(inputs, input_types, kernel.inputs, strict=True):
        lines.append(f"  const Values {name}_values = take({case.images * spec.elements});")
        lines.append(f'  hls::stream<{type} > {name}("{name}");')
    lines += [f'  sim::tap("{name}").record = true;' for name in outputs]
    counts = " ".join(f"reads.push_back(int64_t({name}.beats_read()));" for name in inputs)
    lines.append(f'  sim::tap("{outputs[0]}").on_write = [&]() {{ {counts} }};')
    lines += [f'  hls::stream<{t} > {name}("{name}");' for name, t in zip(outputs, output_types, strict=True)]
    lines += [f"  PROCESS(feed({name}, {name}_values));" for name in inputs]
    call = f"{kernel.kind}<{config}>({', '.join((*inputs, *outputs))})"
    lines.append(f"  PROCESS(repeat({case.images}, [&]() {{ {call}; }}));")
    for name, spec in zip(outputs, kernel.outputs, strict=True):
        lines.append(f"  PROCESS(drain({name}, {case.images * spec.beats}, last));")
    lines.append("  sim::run_processes();")
    lines += [f'  give(sim::tap("{name}").recorded);' for name in outputs]
    return "\n".join([*lines, "  give(last);", "  give(reads);", "}"])


def _split(cases: list[Case], values: npt.NDArray[np.int64]) -> list[Result]:
    results = []
    at = 0

    def take(count: int) -> npt.NDArray[np.int64]:
        nonlocal at
        at += count
        return values[at - count : at]

    for case in cases:
        kernel, images = case.kernel, case.images
        outputs = tuple(
            _values(take(images * spec.elements), spec).reshape(images, spec.beats, spec.lanes)
            for spec in kernel.outputs
        )
        last = take(images * kernel.outputs[0].beats if kernel.kind == "pack" else 0)
        count = len(kernel.inputs)
        reads = take(images * kernel.outputs[0].beats * count).reshape(images, -1, count)
        per_image = np.array([spec.beats for spec in kernel.inputs])
        results.append(Result(outputs, reads - np.arange(images)[:, None, None] * per_image, last))
    assert at == len(values), "the C++ returned more values than the kernels have outputs"
    return results


def _wires(beats: Beats, spec: StreamSpec) -> npt.NDArray[np.int64]:
    """Elements as the C++ types hold them."""
    return (beats > 0).astype(np.int64) if spec.type.bipolar else beats.astype(np.int64)


def _values(wires: npt.NDArray[np.int64], spec: StreamSpec) -> npt.NDArray[np.int64]:
    return wires * 2 - 1 if spec.type.bipolar else wires
