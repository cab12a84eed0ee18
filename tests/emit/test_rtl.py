"""The rtl folder: complete, readable, the same every time, clean for the linter, and free of text from the model."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hlsgen.emit import rtl
from hlsgen.emit.rtl import memory_text, submodules, write
from hlsgen.graph.graph import Graph
from hlsgen.kernels.base import MemoryImage, pack_list
from hlsgen.lower import lower
from hlsgen.lower.design import Design
from hlsgen.plan import size_fifos, smallest
from hlsgen.sim.verilator import find_tools
from tests.emit.test_hls import contents, design_of, hostile_graph
from tests.lower.graphs import GRAPHS, graph_of, units_of
from tests.lower.test_mapping import random_plan

BUILD_ID = "0123456789abcdef"


def residual_design() -> Design:
    design = lower(graph_of("residual"), units_of("residual"), smallest(graph_of("residual")), 64)
    size_fifos(design)
    return design


def lint(folder: Path, *options: str) -> str:
    """What Verilator has to say about the folder, with everything it can warn about."""
    tools = find_tools()
    sources = [path.name for path in sorted(folder.glob("*.sv"))]
    command = [str(tools.verilator), "--lint-only", "-Wall", "-Wno-DECLFILENAME", "--top-module", "accel", "--quiet"]
    run = subprocess.run(
        [*command, *options, *sources, "accel.v"],
        cwd=folder,
        env={"VERILATOR_ROOT": str(tools.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stderr + run.stdout


def test_the_folder_holds_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    design = residual_design()
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "old.sv").write_text("module old; endmodule")
    write(design, tmp_path / "rtl", BUILD_ID)
    names = contents(tmp_path / "rtl").keys()
    assert sorted(rtl.files(design)) == sorted(names)
    assert {"accel.v", "accel_core.sv", "registers.sv", "fifo.sv", "matvec.sv", "queue.sv"} <= names
    assert "depthwise.sv" not in names, "only kernels that are used"
    assert "conv1_matvec_weights.mem" in names
    sources = [name for name in rtl.files(design) if not name.endswith(".mem")]
    assert sources[-2:] == ["accel_core.sv", "accel.v"]


def test_equal_designs_give_equal_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write(residual_design(), tmp_path / folder, BUILD_ID)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_layer_reads_like_its_layer(tmp_path: Path) -> None:
    write(residual_design(), tmp_path, BUILD_ID)
    text = (tmp_path / "accel_core.sv").read_text()
    assert "\n  // conv1\n  // model: net/conv1\n  // 6x6x3 int8 -> 6x6x8 int8\n  // window: taps 1," in text
    assert "\n  logic [7:0] conv1_window_out_data, conv1_window_out_fifo_data;\n" in text
    assert "\n  ) conv1_window (\n      .clk, .rst,\n      .in_data(input_unpack_out0_fifo_data), " in text
    assert '.WEIGHTS_FILE("conv1_matvec_weights.mem")' in text
    assert ".in_data({conv9_requant_out_fifo_data, conv1_fork_out1_fifo_data})" in text
    assert max(map(len, text.splitlines())) <= 120
    for name, content in contents(tmp_path).items():
        if name in ("accel.v", "accel_core.sv"):
            assert content.endswith(b"\n")
            assert not re.search(rb"[ \t]\n|\n\n\n|\t", content), name


def test_streams_have_fifos_of_the_planned_depths(tmp_path: Path) -> None:
    design = residual_design()
    design.streams["conv1_fork_out1"].depth = 77
    design.streams["conv1_fork_out0"].rtl_depth = 78
    write(design, tmp_path, BUILD_ID)
    by_stream = {
        name: depth
        for depth, name in re.findall(
            r"hlsgen_fifo #\([^\n]*?\.DEPTH\((\d+)\)[^\n]*?\) (\w+)_fifo \(", (tmp_path / "accel_core.sv").read_text()
        )
    }
    assert by_stream.keys() == design.streams.keys() - {"s_axis", "m_axis"}
    assert (by_stream["conv1_fork_out1"], by_stream["conv1_fork_out0"]) == ("77", "78")
    assert by_stream["conv1_window_out"] == "0", "two beats are in the kernel's own queue"


@pytest.mark.parametrize(
    ("name", "seed", "axi_bits"),
    [
        *((name, None, 64) for name in sorted(GRAPHS)),
        *((name, 7, bits) for name, bits in zip(sorted(GRAPHS), (32, 128, 64) * len(GRAPHS), strict=False)),
    ],
)
def test_the_linter_has_nothing_to_say(name: str, seed: int | None, axi_bits: int, tmp_path: Path) -> None:
    graph, units = graph_of(name), units_of(name)
    design = lower(graph, units, smallest(graph, units) if seed is None else random_plan(name, seed), axi_bits)
    size_fifos(design)
    write(design, tmp_path, BUILD_ID)
    assert lint(tmp_path) == ""


def test_the_top_is_verilog(tmp_path: Path) -> None:
    """Vivado takes no SystemVerilog as the top of an IP."""
    write(residual_design(), tmp_path, BUILD_ID)
    assert lint(tmp_path, "+1364-2001ext+v") == ""
    text = (tmp_path / "accel.v").read_text()
    assert "SystemVerilog" not in text
    assert not re.search(r"\b(logic|always_ff|int|bit)\b", text)
    for interface in (
        "xilinx.com:signal:clock:1.0 ap_clk CLK",
        "ASSOCIATED_BUSIF s_axis:m_axis:s_axi_control, ASSOCIATED_RESET ap_rst_n",
        "POLARITY ACTIVE_LOW",
        "xilinx.com:interface:axis:1.0 m_axis TKEEP",
        "xilinx.com:interface:aximm:1.0 s_axi_control WSTRB",
    ):
        assert f'"{interface}"' in text


def test_text_of_the_model_stays_harmless(tmp_path: Path) -> None:
    graph: Graph = hostile_graph()
    write(design_of(graph), tmp_path, BUILD_ID)
    for name in ("accel.v", "accel_core.sv"):
        text = (tmp_path / name).read_text()
        assert text.isascii()
        for evil in ("system(", "evil;", "</etc", "{{", "*/", "??/", "\\\n"):
            assert evil not in text, name
    assert lint(tmp_path) == ""


def test_the_build_id_is_a_register(tmp_path: Path) -> None:
    write(residual_design(), tmp_path, "fedcba9876543210ffff")
    assert ".BUILD_ID(64'hfedcba9876543210)" in (tmp_path / "accel.v").read_text()
    for wrong in ("", "0123456789abcde", "0123456789abcdeF", "0123456789abcdeg", "0123456789abcdef\n"):
        with pytest.raises(ValueError, match="has no 16 hexadecimal digits"):
            write(residual_design(), tmp_path, wrong)


def test_memories_are_hexadecimal() -> None:
    assert memory_text(MemoryImage("weights", 9, [0, 511, 17])) == "000\n1ff\n011\n"
    for word in (512, -1):
        with pytest.raises(ValueError, match=f"memory weights: word 1 is {word}, not one of 9 bits"):
            memory_text(MemoryImage("weights", 9, [0, word]))


def test_parameters_of_all_kinds() -> None:
    module = """
        parameter int N = 2, parameter int A = 0, parameter longint LONG = 1, parameter longint unsigned SHORT = 0,
        parameter bit [N-1:0][31:0] LIST = {N{32'd1}}
    """
    values: dict[str, int | str | tuple[int, ...]] = {
        "N": 3,
        "A": -5,
        "B": (3, -1),
        "C": "block",
        "D": 1 << 31,
        "E": -(1 << 31),
        "LONG": 1 - (1 << 63),
        "G": -(1 << 63),
        "H": (1 << 64) - 1,
        "SHORT": 7,
        "LIST": pack_list([7, (1 << 32) - 1, 0]),
        "WIDE": (3 << 64) + 1,
    }
    assert rtl._parameters(values, module) == [
        ".N(3)",
        ".A(-5)",
        ".B('{32'sd3, -32'sd1})",
        '.C("block")',
        ".D(64'sd2147483648)",
        ".E(-2147483648)",
        ".LONG(-64'sd9223372036854775807)",
        ".G(64'h8000000000000000)",
        ".H(64'hffffffffffffffff)",
        ".SHORT(64'sd7)",
        ".LIST({32'd0, 32'd4294967295, 32'd7})",
        ".WIDE(66'h30000000000000001)",
    ]
    with pytest.raises(ValueError, match="has more than 64 bits"):
        rtl._parameters({"A": -(1 << 63) - 1})
    with pytest.raises(ValueError, match="has more than 32 bits"):
        rtl._parameters({"A": (1 << 32,)})
    with pytest.raises(ValueError, match="is no SystemVerilog identifier"):
        rtl._parameters({"A) evil (": 1})
    with pytest.raises(ValueError, match="is no name for a SystemVerilog string"):
        rtl._parameters({"A": 'x"'})


def test_submodules_are_found() -> None:
    text = """
    // hlsgen_comment #(is none)
    module hlsgen_outer #(parameter int A = 1) (input wire logic clk);
      if (A) begin : x hlsgen_inner #(.A(A)) inner (.clk); end
      hlsgen_plain plain (.clk);
      hlsgen_wide #(
        .A(1)) wide (.clk);
    """
    assert submodules(text) == {"outer", "inner", "plain", "wide"}
