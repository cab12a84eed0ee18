"""Kernels whose estimated resources are compared with those that Yosys finds.

For each kind a designed set, from which ``scripts/calibrate_resources.py`` fits the coefficients, and another one of
shapes in between, on which the estimates are judged. Contents of memories are random, the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from hlsgen.exact.joins import join_units
from hlsgen.exact.requantize import requant_units
from hlsgen.graph.ops import Geometry
from hlsgen.graph.reference import AffineJoinReference, AffineReference, QLinearAddReference, QLinearReference, Rounding
from hlsgen.graph.types import INT8, UINT8, IntArray, QuantType
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import Kernel, RamStyle
from hlsgen.kernels.concat import Concat
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.fifo import Fifo
from hlsgen.kernels.fork import Fork
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.maxpool import MaxPool
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.sumpool import SumPool
from hlsgen.kernels.table import Table
from hlsgen.kernels.unpack import Unpack
from hlsgen.kernels.width import Width
from hlsgen.kernels.window import Window

Cases = Callable[[], Sequence[Kernel | Fifo]]


def _fifo_train() -> list[Fifo]:
    shapes = [(8, depth) for depth in (3, 4, 5, 8, 9, 16, 17, 32, 33, 40, 64, 65, 100, 128, 129, 200, 256)]
    shapes += [(36, 12), (72, 40), (8, 600), (8, 1024), (8, 2048), (8, 2500), (8, 5000), (36, 1500), (100, 700)]
    return [Fifo(*shape) for shape in [*shapes, (20, 3000), (64, 512), (36, 100)]]


def _fifo_held_out() -> list[Fifo]:
    shapes = [(16, 6), (24, 20), (8, 24), (8, 150), (4, 90), (64, 48), (64, 300), (8, 1500), (16, 2300), (32, 4000)]
    return [Fifo(*shape) for shape in shapes]


def _fork_train() -> list[Fork]:
    return [Fork(INT8, lanes, 64, copies) for lanes, copies in ((1, 2), (2, 2), (4, 2), (8, 2), (1, 3), (4, 3), (2, 4))]


def _fork_held_out() -> list[Fork]:
    return [Fork(QuantType(4, True), 3, 64, 2), Fork(INT8, 3, 64, 3), Fork(QuantType(20, True), 2, 64, 2)]


def _width_train() -> list[Width]:
    lanes = [(1, 2), (1, 4), (1, 8), (1, 16), (4, 8), (4, 12), (1, 3), (2, 1), (4, 1), (8, 1), (16, 1), (32, 1)]
    lanes += [(64, 1), (8, 4), (12, 4), (3, 1), (6, 1), (10, 2), (24, 1), (16, 2)]
    return [Width(INT8, a, b, 8 * b) for a, b in lanes]


def _width_held_out() -> list[Width]:
    lanes = [(2, 8), (1, 9), (2, 4), (9, 1), (5, 1), (32, 4), (20, 1), (8, 2), (4, 32)]
    return [
        Width(type, a, b, 8 * b) for (a, b), type in zip(lanes, [INT8, UINT8, QuantType(20, True)] * 3, strict=True)
    ]


INT4, UINT4, BIPOLAR = QuantType(4, True), QuantType(4, False), QuantType(1, True, bipolar=True)
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


def _matvec_train() -> list[Matvec]:
    return [
        *(matvec(16, 144, 4, 9, Mac.DSP2), matvec(32, 96, 2, 6, Mac.DSP2, UINT8), matvec(10, 64, 2, 1, Mac.DSP2)),
        *(matvec(16, 48, 8, 3, Mac.DSP2), matvec(64, 64, 2, 4, Mac.DSP2), matvec(16, 27, 2, 9, Mac.DSP2, memory=LUTS)),
        *(matvec(128, 32, 2, 4, Mac.DSP2), matvec(16, 27, 2, 27, Mac.DSP2), matvec(8, 36, 4, 12, Mac.DSP2)),
        *(matvec(32, 96, 1, 6, Mac.DSP, UINT8), matvec(10, 64, 1, 1, Mac.DSP), matvec(16, 48, 4, 3, Mac.DSP)),
        *(
            matvec(16, 27, 1, 9, Mac.DSP, memory=LUTS),
            matvec(96, 16, 1, 2, Mac.DSP),
            matvec(8, 32, 2, 4, Mac.DSP, INT4),
        ),
        *(matvec(16, 144, 1, 9, Mac.LUT), matvec(16, 32, 4, 4, Mac.LUT, UINT4, INT4), matvec(10, 64, 1, 1, Mac.LUT)),
        *(matvec(32, 96, 1, 6, Mac.LUT, UINT8), matvec(8, 36, 2, 12, Mac.LUT, INT4, INT4)),
        *(matvec(64, 64, 2, 4, Mac.LUT, UINT8, BIPOLAR), matvec(16, 27, 1, 9, Mac.LUT, INT8, INT4, LUTS)),
        *(matvec(64, 64, 4, 8, Mac.XNOR, BIPOLAR, BIPOLAR), matvec(64, 288, 4, 36, Mac.XNOR, BIPOLAR, BIPOLAR)),
        *(matvec(32, 72, 2, 18, Mac.XNOR, BIPOLAR, BIPOLAR), matvec(16, 64, 8, 64, Mac.XNOR, BIPOLAR, BIPOLAR)),
    ]


def _matvec_held_out() -> list[Matvec]:
    return [
        *(matvec(32, 288, 8, 9, Mac.DSP2), matvec(32, 160, 4, 5, Mac.DSP2, UINT8), matvec(64, 128, 2, 8, Mac.DSP2)),
        *(matvec(24, 54, 6, 18, Mac.DSP2), matvec(12, 144, 3, 9, Mac.DSP), matvec(32, 128, 2, 8, Mac.DSP, UINT8)),
        *(matvec(40, 30, 4, 5, Mac.DSP), matvec(32, 90, 2, 9, Mac.LUT), matvec(32, 48, 4, 6, Mac.LUT, UINT4, INT4)),
        *(matvec(32, 144, 4, 18, Mac.XNOR, BIPOLAR, BIPOLAR), matvec(20, 36, 2, 4, Mac.LUT, UINT8, INT4)),
    ]


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


def _depthwise_train() -> list[Depthwise]:
    return [
        *(depthwise(32, 9, 1, 9, Mac.DSP), depthwise(64, 9, 2, 3, Mac.DSP), depthwise(16, 9, 4, 1, Mac.DSP)),
        *(depthwise(64, 9, 4, 9, Mac.DSP, UINT8), depthwise(128, 9, 1, 1, Mac.DSP), depthwise(32, 25, 2, 5, Mac.DSP)),
        *(depthwise(8, 9, 1, 3, Mac.DSP, memory=LUTS), depthwise(96, 9, 3, 3, Mac.DSP, UINT8)),
        *(
            depthwise(32, 9, 1, 9, Mac.LUT),
            depthwise(64, 9, 2, 3, Mac.LUT, UINT4, INT4),
            depthwise(16, 9, 1, 1, Mac.LUT),
        ),
        *(depthwise(64, 9, 1, 3, Mac.LUT, UINT8), depthwise(24, 9, 2, 9, Mac.LUT, INT4, INT4)),
    ]


def _depthwise_held_out() -> list[Depthwise]:
    return [
        *(depthwise(64, 9, 1, 3, Mac.DSP), depthwise(48, 9, 2, 9, Mac.DSP, UINT8), depthwise(32, 9, 2, 1, Mac.DSP)),
        *(depthwise(32, 9, 1, 3, Mac.LUT), depthwise(40, 9, 2, 9, Mac.LUT, UINT4, INT4)),
    ]


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


def _window_train() -> list[Window]:
    return [
        *(window((32, 32, 16), 3, 1, 1, "all"), window((32, 32, 3), 3, 1, 1, "all", UINT8)),
        *(
            window((16, 16, 32), 3, 2, 1, "all"),
            window((8, 8, 64), 3, 1, 2, "all"),
            window((24, 24, 8), 5, 1, 1, "all"),
        ),
        *(window((28, 28, 1), 3, 1, 1, "all", UINT8), window((16, 16, 8), 2, 2, 1, "all", pad=0)),
        *(window((12, 12, 64), 3, 1, 8, "all", UINT4), window((32, 32, 16), 3, 1, 4, "all", memory=LUTS)),
        *(window((25, 5, 64), 3, 1, 1, "all", groups=64), window((14, 14, 32), 3, 2, 2, "all", groups=16)),
        *(window((48, 48, 3), 3, 2, 3, "all"), window((16, 16, 16), 3, 1, 2, "all", dilation=2)),
        *(
            window((32, 32, 16), 3, 1, 1, "row"),
            window((16, 16, 32), 3, 2, 1, "row"),
            window((8, 8, 64), 3, 1, 2, "row"),
        ),
        *(window((28, 28, 1), 3, 1, 1, "row", UINT8), window((16, 16, 8), 2, 2, 1, "row", pad=0)),
        *(window((24, 24, 8), 5, 1, 1, "row"), window((14, 14, 32), 3, 1, 2, "row", groups=16)),
        *(
            window((32, 32, 16), 3, 1, 1, "one"),
            window((16, 16, 32), 3, 2, 1, "one"),
            window((8, 8, 64), 3, 1, 4, "one"),
        ),
        *(window((28, 28, 1), 3, 1, 1, "one", UINT8), window((16, 16, 8), 2, 2, 1, "one", pad=0)),
        *(window((24, 24, 8), 5, 1, 1, "one"), window((14, 14, 32), 3, 1, 2, "one", groups=16)),
        *(window((10, 10, 8), 3, 1, 1, "one", memory=LUTS), window((10, 10, 8), 3, 1, 1, "row", memory=LUTS)),
        *(window((14, 22, 12), 3, 2, 1, "row"), window((11, 11, 10), 3, 2, 1, "one")),
        *(window((32, 32, 16), 1, 2, 1, "all", pad=0), window((16, 16, 32), 1, 2, 4, "all", pad=0)),
        *(window((8, 8, 64), 1, 2, 2, "all", pad=0), window((15, 15, 8), 1, 2, 1, "all", UINT4, pad=0)),
    ]


def _window_held_out() -> list[Window]:
    return [
        *(window((32, 32, 32), 3, 1, 1, "all"), window((20, 30, 24), 3, 1, 2, "all", UINT8)),
        *(window((40, 40, 12), 3, 2, 1, "all"), window((7, 7, 128), 3, 1, 4, "all", INT4)),
        *(window((12, 12, 48), 3, 1, 1, "all", groups=48), window((20, 20, 16), 3, 1, 1, "row")),
        *(
            window((12, 30, 6), 3, 2, 1, "row"),
            window((18, 18, 24), 3, 1, 2, "one"),
            window((9, 9, 12), 3, 2, 1, "one"),
        ),
        window((20, 20, 16), 1, 2, 2, "all", pad=0),
    ]


def _pool_train() -> list[SumPool | MaxPool]:
    acc = QuantType(14, True)
    shapes = [
        (64, 64, 1, 1),
        (64, 16, 2, 1),
        (4, 32, 1, 4),
        (9, 16, 1, 9),
        (9, 16, 2, 3),
        (25, 128, 4, 1),
        (49, 200, 1, 1),
    ]
    sums = [SumPool(4, taps, channels, lanes, beat, INT8, acc, -8) for taps, channels, lanes, beat in shapes]
    sums += [SumPool(4, 64, 1, 1, 1, UINT8, acc, 0), SumPool(1, 16, 24, 8, 1, UINT4, QuantType(8, True), 0)]
    shapes = [(4, 16, 1, 4), (4, 64, 4, 4), (9, 16, 1, 9), (9, 32, 1, 3), (4, 64, 1, 1), (4, 48, 2, 2), (9, 16, 2, 1)]
    peaks = [MaxPool(16, taps, channels, lanes, beat, INT8) for taps, channels, lanes, beat in shapes]
    return [*sums, *peaks, MaxPool(16, 4, 8, 8, 4, UINT4), MaxPool(16, 4, 1, 1, 2, UINT8)]


def _pool_held_out() -> list[SumPool | MaxPool]:
    sums = [
        SumPool(1, 49, 64, 1, 1, INT8, QuantType(15, True), 0),
        SumPool(4, 9, 8, 1, 3, UINT8, QuantType(12, True), 0),
    ]
    sums += [SumPool(1, 36, 96, 2, 1, INT8, QuantType(14, True), 0)]
    peaks = [MaxPool(16, 4, 32, 2, 4, INT8), MaxPool(16, 9, 24, 1, 1, UINT8), MaxPool(16, 4, 32, 1, 2, INT4)]
    return [*sums, *peaks]


def _boundary_train() -> list[Unpack | Pack]:
    unpacks = [
        *(Unpack(64, 3072, 1, INT8), Unpack(64, 3072, 3, INT8), Unpack(64, 784, 1, UINT8), Unpack(32, 640, 4, INT8)),
        *(Unpack(128, 1024, 8, INT8), Unpack(64, 512, 8, INT8), Unpack(64, 512, 16, INT8), Unpack(64, 768, 2, UINT4)),
        *(Unpack(128, 3072, 1, INT8), Unpack(64, 600, 5, INT8), Unpack(64, 512, 2, INT8), Unpack(64, 512, 4, INT8)),
    ]
    packs = [
        *(
            Pack(64, ((10, 1, INT8),)),
            Pack(64, ((640, 1, INT8),)),
            Pack(64, ((100, 2, INT8),)),
            Pack(32, ((64, 4, INT8),)),
        ),
        *(Pack(64, ((12, 1, QuantType(20, True)),)), Pack(128, ((1000, 1, INT8),)), Pack(64, ((512, 16, INT8),))),
        *(Pack(64, ((64, 8, INT8),)), Pack(64, ((30, 3, INT8),)), Pack(64, ((10, 1, INT8), (20, 2, INT8)))),
        *(
            Pack(64, ((10, 1, INT8), (64, 4, UINT4), (30, 1, QuantType(18, True)))),
            Pack(64, ((10, 1, UINT8), (5, 1, INT8))),
        ),
    ]
    return [*unpacks, *packs]


def _boundary_held_out() -> list[Unpack | Pack]:
    return [
        *(Unpack(64, 960, 1, UINT8), Unpack(128, 960, 3, INT8), Unpack(64, 960, 24, INT8)),
        *(Pack(64, ((12, 1, UINT8),)), Pack(64, ((200, 4, INT8),)), Pack(64, ((16, 1, INT8), (40, 1, INT8)))),
    ]


def _dot_train() -> list[Matvec | Depthwise]:
    return [*_matvec_train(), *_depthwise_train()]  # which are of the same parts


def _dot_held_out() -> list[Matvec | Depthwise]:
    return [*_matvec_held_out(), *_depthwise_held_out()]


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


def _requant_train() -> list[Requant]:
    f, t = "float24", "threshold"
    return [
        *(
            requant(f, 16, 1, 150000),
            requant(f, 16, 1, 150000, 2),
            requant(f, 64, 1, 400000, 2),
            requant(f, 64, 4, 60000),
        ),
        *(requant(f, 32, 2, 20000, 2), requant(f, 32, 1, 9000), requant(f, 10, 1, 80000, single=True)),
        *(requant(f, 128, 1, 700000, 2, memory=BLOCK), requant(f, 24, 1, 3000000), requant(f, 8, 8, 50000, 2)),
        *(
            requant(f, 16, 1, 150000, mac=Mac.LUT),
            requant(f, 64, 1, 40000, mac=Mac.LUT),
            requant(f, 16, 2, 9000, mac=Mac.LUT),
        ),
        *(requant(f, 16, 1, 150000, mac=Mac.LUT, single=True), requant(f, 8, 1, 8000, mac=Mac.LUT, single=True)),
        *(requant("scale", 16, 1, 150000), requant("scale", 64, 2, 400000), requant("scale", 32, 1, 9000)),
        *(
            requant(f, 64, 1, 100000),
            requant(f, 40, 1, 30000),
            requant("scale", 64, 1, 30000),
            requant("scale", 12, 1, 9000),
            requant("scale", 16, 4, 50000),
            requant("scale", 64, 1, 80000, 2, memory=BLOCK),
            requant("scale", 8, 1, 2000),
        ),
        *(requant("scale", 10, 1, 30000, single=True), requant("scale", 16, 1, 20000, out=UINT4)),
        *(requant("scale", 16, 1, 150000, mac=Mac.LUT), requant("scale", 64, 1, 9000, mac=Mac.LUT)),
        *(requant("scale", 32, 2, 40000, mac=Mac.LUT), requant("scale", 16, 1, 5000, mac=Mac.LUT, out=UINT4)),
        *(requant("shift", 16, 1, 150000), requant("shift", 64, 4, 400000), requant("shift", 32, 1, 9000)),
        *(requant("shift", 16, 1, 3000, out=UINT4), requant("shift", 10, 2, 30000, single=True)),
        *(requant(t, 16, 1, 5000, out=UINT4, memory=BLOCK), requant(t, 64, 1, 20000, out=UINT4, memory=BLOCK)),
        *(requant(t, 16, 4, 5000, out=UINT4, memory=BLOCK), requant(t, 16, 1, 150000, memory=BLOCK)),
        *(requant(t, 16, 1, 5000, out=UINT4), requant(t, 64, 1, 900, out=UINT4), requant(t, 16, 2, 300, out=UINT4)),
    ]


def _requant_held_out() -> list[Requant]:
    f, t = "float24", "threshold"
    return [
        *(requant(f, 32, 1, 250000, 2), requant(f, 48, 2, 90000), requant(f, 96, 1, 30000, 2)),
        *(requant(f, 32, 1, 70000, mac=Mac.LUT), requant("scale", 48, 1, 200000), requant("scale", 24, 2, 20000)),
        *(requant("scale", 24, 1, 60000, mac=Mac.LUT), requant("shift", 48, 1, 60000), requant("shift", 24, 2, 12000)),
        *(requant(t, 32, 1, 8000, out=UINT4, memory=BLOCK), requant(t, 32, 1, 2000, out=UINT4)),
    ]


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


def _elementwise_train() -> list[Table | Add]:
    return [
        *(table(16, 1), table(16, 4), table(16, 1, False, BLOCK), table(16, 2, True, BLOCK), table(8, 1, x=UINT4)),
        *(table(8, 2, False, x=INT4), table(4, 1, False), table(16, 1, True, x=QuantType(6, True))),
        *(add(16, 1, 0.7), add(16, 4, 0.7), add(16, 1, 0.37), add(16, 2, 1.9), add(16, 1, 1.0), add(32, 2, 1.0)),
        *(add(16, 1, 0.7, Mac.LUT), add(16, 4, 0.7, Mac.LUT), add(16, 1, 1.0, Mac.LUT), add(32, 2, 1.9, Mac.LUT)),
        *(add(16, 1, 1, floats=False), add(64, 2, 1, floats=False), add(16, 1, 1, Mac.LUT, False)),
        *(add(64, 2, 1, Mac.LUT, False), add(16, 1, 0.51), add(16, 1, 0.83, Mac.LUT)),
    ]


def _elementwise_held_out() -> list[Table | Add]:
    tables = [table(32, 2), table(12, 1, False, BLOCK)]
    return [*tables, add(24, 2, 0.55), add(24, 1, 1.3, Mac.LUT), add(32, 1, 1, floats=False)]


def _all_elementwise_train() -> list[Requant | Table | Add]:
    return [*_requant_train(), *_elementwise_train()]  # which are of the same parts


def _all_elementwise_held_out() -> list[Requant | Table | Add]:
    return [*_requant_held_out(), *_elementwise_held_out()]


def _concat_train() -> list[Concat]:
    return [
        *(Concat(16, (8, 8), 1, INT8), Concat(16, (8, 16, 8), 4, INT8), Concat(16, (32, 16), 8, INT8)),
        *(
            Concat(16, (4, 4, 4, 4), 1, UINT4),
            Concat(16, (3, 5), 1, QuantType(20, True)),
            Concat(16, (64, 64), 2, INT8),
        ),
    ]


def _concat_held_out() -> list[Concat]:
    return [Concat(16, (24, 8), 2, INT8), Concat(16, (8, 8, 16), 1, INT8)]


CASES: dict[str, tuple[Cases, Cases]] = {
    "dot products": (_dot_train, _dot_held_out),
    "elementwise": (_all_elementwise_train, _all_elementwise_held_out),
    "concat": (_concat_train, _concat_held_out),
    "window": (_window_train, _window_held_out),
    "pool": (_pool_train, _pool_held_out),
    "boundary": (_boundary_train, _boundary_held_out),
    "fifo": (_fifo_train, _fifo_held_out),
    "fork": (_fork_train, _fork_held_out),
    "width": (_width_train, _width_held_out),
}
"""By kind: those to fit, those to judge by."""
