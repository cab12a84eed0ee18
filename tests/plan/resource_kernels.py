"""Kernels with random contents of memories, the same every time, by the parameters that their size depends on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hlsgen.exact.joins import join_units
from hlsgen.exact.requantize import requant_units
from hlsgen.graph.ops import Geometry
from hlsgen.graph.reference import AffineJoinReference, AffineReference, QLinearAddReference, QLinearReference, Rounding
from hlsgen.graph.types import INT8, IntArray, QuantType
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.table import Table
from hlsgen.kernels.window import Window

BLOCK, LUTS = RamStyle.BLOCK, RamStyle.DISTRIBUTED


def _weights(shape: tuple[int, ...], type: QuantType) -> IntArray:
    """Random weights of a shape that reach both ends of the type."""
    values = np.random.default_rng(sum(shape)).integers(type.min, type.max + 1, shape)
    if type.bipolar:
        return np.where(values < 0, -1, 1)
    values.flat[0], values.flat[-1] = type.min, type.max
    return values


def _acc_type(weights: IntArray, input_type: QuantType, axes: tuple[int, ...]) -> QuantType:
    """Of sums with random inputs: as real layers have them, not the worst case."""
    reach = int(np.abs(weights).sum(axis=axes).max()) * max(abs(input_type.min), input_type.max)
    return QuantType.for_range(-reach, reach)


def matvec(
    outputs: int,
    inputs: int,
    pe: int,
    simd: int,
    mac: Mac,
    x: QuantType = INT8,
    w: QuantType = INT8,
    memory: RamStyle = BLOCK,
    groups: int = 1,
) -> Matvec:
    """A dense layer or convolution body with random weights."""
    weights = _weights((groups, outputs, inputs), w)
    bias = np.random.default_rng(outputs).integers(-1000, 1000, groups * outputs)
    return Matvec(64, groups, pe, simd, weights, bias, x, w, _acc_type(weights, x, (2,)), mac, memory)


def depthwise(
    channels: int,
    window: int,
    pe: int,
    taps: int,
    mac: Mac,
    x: QuantType = INT8,
    w: QuantType = INT8,
    memory: RamStyle = BLOCK,
) -> Depthwise:
    """A depthwise body with random weights."""
    weights = _weights((channels, window), w)
    bias = np.random.default_rng(channels).integers(-1000, 1000, channels)
    return Depthwise(64, channels, pe, taps, weights, bias, x, w, _acc_type(weights, x, (1,)), mac, memory)


def window(
    size: tuple[int, int, int],
    kernel: int,
    stride: int,
    lanes: int,
    taps: str,
    x: QuantType = INT8,
    pad: int = -1,
    groups: int = 1,
    memory: RamStyle = BLOCK,
    dilation: int = 1,
) -> Window:
    """A square window; ``taps`` is "one", "row" or "all", ``pad`` is kernel // 2 unless given."""
    pad = kernel // 2 if pad < 0 else pad
    geometry = Geometry((kernel, kernel), (stride, stride), (dilation, dilation), (pad, pad, pad, pad))
    count = {"one": 1, "row": kernel, "all": kernel * kernel}[taps]
    return Window(size, geometry, 0, lanes, count, groups, x, memory=memory)


def requant(
    kind: str,
    channels: int,
    lanes: int,
    reach: int,
    passes: int = 1,
    mac: Mac = Mac.DSP,
    memory: RamStyle = LUTS,
    single: bool = False,
    out: QuantType = INT8,
) -> Requant:
    """A requantizer of accumulators within ``reach``, whose results span the output type."""
    generator = np.random.default_rng(channels + reach)
    count = 1 if single else channels
    factors = (generator.uniform(0.4, 2, count) * 1.5 * out.max / reach).astype(np.float32)
    reference: QLinearReference | AffineReference
    if kind in ("float24", "threshold"):
        reference = QLinearReference(factors, 3 if out.bits == 8 else 0, out.min, out.max)
    else:
        scales = tuple(Fraction(float(f)) for f in factors)
        if kind == "shift":
            scales = tuple(Fraction(1, 1 << int(-np.log2(float(f)))) for f in factors)
        offsets = tuple(Fraction(int(n), 256) for n in generator.integers(-2000, 2000, channels))
        reference = AffineReference(scales, offsets, Rounding.HALF_EVEN, 0, (out.min,), (out.max,))
    ends = np.full(channels, reach, np.int64)
    unit = next(unit for unit in requant_units(reference, -ends, ends) if unit.kind == kind)
    x = QuantType.for_range(*unit.domain)
    return Requant((4, 4, channels), lanes, x, out, unit, passes=passes, mac=mac, memory=memory)


def table(channels: int, lanes: int, single: bool = True, memory: RamStyle = LUTS, x: QuantType = INT8) -> Table:
    """A random function of each channel, or one for all."""
    values = np.random.default_rng(channels).integers(-128, 128, (1 if single else channels, x.max - x.min + 1))
    return Table((4, 4, channels), lanes, x, INT8, values, x.min, memory)


def add(channels: int, lanes: int, ratio: float, mac: Mac = Mac.DSP, floats: bool = True) -> Add:
    """A join of two int8 tensors: of float32 scales, or of fixed-point ones per channel."""
    if floats:
        scales = np.float32(0.61), np.float32(0.61 * ratio)
        join: QLinearAddReference | AffineJoinReference = QLinearAddReference(*scales, np.float32(2.0), -128, 127)
    else:
        generator = np.random.default_rng(channels)
        mul_a, mul_b = (generator.integers(100, 250, channels) for _ in range(2))
        join = AffineJoinReference(mul_a, mul_b, np.array([77]), 8, Rounding.HALF_EVEN, 0, -128, 127)
    unit = join_units(join, (-128, 127), (-128, 127))[0]
    return Add((4, 4, channels), lanes, INT8, INT8, INT8, unit, mac)
