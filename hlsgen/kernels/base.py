"""What every hardware kernel states about itself; one module per kernel beside this one.

A kernel has one name and one specification, and its forms agree beat for beat: NumPy (``golden``), C++ for HLS
(``templates/hls/<kernel>.hpp``), SystemVerilog (``ip_repo/<kernel>.sv``, whose cycles ``timing`` states). Names of
parameters are the same in all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
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


Counts = npt.NDArray[np.int64]
"""Numbers of beats or of steps."""

NEVER = -(1 << 40)
"""A step so long before the first that waiting for it is no wait."""


class RamStyle(Enum):
    """What a memory is made of; the value is the one of the attribute ``ram_style``."""

    BLOCK = "block"
    DISTRIBUTED = "distributed"


@dataclass(frozen=True, eq=False)
class MemoryImage:
    """Contents of a ROM in SystemVerilog: ``words`` of ``width`` bits, address 0 first; column 0 is lowest."""

    name: str
    width: int
    words: list[int]


@dataclass(frozen=True, eq=False)
class InputTiming:
    """How the steps of a kernel depend on one input stream. Beats and steps are counted from 0 within an image.

    ``needs``: per step, how many beats of the image must have been accepted; non-decreasing.
    ``frees``: None if a step itself takes the beats it needs, one per cycle at most. Otherwise the kernel has a buffer:
    per beat, the step whose issue frees the place that the beat goes to; negative numbers are steps of earlier images
    (-1 the last step of the one before), ``NEVER`` if the place is always free.
    ``delay``: cycles from a buffered beat's acceptance to the first step that can use it.
    ``release``: cycles from the issue of a step to the first acceptance into a place it freed.
    """

    needs: Counts
    frees: Counts | None = None
    delay: int = 0
    release: int = 1


@dataclass(frozen=True, eq=False)
class OutputTiming:
    """How the beats of one output stream follow from the steps.

    ``emits``: per beat, the step that computes it; non-decreasing. ``latency``: cycles from that step's issue to the
    beat's first offer (valid). ``queue``: beats that may be under way, from claim to handover. ``claims``: per beat,
    the step that cannot issue without a place for it (default: ``emits``). ``reuse``: cycles from a handover to the
    first step that can have the place; 0 where ``ready`` reaches the steps in the same cycle.
    """

    emits: Counts
    latency: int
    queue: int
    claims: Counts | None = None
    reuse: int = 1


@dataclass(frozen=True, eq=False)
class Timing:
    """In which clock cycles the SystemVerilog form moves its beats: recurrences over the steps it issues.

    ``steps`` per image, in order, images back to back, so that steps and beats count on from image to image. Let s[k]
    be the cycle in which step k issues, a[j] the cycle in which beat j of an input is accepted (valid and ready), t[m]
    the cycle in which beat m of an output is first offered (valid) and d[m] the one in which it is handed over (valid
    and ready). All happen as early as these rules allow:

        s[k] >= s[k-1] + interval
        s[k] >= a[needs[k] - 1] + delay         for every input
        s[claims[m]] >= d[m - queue] + reuse    for every output
        t[m] = max(s[emits[m]] + latency, d[m-1] + 1)
        a[j] >= a[j-1] + 1
        a[j] = s[first k with needs[k] > j]     where frees is None
        a[j] >= s[frees[j]] + release           otherwise
    """

    steps: int
    inputs: tuple[InputTiming, ...]
    outputs: tuple[OutputTiming, ...]
    interval: int = 1


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
    def timing(self) -> Timing:
        """When the SystemVerilog form moves its beats."""

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

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        """Parameters of the SystemVerilog module, files of memories excepted (``<MEMORY>_FILE`` is added by name).

        By default the constants of the C++ struct (``NAME[0]``, ``NAME[1]``, ... as one tuple), and ``<TYPE>_BITS``
        and ``<TYPE>_SIGNED`` for each of its types ``<type>_t``; a bipolar type has one unsigned bit.
        """
        parameters: dict[str, int | str | tuple[int, ...]] = {}
        for name, value in self.constants().items():
            table, bracket, _ = name.partition("[")
            earlier = parameters.get(table, ())
            parameters[table] = (*earlier, value) if bracket and isinstance(earlier, tuple) else value
        for name, type in self.types().items():
            prefix = name.removesuffix("_t").upper()
            parameters |= {f"{prefix}_BITS": type.bits, f"{prefix}_SIGNED": int(type.signed and not type.bipolar)}
        return parameters

    def rtl_memories(self) -> Sequence[MemoryImage]:
        """Contents of the module's ROMs; by default those of the C++ form, a row in a word."""
        return [pack_rows(memory) for memory in self.memories()]


def pack_rows(memory: Memory) -> MemoryImage:
    """Each row of ``memory`` as one word, column 0 in the least significant bits."""
    return pack_words(memory.name, memory.type.bits, memory.type.encode(memory.values))


def pack_words(name: str, bits: int, values: npt.NDArray[np.integer]) -> MemoryImage:
    """A ROM with a word for each row of ``values``: every column modulo 2**bits, column 0 lowest."""
    wires = values.astype(np.uint64)[:, :, None] >> np.arange(bits, dtype=np.uint64) & np.uint64(1)
    packed = np.packbits(wires.astype(np.uint8).reshape(len(values), -1), axis=1, bitorder="little")
    return MemoryImage(name, bits * values.shape[1], [int.from_bytes(row.tobytes(), "little") for row in packed])


def pack_list(values: Iterable[int]) -> int:
    """A parameter of type ``bit [n-1:0][31:0]``: 32 bits per value, the first one lowest."""
    return sum(value << (32 * index) for index, value in enumerate(values))


def divisors(value: int) -> list[int]:
    """All positive divisors of ``value`` in ascending order."""
    return [d for d in range(1, value + 1) if value % d == 0]


def require(condition: bool, message: str) -> None:
    """Raise ValueError(message) unless ``condition`` holds; for parameter checks in ``__post_init__``."""
    if not condition:
        raise ValueError(message)


def check_range(kernel: str, acc: npt.NDArray[np.int64], acc_type: QuantType) -> None:
    """Raise ValueError unless every accumulator is a value of ``acc_type``."""
    lo, hi = int(acc.min()), int(acc.max())
    require(acc_type.contains(lo, hi), f"{kernel}: accumulators {lo}..{hi} do not fit {acc_type}")
