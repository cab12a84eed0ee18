"""Compiles and runs the C++ of a design with g++, without vendor tools."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from hlsgen.errors import ToolError, VerificationError
from hlsgen.kernels.base import Beats
from hlsgen.lower.design import Design

Types = Literal["native", "ap"]

FLAGS = ("-std=c++14", "-march=native", "-fwrapv", "-w")
OLDEST = 9
"""Oldest major version of g++ that is known to compile the simulation."""

_LINES = 12
"""Lines of a program's messages that an error shows."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """Result of a run. ``words``: output AXI words (images, words, bytes). ``streams``: beats of all, if asked for."""

    words: Beats
    streams: dict[str, Beats] = field(default_factory=dict)


def compile(hls_folder: Path, types: Types = "native", bounded: bool = False) -> Path:
    """Compile top.cpp and testbench.cpp of ``hls_folder``; returns the program.

    ``types``: "native" uses the smallest native integers, "ap" AMD's ``ap_int`` as synthesis will. ``bounded`` gives
    every stream its planned depth, so that deadlocks show. A program is kept in ``reports/csim`` beside the folder
    under a hash of all that it is made from, and compiled again only when that changes.
    Raises ToolError when g++ is missing, too old, or does not accept the code, or when AMD's headers are missing.
    """
    compiler = find_compiler()
    flags = [*FLAGS, *(["-DHLSGEN_AP"] if types == "ap" else []), *(["-DHLSGEN_BOUNDED"] if bounded else [])]
    includes = ["-I.", "-Isim", *(["-isystem", str(ap_headers())] if types == "ap" else [])]
    sources = sorted(path for path in hls_folder.rglob("*") if path.suffix in (".cpp", ".hpp", ".h"))
    digest = hashlib.sha256("\0".join([compiler.version, _processor(compiler), *flags, *includes]).encode())
    for path in sources:
        digest.update(path.relative_to(hls_folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    folder = hls_folder.resolve().parent / "reports" / "csim"
    program = folder / f"{types}{'_bounded' if bounded else ''}_{digest.hexdigest()[:16]}"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        objects = [f"{work}/top.o", f"{work}/testbench.o"]
        _build(
            [
                [compiler.path, *flags, "-O3", *includes, "-c", "top.cpp", "-o", objects[0]],
                [compiler.path, *flags, "-O1", *includes, "-c", "testbench.cpp", "-o", objects[1]],
            ],
            hls_folder,
        )
        _build([[compiler.path, *objects, "-o", f"{work}/testbench"]], hls_folder)
        Path(work, "testbench").replace(program)  # atomic, should two runs compile the same
    return program


def _build(commands: Sequence[Sequence[str]], folder: Path) -> None:
    """Run commands of the compiler at the same time, in ``folder``. Raises ToolError with its errors if one fails."""
    running = [
        subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, errors="replace")
        for command in commands
    ]
    messages = [process.communicate()[1] for process in running]
    for process, message in zip(running, messages, strict=True):
        if process.returncode != 0:
            raise ToolError(f"g++ does not compile the C simulation in {folder}. It says:\n{_compiler_errors(message)}")


def run(
    program: Path,
    design: Design,
    words: Beats,
    streams: bool = False,
    depths: Mapping[str, int] | None = None,
) -> Simulated:
    """Run a compiled simulation of ``design`` on input AXI words (images, words per image, bytes), values 0..255.

    ``streams`` brings back every stream. ``depths`` replaces planned FIFO depths in a bounded simulation.
    Raises VerificationError when the simulation fails: a deadlock, a wrong number of beats, a misplaced TLAST.
    """
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        (folder / "s_axis.bin").write_bytes(np.ascontiguousarray(words, np.uint8).tobytes())
        options = ["--no-compare", "--vectors", work, "--dump", work, *(["--streams"] if streams else [])]
        for name, depth in (depths or {}).items():
            options += ["--depth", f"{name}={depth}"]
        _execute(program, options)
        output = np.fromfile(folder / "m_axis.bin", np.uint8).astype(np.int16)
        spec = design.streams[design.output].spec
        result = Simulated(output.reshape(len(words), spec.beats, spec.lanes))
        if streams:
            for name, stream in design.streams.items():
                if name not in (design.input, design.output):
                    values = np.fromfile(folder / f"{name}.bin", np.dtype("<i8"))
                    values = values * 2 - 1 if stream.spec.type.bipolar else values
                    result.streams[name] = values.reshape(len(words), stream.spec.beats, stream.spec.lanes)
        return result


def verify(program: Path, vectors: Path, streams: bool = True) -> None:
    """Run a compiled simulation on the vectors in a folder and let the testbench compare outputs and streams.

    Raises VerificationError with the testbench's report of the first mismatch of each stream.
    """
    _execute(program, ["--vectors", str(vectors), *(["--streams"] if streams else [])])


def ap_headers() -> Path:
    """The folder of AMD's ``ap_int.h``: ``$XILINX_HLS/include`` where Vitis HLS is installed, else the da4ml package's.

    Raises ToolError when there is neither.
    """
    installed = os.environ.get("XILINX_HLS")
    if installed and (folder := Path(installed) / "include").joinpath("ap_int.h").is_file():
        return folder
    package = importlib.util.find_spec("da4ml")  # not imported: only its files are of use here
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent / "codegen" / "hls" / "source" / "ap_types" / "include"
        if folder.joinpath("ap_int.h").is_file():
            return folder
    raise ToolError(
        "AMD's header ap_int.h is needed for C simulation with ap types and was not found. Install the Python package "
        "da4ml, or source Vitis HLS's settings script, which sets XILINX_HLS."
    )


@dataclass(frozen=True)
class Compiler:
    """A g++ that can be used. ``version`` as it prints it."""

    path: str
    version: str


def find_compiler() -> Compiler:
    """The g++ on the path. Raises ToolError when there is none or it is too old."""
    path = shutil.which("g++")
    if path is None:
        raise ToolError(
            f"g++ was not found; the C simulation needs version {OLDEST} or later. "
            "Install it (Debian, Ubuntu: apt install g++) or build with --verify none."
        )
    completed = subprocess.run([path, "-dumpfullversion", "-dumpversion"], capture_output=True, text=True, check=False)
    version = completed.stdout.strip()
    number = re.match(r"\d+", version)
    if number is None or int(number[0]) < OLDEST:
        raise ToolError(f"{path} is version {version or 'unknown'}; the C simulation needs g++ {OLDEST} or later.")
    return Compiler(path, version)


def _processor(compiler: Compiler) -> str:
    """What -march=native means here: a build folder may move to a machine that lacks instructions of this one."""
    command = [compiler.path, "-march=native", "-dM", "-E", "-x", "c++", os.devnull]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _execute(program: Path, options: list[str]) -> None:
    completed = subprocess.run([program, *options], capture_output=True, text=True, errors="replace", check=False)
    if completed.returncode < 0:
        raise VerificationError(f"The C simulation {program.name} was ended by signal {-completed.returncode}.")
    if completed.returncode != 0:
        raise VerificationError(f"The C simulation {program.name} found an error:\n{_first_lines(completed.stderr)}")


def _first_lines(text: str) -> str:
    """The testbench reports streams in dataflow order, so the first line is nearest to the cause."""
    lines = text.strip().splitlines()
    more = [f"({len(lines) - _LINES} more lines)"] if len(lines) > _LINES else []
    return "\n".join([*lines[:_LINES], *more])


def _compiler_errors(text: str) -> str:
    """The lines with errors; without any, the end of the messages."""
    lines = text.strip().splitlines()
    errors = [line for line in lines if "error" in line]
    return "\n".join(errors[:_LINES] or lines[-_LINES:])
