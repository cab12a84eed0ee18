"""What every hardware kernel states about itself; one module per kernel beside this one.

A kernel has one name and one specification, and its forms agree beat for beat: NumPy (``golden``) and C++ for HLS
(``templates/hls/<kernel>.hpp``). Names of parameters are the same in both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import IntArray, QuantType

Beats = IntArray
"""Integer values of a stream, shape (images, beats per image, lanes); bipolar elements are -1 and +1."""


@dataclass(frozen=True)
class StreamSpec:
    """A stream: ``lanes`` elements of ``type`` per beat (lane 0 in the least significant bits), ``beats`` per image."""

    type: QuantType
    lanes: int
    beats: int

    @property
    def width(self) -> int:
        """Bits of one beat."""
        return self.lanes * self.type.bits

    @property
    def elements(self) -> int:
        """Elements per image."""
        return self.lanes * self.beats


@dataclass(frozen=True, eq=False)
class Memory:
    """Constant contents of a kernel (weights, thresholds, tables): ``values`` of ``type``, one row per address."""

    name: str
    type: QuantType
    values: IntArray


class Kernel(ABC):
    """Base of all kernels. Subclasses are frozen dataclasses whose fields are the parameters.

    ``__post_init__`` of a subclass validates and raises ValueError with the offending value.
    """

    kind: ClassVar[str]
    """File stem and function name in every language: ``matvec`` is kernels/matvec.py, templates/hls/matvec.hpp, ..."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[StreamSpec, ...]:
        """Streams read, in the order of the C++ function's arguments."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[StreamSpec, ...]:
        """Streams written, following the inputs among the C++ function's arguments."""

    @property
    @abstractmethod
    def cycles(self) -> int:
        """Clock cycles per image at steady state."""

    @abstractmethod
    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        """For each input: how many beats of an image have been read when output beat k is written, k = 0, 1, ...

        Non-decreasing, shape (beats of output 0,). This is the order of the C++ form's blocking reads and writes; FIFO
        depths are computed from it. Beats not read when the last one is written are read before the next image.
        """

    @abstractmethod
    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        """The kernel in NumPy, for whole batches: one array per input stream to one per output stream."""

    @abstractmethod
    def constants(self) -> dict[str, int]:
        """Integer parameters of the C++ configuration struct, by their C++ names (upper case)."""

    def types(self) -> dict[str, QuantType]:
        """Element types of the C++ configuration struct, by their C++ names (``input_t``, ``acc_t``, ...)."""
        return {}

    def memories(self) -> Sequence[Memory]:
        """Constant arrays of the C++ configuration struct."""
        return ()


def divisors(value: int) -> list[int]:
    """All positive divisors of ``value`` in ascending order."""
    return [d for d in range(1, value + 1) if value % d == 0]


def require(condition: bool, message: str) -> None:
    """Raise ValueError(message) unless ``condition`` holds; for parameter checks in ``__post_init__``."""
    if not condition:
        raise ValueError(message)
