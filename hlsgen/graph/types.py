"""Integer types of tensors and streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.signedinteger]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class QuantType:
    """An integer type of 1 to 64 bits.

    ``narrow`` drops one code: the most negative value of a signed type, the most positive of an unsigned one.
    ``bipolar`` is the type {-1, +1} in one bit, where the wire value 0 means -1: it is *not* a 1-bit
    two's-complement number, and it has no zero.
    """

    bits: int
    signed: bool
    narrow: bool = False
    bipolar: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64:
            raise ValueError(f"a type has 1 to 64 bits, not {self.bits}")
        if self.bipolar and (self.bits != 1 or not self.signed or self.narrow):
            raise ValueError("a bipolar type is signed, has one bit and is not narrow")

    @property
    def min(self) -> int:
        """Smallest value."""
        if self.bipolar:
            return -1
        return -(1 << (self.bits - 1)) + self.narrow if self.signed else 0

    @property
    def max(self) -> int:
        """Largest value."""
        if self.bipolar:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1 - self.narrow

    @property
    def values(self) -> tuple[int, ...]:
        """All values in ascending order; only for types of at most 16 bits."""
        if self.bits > 16:
            raise ValueError(f"{self} has too many values to list")
        return (-1, 1) if self.bipolar else tuple(range(self.min, self.max + 1))

    @property
    def dtype(self) -> np.dtype[np.signedinteger]:
        """Smallest *signed* NumPy type that holds every value (so that sums of a few never surprise)."""
        for candidate in (np.int8, np.int16, np.int32, np.int64):
            if np.iinfo(candidate).min <= self.min and self.max <= np.iinfo(candidate).max:
                return np.dtype(candidate)
        raise ValueError(f"{self} does not fit int64")

    @property
    def storage_bits(self) -> int:
        """Bits of one element in memory and on the AXI stream: 1, 2, 4, 8, 16, 32 or 64."""
        return next(b for b in (1, 2, 4, 8, 16, 32, 64) if b >= self.bits)

    def contains(self, lo: int, hi: int) -> bool:
        """Whether every value from lo to hi is one of this type's."""
        return self.min <= lo and hi <= self.max

    def encode(self, values: npt.ArrayLike) -> npt.NDArray[np.uint64]:
        """Wire form of ``values``: unsigned integers below 2**bits."""
        array = np.asarray(values, np.int64)
        if self.bipolar:
            return (array > 0).astype(np.uint64)
        mask = np.uint64(0xFFFFFFFFFFFFFFFF >> (64 - self.bits))
        return np.asarray(array.astype(np.uint64) & mask)

    def decode(self, wires: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Values of the wire forms ``wires`` (unsigned integers below 2**bits)."""
        array = np.asarray(wires, np.uint64)
        if self.bipolar:
            return np.asarray(array.astype(np.int64) * 2 - 1)
        if not self.signed:
            return array.astype(np.int64)
        shift = np.uint64(64 - self.bits)
        return np.asarray((array << shift).astype(np.int64) >> np.int64(64 - self.bits))

    def __str__(self) -> str:
        if self.bipolar:
            return "bipolar"
        return f"{'' if self.signed else 'u'}int{self.bits}{' narrow' if self.narrow else ''}"

    @staticmethod
    def for_range(lo: int, hi: int) -> QuantType:
        """The smallest two's-complement or unsigned type that holds lo..hi (unsigned when lo >= 0)."""
        if lo >= 0:
            return QuantType(max(1, hi.bit_length()), signed=False)
        return QuantType(max((-lo - 1).bit_length(), hi.bit_length() if hi > 0 else 0) + 1, signed=True)


BIPOLAR = QuantType(1, signed=True, bipolar=True)
INT8 = QuantType(8, signed=True)
UINT8 = QuantType(8, signed=False)
