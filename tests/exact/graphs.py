"""Small graphs built by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hlsgen.graph.graph import Graph, Tensor
from hlsgen.graph.host import HostProgram
from hlsgen.graph.ops import Conv, Geometry, Join, Op, Requantize
from hlsgen.graph.reference import AffineReference, JoinReference, Reference, Rounding
from hlsgen.graph.types import INT8, IntArray, QuantType

IDENTITY = AffineReference((Fraction(1),), (Fraction(0),), Rounding.FLOOR, 0, (-128,), (127,))


def conv_graph(
    weight: IntArray,
    bias: IntArray,
    geometry: Geometry,
    zero_point: int,
    source: tuple[int, int],
    reach: tuple[int, int] | None = None,
    reference: Reference = IDENTITY,
) -> Graph:
    """A convolution of a 4 x 4 frame, requantized. ``source``: range of the input, ``reach``: of the accumulator."""
    channels = weight.shape[-1]
    output = (*geometry.output(4, 4), len(weight))
    reach = reach or (-(1 << 30), 1 << 30)
    tensors = [
        Tensor("x", (4, 4, channels), QuantType.for_range(*source), *source),
        Tensor("acc", output, QuantType.for_range(*reach), *reach),
        Tensor("y", output, INT8, -128, 127),
    ]
    ops: list[Op] = [
        Conv("conv", ("x",), "acc", geometry, weight, bias, 1, zero_point),
        Requantize("requantize", ("acc",), "y", reference),
    ]
    return _graph(tensors, ops)


def join_graph(reference: JoinReference, a: tuple[int, int], b: tuple[int, int]) -> Graph:
    """A join of two reinterpretations (identity requantizations) of one input frame."""
    both = (min(a[0], b[0]), max(a[1], b[1]))
    tensors = [
        Tensor("x", (2, 2, 3), QuantType.for_range(*both), *both),
        Tensor("a", (2, 2, 3), QuantType.for_range(*a), *a),
        Tensor("b", (2, 2, 3), QuantType.for_range(*b), *b),
        Tensor("y", (2, 2, 3), QuantType(9, signed=True), -256, 255),
    ]
    one, zero = (Fraction(1),), (Fraction(0),)
    ops: list[Op] = [
        Requantize("clip a", ("x",), "a", AffineReference(one, zero, Rounding.FLOOR, 0, (a[0],), (a[1],))),
        Requantize("clip b", ("x",), "b", AffineReference(one, zero, Rounding.FLOOR, 0, (b[0],), (b[1],))),
        Join("join", ("a", "b"), "y", reference),
    ]
    return _graph(tensors, ops)


def _graph(tensors: list[Tensor], ops: list[Op]) -> Graph:
    graph = Graph("test", "x", ["y"], {t.name: t for t in tensors}, ops, HostProgram(), HostProgram())
    graph.check()
    return graph


def random_layer(rng: np.random.Generator, outputs: int, inputs: int) -> tuple[IntArray, IntArray]:
    """int8 weights (N, 3, 3, C) and biases of a 3 x 3 convolution."""
    return rng.integers(-128, 128, (outputs, 3, 3, inputs)), rng.integers(-5000, 5000, outputs)
