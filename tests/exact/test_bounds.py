from __future__ import annotations

import itertools

import numpy as np
import pytest

from hlsgen.exact.bounds import accumulator_bounds
from hlsgen.graph.ops import Conv, Geometry, Requantize
from tests.exact.graphs import conv_graph


@pytest.mark.parametrize(("lo", "hi", "zero_point"), [(-2, 1, 0), (0, 3, 1), (1, 2, 3), (-3, -1, 0)])
@pytest.mark.parametrize("padded", [False, True])
def test_bounds_are_reached_and_not_exceeded(lo: int, hi: int, zero_point: int, padded: bool) -> None:
    """Against every input of a 1 x 2 kernel on two channels."""
    rng = np.random.default_rng(hi + 5)
    weight, bias = rng.integers(-3, 4, (5, 1, 2, 2)), rng.integers(-9, 10, 5)
    geometry = Geometry((1, 2), pads=(0, 1, 0, 1) if padded else (0, 0, 0, 0))
    graph = conv_graph(weight, bias, geometry, zero_point, (lo, hi))
    op = next(op for op in graph.ops if isinstance(op, Requantize))
    values = range(lo, hi + 1)
    windows = [np.array(x) - zero_point for x in itertools.product(values, repeat=4)]
    if padded:  # the first or the last tap lies outside
        windows += [w * mask for w in windows for mask in (np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))]
    sums = np.stack(windows) @ weight.reshape(5, 4).T + bias
    least, most = accumulator_bounds(graph, op)
    assert (least <= sums.min(axis=0)).all()
    assert (most >= sums.max(axis=0)).all()
    if not padded:
        np.testing.assert_array_equal(least, sums.min(axis=0))
        np.testing.assert_array_equal(most, sums.max(axis=0))


def test_the_tensors_own_range_is_not_exceeded() -> None:
    weight = np.full((1, 1, 1, 1), 100)
    graph = conv_graph(weight, np.zeros(1, np.int64), Geometry((1, 1)), 0, (-128, 127), reach=(-50, 60))
    op = next(op for op in graph.ops if isinstance(op, Requantize))
    least, most = accumulator_bounds(graph, op)
    assert (least[0], most[0]) == (-50, 60)


def test_other_producers_leave_the_tensors_range() -> None:
    graph = conv_graph(np.ones((3, 1, 1, 2), np.int64), np.zeros(3, np.int64), Geometry((1, 1)), 0, (-4, 7))
    op = next(op for op in graph.ops if isinstance(op, Requantize))
    graph.ops = [op for op in graph.ops if not isinstance(op, Conv)]
    tensor = graph.tensors[op.inputs[0]]
    least, most = accumulator_bounds(graph, op)
    assert least.tolist() == [tensor.lo] * 3
    assert most.tolist() == [tensor.hi] * 3
