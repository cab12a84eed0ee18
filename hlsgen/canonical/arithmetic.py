"""Constants that make ONNX Runtime's own arithmetic reproduce a reference, and the proof that they do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hlsgen.errors import UnsupportedError
from hlsgen.graph.reference import (
    AffineReference,
    Float64Array,
    QLinearAddReference,
    Rounding,
    round_float,
)
from hlsgen.graph.types import IntArray, QuantType

_NUDGES = tuple(sign * 2.0**exponent for exponent in (-48, -46, -44, -42, -40, -38) for sign in (1, -1))
"""Changes of a constant, in output LSB, to try where its rounding to float64 crosses a rounding boundary."""

_MOST_BOUNDARIES = 1 << 24
"""Boundaries (all channels together) that are worth checking one by one."""


@dataclass(frozen=True, eq=False)
class Doubles:
    """``round((x * numerator + constant) / denominator)`` in float64, each of shape (C,)."""

    numerator: Float64Array
    constant: Float64Array
    denominator: Float64Array

    def evaluate(self, reference: AffineReference, x: IntArray) -> IntArray:
        """What the operators of the canonical model compute for integers (..., C): ``reference`` gives the rest."""
        real = (x.astype(np.float64) * self.numerator + self.constant) / self.denominator
        rounded = round_float(real, reference.rounding) + reference.zero_point
        return np.clip(rounded, np.array(reference.lo, np.float64), np.array(reference.hi, np.float64)).astype(np.int64)


def doubles(reference: AffineReference, lo: int, hi: int, name: str) -> Doubles:
    """float64 constants that give exactly ``reference`` for every integer from lo to hi.

    Both functions are monotone, so they are equal everywhere if they are equal on both sides of every boundary of
    the rounding; that is checked. Where float64 falls on the wrong side of one, the channel's constant is moved by
    less than 2**-37 LSB. Raises UnsupportedError, naming ``name``, if no constant serves.
    """
    distinct, places = _distinct(reference)
    if len(distinct.scale) < len(places):  # one channel per element, but few functions: an average that skips padding
        few = doubles(distinct, lo, hi, name)
        return Doubles(few.numerator[places], few.constant[places], few.denominator[places])
    numerator, constant, denominator = reference.float64_constants()
    result = Doubles(numerator, constant, denominator)
    if reference.exact_in_float64(max(abs(lo), abs(hi))):
        return result
    points = _around_boundaries(reference, lo, hi, name)
    expected = reference.evaluate(points).astype(np.int64)
    wrong = (result.evaluate(reference, points) != expected).any(axis=0)
    # the rounded quotient of the rationals, which has a constant in output LSB
    scale = np.array([float(s) for s in reference.scale]) * np.ones_like(numerator)
    offset = np.array([float(o) for o in reference.offset]) * np.ones_like(numerator)
    for nudge in _NUDGES:
        if not wrong.any():
            return result
        numerator, constant, denominator = (
            np.where(wrong, *pair)
            for pair in ((scale, numerator), (offset + nudge, constant), (np.ones_like(scale), denominator))
        )
        result = Doubles(numerator, constant, denominator)
        wrong = (result.evaluate(reference, points) != expected).any(axis=0)
    if wrong.any():
        raise UnsupportedError(
            f"node {name!r}: its scales lie so close to a rounding boundary that float64 cannot tell them apart, so "
            "the result could not be checked with ONNX Runtime. Round the scales to float32."
        )
    return result


def _distinct(reference: AffineReference) -> tuple[AffineReference, npt.NDArray[np.int64]]:
    """The reference with each of its functions once, and which of them every channel has."""
    parts = (reference.scale, reference.offset, reference.lo, reference.hi)
    count = max(map(len, parts))
    channels = list(zip(*(part * count if len(part) == 1 else part for part in parts), strict=True))
    position = {channel: number for number, channel in enumerate(dict.fromkeys(channels))}
    scale, offset, lo, hi = zip(*position, strict=True)
    return replace(reference, scale=scale, offset=offset, lo=lo, hi=hi), np.array([position[c] for c in channels])


def _around_boundaries(reference: AffineReference, lo: int, hi: int, name: str) -> npt.NDArray[np.int64]:
    """Integers (points, C) on both sides of every boundary of the rounding that lies within lo..hi."""
    channels = max(len(reference.scale), len(reference.offset), len(reference.lo), len(reference.hi))
    scale = np.broadcast_to(np.array([float(s) for s in reference.scale]), channels)
    offset = np.broadcast_to(np.array([float(o) for o in reference.offset]), channels)
    if reference.rounding is Rounding.SIGN:
        boundaries = np.zeros(1)
    else:
        first, last = min(reference.lo) - reference.zero_point, max(reference.hi) - reference.zero_point
        if (last - first + 1) * channels > _MOST_BOUNDARIES:
            raise UnsupportedError(
                f"node {name!r}: its output has too many levels ({last - first + 1}) to prove a scale that is no power "
                "of two. Use a power-of-two scale, or fewer bits."
            )
        boundaries = np.arange(first - 1, last + 2, dtype=np.float64)
        if reference.rounding in (Rounding.HALF_EVEN, Rounding.HALF_UP, Rounding.HALF_DOWN):
            boundaries += 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.floor((boundaries[:, None] - offset) / scale)
    crossing = np.clip(np.nan_to_num(crossing, nan=lo, posinf=hi, neginf=lo), lo, hi)
    return np.concatenate([np.clip(crossing + step, lo, hi) for step in (-2, -1, 0, 1, 2, 3)]).astype(np.int64)


def pool_scales(multiplier: np.float32, count: int) -> tuple[np.float32, np.float32] | None:
    """Scales of input and output for which ``float32(input / float32(output * float32(count)))`` is ``multiplier``.

    A quotient by one output scale does not reach every float32, so several are tried; None if none serves.
    """
    for output in np.linspace(1, 2, 33, dtype=np.float32):
        divisor = np.float32(output * np.float32(count))
        guess = np.float32(multiplier * divisor)
        for candidate in (guess, np.nextafter(guess, np.float32(0)), np.nextafter(guess, np.float32(np.inf))):
            if np.float32(candidate / divisor) == multiplier:
                return np.float32(candidate), np.float32(output)
    return None


def add_zero_points(
    reference: QLinearAddReference, type: QuantType, likely: tuple[int, int] | None
) -> tuple[int, int, int] | None:
    """Zero points (a, b, output) for which QLinearAdd's own constant is ``reference.constant``; None if there are none.

    ``likely``: those of a and b, tried first. All three are of the 8-bit ``type``.
    """
    values = np.arange(type.min, type.max + 1)
    first, second = (values, values) if likely is None else (np.array([z]) for z in likely)
    wide = np.longdouble
    inner = np.float32(reference.scale_b) * second.astype(np.float32)
    fused = (first.astype(wide)[:, None] * wide(reference.scale_a) + inner.astype(wide)).astype(np.float32)
    constants = values.astype(np.float32) - fused[..., None]
    found = np.argwhere(constants == reference.constant)
    if len(found):
        a, b, c = found[0]
        return int(first[a]), int(second[b]), int(values[c])
    return None if likely is None else add_zero_points(reference, type, None)
