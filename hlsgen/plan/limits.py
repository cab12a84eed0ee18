"""How much of a board an accelerator may take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from hlsgen.board import Board
from hlsgen.plan.resources import Use

LOGIC_SHARE = 0.80
"""Of the LUTs and flip-flops of a device: with more, placing and routing takes long and the clock suffers."""

BLOCK_SHARE = 0.95
"""Of the DSP and memory blocks, and of the LUTs that can be memory."""

MEMORY_LUTS = 0.32
"""LUTs that can be memory: 17,400 of an xc7z020's 53,200 (DS190); more on UltraScale+ (DS891)."""

REGISTERS = Use(lut=177, ff=243)
"""The accelerator's AXI4-Lite registers (``ip_repo/registers.sv``), by Yosys."""

SHELL = Use(lut=8000, lutram=800, ff=10000, ramb36=4)
"""What stands beside the accelerator: AXI DMA, interconnect, reset, the accelerator's registers."""


@dataclass(frozen=True)
class Amounts:
    """Amounts of every resource, in primitives; ``bram18`` counts RAMB18, a RAMB36 being two."""

    lut: int = 0
    lutram: int = 0
    ff: int = 0
    dsp: int = 0
    bram18: int = 0
    uram: int = 0

    @staticmethod
    def of(use: Use) -> Amounts:
        """What ``use`` takes."""
        return Amounts(use.lut, use.lutram, use.ff, use.dsp, use.ramb18 + 2 * use.ramb36, use.uram)

    def __iter__(self) -> Iterator[int]:
        return iter((self.lut, self.lutram, self.ff, self.dsp, self.bram18, self.uram))

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.lut + other.lut,
            self.lutram + other.lutram,
            self.ff + other.ff,
            self.dsp + other.dsp,
            self.bram18 + other.bram18,
            self.uram + other.uram,
        )

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(*(a - b for a, b in zip(self, other, strict=True)))

    def fits(self, limits: Amounts) -> bool:
        """Whether no resource exceeds ``limits``."""
        return all(a <= b for a, b in zip(self, limits, strict=True))


RESOURCES = tuple(field.name for field in fields(Amounts))

TITLES = {
    "lut": "LUTs",
    "lutram": "LUTs as memory",
    "ff": "flip-flops",
    "dsp": "DSPs",
    "bram18": "RAMB18",
    "uram": "URAMs",
}


def limits(board: Board, max_utilization: float | None = None, reserve: Use = SHELL) -> Amounts:
    """What is left for the accelerator: shares of the device, less ``reserve``.

    Accelerator and shell together stay within 80 % of the LUTs and flip-flops and 95 % of the DSP and memory blocks
    or, if ``max_utilization`` (0 to 1) is given, within this fraction of everything. So by default an xc7z020 has
    0.8 * 53,200 - 8,000 = 34,560 LUTs for the accelerator.
    """
    logic = LOGIC_SHARE if max_utilization is None else max_utilization
    blocks = BLOCK_SHARE if max_utilization is None else max_utilization
    device, shell = board.resources, Amounts.of(reserve)
    shares = Amounts(
        int(logic * device.lut),
        int(blocks * MEMORY_LUTS * device.lut),
        int(logic * device.ff),
        int(blocks * device.dsp),
        int(blocks * 2 * device.bram36),
        int(blocks * device.uram),
    )
    return Amounts(*(max(0, left) for left in shares - shell))
