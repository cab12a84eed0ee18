from __future__ import annotations

import re
import subprocess

import pytest

from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.fifo import Fifo
from tests.kernels.rtl import BENCH, build

BLOCK = (Fifo(8, 1025), Fifo(8, 2048), Fifo(8, 4500), Fifo(24, 520), Fifo(1, 20000), Fifo(36, 513))
DISTRIBUTED = (Fifo(8, 3), Fifo(8, 4), Fifo(20, 31), Fifo(7, 64), Fifo(64, 33), Fifo(5, 200))


def bench(fifos: list[tuple[int, int, str, int]]) -> str:
    """SystemVerilog of a bench of FIFOs given by width, depth, RAM style and latency."""
    lines = ["module bench (input logic clk, rst, gaps, stalls, input logic [31:0] phase, output logic done);"]
    for number, (width, depth, style, latency) in enumerate(fifos):
        lines.append(f"  logic done_{number};")
        lines.append(
            f'  fifo_check #(.WIDTH({width}), .DEPTH({depth}), .RAM_STYLE("{style}"), .LATENCY({latency}), '
            f".CYCLES({max(1000, 9 * depth)})) check_{number} (.clk, .rst, .gaps, .stalls, .done(done_{number}));"
        )
    lines.append(f"  assign done = {' && '.join(f'done_{number}' for number in range(len(fifos)))};")
    return "\n".join([*lines, "endmodule", "", (BENCH / "fifo_check.sv").read_text()])


def test_rtl_holds_its_depth_and_keeps_its_latency() -> None:
    fifos = [(f.width, f.depth, f.style.value, f.latency) for f in (*BLOCK, *DISTRIBUTED)]
    fifos += [(8, 2, "distributed", 1), (13, 3, "block", 2), (8, 4, "block", 2), (600, 6, "distributed", 1)]
    run = subprocess.run([build(bench(fifos)), "1000000"], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)


@pytest.mark.parametrize("fifo", [Fifo(8, 0), Fifo(500, 2)])
def test_two_beats_need_no_fifo(fifo: Fifo) -> None:
    assert fifo.wires
    assert fifo.rtl_parameters()["DEPTH"] == 0
    assert fifo.latency == 0


@pytest.mark.parametrize("fifo", BLOCK)
def test_deep_fifos_are_block_ram(fifo: Fifo) -> None:
    assert (fifo.style, fifo.latency) == (RamStyle.BLOCK, 2)


@pytest.mark.parametrize("fifo", DISTRIBUTED)
def test_small_fifos_are_distributed(fifo: Fifo) -> None:
    assert (fifo.style, fifo.latency) == (RamStyle.DISTRIBUTED, 1)


@pytest.mark.parametrize(
    ("width", "depth", "ramb18"),
    [(8, 2048, 1), (9, 2048, 1), (8, 2100, 2), (8, 4500, 3), (18, 1024, 1), (36, 512, 1), (72, 512, 2), (22, 2048, 3)],
)
def test_block_rams(width: int, depth: int, ramb18: int) -> None:
    """As Yosys counts them, a RAMB36 for two."""
    assert Fifo(width, depth).block_ramb18 == ramb18


@pytest.mark.parametrize(("width", "depth", "luts"), [(8, 3, 8), (24, 32, 16), (8, 64, 12)])
def test_luts_of_memories(width: int, depth: int, luts: int) -> None:
    assert Fifo(width, depth).lutram_luts == luts


def test_illegal_parameters_are_named() -> None:
    with pytest.raises(ValueError, match=re.escape("a FIFO of -1 beats of 8 bits is none")):
        Fifo(8, -1)
