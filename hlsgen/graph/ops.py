"""Operators of a quantized graph. Each computes integers from integers; none knows of hardware.

Tensors are frames of shape (H, W, C) per image, channels last. ``golden.py`` holds one function per operator.
"""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.graph.reference import JoinReference, Reference
from hlsgen.graph.types import IntArray


@dataclass(frozen=True)
class Geometry:
    """A sliding window over an H x W frame. Pairs are (vertical, horizontal)."""

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns a window covers, dilation included."""
        (rows, columns), (vertical, horizontal) = self.kernel, self.dilations
        return vertical * (rows - 1) + 1, horizontal * (columns - 1) + 1

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Output rows and columns for an input of height x width."""
        top, left, bottom, right = self.pads
        rows = (height + top + bottom - self.extent[0]) // self.strides[0] + 1
        columns = (width + left + right - self.extent[1]) // self.strides[1] + 1
        return rows, columns

    @property
    def trivial(self) -> bool:
        """One tap, no stride, no padding: the stream itself is the window."""
        return self.kernel == (1, 1) and self.strides == (1, 1) and not any(self.pads)


@dataclass(frozen=True, eq=False)
class Op:
    """Base of all operators. ``name`` is the ONNX node's name (or its output's, if it has none): untrusted text."""

    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, eq=False)
class Conv(Op):
    """Convolution, and with a 1x1 kernel any dense layer: ``acc = sum((x - zero_point) * weight) + bias``.

    ``weight``: int64 (N, KH, KW, C/groups), zero point already subtracted. ``bias``: int64 (N,), in accumulator units.
    Padding has the value ``zero_point``, that is, contributes nothing.
    """

    geometry: Geometry
    weight: IntArray
    bias: IntArray
    groups: int
    zero_point: int


@dataclass(frozen=True, eq=False)
class MaxPool(Op):
    """Maximum over each window; padding never wins (it is the input type's minimum)."""

    geometry: Geometry


@dataclass(frozen=True, eq=False)
class SumPool(Op):
    """``acc = sum(x - zero_point)`` over each window; padding contributes nothing. The division is the Requantize's."""

    geometry: Geometry
    zero_point: int


@dataclass(frozen=True, eq=False)
class Requantize(Op):
    """A function of one integer, per channel: accumulator or tensor to tensor."""

    reference: Reference


@dataclass(frozen=True, eq=False)
class Join(Op):
    """A function of two integers of equal position (Add, Sub), each a tensor or an accumulator."""

    reference: JoinReference


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """Channels of several frames side by side, in the order of ``inputs``."""


@dataclass(frozen=True, eq=False)
class Reshape(Op):
    """The same elements in the same order, declared as a frame of another shape."""
