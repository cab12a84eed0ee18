"""Sum of the elements of each window, per channel; the division of an average is requant's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec
from hlsgen.kernels.matvec import check_range
from hlsgen.kernels.maxpool import check_pool, pool_reads, split_windows


@dataclass(frozen=True, eq=False)
class SumPool(Kernel):
    """``acc = offset + sum`` over ``kernel_taps`` taps for each of ``windows`` windows.

    Streams are ordered as MaxPool's. ``offset`` is minus the zero point times the number of taps. ``acc_type`` must
    hold every result that can occur; ``golden`` raises ValueError when one does not fit.
    """

    kind: ClassVar[str] = "sumpool"

    windows: int
    kernel_taps: int
    channels: int
    lanes: int
    taps: int
    input_type: QuantType
    acc_type: QuantType
    offset: int

    def __post_init__(self) -> None:
        check_pool(self.windows, self.kernel_taps, self.channels, self.lanes, self.taps)

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.input_type, self.taps * self.lanes, self.cycles),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.acc_type, self.lanes, self.windows * self.channels // self.lanes),)

    @property
    def cycles(self) -> int:
        return self.windows * (self.kernel_taps // self.taps) * (self.channels // self.lanes)

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (pool_reads(self.windows, self.kernel_taps // self.taps, self.channels // self.lanes),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        split = split_windows(beats, self.windows, self.taps, self.channels, self.lanes)
        acc = split.sum(axis=(2, 4), dtype=np.int64) + self.offset
        check_range(self.kind, acc, self.acc_type)
        return (acc.astype(self.acc_type.dtype).reshape(len(beats), -1, self.lanes),)

    def constants(self) -> dict[str, int]:
        return {
            "WINDOWS": self.windows,
            "TAP_GROUPS": self.kernel_taps // self.taps,
            "TAPS": self.taps,
            "TILES": self.channels // self.lanes,
            "LANES": self.lanes,
            "OFFSET": self.offset,
            "INPUT_BIPOLAR": int(self.input_type.bipolar),
        }

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.input_type, "acc_t": self.acc_type}
