"""What add3.sv and multiplexer.sv name for synthesis does what they write for simulation: proved by Yosys."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hlsgen.plan.primitives import multiplexer_tree
from hlsgen.resources import resource

PROOF = """
import sys
import pyosys.libyosys as ys

design = ys.Design()
for line in sys.argv[1].splitlines():
    ys.run_pass(line, design)
"""


def prove(name: str, parameters: dict[str, int], primitive: str, count: int) -> None:
    """Both forms of a module are equal wherever the one for simulation is defined; the other has so many primitives."""
    pytest.importorskip("pyosys")
    values = " ".join(f"-G {parameter}={value}" for parameter, value in parameters.items())
    elaborate = f"{resource('ip_repo', f'{name}.sv')} --top hlsgen_{name} {values}"
    script = f"""read_slang {elaborate}
        rename hlsgen_{name} primitives
        select -assert-count {count} primitives/t:{primitive}
        select -clear
        read_verilog +/xilinx/cells_sim.v
        hierarchy -top primitives
        flatten primitives
        read_slang --no-synthesis-define {elaborate}
        rename hlsgen_{name} behaviour
        delete =LUT* =CARRY*
        proc
        opt_clean
        miter -equiv -ignore_gold_x -flatten behaviour primitives both
        sat -verify -enable_undef -set-def-inputs -prove trigger 0 both"""
    run = subprocess.run([sys.executable, "-c", PROOF, script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr
    assert "SAT proof finished - no model found: SUCCESS!" in run.stdout


@pytest.mark.parametrize(("bits", "sum_bits", "inverted"), [(1, 3, 0), (4, 4, 1), (5, 6, 0), (7, 9, 1), (8, 10, 0)])
def test_primitives_equal_the_sum(bits: int, sum_bits: int, inverted: int) -> None:
    prove("add3", {"BITS": bits, "SUM_BITS": sum_bits, "INVERTED": inverted}, "LUT6_2", bits)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 13, 14, 16, 17, 64, 69])
def test_primitives_choose_the_word(count: int) -> None:
    prove("multiplexer", {"WIDTH": 2, "COUNT": count}, "LUT6", 2 * multiplexer_tree(count))
