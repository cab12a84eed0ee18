"""Depthwise convolution body: every channel has its own window and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, InputTiming, RamStyle, StreamSpec, Timing, check_range, require
from hlsgen.kernels.dot_array import Mac, check_mac
from hlsgen.kernels.dot_kernel import DotKernel


@dataclass(frozen=True, eq=False)
class Depthwise(DotKernel):
    """``acc[c] = sum over taps of x[tap, c] * w[c, tap] + bias[c]`` for every pixel.

    Input beats are ordered (pixel, tile of ``pe`` channels, tap group), elements (tap, channel), as Window writes them
    with ``groups = channels / pe`` and ``lanes = pe``. ``weights``: int64 (channels, taps of the window); ``bias``:
    int64 (channels,). ``acc_type`` must hold every result that can occur; ``golden`` raises ValueError when one does
    not fit. ``memory``: what the ROM of the weights is made of.
    """

    kind: ClassVar[str] = "depthwise"

    pixels: int
    channels: int
    pe: int
    taps: int
    weights: IntArray
    bias: IntArray
    input_type: QuantType
    weight_type: QuantType
    acc_type: QuantType
    mac: Mac
    memory: RamStyle = RamStyle.BLOCK

    def __post_init__(self) -> None:
        require(self.pixels > 0, f"pixels={self.pixels} is not positive")
        require(
            self.weights.ndim == 2 and len(self.weights) == self.channels and self.weights.size > 0,
            f"weights of shape {self.weights.shape} are not (channels={self.channels}, taps)",
        )
        require(self.pe > 0 and self.channels % self.pe == 0, f"pe={self.pe} does not divide {self.channels} channels")
        window = self.weights.shape[1]
        require(self.taps > 0 and window % self.taps == 0, f"taps={self.taps} does not divide a window of {window}")
        require(
            self.bias.shape == (self.channels,),
            f"bias of shape {self.bias.shape} does not match {self.channels} channels",
        )
        require(self.mac is not Mac.DSP2, "dsp2 needs two outputs that share an input, which depthwise has not")
        check_mac(self.mac, self.input_type, self.weight_type, self.weights)

    @property
    def tiles(self) -> int:
        """Output beats per pixel."""
        return self.channels // self.pe

    @property
    def tap_groups(self) -> int:
        """Input beats per output beat."""
        return int(self.weights.shape[1]) // self.taps

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.input_type, self.taps * self.pe, self.pixels * self.tiles * self.tap_groups),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.acc_type, self.pe, self.pixels * self.tiles),)

    @property
    def cycles(self) -> int:
        return self.pixels * self.tiles * self.tap_groups

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (np.arange(1, self.pixels * self.tiles + 1) * self.tap_groups,)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        windows = beats.reshape(-1, self.tiles, self.weights.shape[1], self.pe).astype(np.int64)
        weights = self.weights.reshape(self.tiles, self.pe, -1).transpose(0, 2, 1)
        acc = (windows * weights).sum(axis=2) + self.bias.reshape(self.tiles, self.pe)
        check_range(self.kind, acc, self.acc_type)
        return (acc.astype(self.acc_type.dtype).reshape(len(beats), -1, self.pe),)

    def constants(self) -> dict[str, int]:
        return {
            "PIXELS": self.pixels,
            "TILES": self.tiles,
            "PE": self.pe,
            "TAPS": self.taps,
            "TAP_GROUPS": self.tap_groups,
            "ROWS": self.tiles * self.tap_groups,
            "MAC": self.mac.value,
            "INPUT_BIPOLAR": int(self.input_type.bipolar),
            "WEIGHT_BIPOLAR": int(self.weight_type.bipolar),
        }

    @property
    def rows(self) -> IntArray:
        rows = self.weights.reshape(self.tiles, self.pe, self.tap_groups, self.taps).transpose(0, 2, 1, 3)
        return np.asarray(rows.reshape(-1, self.pe, self.taps))

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        return {
            "TILES": self.tiles,
            "TAP_GROUPS": self.tap_groups,
            "PE": self.pe,
            "TAPS": self.taps,
            **self.dot_array.parameters(),
        }

    def timing(self) -> Timing:
        output = self.dot_array.output_timing(self.pixels * self.tiles)
        return Timing(self.cycles, (InputTiming(np.arange(1, self.cycles + 1)),), (output,))
