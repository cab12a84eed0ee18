"""Reading an ONNX file: an untrusted file becomes plain nodes and constants, or one clear error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper, helper, inliner, numpy_helper

from hlsgen.errors import ModelError, UnsupportedError

Array = npt.NDArray[Any]
OLDEST_OPSET, NEWEST_OPSET = 9, 26
_DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, eq=False)
class Node:
    """One ONNX node. ``name`` is for messages: the node's own, or its first output's."""

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"node {self.name!r} ({self.op_type})"

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value, or ``default``."""
        return self.attributes.get(name, default)

    def input(self, index: int) -> str:
        """Name of an input, empty where an optional one is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(frozen=True)
class ModelInput:
    """The model's one input: ONNX name, shape of one image (no batch axis) and NumPy dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass
class Model:
    """What the front end works on. ``nodes`` are in topological order (ONNX requires it; it is checked)."""

    name: str
    opset: int
    input: ModelInput
    outputs: list[str]
    nodes: list[Node]
    constants: dict[str, Array]
    notes: list[str] = field(default_factory=list)


def read(path: Path) -> Model:
    """Read ``path``. Raises ModelError for anything that is not a readable, static, single-input ONNX model."""
    proto = _parse(path)
    if proto.functions:
        proto = inliner.inline_local_functions(proto)
    opset = max((o.version for o in proto.opset_import if o.domain in _DEFAULT_DOMAINS), default=0)
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise ModelError(
            f"{path.name}: the model uses operator set {opset}; hlsgen reads {OLDEST_OPSET} to {NEWEST_OPSET}. "
            "Export it again, or convert it with onnx.version_converter."
        )
    graph = proto.graph
    constants = {tensor.name: _array(tensor, path) for tensor in graph.initializer}
    notes: list[str] = []
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs) or "none"
        raise UnsupportedError(
            f"{path.name}: the model has {len(inputs)} inputs ({names}); an accelerator has exactly one. "
            "Cut the model, or make the other inputs constants."
        )
    nodes = [_node(proto_node) for proto_node in graph.node]
    _check_order(nodes, {*constants, inputs[0].name}, path)
    return Model(
        name=path.stem,
        opset=opset,
        input=_input(inputs[0], path, notes),
        outputs=[value.name for value in graph.output],
        nodes=nodes,
        constants=constants,
        notes=notes,
    )


def _parse(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise ModelError(f"There is no model file {str(path)!r}. Give the path of an ONNX file.")
    try:
        proto = onnx.load(str(path), load_external_data=False, format="protobuf")
    except (DecodeError, ValueError) as error:
        raise ModelError(
            f"{path.name} is not an ONNX model: its contents do not decode as one ({path.stat().st_size} bytes). "
            "It may be truncated or of another format; export or copy it again."
        ) from error
    if not proto.graph.node or not proto.graph.output:
        raise ModelError(
            f"{path.name} holds no network: it decodes as an ONNX file without nodes or outputs. "
            "It may be empty, truncated or of another format; export or copy it again."
        )
    if not all(isinstance(text, str) for text in _names(proto.graph)):
        raise ModelError(f"{path.name} has names that are no text (UTF-8). The file may be damaged; export it again.")
    folder = path.resolve().parent
    for tensor in external_data_helper._get_all_tensors(proto):
        if external_data_helper.uses_external_data(tensor):
            entries = {entry.key: entry.value for entry in tensor.external_data}
            target = (folder / entries.get("location", "")).resolve()
            if not target.is_relative_to(folder) or not target.is_file():
                raise ModelError(
                    f"{path.name}: tensor {tensor.name!r} keeps its data in {entries.get('location', '')!r}, "
                    "which is not a "
                    "file in the model's own folder. Put the data file beside the model."
                )
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
    return proto


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    """Every name in ``graph``; protobuf hands out those that are not UTF-8 as bytes."""
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for value in (*graph.input, *graph.output, *graph.initializer):
        yield value.name


def _array(tensor: onnx.TensorProto, path: Path) -> Array:
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{path.name}: the data of constant {tensor.name!r} do not fit its declared shape and type. "
            "The file may be damaged; export it again."
        ) from error


def _node(proto: onnx.NodeProto) -> Node:
    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, onnx.TensorProto):
            value = np.asarray(numpy_helper.to_array(value))
        attributes[attribute.name] = value
    outputs = tuple(proto.output)
    domain = "" if proto.domain in _DEFAULT_DOMAINS else proto.domain
    name = proto.name or next((o for o in outputs if o), "unnamed")
    return Node(name, proto.op_type, domain, tuple(proto.input), outputs, attributes)


def _check_order(nodes: list[Node], known: set[str], path: Path) -> None:
    for node in nodes:
        missing = next((name for name in node.inputs if name and name not in known), None)
        if missing is not None:
            raise ModelError(
                f"{path.name}: {node} reads {missing!r}, which nothing before it computes. "
                "The file may be damaged; export it again."
            )
        known |= set(node.outputs)


def _input(value: onnx.ValueInfoProto, path: Path, notes: list[str]) -> ModelInput:
    tensor = value.type.tensor_type
    dims: list[int] = []
    for axis, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_value") and (dim.dim_value > 0 or (axis == 0 and dim.dim_value == 0)):
            dims.append(dim.dim_value)
        elif axis == 0:
            dims.append(1)
            notes.append(f"The batch size {dim.dim_param or 'unknown'!r} of input {value.name!r} is taken as 1.")
        else:
            raise ModelError(
                f"{path.name}: axis {axis} of input {value.name!r} has no fixed size "
                f"({dim.dim_param or 'unknown'!r}). Hardware "
                "is built for one shape; fix it with onnx.tools.update_model_dims or when exporting."
            )
    if len(dims) < 2 or dims[0] != 1:
        raise ModelError(
            f"{path.name}: input {value.name!r} has shape {dims}; hlsgen expects a leading batch axis of size 1 "
            "or of symbolic size. "
            "Export the model with batch size 1."
        )
    if tensor.elem_type not in helper.get_all_tensor_dtypes() or tensor.elem_type == onnx.TensorProto.STRING:
        raise ModelError(f"{path.name}: input {value.name!r} is not a tensor of numbers.")
    return ModelInput(value.name, tuple(dims[1:]), np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)))
