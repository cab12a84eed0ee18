"""Collects ONNX nodes and constants under names that are unique and safe, whatever the model called its own."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from hlsgen.graph.types import QuantType

Array = npt.NDArray[Any]

OPSET = 21
"""The oldest operator set with quantizers of 16 and 4 bits."""

IR_VERSION = 10
"""The file format version that belongs to it; ONNX Runtime refuses the newest ones."""

BATCH = "batch"
"""The symbolic leading axis of every tensor."""

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

    def node(self, op_type: str, inputs: list[str], wish: str = "", output: str = "", domain: str = "", **attributes: Any) -> str:
        """Append a node with one output and return that: called ``output``, or a fresh name that resembles ``wish``."""
        output = output or self.name(wish or op_type)
        self.nodes.append(helper.make_node(op_type, inputs, [output], self.name(f"{op_type}_{output}"), domain=domain, **attributes))
        return output

    def cast(self, x: str, element: int, output: str = "") -> str:
        """Convert to an ONNX element type."""
        return self.node("Cast", [x], "cast", output, to=element)

    def reshape(self, x: str, shape: tuple[int, ...], output: str = "") -> str:
        """Declare images of ``shape`` (no batch axis)."""
        return self.node("Reshape", [x, self.constant([0, *shape], np.int64, "shape")], "reshape", output)

    def transpose(self, x: str, perm: tuple[int, ...], output: str = "") -> str:
        """Permute axes, batch axis included."""
        return self.node("Transpose", [x], "transpose", output, perm=list(perm))

    def model(self, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The finished model."""
        graph = helper.make_graph(self.nodes, safe(name), inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, producer_name="hlsgen", opset_imports=opsets, ir_version=IR_VERSION)
