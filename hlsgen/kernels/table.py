"""Table: any function of one element with few values, as a ROM of all results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hlsgen.graph.graph import Frame
from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, Memory, MemoryImage, RamStyle, pack_rows, require
from hlsgen.kernels.channels import Elementwise, by_channel, check_channels, check_domain, check_frame, table_memory


@dataclass(frozen=True, eq=False)
class Table(Elementwise):
    """``y = values[c, x - first]`` for every element of a frame (H, W, C), ``lanes`` channels per beat.

    ``values``: int64 (C, n) or, shared by all channels, (1, n). ``golden`` raises ValueError for x outside
    ``first``..``first + n - 1``. Both types may be bipolar. ``memory`` (SystemVerilog only): what the ROM is made of.
    """

    kind: ClassVar[str] = "table"

    frame: Frame
    lanes: int
    input_type: QuantType
    output_type: QuantType
    values: IntArray
    first: int
    memory: RamStyle = RamStyle.DISTRIBUTED

    def __post_init__(self) -> None:
        check_frame(self.frame, self.lanes)
        require(self.values.ndim == 2 and self.values.size > 0, f"values of shape {self.values.shape} are no table")
        check_channels("values", self.values, self.frame[2])
        require(self.input_type.contains(*self.domain), f"the table's domain {self.domain} exceeds {self.input_type}")
        results = int(self.values.min()), int(self.values.max())
        require(self.output_type.contains(*results), f"results {results} do not fit {self.output_type}")

    @property
    def domain(self) -> tuple[int, int]:
        """Smallest and largest input."""
        return self.first, self.first + int(self.values.shape[1]) - 1

    @property
    def operand_types(self) -> tuple[QuantType, ...]:
        return (self.input_type,)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        check_domain(beats, self.domain)
        index = by_channel(beats, self.frame[2]).astype(np.int64) - self.first
        y = self.values[np.arange(len(self.values)), index]
        return (y.reshape(beats.shape).astype(self.output_type.dtype),)

    def constants(self) -> dict[str, int]:
        return {
            "PIXELS": self.frame[0] * self.frame[1],
            "TILES": self.frame[2] // self.lanes,
            "LANES": self.lanes,
            "FIRST": self.first,
            "SIZE": int(self.values.shape[1]),
            "INPUT_BIPOLAR": int(self.input_type.bipolar),
            "OUTPUT_BIPOLAR": int(self.output_type.bipolar),
        }

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.input_type, "output_t": self.output_type}

    def memories(self) -> Sequence[Memory]:
        return (table_memory("values", self.values, self.lanes),)

    @property
    def latency(self) -> int:
        """The ROM's register and the output queue."""
        return 2

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        shared = len(self.values) == 1
        return {
            "LANES": self.lanes,
            "INPUT_BITS": self.input_type.bits,
            "OUTPUT_BITS": self.output_type.bits,
            "INDEX_BITS": self._index_bits,
            "TILES": 1 if shared else self.frame[2] // self.lanes,
            "COLUMNS": 1 if shared else self.lanes,
            "RAM_STYLE": self.memory.value,
        }

    def rtl_memories(self) -> Sequence[MemoryImage]:
        rows = np.arange(1 << self._index_bits)
        # the number of the domain with these low bits, if there is one
        near = self.first + (rows - self.first) % len(rows)
        x = self.input_type.decode(rows) if self.input_type.bipolar else near
        known = (x >= self.domain[0]) & (x <= self.domain[1])
        by_wire = np.where(known, self.values[:, np.where(known, x - self.first, 0)], self.values[0, 0])
        memory = table_memory("values", by_wire, self.lanes if len(self.values) > 1 else 1)
        return (pack_rows(Memory("values", self.output_type, memory.values)),)

    @property
    def _index_bits(self) -> int:
        """Low bits of an element that tell all values of the domain apart."""
        return 1 if self.input_type.bipolar else max(1, (self.values.shape[1] - 1).bit_length())
