"""Closing an island: a view and a quantizer become one integer function with a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hlsgen.frontend.builder import Bounds, GraphBuilder
from hlsgen.frontend.values import (
    Accumulated,
    ConstantJoinView,
    FloatView,
    Fractions,
    JoinView,
    NotHardwareError,
    Quantized,
    Quantizer,
    Step,
)
from hlsgen.graph.graph import Frame, Tensor
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    JoinReference,
    QLinearAddReference,
    QLinearReference,
    Reference,
    Rounding,
    TableReference,
    round_fraction,
)
from hlsgen.graph.types import QuantType

TABLE_BITS = 12
"""Inputs of at most this many bits are tabulated: the float32 operators themselves are evaluated on every value."""

JOIN_ERROR = Fraction(1, 1 << 17)
"""Largest deviation, in output LSB, of a join's fixed-point sum from the exact real one."""

Entry = TypeVar("Entry")

_FLOAT64_SUMS = 1 << 53


@dataclass(frozen=True)
class Affine:
    """``clip(scale * x + offset, lower, upper)``, exact, entries as in ``Fractions``; bounds None where absent."""

    scale: Fractions
    offset: Fractions
    lower: tuple[Fraction | None, ...]
    upper: tuple[Fraction | None, ...]

    @property
    def clipped(self) -> bool:
        """Whether any bound exists."""
        return any(b is not None for b in (*self.lower, *self.upper))


def compose(scale: Fractions, offset: Fractions, steps: Sequence[Step]) -> Affine:
    """The steps after ``scale * x + offset`` as one clipped affine function (affine of a clip is a clip of an affine).

    Raises NotHardwareError when a step is neither affine nor a clip.
    """
    lower: tuple[Fraction | None, ...] = (None,)
    upper: tuple[Fraction | None, ...] = (None,)
    for step in steps:
        if step.affine is not None:
            multiply, add = step.affine
            count = max(map(len, (scale, offset, lower, upper, multiply, add)))
            m, a = spread(multiply, count), spread(add, count)
            low, high = spread(lower, count), spread(upper, count)
            scale = tuple(s * f for s, f in zip(spread(scale, count), m, strict=True))
            offset = tuple(o * f + c for o, f, c in zip(spread(offset, count), m, a, strict=True))
            moved = [
                [None if b is None else b * f + c for b, f, c in zip(bound, m, a, strict=True)] for bound in (low, high)
            ]
            lower = tuple(moved[f < 0][c] for c, f in enumerate(m))
            upper = tuple(moved[f >= 0][c] for c, f in enumerate(m))
        elif step.clip is not None:
            floor, ceiling = step.clip
            lower = tuple(_clamp(b, floor, ceiling) if b is not None else floor for b in lower)
            upper = tuple(_clamp(b, floor, ceiling) if b is not None else ceiling for b in upper)
        else:
            raise NotHardwareError(
                f"{step.name} before it is applied to a sum that no quantizer has closed, and is not piecewise-linear; "
                f"put a quantizer (QuantizeLinear or Quant) between the layer and {step.name}, which then becomes a "
                "table"
            )
    return Affine(scale, offset, lower, upper)


def close(view: FloatView, quantizer: Quantizer, tensor: Tensor) -> Reference:
    """The reference of ``quantizer(view)``.

    ``tensor`` is the view's integer tensor, already in the frame the constants need. Raises NotHardwareError when a
    step is neither affine nor a clip and its operand too wide for a table.
    """
    if isinstance(view.base, Quantized) and tensor.type.bits <= TABLE_BITS:
        return _table(view.base, view.steps, quantizer, tensor)
    if isinstance(view.base, Accumulated):
        clips_only = all(step.clip is not None for step in view.steps)
        if view.base.qlinear is not None and quantizer.eight_bit and clips_only:
            lo, hi = _integer_bounds(view.steps, quantizer)
            return QLinearReference(
                view.base.qlinear.multiplier(np.float32(quantizer.scale[0])), quantizer.zero_point, lo, hi
            )
        scale, offset = view.base.scale, view.base.offset
    else:
        scale, offset = dequantize_exactly(view.base)
        nonlinear = next((step.name for step in view.steps if step.affine is None and step.clip is None), None)
        if nonlinear is not None:
            raise NotHardwareError(
                f"{nonlinear} before it is applied to {tensor.type.bits}-bit integers, and its table may have at most "
                f"{TABLE_BITS} bits of input; quantize the tensor {view.tensor!r} to {TABLE_BITS} bits or fewer"
            )
    return _affine(compose(scale, offset, view.steps), quantizer)


def dequantize_exactly(base: Quantized) -> tuple[Fractions, Fractions]:
    """``(scale, offset)`` of a quantized tensor's float value."""
    scale = Fraction(float(base.scale))
    return (scale,), (-base.zero_point * scale,)


def close_join(view: JoinView, quantizer: Quantizer, builder: GraphBuilder, a: str, b: str) -> JoinReference:
    """The reference of ``quantizer(a +- b)`` and the steps between; ``a``, ``b`` are the operands' tensors."""
    first, second = view.a.base, view.b.base
    plain = not view.a.steps and not view.b.steps and all(step.clip is not None for step in view.steps)
    if (
        plain
        and isinstance(first, Quantized)
        and isinstance(second, Quantized)
        and view.sign > 0
        and quantizer.eight_bit
        and first.dtype == second.dtype == quantizer.dtype
    ):
        return qlinear_add(first, second, view.steps, quantizer)
    return _affine_join(view, quantizer, builder.bounds(a), builder.bounds(b))


def close_constant_join(
    view: ConstantJoinView, channel_constant: npt.NDArray[np.int64], quantizer: Quantizer, tensor: Tensor
) -> TableReference:
    """QLinearAdd of a tensor and a constant, whose integers are ``channel_constant`` (1 or C entries), as tables."""
    assert isinstance(view.a.base, Quantized)
    constant = Quantized(
        np.float32(view.constant.scale.ravel()[0]), int(view.constant.zero_point.ravel()[0]), view.constant.dtype
    )
    reference = qlinear_add(view.a.base, constant, view.steps, quantizer)
    inputs = np.arange(tensor.type.min, tensor.type.max + 1)[None, :]
    return TableReference(
        tensor.type.min,
        reference.evaluate(inputs, channel_constant[:, None]),
        reference.real(inputs, channel_constant[:, None]),
    )


def qlinear_add(a: Quantized, b: Quantized, clips: Sequence[Step], quantizer: Quantizer) -> QLinearAddReference:
    """QLinearAdd's float32 constants: ``fix = f32(zc - fma(rA, zA, f32(rB * zB)))``."""
    output = np.float32(quantizer.scale[0])
    scale_a, scale_b = np.float32(a.scale / output), np.float32(b.scale / output)
    wide = np.longdouble
    inner = np.float32(scale_b * np.float32(b.zero_point))
    fused = np.float32(wide(scale_a) * wide(a.zero_point) + wide(inner))
    constant = np.float32(np.float32(quantizer.zero_point) - fused)
    lo, hi = _integer_bounds(clips, quantizer)
    return QLinearAddReference(scale_a, scale_b, constant, lo, hi)


def reframe(shape: Frame, constants: int) -> Frame:
    """The frame in which ``constants`` entries are one per channel: itself, or all elements side by side."""
    height, width, channels = shape
    return shape if constants in (1, channels) else (1, 1, height * width * channels)


def constant_count(steps: Sequence[Step], *more: int) -> int:
    """Entries the constants of a view need: 1, C, or one per element."""
    return max([1, *(step.channels for step in steps), *more])


def spread(values: tuple[Entry, ...], count: int) -> tuple[Entry, ...]:
    """Repeat a single entry ``count`` times."""
    return tuple(values) * count if len(values) == 1 else tuple(values)


def _clamp(value: Fraction, floor: Fraction | None, ceiling: Fraction | None) -> Fraction:
    if floor is not None and value < floor:
        value = floor
    return ceiling if ceiling is not None and value > ceiling else value


def _integer_bounds(clips: Sequence[Step], quantizer: Quantizer) -> tuple[int, int]:
    """Bounds on the output integers: the type's, and those of Relu and Clip, quantized as the quantizer does."""
    lo, hi = quantizer.type.min, quantizer.type.max
    for step in clips:
        assert step.clip is not None
        floor, ceiling = (
            None
            if bound is None
            else int(quantizer.quantize(np.array([[np.float32(bound)]], np.float32))[0].ravel()[0])
            for bound in step.clip
        )
        lo = lo if floor is None else min(max(lo, floor), quantizer.type.max)
        hi = hi if ceiling is None else max(min(hi, ceiling), lo)
    return lo, hi


def _table(base: Quantized, steps: Sequence[Step], quantizer: Quantizer, tensor: Tensor) -> TableReference:
    first = tensor.type.min
    inputs = np.arange(first, tensor.type.max + 1)
    channels = constant_count(steps, quantizer.scale.size)
    real = (inputs - base.zero_point).astype(np.float32) * base.scale
    values = np.broadcast_to(real[:, None], (len(inputs), channels)).copy()
    with np.errstate(all="ignore"):
        for step in steps:
            values = np.asarray(step.evaluate(values), np.float32)
        values = np.nan_to_num(values, nan=0.0, posinf=np.finfo(np.float32).max, neginf=np.finfo(np.float32).min)
        integers, unrounded = quantizer.quantize(values)
    return TableReference(first, np.ascontiguousarray(integers.T), np.ascontiguousarray(unrounded.T))


def _affine(affine: Affine, quantizer: Quantizer) -> AffineReference:
    steps = tuple(Fraction(float(s)) for s in quantizer.scale)
    zero_point = quantizer.zero_point
    sign = quantizer.rounding is Rounding.SIGN
    inside = zero_point if quantizer.inside and not sign else 0
    outside = 0 if quantizer.inside or sign else zero_point
    count = max(len(affine.scale), len(affine.offset), len(affine.lower), len(affine.upper), len(steps))
    divide = spread(steps, count)
    scale = tuple(s / d for s, d in zip(spread(affine.scale, count), divide, strict=True))
    offset = tuple(o / d + inside for o, d in zip(spread(affine.offset, count), divide, strict=True))

    def integer(bound: Fraction | None, step: Fraction, default: int) -> int:
        if bound is None:
            return default
        value = round_fraction(bound / step + inside, quantizer.rounding) + outside
        return min(max(value, quantizer.type.min), quantizer.type.max)

    lo = tuple(integer(b, d, quantizer.type.min) for b, d in zip(spread(affine.lower, count), divide, strict=True))
    hi = tuple(integer(b, d, quantizer.type.max) for b, d in zip(spread(affine.upper, count), divide, strict=True))
    return AffineReference(scale, offset, quantizer.rounding, outside, lo, hi)


def _affine_join(view: JoinView, quantizer: Quantizer, bounds_a: Bounds, bounds_b: Bounds) -> AffineJoinReference:
    operands = []
    for operand in (view.a, view.b):
        base = operand.base
        scale, offset = dequantize_exactly(base) if isinstance(base, Quantized) else (base.scale, base.offset)
        affine = compose(scale, offset, operand.steps)
        if affine.clipped:
            raise NotHardwareError(
                f"one operand of the sum {view.name!r} is clipped (Relu or Clip) without a quantizer before the sum; "
                "put a quantizer between the activation and the addition"
            )
        operands.append(affine)
    total = compose((Fraction(1),), (Fraction(0),), view.steps)
    if len(set(total.lower)) > 1 or len(set(total.upper)) > 1 or quantizer.scale.size > 1:
        raise NotHardwareError(
            f"clips or output scales that differ per channel after the sum {view.name!r} are not built; use one scale "
            "for the sum's output"
        )
    step = Fraction(float(quantizer.scale[0]))
    count = max(len(part) for affine in (*operands, total) for part in (affine.scale, affine.offset))
    outer, shift_in = spread(total.scale, count), spread(total.offset, count)
    inside = quantizer.zero_point if quantizer.inside else 0
    alpha = tuple(s * o / step for s, o in zip(spread(operands[0].scale, count), outer, strict=True))
    beta = tuple(view.sign * s * o / step for s, o in zip(spread(operands[1].scale, count), outer, strict=True))
    gamma = tuple(
        (o * (p + view.sign * q) + t) / step + inside
        for p, q, o, t in zip(
            spread(operands[0].offset, count), spread(operands[1].offset, count), outer, shift_in, strict=True
        )
    )
    clip = _affine(Affine((Fraction(0),), (Fraction(0),), total.lower, total.upper), quantizer)
    reach_a, reach_b = (int(max(np.abs(bound).max() for bound in bounds)) for bounds in (bounds_a, bounds_b))
    shift = _grid(alpha, beta, gamma, reach_a, reach_b, view.name)

    def on_grid(part: Fractions) -> npt.NDArray[np.int64]:
        return np.array([round_fraction(f * (1 << shift), Rounding.HALF_EVEN) for f in part], np.int64)

    return AffineJoinReference(
        on_grid(alpha),
        on_grid(beta),
        on_grid(gamma),
        shift,
        quantizer.rounding,
        0 if quantizer.inside or quantizer.rounding is Rounding.SIGN else quantizer.zero_point,
        clip.lo[0],
        clip.hi[0],
    )


def _grid(alpha: Fractions, beta: Fractions, gamma: Fractions, reach_a: int, reach_b: int, name: str) -> int:
    """Fraction bits of a join's constants: enough for exactness where they are dyadic, otherwise for ``JOIN_ERROR``."""
    largest = max(abs(a) * reach_a + abs(b) * reach_b + abs(c) for a, b, c in zip(alpha, beta, gamma, strict=True)) + 1
    dyadic = max(f.denominator for part in (alpha, beta, gamma) for f in part)
    exact = dyadic & (dyadic - 1) == 0 and all(
        f.denominator & (f.denominator - 1) == 0 for part in (alpha, beta, gamma) for f in part
    )
    shift = dyadic.bit_length() - 1
    bound = 0
    while Fraction(reach_a + reach_b + 1, 1 << (bound + 1)) > JOIN_ERROR:
        bound += 1
    if not exact or largest * (1 << shift) >= _FLOAT64_SUMS or shift > bound + 16:
        shift = bound
    if largest * (1 << shift) >= _FLOAT64_SUMS:
        raise NotHardwareError(
            f"the sum {name!r} of two accumulators spans more than 53 bits; quantize one operand before the addition"
        )
    return shift


def type_of(dtype: str) -> QuantType:
    """The integer type of an ONNX element type's name ("int8", "uint4", ...). Raises KeyError for others."""
    return {f"{sign}int{bits}": QuantType(bits, signed=not sign) for sign in ("", "u") for bits in (2, 4, 8, 16)}[dtype]
