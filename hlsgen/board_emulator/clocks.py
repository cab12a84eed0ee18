"""The processing system's clock registers, as a boot leaves them: Zynq-7000 (UG585, SLCR), MPSoC (UG1087, CRL and CRF).

The accelerator's clock runs at half of the slowest that anybody would ask for until it is set, so a driver that does
not set it is seen.
"""

from __future__ import annotations

SLCR, CRL_APB, CRF_APB = 0xF800_0000, 0xFF5E_0000, 0xFD1A_0000
BLOCK_BYTES = 0x1000

CPU_MHZ = 1300.0
"""Of the PLL behind the CPU's clock."""

BOOT_DIVIDERS = (10, 4)


class Clocks:
    """Registers of one family; ``read`` and ``write`` take physical addresses."""

    def __init__(self, zynq7: bool, pll_mhz: float, crystal_mhz: float) -> None:
        """``pll_mhz``: of the IOPLL, made of ``crystal_mhz``."""
        self._pll_mhz = pll_mhz
        first, second = BOOT_DIVIDERS
        if zynq7:
            self._blocks: tuple[int, ...] = (SLCR,)
            self._clock = SLCR + 0x170
            self._first, self._second = 8, 20
            feedback = {0x100: CPU_MHZ, 0x104: 1050.0, 0x108: pll_mhz}  # ARM, DDR and IO PLL: FDIV from bit 12
            self._values = {SLCR + at: round(mhz / crystal_mhz) << 12 for at, mhz in feedback.items()}
            self._values[SLCR + 0x120] = 2 << 8  # ARM_CLK_CTRL: DIVISOR
            clocks = [SLCR + 0x170 + 0x10 * index for index in range(4)]
            enabled = 0
        else:
            self._blocks = (CRL_APB, CRF_APB)
            self._clock = CRL_APB + 0xC0
            self._first, self._second = 8, 16
            feedback = {CRL_APB + 0x20: pll_mhz, CRL_APB + 0x30: CPU_MHZ}  # IOPLL, RPLL: FBDIV from bit 8, DIV2 bit 16
            feedback |= {CRF_APB + 0x20: CPU_MHZ, CRF_APB + 0x2C: 1050.0, CRF_APB + 0x38: CPU_MHZ}  # APLL, DPLL, VPLL
            self._values = {at: 1 << 16 | round(2 * mhz / crystal_mhz) << 8 for at, mhz in feedback.items()}
            self._values[CRF_APB + 0x60] = 1 << 8  # ACPU_CTRL: DIVISOR0
            clocks = [CRL_APB + 0xC0 + 4 * index for index in range(4)]
            enabled = 1 << 24
        for address in clocks:
            self._values[address] = enabled | first << self._first | second << self._second

    def holds(self, address: int) -> bool:
        """Whether the physical ``address`` is one of these registers."""
        return any(block <= address < block + BLOCK_BYTES for block in self._blocks)

    def read(self, address: int) -> int:
        """A register; 0 where none of interest is."""
        return self._values.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Set a register."""
        self._values[address] = value

    @property
    def mhz(self) -> float:
        """The accelerator's clock, as it really is: pynq knows 50 MHz crystals only (Zynq-7000)."""
        value = self._values[self._clock]
        return self._pll_mhz / ((value >> self._first & 63 or 1) * (value >> self._second & 63 or 1))
