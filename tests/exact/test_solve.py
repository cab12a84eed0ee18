from __future__ import annotations

import dataclasses
import time
from fractions import Fraction

import numpy as np
import pytest

from hlsgen.errors import UnsupportedError
from hlsgen.exact import solve
from hlsgen.exact.bounds import accumulator_bounds
from hlsgen.exact.units import JoinUnit, RequantUnit
from hlsgen.graph.ops import Geometry, Requantize
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    QLinearAddReference,
    QLinearReference,
    Rounding,
)
from tests.exact.graphs import conv_graph, join_graph, random_layer

PADDED = Geometry((3, 3), pads=(1, 1, 1, 1))


def test_units_of_a_graph() -> None:
    rng = np.random.default_rng(0)
    weight, bias = random_layer(rng, 6, 4)
    reference = QLinearReference((rng.uniform(0.5, 1, 6) * 2.0**-9).astype(np.float32), -3, -128, 127)
    graph = conv_graph(weight, bias, PADDED, 5, (-128, 127), reference=reference)
    units = solve(graph)
    assert list(units) == ["y"]
    assert {"float24", "threshold"} <= {unit.kind for unit in units["y"]}
    lo, hi = accumulator_bounds(graph, next(op for op in graph.ops if isinstance(op, Requantize)))
    x = rng.integers(lo, hi + 1, (20000, 6))
    for unit in units["y"]:
        assert isinstance(unit, RequantUnit)
        assert unit.domain == (lo.min(), hi.max())
        np.testing.assert_array_equal(unit.evaluate(x), reference.evaluate(x))


def test_units_of_joins() -> None:
    reference = QLinearAddReference(np.float32(0.7), np.float32(0.9), np.float32(2), -128, 127)
    units = solve(join_graph(reference, (-100, 90), (0, 15)))
    assert list(units) == ["a", "b", "y"]
    (unit,) = units["y"]
    assert isinstance(unit, JoinUnit)
    assert (unit.domain_a, unit.domain_b) == ((-100, 90), (0, 15))


def test_what_no_unit_reproduces_is_an_error_that_names_the_node() -> None:
    reference = AffineJoinReference(
        np.array([(1 << 55) + 1]), np.array([1]), np.array([0]), 40, Rounding.HALF_EVEN, 0, -100, 100
    )
    message = "node 'join': no integer unit of at most 63 bits reproduces its rounding exactly for inputs of 12 bits"
    with pytest.raises(UnsupportedError, match=message):
        solve(join_graph(reference, (-2048, 2047), (0, 1)))


def test_a_requantization_too_wide_for_all_units_is_an_error() -> None:
    graph = conv_graph(np.ones((1, 1, 1, 1), np.int64), np.zeros(1, np.int64), Geometry((1, 1)), 0, (-9, 9))
    scale = Fraction(1, 3 << 36)
    reference = AffineReference((scale,), (Fraction(1, 7),), Rounding.HALF_EVEN, 0, (-(1 << 16),), ((1 << 16) - 1,))
    graph.ops = [Requantize("too wide", ("x",), "y", reference)]
    graph.tensors["x"] = dataclasses.replace(graph.tensors["x"], lo=-(1 << 60), hi=1 << 60)
    with pytest.raises(UnsupportedError, match=r"node 'too wide': .* inputs of 62 bits"):
        solve(graph)


def test_speed_of_a_residual_network() -> None:
    """The nine convolutions and three additions of ResNet-8 within a fraction of a build's three seconds."""
    rng = np.random.default_rng(0)
    graphs = []
    for inputs, outputs in ((3, 16), (16, 16), (16, 16), (16, 32), (32, 32), (16, 32), (32, 64), (64, 64), (32, 64)):
        weight, bias = random_layer(rng, outputs, inputs)
        multiplier = (rng.uniform(0.5, 1, outputs) * 2.0 ** -(8 + outputs // 32)).astype(np.float32)
        reference = QLinearReference(multiplier, -128, -128, 127)
        graphs.append(conv_graph(weight, bias, PADDED, -128, (-128, 127), reference=reference))
    for _ in range(3):
        scale_a, scale_b = rng.uniform(0.3, 1.2, 2).astype(np.float32)
        reference_add = QLinearAddReference(scale_a, scale_b, np.float32(rng.uniform(-20, 20)), -128, 127)
        graphs.append(join_graph(reference_add, (-128, 127), (-128, 127)))
    start = time.process_time()
    for graph in graphs:
        solve(graph)
    assert time.process_time() - start < 1
