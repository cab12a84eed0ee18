"""Yosys on circuits whose size and longest path are known, the cache, and what the user reads when it fails."""

from __future__ import annotations

import importlib.util
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hlsgen.board import Family
from hlsgen.emit.rtl import write
from hlsgen.errors import ToolError
from hlsgen.graph.types import INT8
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.table import Table
from hlsgen.kernels.unpack import Unpack
from hlsgen.lower.design import Design, Instance, Stream
from hlsgen.plan.primitives import Use
from hlsgen.synth import yosys
from hlsgen.synth.delays import DELAYS, arcs
from hlsgen.synth.netlist import Bit, Cell, use
from hlsgen.synth.wrapper import literal, needed
from hlsgen.synth.yosys import Job, run, synthesise_design, synthesise_kernel

pytest.importorskip("pyosys")

KNOWN = """
module known (
    input  logic        clk,
    input  logic        select,
    input  logic [7:0]  a, b,
    output logic [7:0]  sum,
    input  logic [17:0] x, y,
    output logic [35:0] product,
    input  logic [8:0]  write_address, read_address,
    input  logic [35:0] write_data,
    output logic [35:0] block_data,
    output logic [5:0]  lut_data,
    input  logic        serial,
    output logic        delayed
);
  // 24 flip-flops, 8 LUTs and the carry chain of an adder
  logic [7:0] left, right;
  always_ff @(posedge clk) begin
    left <= a;
    right <= b;
    sum <= left + right;
  end

  // one DSP block with its own registers
  logic signed [17:0] x1, y1;
  logic signed [35:0] p1;
  always_ff @(posedge clk) begin
    x1 <= x;
    y1 <= y;
    p1 <= x1 * y1;
    product <= p1;
  end

  // one RAMB18, 512 x 36
  (* ram_style = "block" *) logic [35:0] block [512];
  always_ff @(posedge clk) begin
    if (select) block[write_address] <= write_data;
    block_data <= block[read_address];
  end

  // one RAM32M, 32 x 6: 4 LUTs
  (* ram_style = "distributed" *) logic [5:0] lutram [32];
  always_ff @(posedge clk) if (select) lutram[write_address[4:0]] <= write_data[5:0];
  assign lut_data = lutram[read_address[4:0]];

  // one SRL16E: 1 LUT
  logic [15:0] taps;
  always_ff @(posedge clk) taps <= {taps[14:0], serial};
  assign delayed = taps[15];
endmodule
"""

LOOP = """
module loop (input logic a, b, output logic q);
  logic p;
  assign p = a ? q ^ b : b;
  assign q = b ? p ^ a : a;
endmodule
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> yosys.Synthesis:
    return run(Job("known", {"known.sv": KNOWN}, Family.ZYNQ_7000), tmp_path_factory.mktemp("logs") / "known.log")


def test_counts_of_known_circuits(known: yosys.Synthesis) -> None:
    assert known.use == Use(lut=8 + 4 + 1, lutram=5, ff=24, dsp=1, ramb18=1)
    assert known.cells["CARRY4"] == 2
    assert known.cells["DSP48E1"] == known.cells["RAMB18E1"] == known.cells["SRL16E"] == known.cells["RAM32M"] == 1


def test_counts_on_ultrascale(tmp_path: Path) -> None:
    result = run(Job("known", {"known.sv": KNOWN}, Family.ZYNQ_ULTRASCALE), tmp_path / "known.log")
    assert (result.use.dsp, result.use.ramb18, result.use.lutram) == (1, 1, 8 + 1)  # a RAM32M16 is eight LUTs
    assert result.cells["DSP48E2"] == result.cells["RAMB18E2"] == 1


def test_longest_path_of_the_adder(known: yosys.Synthesis) -> None:
    (path,) = [path for path in known.paths if path.start.startswith(("left", "right")) and path.end.startswith("sum")]
    d = DELAYS[Family.ZYNQ_7000]
    # Register, a net with two readers (LUT and DI), LUT, a net with two readers (S[0] and the sum's lowest bit), two
    # carry blocks, register. The nets between carry blocks and from there to the register stay inside a slice.
    nets = 2 * (d.net + d.fanout * math.log2(2))
    carries = d.carry_enter + 3 * d.carry_step + d.carry_sum
    assert path.ns == pytest.approx(d.ff_out + nets + d.lut + carries + d.ff_setup["D"], abs=0.011)
    assert path.through == ("LUT2", "CARRY4", "CARRY4")


def test_a_result_is_not_computed_twice(
    known: yosys.Synthesis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("synthesised again"))
    assert run(Job("known", {"known.sv": KNOWN}, Family.ZYNQ_7000), tmp_path / "known.log") == known


def test_the_key_depends_on_everything() -> None:
    job = Job("known", {"known.sv": KNOWN, "rom.mem": "0\n"}, Family.ZYNQ_7000)
    others = [
        Job("known", {"known.sv": KNOWN, "rom.mem": "1\n"}, Family.ZYNQ_7000),
        Job("known", {"known.sv": KNOWN + " ", "rom.mem": "0\n"}, Family.ZYNQ_7000),
        Job("known", {"known.sv": KNOWN, "rom.mem": "0\n"}, Family.ZYNQ_ULTRASCALE),
        Job("other", {"known.sv": KNOWN, "rom.mem": "0\n"}, Family.ZYNQ_7000),
    ]
    assert len({job.key, *(other.key for other in others)}) == 5


def test_errors_give_the_tool_s_own_words(tmp_path: Path) -> None:
    wrong = "module wrong (input logic a, output logic q);\n  assign q = nothing;\nendmodule\n"
    with pytest.raises(ToolError, match=r"Yosys failed on wrong: wrong.sv:2: ERROR: .*'nothing'.*the log is .*\.log"):
        run(Job("wrong", {"wrong.sv": wrong}, Family.ZYNQ_7000), tmp_path / "wrong.log")
    assert (tmp_path / "wrong.log").exists()


def test_a_combinational_loop_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="combinational loop"):
        run(Job("loop", {"loop.sv": LOOP}, Family.ZYNQ_7000), tmp_path / "loop.log")


def tiny_design() -> Design:
    """Words are unpacked, pass two equal tables, and are packed again."""
    values = np.random.default_rng(1).integers(-128, 128, (1, 256))
    lookup = Table((1, 1, 16), 2, INT8, INT8, values, -128)
    kernels = {
        "in_unpack": (Unpack(32, 16, 2, INT8), ("s_axis",), ("pixels", "last")),
        "first_table": (lookup, ("pixels",), ("middle",)),
        "second_table": (lookup, ("middle",), ("results",)),
        "out_pack": (Pack(32, ((16, 2, INT8),)), ("results", "last"), ("m_axis",)),
    }
    design = Design("tiny", 32)
    for name, (kernel, inputs, outputs) in kernels.items():
        design.instances.append(Instance(name, kernel, inputs, outputs, name))
        specs = [*zip(inputs, kernel.inputs, strict=True), *zip(outputs, kernel.outputs, strict=True)]
        design.streams.update({stream: Stream(stream, spec, name) for stream, spec in specs})
    design.check()
    return design


def test_a_whole_design(tmp_path: Path) -> None:
    design = tiny_design()
    write(design, tmp_path / "rtl", "0123456789abcdef")
    done: list[str] = []
    report = synthesise_design(design, tmp_path / "rtl", Family.ZYNQ_7000, processes=1, progress=done.append)
    assert list(report.kernels) == ["in_unpack", "first_table", "second_table", "out_pack"]
    assert sorted(done) == ["accel", "first_table", "in_unpack", "out_pack"]  # the two tables are one synthesis
    parts = sum((part.use for part in report.kernels.values()), Use())
    assert parts.lut < report.accelerator.use.lut < parts.lut + 250  # AXI4-Lite registers come on top
    assert report.accelerator.path is not None
    assert 2 < report.accelerator.path.ns < 10
    assert len(report.lines()) == 2
    assert report.as_dict()["resources"]["lut"] == report.accelerator.use.lut
    assert report.as_dict()["kernels"]["first_table"]["longest_path"]["ns"] > 0
    assert synthesise_kernel(design.instances[0], tmp_path, Family.ZYNQ_7000) == report.kernels["in_unpack"]


def test_without_pyosys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ToolError, match="pip install pyosys"):
        yosys.version()


def test_unmapped_cells_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\$mul"):
        use({"LUT2": 1, "$mul": 1})


def test_only_needed_files_are_read() -> None:
    files = {
        "a.sv": "module hlsgen_a;\n  hlsgen_b one ();  // hlsgen_c\nendmodule",
        "b.sv": "module hlsgen_b;\nendmodule",
        "c.sv": "module hlsgen_c;\nendmodule",
    }
    assert sorted(needed("module top;\n  hlsgen_a one ();\nendmodule", files)) == ["a.sv", "b.sv"]


def test_parameters_in_systemverilog() -> None:
    assert literal((1, -2)) == "'{1, -2}"
    assert literal("rom.mem") == '"rom.mem"'
    assert literal(1 << 40) == "43'sd1099511627776"


def test_a_dual_lut_has_paths_only_from_inputs_that_matter() -> None:
    """As in hlsgen_add3: O5 is the majority of I0, I1, I2; O6 is I0 ^ I1 ^ I2 ^ I3."""
    pins: dict[str, list[Bit]] = {f"I{i}": [10 + i] for i in range(4)}
    pins |= {"I4": ["0"], "I5": ["1"], "O5": [20], "O6": [21]}
    init = format(0x69966996_E8E8E8E8, "064b")
    cell = Cell("lut", "LUT6_2", pins, frozenset({"O5", "O6"}), {"INIT": init})
    found = {(pin, output) for pin, _, output, _, _ in arcs(cell, DELAYS[Family.ZYNQ_7000])}
    assert found == {(f"I{i}", "O5") for i in range(3)} | {(f"I{i}", "O6") for i in range(4)}
