"""``accel.v`` around a core of Vitis HLS: the same registers, TLAST and reset as around the core in SystemVerilog.

A core of that tool is not at hand. In its place stands a module of the same name, ports and manners, with our own core
inside: reset active low, ready and valid high during it, TKEEP and TSTRB that count.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hlsgen.emit import rtl
from hlsgen.sim import rtlsim
from hlsgen.sim.rtlsim import Access, Truncated, Write
from hlsgen.sim.verilator import find_tools
from tests.sim.test_rtlsim import BUILD_ID, MAGIC, Built, dense, of_graph, require_golden

READ, RESET = Access.READ_REGISTERS, Access.SOFT_RESET

CORE = """`default_nettype none
module accel_hls (
    input  wire         ap_clk,
    input  wire         ap_rst_n,
    input  wire  [63:0] s_axis_TDATA,
    input  wire         s_axis_TVALID,
    output logic        s_axis_TREADY,
    input  wire  [7:0]  s_axis_TKEEP,
    input  wire  [7:0]  s_axis_TSTRB,
    input  wire  [0:0]  s_axis_TLAST,
    output logic [63:0] m_axis_TDATA,
    output logic        m_axis_TVALID,
    input  wire         m_axis_TREADY,
    output logic [7:0]  m_axis_TKEEP,
    output logic [7:0]  m_axis_TSTRB,
    output logic [0:0]  m_axis_TLAST
);
  logic ready, valid, unused_error;
  logic [7:0] count, resets;
  wire logic [63:0] unkept = {64{!(&s_axis_TKEEP && &s_axis_TSTRB)}};
  assign s_axis_TREADY = ready || !ap_rst_n;
  assign m_axis_TVALID = valid || !ap_rst_n;
  assign m_axis_TKEEP = '0;  // accel.v has its own
  assign m_axis_TSTRB = '0;
  hls_inner inner (
      .clk(ap_clk), .rst(!ap_rst_n),
      .s_axis_data(s_axis_TDATA ^ unkept), .s_axis_last(s_axis_TLAST),
      .s_axis_valid(s_axis_TVALID && ap_rst_n), .s_axis_ready(ready),
      .m_axis_data(m_axis_TDATA), .m_axis_last(m_axis_TLAST), .m_axis_valid(valid), .m_axis_ready(m_axis_TREADY),
      .error(unused_error)
  );
endmodule
`default_nettype wire
"""


def exported(built: Built, folder: Path) -> list[Path]:
    """Files of the core, as Vitis HLS would leave them: Verilog and .dat files."""
    folder.mkdir()
    (folder / "accel_hls.v").write_text(CORE)
    for path in built.folder.iterdir():
        if path.name not in ("accel.v", "registers.sv"):
            text = path.read_text().replace("module accel_core (", "module hls_inner (").replace('.mem"', '.dat"')
            name = path.name.replace("accel_core", "hls_inner").replace(".mem", ".dat")
            (folder / name).write_text(text)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return of_graph(dense(), tmp_path_factory.mktemp("inner"))


@pytest.fixture(scope="module")
def small(inner: Built, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("wrapped")
    core = exported(inner, folder / "core")
    # two SystemVerilog files of the stand-in have to be read as such; a core of Vitis HLS is plain Verilog
    (folder / "core" / "accel_hls.v").rename(folder / "core" / "accel_hls.sv")
    core = sorted((folder / "core").iterdir())
    rtl.write_hls_wrapper(inner.design, folder / "rtl", BUILD_ID, core)
    return replace(inner, folder=folder / "rtl")


def test_batches_keep_their_tlast_and_are_counted(small: Built) -> None:
    words = small.words(7)
    batches = [1, 1, 3, 2]
    result = small.run(words, [*batches, READ])
    require_golden(small, words, result, batches)
    (registers,) = result.registers
    assert (registers.magic, registers.build_id) == (MAGIC, BUILD_ID)
    assert (registers.control, registers.errors) == (0, 0)
    assert (registers.images_in, registers.images_out) == (7, 7)
    assert registers.cycles == result.last_out[-1] - result.first_in[0] + 1


def test_gaps_and_stalls(small: Built) -> None:
    words = small.words(4)
    result = small.run(words, [3, Access.CLEAR_COUNTERS, 1, READ], gaps=0.5, stalls=0.5, seed=4)
    require_golden(small, words, result, [3, 1])
    (registers,) = result.registers
    assert (registers.images_in, registers.images_out, registers.errors) == (1, 1, 0)


@pytest.mark.parametrize("share", ["one word", "all but one word"])
def test_a_truncated_batch_is_noticed_and_a_reset_recovers(small: Built, share: str) -> None:
    words = small.words(4)
    missing = Truncated(1 if share == "one word" else words.shape[1] - 1)
    session: list[rtlsim.Order] = [1, READ, missing, READ, Access.CLEAR_COUNTERS, READ, RESET, READ, 2, READ]
    result = small.run(words, session)
    require_golden(small, words[[0, 2, 3]], result, [1, 2])
    before, noticed, cleared, reset, after = result.registers
    assert (before.errors, noticed.errors, cleared.errors) == (0, 1, 1)
    assert (reset.errors, reset.control, reset.cycles, reset.images_in, reset.images_out) == (0, 0, 0, 0, 0)
    assert (after.errors, after.images_in, after.images_out) == (0, 2, 2)


def test_a_reset_forgets_where_in_an_image_it_was(small: Built) -> None:
    """After the first reset, the second truncated batch's only word is no image's last; nor are those after it."""
    result = small.run(small.words(4), [Truncated(2), RESET, Truncated(1), READ, RESET, 2, READ])
    truncated, good = result.registers
    assert (truncated.images_in, truncated.images_out, truncated.errors) == (0, 0, 1)
    assert (good.images_in, good.images_out, good.errors) == (2, 2, 0)


def test_words_that_come_during_a_reset_wait(small: Built) -> None:
    """The core says ready and valid all the while, and neither is believed."""
    words = small.words(4)
    result = small.run(words, [1, Write(0x0C, 2), 3, READ])
    require_golden(small, words, result, [1, 3])
    (registers,) = result.registers
    assert (registers.images_in, registers.images_out, registers.errors) == (3, 3, 0)


def header(text: str) -> dict[str, tuple[str, str]]:
    """Ports of accel_core: direction and range."""
    ports = re.findall(r"^    (input|output) +(?:wire|logic|reg)(?: logic)? +(\[\d+:0\])? *(\w+),?", text, re.MULTILINE)
    return {name: (direction, range) for direction, range, name in ports}


def test_both_cores_look_the_same_from_outside(inner: Built, small: Built) -> None:
    assert (small.folder / "accel.v").read_bytes() == (inner.folder / "accel.v").read_bytes()
    ours = header((inner.folder / "accel_core.sv").read_text())
    theirs = header((small.folder / "accel_core.v").read_text())
    assert ours == theirs
    assert theirs["m_axis_data"] == ("output", "[63:0]")
    assert len(theirs) == 11


@pytest.mark.parametrize("axi_bits", [32, 64, 128])
def test_the_linter_has_nothing_to_say(axi_bits: int, inner: Built, tmp_path: Path) -> None:
    """As plain Verilog, around a module of the ports that Vitis HLS makes."""
    core = re.sub(r"  logic ready.*endmodule", "endmodule", CORE, flags=re.DOTALL).replace("logic", "wire")
    core = core.replace("[63:0]", f"[{axi_bits - 1}:0]").replace("[7:0]", f"[{axi_bits // 8 - 1}:0]")
    core = core.replace("endmodule", "  assign s_axis_TREADY = 0;\nendmodule")
    (tmp_path / "accel_hls.v").write_text(f"/* verilator lint_off UNUSED */\n/* verilator lint_off UNDRIVEN */\n{core}")
    design = replace(inner.design, axi_bits=axi_bits)
    rtl.write_hls_wrapper(design, tmp_path / "rtl", BUILD_ID, [tmp_path / "accel_hls.v"])
    tools = find_tools()
    run = subprocess.run(
        [
            *(str(tools.verilator), "--lint-only", "-Wall", "-Wno-DECLFILENAME", "--quiet", "+1364-2001ext+v"),
            *("--top-module", "accel", "accel_hls.v", "accel_core.v", "registers.sv", "accel.v"),
        ],
        cwd=tmp_path / "rtl",
        env={"VERILATOR_ROOT": str(tools.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr + run.stdout) == (0, "")


def test_the_folder_holds_the_wrapper_and_the_core(inner: Built, tmp_path: Path) -> None:
    core = exported(inner, tmp_path / "core")
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "old.v").write_text("")
    rtl.write_hls_wrapper(inner.design, tmp_path / "rtl", BUILD_ID, core)
    names = sorted(path.name for path in (tmp_path / "rtl").iterdir())
    assert names == sorted(["accel.v", "accel_core.v", "registers.sv", *(path.name for path in core)])
    text = (tmp_path / "rtl" / "accel_core.v").read_text()
    assert not re.search(r"[ \t]\n|\n\n\n|\t", text)
    assert max(map(len, text.splitlines())) <= 120
    with pytest.raises(ValueError, match=r"names that are taken: accel_hls\.v"):
        rtl.write_hls_wrapper(inner.design, tmp_path / "rtl", BUILD_ID, [*core, tmp_path / "rtl" / "accel_hls.v"])
    with pytest.raises(ValueError, match=r"names that are taken: accel\.v"):
        rtl.write_hls_wrapper(inner.design, tmp_path / "other", BUILD_ID, [tmp_path / "rtl" / "accel.v"])
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="no 16 hexadecimal digits"):
        rtl.write_hls_wrapper(inner.design, tmp_path / "other", "x", core)
