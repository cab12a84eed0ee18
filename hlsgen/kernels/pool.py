"""What the pooling kernels share: their streams, their order and their cycles."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, InputTiming, Kernel, OutputTiming, RamStyle, StreamSpec, Timing, require
from hlsgen.kernels.fifo import Fifo


@dataclass(frozen=True, eq=False)
class Pool(Kernel):
    """One element from the ``kernel_taps`` taps of each of ``windows`` windows, per channel.

    Input beats are ordered (window, tap group, channel tile), elements (tap, channel): those of a Window kernel with
    one group, or a bare frame for global pooling (``windows=1, kernel_taps=H*W, taps=1``).
    """

    windows: int
    kernel_taps: int
    channels: int
    lanes: int
    taps: int

    def __post_init__(self) -> None:
        require(self.windows > 0, f"windows={self.windows} is not positive")
        legal = self.taps > 0 and self.kernel_taps % self.taps == 0
        require(legal, f"taps={self.taps} does not divide a window of {self.kernel_taps}")
        legal = self.lanes > 0 and self.channels % self.lanes == 0
        require(legal, f"lanes={self.lanes} does not divide {self.channels} channels")

    @property
    @abstractmethod
    def element_types(self) -> tuple[QuantType, QuantType]:
        """Types of the elements that come in and of those that go out."""

    @property
    @abstractmethod
    def tree_levels(self) -> int:
        """Depth of the SystemVerilog form's tree over the taps of a beat, in cycles; 0 for one tap."""

    @property
    def tap_groups(self) -> int:
        """Beats per window and channel tile."""
        return self.kernel_taps // self.taps

    @property
    def tiles(self) -> int:
        """Beats per window and tap group."""
        return self.channels // self.lanes

    @property
    def memory(self) -> RamStyle:
        """What the accumulators of the SystemVerilog form are made of: the cheaper kind, as of a FIFO."""
        return Fifo(self.lanes * self.element_types[1].bits, self.tiles).style

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.element_types[0], self.taps * self.lanes, self.cycles),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.element_types[1], self.lanes, self.windows * self.tiles),)

    @property
    def cycles(self) -> int:
        return self.windows * self.tap_groups * self.tiles

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (self._last_beats() + 1,)

    def timing(self) -> Timing:
        steps = np.arange(self.cycles)
        stages = max(1, self.tree_levels)
        output = OutputTiming(emits=self._last_beats(), latency=stages + 1, queue=stages + 2)
        return Timing(self.cycles, (InputTiming(needs=steps + 1),), (output,))

    def constants(self) -> dict[str, int]:
        return {
            "WINDOWS": self.windows,
            "TAP_GROUPS": self.tap_groups,
            "TAPS": self.taps,
            "TILES": self.tiles,
            "LANES": self.lanes,
        }

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        parameters = super().rtl_parameters() | {"RAM_STYLE": self.memory.value}
        del parameters["WINDOWS"]  # the hardware never stops
        return parameters

    def split_windows(self, beats: Beats) -> Beats:
        """Beats with their axes apart: (images, windows, tap groups, tiles, taps, lanes)."""
        return beats.reshape(len(beats), self.windows, self.tap_groups, self.tiles, self.taps, self.lanes)

    def _last_beats(self) -> npt.NDArray[np.int64]:
        """The input beat that completes each output beat: the window's last tap group's of its tile."""
        window, tile = np.divmod(np.arange(self.windows * self.tiles), self.tiles)
        return (window * self.tap_groups + self.tap_groups - 1) * self.tiles + tile
