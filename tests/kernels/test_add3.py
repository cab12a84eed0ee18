"""The primitives that add3.sv names for synthesis are the sum that it writes for simulation: proved by Yosys."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hlsgen.resources import resource

PROOF = """
import sys
import pyosys.libyosys as ys

design = ys.Design()
for line in sys.argv[1].splitlines():
    ys.run_pass(line, design)
"""


@pytest.mark.parametrize(("bits", "sum_bits", "inverted"), [(1, 3, 0), (4, 4, 1), (5, 6, 0), (7, 9, 1), (8, 10, 0)])
def test_primitives_equal_the_sum(bits: int, sum_bits: int, inverted: int) -> None:
    pytest.importorskip("pyosys")
    module = resource("ip_repo", "add3.sv")
    elaborate = f"{module} --top hlsgen_add3 -G BITS={bits} -G SUM_BITS={sum_bits} -G INVERTED={inverted}"
    script = f"""read_slang {elaborate}
        rename hlsgen_add3 primitives
        select -assert-count {bits} primitives/t:LUT6_2
        select -clear
        read_verilog +/xilinx/cells_sim.v
        hierarchy -top primitives
        flatten primitives
        read_slang --no-synthesis-define {elaborate}
        rename hlsgen_add3 behaviour
        delete =LUT* =CARRY*
        proc
        opt_clean
        miter -equiv -flatten behaviour primitives both
        sat -verify -prove trigger 0 both"""
    run = subprocess.run([sys.executable, "-c", PROOF, script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr
    assert "SAT proof finished - no model found: SUCCESS!" in run.stdout
