"""The FIFO of a stream. Not a kernel: in C++ it is the ``hls::stream`` itself, in NumPy nothing at all."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.kernels.base import RamStyle, require

LUTS_PER_RAMB18 = 100
"""LUTs for which it pays to take a RAMB18. The devices have 160 to 200 per RAMB18, but LUTs are what runs out."""

RAMB18_SHAPES = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))
"""Width and words of a RAMB18 with one write and one read port (UG473)."""


@dataclass(frozen=True)
class Fifo:
    """A stream of ``width`` bits that is planned to hold ``depth`` beats.

    A depth of 2 or less is no FIFO but plain wires: the queue at the end of every kernel holds two beats.
    """

    width: int
    depth: int

    def __post_init__(self) -> None:
        require(self.width > 0 and self.depth >= 0, f"a FIFO of {self.depth} beats of {self.width} bits is none")

    @property
    def wires(self) -> bool:
        """Whether there is no FIFO at all."""
        return self.depth <= 2

    @property
    def style(self) -> RamStyle:
        """Memory of the cheaper kind: block RAM where it saves at least ``LUTS_PER_RAMB18`` LUTs per RAMB18."""
        cheaper = self.lutram_luts >= LUTS_PER_RAMB18 * self.block_ramb18
        return RamStyle.BLOCK if cheaper and not self.wires else RamStyle.DISTRIBUTED

    @property
    def latency(self) -> int:
        """Cycles from a beat's acceptance by an empty FIFO to its first offer."""
        if self.wires:
            return 0
        return 2 if self.style is RamStyle.BLOCK else 1

    @property
    def lutram_luts(self) -> int:
        """LUTs of the memory made of RAM32M (32 words of 6 bits) or RAM64M (64 words of 3 bits), and to read it."""
        if self.depth <= 32:
            return 4 * -(-self.width // 6)
        banks = -(-self.depth // 64)
        # per bit, a LUT chooses among four banks; per bank, one decodes the write address
        return 4 * -(-self.width // 3) * banks + (self.width * -(-(banks - 1) // 3) + banks if banks > 1 else 0)

    @property
    def block_words(self) -> int:
        """Words of the block RAM: whole RAMB18 of the beat's width, or the next power of two within one."""
        grain = next((words for width, words in RAMB18_SHAPES[1:] if self.width <= width), 512)
        if self.depth > grain:
            return -(-self.depth // grain) * grain
        return 1 << (max(self.depth, 1) - 1).bit_length()

    @property
    def block_ramb18(self) -> int:
        """RAMB18 of the memory made of block RAM, a RAMB36 counting as two."""
        return min(-(-self.width // width) * -(-self.block_words // words) for width, words in RAMB18_SHAPES)

    def rtl_parameters(self) -> dict[str, int | str]:
        """Parameters of ``hlsgen_fifo``."""
        return {"WIDTH": self.width, "DEPTH": 0 if self.wires else self.depth, "RAM_STYLE": self.style.value}
