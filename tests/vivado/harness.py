"""Runs a build's build.tcl in a model of Vivado (model/*.tcl) and gives back what it built."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from hlsgen.board import Board
from hlsgen.emit import ip, vivado
from hlsgen.emit.tcl import word
from hlsgen.system import System

HERE = Path(__file__).resolve().parent
SPIRIT = {"spirit": "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"}
PROTOCOLS = ("axis", "aximm")
STATE = "state.txt"
BUILD_ID = "0123456789abcdef"


@dataclass
class State:
    """What build.tcl left behind, read from the model's file."""

    cells: dict[str, str] = field(default_factory=dict)
    config: dict[str, dict[str, str]] = field(default_factory=dict)
    nets: dict[str, str] = field(default_factory=dict)
    interfaces: dict[str, str] = field(default_factory=dict)
    addresses: list[tuple[str, str, int, int]] = field(default_factory=list)
    packaged: dict[tuple[str, str], str] = field(default_factory=dict)
    board: str = ""
    strategy: str = ""
    attempts: int = 0


@dataclass(frozen=True)
class Outcome:
    """Exit code, everything printed, and the state (None if the model itself broke down)."""

    code: int
    output: str
    state: State


@cache
def interpreter() -> tuple[str, ...]:
    """The command that runs a Tcl script: tclsh, or Python's own Tcl. Skips the test where there is neither."""
    for name in ("tclsh", "tclsh8.6", "tclsh8.5"):
        if path := shutil.which(name):
            return (path,)
    try:
        importlib.import_module("tkinter")
    except ImportError:
        pytest.skip("no Tcl here: apt install tcl, or a Python with tkinter")
    return (sys.executable, str(HERE / "tclsh.py"))


def system(board: Board, mhz: float | None = None) -> System:
    """A system with the board's own clock, or another one."""
    return System(board, board.clock(mhz))


def make(folder: Path, wanted: System) -> Path:
    """A build folder with all that Vivado needs, of an accelerator whose sources are only names. Returns it."""
    rtl = folder / "rtl"
    rtl.mkdir(parents=True)
    for name in ("accel.v", "accel_core.sv", "fifo.sv", "conv_weights.mem"):
        (rtl / name).write_text(f"// {name}\n")
    ip.write(rtl, wanted, BUILD_ID, "test", folder / "ip_repo" / ip.FOLDER)
    vivado.write(wanted, folder / "vivado")
    return folder


def run(folder: Path, wanted: System, *arguments: str, cwd: Path | None = None, **world: object) -> Outcome:
    """Run ``folder``/vivado/build.tcl with arguments; ``world`` says what is installed and what goes wrong."""
    command = [*model(folder, wanted, **world), str(folder / "vivado" / "build.tcl"), str(folder / STATE), *arguments]
    done = subprocess.run(command, cwd=cwd or folder, capture_output=True, text=True, check=False, timeout=60)
    assert (folder / STATE).exists(), done.stdout + done.stderr
    return Outcome(done.returncode, done.stdout + done.stderr, _read(folder / STATE))


def model(folder: Path, wanted: System, **world: object) -> list[str]:
    """The beginning of a command that runs the model of Vivado; script, file for the state and arguments follow."""
    component = folder / "ip_repo" / ip.FOLDER / "component.xml"
    values: dict[str, object] = {
        "parts": [wanted.board.part],
        "board_parts": {},
        "pll": float(wanted.board.pll_mhz),
        "stream_bits": wanted.board.axi_bits,
        "accelerator": interfaces(component) if component.exists() else [],
        "reports": str(HERE / "reports" / ("zynq7" if wanted.zynq7 else "mpsoc")),
        **world,
    }
    given = folder / "world.tcl"
    given.write_text("".join(f"set world({name}) {_tcl(value)}\n" for name, value in values.items()))
    return [*interpreter(), str(HERE / "model" / "vivado.tcl"), str(given)]


def interfaces(component: Path) -> list[str]:
    """Name, mode and protocol of each bus interface in a component.xml."""
    found: list[str] = []
    for bus in ElementTree.parse(component).getroot().iterfind(".//spirit:busInterface", SPIRIT):
        protocol = bus.find("spirit:busType", SPIRIT)
        assert protocol is not None
        kind = protocol.attrib[f"{{{SPIRIT['spirit']}}}name"]
        if kind in PROTOCOLS:
            mode = "Master" if bus.find("spirit:master", SPIRIT) is not None else "Slave"
            found += [bus.findtext("spirit:name", "", SPIRIT), mode, kind]
    return found


def _tcl(value: object) -> str:
    """A Python value as one word of Tcl: lists and dictionaries become lists."""
    if isinstance(value, Mapping):
        value = [part for item in value.items() for part in item]
    if isinstance(value, list | tuple):
        return "[list " + " ".join(_tcl(part) for part in value) + "]"
    return word(str(int(value) if isinstance(value, bool) else value)) if value != "" else "{}"


def _read(path: Path) -> State:
    state = State()
    for line in path.read_text().splitlines():
        kind, *values = _words(line)
        if kind == "cell":
            state.cells[values[0]] = values[1]
        elif kind == "config":
            state.config.setdefault(values[0], {})[values[1]] = values[2]
        elif kind == "net":
            state.nets[values[0]] = values[1]
        elif kind == "interface":
            state.interfaces[values[0]] = values[1]
        elif kind == "address":
            state.addresses.append((values[0], values[1], int(values[2]), int(values[3])))
        elif kind == "packaged":
            state.packaged[values[0], values[1]] = values[2]
        elif kind == "board":
            state.board = values[0]
        elif kind == "strategy":
            state.strategy = values[0]
        elif kind == "attempts":
            state.attempts = int(values[0])
    return state


def _words(line: str) -> list[str]:
    """Elements of a Tcl list without nesting: words, some of them in braces."""
    words: list[str] = []
    while line := line.strip():
        end = line.find("}") if line[0] == "{" else line.find(" ")
        head, line = (line, "") if end < 0 else (line[:end], line[end + 1 :])
        words.append(head.removeprefix("{"))
    return words
