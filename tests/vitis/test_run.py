"""Running Vitis HLS: what it leaves is read, every way to fail is told apart, nothing is left running."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from hlsgen.errors import ToolError
from hlsgen.synth import process, vitis
from hlsgen.synth.vitis import Stage
from hlsgen.synth.vitis_results import Cosimulated, Estimate, read_cosimulated, read_estimate
from tests.vitis.conftest import Install

BOTH = pytest.mark.parametrize(("name", "version"), [("vitis-run", "2025.1"), ("vitis_hls", "2022.2")])


@BOTH
def test_all_stages_pass(name: str, version: str, build: Path, install: Install) -> None:
    install(name, version)
    told: list[str] = []
    report = vitis.run(build, progress=told.append)
    assert told == [
        "csim",
        "csynth",
        "csynth: accel_hls_unpack_input_unpack_s",
        "cosim",
        "cosim: image 1 of 2",
        "export",
    ]
    assert report.estimate == Estimate(30123, 21345, 209, 31, 0, 10.0, 7.0, 2.7, (1106, 1106), (385, 390))
    assert report.cosimulated == Cosimulated((1106, 1110, 1114), (384, 384, 384))
    assert report.ip == Path("reports/vitis/accel_hls/solution/impl/ip")
    assert report.lines() == [
        f"Vitis HLS {version}: csim, csynth, cosim, export passed",
        "estimated 30,123 LUT, 21,345 FF, 209 DSP, 15.5 BRAM36; clock 7.00 ns of 10.00",
        "co-simulated latency 1,114 cycles",
        "IP in reports/vitis/accel_hls/solution/impl/ip",
    ]
    assert json.loads(json.dumps(report.as_dict())) == {
        "tool": f"Vitis HLS {version}",
        "stages": ["csim", "csynth", "cosim", "export"],
        "resources": {"lut": 30123, "ff": 21345, "dsp": 209, "ramb18": 31, "uram": 0},
        "clock": {"period_ns": 10.0, "estimated_ns": 7.0, "uncertainty_ns": 2.7},
        "timing": {"latency": [1106, 1106], "interval": [385, 390]},
        "cosim": {"latency": [1106, 1110, 1114], "interval": [384, 384, 384]},
        "ip": "reports/vitis/accel_hls/solution/impl/ip",
    }
    log = (build / "reports" / "vitis" / "vitis.log").read_text()
    assert log.splitlines()[-1] == "hlsgen: finished"


def test_only_the_stages_asked_for(build: Path, install: Install) -> None:
    home = install("vitis-run", "2024.2")
    report = vitis.run(build, [Stage.CSYNTH])
    assert report.stages == (Stage.CSYNTH,)
    assert report.lines()[0] == "Vitis HLS 2024.2: csynth passed"
    assert (report.cosimulated, report.ip) == (None, None)
    assert set(report.as_dict()) == {"tool", "stages", "resources", "clock", "timing"}
    report = vitis.run(build, {Stage.EXPORT, Stage.COSIM})
    assert report.stages == (Stage.COSIM, Stage.EXPORT)
    calls = (home / "calls.log").read_text()
    assert calls.count("csynth_design") == 1
    with pytest.raises(ValueError, match="no stage to run"):
        vitis.run(build, [])


FAILURES = [
    # (fault, what the message says)
    ("csim", r"failed in csim: m_axis: image 0, word 0, byte 0: 1, expected 0 / ERROR: .*--csim-types ap"),
    ("csim silent", r"ended csim without an error, but `CSim done with 0 errors` was never printed"),
    ("licence", r"failed in csim: .*It has no licence \(ERROR: .* A valid license.*XILINXD_LICENSE_FILE"),
    ("part", r"failed in its start: .*installation lacks the board's device \(ERROR: .* Part 'xc7z020clg"),
    ("disk", r"failed in csim: .*The disk is full \(ld: final link failed: No space left on device\)\. Make room"),
    ("crash", r"failed in csim: it was ended by signal 9"),
    ("csynth", r"failed in csynth: ERROR: \[HLS 214-256\].* larger than 4096.*another folding in plan\.yaml"),
    ("memory", r"failed in csynth: .*bad_alloc.*It ran out of memory\."),
    ("csynth silent", r"failed in csynth: csynth failed: there is no accel_hls/\*/syn/report/csynth.xml"),
    ("bad xml", r"ended csynth without an error, but .*csynth.xml is not as expected \(no element found"),
    ("slow", r"estimates a clock period of 12.00 ns, longer than the 10.00 ns asked for.* \(--clock 68\)"),
    ("mismatch", r"failed in cosim: ERROR: \[COSIM 212-361\] C TB post check failed.*does not compute what the C\+\+"),
    ("cosim silent", r"failed in cosim: cosim failed: the report does not say that Verilog passed"),
    ("deadlock", r"failed in cosim: ERROR!!! DEADLOCK DETECTED at 125000 ns.*The core stands still: a FIFO"),
    ("revision", r"failed in export: ERROR: '2611210843' is an invalid argument.*answer record 76960"),
    ("export silent", r"failed in export: export failed: there is no accel_hls/\*/impl/ip/component.xml"),
    ("no core", r"holds no core of Vitis HLS: reports/vitis/\*\*/impl/ip/hdl/verilog/accel_hls\.v is missing"),
]


@pytest.mark.parametrize(("fault", "said"), FAILURES, ids=[fault for fault, _ in FAILURES])
def test_failures_are_told_apart(
    fault: str, said: str, build: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("vitis-run", "2025.1")
    monkeypatch.setenv("VITIS_FAULT", fault)
    with pytest.raises(ToolError) as caught:
        vitis.run(build)
    text = str(caught.value)
    assert re.search(said, text), text
    assert "\n" not in text
    assert "Traceback" not in text
    if fault not in ("slow", "no core"):
        assert str(build / "reports" / "vitis" / "vitis.log") in text


def test_what_remains_of_an_estimate_close_to_the_clock(
    build: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("vitis-run", "2025.1")
    monkeypatch.setenv("VITIS_FAULT", "tight")
    lines = vitis.run(build, [Stage.CSYNTH]).lines()
    assert "the estimate leaves 1.00 ns for placement and routing, less than the 2.70 asked for" in lines[-1]


def test_unknown_latency_is_none(build: Path, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("vitis-run", "2025.1")
    monkeypatch.setenv("VITIS_FAULT", "no latency")
    report = vitis.run(build, [Stage.CSYNTH])
    assert report.estimate is not None
    assert (report.estimate.latency, report.estimate.interval) == (None, (385, 390))
    assert report.as_dict()["timing"] == {"latency": None, "interval": [385, 390]}


def test_results_of_an_earlier_run_are_not_taken_for_new(build: Path, install: Install) -> None:
    """A tool that says that all went well and does nothing."""
    install("vitis-run", "2025.1")
    vitis.run(build)
    stages = "".join(f"echo 'hlsgen: begin {stage.value}'\n" for stage in Stage)
    text = f"#!/bin/sh\n{stages}echo 'CSim done with 0 errors'\necho 'hlsgen: finished'\n"
    install("vitis-run", "", text)
    for stage, product in vitis.RESULTS.items():
        with pytest.raises(ToolError, match=rf"ended {stage.value} without an error, but there is no {product}\."):
            vitis.run(build, [stage])
    assert vitis.run(build, [Stage.CSIM]).stages == (Stage.CSIM,)


def test_an_exit_code_of_0_is_not_enough(build: Path, install: Install) -> None:
    install("vitis_hls", "", "#!/bin/sh\necho 'ERROR: [HLS 200-1] something odd'\n")
    with pytest.raises(ToolError, match=r"failed in its start: ERROR: \[HLS 200-1\] something odd\. Its options stand"):
        vitis.run(build)
    install("vitis_hls", "", "#!/bin/sh\nexit 3\n")
    with pytest.raises(ToolError, match="failed in its start: it left with exit code 3"):
        vitis.run(build)


def test_a_newer_layout_is_found(build: Path, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("vitis-run", "2025.2")
    monkeypatch.setenv("VITIS_LAYOUT", "hls")
    assert vitis.run(build).ip == Path("reports/vitis/accel_hls/hls/impl/ip")


def test_absence_is_told_at_once(build: Path, install: Install) -> None:
    with pytest.raises(ToolError, match=r"Vitis HLS was not found: neither vitis-run nor vitis_hls is on PATH\. .*rtl"):
        vitis.run(build)
    install("vivado_hls", "2019.2")
    with pytest.raises(ToolError, match=r"only its predecessor Vivado HLS \(.*/vivado_hls\) is on PATH"):
        vitis.find_tool()
    with pytest.raises(ToolError, match=r"holds no core of Vitis HLS: .* --core rtl\.$"):
        vitis.core_files(build)


def test_versions(install: Install) -> None:
    install("vitis_hls", "2020.1")
    with pytest.raises(ToolError, match=r"too old: .*/vitis_hls is 2020\.1, 2020\.2 is the first that works"):
        vitis.find_tool()
    install("vitis-run", "2022.2")
    with pytest.raises(ToolError, match=r"vitis-run is 2022\.2, 2023\.1 is the first.*; .*vitis_hls is 2020\.1"):
        vitis.find_tool()
    install("vitis_hls", "2022.2")
    assert vitis.find_tool().path.name == "vitis_hls"
    install("vitis-run", "2023.1")
    assert vitis.find_tool().version == (2023, 1)
    assert vitis.find_tool().command(Path("x.tcl"))[1:] == ["--mode", "hls", "--tcl", "x.tcl"]
    install("vitis-run", "", "#!/bin/sh\nexit 1\n")
    assert vitis.find_tool().version is None, "it does not tell: it may work"
    assert vitis.find_tool().title == "Vitis HLS"


def test_a_build_without_scripts_or_with_a_path_the_tool_cannot_take(build: Path, install: Install) -> None:
    install("vitis-run", "2025.1")
    for name in ("two words", "a$b", "brace{"):
        odd = build.with_name(name)
        build.rename(odd)
        with pytest.raises(ToolError, match=r"Vitis HLS takes no path with '[ ${]' in it: .* another folder with -o"):
            vitis.run(odd)
        assert not (odd / "reports").exists()
        odd.rename(build)
    (build / "hls" / "run_hls.tcl").unlink()
    with pytest.raises(ToolError, match=r"holds no hls/run_hls\.tcl: build it again"):
        vitis.run(build)


def test_a_folder_that_cannot_be_written(build: Path, install: Install) -> None:
    install("vitis-run", "2025.1")
    (build / "reports").write_text("a file where a folder should be")
    with pytest.raises(ToolError, match=r"reports/vitis: .*Vitis HLS needs a folder to work in"):
        vitis.run(build)


def test_core_files_are_the_verilog_and_its_memories(build: Path, install: Install) -> None:
    install("vitis-run", "2025.1")
    vitis.run(build, [Stage.CSYNTH, Stage.EXPORT])
    assert [path.name for path in vitis.core_files(build)] == ["accel_hls.v", "accel_hls_rom.dat"]


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_ends_the_tool_and_all_that_it_started(
    build: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the C simulation, a process of the tool's, hangs."""
    install("vitis-run", "2025.1")
    monkeypatch.setenv("VITIS_FAULT", "hang")

    def interrupt(message: str) -> None:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        vitis.run(build, progress=interrupt)
    assert time.monotonic() - started < 30
    assert running_in(build) == []


def running_in(folder: Path) -> list[str]:
    """Command lines of processes whose current folder is below ``folder``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            if (entry / "cwd").resolve().is_relative_to(folder):
                found.append((entry / "cmdline").read_text())
    return found


def test_a_tool_that_ignores_the_kind_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.3)
    script = "trap '' TERM; echo begun; while :; do sleep 0.1; done"

    def stop(line: str) -> None:
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="begun"):
        process.run_logged(["sh", "-c", script], tmp_path, tmp_path / "log", stop)
    assert running_in(tmp_path) == []
    assert (tmp_path / "log").read_text() == "begun\n"


def test_a_group_runs_until_its_last_process_has_ended() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & exit"], start_new_session=True, text=True) as leader:
        leader.wait()
        assert process._runs(leader.pid)  # the leader is gone, what it has started is not
        process._end(leader)
        assert not process._runs(leader.pid)


def test_a_program_that_cannot_be_started_or_logged(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no-such-tool: No such file"):
        process.run_logged([tmp_path / "no-such-tool"], tmp_path, tmp_path / "log", print)
    with pytest.raises(ToolError, match="No space left on device"):
        process.run_logged(["echo", "x"], tmp_path, Path("/dev/full"), print)


def test_reports_in_other_shapes(tmp_path: Path) -> None:
    xml = tmp_path / "csynth.xml"
    resources = "<Resources><BRAM_18K>1</BRAM_18K><DSP>2</DSP><FF>3</FF><LUT>4</LUT></Resources>"
    clock = "<SummaryOfTimingAnalysis><EstimatedClockPeriod>7.3</EstimatedClockPeriod></SummaryOfTimingAnalysis>"
    assigned = "<UserAssignments><TargetClockPeriod>10</TargetClockPeriod></UserAssignments>"
    text = f"<profile>{assigned}<PerformanceEstimates>{clock}</PerformanceEstimates>"
    xml.write_text(f"{text}<AreaEstimates>{resources}</AreaEstimates></profile>")
    assert read_estimate(xml) == Estimate(4, 3, 2, 1, 0, 10.0, 7.3, 0.0, None, None)
    xml.write_text(f"{text}</profile>")
    with pytest.raises(ValueError, match="no AreaEstimates/Resources/LUT"):
        read_estimate(xml)
    xml.write_text(f"{text}<AreaEstimates>{resources.replace('>4<', '>many<')}</AreaEstimates></profile>")
    with pytest.raises(ValueError, match="many"):
        read_estimate(xml)
    report = tmp_path / "accel_hls_cosim.rpt"
    row = "|   Verilog|      Pass|             93|             93|             93|             NA|   NA|   NA|   95|"
    report.write_text(f"header\n{row}\n")
    assert read_cosimulated(report) == Cosimulated((93, 93, 93), None)
    for text, said in (("", "says nothing of Verilog"), (row.replace("Pass", "Fail"), "says Fail of Verilog")):
        report.write_text(text)
        with pytest.raises(ValueError, match=said):
            read_cosimulated(report)
