"""ROMs made of LUT primitives are the circuits that they were."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hlsgen.plan.features.contents import Columns
from hlsgen.plan.lookup import padded

pytest.importorskip("pyosys")

PROVE = """
import sys
from pyosys import libyosys as yosys
from hlsgen.synth.roms import map_roms

design = yosys.Design()
def run(*commands):
    for command in commands:
        yosys.run_pass(command, design)

run("read_slang --top top top.sv", "synth_xilinx -flatten -run begin:map_ffram", "copy top gold")
run("setattr -mod -unset top gold")
map_roms(yosys, design)
run("select -assert-none top/t:$mem_v2", "select -assert-any gold/t:$mem_v2", "stat top")
run("memory_map gold", "techmap -map +/xilinx/cells_sim.v top", "opt_clean top gold")
run("miter -equiv -ignore_gold_x -flatten gold top both")
run(sys.argv[1] + " both")
"""
"""Proves that both forms give the same, except for words that the ROM lacks."""


def prove(folder: Path, source: str, words: list[int], width: int, command: str) -> dict[str, int]:
    """Primitives after the mapping, by type."""
    (folder / "rom.mem").write_text("\n".join(f"{word:0{-(-width // 4)}x}" for word in words) + "\n")
    (folder / "top.sv").write_text(source)
    line = [sys.executable, "-c", PROVE, command]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "no model found: SUCCESS!" in done.stdout
    table = done.stdout[done.stdout.index("=== top ===") :]
    return {kind: int(count) for count, kind in re.findall(r"^ +(\d+) +(LUT\d|MUXF\d|\$not|\$mux)$", table, re.M)}


@pytest.mark.parametrize("words", [2, 5, 8, 37, 64, 70, 100, 150, 256, 300])
def test_a_rom_is_the_same_function(words: int, tmp_path: Path) -> None:
    random = np.random.default_rng(words).integers(0, 1 << 12, words).tolist()
    values = [value & ~0b111 | (index & 3) << 1 | (~index & 1) for index, value in enumerate(random)]
    address = max(1, (words - 1).bit_length())
    source = f"""
    module top (input logic [{address - 1}:0] address, output logic [11:0] data);
      logic [11:0] words [{words}];
      initial $readmemh("rom.mem", words);
      assign data = words[address];
    endmodule
    """
    found = prove(tmp_path, source, values, 12, "sat -verify -prove trigger 0")
    luts = sum(count for kind, count in found.items() if kind.startswith("LUT")) + found.get("$not", 0)
    assert luts + found.get("$mux", 0) == Columns.of_words(values, 12).rom_luts


def test_registered_ports_with_constant_bits_of_the_address(tmp_path: Path) -> None:
    source = """
    module top (input logic clk, rst, enable, input logic [4:0] address, output logic [7:0] held, low, high);
      logic [7:0] words [48];
      initial $readmemh("rom.mem", words);
      logic [5:0] row;
      always_ff @(posedge clk) begin
        low <= words[{1'b0, address}];
        high <= words[{2'b10, address[3:0]}];
        if (rst) row <= 6'd3;
        else if (enable) row <= {1'b0, address};
      end
      assign held = words[row];
    endmodule
    """
    values = np.random.default_rng(1).integers(0, 256, 48).tolist()
    found = prove(tmp_path, source, values, 8, "sat -verify -prove trigger 0 -seq 4 -prove-skip 1 -set-at 1 in_rst 1")
    assert found["LUT5"] >= 8
    assert found["LUT4"] >= 8


def test_words_that_are_missing_add_no_dependence() -> None:
    table = padded(np.arange(5, dtype=np.uint8)[:, None])
    assert table[:, 0].tolist() == [0, 1, 2, 3, 4, 1, 2, 3]
    assert padded(table).tolist() == table.tolist()
