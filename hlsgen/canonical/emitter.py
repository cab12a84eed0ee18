"""Collects ONNX nodes and constants under names that are unique and safe, whatever the model called its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from hlsgen.graph.host import Array as Array
from hlsgen.graph.types import QuantType

OPSET = 21
"""The oldest operator set with quantizers of 16 and 4 bits."""

IR_VERSION = 10
"""The file format version that belongs to it; ONNX Runtime refuses the newest ones."""

BATCH = "batch"
"""The symbolic leading axis of every tensor."""

BYTES = (int(TensorProto.INT8), int(TensorProto.UINT8))
"""Element types of the kernels that multiply or add quantized tensors."""

MICROSOFT = "com.microsoft"
"""Domain of ONNX Runtime's own operators."""

_NAME_LENGTH = 48


def safe(name: str) -> str:
    """``name`` reduced to letters, digits and underscores, of bounded length."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name)[-_NAME_LENGTH:].strip("_") or "x"


def carrier(type: QuantType) -> int:
    """The ONNX element type that carries a tensor: a byte for types of at most 8 bits, else int32 or int64."""
    if type.bits <= 8:
        return int(TensorProto.INT8 if type.signed else TensorProto.UINT8)
    return int(TensorProto.INT32 if QuantType(32, signed=True).contains(type.min, type.max) else TensorProto.INT64)


def numpy_type(element: int) -> np.dtype[Any]:
    """The NumPy type of an ONNX element type."""
    return np.dtype(helper.tensor_dtype_to_np_dtype(element))


def per_channel(values: Array) -> Array:
    """Constants (C,) as they are, a single one as a scalar."""
    return values.reshape(()) if values.size == 1 else values


def planar(values: Array) -> Array:
    """Constants (C,) shaped to meet (batch, C, H, W), a single one as a scalar."""
    return values.reshape(()) if values.size == 1 else values.reshape(-1, 1, 1)


class Emitter:
    """Nodes in order and the constants they read. ``taken``: names that belong to the model's inputs and outputs."""

    def __init__(self, taken: set[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._taken = set(taken)
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def name(self, wish: str) -> str:
        """A fresh name that resembles ``wish``."""
        stem = safe(wish)
        name, number = stem, 2
        while name in self._taken:
            name, number = f"{stem}_{number}", number + 1
        self._taken.add(name)
        return name

    def constant(self, array: Any, dtype: npt.DTypeLike, wish: str = "constant") -> str:
        """The name of a constant; equal ones are stored once."""
        value = np.array(array, dtype, order="C")
        key = (value.dtype.name, value.shape, value.tobytes())
        if key not in self._constants:
            self._constants[key] = self.name(wish)
            self.initializers.append(numpy_helper.from_array(value, self._constants[key]))
        return self._constants[key]

    def node(
        self,
        op_type: str,
        inputs: list[str],
        wish: str = "",
        output: str = "",
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Append a node and return its output: called ``output``, or a fresh name that resembles ``wish``."""
        output = output or self.name(wish or op_type)
        self.append(op_type, inputs, [output], domain, attributes)
        return output

    def append(
        self, op_type: str, inputs: list[str], outputs: list[str], domain: str, attributes: Mapping[str, Any]
    ) -> None:
        """Append a node whose outputs already have their names."""
        name = self.name(f"{op_type}_{outputs[0]}")
        self.nodes.append(helper.make_node(op_type, inputs, outputs, name, domain=domain, **attributes))

    def cast(self, x: str, element: int, output: str = "") -> str:
        """Convert to an ONNX element type."""
        return self.node("Cast", [x], "cast", output, to=element)

    def reshape(self, x: str, shape: tuple[int, ...], output: str = "") -> str:
        """Declare images of ``shape`` (no batch axis)."""
        return self.node("Reshape", [x, self.constant([0, *shape], np.int64, "shape")], "reshape", output)

    def transpose(self, x: str, perm: tuple[int, ...], output: str = "") -> str:
        """Permute axes, batch axis included."""
        return self.node("Transpose", [x], "transpose", output, perm=list(perm))

    def clip(self, y: str, lo: int, hi: int, dtype: np.dtype[Any], output: str) -> str:
        """Clip integers of ``dtype``."""
        bounds = [self.constant(bound, dtype, "bound") for bound in (lo, hi)]
        return self.node("Clip", [y, *bounds], output=output)

    def float32(self, value: Any) -> str:
        """A float32 constant."""
        return self.constant(value, np.float32)

    def float64(self, value: Any) -> str:
        """A float64 constant."""
        return self.constant(value, np.float64)

    def float64_planar(self, values: Array) -> str:
        """float64 constants, one per channel or one for all."""
        return self.constant(planar(values), np.float64)

    def int64(self, value: Any) -> str:
        """An int64 constant."""
        return self.constant(value, np.int64)

    def model(
        self, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """The finished model."""
        graph = helper.make_graph(self.nodes, safe(name), inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, producer_name="hlsgen", opset_imports=opsets, ir_version=IR_VERSION)
