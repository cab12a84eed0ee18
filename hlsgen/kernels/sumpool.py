"""Sum of the elements of each window, per channel; the division of an average is requant's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, check_range
from hlsgen.kernels.pool import Pool


@dataclass(frozen=True, eq=False)
class SumPool(Pool):
    """``acc = offset + sum`` over ``kernel_taps`` taps for each of ``windows`` windows; streams are Pool's.

    ``offset`` is minus the zero point times the number of taps. ``acc_type`` must hold every result that can occur;
    ``golden`` raises ValueError when one does not fit.
    """

    kind: ClassVar[str] = "sumpool"

    input_type: QuantType
    acc_type: QuantType
    offset: int

    @property
    def element_types(self) -> tuple[QuantType, QuantType]:
        return self.input_type, self.acc_type

    @property
    def tree_levels(self) -> int:
        levels, terms = 0, self.taps
        while terms > 1:  # adders of three terms
            levels, terms = levels + 1, -(-terms // 3)
        return levels

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        acc = self.split_windows(inputs[0]).sum(axis=(2, 4), dtype=np.int64) + self.offset
        check_range(self.kind, acc, self.acc_type)
        return (acc.astype(self.acc_type.dtype).reshape(len(acc), -1, self.lanes),)

    def constants(self) -> dict[str, int]:
        return super().constants() | {"OFFSET": self.offset, "INPUT_BIPOLAR": int(self.input_type.bipolar)}

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.input_type, "acc_t": self.acc_type}

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        parameters = super().rtl_parameters()
        del parameters["ACC_SIGNED"]  # sums are modulo 2^ACC_BITS
        return parameters
