"""The board on this machine: the build's own driver and notebook, real pynq, and the Verilated accelerator under it.

The board's side is ``hlsgen.board_emulator``; it runs in another Python environment (see ``board_python``).
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.board import Family
from hlsgen.board_emulator.config import BITSTREAM, VARIABLE, Config
from hlsgen.board_emulator.faults import ALWAYS, Fault
from hlsgen.emit import hwh
from hlsgen.emit.rtl import ADDRESS_BITS
from hlsgen.errors import FolderError, OptionError, ToolError, VerificationError
from hlsgen.files import write_text
from hlsgen.kernels.base import Beats
from hlsgen.resources import PACKAGE
from hlsgen.sim import board_python, verilator
from hlsgen.system import ACCEL, DESIGN, DMA, LENGTH_BITS, SEGMENT_BYTES, System

SITE = PACKAGE / "board_emulator" / "site"

QUIET = 10_000
"""Cycles without a word at the boundary that make a standstill, beyond those that two images take."""

MEGABYTE = 1 << 20
MEMORY = {Family.ZYNQ_7000: (0x1600_0000, 128), Family.ZYNQ_ULTRASCALE: (0x8_0000_0000, 512)}
"""Physical address and megabytes of the memory for buffers: on an MPSoC beyond 4 GB, as pynq may place them there."""

OTHER_HWH, OTHER_BUILD_HWH = "other-hwh", "other-build-hwh"
"""The faults that are none of the hardware: the .hwh is another board's, or another build's for this board."""

LINES = 20
"""Lines of a failed program's messages that an error shows."""


@dataclass(frozen=True)
class Options:
    """How the board behaves.

    ``faults``: names of ``hlsgen.board_emulator.faults.Fault``, with ":always" for one that does not go away; or
    "other-hwh", "other-build-hwh": the .hwh is that of another board, of another build for this board. ``gaps``,
    ``stalls``: in how many of the cycles the DMA has nothing to send, takes nothing (0 to 1, at random from ``seed``).
    ``memory_mb``: for buffers (default: by family).
    """

    faults: tuple[str, ...] = ()
    gaps: float = 0.0
    stalls: float = 0.0
    seed: int = 0
    memory_mb: int | None = None


USUAL = Options()
"""A board without faults, as fast as it can be."""


def describe(folder: Path, manifest: Mapping[str, Any], system: System, options: Options, library: Path) -> Config:
    """What the board's side needs to know of the build in ``folder``.

    ``manifest``: of the build, ``library``: its Verilated accelerator. Raises OptionError for options without sense.
    """
    for name, share in (("gaps", options.gaps), ("stalls", options.stalls)):
        if not 0 <= share < 1:
            raise OptionError(f"{name} is {share}, a share of the cycles: at least 0 and less than 1.")
    faults = tuple(fault for fault in options.faults if fault not in (OTHER_HWH, OTHER_BUILD_HWH))
    kinds = [fault.value for fault in Fault]
    for fault in faults:
        kind, _, often = fault.partition(":")
        if kind not in kinds or often not in ("", ALWAYS):
            raise OptionError(
                f"The faults are {', '.join(kinds)} (each comes once, or with :{ALWAYS} behind it every time), "
                f"{OTHER_HWH} (the .hwh is another board's) and {OTHER_BUILD_HWH} (it is another build's for this "
                f"board). {fault!r} is none of them."
            )
    base, megabytes = MEMORY[system.board.family]
    if options.memory_mb is not None:
        if options.memory_mb < 1:
            raise OptionError(f"memory for buffers of {options.memory_mb} MB is none; give at least 1.")
        megabytes = options.memory_mb
    return Config(
        name=f"{system.board.title} (emulated)",
        library=str(library),
        memories=str((folder / "rtl").resolve()),
        build_id=str(manifest["build_id"])[:16],
        arch="armv7l" if system.zynq7 else "aarch64",
        accelerator=system.addresses[ACCEL],
        dma=system.addresses[DMA],
        segment_bytes=SEGMENT_BYTES,
        register_bytes=1 << ADDRESS_BITS,
        length_bits=LENGTH_BITS,
        address_bits=system.address_bits,
        axi_bits=system.board.axi_bits,
        pll_mhz=system.board.pll_mhz,
        crystal_mhz=system.board.crystal_mhz,
        quiet_cycles=QUIET + 2 * int(manifest["predicted"]["timing"]["latency_cycles"]),
        memory_base=base,
        memory_bytes=megabytes * MEGABYTE,
        gaps=options.gaps,
        stalls=options.stalls,
        seed=options.seed,
        faults=faults,
    )


@dataclass(frozen=True)
class Workplace:
    """A copy of a build's deploy folder, with an emulated bitstream. ``environment``: for programs that run there."""

    folder: Path
    python: Path
    environment: dict[str, str]


@contextmanager
def workplace(
    folder: Path,
    manifest: Mapping[str, Any],
    system: System,
    options: Options = USUAL,
    cache: Path | None = None,
) -> Iterator[Workplace]:
    """A temporary copy of the deploy folder of the build in ``folder``, its accelerator compiled, its board ready.

    The build's own files are not touched; the compiled accelerator goes to ``cache`` (default: reports/board). What
    programs leave in the copy is lost, unless the caller moves it away. Raises FolderError for a build without driver
    or SystemVerilog, ToolError without the board's environment or a compiler, OptionError as ``describe``.
    """
    for name in ("deploy/driver.py", "rtl/accel.v"):
        if not (folder / name).is_file():
            raise FolderError(f"{folder} has no {name}: it was not built to the end. Build the model again.")
    config = describe(folder, manifest, system, options, library=Path())  # options are checked before the long wait
    python = board_python.find()
    config = replace(config, library=str(verilator.library(folder / "rtl", cache).resolve()))
    with tempfile.TemporaryDirectory(prefix="hlsgen_board_") as scratch:
        work = Path(scratch) / folder.resolve().name
        shutil.copytree(folder / "deploy", work)
        write_text(work / f"{DESIGN}.bit", f"{BITSTREAM} {config.build_id}\n")
        described = _other(system) if OTHER_HWH in options.faults else system
        build_id = _other_build(config.build_id) if OTHER_BUILD_HWH in options.faults else config.build_id
        hwh.write(described, build_id, work / f"{DESIGN}.hwh")
        description = Path(scratch) / "board.json"
        write_text(description, config.text())
        yield Workplace(work, python, _environment(python, description))


def _other(system: System) -> System:
    """A system of the other family, with what else differs."""
    family = Family.ZYNQ_ULTRASCALE if system.zynq7 else Family.ZYNQ_7000
    return replace(system, board=system.board.model_copy(update={"family": family}))


def _other_build(build_id: str) -> str:
    """Another build's id: the last of the 16 digits differs."""
    return f"{int(build_id, 16) ^ 1:016x}"


def _environment(python: Path, description: Path) -> dict[str, str]:
    """The process' environment variables, changed so that programs run as on the board."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {
        **kept,
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
        "VIRTUAL_ENV": str(python.parent.parent),
        "PYTHONPATH": str(SITE),
        VARIABLE: str(description),
    }


def run(
    folder: Path,
    manifest: Mapping[str, Any],
    system: System,
    words: Beats,
    options: Options = USUAL,
    cache: Path | None = None,
) -> Beats:
    """Pass input AXI words (images, words per image, bytes), 0..255, through driver, pynq, DMA and SystemVerilog.

    ``folder``, ``manifest``, ``system``: of a finished build. Returns output words likewise. Raises VerificationError
    with the driver's message when the driver fails; otherwise as ``workplace``.
    """
    with workplace(folder, manifest, system, options, cache) as place:
        given, taken = place.folder.parent / "words_in.npy", place.folder.parent / "words_out.npy"
        np.save(given, np.ascontiguousarray(words, np.uint8).reshape(len(words), -1))
        completed = subprocess.run(
            [str(place.python), "-m", "hlsgen.board_emulator.play", str(given), str(taken)],
            cwd=place.folder,
            env=place.environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if completed.returncode != 0 or not taken.is_file():
            lines = (completed.stderr or completed.stdout).strip().splitlines()
            raise VerificationError("The driver failed on the emulated board:\n" + "\n".join(lines[-LINES:]))
        received = np.load(taken)
    return np.asarray(received, np.int16).reshape(len(words), -1, system.board.axi_bits // 8)


def emulate(
    folder: Path,
    manifest: Mapping[str, Any],
    system: System,
    command: Sequence[str] = (),
    options: Options = USUAL,
    cache: Path | None = None,
) -> int:
    """A shell on the emulated board, in a copy of the build's deploy folder; or ``command``. Returns its exit code.

    What the shell or the command has added or changed there is kept, and its place printed. Raises as ``workplace``,
    and ToolError when the command does not exist.
    """
    with workplace(folder, manifest, system, options, cache) as place:
        if not command:
            print(_welcome(place, system), flush=True)
        words = list(command) or [os.environ.get("SHELL") or "/bin/sh"]
        before = _contents(place.folder)
        try:
            with _interrupts_left_to_it():
                return subprocess.run(words, cwd=place.folder, env=place.environment, check=False).returncode
        except OSError as error:
            raise ToolError(f"{shlex.quote(words[0])} cannot be run: {error.strerror}.") from error
        finally:
            _keep(place.folder, before)


@contextmanager
def _interrupts_left_to_it() -> Iterator[None]:
    """Ctrl-C is for the program that runs, which may have data to save; this process waits for its end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are none of this thread's business
        return
    before = signal.signal(signal.SIGINT, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _welcome(place: Workplace, system: System) -> str:
    lines = [
        f"This is {system.board.title}, emulated: real pynq over the accelerator's SystemVerilog in Verilator.",
        f"The current folder is a copy of the build's deploy folder. python is {place.python}.",
        "",
        "  python driver.py --self-test    compare the shipped vectors, bit for bit",
        "  python driver.py --help         what else the driver does",
        "  python                          and in it: from driver import Accelerator",
    ]
    if (place.python.parent / "jupyter-lab").exists() or (place.python.parent / "jupyter-notebook").exists():
        lines.append("  jupyter notebook notebook.ipynb")
    return "\n".join([*lines, "  exit", ""])


def _contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file, Python's own caches left out."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _keep(folder: Path, before: Mapping[str, tuple[int, int]]) -> None:
    """Move what is new in ``folder`` to a place that stays, and say where."""
    changed = [name for name, state in _contents(folder).items() if before.get(name) != state]
    if not changed:
        return
    kept = Path(tempfile.mkdtemp(prefix=f"{folder.name}_"))
    for name in changed:
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / name, kept / name)
    print(f"Kept {len(changed)} new or changed file{'s' if len(changed) > 1 else ''} in {kept}")
