"""A Graph in a folder: ``graph.json`` (structure and exact constants, readable) and ``graph.npz`` (arrays)."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from hlsgen.errors import FolderError
from hlsgen.files import write_arrays, write_text
from hlsgen.graph.graph import Graph, Layout, Tensor, View
from hlsgen.graph.host import HostNode, HostProgram
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Op, Requantize, Reshape, SumPool
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    QLinearAddReference,
    QLinearReference,
    Rounding,
    TableReference,
)
from hlsgen.graph.types import QuantType

SCHEMA = 1
"""Version of the format; raised whenever an older reader would misread a newer file."""

JSON_FILE, ARRAY_FILE = "graph.json", "graph.npz"

_CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Graph, Tensor, Layout, View, QuantType, HostProgram, HostNode, Geometry),
        *(Conv, MaxPool, SumPool, Requantize, Join, Concat, Reshape),
        *(QLinearReference, AffineReference, TableReference, QLinearAddReference, AffineJoinReference),
    )
}


def save(graph: Graph, folder: Path) -> None:
    """Write ``graph`` into the existing ``folder``. The same graph always gives the same bytes."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    document = {"schema": SCHEMA, "graph": _encode(graph, "graph", arrays)}
    write_text(folder / JSON_FILE, json.dumps(document, indent=1, ensure_ascii=True) + "\n")
    write_arrays(folder / ARRAY_FILE, arrays)


def load(folder: Path) -> Graph:
    """Read the graph that ``save`` wrote into ``folder``. Raises FolderError for a missing or damaged one."""
    try:
        document = json.loads((folder / JSON_FILE).read_text(encoding="ascii"))
        if document["schema"] != SCHEMA:
            raise FolderError(
                f"{folder / JSON_FILE} has schema version {document['schema']}, this hlsgen reads {SCHEMA}. "
                "Build the model again with this version."
            )
        with np.load(folder / ARRAY_FILE, allow_pickle=False) as arrays:
            graph = _decode(document["graph"], arrays)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise FolderError(
            f"The graph in {str(folder)!r} cannot be read ({type(error).__name__}: {error}). Build the model again."
        ) from error
    if not isinstance(graph, Graph):
        raise FolderError(f"{folder / JSON_FILE} does not hold a graph. Build the model again.")
    return graph


def describe(graph: Graph) -> str:
    """A listing for people: one line per operator, then host parts and what was assumed."""
    size = f"{len(graph.ops)} operators, {graph.macs():,} MACs per image"
    lines = [f"{_printable(graph.name)}: {graph.form or 'integer'} graph, {size}"]
    lines += ["", *_host_lines("before the accelerator (CPU)", graph.prefix)]
    lines += ["", f"in the accelerator, from {_tensor_text(graph.tensors[graph.input])}"]
    for op in graph.ops:
        target = graph.tensors[op.output]
        sources = ", ".join(_printable(name) for name in op.inputs)
        lines.append(f"  {type(op).__name__:<10} {_tensor_text(target)}")
        lines.append(f"  {'':<10}   of {sources}{_details(op)}")
    lines.append(f"  leaving: {', '.join(_printable(name) for name in graph.outputs)}")
    lines += ["", *_host_lines("after the accelerator (CPU)", graph.suffix)]
    lines += ["", *(f"note: {_printable(note)}" for note in graph.notes)] if graph.notes else []
    return "\n".join(lines) + "\n"


def _encode(value: Any, path: str, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """``value`` as JSON. Arrays go to ``arrays`` under the dotted path of their place."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        encoded = {name: _encode(item, f"{path}.{name}", arrays) for name, item in fields.items()}
        return {"class": type(value).__name__, **encoded}
    match value:
        case None | bool() | int() | str():
            return value
        case Fraction():
            return {"fraction": str(value)}
        case Enum():
            return {"rounding": value.value}
        case np.generic():
            return {"scalar": value.item(), "dtype": value.dtype.name}
        case float():
            return value
        case np.ndarray() if value.dtype.isbuiltin != 1:
            # 4-bit integers are no NumPy types of their own; their values fit a byte
            arrays[path] = value.astype(np.int16)
            return {"array": path, "dtype": value.dtype.name}
        case np.ndarray():
            arrays[path] = value
            return {"array": path}
        case tuple():
            return _encode_sequence("tuple", value, path, arrays)
        case list():
            return _encode_sequence("list", value, path, arrays)
        case Mapping():
            # names come from the model and may be anything; arrays are named by number
            items = enumerate(value.items())
            return {"map": [[key, _encode(item, f"{path}.{n}", arrays)] for n, (key, item) in items]}
    raise TypeError(f"{path}: cannot store a {type(value).__name__}")


def _encode_sequence(
    kind: str, items: tuple[Any, ...] | list[Any], path: str, arrays: dict[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    if items and all(isinstance(item, Fraction) for item in items):
        return {"fractions": " ".join(map(str, items))}
    return {kind: [_encode(item, f"{path}.{number}", arrays) for number, item in enumerate(items)]}


def _decode(value: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    if "class" in value:
        fields = {name: _decode(item, arrays) for name, item in value.items() if name != "class"}
        return _CLASSES[value["class"]](**fields)
    (kind, content), *rest = value.items()
    match kind:
        case "fraction":
            return Fraction(content)
        case "fractions":
            return tuple(Fraction(part) for part in content.split(" "))
        case "rounding":
            return Rounding(content)
        case "scalar":
            return np.dtype(rest[0][1]).type(content)
        case "array" if rest:
            number = TensorProto.DataType.Value(rest[0][1].upper())
            return arrays[content].astype(helper.tensor_dtype_to_np_dtype(number))
        case "array":
            return arrays[content]
        case "tuple":
            return tuple(_decode(item, arrays) for item in content)
        case "list":
            return [_decode(item, arrays) for item in content]
        case "map":
            return {key: _decode(item, arrays) for key, item in content}
    raise ValueError(f"unknown kind of value {kind!r}")


def _printable(text: str) -> str:
    """A model's name for a listing: control characters and the like replaced."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _tensor_text(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape))
    return f"{_printable(tensor.name)}  {shape}  {tensor.type}  {tensor.lo}..{tensor.hi}"


def _host_lines(title: str, program: HostProgram) -> list[str]:
    names = [f"  {node.op_type}: {', '.join(map(_printable, node.outputs))}" for node in program.nodes]
    return [title, *(names or ["  nothing"])]


def _details(op: Op) -> str:
    """What distinguishes an operator from others of its kind, as text that starts with a separator."""
    match op:
        case Conv():
            form = "dense" if op.geometry.trivial else f"kernel {_geometry_text(op.geometry)}"
            groups = f", {op.groups} groups" if op.groups > 1 else ""
            magnitudes = f"{int(op.weight.min())}..{int(op.weight.max())}"
            return f"; {form}{groups}, weights {magnitudes}, zero point {op.zero_point}"
        case MaxPool():
            return f"; window {_geometry_text(op.geometry)}"
        case SumPool():
            return f"; window {_geometry_text(op.geometry)}, zero point {op.zero_point}"
        case Requantize() | Join():
            return f"; {_reference_text(op.reference)}"
    return ""


def _geometry_text(geometry: Geometry) -> str:
    parts = ["x".join(map(str, geometry.kernel))]
    if geometry.strides != (1, 1):
        parts.append(f"stride {'x'.join(map(str, geometry.strides))}")
    if geometry.dilations != (1, 1):
        parts.append(f"dilation {'x'.join(map(str, geometry.dilations))}")
    if any(geometry.pads):
        parts.append(f"padding {','.join(map(str, geometry.pads))}")
    return " ".join(parts)


def _reference_text(reference: Any) -> str:
    match reference:
        case QLinearReference():
            return f"float32 multiply, zero point {reference.zero_point}, clip {reference.lo}..{reference.hi}"
        case AffineReference():
            clip = f"{min(reference.lo)}..{max(reference.hi)}"
            return f"exact affine, round {reference.rounding.value}, zero point {reference.zero_point}, clip {clip}"
        case TableReference():
            return f"table of {reference.values.shape[1]} values from {reference.first}"
        case QLinearAddReference():
            return f"float32 add, clip {reference.lo}..{reference.hi}"
        case AffineJoinReference():
            clip = f"{reference.lo}..{reference.hi}"
            return f"exact sum, round {reference.rounding.value}, zero point {reference.zero_point}, clip {clip}"
    return type(reference).__name__
