"""Random references of every kind, biased towards ties, saturation, negative and zero scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hlsgen.graph.reference import (
    AffineReference,
    QLinearAddReference,
    QLinearReference,
    Reference,
    Rounding,
    TableReference,
)
from hlsgen.graph.types import IntArray

Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Problem:
    """A reference and each channel's input range, int64 (C,)."""

    reference: Reference
    lo: IntArray
    hi: IntArray

    def inputs(self, rng: Random, most: int = 1 << 14) -> IntArray:
        """Every value of each channel's range, (n, C); of more than ``most``, random ones and those near the ends."""
        count = int((self.hi - self.lo).max()) + 1
        if count <= most:
            steps = np.arange(count)[:, None]
        else:
            ends = np.arange(100)[:, None]
            random = rng.integers(0, count, (most, len(self.lo)))
            steps = np.concatenate([np.broadcast_to(ends, (100, len(self.lo))), random, count - 1 - ends + 0 * self.lo])
        return self.lo + steps % (self.hi - self.lo + 1)


SCALES: dict[str, Callable[[Random], Fraction]] = {
    "power of two": lambda rng: Fraction(int(rng.choice([-1, 1]))) * Fraction(2) ** int(rng.integers(-7, 2)),
    "dyadic": lambda rng: Fraction(int(rng.integers(-40, 40)), 2 ** int(rng.integers(3, 8))),
    "small ratio": lambda rng: Fraction(int(rng.integers(-20, 20)), int(rng.integers(1, 50))),
    "float32": lambda rng: Fraction(float(np.float32(rng.normal() * 2.0 ** -rng.integers(0, 6)))),
    "float32 ratio": lambda rng: (
        Fraction(float(np.float32(rng.normal()))) / Fraction(float(np.float32(rng.uniform(1, 9))))
    ),
}

OFFSETS: dict[str, Callable[[Random], Fraction]] = {
    "zero": lambda rng: Fraction(0),
    "half": lambda rng: Fraction(int(rng.integers(-9, 9)), 2),
    "dyadic": lambda rng: 5 * SCALES["dyadic"](rng),
    "small ratio": lambda rng: 5 * SCALES["small ratio"](rng),
    "float32": lambda rng: 20 * SCALES["float32"](rng),
}


def bounds(rng: Random, rounding: Rounding) -> tuple[int, int, int]:
    """Clip (lo, hi) of a type of 1 to 16 bits, and a zero point, often odd, at times outside the type."""
    if rounding is Rounding.SIGN:
        return -1, 1, 0
    bits = int(rng.choice([1, 2, 4, 8, 16]))
    signed = bits > 1 and rng.random() < 0.5
    lo, hi = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return lo, hi, int(rng.integers(lo - 2, hi + 3)) if rng.random() < 0.5 else 0


def ranges(rng: Random, channels: int, most: int) -> tuple[IntArray, IntArray]:
    """Random input ranges of up to ``most`` values, around zero or not."""
    lo = rng.integers(-most, most, channels)
    return lo, lo + rng.integers(0, most, channels)


def affine(rng: Random, scale: str, rounding: Rounding) -> Problem:
    """Up to four channels with scales of one kind (some zero), offsets of another and clips that differ."""
    channels = int(rng.integers(1, 5))
    lo, hi, zero_point = bounds(rng, rounding)
    offset = OFFSETS[str(rng.choice(list(OFFSETS)))]
    scales = tuple(SCALES[scale](rng) if rng.random() < 0.9 else Fraction(0) for _ in range(channels))
    lows = tuple(min(lo + int(rng.integers(0, 3)), hi) if rng.random() < 0.2 else lo for _ in range(channels))
    if rounding is Rounding.SIGN:
        lows = (lo,) * channels
    reference = AffineReference(
        scales, tuple(offset(rng) for _ in range(channels)), rounding, zero_point, lows, (hi,) * channels
    )
    return Problem(reference, *ranges(rng, channels, int(rng.choice([4, 40, 400, 4000]))))


def qlinear(rng: Random, channels: int = 4, most: int = 1 << 22) -> Problem:
    """float32 multipliers, half of them as close to ties as float32 allows; now and then clipped to fewer bits."""
    lo, hi = [(-128, 127), (0, 255), (0, 15), (-8, 7), (0, 3), (0, 1)][
        int(rng.choice(6, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05]))
    ]
    multiplier = rng.uniform(0.5, 1, channels) * 2.0 ** -rng.integers(4, 14)
    near_ties = (rng.integers(0, 200, channels) + 0.5) / rng.integers(200, 1 << 16, channels)
    multiplier = np.where(rng.random(channels) < 0.5, multiplier, near_ties).astype(np.float32)
    reference = QLinearReference(multiplier, int(rng.integers(lo - 2, hi + 3)), lo, hi)
    reach = np.minimum(rng.uniform(0.1, 3, channels) * 256 / multiplier, most).astype(np.int64)
    return Problem(reference, -rng.integers(0, reach + 1), rng.integers(0, reach + 1))


def table(rng: Random, monotone: bool) -> Problem:
    """Tables of up to 8 bits, shared or per channel, rising and falling if ``monotone``."""
    first, size = int(rng.integers(-128, 1)), int(rng.integers(2, 257))
    channels, shared = int(rng.integers(1, 5)), bool(rng.random() < 0.5)
    values = rng.integers(-128, 128, (1 if shared else channels, size))
    if rng.random() < 0.5:
        values //= 32
    if monotone:
        values = np.sort(values, axis=1)
        values[rng.random(len(values)) < 0.5] = values[0, ::-1]
    low, high = np.sort(rng.integers(0, size, (2, channels)), axis=0)
    return Problem(TableReference(first, values, values.astype(np.float64)), first + low, first + high)


def qlinear_add(rng: Random, kind: str) -> QLinearAddReference:
    """ONNX Runtime's constants for scales of a kind: the ratios decide which sums tie."""
    scale = rng.uniform(0.01, 0.1)
    scales = {
        "random": rng.uniform(0.01, 0.1, 3),
        "wide": 2.0 ** rng.uniform(-8, 4, 3),
        "same": np.full(3, scale),
        "same inputs": np.array([scale, scale, rng.uniform(0.01, 0.1)]),
        "power of two": 2.0 ** rng.integers(-7, -3, 3),
        "small ratio": scale * rng.integers(1, [8, 8, 12]),
    }[kind]
    lo, hi = [(-128, 127), (0, 255)][int(rng.integers(2))]
    zero_points = rng.integers(lo, hi + 1, 3) * (rng.random() < 0.9)
    scale_a, scale_b, scale_y = scales.astype(np.float32)
    ratio_a, ratio_b = np.float32(scale_a / scale_y), np.float32(scale_b / scale_y)
    inner = np.float32(ratio_b * np.float32(zero_points[1]))
    fused = np.float32(np.longdouble(ratio_a) * np.longdouble(zero_points[0]) + np.longdouble(inner))
    clipped = lo if rng.random() < 0.7 else int(zero_points[2])  # a Relu
    return QLinearAddReference(ratio_a, ratio_b, np.float32(np.float32(zero_points[2]) - fused), clipped, hi)


ADD_KINDS = ("random", "wide", "same", "same inputs", "power of two", "small ratio")
