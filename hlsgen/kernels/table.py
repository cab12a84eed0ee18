"""Table: any function of one element with few values, as a ROM of all results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hlsgen.graph.graph import Frame
from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, Memory, require
from hlsgen.kernels.channels import Elementwise, by_channel, check_channels, check_frame, table_memory
from hlsgen.kernels.requant import check_domain


@dataclass(frozen=True, eq=False)
class Table(Elementwise):
    """``y = values[c, x - first]`` for every element of a frame (H, W, C), ``lanes`` channels per beat.

    ``values``: int64 (C, n) or, shared by all channels, (1, n). ``golden`` raises ValueError for x outside
    ``first``..``first + n - 1``. Both types may be bipolar.
    """

    kind: ClassVar[str] = "table"

    frame: Frame
    lanes: int
    input_type: QuantType
    output_type: QuantType
    values: IntArray
    first: int

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
