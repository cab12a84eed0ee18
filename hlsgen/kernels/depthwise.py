"""Depthwise convolution body: ``pe`` channels times ``taps`` window taps per clock cycle, weights on chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Beats, Kernel, Memory, StreamSpec, require
from hlsgen.kernels.matvec import Mac, check_mac, check_range


@dataclass(frozen=True, eq=False)
class Depthwise(Kernel):
    """``acc[c] = sum over taps of x[c] * w[c] + bias[c]`` for every pixel.

    Input beats as ``window`` delivers them with groups = channels / pe: (pixel, channel tile, tap group), element =
    tap *
    pe + channel. ``weights``: int64 (channels, taps of the kernel); ``bias``: int64 (channels,). Zero points are already
    in the bias. ``acc_type`` must hold every result; ``golden`` raises ValueError when one does not fit.
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

    def __post_init__(self) -> None:
        require(self.pixels > 0, f"pixels={self.pixels} is not positive")
        require(
            self.weights.ndim == 2 and len(self.weights) == self.channels and self.weights.size > 0,
            f"weights of shape {self.weights.shape} are not (channels={self.channels}, taps)",
        )
        require(self.pe > 0 and self.channels % self.pe == 0, f"pe={self.pe} does not divide {self.channels} channels")
        kernel_taps = self.weights.shape[1]
        require(self.taps > 0 and kernel_taps % self.taps == 0, f"taps={self.taps} does not divide {kernel_taps} taps")
        require(
            self.bias.shape == (self.channels,),
            f"bias of shape {self.bias.shape} does not match {self.channels} channels",
        )
        require(self.mac is not Mac.DSP2, "dsp2 shares an activation between two outputs; a depthwise channel has one")
        check_mac(self.mac, self.input_type, self.weight_type, self.weights)

    @property
    def tiles(self) -> int:
        """Channel tiles per pixel."""
        return self.channels // self.pe

    @property
    def tap_groups(self) -> int:
        """Input beats per pixel and channel tile."""
        return int(self.weights.shape[1]) // self.taps

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.input_type, self.taps * self.pe, self.pixels * self.tiles * self.tap_groups),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.acc_type, self.pe, self.pixels * self.tiles),)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return (np.arange(1, self.outputs[0].beats + 1) * self.tap_groups,)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        windows = beats.reshape(len(beats), self.pixels, self.tiles, self.tap_groups * self.taps, self.pe)
        weights = self.weights.reshape(self.tiles, self.pe, -1).transpose(0, 2, 1)  # (tile, tap, channel of the tile)
        acc = np.einsum("npjkc,jkc->npjc", windows.astype(np.int64), weights) + self.bias.reshape(self.tiles, self.pe)
        check_range(self.kind, acc, self.acc_type)
        return (acc.reshape(len(beats), -1, self.pe).astype(self.acc_type.dtype),)

    def constants(self) -> dict[str, int]:
        return {
            "PIXELS": self.pixels,
            "TILES": self.tiles,
            "TAP_GROUPS": self.tap_groups,
            "PE": self.pe,
            "TAPS": self.taps,
            "MAC": self.mac.value,
            "INPUT_BIPOLAR": int(self.input_type.bipolar),
            "WEIGHT_BIPOLAR": int(self.weight_type.bipolar),
        }

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.input_type, "weight_t": self.weight_type, "acc_t": self.acc_type}

    def memories(self) -> Sequence[Memory]:
        groups = self.weights.reshape(self.tiles, self.pe, self.tap_groups, self.taps)
        rows = groups.transpose(0, 2, 3, 1).reshape(self.tiles * self.tap_groups, self.taps * self.pe)
        start = self.bias - (self.weights.shape[1] if self.mac is Mac.XNOR else 0)
        return (
            Memory("weights", self.weight_type, rows),
            Memory("start", self.acc_type, start.reshape(self.tiles, self.pe)),
        )
