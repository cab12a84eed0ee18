"""Largest element of each window, per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats
from hlsgen.kernels.pool import Pool


@dataclass(frozen=True, eq=False)
class MaxPool(Pool):
    """Maximum over ``kernel_taps`` taps for each of ``windows`` windows; streams are Pool's."""

    kind: ClassVar[str] = "maxpool"

    type: QuantType

    @property
    def element_types(self) -> tuple[QuantType, QuantType]:
        return self.type, self.type

    @property
    def tree_levels(self) -> int:
        return (self.taps - 1).bit_length()

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        largest = self.split_windows(inputs[0]).max(axis=(2, 4))
        return (largest.reshape(len(largest), -1, self.lanes),)

    def types(self) -> dict[str, QuantType]:
        return {"type_t": self.type}
