"""How wide a sum must be: the exact range of an accumulator, partial sums included."""

from __future__ import annotations

import numpy as np

from hlsgen.graph.types import IntArray, QuantType


def accumulator_type(weights: IntArray, bias: IntArray, lo: int, hi: int) -> QuantType:
    """The smallest type that holds every partial sum of ``sum(x * weights[n]) + bias[n]`` for x in lo..hi.

    ``weights``: int64 (N, K); ``bias``: int64 (N,). Whatever the order of the additions and wherever the bias enters,
    a partial sum is a sum of *some* of the terms. The largest sum of some terms takes all the largest positive ones
    and none of the negative: ``sum_k max(0, w_k * lo, w_k * hi) + max(0, bias)``, that is
    ``positive * max(0, hi) + negative * min(0, lo) + max(0, bias)`` with the sums of the positive and of the negative
    weights; likewise downwards. Both bounds are reached, so no type is smaller. The result is unsigned when nothing
    can be negative. Raises ValueError when the sums need more than 64 bits.
    """
    positive = np.maximum(weights, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=1, dtype=np.int64)
    above, below = max(0, hi), min(0, lo)
    largest = smallest = 0
    # Python integers from here: a bound may pass 64 bits, and must then be refused, not wrap
    for p, n, b in zip(positive.tolist(), negative.tolist(), bias.tolist(), strict=True):
        largest = max(largest, p * above + n * below + max(0, b))
        smallest = min(smallest, p * below + n * above + min(0, b))
    return QuantType.for_range(smallest, largest)
