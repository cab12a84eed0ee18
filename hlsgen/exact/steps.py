"""Monotone integer functions described by their steps, one function per channel.

A function with K + 1 different results is known completely by the K inputs at which a new result begins. Hardware is
proved on those inputs and their neighbours: where both functions are monotone and agree there, they agree everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hlsgen.graph.reference import (
    AffineReference,
    QLinearReference,
    Reference,
    Rounding,
    TableReference,
)
from hlsgen.graph.types import Int64Array

_INT64_SAFE = 1 << 62


@dataclass(frozen=True, eq=False)
class StepFunction:
    """C monotone functions of one integer.

    ``direction``: int64 (C,), +1 for non-decreasing and -1 for non-increasing functions; ``u = direction * x`` is the
    argument in which each function is non-decreasing. ``lo``, ``hi``: int64 (C,), the inclusive range of x.
    ``base``: the smallest result of any channel. ``thresholds``: int64 (C, K), ``thresholds[c, i]`` is the smallest u
    whose result is at least ``base + 1 + i``: the lower end of u's range where all results are, one past its upper end
    where none is. ``base + K`` is the largest result of any channel.
    """

    direction: Int64Array
    lo: Int64Array
    hi: Int64Array
    base: int
    thresholds: Int64Array

    @property
    def channels(self) -> int:
        """Number of functions."""
        return len(self.lo)

    @property
    def top(self) -> int:
        """The largest result of any channel."""
        return self.base + int(self.thresholds.shape[1])

    @cached_property
    def u_lo(self) -> Int64Array:
        """Lower end of each channel's range of u, (C,)."""
        return np.where(self.direction > 0, self.lo, -self.hi)

    @cached_property
    def u_hi(self) -> Int64Array:
        """Upper end of each channel's range of u, (C,)."""
        return np.where(self.direction > 0, self.hi, -self.lo)

    @cached_property
    def smallest(self) -> Int64Array:
        """Each channel's smallest result, (C,)."""
        return _count(self.thresholds <= self.u_lo[:, None]) + self.base

    @cached_property
    def largest(self) -> Int64Array:
        """Each channel's largest result, (C,)."""
        return _count(self.thresholds <= self.u_hi[:, None]) + self.base

    @cached_property
    def constant(self) -> npt.NDArray[np.bool_]:
        """Which channels have a single result, (C,)."""
        return np.equal(self.smallest, self.largest)

    def evaluate(self, x: npt.NDArray[np.integer]) -> Int64Array:
        """Results, int64, for x of shape (..., C) within the range."""
        y = np.empty(x.shape, np.int64)
        for c in range(self.channels):
            y[..., c] = np.searchsorted(self.thresholds[c], x[..., c] * self.direction[c], side="right")
        return y + self.base

    def clipped(self, lo: int, hi: int) -> StepFunction:
        """The functions g of a clipped argument, ``f(x) = g(clip(x, lo, hi))``; ``lo``..``hi`` must hold ``active``.

        A channel whose range lies outside (it has no step) becomes a function of a single value.
        """
        new_lo, new_hi = np.clip(self.lo, lo, hi), np.clip(self.hi, lo, hi)
        u_lo = np.where(self.direction > 0, new_lo, -new_hi)[:, None]
        u_hi = np.where(self.direction > 0, new_hi, -new_lo)[:, None]
        thresholds = np.where(self.thresholds <= self.u_lo[:, None], u_lo, self.thresholds)
        thresholds = np.where(self.thresholds > self.u_hi[:, None], u_hi + 1, thresholds)
        return StepFunction(self.direction, new_lo, new_hi, self.base, thresholds)

    @cached_property
    def active(self) -> tuple[int, int]:
        """Range of x outside which every channel keeps the result it has at that range's end."""
        varying = ~self.constant
        if not varying.any():
            return int(self.lo.min()), int(self.lo.min())
        first, last = self.first_and_last
        ends = np.stack([first[varying] - 1, last[varying]]) * self.direction[varying]
        return int(ends.min()), int(ends.max())

    @cached_property
    def first_and_last(self) -> tuple[Int64Array, Int64Array]:
        """u of each channel's first and last step, (C,); meaningless where a channel is constant."""
        if not self.thresholds.shape[1]:
            return self.u_lo, self.u_lo
        inside = (self.thresholds > self.u_lo[:, None]) & (self.thresholds <= self.u_hi[:, None])
        row = np.arange(self.channels)
        first = self.thresholds[row, inside.argmax(axis=1)]
        last = self.thresholds[row, inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)]
        return first, last

    @cached_property
    def points(self) -> tuple[Int64Array, Int64Array]:
        """What a proof needs: (x, result), both int64 (P, C): every step, its lower neighbour and the range's ends."""
        u = np.concatenate([self.thresholds, self.thresholds - 1, self.u_lo[:, None], self.u_hi[:, None]], axis=1)
        u = np.clip(u, self.u_lo[:, None], self.u_hi[:, None])
        results = np.empty_like(u)
        for c in range(self.channels):
            results[c] = np.searchsorted(self.thresholds[c], u[c], side="right")
        return np.ascontiguousarray((u * self.direction[:, None]).T), np.ascontiguousarray(results.T) + self.base

    @staticmethod
    def of(reference: Reference, lo: Int64Array, hi: Int64Array) -> StepFunction | None:
        """The steps of ``reference`` on each channel's x within ``lo``..``hi``; None if some channel is not monotone.

        ``lo``, ``hi``: int64 (C,). A reference with a single set of parameters yields one channel for C = 1.
        """
        if isinstance(reference, QLinearReference):
            return _from_qlinear(reference, lo, hi)
        if isinstance(reference, AffineReference):
            return _from_affine(reference, lo, hi)
        return _from_table(reference, lo, hi)


def _count(rows: npt.NDArray[np.bool_]) -> Int64Array:
    return np.asarray(rows.sum(axis=1), np.int64)


def _from_qlinear(reference: QLinearReference, lo: Int64Array, hi: Int64Array) -> StepFunction:
    """Bisection on the float32 formula itself, all steps of all channels at once.

    A step at result k lies where ``float32(acc) * m`` passes k - 1/2, and both float32 roundings change the product by
    less than 2**-22.9 of itself; so it lies within that part (and one integer) of ``(k - 1/2) / m``.
    """
    channels = len(lo)
    multiplier = np.broadcast_to(reference.multiplier.astype(np.float64), channels)
    if (multiplier < 0).any():
        raise ValueError("the multiplier of a QLinear operator is not negative")
    base = int(reference.evaluate(lo[None]).min())
    top = int(reference.evaluate(hi[None]).max())
    levels = np.arange(base + 1, top + 1)[:, None]
    with np.errstate(divide="ignore", over="ignore"):
        guess = np.clip((levels - reference.zero_point - 0.5) / multiplier, -(2.0**62), 2.0**62)
    spread = 2 + np.abs(guess) * 2.0**-22
    below = np.clip(np.floor(guess - spread), lo, hi + 1).astype(np.int64)
    above = np.clip(np.ceil(guess + spread), lo, hi + 1).astype(np.int64)
    while (below < above).any():
        middle = (below + above) >> 1
        reached = reference.evaluate(middle) >= levels
        above = np.where(reached, middle, above)
        below = np.where(reached, below, np.minimum(middle + 1, above))
    # levels a channel's clip makes unreachable, or which its whole range exceeds
    below = np.where(reference.evaluate(hi[None]) < levels, hi + 1, below)
    below = np.where(reference.evaluate(lo[None]) >= levels, lo, below)
    return StepFunction(np.ones(channels, np.int64), lo, hi, base, np.ascontiguousarray(below.T))


def _from_affine(reference: AffineReference, lo: Int64Array, hi: Int64Array) -> StepFunction:
    """Closed form: result >= k exactly where the real value passes a multiple of 1/2 (``_boundary``)."""
    channels = len(lo)
    scales = [reference.scale[c % len(reference.scale)] for c in range(channels)]
    offsets = [reference.offset[c % len(reference.offset)] for c in range(channels)]
    direction = np.array([-1 if s < 0 else 1 for s in scales], np.int64)
    u_lo, u_hi = np.where(direction > 0, lo, -hi), np.where(direction > 0, hi, -lo)
    smallest = [reference.value(int(u_lo[c] * direction[c]), c) for c in range(channels)]
    largest = [reference.value(int(u_hi[c] * direction[c]), c) for c in range(channels)]
    base, top = min(smallest), max(largest)
    thresholds = np.empty((channels, top - base), np.int64)
    for c in range(channels):
        thresholds[c, : smallest[c] - base] = u_lo[c]
        thresholds[c, largest[c] - base :] = u_hi[c] + 1
        levels = np.arange(smallest[c] + 1, largest[c] + 1)
        if len(levels):
            halves, closed = _boundary(levels - reference.zero_point, reference.rounding)
            thresholds[c, levels[0] - base - 1 : levels[-1] - base] = _first_integers(
                halves, closed, abs(scales[c]), offsets[c]
            )
    return StepFunction(direction, lo, hi, base, thresholds)


def _boundary(levels: Int64Array, rounding: Rounding) -> tuple[Int64Array, npt.NDArray[np.bool_]]:
    """Where rounding reaches ``levels``: (boundary in halves, whether the boundary itself belongs to the level).

    ``round(r) >= k`` iff ``r >= halves / 2`` (closed) or ``r > halves / 2`` (open).
    """
    true, false = np.ones(len(levels), bool), np.zeros(len(levels), bool)
    positive = levels > 0
    match rounding:
        case Rounding.FLOOR:
            return 2 * levels, true
        case Rounding.CEIL:
            return 2 * levels - 2, false
        case Rounding.UP:
            return np.where(positive, 2 * levels - 2, 2 * levels), ~positive
        case Rounding.DOWN:
            return np.where(positive, 2 * levels, 2 * levels - 2), positive
        case Rounding.HALF_UP:
            return 2 * levels - 1, positive
        case Rounding.HALF_DOWN:
            return 2 * levels - 1, ~positive
        case Rounding.HALF_EVEN:
            return 2 * levels - 1, levels % 2 == 0
        case Rounding.SIGN:  # results are -1 and +1: both 0 and +1 are reached where the value is not negative
            return np.zeros(len(levels), np.int64), true


def _first_integers(halves: Int64Array, closed: npt.NDArray[np.bool_], scale: Fraction, offset: Fraction) -> Int64Array:
    """Smallest integers u with ``scale * u + offset >= halves / 2`` (closed) or ``>`` (open); scale positive."""
    # u >= numerator / denominator with numerator = halves * step - start
    step = scale.denominator * offset.denominator
    start = 2 * offset.numerator * scale.denominator
    denominator = 2 * scale.numerator * offset.denominator
    if int(np.abs(halves).max()) * step + abs(start) + denominator < _INT64_SAFE:
        numerator = halves * step - start
        return np.where(closed, -((-numerator) // denominator), numerator // denominator + 1)
    quotient = (halves / 2 - float(offset)) / float(scale)
    error = (np.abs(halves) + abs(float(offset))) / float(scale) * 2.0**-48
    first = np.ceil(quotient).astype(np.int64)
    # float64 decides all but those so near an integer that its error, or open against closed, matters
    for i in np.flatnonzero(np.abs(quotient - np.rint(quotient)) <= error):
        exact = int(halves[i]) * step - start
        first[i] = -(-exact // denominator) if closed[i] else exact // denominator + 1
    return first


def _from_table(reference: TableReference, lo: Int64Array, hi: Int64Array) -> StepFunction | None:
    channels = len(lo)
    rows = []
    direction = np.ones(channels, np.int64)
    for c in range(channels):
        start, stop = int(lo[c]) - reference.first, int(hi[c]) - reference.first + 1
        row = reference.values[c % len(reference.values), start:stop].astype(np.int64)
        differences = np.diff(row)
        if (differences < 0).any():
            if (differences > 0).any():
                return None
            direction[c], row = -1, row[::-1]
        rows.append(row)
    base, top = min(int(row[0]) for row in rows), max(int(row[-1]) for row in rows)
    u_lo = np.where(direction > 0, lo, -hi)
    levels = np.arange(base + 1, top + 1)
    thresholds = np.stack([u_lo[c] + np.searchsorted(rows[c], levels) for c in range(channels)])
    return StepFunction(direction, lo, hi, base, thresholds)
