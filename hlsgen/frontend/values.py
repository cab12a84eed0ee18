"""What an ONNX tensor may stand for while the graph is walked.

A float tensor is never computed; it is a *view*: a function of an integer tensor (or of two, for a join) that the next
quantizer closes into one integer function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.graph.graph import Layout
from hlsgen.graph.ops import Geometry
from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import QuantType

Array = npt.NDArray[Any]
Float32Array = npt.NDArray[np.float32]
Fractions = tuple[Fraction, ...]
"""Exact constants in frame order: one for all, one per channel, or one per element of the frame."""


class NotHardwareError(Exception):
    """A node has no place in the accelerator; the text says why, after the node's name."""


@dataclass(frozen=True, eq=False)
class Constant:
    """Known before anything runs. ``array`` has the ONNX tensor's full shape, batch axis included."""

    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """ONNX shape."""
        return self.array.shape


@dataclass(frozen=True, eq=False)
class QuantConstant:
    """A quantized constant: ``(integers - zero_point) * scale``; scale (float32) and zero point broadcast to integers.

    ``dtype`` is the ONNX element type's name ("int8", ...), or "" for QONNX, whose constants are floats in the file.
    """

    integers: npt.NDArray[np.int64]
    scale: Float32Array
    zero_point: npt.NDArray[np.int64]
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """ONNX shape."""
        return self.integers.shape

    @property
    def centered(self) -> npt.NDArray[np.int64]:
        """Integers minus zero point."""
        return self.integers - self.zero_point

    @property
    def floats(self) -> Float32Array:
        """The dequantized float32 constant."""
        return self.centered.astype(np.float32) * self.scale

    def moved(self, move: Callable[[Array], Array]) -> QuantConstant:
        """The same constant after a movement of its elements (transpose, reshape)."""
        scale, zero_point = (np.broadcast_to(a, self.shape) for a in (self.scale, self.zero_point))
        return replace(self, integers=move(self.integers), scale=move(scale), zero_point=move(zero_point))


@dataclass(frozen=True, eq=False)
class IntValue:
    """An ONNX tensor of integers that a frame holds. ``layout.index`` has its shape without the batch axis."""

    tensor: str
    layout: Layout
    dtype: str


@dataclass(frozen=True)
class Quantized:
    """How a tensor's integers read as floats: ``(x - zero_point) * scale``, one scale for all channels."""

    scale: np.float32
    zero_point: int
    dtype: str


@dataclass(frozen=True, eq=False)
class QLinearScale:
    """What ONNX Runtime's QLinear kernels multiply: ``float32(float32(a) / output scale)`` or its pooling form.

    ``product``: float32(x scale * w scale), per channel. ``pool``: number of summed elements (0 for
    multiply-accumulates).
    """

    product: Float32Array
    pool: int = 0

    def multiplier(self, output_scale: np.float32) -> Float32Array:
        """The float32 multiplier of accumulators for an output scale."""
        if self.pool:
            return np.asarray(self.product / np.float32(output_scale * np.float32(self.pool)), np.float32)
        return np.asarray(self.product / output_scale, np.float32)


@dataclass(frozen=True, eq=False)
class Accumulated:
    """How an accumulator reads as a real number: ``acc * scale + offset``.

    ``qlinear`` where QLinear arithmetic is REF.
    """

    scale: Fractions
    offset: Fractions
    qlinear: QLinearScale | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """One elementwise operator with constants, after the base of a view.

    ``evaluate``: the float32 operator on arrays (values, channels). ``affine``: exact (multiply, add), or None.
    ``clip``: exact (lower, upper) bounds, either None; a step has at most one of affine and clip.
    """

    name: str
    evaluate: Callable[[Float32Array], Float32Array]
    affine: tuple[Fractions, Fractions] | None = None
    clip: tuple[Fraction | None, Fraction | None] | None = None
    channels: int = 1

    @property
    def grows(self) -> bool:
        """Whether the step is known never to decrease."""
        return self.clip is not None or (self.affine is not None and min(self.affine[0]) >= 0)


@dataclass(frozen=True, eq=False)
class PendingMax:
    """A maximum over windows of a view that may decrease with its integers: taken after the quantizer.

    ``steps``: how many steps of the view stand before it.
    """

    name: str
    geometry: Geometry
    steps: int


@dataclass(frozen=True, eq=False)
class FloatView:
    """A float tensor that is a function of one integer tensor.

    With ``pool``, ``tensor`` is what is pooled and ``layout`` that of the pooled frame.
    """

    tensor: str
    layout: Layout
    base: Quantized | Accumulated
    steps: tuple[Step, ...] = ()
    pool: PendingMax | None = None

    def then(self, step: Step) -> FloatView:
        """The view after one more elementwise operator."""
        return replace(self, steps=(*self.steps, step))


@dataclass(frozen=True, eq=False)
class JoinView:
    """Sum of two views of equal layout (``sign`` -1: difference), followed by elementwise steps."""

    a: FloatView
    b: FloatView
    sign: int
    layout: Layout
    name: str
    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> JoinView:
        """The view after one more elementwise operator."""
        return replace(self, steps=(*self.steps, step))


@dataclass(frozen=True, eq=False)
class ConstantJoinView:
    """Sum of a quantized tensor and a quantized constant: QLinearAdd's arithmetic applies as for two tensors."""

    a: FloatView
    constant: QuantConstant
    layout: Layout
    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> ConstantJoinView:
        """The view after one more elementwise operator."""
        return replace(self, steps=(*self.steps, step))


@dataclass(frozen=True, eq=False)
class ConcatView:
    """Views of different scales side by side; the next quantizer requantizes each before they are joined.

    ``joined`` maps the flat elements of all parts, one part after another, to the ONNX tensor.
    """

    parts: tuple[FloatView, ...]
    axis: int
    layout: Layout
    name: str


@dataclass(frozen=True, eq=False)
class HostValue:
    """A tensor the CPU computes. ``sample`` is its value for one all-zero image (shape and dtype are what matters).

    ``cause`` is the node that could not be placed in hardware, ``reason`` why; None in the part before the first
    quantizer.
    """

    sample: Array
    cause: str | None
    reason: str = ""

    @property
    def layout(self) -> Layout:
        """Identity layout of the tensor's shape."""
        shape = self.sample.shape[1:]
        return Layout(np.arange(int(np.prod(shape))).reshape(shape))


View = FloatView | JoinView | ConstantJoinView | ConcatView
Value = Constant | QuantConstant | IntValue | View | HostValue


@dataclass(frozen=True, eq=False)
class Quantizer:
    """What closes an island. ``scale``: float32 in frame order, one for all channels or one per channel.

    ``inside``: the zero point is added before rounding (QONNX, QLinearAdd, QLinearAveragePool).
    ``dtype``: the ONNX element type's name, or "" for QONNX.
    """

    scale: Float32Array
    zero_point: int
    type: QuantType
    dtype: str
    rounding: Rounding = Rounding.HALF_EVEN
    inside: bool = False

    @property
    def eight_bit(self) -> bool:
        """Whether ONNX Runtime's QLinear kernels produce this type."""
        return self.dtype in ("int8", "uint8") and self.scale.size == 1

    def quantize(self, real: Float32Array) -> tuple[Array, Array]:
        """float32 values (values, channels) -> (integers int64, unrounded values float64), as the operator computes."""
        from hlsgen.graph.reference import round_float

        scaled = real / self.scale
        if self.rounding is Rounding.SIGN:
            return np.where(scaled >= 0, 1, -1), scaled.astype(np.float64)
        lo, hi = self.type.min, self.type.max
        if self.inside:
            unrounded = (scaled + np.float32(self.zero_point)).astype(np.float64)
            return round_float(np.clip(unrounded, lo, hi), self.rounding).astype(np.int64), unrounded
        unrounded = scaled.astype(np.float64)
        integers = np.clip(round_float(unrounded, self.rounding) + self.zero_point, lo, hi)
        return integers.astype(np.int64), unrounded + self.zero_point
