"""Writes the SystemVerilog of a design: a folder that Verilator, Yosys and Vivado take as it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2

from hlsgen.emit.hls import layer_comment, layer_of
from hlsgen.kernels.base import MemoryImage
from hlsgen.kernels.fifo import Fifo
from hlsgen.lower.design import Design, Instance, Stream
from hlsgen.lower.names import printable
from hlsgen.resources import resource

PREFIX = "hlsgen_"
"""Modules of ip_repo/ are called by their file with this before it, for ``fork`` and ``table`` are keywords."""

ADDRESS_BITS = 12
"""Of the AXI4-Lite registers: 4 KiB, the smallest page that the processing system maps."""

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LONG = re.compile(r"\bparameter\s+longint\s+(?:unsigned\s+)?(\w+)")
_LIST = re.compile(r"\bparameter\s+bit\s+\[(\w+)-1:0\]\[31:0\]\s+(\w+)")
_COMMENT = re.compile(r"//.*")
_INSTANTIATION = re.compile(rf"\b{PREFIX}([a-z0-9_]+)\s+(?:#\s*\(|[a-z]\w*\s*\()")
_WIDTH = 120
"""Columns of generated text."""

_Ports = tuple[list[str], list[str], list[str]]
"""Connections of an instance: clock and reset, inputs, outputs."""


@dataclass(frozen=True)
class _StreamView:
    name: str
    range: str
    parameters: list[str]
    ports: _Ports


@dataclass(frozen=True)
class _InstanceView:
    name: str
    kind: str
    parameters: list[str]
    ports: _Ports
    streams: tuple[_StreamView, ...]


@dataclass(frozen=True)
class _LayerView:
    name: str
    comment: tuple[str, ...]
    instances: tuple[_InstanceView, ...]


def write(design: Design, folder: Path, build_id: str) -> None:
    """Write accel.v, accel_core.sv, the kernels they use and the kernels' memories (``*.mem``) into ``folder``.

    ``accel`` is the top: AXI4-Stream in and out and AXI4-Lite registers, one of which shows ``build_id`` (at least 16
    hexadecimal digits). Memories are read by bare file name, relative to where the tool runs. What was in the folder
    before is removed. The same design gives the same bytes. Raises ValueError for a build id that is none.
    """
    values = _begin(design, folder, build_id)
    _render(
        "accel_core.sv",
        folder,
        **values,
        layers=_layers(design),
        kernel_count=len(design.instances),
        slowest=max(design.instances, key=lambda instance: instance.kernel.cycles),
    )
    for name in _library(design):
        shutil.copyfile(resource("ip_repo", name), folder / name)
    for instance in design.instances:
        for memory in instance.kernel.rtl_memories():
            (folder / memory_file(instance, memory)).write_text(memory_text(memory), encoding="ascii")


def write_hls_wrapper(design: Design, folder: Path, build_id: str, core: Sequence[Path]) -> None:
    """Write accel.v around the core that Vitis HLS exported, with the same ports and registers, into ``folder``.

    ``core``: its Verilog and its memories (``synth.vitis.core_files``), which are copied; ``accel_core.v`` gives it the
    ports of ``write``'s core. What was in the folder before is removed. Raises ValueError for a build id that is none,
    or for core files of equal names or of the names of ours.
    """
    names = [path.name for path in core]
    taken = sorted({name for name in names if names.count(name) > 1 or name in _HLS_FILES})
    if taken:
        raise ValueError(f"files of the core have names that are taken: {', '.join(taken)}")
    values = _begin(design, folder, build_id)
    _render("accel_hls_core.v", folder, "accel_core.v", **values)
    shutil.copyfile(resource("ip_repo", "registers.sv"), folder / "registers.sv")
    for path in core:
        shutil.copyfile(path, folder / path.name)


_HLS_FILES = ("accel.v", "accel_core.v", "registers.sv")
"""What ``write_hls_wrapper`` writes besides the core."""


def _begin(design: Design, folder: Path, build_id: str) -> dict[str, str | int]:
    """An empty ``folder`` with accel.v in it, which does not depend on the core; returns what templates need."""
    if not re.fullmatch(r"[0-9a-f]{16,}", build_id):
        raise ValueError(f"build id {build_id!r} has no 16 hexadecimal digits")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    values: dict[str, str | int] = {
        "title": printable(design.name),
        "axi_bits": design.axi_bits,
        "words_in": design.streams[design.input].spec.beats,
        "words_out": design.streams[design.output].spec.beats,
    }
    _render(
        "accel.v", folder, **values, build_id=build_id[:16], ports=ports(design.axi_bits), address_bits=ADDRESS_BITS
    )
    return values


def files(design: Design) -> list[str]:
    """Names of the files that ``write`` writes: sources in an order in which tools can read them, then memories.

    The last source is ``accel.v``; memories end in ``.mem``.
    """
    memories = [
        memory_file(instance, memory) for instance in design.instances for memory in instance.kernel.rtl_memories()
    ]
    return [*_library(design), "accel_core.sv", "accel.v", *sorted(memories)]


def fifo_of(stream: Stream) -> Fifo:
    """The FIFO of a stream in SystemVerilog, with the depth that the plan gives it there."""
    return Fifo(stream.spec.width, stream.depth if stream.rtl_depth is None else stream.rtl_depth)


def memory_file(instance: Instance, memory: MemoryImage) -> str:
    """Name of the file with a kernel's memory."""
    return f"{instance.name}_{memory.name}.mem"


def memory_text(memory: MemoryImage) -> str:
    """A memory as ``$readmemh`` reads it: a word per line in hexadecimal, address 0 first.

    Raises ValueError for a word that has not as many bits.
    """
    digits = -(-memory.width // 4)
    for address, word in enumerate(memory.words):
        if not 0 <= word < 1 << memory.width:
            raise ValueError(f"memory {memory.name}: word {address} is {word}, not one of {memory.width} bits")
    return "".join(f"{word:0{digits}x}\n" for word in memory.words)


def submodules(text: str) -> set[str]:
    """Names, without the prefix, of the library's modules that SystemVerilog ``text`` instantiates."""
    return set(_INSTANTIATION.findall(_COMMENT.sub("", text)))


def _library(design: Design) -> list[str]:
    """Files of ip_repo/ that the design needs: its kernels', and all that those instantiate."""
    pending = {"registers", "fifo", *(instance.kernel.kind for instance in design.instances)}
    found: set[str] = set()
    while pending:
        name = pending.pop()
        found.add(name)
        pending |= submodules(_library_text(name)) - found
    return [f"{name}.sv" for name in sorted(found)]


@cache
def _library_text(name: str) -> str:
    """A file of ip_repo/, without its comments."""
    return _COMMENT.sub("", resource("ip_repo", f"{name}.sv").read_text(encoding="utf-8"))


def _layers(design: Design) -> list[_LayerView]:
    members: dict[str, list[Instance]] = {}
    for instance in design.instances:
        members.setdefault(layer_of(instance), []).append(instance)
    return [
        _LayerView(name, tuple(layer_comment(design, instances)), tuple(_instance(design, i) for i in instances))
        for name, instances in members.items()
    ]


def _instance(design: Design, instance: Instance) -> _InstanceView:
    kernel = instance.kernel
    parameters = {**kernel.rtl_parameters()}
    for memory in kernel.rtl_memories():
        parameters[f"{memory.name.upper()}_FILE"] = memory_file(instance, memory)
    sources = [name if name == design.input else f"{name}_fifo" for name in instance.inputs]
    reads, writes = _side("in", sources), _side("out", instance.outputs)
    if design.input in instance.inputs:
        reads.append(f".in_last({design.input}_last)")
        writes.append(".error")
    if design.output in instance.outputs:
        writes.append(f".out_last({design.output}_last)")
    return _InstanceView(
        name=instance.name,
        kind=kernel.kind,
        parameters=_parameters(parameters, _library_text(kernel.kind)),
        ports=([".clk", ".rst"], reads, writes),
        streams=tuple(_stream(design.streams[name]) for name in instance.outputs if name != design.output),
    )


def _stream(stream: Stream) -> _StreamView:
    fifo = fifo_of(stream)
    return _StreamView(
        name=stream.name,
        range=f"[{stream.spec.width - 1}:0] ",
        parameters=_parameters(dict(fifo.rtl_parameters())),
        ports=([".clk", ".rst"], _side("in", [stream.name]), _side("out", [f"{stream.name}_fifo"])),
    )


def _side(side: str, streams: list[str] | tuple[str, ...]) -> list[str]:
    """Connections of a kernel's inputs or outputs: several streams side by side, the first one lowest."""
    ports = []
    for signal in ("data", "valid", "ready"):
        wires = [f"{stream}_{signal}" for stream in reversed(streams)]
        ports.append(f".{side}_{signal}({wires[0] if len(wires) == 1 else '{' + ', '.join(wires) + '}'})")
    return ports


def _parameters(values: dict[str, int | str | tuple[int, ...]], module: str = "") -> list[str]:
    """Connections of the parameters of a module, whose text says of what type they are."""
    long, lists = set(_LONG.findall(module)), {name: count for count, name in _LIST.findall(module)}
    texts = []
    for name, value in values.items():
        if not _IDENTIFIER.fullmatch(name):
            raise ValueError(f"{name!r} is no SystemVerilog identifier")
        if isinstance(value, str):
            text = _string(value)
        elif isinstance(value, tuple):
            text = "'{" + ", ".join(_sized(entry, 64 if name in long else 32) for entry in value) + "}"
        elif name in lists:
            count = values[lists[name]]
            assert isinstance(count, int)
            text = _packed_list(value, count)
        else:
            text = _sized(value, 64) if name in long else _number(value)
        texts.append(f".{name}({text})")
    return texts


def _string(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.]*", value):
        raise ValueError(f"{value!r} is no name for a SystemVerilog string")
    return f'"{value}"'


def _packed_list(value: int, count: int) -> str:
    """``pack_list``'s integer as the numbers that are in it, the first one last."""
    entries = [f"32'd{value >> 32 * index & 0xFFFFFFFF}" for index in reversed(range(count))]
    return "{" + ", ".join(entries) + "}"


def _number(value: int) -> str:
    if -(1 << 31) <= value < 1 << 31:
        return str(value)
    return _sized(value, 64) if value < 1 << 64 else f"{value.bit_length()}'h{value:x}"


def _sized(value: int, bits: int) -> str:
    """A literal of exactly so many bits: how wide a negative number, or one in a list, is otherwise, is disputed."""
    if not -(1 << (bits - 1)) <= value < 1 << bits:
        raise ValueError(f"{value} has more than {bits} bits")
    if not -(1 << (bits - 1)) < value < 1 << (bits - 1):
        return f"{bits}'h{value % (1 << bits):x}"
    return f"{'-' if value < 0 else ''}{bits}'sd{abs(value)}"


def ports(axi_bits: int) -> list[tuple[str, str, str, str]]:
    """Ports of accel.v after clock and reset: bus, signal, direction, range (``[7:0] ``, empty for a single bit)."""
    word = axi_bits
    masters = {"tready", "awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid"}
    buses = {
        "s_axis": {"tdata": word, "tlast": 1, "tvalid": 1, "tready": 1},
        "m_axis": {"tdata": word, "tkeep": word // 8, "tlast": 1, "tvalid": 1, "tready": 1},
        "s_axi_control": {
            **{"awaddr": ADDRESS_BITS, "awvalid": 1, "awready": 1},
            **{"wdata": 32, "wstrb": 4, "wvalid": 1, "wready": 1, "bresp": 2, "bvalid": 1, "bready": 1},
            **{"araddr": ADDRESS_BITS, "arvalid": 1, "arready": 1},
            **{"rdata": 32, "rresp": 2, "rvalid": 1, "rready": 1},
        },
    }
    ports = []
    for bus, signals in buses.items():
        for signal, bits in signals.items():
            output = (signal in masters) != (bus == "m_axis")
            scalar = bits == 1 and signal != "tkeep"
            ports.append((bus, signal, "output" if output else "input", "" if scalar else f"[{bits - 1}:0] "))
    return ports


def _wrapped(items: list[str], indent: int) -> str:
    """``items`` with commas between them, in lines that begin ``indent`` columns to the right (the first is there)."""
    lines: list[str] = []
    for item in items:
        if lines and indent + len(lines[-1]) + 2 + len(item) + 1 <= _WIDTH:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return (",\n" + " " * indent).join(lines)


def _render(name: str, folder: Path, target: str = "", /, **values: object) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates", "rtl")),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # SystemVerilog; every value is a number or an identifier, see lower/names.py
        keep_trailing_newline=True,
    )
    environment.filters["wrapped"] = _wrapped
    (folder / (target or name)).write_text(environment.get_template(f"{name}.j2").render(**values), encoding="utf-8")
