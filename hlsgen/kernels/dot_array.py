"""The arithmetic of matvec and depthwise in SystemVerilog (ip_repo/dot_array.sv): its parameters, ROMs and latency.

The dot products of the hardware are offset by constants: an unsigned term needs no sign to be extended, and Booth's
negative digits are made by inverting bits. Offsets depend on the weights only, so the start values of the accumulators,
otherwise the bias, take them off again. All of that is modulo 2**bits of the accumulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np

from hlsgen.graph.types import Int64Array, IntArray, QuantType
from hlsgen.kernels.base import MemoryImage, OutputTiming, RamStyle, pack_words, require


class Mac(Enum):
    """What multiplies. The value is the constant in templates/hls/mac.hpp and the parameter MAC in SystemVerilog."""

    LUT = 0
    DSP = 1
    DSP2 = 2
    """Two 8-bit products that share an activation from one DSP."""
    XNOR = 3
    """Bipolar operands: agreement and popcount."""


@dataclass(frozen=True, eq=False)
class DotArray:
    """``pe`` dot products of ``simd`` elements in each step, accumulated over ``input_fold`` steps.

    ``weights``: int64 (rows, pe, simd), a row for each step, cyclically; ``bias``: int64 (rows / input_fold, pe).
    """

    input_fold: int
    weights: IntArray
    bias: IntArray
    input_type: QuantType
    weight_type: QuantType
    acc_type: QuantType
    mac: Mac
    memory: RamStyle

    @property
    def pe(self) -> int:
        """Outputs per beat."""
        return int(self.weights.shape[1])

    @property
    def simd(self) -> int:
        """Products of an output per step."""
        return int(self.weights.shape[2])

    @cached_property
    def weight_bits(self) -> int:
        """Bits of a weight as it is multiplied: one if bipolar by LUTs, else those of the actual weights' range."""
        if self.weights_are_signs:
            return 1
        return QuantType.for_range(min(-1, int(self.weights.min())), int(self.weights.max())).bits

    @property
    def weights_are_signs(self) -> bool:
        """Whether a weight is one bit that tells +1 from -1; others are numbers in two's complement."""
        return self.weight_type.bipolar and self.mac in (Mac.LUT, Mac.XNOR)

    @property
    def digits(self) -> int:
        """Booth digits of a weight, for products made of LUTs."""
        return (self.weight_bits + 1) // 2

    @cached_property
    def product_range(self) -> tuple[int, int]:
        """Smallest and largest product of the actual weights' range and the input type."""
        corners = [
            x * int(w)
            for x in (self.input_type.min, self.input_type.max)
            for w in (self.weights.min(), self.weights.max())
        ]
        return min(corners), max(corners)

    @property
    def latency(self) -> int:
        """Cycles from the last step of an output beat to the beat's first offer."""
        if self.mac is Mac.LUT:
            dot = self.digits + tree_levels(-(-self.simd // 3))
        elif self.mac is Mac.XNOR:
            dot = 1 + tree_levels(-(-self.simd // 9))
        else:
            dot = 3 + tree_levels(self.simd)
        return dot + 3

    @property
    def places(self) -> int:
        """Output beats claimed and not yet taken, at most: as many as the full rate needs."""
        return 1 + -(-self.latency // self.input_fold)

    def output_timing(self, beats: int) -> OutputTiming:
        """Timing of an output of ``beats`` per image, each of ``input_fold`` steps."""
        claims = np.arange(beats) * self.input_fold
        return OutputTiming(claims + self.input_fold - 1, self.latency, self.places, claims)

    def parameters(self) -> dict[str, int | str | tuple[int, ...]]:
        """The parameters of hlsgen_dot_array that matvec and depthwise hand down under the same names."""
        lo, hi = self.product_range
        multiplies = self.mac in (Mac.DSP, Mac.DSP2)
        return {
            "MAC": self.mac.value,
            "INPUT_BITS": self.input_type.bits,
            "INPUT_SIGNED": int(self.input_type.signed and not self.input_type.bipolar),
            "INPUT_BIPOLAR": int(self.input_type.bipolar),
            "WEIGHT_BITS": self.weight_bits,
            "WEIGHT_BIPOLAR": int(self.weights_are_signs),
            "PRODUCT_BITS": max(1, (hi - lo).bit_length()) if multiplies else 1,
            "OFFSET": -lo if multiplies else 0,
            "ACC_BITS": self.acc_type.bits,
            "RAM_STYLE": self.memory.value,
        }

    def memories(self) -> Sequence[MemoryImage]:
        """The ROMs ``weights`` and ``start``."""
        bits = self.weight_bits
        if self.mac is Mac.DSP2:
            pairs = self.weights.reshape(len(self.weights), self.pe // 2, 2, self.simd).astype(np.int64)
            low, high = pairs[:, :, 0], pairs[:, :, 1]
            wires = (high - (low < 0)) << bits | low & ((1 << bits) - 1)
            bits = 2 * bits + 1
        elif self.weights_are_signs:
            wires = np.asarray(self.weights > 0, np.int64)
        else:
            wires = np.asarray(self.weights, np.int64)
        weights = pack_words("weights", bits, wires.reshape(len(wires), -1))
        return (weights, pack_words("start", self.acc_type.bits, self.start()))

    def start(self) -> Int64Array:
        """What each accumulator starts with, modulo 2**64: the bias less the constants in its dot products."""
        products = self.simd * self.input_fold
        if self.mac is Mac.XNOR:  # sum of products = 2 * agreements - products
            return self.bias.astype(np.int64) - products
        if self.mac is not Mac.LUT:
            return self.bias.astype(np.int64) + products * self.product_range[0]
        constants = self._lut_constants().reshape(-1, self.input_fold, self.pe, self.simd)
        return np.asarray(self.bias + constants.sum(axis=(1, 3)), np.int64)

    def _lut_constants(self) -> Int64Array:
        """x * w less what hlsgen_dot_lut adds for it (see ip_repo/lut_chain.sv), for every weight."""
        x, w = self.input_type, self.weights.astype(np.int64)
        if self.weights_are_signs:
            constants = (w < 0).astype(np.int64) - (1 << (x.bits - 1))
        else:
            constants = np.zeros_like(w)
            for digit in range(self.digits):
                code = (w << 1) >> (2 * digit) & 7
                negative = (code & 4 > 0) & (code != 7)
                constants += (negative.astype(np.int64) - (1 << x.bits)) << (2 * digit)
        if x.bipolar:  # bit b of value 2b - 1 is multiplied as b - 1
            return 2 * constants + w
        return constants if x.signed else constants + (w << (x.bits - 1))


def tree_levels(terms: int) -> int:
    """ceil(log3 terms): cycles that hlsgen_adder_tree takes."""
    levels = 0
    while terms > 1:
        terms = -(-terms // 3)
        levels += 1
    return levels


def check_mac(mac: Mac, input_type: QuantType, weight_type: QuantType, weights: IntArray) -> None:
    """Raise ValueError unless ``weights`` are of ``weight_type`` and ``mac`` can multiply the two types."""
    lo, hi = int(weights.min()), int(weights.max())
    require(weight_type.contains(lo, hi), f"weights {lo}..{hi} do not fit {weight_type}")
    require(not weight_type.bipolar or bool(np.all(weights)), "a bipolar weight is -1 or +1, not 0")
    if mac is Mac.XNOR:
        require(
            input_type.bipolar and weight_type.bipolar,
            f"xnor needs bipolar operands, not {input_type} and {weight_type}",
        )
    if mac is Mac.DSP2:
        require(
            input_type.bits <= 8 and not input_type.bipolar and lo >= -128 and hi <= 127 and not weight_type.bipolar,
            f"dsp2 multiplies 8-bit activations by int8 weights, not {input_type} by {lo}..{hi} ({weight_type})",
        )
