"""Dense layer and convolution body: ``pe`` outputs times ``simd`` inputs per clock cycle, weights on chip."""

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
class Matvec(DotKernel):
    """``acc = sum(x * w) + bias`` for every pixel and group.

    ``weights``: int64 (groups, outputs per group, inputs per group), inputs in the order of the stream.
    ``bias``: int64 (outputs,). Zero points are already in the bias. Bipolar operands are -1 and +1.
    ``acc_type`` must hold every result that can occur; ``golden`` raises ValueError when one does not fit.
    ``memory``: what the ROM of the weights is made of.
    """

    kind: ClassVar[str] = "matvec"

    pixels: int
    groups: int
    pe: int
    simd: int
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
            self.weights.ndim == 3 and len(self.weights) == self.groups and self.weights.size > 0,
            f"weights of shape {self.weights.shape} are not (groups={self.groups}, outputs, inputs)",
        )
        _, outputs, inputs = self.weights.shape
        require(self.pe > 0 and outputs % self.pe == 0, f"pe={self.pe} does not divide {outputs} outputs")
        require(self.simd > 0 and inputs % self.simd == 0, f"simd={self.simd} does not divide {inputs} inputs")
        require(
            self.bias.shape == (self.groups * outputs,),
            f"bias of shape {self.bias.shape} does not match {self.groups * outputs} outputs",
        )
        check_mac(self.mac, self.input_type, self.weight_type, self.weights)
        even = self.mac is not Mac.DSP2 or self.pe % 2 == 0
        require(even, f"dsp2 computes outputs in pairs, so pe={self.pe} must be even")

    @property
    def input_fold(self) -> int:
        """Input beats per pixel and group."""
        return int(self.weights.shape[2]) // self.simd

    @property
    def output_fold(self) -> int:
        """Output beats per pixel and group."""
        return int(self.weights.shape[1]) // self.pe

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.input_type, self.simd, self.pixels * self.groups * self.input_fold),)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return (StreamSpec(self.acc_type, self.pe, self.pixels * self.groups * self.output_fold),)

    @property
    def cycles(self) -> int:
        return self.pixels * self.groups * self.output_fold * self.input_fold

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        # a group's first output waits for its last input beat, the others read nothing
        vectors = np.arange(1, self.pixels * self.groups + 1)
        return (np.repeat(vectors * self.input_fold, self.output_fold),)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        (beats,) = inputs
        vectors = beats.reshape(-1, self.groups, self.weights.shape[2]).transpose(1, 0, 2)
        acc = exact_matmul(vectors, self.weights.transpose(0, 2, 1)) + self.bias.reshape(self.groups, 1, -1)
        check_range(self.kind, acc, self.acc_type)
        acc = acc.transpose(1, 0, 2).reshape(len(beats), -1, self.pe)
        return (acc.astype(self.acc_type.dtype),)

    def constants(self) -> dict[str, int]:
        return {
            "PIXELS": self.pixels,
            "GROUPS": self.groups,
            "PE": self.pe,
            "SIMD": self.simd,
            "OUTPUT_FOLD": self.output_fold,
            "INPUT_FOLD": self.input_fold,
            "ROWS": self.groups * self.output_fold * self.input_fold,
            "MAC": self.mac.value,
            "INPUT_BIPOLAR": int(self.input_type.bipolar),
            "WEIGHT_BIPOLAR": int(self.weight_type.bipolar),
        }

    @property
    def rows(self) -> IntArray:
        tiles = self.weights.reshape(self.groups, self.output_fold, self.pe, self.input_fold, self.simd)
        return np.asarray(tiles.transpose(0, 1, 3, 2, 4).reshape(-1, self.pe, self.simd))

    def rtl_parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        return {
            "GROUPS": self.groups,
            "OUTPUT_FOLD": self.output_fold,
            "INPUT_FOLD": self.input_fold,
            "PE": self.pe,
            "SIMD": self.simd,
            **self.dot_array.parameters(),
        }

    def timing(self) -> Timing:
        vectors = self.pixels * self.groups
        steps = self.cycles
        if self.output_fold == 1:
            needed = InputTiming(np.arange(1, steps + 1))
        else:
            vector, step = np.divmod(np.arange(steps), self.output_fold * self.input_fold)
            needs = vector * self.input_fold + np.minimum(step + 1, self.input_fold)
            # the buffer holds two vectors: a beat takes the place of the one two vectors before, after its last use
            vector, beat = np.divmod(np.arange(vectors * self.input_fold), self.input_fold)
            frees = ((vector - 1) * self.output_fold - 1) * self.input_fold + beat
            needed = InputTiming(needs, frees, delay=1)
        output = self.dot_array.output_timing(vectors * self.output_fold)
        return Timing(steps, (needed,), (output,))


def exact_matmul(x: IntArray, w: IntArray) -> npt.NDArray[np.int64]:
    """Batched ``x @ w`` on integers, int64. By BLAS in floating point, much faster, where that is provably exact."""
    bound = int(np.abs(x).max(initial=0)) * int(np.abs(w).sum(axis=-2).max(initial=0))
    if bound < 1 << 53:
        dtype = np.float32 if bound < 1 << 24 else np.float64
        return np.asarray(np.matmul(x.astype(dtype), w.astype(dtype)), np.int64)
    return np.asarray(np.matmul(x.astype(np.int64), w.astype(np.int64)))
