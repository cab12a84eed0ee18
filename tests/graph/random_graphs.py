"""Random graphs, built without a front end: every operator, reference, rounding mode and kind of type."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np

from hlsgen.graph import golden
from hlsgen.graph.graph import Frame, Graph, Layout, Tensor, View
from hlsgen.graph.host import HostProgram
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Op, Requantize, Reshape, SumPool
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    QLinearAddReference,
    QLinearReference,
    Reference,
    Rounding,
    TableReference,
)
from hlsgen.graph.types import BIPOLAR, INT8, UINT8, IntArray, QuantType

BYTES = (INT8, UINT8)
NARROW = (QuantType(2, True), QuantType(4, False), QuantType(4, True, narrow=True), QuantType(7, True), BIPOLAR)
WIDE = (QuantType(12, True), QuantType(16, True), QuantType(16, False))


class GraphBuilder:
    """Grows one graph. ``seen`` counts what was drawn."""

    def __init__(self, seed: int, seen: Counter[str]) -> None:
        self.rng = np.random.default_rng(seed)
        self.seen = seen
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        shape = (int(self.rng.integers(1, 9)), int(self.rng.integers(1, 9)), int(self.rng.integers(1, 6)))
        self.input = self.tensor("input", shape, self.choose(*BYTES, *BYTES, *NARROW, *WIDE))

    def choose(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def tensor(self, name: str, shape: Frame, type: QuantType) -> str:
        name = f"{name} {len(self.tensors)}; -- \n*/"  # names are untrusted text
        self.tensors[name] = Tensor(name, shape, type, type.min, type.max)
        return name

    def emit(self, op: Op, *notes: str) -> str:
        self.ops.append(op)
        self.seen.update([type(op).__name__, *notes])
        return op.output

    def zero_point(self, type: QuantType) -> int:
        if type.bipolar or type.narrow:
            return 0
        return int(self.choose(0, type.min, type.max, self.rng.integers(type.min, type.max + 1)))

    def geometry(self, shape: Frame, pooling: bool = False) -> Geometry:
        while True:
            kernel = (int(self.rng.integers(1, 4)), int(self.rng.integers(1, 4)))
            strides = (int(self.rng.integers(1, 3)), int(self.rng.integers(1, 3)))
            dilations = (int(self.choose(1, 1, 2)), int(self.choose(1, 1, 2)))
            top, left, bottom, right = (int(self.rng.integers(0, 2 if pooling and k == 1 else k)) for k in kernel * 2)
            pads = (top, left, bottom, right) if self.chance(0.7) else (0, 0, 0, 0)
            geometry = Geometry(kernel, strides, dilations, pads)
            if min(geometry.output(*shape[:2])) >= 1:
                break
        if any(geometry.pads) and geometry.strides != (1, 1) and geometry.pads[:2] != geometry.pads[2:]:
            self.seen["asymmetric padding with stride"] += 1
        return geometry

    # ---- operators ---------------------------------------------------------------------------------------------------

    def conv(self, x: str) -> str:
        """A Conv and its accumulator."""
        source = self.tensors[x]
        channels = source.shape[2]
        groups = int(self.choose(1, 1, channels, 2 if channels % 2 == 0 else 1))
        count = groups * int(self.rng.integers(1, 4))
        dense = source.shape[:2] == (1, 1) and groups == 1
        geometry = Geometry((1, 1)) if dense else self.geometry(source.shape)
        lo, hi = self.choose((-128, 127), (-128, 127), (-127, 127), (-8, 7), (-1, 1), (-100, 155), (-32768, 32767))
        weight = self.rng.integers(lo, hi + 1, (count, *geometry.kernel, channels // groups))
        weight.ravel()[0] = lo
        bias = self.rng.integers(-3000, 3000, count) if self.chance(0.7) else np.zeros(count, np.int64)
        op = Conv("conv", (x,), "", geometry, weight, bias, groups, self.zero_point(source.type))
        bound = golden.conv_bound(op, source)
        output = self.tensor("acc", (*geometry.output(*source.shape[:2]), count), QuantType.for_range(-bound, bound))
        op = Conv("conv", (x,), output, geometry, weight, bias, groups, op.zero_point)
        kind = "depthwise" if groups > 1 and channels == groups else "grouped" if groups > 1 else "ungrouped"
        width = "wide" if bound >= 1 << 31 else "float64" if bound >= 1 << 24 else "float32"
        return self.emit(op, "dense" if dense else kind, f"{width} sums", f"{source.type} input")

    def sum_pool(self, x: str) -> str:
        source = self.tensors[x]
        whole = self.chance(0.5)
        geometry = Geometry(source.shape[:2]) if whole else self.geometry(source.shape, pooling=True)
        zero_point = self.zero_point(source.type)
        taps = geometry.kernel[0] * geometry.kernel[1]
        bound = taps * max(abs(source.type.min - zero_point), abs(source.type.max - zero_point))
        shape = (*geometry.output(*source.shape[:2]), source.shape[2])
        output = self.tensor("sum", shape, QuantType.for_range(-bound, bound))
        return self.emit(
            SumPool("sum pool", (x,), output, geometry, zero_point), "global sum" if whole else "local sum"
        )

    def max_pool(self, x: str) -> str:
        source = self.tensors[x]
        geometry = self.geometry(source.shape, pooling=True)
        output = self.tensor("max", (*geometry.output(*source.shape[:2]), source.shape[2]), source.type)
        return self.emit(MaxPool("max pool", (x,), output, geometry))

    def requantize(self, x: str) -> str:
        source = self.tensors[x]
        reference: Reference
        small = source.type.bits <= 12
        kind = self.choose("affine", "affine", "qlinear", "qlinear", *(["table", "table"] if small else []))
        if kind == "table":
            type = self.choose(*BYTES, *NARROW)
            reference = self.table(source, type)
        elif kind == "qlinear":
            type = self.choose(*BYTES)
            reference = self.qlinear(source, type)
        else:
            type = self.choose(*BYTES, *NARROW, *WIDE)
            reference = self.affine(source, type)
        output = self.tensor("y", source.shape, type)
        return self.emit(Requantize("requantize", (x,), output, reference), type_name(reference))

    def table(self, source: Tensor, type: QuantType) -> TableReference:
        rows = self.choose(1, source.shape[2])
        values = self.rng.choice(type.values, (rows, source.type.max - source.type.min + 1))
        return TableReference(source.type.min, values, values.astype(np.float64))

    def qlinear(self, source: Tensor, type: QuantType) -> QLinearReference:
        typical = max(abs(source.lo), source.hi) / 6
        count = self.choose(1, source.shape[2])
        multiplier = (self.rng.uniform(50, 200, count) / typical).astype(np.float32)
        lo, hi = (type.min, type.max) if self.chance(0.6) else sorted(self.rng.integers(type.min, type.max + 1, 2))
        return QLinearReference(multiplier, self.zero_point(type), int(lo), int(hi))

    def affine(self, source: Tensor, type: QuantType) -> AffineReference:
        count = self.choose(1, source.shape[2])
        spread = (type.max - type.min) / max(1, max(abs(source.lo), source.hi) / 3)
        scales = self.rng.uniform(0.3, 1, count) * spread * self.rng.choice([1, 1, -1], count)
        offsets = self.rng.normal(size=count) * (type.max - type.min) / 4
        kind = self.choose("power of two", "float32", "rational")
        if kind == "power of two":
            scale = [Fraction(2.0 ** np.round(np.log2(abs(s)))) * (1 if s > 0 else -1) for s in scales]
            offset = [Fraction(int(o * 8), 16) for o in offsets]
        elif kind == "float32":
            scale = [Fraction(float(np.float32(s))) for s in scales]
            offset = [Fraction(float(np.float32(o))) for o in offsets]
        else:
            scale = [Fraction(float(np.float32(s))) / Fraction(float(np.float32(0.1))) / 10 for s in scales]
            offset = [Fraction(float(np.float32(o))) / 3 for o in offsets]
        rounding = Rounding.SIGN if type.bipolar else self.choose(*(r for r in Rounding if r is not Rounding.SIGN))
        clips = [(type.min, type.max)] * count
        if not type.bipolar and self.chance(0.3):
            drawn = self.rng.integers(type.min, type.max + 1, (count, 2))
            clips = [(int(min(pair)), int(max(pair))) for pair in drawn]
        zero_point = 0 if type.bipolar else self.zero_point(type)
        lo, hi = (tuple(pair[i] for pair in clips) for i in (0, 1))
        self.seen.update([f"affine {kind}", rounding.name])
        return AffineReference(tuple(scale), tuple(offset), rounding, zero_point, lo, hi)

    def join(self, x: str) -> str:
        """A join with another tensor of the same shape, made from the same source."""
        other = self.requantize(x)
        a, b = (x, other) if self.chance(0.5) else (other, x)
        first, second = self.tensors[a], self.tensors[b]
        if max(first.type.bits, second.type.bits) <= 8 and not (first.type.bipolar or second.type.bipolar):
            type = self.choose(*BYTES)
            scales = self.rng.uniform(0.2, 1.5, 2).astype(np.float32)
            zeros = [self.zero_point(UINT8 if t.type.min >= 0 else INT8) for t in (first, second)]
            fused = np.float32(
                np.longdouble(scales[0]) * zeros[0] + np.longdouble(np.float32(scales[1] * np.float32(zeros[1])))
            )
            constant = np.float32(np.float32(self.zero_point(type)) - fused)
            if self.chance(0.2):
                constant = np.float32(self.rng.normal())  # one that no zero points give
            lo, hi = (type.min, type.max) if self.chance(0.6) else (type.min + 9, type.max - 5)
            output = self.tensor("sum", first.shape, type)
            reference = QLinearAddReference(scales[0], scales[1], constant, lo, hi)
            return self.emit(Join("add", (a, b), output, reference), "QLinearAdd")
        type = self.choose(*BYTES, *NARROW[:-1], WIDE[1])
        shift = 18
        count = self.choose(1, first.shape[2])

        def scale(t: Tensor) -> IntArray:
            spread = (type.max - type.min) / max(abs(t.lo), t.hi)
            return np.asarray(np.rint(self.rng.normal(size=count) * spread * 2**shift), np.int64)

        constant = np.rint(self.rng.normal(size=count) * 2**shift).astype(np.int64)
        rounding = self.choose(*(r for r in Rounding if r is not Rounding.SIGN))
        output = self.tensor("sum", first.shape, type)
        exact = AffineJoinReference(
            scale(first), scale(second), constant, shift, rounding, self.zero_point(type), type.min, type.max
        )
        return self.emit(Join("add", (a, b), output, exact), "AffineJoin", rounding.name)

    def concat(self, x: str) -> str:
        parts = (x, self.requantize(x), x)
        sources = [self.tensors[part] for part in parts]
        lo, hi = min(s.type.min for s in sources), max(s.type.max for s in sources)
        height, width, _ = sources[0].shape
        channels = sum(source.shape[2] for source in sources)
        same = len({source.type for source in sources}) == 1
        type = sources[0].type if same else QuantType.for_range(lo, hi)
        output = self.tensor("joined", (height, width, channels), type)
        return self.emit(Concat("concat", parts, output))

    def reshape(self, x: str) -> str:
        height, width, channels = self.tensors[x].shape
        shape = self.choose((1, 1, height * width * channels), (width, height, channels), (1, height, width * channels))
        output = self.tensor("reshaped", shape, self.tensors[x].type)
        return self.emit(Reshape("reshape", (x,), output))


def type_name(reference: Reference) -> str:
    return type(reference).__name__


def random_graph(seed: int, seen: Counter[str] | None = None) -> Graph:
    """A graph of a few operators whose host parts are empty: integers in, integers out."""
    builder = GraphBuilder(seed, Counter() if seen is None else seen)
    x = builder.input
    for _ in range(int(builder.rng.integers(2, 6))):
        tensor = builder.tensors[x]
        if tensor.type.bits > 16 or (tensor.type.bits > 8 and builder.chance(0.7)):
            x = builder.join(x) if builder.chance(0.2) else builder.requantize(x)
            continue
        moves = [builder.conv, builder.conv, builder.sum_pool, builder.max_pool, builder.join, builder.concat]
        x = builder.choose(*moves, builder.reshape, builder.requantize)(x)
        if builder.tensors[x].shape[2] > 24:
            break
    if builder.tensors[x].type.bits > 16 and builder.chance(0.6):
        x = builder.requantize(x)
    return finished(builder.tensors, builder.ops, builder.input, [x])


def finished(tensors: dict[str, Tensor], ops: list[Op], source: str, leaving: list[str]) -> Graph:
    """A graph whose host parts pass integers through, and in which every tensor has a view."""
    views = {
        name: View(name, Layout.planar(t.shape[2], *t.shape[:2]), np.ones(1, np.float32), 0)
        for name, t in tensors.items()
    }
    shapes = {name: view.layout.index.shape for name, view in views.items()}
    dtypes = {name: tensor.type.dtype.name for name, tensor in tensors.items()}
    graph = Graph(
        name="random",
        input=source,
        outputs=leaving,
        tensors=tensors,
        ops=ops,
        prefix=HostProgram((), {}, (source,), (source,), shapes, dtypes),
        suffix=HostProgram((), {}, tuple(leaving), tuple(leaving), shapes, dtypes),
        views=views,
        form="test",
    )
    graph.check()
    return graph


def random_frames(graph: Graph, images: int, seed: int = 0) -> IntArray:
    """Input frames that hold the extremes of the input's type as well."""
    tensor = graph.tensors[graph.input]
    rng = np.random.default_rng(seed)
    if tensor.type.bipolar:
        return rng.choice([-1, 1], (images, *tensor.shape)).astype(np.int8)
    frames = rng.integers(tensor.type.min, tensor.type.max + 1, (images, *tensor.shape))
    extreme = rng.random(frames.shape)
    frames[extreme < 0.1] = tensor.type.min
    frames[extreme > 0.9] = tensor.type.max
    return frames.astype(tensor.type.dtype)
