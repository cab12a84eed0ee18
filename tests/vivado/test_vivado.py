"""Running Vivado: with programs on PATH that stand in for it, from its absence to a bitstream."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hlsgen.board import load
from hlsgen.errors import ToolError
from hlsgen.plan.primitives import Use
from hlsgen.synth import vivado
from hlsgen.synth.vivado_reports import Power, Timing, read_power, read_timing, read_utilization
from tests.vivado import harness
from tests.vivado.harness import HERE, STATE, make, model, system

PROGRAM = """#!/bin/sh
if [ "$1" = -version ]; then
  echo "vivado {version} (64-bit)"
  echo "Tool Version Limit: 2024.05"
  exit 0
fi
{body}
"""

MODE = "-mode batch -notrace -nojournal -nolog -source"

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a program called vivado on a PATH that has a shell's tools, but no other vivado."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def put(body: str, version: str = "v2024.1") -> None:
        path = programs / "vivado"
        path.write_text(PROGRAM.format(version=version, body=body))
        path.chmod(0o755)

    return put


@pytest.fixture(params=["pynq-z2", "kv260"])
def board(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build_of(tmp_path: Path, board: str = "pynq-z2") -> Path:
    return make(tmp_path / "build", system(load(board)))


def stand_in(build: Path, board: str = "pynq-z2", **world: Any) -> str:
    """A program's body that checks its arguments and runs the script in the model of Vivado."""
    command = shlex.join(model(build, system(load(board)), version="2024.1", **world))
    return f"""
[ "$1 $2 $3 $4 $5 $6" = "{MODE}" ] && [ "$8" = -tclargs ] || {{ echo "what is $*?"; exit 64; }}
script=$7
shift 8
exec {command} "$script" {shlex.quote(str(build / STATE))} "$@"
"""


def failure(build: Path) -> str:
    with pytest.raises(ToolError) as caught:
        vivado.run(build)
    text = str(caught.value)
    assert "\n" not in text
    assert "vivado.log" in text
    assert (build / "reports" / "vivado" / "vivado.log").is_file()
    return text


# -- the tool ---------------------------------------------------------------------------------------------------------


def test_its_absence_is_said_at_once(install: Install, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"^Vivado was not found: .*2020\.2 or later .* --synth yosys"):
        vivado.find_tool()
    build = build_of(tmp_path)
    with pytest.raises(ToolError, match="Vivado was not found"):
        vivado.run(build)
    assert not (build / "reports").exists()


@pytest.mark.parametrize("version", ["2019.2", "2020.1.1"])
def test_an_older_version_is_refused(version: str, install: Install) -> None:
    install("exit 0", version=f"v{version}")
    with pytest.raises(ToolError, match=rf"too old: .* is {version}, 2020\.2 is the first that works"):
        vivado.find_tool()


@pytest.mark.parametrize(("version", "found"), [("v2020.2", "2020.2"), ("v2024.2.1", "2024.2.1"), ("of today", "")])
def test_the_version_is_found(version: str, found: str, install: Install) -> None:
    install("exit 0", version=version)
    tool = vivado.find_tool()
    assert (tool.version, tool.path.name) == (found, "vivado")


# -- success ----------------------------------------------------------------------------------------------------------

EXPECTED = {
    "pynq-z2": (
        Use(lut=14912, lutram=1911, ff=17011, dsp=205, ramb18=61, ramb36=20, uram=0),
        Timing(0.512, 0.021),
        Power(1.742, 1.603, 0.139, "Low"),
    ),
    "kv260": (
        Use(lut=14001, lutram=1500, ff=16900, dsp=190, ramb18=40, ramb36=8, uram=6),
        Timing(1.25, 0.01),
        Power(3.204, 2.88, 0.324, "Low"),
    ),
}


def test_a_bitstream_is_made_and_reported(board: str, install: Install, tmp_path: Path) -> None:
    build = build_of(tmp_path, board)
    install(stand_in(build, board))
    said: list[str] = []
    report = vivado.run(build, progress=said.append)
    use, timing, power = EXPECTED[board]
    assert (report.accelerator, report.timing, report.power) == (use, timing, power)
    assert report.design.lut > use.lut
    assert (build / report.bitstream).read_text() == "bitstream\n"
    assert [line for line in said if line.startswith("stage")] == [
        f"stage {name}" for name in ("ip", "project", "block_design", "synthesis", "implementation", "export")
    ]
    lines = "\n".join(report.lines())
    assert f"{use.lut:,} LUT" in lines
    assert "an estimate that knows no activity (confidence: low), not a measurement" in lines
    entry = report.as_dict()
    assert entry["resources"] == {name: getattr(use, name) for name in vars(use)}
    assert entry["slack"] == {"wns_ns": timing.wns_ns, "whs_ns": timing.whs_ns}
    assert entry["power"]["kind"] == "estimate"
    assert entry["power"]["watts"]["total"] == power.total
    assert not list((build / "vivado").glob("*.log"))


def test_hooks_and_jobs_reach_the_script(install: Install, tmp_path: Path) -> None:
    build, hooks = build_of(tmp_path), tmp_path / "my hooks"
    hooks.mkdir()
    (hooks / "post_project.tcl").write_text('puts "hlsgen: jobs $hlsgen::option(jobs)"\n')
    install(stand_in(build))
    said: list[str] = []
    vivado.run(build, jobs=7, hooks=hooks, progress=said.append)
    assert "jobs 7" in said


# -- failure ----------------------------------------------------------------------------------------------------------

FAILURES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "synthesis": (
        {"fail": "synthesis"},
        ["the run system_accel_0_0_synth_1", "module 'hlsgen_fifo' not found", "report"],
    ),
    "licence": ({"no_license": 1}, ["A valid license was not found", "XILINXD_LICENSE_FILE"]),
    "placement": ({"fail": "implementation"}, ["over-utilized", "--max-utilization"]),
    "bitstream": ({"fail": "bitstream"}, ["Unspecified I/O Standard"]),
    "timing": (
        {"slacks": [[-0.7, 0.1, 0.1]] * 2},
        ["timing is not met at 100.000000 MHz: WNS -0.7 ns", "lower --clock"],
    ),
    "part": ({"parts": ["xc7z010clg400-1"]}, ["the part xc7z020clg400-1 is not known to this Vivado: install its"]),
    "product": ({"missing": ["hwh"]}, ["no hardware description system.hwh"]),
    "memories": ({"readmem": 1}, ["synthesis did not find a memory's contents"]),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_explained(name: str, install: Install, tmp_path: Path) -> None:
    world, expected = FAILURES[name]
    build = build_of(tmp_path)
    install(stand_in(build, **world))
    text = failure(build)
    assert text.startswith("Vivado failed (exit code 1): ")
    for part in expected:
        assert part in text
    assert not (build / "deploy" / "accel.bit").exists()


PRINTED = {
    "disk full": ("echo 'ERROR: [Common 17-345] write failed: No space left on device'; exit 1", "The disk is full"),
    "quota": ("echo 'couldn''t write: Disk quota exceeded'; exit 1", "The disk is full"),
    "memory": ("echo 'terminate called after throwing std::bad_alloc'; exit 134", "ran out of memory"),
    "licence server": ("echo 'ERROR: [Common 17-348] Failed to get the license for feature x'; exit 1", "no licence"),
    "silence": ("exit 3", "Vivado failed (exit code 3): it ended without a word."),
    "no end": ("echo 'hlsgen: stage synthesis'; exit 0", "Vivado failed (exit code 0): it ended without a word."),
    "killed": ("kill -9 $$", "ended from outside (signal 9)"),
    "killed below a shell": ("exit 137", "ended from outside (signal 9)"),
    "terminated": ("kill -15 $$", "ended from outside (signal 15)"),
    "nothing made": ("echo 'hlsgen: done'", "left no deploy/accel.bit and no deploy/accel.hwh"),
}


@pytest.mark.parametrize("name", PRINTED)
def test_what_the_tool_prints_is_understood(name: str, install: Install, tmp_path: Path) -> None:
    body, expected = PRINTED[name]
    install(body)
    assert expected in failure(build_of(tmp_path))


def test_reports_of_an_earlier_run_are_not_taken_for_new(install: Install, tmp_path: Path) -> None:
    build = build_of(tmp_path)
    install(stand_in(build))
    vivado.run(build)
    install("echo 'hlsgen: done'")
    with pytest.raises(ToolError, match=r"utilization_accel\.rpt cannot be read"):
        vivado.run(build)


def test_a_build_without_scripts_is_an_error(install: Install, tmp_path: Path) -> None:
    install("exit 0")
    with pytest.raises(ToolError, match=r"holds no vivado/build\.tcl: build it again"):
        vivado.run(tmp_path)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_ends_all_processes(install: Install, tmp_path: Path) -> None:
    """Vivado starts processes of its own, which would go on."""
    build, child = build_of(tmp_path), tmp_path / "child"
    install(f"sleep 60 &\necho $! > {shlex.quote(str(child))}.new && mv {shlex.quote(str(child))}.new {child}\nwait")

    def interrupt() -> None:
        deadline = time.monotonic() + 20
        while not child.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        vivado.run(build)
    thread.join()
    pid = int(child.read_text())
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


# -- reports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", ["| Slice LUTs", "|   RAMB18 ", "| DSPs"])
def test_a_utilization_report_without_a_row_is_refused(cut: str, tmp_path: Path) -> None:
    text = (HERE / "reports" / "zynq7" / "utilization.rpt").read_text()
    assert cut in text
    (tmp_path / "u.rpt").write_text("\n".join(line for line in text.splitlines() if not line.startswith(cut)))
    with pytest.raises(ToolError, match=r"u\.rpt states no number of"):
        read_utilization(tmp_path / "u.rpt")


def test_other_reports_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.rpt"
    path.write_text("    WNS(ns)      TNS(ns)\n    -------   -------\n   NA    NA\n")
    with pytest.raises(ToolError, match="states no worst slack"):
        read_timing(path)
    path.write_text("| Total On-Chip Power (W)  | 1.5 |\n")
    with pytest.raises(ToolError, match="states no power"):
        read_power(path)
    with pytest.raises(ToolError, match="cannot be read"):
        read_power(tmp_path / "nothing.rpt")


# -- the harness itself -----------------------------------------------------------------------------------------------


def test_pythons_own_tcl_does_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter")
    monkeypatch.setattr(harness, "interpreter", lambda: (sys.executable, str(HERE / "tclsh.py")))
    build = build_of(tmp_path)
    assert harness.run(build, system(load("pynq-z2"))).code == 0
    shutil.rmtree(build / "ip_repo")
    outcome = harness.run(build, system(load("pynq-z2")))
    assert outcome.code == 1
    assert "component.xml is missing" in outcome.output
