"""Sum over the taps of each window; the division belongs to the requantization that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec
from hlsgen.kernels.matvec import check_range
from hlsgen.kernels.maxpool import by_tap, check_pool, pool_constants, pool_reads


@dataclass(frozen=True, eq=False)
class SumPool(Kernel):
    """``acc = offset + sum(x)`` per window and channel; ``offset`` is minus the taps times the zero point.

    Beats as for ``maxpool``. ``acc_type`` must hold every result; partial sums start at ``offset`` and are sums modulo
    2**bits, so they may leave it. ``golden`` raises ValueError when a result does not fit.
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
        beats = self.windows * (self.kernel_taps // self.taps) * (self.channels // self.lanes)
        return (StreamSpec(self.input_type, self.taps * self.lanes, beats),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.acc_type, self.lanes, self.windows * self.channels // self.lanes),)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (pool_reads(self.windows, self.kernel_taps // self.taps, self.channels // self.lanes),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        taps = by_tap(beats, self.windows, self.kernel_taps, self.lanes, self.taps)
        acc = taps.sum(axis=2, dtype=np.int64) + self.offset
        check_range(self.kind, acc, self.acc_type)
        return (acc.astype(self.acc_type.dtype),)

    def constants(self) -> dict[str, int]:
        shared = pool_constants(self.windows, self.kernel_taps, self.channels, self.lanes, self.taps)
        return {**shared, "OFFSET": self.offset, "INPUT_BIPOLAR": int(self.input_type.bipolar)}

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.input_type, "acc_t": self.acc_type}
