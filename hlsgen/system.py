"""The block design around the accelerator: cells, addresses, clock and DMA.

One statement of what the Vivado scripts build, the .hwh says and the driver looks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hlsgen.board import Board, Clock, Family

PS, DMA, ACCEL = "ps", "axi_dma_0", "accel_0"
"""Cells of the block design: processing system, DMA, accelerator."""

DESIGN = "accel"
"""Stem of accel.bit and accel.hwh, and name of the Vivado project."""

BLOCK_DESIGN = "system"
"""Name of the block design. It becomes a Verilog module, so it cannot be called like the accelerator's, ``accel``."""

VENDOR, LIBRARY, IP, IP_VERSION = "hlsgen", "ip", "accel", "1.0"
"""Parts of the accelerator's VLNV. pynq reads a version of two numbers only."""

LENGTH_BITS = 26
"""Width of the DMA's length register, its maximum: a transfer has at most 2^26 - 1 bytes (PG021)."""

SEGMENT_BYTES = 0x1_0000
"""Of address space for the registers of each cell."""


@dataclass(frozen=True)
class System:
    """A board with the accelerator's clock.

    Raises nothing: what can be wrong with a board or a clock has been found when they were made.
    """

    board: Board
    clock: Clock

    @property
    def zynq7(self) -> bool:
        """Whether the processing system is a Zynq-7000's, else a Zynq UltraScale+ MPSoC's."""
        return self.board.family is Family.ZYNQ_7000

    @property
    def ps_vlnv(self) -> str:
        """Vendor, library and name of the processing system's IP."""
        return "xilinx.com:ip:processing_system7" if self.zynq7 else "xilinx.com:ip:zynq_ultra_ps_e"

    @property
    def control_port(self) -> str:
        """The PS' master port that reaches registers."""
        return "M_AXI_GP0" if self.zynq7 else "M_AXI_HPM0_FPD"

    @property
    def memory_port(self) -> str:
        """The PS' slave port through which the DMA reaches DRAM."""
        return "S_AXI_HP0" if self.zynq7 else "S_AXI_HP0_FPD"

    @property
    def memory_bits(self) -> int:
        """Width of ``memory_port``: what the boot images leave it at, for pynq does not set it on a Zynq-7000."""
        return 64 if self.zynq7 else 128

    @property
    def address_bits(self) -> int:
        """Width of the DMA's memory addresses: above 4 GB on an MPSoC, where pynq may place buffers."""
        return 32 if self.zynq7 else 40

    @property
    def addresses(self) -> dict[str, int]:
        """First byte of each cell's registers, SEGMENT_BYTES long, as the PS sees them (UG585, UG1085)."""
        first = 0x4000_0000 if self.zynq7 else 0xA000_0000
        return {ACCEL: first, DMA: first + SEGMENT_BYTES}

    def as_dict(self) -> dict[str, Any]:
        """What the driver needs, for the manifest. Addresses in bytes, clocks in MHz."""
        return {
            "cells": {"ps": PS, "dma": DMA, "accelerator": ACCEL},
            "addresses": self.addresses,
            "length_bits": LENGTH_BITS,
            "crystal_mhz": self.board.crystal_mhz,
        }
