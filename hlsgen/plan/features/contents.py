"""Contents of ROMs: which of their columns Yosys keeps, and what logic makes them.

Columns that never change are constants, equal ones are one register.
"""

from __future__ import annotations

from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from hlsgen.kernels.base import Kernel
from hlsgen.plan import lookup
from hlsgen.plan.lookup import Planes


class Columns:
    """The columns of a ROM, or some of them."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        self.words, self.width = planes.shape

    @staticmethod
    def of_words(words: list[int], width: int) -> Columns:
        """From integers of ``width`` bits, one per word."""
        size = (width + 7) // 8
        data = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), np.uint8)
        return Columns(np.unpackbits(data.reshape(len(words), size), axis=1, bitorder="little")[:, :width])

    def part(self, first: int, count: int) -> Columns:
        """``count`` columns from ``first`` on."""
        return Columns(self._planes[:, first : first + count])

    def rows(self, first: int, end: int) -> Columns:
        """The words ``first`` to ``end - 1``."""
        return Columns(self._planes[first:end])

    @property
    def lowest(self) -> int:
        """The lowest column that is not 0 throughout; the number of columns if there is none."""
        used = np.flatnonzero(self._planes.any(axis=0))
        return int(used[0]) if len(used) else self.width

    def choose(self, columns: list[int]) -> Columns:
        """The columns with these numbers."""
        return Columns(self._planes[:, columns])

    @cached_property
    def _kept(self) -> Planes:
        """Distinct columns that change."""
        planes = self._planes[:, (self._planes != self._planes[:1]).any(axis=0)]
        packed = np.ascontiguousarray(np.packbits(planes, axis=0).T)
        first = {column.tobytes(): index for index, column in reversed(list(enumerate(packed)))}
        return planes[:, sorted(first.values())]

    @cached_property
    def codes(self) -> npt.NDArray[np.uint32]:
        """Every column as a number: bit ``i`` is its bit in word ``i``, of at most 32."""
        codes = np.zeros(self.width, np.uint32)
        for word, plane in enumerate(self._planes):
            codes |= plane.astype(np.uint32) << np.uint32(word)
        return codes

    @staticmethod
    def of_codes(codes: npt.NDArray[np.uint32], words: int) -> Columns:
        """The columns of so many words that have these ``codes``."""
        return Columns((codes >> np.arange(words, dtype=np.uint32)[:, None] & 1).astype(np.uint8))

    @property
    def names(self) -> list[bytes]:
        """The same for equal columns, and empty for one that never changes."""
        changing = (self._planes != self._planes[:1]).any(axis=0)
        packed = np.ascontiguousarray(np.packbits(self._planes, axis=0).T)
        return [column.tobytes() if change else b"" for column, change in zip(packed, changing, strict=True)]

    def column(self, at: int) -> Planes:
        """One column: its bit in every word."""
        return self._planes[:, at]

    @property
    def distinct(self) -> int:
        """Columns that change, equal ones counted once."""
        return int(self._kept.shape[1])

    @property
    def varying(self) -> int:
        """Columns that change."""
        return int((self._planes != self._planes[:1]).any(axis=0).sum())

    @cached_property
    def rom_luts(self) -> float:
        """LUTs and inverters of the distinct columns, in which equal ones are made once."""
        return lookup.luts(self._kept)


_IMAGES: WeakKeyDictionary[Kernel, dict[str, Columns]] = WeakKeyDictionary()


def image_of(kernel: Kernel, name: str) -> Columns:
    """A memory of a kernel; one without columns if it has no such memory."""
    images = _IMAGES.get(kernel)
    if images is None:
        images = {image.name: Columns.of_words(image.words, image.width) for image in kernel.rtl_memories()}
        _IMAGES[kernel] = images
    return images.get(name, Columns(np.zeros((1, 0), np.uint8)))
