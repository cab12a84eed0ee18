"""The parts of a model that run on the CPU: a small NumPy program before and after the accelerator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hlsgen.graph.host_ops import OPERATORS as OPERATORS
from hlsgen.graph.host_ops import Array as Array


@dataclass(frozen=True, eq=False)
class HostNode:
    """One ONNX operator of a host part. ``op_type`` and ``attributes`` are ONNX's (opset 13 meaning)."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""


@dataclass(frozen=True, eq=False)
class HostProgram:
    """Nodes in execution order with their constants; tensors go by their ONNX names and keep a leading batch axis.

    ``inputs`` and ``outputs`` are tensor names. ``shapes`` gives the ONNX shape of one image (no batch axis) of inputs
    and outputs, ``dtypes`` their NumPy type names.
    """

    nodes: tuple[HostNode, ...] = ()
    constants: Mapping[str, Array] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All tensors of the program for given inputs (leading axis: images). Raises KeyError for a missing input."""
        values: dict[str, Array] = {**self.constants, **feeds}
        for node in self.nodes:
            arguments = [values[name] if name else None for name in node.inputs]
            results = OPERATORS[node.op_type](arguments, node.attributes)
            values.update(zip(node.outputs, results, strict=False))
        return values
