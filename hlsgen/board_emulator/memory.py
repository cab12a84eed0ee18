"""The memory for buffers that a DMA can reach: physically contiguous, of limited size, and seen twice.

The CPU works on a copy of its own, as in its cache; only ``flush`` and ``invalidate`` make the two equal. What is in
fresh memory is arbitrary and differs between the two, so data that was never flushed, or never written, shows.
"""

from __future__ import annotations

import bisect
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

PAGE = 4096
FRESH_CPU, FRESH_DRAM = 0xA5, 0x5A

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Block:
    """A buffer: ``cpu`` is the CPU's copy, the DRAM's begins at byte ``offset`` of the memory."""

    cpu: Bytes
    offset: int
    bytes: int
    release: weakref.finalize[Any, Any]


class Memory:
    """``size`` bytes of DRAM from physical address ``base`` on."""

    def __init__(self, base: int, size: int) -> None:
        self.base, self.size = base, size
        self._dram: Bytes = np.zeros(size, np.uint8)  # pages that are never touched cost nothing
        self._used: list[tuple[int, int]] = []  # (first byte, bytes) of each block, in order

    @property
    def free(self) -> int:
        """Bytes that are in no block."""
        return self.size - sum(size for _, size in self._used)

    def allocate(self, size: int) -> Block:
        """A block of ``size`` bytes, at least, on a page of its own; freed with its CPU copy. Raises MemoryError."""
        size = -(-max(size, 1) // PAGE) * PAGE
        place = 0
        for first, taken in self._used:
            if first - place >= size:
                break
            place = first + taken
        if place + size > self.size:
            raise MemoryError(f"{size:,} contiguous bytes of {self.free:,} free ones")
        cpu: Bytes = np.full(size, FRESH_CPU, np.uint8)
        self._dram[place : place + size] = FRESH_DRAM
        entry = (place, size)
        bisect.insort(self._used, entry)
        return Block(cpu, place, size, weakref.finalize(cpu, self._used.remove, entry))

    def address(self, physical: int, size: int) -> int | None:
        """Where in this process the DRAM at ``physical`` lies; None unless ``size`` bytes of it are memory."""
        offset = physical - self.base
        if offset < 0 or offset + size > self.size:
            return None
        return int(self._dram.ctypes.data) + offset

    def flush(self, block: Block, offset: int, size: int) -> None:
        """Write bytes ``offset`` to ``offset + size`` of the CPU's copy to DRAM."""
        place = block.offset + offset
        self._dram[place : place + size] = block.cpu[offset : offset + size]

    def invalidate(self, block: Block, offset: int, size: int) -> None:
        """Read bytes ``offset`` to ``offset + size`` of DRAM into the CPU's copy."""
        place = block.offset + offset
        block.cpu[offset : offset + size] = self._dram[place : place + size]
