"""ROMs as functions of their address, in LUT6s and the multiplexers that choose among those of a slice.

A column that depends on six bits of the address or less is one LUT; another one is a LUT for each 64 words. Of this
both the estimate of a ROM and its synthesis by Yosys are made.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hlsgen.plan.primitives import multiplexer

Planes = npt.NDArray[np.uint8]
"""Bits of a ROM, one row per word, one column per bit of a word, the lowest first."""

Dependence = npt.NDArray[np.bool_]
"""Which bits of the address (rows, the lowest first) the columns depend on."""

LUT_INPUTS = 6
"""Bits of an address that one LUT looks up."""
LUT_WORDS = 1 << LUT_INPUTS
"""Words of a ROM that one LUT holds a column of."""

WIDE = 8
"""Bits of an address up to which a slice's multiplexers, MUXF7 and MUXF8, choose among its LUT6s."""
SLICE_WORDS = 1 << WIDE
"""Words of a ROM that a slice holds a column of."""


def padded(planes: Planes) -> Planes:
    """The words of all addresses, as many as the next power of two.

    Those that the ROM lacks, which nobody reads, are as if the address' top bit were 0.
    """
    words = len(planes)
    size = 1 << (words - 1).bit_length()
    return np.concatenate([planes, planes[words - size // 2 : size // 2]]) if size > words else planes


def dependence(planes: Planes) -> Dependence:
    """The bits of the address on which columns of ``padded`` planes depend."""
    bits, columns = (len(planes) - 1).bit_length(), planes.shape[1]
    # next to each other the words where the bit is 0 and those where it is 1
    halves = [planes.reshape(len(planes) >> bit + 1, 2, 1 << bit, columns) for bit in range(bits)]
    changes = [(half[:, 0] != half[:, 1]).any(axis=(0, 1)) for half in halves]
    return np.array(changes, bool).reshape(bits, columns)


def luts(planes: Planes) -> float:
    """LUTs and inverters of distinct columns, with the multiplexers that choose among more than a slice's LUTs."""
    table = padded(planes)
    wide = dependence(table).sum(axis=0) > LUT_INPUTS
    count = float(_functions(table[:, ~wide]))
    if wide.any():
        columns = int(wide.sum())
        blocks = table[:, wide].reshape(-1, LUT_WORDS, columns).transpose(0, 2, 1).reshape(-1, LUT_WORDS)
        codes = np.unique(np.packbits(blocks, axis=1).view(np.uint64))  # equal blocks are one
        distinct = np.unpackbits(codes.view(np.uint8).reshape(-1, LUT_WORDS // 8), axis=1)
        count += _functions(distinct.T) + columns * multiplexer(-(-len(planes) // SLICE_WORDS))
    return count


def _functions(table: Planes) -> int:
    """LUTs and inverters of columns of ``padded`` planes that take one at most; a bit of the address itself is free."""
    used = dependence(table).sum(axis=0)
    return int((used > 1).sum() + ((used == 1) & (table[:1] == 1).all(axis=0)).sum())
