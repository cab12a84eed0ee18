"""Writes the folder that goes to the board: driver, notebook, host programs, manifest and test vectors.

The driver and what else is code are the same in every build; what differs is data, which the driver reads. A model's
names are data too: strings in JSON.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.files import write_arrays, write_text
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph, Layout, View
from hlsgen.graph.host import Array, HostNode, HostProgram
from hlsgen.graph.host_ops import ELEMENT_TYPES, storage
from hlsgen.graph.types import QuantType
from hlsgen.kernels.axi import words_from_frames
from hlsgen.resources import PACKAGE, resource

SCHEMA = 1
"""Version of host.json; raised whenever an older driver would misread a newer file."""

VECTORS = 16
"""Images in vectors.npz, at most."""

COPIED = ("driver.py", "power.py", "README.md")
"""Files of templates/deploy that are shipped as they are."""

_NUMBERS = {name: number for number, name in ELEMENT_TYPES.items()}

Arrays = dict[str, npt.NDArray[Any]]


def write(graph: Graph, manifest: Mapping[str, Any], feeds: Mapping[str, Array], folder: Path) -> None:
    """Write everything but accel.bit and accel.hwh into ``folder``, which may hold these two already.

    ``manifest``: as ``hlsgen.manifest.compose`` makes it. ``feeds``: the model's inputs by name, (images, ...); the
    first ``VECTORS`` images become test vectors. The same arguments give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copyfile(resource("templates", "deploy", name), folder / name)
    shutil.copyfile(PACKAGE / "graph" / "host_ops.py", folder / "host_ops.py")
    write_text(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=True) + "\n")
    cells = resource("templates", "deploy", "notebook.py").read_text(encoding="utf-8")
    write_text(folder / "notebook.ipynb", json.dumps(notebook(cells), indent=1, ensure_ascii=True) + "\n")
    document, arrays = host(graph)
    write_text(folder / "host.json", json.dumps(document, indent=1, ensure_ascii=True) + "\n")
    write_arrays(folder / "host.npz", arrays)
    write_arrays(folder / "vectors.npz", vectors(graph, manifest, feeds))


def vectors(graph: Graph, manifest: Mapping[str, Any], feeds: Mapping[str, Array]) -> Arrays:
    """Test vectors of the first ``VECTORS`` images, computed by the golden model.

    ``inputs/0``.., ``outputs/0``..: the ONNX model's, in their order; ``frames/in``, ``frames/0``..: integers
    (images, H, W, C); ``words/in``, ``words/out``: their bytes (images, bytes per image), uint8.
    """
    feeds = {name: feeds[name][:VECTORS].astype(graph.prefix.dtypes[name]) for name in graph.prefix.inputs}
    entering = golden.input_frames(graph, feeds)
    leaving = golden.run(graph, entering, keep=graph.outputs)
    results = golden.outputs(graph, leaving)
    hardware = manifest["hardware"]

    def words(frames: Array, port: Mapping[str, Any]) -> Array:
        packed = words_from_frames(frames, QuantType(**port["type"]), hardware["axi_bits"])
        return packed.astype(np.uint8).reshape(len(frames), -1)

    parts = [words(leaving[port["tensor"]], port) for port in hardware["outputs"]]
    return {
        **{f"inputs/{number}": feeds[name] for number, name in enumerate(graph.prefix.inputs)},
        "frames/in": entering,
        "words/in": words(entering, hardware["input"]),
        "words/out": np.concatenate(parts, axis=1),
        **{f"frames/{number}": leaving[port["tensor"]] for number, port in enumerate(hardware["outputs"])},
        **{f"outputs/{number}": results[name] for number, name in enumerate(graph.suffix.outputs)},
    }


def host(graph: Graph) -> tuple[dict[str, Any], Arrays]:
    """What the driver needs to compute the host parts: a JSON document, and the arrays it refers to by key."""
    arrays: Arrays = {}
    entering = next(name for name in graph.prefix.outputs if graph.views[name].tensor == graph.input)
    document = {
        "schema": SCHEMA,
        "prefix": _program(graph.prefix, "prefix", arrays),
        "suffix": _program(graph.suffix, "suffix", arrays),
        "input": describe_view(graph, entering, graph.prefix.dtypes.get(entering, "float32"), "input", arrays),
        "outputs": [
            describe_view(graph, name, golden.delivered_dtype(graph, name).name, f"output{number}", arrays)
            for number, name in enumerate(graph.suffix.inputs)
        ],
        "output_dtypes": [[name, graph.tensors[name].type.dtype.name] for name in graph.outputs],
    }
    return document, arrays


def notebook(source: str) -> dict[str, Any]:
    """A Jupyter notebook (format 4.5, no outputs) from Python with cells that begin with ``# %%``.

    Lines of a cell ``# %% [markdown]`` are comments.
    """
    cells: list[dict[str, Any]] = []
    for number, part in enumerate(source.split("# %%")[1:]):
        marker, _, body = part.partition("\n")
        lines = body.strip("\n").split("\n")
        cell: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}}
        if marker.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
            cell |= {"cell_type": "markdown"}
        else:
            cell |= {"cell_type": "code", "execution_count": None, "outputs": []}
        cells.append(cell | {"source": [*(f"{line}\n" for line in lines[:-1]), lines[-1]]})
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _program(program: HostProgram, prefix: str, arrays: Arrays) -> dict[str, Any]:
    constants = []
    for number, (name, array) in enumerate(program.constants.items()):
        key = f"{prefix}/{number}"
        # 4-bit integers are no NumPy types of their own; their values fit a byte
        arrays[key] = array.astype(storage(array.dtype.name))
        constants.append([name, key])
    return {
        "inputs": list(program.inputs),
        "outputs": list(program.outputs),
        "shapes": [[name, [int(size) for size in shape]] for name, shape in program.shapes.items()],
        "dtypes": [[name, dtype] for name, dtype in program.dtypes.items()],
        "constants": constants,
        "nodes": [_node(node, program) for node in program.nodes],
    }


def _node(node: HostNode, program: HostProgram) -> dict[str, Any]:
    attributes = {name: _plain(value) for name, value in node.attributes.items()}
    if node.op_type == "QuantizeLinear" and not attributes.get("output_dtype"):
        zero_point = program.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        # the zero point's type says what to quantize to; as an attribute it survives storage in bytes
        if zero_point is not None and zero_point.dtype != storage(zero_point.dtype.name):
            attributes["output_dtype"] = _NUMBERS[zero_point.dtype.name]
    return {
        "op": node.op_type,
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
        "attributes": [[name, value] for name, value in attributes.items()],
    }


def _plain(value: Any) -> Any:
    """An attribute as JSON knows it."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"cannot store an attribute of type {type(value).__name__}")


def describe_view(graph: Graph, name: str, dtype: str, key: str, arrays: Arrays) -> dict[str, Any]:
    """The view of the ONNX tensor ``name``, of type ``dtype``, as JSON; its arrays go to ``arrays`` below ``key``."""
    view: View = graph.views[name]
    tensor = graph.tensors[view.tensor]
    arrays[f"{key}/scale"] = np.asarray(view.scale, np.float32).ravel()
    axes = frame_axes(view.layout, tensor.shape)
    if axes is None:
        arrays[f"{key}/index"] = view.layout.index.ravel().astype(np.int32)
    return {
        "onnx": name,
        "dtype": dtype,
        "shape": list(view.layout.index.shape),
        "tensor": view.tensor,
        "frame": list(tensor.shape),
        "frame_dtype": tensor.type.dtype.name,
        "axes": axes,
        "index": None if axes is not None else f"{key}/index",
        "float": view.is_float,
        "scale": f"{key}/scale",
        "axis": view.axis,
        "zero_point": view.zero_point,
    }


def frame_axes(layout: Layout, frame: tuple[int, int, int]) -> list[int] | None:
    """The order of the frame's axes (H, W, C = 0, 1, 2) in the ONNX tensor; None where no order gives ``layout``."""
    places = np.arange(layout.index.size).reshape(frame)
    for axes in permutations(range(3)):
        if np.array_equal(places.transpose(axes).ravel(), layout.index.ravel()):
            return list(axes)
    return None
