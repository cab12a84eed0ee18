"""The Tcl that makes a bitstream: tclint, and a model of Vivado that knows its commands, IPs, pins and parameters."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from hlsgen.board import Board, load, names
from hlsgen.emit import ip, vivado
from hlsgen.emit.tcl import word
from hlsgen.errors import BoardError
from hlsgen.resources import resource
from hlsgen.system import ACCEL, DMA, PS, SEGMENT_BYTES
from tests import tcl
from tests.vivado.harness import BUILD_ID, HERE, Outcome, make, run, system

SIGNATURES = HERE / "commands.json"
BOARDS = names()
Z7, MPSOC = "pynq-z2", "kv260"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build for a Zynq-7000."""
    return make(tmp_path / "build", system(load(Z7)))


def ran(build: Path, board: str, *arguments: str, **world: Any) -> Outcome:
    return run(build, system(load(board)), *arguments, **world)


def change(build: Path, file: str, old: str, new: str, count: int = -1) -> None:
    """Replace ``old``, which must be there, in a script of the build."""
    path = build / "vivado" / file
    text = path.read_text()
    assert old in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, count))


# -- lint --------------------------------------------------------------------------------------------------------------


def scripts(build: Path) -> list[Path]:
    found = sorted((build / "vivado").rglob("*.tcl"))
    assert len(found) >= 9
    return [*found, *(build / "ip_repo").rglob("xgui/*.tcl")]


@pytest.mark.parametrize("board", [Z7, MPSOC])
def test_tclint_finds_nothing(board: str, tmp_path: Path) -> None:
    assert tcl.lint(scripts(make(tmp_path / "build", system(load(board)))), SIGNATURES) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tcl/runs.tcl", "-to_step", "-tostep"),
        ("tcl/block_design.tcl", "create_bd_cell -type ip", "create_bd_cell -typ ip"),
        ("tcl/block_design.tcl", "save_bd_design", "save_bd_design now"),
        ("tcl/project.tcl", "create_project -force", "create_project -overwrite"),
        ("tcl/export.tcl", "report_power -file", "report_power"),
    ],
)
def test_tclint_finds_what_is_wrong(file: str, old: str, new: str, build: Path) -> None:
    change(build, file, old, new)
    assert len(tcl.lint(scripts(build), SIGNATURES)) >= 1


# -- every board -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mhz", [None, 142.9], ids=["default-clock", "143-MHz"])
@pytest.mark.parametrize("files", [False, True], ids=["no-board-files", "board-files"])
@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_built(name: str, files: bool, mhz: float | None, tmp_path: Path) -> None:
    board = load(name)
    wanted = system(board, mhz)
    build = make(tmp_path / "build", wanted)
    outcome = run(build, wanted, board_parts={board.board_part: board.part} if files else {})
    assert outcome.code == 0, outcome.output
    state = outcome.state
    assert state.board == (board.board_part if files else "")
    assert state.cells[PS] == wanted.ps_vlnv
    assert state.cells[ACCEL] == "hlsgen:ip:accel"
    dma = state.config[DMA]
    assert dma["c_sg_length_width"] == "26"
    assert dma["c_addr_width"] == ("32" if wanted.zynq7 else "40")
    assert dma["c_include_sg"] == "0"
    for name in ("c_m_axis_mm2s_tdata_width", "c_s_axis_s2mm_tdata_width", "c_m_axi_mm2s_data_width"):
        assert dma[name] == str(board.axi_bits)
    ps = state.config[PS]
    if wanted.zynq7:
        assert ps["PCW_FCLK0_PERIPHERAL_CLKSRC"] == "IO PLL"
        assert float(ps["PCW_FPGA0_PERIPHERAL_FREQMHZ"]) == pytest.approx(wanted.clock.mhz, abs=1e-5)
        assert ps["PCW_S_AXI_HP0_DATA_WIDTH"] == "64"
        assert state.cells["memory"] == "xilinx.com:ip:axi_interconnect"
    else:
        assert ps["PSU__CRL_APB__PL0_REF_CTRL__SRCSEL"] == "IOPLL"
        assert float(ps["PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"]) == pytest.approx(wanted.clock.mhz, abs=1e-5)
        assert ps["PSU__SAXIGP2__DATA_WIDTH"] == "128"
        assert state.cells["memory"] == "xilinx.com:ip:smartconnect"
    crystal = ps.get("PCW_CRYSTAL_PERIPHERAL_FREQMHZ", ps.get("PSU__PSS_REF_CLK__FREQMHZ"))
    assert (crystal is None) == files
    registers = {
        segment.split("/")[0]: (low, size) for space, segment, low, size in state.addresses if "/Data" in space[-5:]
    }
    assert registers == {cell: (low, SEGMENT_BYTES) for cell, low in wanted.addresses.items()}
    memories = {(space, segment) for space, segment, _, _ in state.addresses if not space.endswith("/Data")}
    assert {segment.rpartition("_")[2] for _, segment in memories} == ({"LOWOCM"} if wanted.zynq7 else {"LOW", "HIGH"})
    assert state.interfaces[f"{DMA}/M_AXIS_MM2S"] == f"{ACCEL}/s_axis"
    assert state.interfaces[f"{ACCEL}/m_axis"] == f"{DMA}/S_AXIS_S2MM"
    assert state.interfaces[f"{PS}/{wanted.control_port}"] == "registers/S00_AXI"
    assert state.interfaces[f"{PS}/{wanted.memory_port}"] == "memory/M00_AXI"
    assert {path.name for path in (build / "deploy").iterdir()} == {"accel.bit", "accel.hwh", "power.rpt"}
    assert (build / "deploy" / "accel.hwh").read_text() == "description\n"
    reports = {path.name for path in (build / "reports" / "vivado").glob("*.rpt")}
    assert reports == {"utilization.rpt", "utilization_accel.rpt", "timing.rpt", "power.rpt"}


@pytest.mark.parametrize("version", ["2020.2", "2021.1", "2022.1.2", "2023.2_AR0001", "2024.2", "2025.2"])
@pytest.mark.parametrize("classic", [True, False])
def test_versions_of_vivado(version: str, classic: bool, build: Path) -> None:
    outcome = ran(build, Z7, version=version, classic=classic)
    assert outcome.code == 0, outcome.output
    kind = "axi_interconnect" if classic else "smartconnect"
    assert {outcome.state.cells[name] for name in ("memory", "registers")} == {f"xilinx.com:ip:{kind}"}


@pytest.mark.parametrize("version", ["2019.2", "2020.1", "nonsense"])
def test_an_older_version_is_refused(version: str, build: Path) -> None:
    outcome = ran(build, Z7, version=version)
    assert outcome.code == 1
    assert (
        f"hlsgen version failed in stage start: this is {'no version of ' if version == 'nonsense' else ''}Vivado"
        in (outcome.output)
    )


def test_a_pll_that_vivado_does_not_know_gives_a_tighter_constraint(tmp_path: Path) -> None:
    """A KV260's IOPLL makes 1000 MHz; without its board file Vivado takes it for one of 1500 MHz."""
    wanted = system(load(MPSOC), 142.9)
    build = make(tmp_path / "build", wanted)
    outcome = run(build, wanted, pll=1500.0)
    assert outcome.code == 0, outcome.output
    assert "constrained to 150.000000 MHz" in outcome.output
    hopeless = run(build, wanted, pll=120.0)
    assert hopeless.code == 1
    assert "clock failed in stage block_design: the processing system cannot make 142.857143 MHz" in hopeless.output


@pytest.mark.parametrize(
    ("installed", "used"),
    [
        ({"tul.com.tw:pynq-z2:part0:0.9": "xc7z020clg400-1"}, "tul.com.tw:pynq-z2:part0:0.9"),
        ({"TUL.com.tw:PYNQ-Z2:part0:1.0": "xc7z020clg400-1"}, "TUL.com.tw:PYNQ-Z2:part0:1.0"),
        (
            {"tul.com.tw:pynq-z2:part0:1.9": "xc7z020clg400-1", "tul.com.tw:pynq-z2:part0:1.10": "xc7z020clg400-1"},
            "tul.com.tw:pynq-z2:part0:1.10",
        ),
        (
            {"tul.com.tw:pynq-z2:part0:1.0": "xc7z020clg400-1", "tul.com.tw:pynq-z2:part0:1.1": "xc7z020clg400-1"},
            "tul.com.tw:pynq-z2:part0:1.0",
        ),
        ({"tul.com.tw:pynq-z2:part0:1.0": "xc7z010clg400-1"}, ""),
        ({"tul.com.tw:pynq-zu:part0:1.0": "xc7z020clg400-1"}, ""),
    ],
)
def test_board_files(installed: dict[str, str], used: str, build: Path) -> None:
    outcome = ran(build, Z7, board_parts=installed)
    assert (outcome.code, outcome.state.board) == (0, used), outcome.output


def test_it_works_from_another_folder_and_with_spaces_in_the_path(tmp_path: Path) -> None:
    wanted = system(load(Z7))
    build = make(tmp_path / "a build [of] mine", wanted)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outcome = run(build, wanted, cwd=elsewhere)
    assert outcome.code == 0, outcome.output
    assert list(elsewhere.iterdir()) == []
    assert (build / "deploy" / "accel.bit").is_file()


def test_only_reports_and_products_are_written(build: Path) -> None:
    before = {path for path in build.rglob("*") if path.is_file()}
    assert ran(build, Z7).code == 0
    new = {path.relative_to(build).parts[0] for path in build.rglob("*") if path.is_file() and path not in before}
    assert new == {"deploy", "reports", "world.tcl", "state.txt"}


# -- the IP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [1, 2])
def test_the_ip_is_packaged_again_where_vivado_does_not_take_it(faults: int, build: Path) -> None:
    outcome = ran(build, Z7, ip_faults=faults)
    assert outcome.code == 0, outcome.output
    assert "packaging the IP again" in outcome.output
    packaged = outcome.state.packaged
    assert packaged["core", "version"] == "1.0"
    assert packaged["ipfile:conv_weights.mem", "type"] == "mem"
    assert "zynquplusRFSOC" in packaged["core", "supported_families"]
    assert packaged["block:map:s_axi_control", "range"] == str(SEGMENT_BYTES)
    parameter = {name: value for (of, name), value in packaged.items() if of == f"parameter:{ip.BUILD_ID}"}
    assert parameter == {
        "value": BUILD_ID,
        "value_format": "string",
        "value_resolve_type": "user",
        "enablement_value": "false",
    }


@pytest.mark.parametrize("digits", ["", "0123456789ABCDEF", "0123456789abcdef0", "[exec touch mark]"])
def test_an_ip_without_its_builds_id_is_an_error(digits: str, build: Path) -> None:
    """The .hwh would not have it either, and the driver would refuse what hours of synthesis made."""
    component = build / "ip_repo" / ip.FOLDER / "component.xml"
    text = component.read_text()
    assert text.count(f">{BUILD_ID}<") == 1
    component.write_text(text.replace(f">{BUILD_ID}<", f">{digits}<"))
    outcome = ran(build, Z7, ip_faults=1)
    assert outcome.code == 1
    assert "component.xml does not say of which build it is: build the model again" in outcome.output
    assert not list(build.rglob("mark"))


def test_registers_get_addresses_where_packaging_gives_them_none(build: Path) -> None:
    outcome = ran(build, Z7, ip_faults=1, memory_map=0)
    assert outcome.code == 0, outcome.output
    assert outcome.state.packaged["bus:s_axi_control", "slave_memory_map_ref"] == "s_axi_control"


def test_an_ip_that_cannot_be_packaged_is_an_error(build: Path) -> None:
    outcome = ran(build, Z7, ip_faults=3)
    assert outcome.code == 1
    assert "ip failed in stage ip: Vivado does not take the accelerator's IP, not even packaged again" in outcome.output


def test_a_missing_ip_is_an_error(build: Path) -> None:
    shutil.move(build / "ip_repo" / "accel_1_0" / "component.xml", build / "component.xml")
    outcome = ran(build, Z7)
    assert outcome.code == 1
    assert "component.xml is missing" in outcome.output


def test_an_unknown_part_is_an_error(build: Path) -> None:
    outcome = ran(build, Z7, parts=["xc7z020clg400-2", "xc7z020clg400-10"])
    assert outcome.code == 1
    assert "part failed in stage ip: the part xc7z020clg400-1 is not known to this Vivado" in outcome.output


# -- runs --------------------------------------------------------------------------------------------------------------

FAILURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "part": ({"parts": ["xc7z010clg400-1"]}, "part", "xc7z020clg400-1 is not known"),
    "synthesis": ({"fail": "synthesis"}, "synthesis", "module 'hlsgen_fifo' not found"),
    "synthesis, newer": (
        {"fail": "synthesis", "version": "2024.1", "wait_fails": 1},
        "synthesis",
        'the run system_accel_0_0_synth_1 ended with "synth_design ERROR"',
    ),
    "licence": ({"no_license": 1}, "synthesis", "A valid license was not found"),
    "memory contents": ({"readmem": 1}, "synthesis", "synthesis did not find a memory's contents"),
    "placement": ({"fail": "implementation"}, "implementation", "over-utilized"),
    "bitstream": ({"fail": "bitstream"}, "bitstream", "Unspecified I/O Standard"),
    "no bit": ({"missing": ["bit"]}, "product", "Vivado left no bitstream at"),
    "no hwh": ({"missing": ["hwh"]}, "product", "Vivado left no hardware description"),
    "setup": (
        {"slacks": [[-0.2, 0.1, 0.1], [-0.1, 0.1, 0.1]]},
        "timing",
        "timing is not met at 100.000000 MHz: WNS -0.1",
    ),
    "hold": ({"slacks": [[0.2, -0.1, 0.1]] * 2}, "timing", "WHS -0.1 ns"),
    "pulse width": ({"slacks": [[0.2, 0.1, -0.5]] * 2}, "timing", "TPWS -0.5 ns"),
    "no figures": ({"slacks": [["", "", ""]]}, "implementation", "nobody knows whether timing is met"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_run_fails_the_build(name: str, build: Path) -> None:
    world, kind, said = FAILURES[name]
    stale = build / "deploy" / "accel.bit"
    stale.parent.mkdir()
    stale.write_text("of an earlier run")
    outcome = ran(build, Z7, **world)
    assert outcome.code == 1, outcome.output
    assert f"ERROR: hlsgen {kind} failed in stage" in outcome.output
    assert said in outcome.output
    assert not stale.exists(), "the bitstream of an earlier run is left"
    assert not list(build.rglob("*.new"))


def test_timing_gets_a_second_try(build: Path) -> None:
    outcome = ran(build, Z7, slacks=[[-0.2, 0.1, 0.1], [0.01, 0.1, 0.1]])
    assert outcome.code == 0, outcome.output
    assert (outcome.state.attempts, outcome.state.strategy) == (2, vivado.STRATEGIES[1])
    assert "timing is not met (WNS -0.2 ns)" in outcome.output


def test_reports_are_left_where_timing_is_not_met(build: Path) -> None:
    ran(build, Z7, slacks=[[-0.2, 0.1, 0.1]] * 2)
    assert (build / "reports" / "vivado" / "timing.rpt").is_file()
    assert not (build / "deploy" / "accel.hwh").exists()


# -- options and hooks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("last", "nothing"), 'there is no stage "nothing"'),
        (("jobs", "0"), 'jobs is "0", not a positive number'),
        (("jobs", "many"), 'jobs is "many"'),
        (("hooks", "/nowhere"), 'there is no folder "/nowhere"'),
        (("speed", "9"), '"speed 9" is no option of build.tcl'),
        (("last",), '"last " is no option'),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], said: str, build: Path) -> None:
    outcome = ran(build, Z7, *arguments)
    assert outcome.code == 1
    assert f"hlsgen option failed in stage start: {said}" in outcome.output


def test_the_build_stops_after_a_stage(build: Path) -> None:
    (build / "deploy").mkdir()
    (build / "deploy" / "accel.bit").write_text("of an earlier run")
    outcome = ran(build, Z7, "last", "block_design")
    assert outcome.code == 0, outcome.output
    assert (build / "deploy" / "accel.bit").exists(), "nothing was made in its place"
    assert outcome.state.cells
    assert "stage synthesis" not in outcome.output


def test_hooks_run_around_every_stage(build: Path, tmp_path: Path) -> None:
    hooks = tmp_path / "my hooks"
    hooks.mkdir()
    stages = ["ip", "project", "block_design", "synthesis", "implementation", "export"]
    points = [f"{side}_{stage}" for stage in stages for side in ("pre", "post")]
    for point in points:
        (hooks / f"{point}.tcl").write_text(f'puts "at {point} [hlsgen::setting part]"\nset seen_{point} 1\n')
    outcome = ran(build, Z7, "hooks", str(hooks))
    assert outcome.code == 0, outcome.output
    seen = [line.split()[1] for line in outcome.output.splitlines() if line.startswith("at ")]
    assert seen == points
    table = (build / "vivado" / "hooks" / "README.md").read_text()
    assert all(f"`{point}.tcl`" in table for point in points)


def test_a_hook_changes_the_build_and_its_error_ends_it(build: Path) -> None:
    hook = build / "vivado" / "hooks" / "pre_implementation.tcl"
    hook.write_text("set hlsgen::setting(strategies) Performance_ExplorePostRoutePhysOpt\n")
    assert ran(build, Z7).state.strategy == "Performance_ExplorePostRoutePhysOpt"
    hook.write_text("error {my own fault}\n")
    outcome = ran(build, Z7)
    assert outcome.code == 1
    assert "hlsgen hook failed in stage implementation" in outcome.output
    assert "pre_implementation.tcl: my own fault" in outcome.output


# -- seeded faults -----------------------------------------------------------------------------------------------------

BLOCK, PS_TCL, RUNS = "tcl/block_design.tcl", "tcl/processing_system.tcl", "tcl/runs.tcl"
FAULTS: list[tuple[str, str, str, str, str]] = [
    (Z7, BLOCK, "m_axi_mm2s_aclk m_axi_s2mm_aclk}", "m_axi_mm2s_aclk}", "m_axi_s2mm_aclk (clk) is not connected"),
    (Z7, BLOCK, "    drive_clock [setting accelerator]/ap_clk\n", "", "accel_0/ap_clk (clk) is not connected"),
    (Z7, BLOCK, "drive_reset [setting dma]/axi_resetn peripheral", "", "axi_resetn (rst) is not connected"),
    (Z7, BLOCK, "CONFIG.c_include_sg 0", "CONFIG.C_INCLUDE_SG 0", "no parameter C_INCLUDE_SG"),
    (Z7, BLOCK, "        CONFIG.c_include_sg 0 \\\n", "", "M_AXI_SG is not connected"),
    (Z7, BLOCK, "[setting length_bits]", "27", "27 is no value of c_sg_length_width"),
    (Z7, BLOCK, "S_AXIS_S2MM", "S_AXIS_MM2S", "there is no interface axi_dma_0/S_AXIS_MM2S"),
    (
        Z7,
        BLOCK,
        "join_interfaces [setting dma]/M_AXIS_MM2S [setting accelerator]/s_axis",
        "join_interfaces [setting dma]/M_AXIS_MM2S [setting accelerator]/s_axi_control",
        "cannot go to accel_0/s_axi_control",
    ),
    (Z7, BLOCK, "drive_reset $end$reset peripheral", "drive_clock $end$reset", "or a clock with a reset"),
    (Z7, BLOCK, "set bits [setting stream_bits]", "set bits 32", "the accelerator's is 64"),
    (Z7, BLOCK, "c_s_axis_s2mm_tdata_width.VALUE_SRC USER", "c_s2mm_burst_size 16", "is not the user's"),
    (Z7, BLOCK, "[setting dma]/S_AXI_LITE [setting dma_address]", "[setting dma]/S_AXI_LITE 0x40008000", "not aligned"),
    (Z7, BLOCK, "[setting dma]/S_AXI_LITE [setting dma_address]", "[setting dma]/S_AXI_LITE 0x40000000", "overlaps"),
    (Z7, BLOCK, "foreach channel {MM2S S2MM}", "foreach channel {MM2S}", "Data_S2MM reaches no memory"),
    (Z7, BLOCK, "    validate_bd_design\n", "", "saved before it is validated"),
    (
        Z7,
        BLOCK,
        "[setting block_design]_wrapper [current_fileset]",
        "accel [current_fileset]",
        "its wrapper is the top",
    ),
    (Z7, PS_TCL, "FIXED_IO, DDR", "DDR", "FIXED_IO is not external"),
    (Z7, PS_TCL, "CONFIG.PCW_USE_S_AXI_HP0 1", "CONFIG.PCW_USE_S_AXI_HP0 0", "there is no interface ps/S_AXI_HP0"),
    (Z7, PS_TCL, "{IO PLL}", "IOPLL", "IOPLL is no value of PCW_FCLK0_PERIPHERAL_CLKSRC"),
    (Z7, PS_TCL, "CONFIG.PCW_USE_M_AXI_GP1 0 \\\n", "", "M_AXI_GP1_ACLK (clk) is not connected"),
    (MPSOC, PS_TCL, "CONFIG.PSU__USE__M_AXI_GP2 0 \\\n", "", "maxihpm0_lpd_aclk (clk) is not connected"),
    (MPSOC, PS_TCL, "PSU__USE__M_AXI_GP1 0", "PSU__USE__M_AXI_GP1 1", "maxihpm1_fpd_aclk (clk) is not connected"),
    (MPSOC, PS_TCL, "PSU__SAXIGP2__DATA_WIDTH", "PSU__SAXIGP2_DATA_WIDTH", "no parameter PSU__SAXIGP2_DATA_WIDTH"),
    (MPSOC, PS_TCL, "saxihp0_fpd_aclk", "saxihp0_aclk", "there is no pin ps/saxihp0_aclk"),
    (MPSOC, BLOCK, "set own {aclk aresetn}", "set own {ACLK ARESETN}", "there is no pin registers/ACLK"),
    (Z7, RUNS, "    wait_for synth_1\n", "", "before it has been waited for"),
    (Z7, RUNS, "    launch_runs synth_1 -jobs $option(jobs)\n    wait_for synth_1\n", "", "synthesis failed"),
    (
        Z7,
        "tcl/export.tcl",
        "    open_run impl_1\n    write_reports\n    set bit",
        "    write_reports\n    set bit",
        "harness",
    ),
    (Z7, "tcl/base.tcl", "foreach stage [lrange", "lmap stage [lrange", 'invalid command name "lmap"'),
]


@pytest.mark.parametrize(("board", "file", "old", "new", "said"), FAULTS)
def test_a_seeded_fault_is_caught(board: str, file: str, old: str, new: str, said: str, tmp_path: Path) -> None:
    wanted = system(load(board))
    build = make(tmp_path / "build", wanted)
    change(build, file, old, new)
    outcome = run(build, wanted, board_parts={wanted.board.board_part: wanted.board.part})
    assert outcome.code == 1, outcome.output
    assert said in outcome.output


# -- untrusted text ----------------------------------------------------------------------------------------------------

STRANGE = [
    '"; exec touch HERE; #',
    "[exec touch HERE]",
    "} ; exec touch HERE ; {",
    "$hlsgen::option(jobs)[exec touch HERE]",
    "a\nexec touch HERE\n",
    "back\\\nslash \\[exec touch HERE]",
    "*",
    "xc7z020clg400-1 [exec touch HERE]",
    "größe \u2603",
    "{*}[exec touch HERE]",
    "",
]


def strange(text: str, mark: Path, **fields: str) -> Board:
    given = {name: text.replace("HERE", str(mark)) for name in ("part", "board_part", "title", "name")}
    return load(Z7).model_copy(update={**given, **fields})


@pytest.mark.parametrize("text", STRANGE)
def test_text_of_a_board_file_is_never_code(text: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    board = strange(text, mark)
    build = make(tmp_path / "build", system(board))
    # Vivado happens to know such a part and such a board: the text gets everywhere
    outcome = run(build, system(board), board_parts={board.board_part: board.part} if text else {})
    assert outcome.code == 0, outcome.output
    assert not mark.exists()
    unknown = run(build, system(board), parts=["xc7z020clg400-1"])
    assert unknown.code == 1
    assert "is not known to this Vivado" in unknown.output
    assert not mark.exists()


@pytest.mark.parametrize("text", STRANGE)
def test_a_word_is_what_it_was(text: str, tmp_path: Path) -> None:
    """Through Tcl's parser and its list parser and back."""
    script, stand_ins = tmp_path / "script.tcl", tmp_path / "stand_ins.tcl"
    script.write_text(f"set one {word(text)}\nset two [lindex {{{word(text)}}} 0]\n")
    stand_ins.write_text(
        "source [lindex $argv 0]\nif {$one ne $two} {error different}\nforeach c [split $one {}] {puts [scan $c %c]}\n"
    )
    done = tcl.run(stand_ins, script, tmp_path)
    assert done.code == 0, done.printed
    assert "".join(chr(int(code)) for code in done.printed.split()) == text


def test_what_tcl_cannot_hold_is_refused(tmp_path: Path) -> None:
    board = strange("\U0001f40d", tmp_path)
    with pytest.raises(BoardError, match=r"cannot be written as Tcl: .* has a character above U\+FFFF"):
        vivado.write(system(board), tmp_path / "vivado")
    assert not (tmp_path / "vivado").exists()


# -- files -------------------------------------------------------------------------------------------------------------


def test_the_scripts_are_the_same_for_all_boards_but_settings(tmp_path: Path) -> None:
    texts = []
    for name in (Z7, MPSOC):
        vivado.write(system(load(name)), tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        texts.append({path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in files})
    assert texts[0].keys() == texts[1].keys()
    assert {name for name in texts[0] if texts[0][name] != texts[1][name]} == {"settings.tcl"}
    assert len(list(resource("vivado_tcl").glob("*.tcl"))) == sum(name.endswith(".tcl") for name in texts[0]) - 1


def test_what_was_in_the_folder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "vivado" / "tcl").mkdir(parents=True)
    (tmp_path / "vivado" / "tcl" / "old.tcl").write_text("error old")
    vivado.write(system(load(Z7)), tmp_path / "vivado")
    first = (tmp_path / "vivado" / "settings.tcl").read_bytes()
    vivado.write(system(load(Z7)), tmp_path / "vivado")
    assert not (tmp_path / "vivado" / "tcl" / "old.tcl").exists()
    assert (tmp_path / "vivado" / "settings.tcl").read_bytes() == first
