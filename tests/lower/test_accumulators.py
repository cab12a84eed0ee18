"""Accumulator types: every partial sum fits, and no smaller type would do."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlsgen.graph.types import QuantType
from hlsgen.lower.accumulators import accumulator_type

small = st.integers(-9, 9)


@given(st.lists(small, min_size=1, max_size=4), st.integers(-20, 20), small, st.integers(0, 9))
def test_is_the_smallest_type_of_all_partial_sums(weights: list[int], bias: int, lo: int, span: int) -> None:
    hi = lo + span
    terms = [[x * w for x in range(lo, hi + 1)] for w in weights] + [[bias]]
    reached = {0}
    for choice in itertools.product(*([0, min(t), max(t)] for t in terms)):  # 0: the term is not in the sum yet
        reached.add(sum(choice))
    expected = QuantType.for_range(min(reached), max(reached))
    assert accumulator_type(np.array([weights]), np.array([bias]), lo, hi) == expected


def test_takes_the_worst_output() -> None:
    weights = np.array([[1, 1], [100, -100]])
    assert accumulator_type(weights, np.array([0, 0]), -128, 127) == QuantType.for_range(-25500, 25500)


def test_is_unsigned_without_negative_terms() -> None:
    assert accumulator_type(np.array([[1, 2]]), np.array([3]), 0, 255) == QuantType.for_range(0, 3 * 255 + 3)


def test_refuses_what_64_bits_cannot_hold() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        accumulator_type(np.full((1, 4), 1 << 50), np.array([0]), -(1 << 15), 1 << 15)
