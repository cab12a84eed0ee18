"""Small integer graphs made by hand, each with something that lowering must get right."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import numpy as np

from hlsgen.exact import solve
from hlsgen.exact.units import Unit
from hlsgen.frontend.builder import GraphBuilder
from hlsgen.graph.graph import Frame, Graph
from hlsgen.graph.host import HostProgram
from hlsgen.graph.ops import Geometry
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    QLinearAddReference,
    QLinearReference,
    Rounding,
    TableReference,
)
from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType
from hlsgen.kernels.axi import frames_from_words, words_from_frames
from hlsgen.kernels.base import Beats
from hlsgen.lower.design import Design

UINT4 = QuantType(4, signed=False)
SAME = (1, 1, 1, 1)


class Net:
    """A graph under construction; methods return tensor names."""

    def __init__(self, shape: Frame, type: QuantType, seed: int = 0) -> None:
        self.builder = GraphBuilder()
        self.rng = np.random.default_rng(seed)
        self.input = self.builder.input("image", shape, type)
        self.count = 0

    def conv(
        self,
        x: str,
        outputs: int,
        kernel: tuple[int, int] = (1, 1),
        *,
        groups: int = 1,
        zero_point: int = 0,
        bits: int = 8,
        bipolar: bool = False,
        strides: tuple[int, int] = (1, 1),
        dilations: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> str:
        channels = self.builder.tensors[x].shape[2]
        shape = (outputs, *kernel, channels // groups)
        limit = 1 << (bits - 1)
        if bipolar:
            weight = self.rng.integers(0, 2, shape) * 2 - 1
        else:
            weight = self.rng.integers(-limit, limit, shape)
            weight.flat[0] = -limit
        bias = self.rng.integers(-300, 300, outputs)
        geometry = Geometry(kernel, strides, dilations, pads)
        return self.builder.conv(self.name("conv"), x, geometry, weight, bias, groups, zero_point, self.name("acc"))

    def requantize(self, x: str, type: QuantType = INT8, rounding: Rounding = Rounding.HALF_EVEN) -> str:
        """Scaled so that the result uses most of ``type``, a different scale per channel; exact-real arithmetic."""
        tensor = self.builder.tensors[x]
        channels = tensor.shape[2]
        reach = max(abs(tensor.lo), abs(tensor.hi), 1)
        span = max(type.max - type.min, 2)
        scale = tuple(Fraction(span * int(self.rng.integers(60, 100)), 50 * reach) for _ in range(channels))
        if rounding is Rounding.SIGN:
            type = BIPOLAR
        middle = 0 if rounding is Rounding.SIGN else (type.max + type.min + 1) // 2
        offset = tuple(Fraction(int(v), 8) for v in self.rng.integers(-16, 16, channels))
        reference = AffineReference(scale, offset, rounding, middle, (type.min,) * channels, (type.max,) * channels)
        return self.builder.requantize(self.name("quant"), x, reference, type, self.name("tensor"))

    def qlinear(self, x: str, zero_point: int = 3) -> str:
        """As ONNX Runtime requantizes: one float32 multiply."""
        tensor = self.builder.tensors[x]
        reach = max(abs(tensor.lo), abs(tensor.hi), 1)
        multiplier = (self.rng.uniform(150, 400, tensor.shape[2]) / reach).astype(np.float32)
        reference = QLinearReference(multiplier, zero_point, -128, 127)
        return self.builder.requantize(self.name("quant"), x, reference, INT8, self.name("tensor"))

    def table(self, x: str, type: QuantType = INT8) -> str:
        tensor = self.builder.tensors[x]
        count = tensor.type.max - tensor.type.min + 1
        values = self.rng.integers(type.min, type.max + 1, (1, count))
        reference = TableReference(tensor.type.min, values, values.astype(np.float64))
        return self.builder.requantize(self.name("table"), x, reference, type, self.name("tensor"))

    def add(self, a: str, b: str) -> str:
        """As ONNX Runtime adds two 8-bit tensors."""
        reference = QLinearAddReference(np.float32(0.61), np.float32(0.47), np.float32(1.75), -128, 127)
        return self.builder.join(self.name("add"), a, b, reference, INT8, self.name("sum"))

    def affine_add(self, a: str, b: str, type: QuantType = INT8) -> str:
        """A sum in which either operand may still be an accumulator, rounded once."""
        reach = [max(abs(self.builder.tensors[x].lo), abs(self.builder.tensors[x].hi), 1) for x in (a, b)]
        scale_a, scale_b = (np.array([(100 << 16) // r]) for r in reach)
        reference = AffineJoinReference(
            scale_a, scale_b, np.array([1 << 15]), 16, Rounding.HALF_EVEN, 0, type.min, type.max
        )
        return self.builder.join(self.name("add"), a, b, reference, type, self.name("sum"))

    def maxpool(self, x: str, geometry: Geometry) -> str:
        return self.builder.maxpool(self.name("maxpool"), x, geometry, self.name("tensor"))

    def sumpool(self, x: str, geometry: Geometry, zero_point: int = 0) -> str:
        return self.builder.sumpool(self.name("avgpool"), x, geometry, zero_point, self.name("acc"))

    def concat(self, *parts: str) -> str:
        return self.builder.concat(self.name("concat"), parts, self.name("tensor"))

    def flatten(self, x: str) -> str:
        return self.builder.reshape(x, (1, 1, self.builder.tensors[x].elements))

    def name(self, stem: str) -> str:
        self.count += 1
        return f"net/{stem}{self.count}"

    def graph(self, *outputs: str) -> Graph:
        graph = Graph(
            "hand made", self.input, list(outputs), self.builder.tensors, self.builder.ops, HostProgram(), HostProgram()
        )
        graph.check()
        return graph

    def global_pool(self, x: str) -> Geometry:
        height, width, _ = self.builder.tensors[x].shape
        return Geometry((height, width))


def single_conv() -> Graph:
    """Asymmetric padding with a zero point, stride, float32 requantization."""
    net = Net((5, 6, 4), INT8)
    x = net.conv(net.input, 6, (3, 3), zero_point=-7, strides=(2, 1), pads=(0, 1, 1, 2))
    return net.graph(net.qlinear(x))


def residual() -> Graph:
    """A skip connection around two convolutions, global average, dense layers; accumulators leave the accelerator."""
    net = Net((6, 6, 3), INT8, seed=1)
    x = net.qlinear(net.conv(net.input, 8, (3, 3), zero_point=5, pads=SAME))
    y = net.qlinear(net.conv(x, 8, (3, 3), zero_point=3, pads=SAME))
    y = net.qlinear(net.conv(y, 8, (3, 3), zero_point=3, pads=SAME))
    x = net.add(x, y)
    y = net.qlinear(net.conv(x, 12, (3, 3), zero_point=-1, strides=(2, 2), pads=(0, 0, 1, 1)))
    x = net.qlinear(net.conv(x, 12, zero_point=-1, strides=(2, 2)))
    x = net.add(y, x)
    x = net.requantize(net.sumpool(x, net.global_pool(x), zero_point=-4))
    return net.graph(net.conv(x, 10))


def accumulator_joins() -> Graph:
    """Sums of an accumulator with a tensor, and of two accumulators."""
    net = Net((6, 5, 4), UINT8, seed=2)
    x = net.requantize(net.conv(net.input, 8, (3, 3), zero_point=9, pads=SAME), UINT8)
    y = net.conv(x, 8, (3, 3), zero_point=11, pads=SAME)
    x = net.affine_add(y, x)
    y = net.requantize(net.conv(x, 8, (1, 3), pads=(0, 1, 0, 1)))
    x = net.affine_add(net.conv(y, 6), net.conv(x, 6, (3, 3), pads=SAME), QuantType(6, signed=True))
    return net.graph(x)


def depthwise() -> Graph:
    """Depthwise and pointwise layers, a channel multiplier, groups, dilation."""
    net = Net((6, 7, 6), UINT8, seed=3)
    x = net.requantize(net.conv(net.input, 6, (3, 3), groups=6, zero_point=4, pads=SAME), UINT8)
    x = net.requantize(net.conv(x, 8, zero_point=2), UINT8)
    x = net.requantize(net.conv(x, 16, (3, 3), groups=8, strides=(2, 2), pads=(1, 1, 0, 1)), UINT8)
    x = net.requantize(net.conv(x, 8, (2, 2), groups=4, dilations=(2, 1), pads=(1, 0, 1, 1)))
    x = net.requantize(net.conv(x, 8, groups=8))
    return net.graph(net.requantize(net.conv(x, 4, groups=2)))


def pooling() -> Graph:
    """Max and average pools with padding and overlap, a table, a dense layer over a whole frame without a window."""
    net = Net((9, 8, 4), INT8, seed=4)
    x = net.maxpool(net.input, Geometry((3, 3), (2, 2), (1, 1), (1, 0, 1, 1)))
    x = net.table(x)
    x = net.requantize(net.sumpool(x, Geometry((2, 2), (1, 1), (1, 1), (0, 1, 0, 0)), zero_point=6))
    y = net.maxpool(x, net.global_pool(x))
    height, width, _ = net.builder.tensors[x].shape
    x = net.requantize(net.conv(x, 6, (height, width), zero_point=1))
    return net.graph(x, y)


def concatenation() -> Graph:
    """Parts of different types, the input among them, more parts than one kernel takes, and accumulators."""
    net = Net((4, 3, 2), INT8, seed=5)
    a = net.requantize(net.conv(net.input, 4), UINT4)
    b = net.requantize(net.conv(net.input, 2), UINT8)
    c = net.requantize(net.conv(net.input, 6), INT8)
    x = net.concat(a, net.input, b, a, c)
    y = net.requantize(net.concat(net.conv(x, 4), net.conv(c, 4, bits=3)))
    return net.graph(net.requantize(net.concat(x, y)))


def reshaping() -> Graph:
    """Dense layers after a flattened frame, which a second reader takes as it is; several outputs."""
    net = Net((3, 4, 3), INT8, seed=6)
    x = net.requantize(net.conv(net.input, 5, (2, 2)))
    y = net.conv(net.flatten(x), 12, zero_point=-2)
    z = net.requantize(net.conv(x, 3, (2, 2)))
    return net.graph(net.requantize(y, UINT4), z, y)


def bipolar() -> Graph:
    """Binary layers: plain, padded (zero is no bipolar value), and after a pool."""
    net = Net((6, 6, 2), UINT4, seed=7)
    x = net.requantize(net.conv(net.input, 8, (3, 3), bipolar=True), rounding=Rounding.SIGN)
    x = net.requantize(net.conv(x, 8, (3, 3), bipolar=True, pads=SAME), rounding=Rounding.SIGN)
    x = net.requantize(net.conv(x, 8, (1, 1), bipolar=True), rounding=Rounding.SIGN)
    x = net.maxpool(x, Geometry((2, 2), (2, 2)))
    x = net.requantize(net.conv(net.flatten(x), 16, bipolar=True), rounding=Rounding.SIGN)
    return net.graph(x, net.conv(x, 4, bits=2))


def pass_through() -> Graph:
    """The input leaves as it is, beside a layer; both in one bit less than a byte."""
    net = Net((3, 3, 3), QuantType(7, signed=True, narrow=True), seed=8)
    return net.graph(net.input, net.requantize(net.conv(net.input, 2), QuantType(5, signed=False)))


GRAPHS: dict[str, Callable[[], Graph]] = {
    function.__name__: function
    for function in (
        single_conv,
        residual,
        accumulator_joins,
        depthwise,
        pooling,
        concatenation,
        reshaping,
        bipolar,
        pass_through,
    )
}


@cache
def graph_of(name: str) -> Graph:
    """The graph called ``name``, made once."""
    return GRAPHS[name]()


@cache
def units_of(name: str) -> dict[str, tuple[Unit, ...]]:
    """Its exact units, solved once."""
    return solve(graph_of(name))


def random_frames(graph: Graph, images: int = 3, seed: int = 0) -> IntArray:
    """Frames (images, H, W, C) over the whole input type, its extremes included."""
    tensor = graph.tensors[graph.input]
    rng = np.random.default_rng(seed)
    frames = rng.integers(tensor.type.min, tensor.type.max + 1, (images, *tensor.shape))
    frames[0].flat[:2] = tensor.type.min, tensor.type.max
    if tensor.type.bipolar:
        frames = np.where(frames > 0, 1, -1)
    return frames


def random_words(graph: Graph, axi_bits: int = 64) -> Beats:
    """``random_frames`` as AXI words (images, words, bytes)."""
    return words_from_frames(random_frames(graph), graph.tensors[graph.input].type, axi_bits)


def leaving(design: Design, graph: Graph, words: Beats) -> dict[str, IntArray]:
    """The output tensors in the AXI words that leave the accelerator."""
    pack = next(instance.kernel for instance in design.instances if design.output in instance.outputs)
    start, frames = 0, {}
    for name, spec in zip(graph.outputs, pack.inputs[:-1], strict=True):
        count = -(-spec.elements * spec.type.storage_bits // design.axi_bits)
        frames[name] = frames_from_words(words[:, start : start + count], graph.tensors[name].shape, spec.type)
        start += count
    return frames
