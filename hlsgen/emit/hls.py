"""Writes the C++ of a design: a folder that Vitis HLS and the C simulation take as it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np

from hlsgen.emit.config import config_struct, cpp_beat
from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Beats, Kernel, StreamSpec
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.unpack import Unpack
from hlsgen.lower.design import Design, Instance, Stream
from hlsgen.lower.names import printable
from hlsgen.resources import resource

_INCLUDE = re.compile(r'^\s*#include "([a-z0-9_]+\.hpp)"', re.MULTILINE)
_FOLDING = ("pe", "simd", "taps", "lanes", "lanes_in", "lanes_out", "groups", "copies")
"""Parameters of kernels that the header comments of a layer mention."""


@dataclass(frozen=True)
class _StreamView:
    name: str
    beat: str
    depth: int


@dataclass(frozen=True)
class _ProcessView:
    name: str
    kind: str
    cycles: int
    config: str
    arguments: tuple[str, ...]
    streams: tuple[_StreamView, ...]


@dataclass(frozen=True)
class _LayerView:
    name: str
    comment: tuple[str, ...]
    processes: tuple[_ProcessView, ...]


@dataclass(frozen=True)
class _BoundaryView:
    words: int
    layout: tuple[str, ...]


@dataclass(frozen=True)
class _ProbeView:
    name: str
    layer: str
    beats: int
    lanes: int
    bytes: int
    depth: int
    width: int
    channels: int


def write(design: Design, folder: Path) -> None:
    """Write top.cpp, top.hpp, params/<layer>.hpp, testbench.cpp and the kernels they include into ``folder``.

    The folder needs nothing else to be compiled (but AMD's ``ap_int.h`` where its types are asked for): put it, and
    for C simulation its ``sim``, on the include path. What was in the folder before is removed. The same design gives
    the same bytes.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "params").mkdir(parents=True)
    views = _layers(design)
    processes = [process for layer in views for process in layer.processes]
    common = {"title": printable(design.name), "axi_bits": design.axi_bits}
    boundary = {"input": _input(design), "output": _output(design)}

    _render("top.hpp", folder / "top.hpp", **common, **boundary)
    _render(
        "top.cpp",
        folder / "top.cpp",
        **common,
        layers=views,
        kinds=sorted({process.kind for process in processes}),
        process_count=len(processes),
        slowest=max(processes, key=lambda process: process.cycles),
    )
    for layer in views:
        _render("params.hpp", folder / "params" / f"{layer.name}.hpp", layer=layer)
    _render("testbench.cpp", folder / "testbench.cpp", **common, **boundary, probes=_probes(design))
    for header in _headers({process.kind for process in processes}):
        shutil.copyfile(resource("templates", "hls", header), folder / header)
    shutil.copytree(resource("templates", "hls", "sim"), folder / "sim")


def write_vectors(design: Design, words: Beats, folder: Path) -> Path:
    """Write ``folder/vectors`` for the testbench: input words, and every stream's beats as golden kernels make them.

    ``words``: AXI words (images, words per image, bytes), values 0..255. The boundary streams are stored as bytes, the
    others as the signed little-endian integers that their C++ elements read as (bipolar ones as 0 and 1). Returns
    ``folder/vectors``.
    """
    vectors = folder / "vectors"
    shutil.rmtree(vectors, ignore_errors=True)
    vectors.mkdir(parents=True)
    for name, beats in design.run(words).items():
        spec = design.streams[name].spec
        if name in (design.input, design.output):
            stored = beats.astype(np.uint8)
        else:
            stored = wire_values(beats, spec.type).astype(f"<i{element_bytes(spec.type)}")
        (vectors / f"{name}.bin").write_bytes(np.ascontiguousarray(stored).tobytes())
    return vectors


def element_bytes(type: QuantType) -> int:
    """Bytes of one element in a vector file: the smallest signed integer that holds the type's values."""
    return type.dtype.itemsize


def wire_values(beats: Beats, type: QuantType) -> Beats:
    """Elements as their C++ type reads: bipolar -1 and +1 are the wires 0 and 1, everything else is itself."""
    return (beats > 0).astype(beats.dtype) if type.bipolar else beats


def layer_of(instance: Instance) -> str:
    """Identifier of the layer an instance belongs to: its name up to the kernel's kind."""
    return instance.name[: instance.name.rindex(f"_{instance.kernel.kind}")]


def _layers(design: Design) -> list[_LayerView]:
    members: dict[str, list[Instance]] = {}
    for instance in design.instances:
        members.setdefault(layer_of(instance), []).append(instance)
    return [
        _LayerView(name, tuple(layer_comment(design, instances)), tuple(_process(design, i) for i in instances))
        for name, instances in members.items()
    ]


def _process(design: Design, instance: Instance) -> _ProcessView:
    streams = [design.streams[name] for name in instance.outputs if name != design.output]
    return _ProcessView(
        name=instance.name,
        kind=instance.kernel.kind,
        cycles=instance.kernel.cycles,
        config=config_struct(instance.name, instance.kernel),
        arguments=(*instance.inputs, *instance.outputs),
        streams=tuple(_StreamView(stream.name, cpp_beat(stream.spec), stream.depth) for stream in streams),
    )


def layer_comment(design: Design, instances: list[Instance]) -> Iterable[str]:
    """What a layer reads and writes, and the folding and cycles of its kernels; model text in safe form only."""
    inside = {name for instance in instances for name in instance.outputs}
    sources = [design.streams[name] for i in instances for name in i.inputs if name not in inside]
    read = {name for instance in instances for name in instance.inputs}
    sinks = [design.streams[name] for i in instances for name in i.outputs if name not in read]
    origin = printable(instances[0].layer)
    if origin != layer_of(instances[0]):
        yield f"model: {origin}"
    inputs = [_shape(design, stream) for stream in sources]
    outputs = dict.fromkeys(_shape(design, stream) for stream in sinks)  # a fork's copies once
    yield f"{' + '.join(inputs)} -> {' + '.join(outputs)}"
    for instance in instances:
        yield f"{instance.kernel.kind}: {_folding(instance.kernel)}{instance.kernel.cycles} cycles per image"


def _folding(kernel: Kernel) -> str:
    present = {name: getattr(kernel, name) for name in _FOLDING if hasattr(kernel, name)}
    mac = getattr(kernel, "mac", None)
    unit = getattr(kernel, "unit", None)
    words = [f"{name} {value}" for name, value in present.items()]
    words += [f"mac {mac.name.lower()}"] if mac is not None else []
    words += [f"unit {unit.kind}"] if unit is not None else []
    return ", ".join([*words, ""])


def _shape(design: Design, stream: Stream) -> str:
    if stream.name in (design.input, design.output):
        return f"{stream.spec.beats} words of {design.axi_bits} bits"
    if stream.frame is None:
        return "TLAST"  # all other streams that leave a layer carry a tensor
    return f"{'x'.join(map(str, stream.frame))} {stream.spec.type}"


def _input(design: Design) -> _BoundaryView:
    kernel = next(i.kernel for i in design.instances if design.input in i.inputs)
    assert isinstance(kernel, Unpack)
    return _BoundaryView(kernel.inputs[0].beats, (_elements("in", kernel.outputs[0]),))


def _output(design: Design) -> _BoundaryView:
    kernel = next(i.kernel for i in design.instances if design.output in i.outputs)
    assert isinstance(kernel, Pack)
    data = kernel.inputs[:-1]
    return _BoundaryView(kernel.outputs[0].beats, tuple(_elements("out", spec) for spec in data))


def _elements(direction: str, spec: StreamSpec) -> str:
    bits = spec.type.storage_bits
    return f"{direction}: {spec.elements} elements of {spec.type}, {bits} bits each, least significant first"


def _probes(design: Design) -> list[_ProbeView]:
    writers = {name: instance for instance in design.instances for name in instance.outputs}
    probes = []
    for name, stream in design.streams.items():
        if name in (design.input, design.output):
            continue
        _, width, channels = stream.frame or (0, 0, 0)
        spec = stream.spec
        probes.append(
            _ProbeView(
                name=name,
                layer=layer_of(writers[name]),
                beats=spec.beats,
                lanes=spec.lanes,
                bytes=element_bytes(spec.type),
                depth=stream.depth,
                width=width,
                channels=channels,
            )
        )
    return probes


def _headers(kinds: set[str]) -> list[str]:
    """The kernels' headers and all that they include, from templates/hls."""
    simulation_only = {path.name for path in resource("templates", "hls", "sim").iterdir()}
    pending = {f"{kind}.hpp" for kind in kinds}
    found: set[str] = set()
    while pending:
        header = pending.pop()
        found.add(header)
        text = resource("templates", "hls", header).read_text(encoding="utf-8")
        pending |= set(_INCLUDE.findall(text)) - simulation_only - found
    return sorted(found)


def _render(template: str, path: Path, **values: object) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates", "hls")),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # C++; every value is a number or an identifier, see lower/names.py
        keep_trailing_newline=True,
    )
    path.write_text(environment.get_template(f"{template}.j2").render(**values), encoding="utf-8")
