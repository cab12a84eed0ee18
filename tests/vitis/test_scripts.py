"""The Tcl of the HLS flow: clean for a linter that knows the tool's commands, and right for a stand-in of the tool."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hlsgen import board as boards
from hlsgen.emit import vitis
from hlsgen.errors import ToolError
from hlsgen.kernels.base import StreamSpec
from hlsgen.resources import resource
from hlsgen.sim.csim import ap_headers
from hlsgen.system import System
from tests import tcl
from tests.emit.test_dataflow import AMD
from tests.vitis.conftest import HERE, STAND_INS, small_design, system

SIGNATURES = HERE / "commands.json"


def run(build: Path, cwd: Path, **environment: str) -> tcl.Ran:
    return tcl.run(STAND_INS, build / "hls" / "run_hls.tcl", cwd, **environment)


def change(build: Path, file: str, old: str, new: str) -> None:
    path = build / "hls" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def names(ran: tcl.Ran) -> list[str]:
    return [call.split()[0] for call in ran.calls]


def test_the_linter_has_nothing_to_say(tmp_path: Path) -> None:
    for board in boards.names():
        vitis.write(small_design(), system(board), tmp_path / board)
    scripts = sorted(tmp_path.rglob("*.tcl"))
    assert len(scripts) == 2 * len(boards.names())
    assert tcl.lint(scripts, SIGNATURES) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("open_solution -reset -flow_target", "open_solution -reset -flow_targets", "-flow_targets"),
        ("create_clock -period $option(period) -name default", "create_clock -name default", "-period"),
        ("set_top accel_hls", "set_top", "set_top"),
        # (a command of an unknown name may be a procedure: the stand-in finds that one)
        ("-pipeline_style flp", "-pipeline_style", "-pipeline_style"),
        ("if {[info script] ne", "if {[info script ne", "syntax error"),
    ],
)
def test_the_linter_finds_mistakes(old: str, new: str, complaint: str, build: Path) -> None:
    change(build, "run_hls.tcl", old, new)
    lines = tcl.lint([build / "hls" / "run_hls.tcl"], SIGNATURES)
    assert len(lines) == 1
    assert complaint in lines[0]


@pytest.mark.parametrize("board", boards.names())
def test_every_stage_runs_in_its_order(board: str, build: Path, tmp_path: Path) -> None:
    """From another folder, with the board's part and clock."""
    vitis.write(small_design(), system(board), build / "hls")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = run(build, elsewhere)
    assert ran.code == 0, ran.printed
    assert ran.printed.splitlines()[-1] == "hlsgen: finished"
    assert [name for name in names(ran) if name.endswith("_design")] == [
        "csim_design",
        "csynth_design",
        "cosim_design",
        "export_design",
    ]
    wanted = boards.load(board)
    assert f"set_part {wanted.part}" in ran.calls
    assert f"create_clock -period {1000 / wanted.clock_mhz:.3f} -name default" in ran.calls
    for setting in ("config_compile -pipeline_style flp", "config_dataflow -strict_mode error"):
        assert setting in ran.calls
    assert "config_rtl -module_auto_prefix -reset control -reset_level low" in ran.calls
    assert "open_solution -reset -flow_target vivado solution" in ran.calls
    assert (build / "reports" / "vitis" / "accel_hls" / "solution" / "impl" / "ip" / "component.xml").is_file()
    assert [path.name for path in elsewhere.iterdir()] == ["calls.log"]


def test_the_sources_are_the_accelerator_and_its_testbench(build: Path, tmp_path: Path) -> None:
    added = [call for call in run(build, tmp_path).calls if call.startswith("add_files")]
    hls = build / "hls"
    flags = f"-cflags {{-std=c++14 -DHLSGEN_AP -I{hls}}}"
    assert added == [f"add_files {flags} {hls}/top.cpp", f"add_files -tb {flags} {hls}/testbench.cpp"]
    assert f"void {vitis.TOP}(" in (hls / "top.hpp").read_text()


def test_the_testbench_finds_its_vectors(build: Path, tmp_path: Path) -> None:
    """The very compiler run of C simulation, in the folder where the tool does it, with AMD's headers, not ours."""
    change(build, "options.tcl", "{csim csynth cosim export}", "{csim}")
    ran = run(build, tmp_path, VITIS_COMPILE=f"{AMD};{ap_headers()}")
    assert ran.code == 0, ran.printed
    assert "3 images agree" in ran.printed
    (vector,) = (build / "hls" / "vectors").glob("m_axis.bin")
    data = bytearray(vector.read_bytes())
    data[3] ^= 1
    vector.write_bytes(data)
    program = next((build / "reports" / "vitis").rglob("csim.exe"))
    command = [str(program), "--vectors", str(build / "hls" / "vectors")]
    again = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "m_axis: image 0, word 0, byte 3" in again.stderr


def test_a_failing_testbench_fails_the_run(build: Path, tmp_path: Path) -> None:
    ran = run(build, tmp_path, VITIS_FAULT="csim")
    assert ran.code == 1
    assert "hlsgen: failed: csim failed: CSim failed with errors." in ran.printed
    assert "hlsgen: begin csynth" not in ran.printed


def test_stages_are_chosen_and_go_on_where_others_ended(build: Path, tmp_path: Path) -> None:
    change(build, "options.tcl", "{csim csynth cosim export}", "{csynth}")
    first = run(build, tmp_path)
    assert first.code == 0
    assert names(first)[-1] == "csynth_design"
    change(build, "options.tcl", "{csynth}", "{export cosim}")
    second = run(build, tmp_path)
    assert second.code == 0, second.printed
    assert names(second)[-2:] == ["cosim_design", "export_design"]
    assert "open_project accel_hls" in second.calls
    assert "open_solution -flow_target vivado solution" in second.calls
    shutil.rmtree(build / "reports")
    third = run(build, tmp_path)
    assert third.code == 1
    assert "cosim failed: there is no accel_hls/*/syn/report/csynth.xml" in third.printed


def test_options_can_be_set_before(build: Path, tmp_path: Path) -> None:
    script = tmp_path / "mine.tcl"
    script.write_text(f"array set override {{stages csim work {tmp_path}/mine}}\nsource {build}/hls/run_hls.tcl\n")
    ran = tcl.run(STAND_INS, script, tmp_path)
    assert ran.code == 0, ran.printed
    assert names(ran)[-1] == "csim_design"
    assert (tmp_path / "mine" / "accel_hls").is_dir()
    assert not (build / "reports").exists()


def test_options_of_newer_versions_are_not_vital(build: Path, tmp_path: Path) -> None:
    ran = run(build, tmp_path, VITIS_FAULT="old dataflow")
    assert ran.code == 0
    assert "hlsgen: fewer images may overlap" in ran.printed


def test_the_component_layout_of_newer_versions_is_found(build: Path, tmp_path: Path) -> None:
    ran = run(build, tmp_path, VITIS_LAYOUT="hls")
    assert ran.code == 0, ran.printed
    assert (build / "reports/vitis/accel_hls/hls/impl/ip/component.xml").is_file()


FAULTS = [
    # (file, old, new, what is said)
    ("run_hls.tcl", '"$hls_folder/top.cpp"', '"$hls_folder/tip.cpp"', "cannot find source file"),
    ("run_hls.tcl", "-I$hls_folder", "-I$hls_folder/include", "no folder"),
    ("run_hls.tcl", "  set_top accel_hls\n", "  set_top top\n", "cannot find the top function 'top'"),
    ("run_hls.tcl", "  set_part $option(part)\n", "", "no top, part or clock"),
    ("run_hls.tcl", "flp", "fast", "-pipeline_style is fast"),
    ("run_hls.tcl", "-flow_target vivado", "-flow_target alveo", "-flow_target is alveo"),
    ("run_hls.tcl", "--vectors $::hls_folder/vectors", "--vectors vectors", "no vectors"),
    ("run_hls.tcl", "csynth_design\n", "csynth_desing\n", 'invalid command name "csynth_desing"'),
    ("run_hls.tcl", "-strict_mode $option", "-strict $option", "unknown option '-strict'"),
    ("run_hls.tcl", "open_project -reset accel_hls", "open_project -reset $hls_folder/a", "name is no path"),
    ("run_hls.tcl", "syn/report/csynth.xml", "syn/report/synth.xml", "there is no accel_hls/*/syn/report/synth.xml"),
    ("run_hls.tcl", "accel_hls_cosim.rpt", "top_cosim.rpt", "there is no accel_hls/*/sim/report/top_cosim.rpt"),
    ("run_hls.tcl", "{csim csynth cosim export} {\n", "{csim cosim csynth export} {\n", "there is no accel_hls/*/syn"),
    ("options.tcl", "set option(period)", "set option(time)", "period"),
    ("options.tcl", "{csim csynth", "{csim synth", "there is no stage 'synth'"),
    ("options.tcl", "error\n", "fatal\n", "-strict_mode is fatal"),
    ("options.tcl", "cosim export}", "cosim export", "options.tcl, which belongs beside run_hls.tcl"),
]


@pytest.mark.parametrize(("file", "old", "new", "said"), FAULTS, ids=[fault[2].strip()[:40] for fault in FAULTS])
def test_the_stand_in_finds_mistakes(file: str, old: str, new: str, said: str, build: Path, tmp_path: Path) -> None:
    change(build, file, old, new)
    ran = run(build, tmp_path)
    assert ran.code == 1, ran.printed
    assert said in ran.printed
    assert "hlsgen: finished" not in ran.printed


def test_missing_options_and_vectors_are_told(build: Path, tmp_path: Path) -> None:
    (build / "hls" / "vectors" / "m_axis.bin").unlink()
    assert "m_axis.bin" in run(build, tmp_path).printed
    (build / "hls" / "options.tcl").unlink()
    ran = run(build, tmp_path)
    assert ran.code == 1
    assert "hlsgen: failed: options.tcl, which belongs beside run_hls.tcl" in ran.printed


def test_a_path_that_the_tool_cannot_take_is_told(build: Path, tmp_path: Path) -> None:
    odd = tmp_path / "two words"
    shutil.copytree(build, odd)
    ran = run(odd, tmp_path)
    assert ran.code == 1
    assert "hlsgen: failed: a path with the character ' '" in ran.printed
    assert ran.calls == []


def test_only_commands_of_tcl_8_5() -> None:
    """The stand-in has none of the newer commands; newer subcommands and options are looked for here."""
    text = resource("templates", "hls", "run_hls.tcl").read_text()
    newer = r"string cat|dict map|dict filter|lsort -stride|lsearch -bisect|binary (en|de)code|file tempfile|%b|\{\*\}"
    assert not re.search(newer, text)
    assert text.isascii()


def test_equal_designs_give_equal_bytes_and_text_stays_text(tmp_path: Path) -> None:
    design = replace(small_design(), name='"; exec reboot; #\n[exec reboot]')
    board = boards.load("kv260").model_copy(update={"part": "xck26 [exec reboot]", "name": "x\nexec reboot"})
    for folder in ("a", "b"):
        vitis.write(design, System(board, board.clock()), tmp_path / folder)
    for file in ("run_hls.tcl", "options.tcl"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    script = tmp_path / "show.tcl"
    script.write_text(f"source {tmp_path}/a/options.tcl\nputs <$option(part)>\n")
    ran = tcl.run(STAND_INS, script, tmp_path)
    assert (ran.code, ran.printed) == (0, "<xck26 [exec reboot]>\n")


def test_as_many_images_overlap_as_the_plan_has(tmp_path: Path) -> None:
    design = small_design()
    (last,) = (stream for stream in design.streams.values() if stream.spec.width == 1 and stream.frame is None)
    kept = last.depth
    try:
        last.depth = 7
        assert vitis.overlapping_images(design) == 8
        vitis.write(design, system(), tmp_path)
        assert "set option(images) 8\n" in (tmp_path / "options.tcl").read_text()
        last.depth = 0
        assert vitis.overlapping_images(design) == 2
    finally:
        last.depth = kept


def test_streams_that_the_tool_refuses_are_told_at_once() -> None:
    design = small_design()
    vitis.check(design)
    name = next(name for name in design.streams if name.endswith("window_out"))
    old = design.streams[name].spec
    wide = {**design.streams, name: replace(design.streams[name], spec=StreamSpec(old.type, 512, old.beats))}
    vitis.check(replace(design, streams=wide))
    wide[name].spec = StreamSpec(old.type, 513, old.beats)
    with pytest.raises(ToolError, match=rf"The stream {name} of layer \w+ has beats of 4,104 bits; .* at most 4,096"):
        vitis.check(replace(design, streams=wide))
