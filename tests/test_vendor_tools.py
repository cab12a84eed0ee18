"""Whole builds with programs on PATH that stand in for Vivado and Vitis HLS."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

import hlsgen
from hlsgen.board import load
from hlsgen.emit.ip import FOLDER
from hlsgen.errors import OptionError, ToolError
from hlsgen.folder import MANIFEST
from hlsgen.pipeline import Build
from tests.conftest import EXAMPLES
from tests.vitis.conftest import PROGRAM, STAND_INS
from tests.vivado.harness import model, system

DIGITS = EXAMPLES / "digits_qdq.onnx"

VIVADO = """#!/bin/sh
if [ "$1" = -version ]; then echo "vivado v2024.1 (64-bit)"; exit 0; fi
script=$7
shift 8
exec {command} "$script" {state} "$@"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/local/bin:/usr/bin:/bin")
    return folder


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def put_vivado(programs: Path, packaged: Path, **world: object) -> None:
    """A Vivado that knows pynq-z2 and the interfaces of the accelerator ``packaged``."""
    home = programs.parent / "vivado"
    shutil.copytree(packaged, home / "ip_repo" / FOLDER)
    command = shlex.join(model(home, system(load("pynq-z2")), version="2024.1", **world))
    program(programs / "vivado", VIVADO.format(command=command, state=shlex.quote(str(home / "state"))))


def put_vitis(programs: Path) -> None:
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        pytest.skip("no tclsh here: apt install tcl")
    banner = "Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v2022.2 (64-bit)"
    facts = {"banner": banner, "arguments": "-f", "script": "$2", "tclsh": tclsh, "stand_ins": STAND_INS}
    program(programs / "vitis_hls", PROGRAM.format(home=programs.parent, **facts))


def build(
    folder: Path, synth: str = "none", core: str = "rtl", last: str = "deploy", hooks: str | None = None
) -> Build:
    return hlsgen.build(
        DIGITS,
        board="pynq-z2",
        output=folder,
        fps=10_000,
        verify="none",
        synth=synth,
        core=core,
        last=last,
        hooks=hooks,
    )


def test_a_bitstream_lands_in_deploy(tmp_path: Path, programs: Path) -> None:
    emitted = build(tmp_path / "out", last="emit")
    put_vivado(programs, emitted.folder / "ip_repo" / FOLDER)
    made = build(tmp_path / "out", synth="vivado")
    deploy = made.folder / "deploy"
    assert {"accel.bit", "accel.hwh", "power.rpt", "driver.py", "notebook.ipynb"} <= {p.name for p in deploy.iterdir()}
    assert made.manifest["measured"]["tool"] == "Vivado 2024.1"
    assert made.manifest["measured"]["resources"]["dsp"] > 0
    assert (deploy / MANIFEST).read_text() == (made.folder / MANIFEST).read_text()
    assert made.manifest["core"] == "rtl"


def test_the_core_of_vitis_goes_the_same_way(tmp_path: Path, programs: Path) -> None:
    put_vitis(programs)
    emitted = build(tmp_path / "first", last="emit")
    put_vivado(programs, emitted.folder / "ip_repo" / FOLDER)
    made = build(tmp_path / "out", synth="vivado", core="hls")
    packaged = {path.name for path in (made.folder / "ip_repo" / FOLDER / "src").iterdir()}
    assert {"accel.v", "accel_core.v", "accel_hls.v", "registers.sv"} <= packaged
    assert "accel_core.sv" not in packaged
    assert made.manifest["core"] == "hls"
    assert made.manifest["measured"]["vitis"]["stages"] == ["csynth", "export"]
    assert (made.folder / "deploy" / "accel.bit").is_file()


def test_a_failed_run_is_kept_and_can_be_repeated(tmp_path: Path, programs: Path) -> None:
    emitted = build(tmp_path / "out", last="emit")
    program(programs / "vivado", '#!/bin/sh\n[ "$1" = -version ] && echo "vivado v2024.1 (64-bit)" && exit 0\nexit 3\n')
    with pytest.raises(ToolError, match=r"vivado\.log"):
        build(tmp_path / "out", synth="vivado")
    assert not (tmp_path / "out").exists()
    put_vivado(programs, emitted.folder / "ip_repo" / FOLDER)
    assert build(tmp_path / "out", synth="vivado").finished


def test_missing_tools_are_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    wishes = (("vivado", "rtl", "Vivado"), ("vitis", "rtl", "Vitis HLS"), ("vivado", "hls", "Vitis HLS"))
    for synth, core, name in wishes:
        with pytest.raises(ToolError, match=f"^{name} was not found"):
            build(tmp_path / "out", synth=synth, core=core)
    with pytest.raises(OptionError, match="--core hls"):
        build(tmp_path / "out", core="hls")
    with pytest.raises(OptionError, match="--hooks: there is no folder"):
        build(tmp_path / "out", synth="vivado", hooks="nowhere")
    assert list(tmp_path.iterdir()) == []
