"""A small build's C++ with its scripts, and programs on PATH that stand in for Vitis HLS."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from hlsgen.board import load
from hlsgen.emit import vitis, write_hls, write_vectors
from hlsgen.lower.design import Design
from hlsgen.system import System
from tests.emit.test_hls import design_of
from tests.lower.graphs import graph_of, random_words

HERE = Path(__file__).parent
STAND_INS = HERE / "vitis_hls.tcl"

BANNERS = {
    "vitis-run": "****** vitis-run v{} (64-bit)",
    "vitis_hls": "Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v{} (64-bit)",
}

PROGRAM = """#!/bin/sh
case "$1" in
  --version | -version) echo "{banner}"; exit 0 ;;
  {arguments}) script={script} ;;
  *) echo "unknown arguments: $*" >&2; exit 64 ;;
esac
cd "{home}" && exec {tclsh} {stand_ins} "$script" "{home}/calls.log"
"""


def system(board: str = "pynq-z2") -> System:
    return System(load(board), load(board).clock())


@cache
def small_design() -> Design:
    return design_of(graph_of("single_conv"))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with what its C++ needs."""
    folder = tmp_path_factory.mktemp("vitis") / "build"
    write_hls(small_design(), folder / "hls")
    write_vectors(small_design(), random_words(graph_of("single_conv")), folder / "hls")
    vitis.write(small_design(), system(), folder / "hls")
    return folder


@pytest.fixture
def build(pristine: Path, tmp_path: Path) -> Path:
    """A copy to run and to break."""
    return Path(shutil.copytree(pristine, tmp_path / "build"))


Install = Callable[..., Path]
"""Puts a stand-in for a command of the given version on PATH; returns the folder it is started in."""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """PATH holds nothing but what is installed, and a shell."""
    programs = tmp_path / "bin"
    programs.mkdir()
    tclsh = shutil.which("tclsh")
    for name in ("sh", "sleep", "kill"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))

    def install(name: str, version: str, text: str | None = None) -> Path:
        newer = name == "vitis-run"
        values = {
            "banner": BANNERS.get(name, "{}").format(version),
            "arguments": "--mode" if newer else "-f",
            "script": "$4" if newer else "$2",
            "home": tmp_path,
            "tclsh": tclsh,
            "stand_ins": STAND_INS,
        }
        path = programs / name
        path.write_text(PROGRAM.format(**values) if text is None else text)
        path.chmod(0o755)
        return tmp_path

    return install
