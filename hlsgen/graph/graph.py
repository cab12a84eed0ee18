"""The Graph: *what* is computed, as quantized operators on integer frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.graph.host import HostProgram
from hlsgen.graph.ops import Conv, Op
from hlsgen.graph.types import QuantType

Frame = tuple[int, int, int]


@dataclass(frozen=True)
class Tensor:
    """An integer tensor inside the accelerator. ``shape`` is (H, W, C) per image.

    ``lo``..``hi`` is the range its values can really reach (derived from weights and input ranges, a subset of the
    type's).
    """

    name: str
    shape: Frame
    type: QuantType
    lo: int
    hi: int

    @property
    def elements(self) -> int:
        """Elements per image."""
        height, width, channels = self.shape
        return height * width * channels


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each element of an ONNX tensor (one image, no batch axis) stands in a frame's row-major order.

    ``index``: integers of the ONNX tensor's shape, a permutation of 0..elements-1.
    """

    index: npt.NDArray[np.int64]

    @staticmethod
    def planar(channels: int, height: int, width: int) -> Layout:
        """The layout of an ONNX tensor (C, H, W) in a frame (H, W, C)."""
        index = np.arange(channels * height * width).reshape(height, width, channels)
        return Layout(index.transpose(2, 0, 1))

    def to_onnx(self, frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(N, H, W, C) frames -> (N, *index.shape)."""
        flat = frames.reshape(len(frames), -1)
        return flat[:, self.index.ravel()].reshape(len(frames), *self.index.shape)

    def to_frames(self, array: npt.NDArray[Any], shape: Frame) -> npt.NDArray[Any]:
        """(N, *index.shape) -> (N, H, W, C) frames."""
        flat = np.empty((len(array), self.index.size), array.dtype)
        flat[:, self.index.ravel()] = array.reshape(len(array), -1)
        return flat.reshape(len(array), *shape)


@dataclass(frozen=True, eq=False)
class View:
    """An ONNX tensor that exists in the accelerator: which frame holds it, and how its integers read as floats.

    ``float = (integer - zero_point) * scale``; ``scale`` float32 of shape () or (C,) along ONNX axis ``axis`` (counted
    without the batch axis). ``is_float``: the ONNX tensor is the dequantized float one (QONNX's quantizers) rather than
    the integers themselves.
    """

    tensor: str
    layout: Layout
    scale: npt.NDArray[np.float32]
    zero_point: int
    is_float: bool = False
    axis: int = 0


@dataclass
class Graph:
    """A quantized network. Invariants are checked by ``check``; nothing here is hardware.

    ``ops`` are in topological order; every tensor is written once. ``input`` is the one tensor that enters the
    accelerator, ``outputs`` leave it. ``prefix`` computes the input integers from the model's float input, ``suffix``
    the model's outputs from the accelerator's; both run on the CPU. ``views`` maps every ONNX tensor that is integer
    somewhere to the frame that holds it, for reports and comparisons.
    """

    name: str
    input: str
    outputs: list[str]
    tensors: dict[str, Tensor]
    ops: list[Op]
    prefix: HostProgram
    suffix: HostProgram
    views: dict[str, View] = field(default_factory=dict)
    form: str = ""  # "qdq", "qoperator", "qonnx" or a mixture joined by "+"
    notes: list[str] = field(default_factory=list)  # what was assumed about the model, one sentence each

    def producers(self) -> dict[str, Op]:
        """Operator that writes each tensor (the input has none)."""
        return {op.output: op for op in self.ops}

    def consumers(self) -> dict[str, list[Op]]:
        """Operators that read each tensor, in order, one entry per reading."""
        readers: dict[str, list[Op]] = {name: [] for name in self.tensors}
        for op in self.ops:
            for name in op.inputs:
                readers[name].append(op)
        return readers

    def macs(self) -> int:
        """Multiply-accumulates per image."""
        total = 0
        for op in self.ops:
            if isinstance(op, Conv):
                height, width, _ = self.tensors[op.output].shape
                total += height * width * op.weight.size
        return total

    def check(self) -> None:
        """Raise ValueError when an invariant is broken (a defect of a front end, never of a model)."""
        known = {self.input}
        for op in self.ops:
            missing = [name for name in op.inputs if name not in known]
            if missing or op.output in known:
                raise ValueError(f"{op.name}: reads {missing} before they are written, or writes {op.output} again")
            known.add(op.output)
        if known != set(self.tensors) or not set(self.outputs) <= known:
            raise ValueError("tensors and operators do not match")
        for tensor in self.tensors.values():
            if not tensor.type.contains(tensor.lo, tensor.hi):
                raise ValueError(f"{tensor.name}: range {tensor.lo}..{tensor.hi} does not fit {tensor.type}")
