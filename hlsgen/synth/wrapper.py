"""One kernel as a top module: its instance with parameters, its source files and its memories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hlsgen.emit.rtl import submodules
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.fifo import Fifo
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.unpack import Unpack
from hlsgen.resources import resource

TOP = "kernel_top"


def kernel_top(kernel: Kernel) -> str:
    """SystemVerilog of the module ``kernel_top``: the kernel's ports, the kernel inside."""
    inputs, outputs = kernel.inputs, kernel.outputs
    ports = [
        ("input", "clk", 1),
        ("input", "rst", 1),
        ("input", "in_data", sum(spec.width for spec in inputs)),
        ("input", "in_valid", len(inputs)),
        ("output", "in_ready", len(inputs)),
        ("output", "out_data", sum(spec.width for spec in outputs)),
        ("output", "out_valid", len(outputs)),
        ("input", "out_ready", len(outputs)),
    ]
    if isinstance(kernel, Unpack):
        ports += [("input", "in_last", 1), ("output", "error", 1)]
    if isinstance(kernel, Pack):
        ports += [("output", "out_last", 1)]
    files = {f"{memory.name.upper()}_FILE": f"{memory.name}.mem" for memory in kernel.rtl_memories()}
    parameters = {**kernel.rtl_parameters(), **files}
    return _top(kernel.kind, parameters, ports)


def fifo_top(fifo: Fifo) -> str:
    """SystemVerilog of the module ``kernel_top`` with a FIFO inside."""
    data = [("input", "in_data", fifo.width), ("output", "out_data", fifo.width)]
    inputs = [("input", name, 1) for name in ("clk", "rst", "in_valid", "out_ready")]
    outputs = [("output", name, 1) for name in ("in_ready", "out_valid")]
    return _top("fifo", fifo.rtl_parameters(), [*inputs, *outputs, *data])


def _top(kind: str, parameters: Mapping[str, int | str | tuple[int, ...]], ports: list[tuple[str, str, int]]) -> str:
    return (
        f"module {TOP} (\n"
        + ",\n".join(f"    {way} logic [{width - 1}:0] {name}" for way, name, width in ports)
        + f"\n);\n  hlsgen_{kind} #(\n"
        + ",\n".join(f"    .{name}({literal(value)})" for name, value in parameters.items())
        + "\n  ) kernel (\n"
        + ",\n".join(f"    .{name}({name})" for _, name, _ in ports)
        + "\n  );\nendmodule\n"
    )


def literal(value: int | str | tuple[int, ...]) -> str:
    """A parameter's value in SystemVerilog."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"'{{{', '.join(literal(entry) for entry in value)}}}"
    if -(1 << 31) <= value < 1 << 31:
        return str(value)
    return f"{'-' if value < 0 else ''}{abs(value).bit_length() + 2}'sd{abs(value)}"


def library() -> dict[str, str]:
    """The text of every file of the SystemVerilog library, by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(resource("ip_repo").glob("*.sv"))}


def needed(top: str, files: Mapping[str, str]) -> dict[str, str]:
    """Those of ``files`` that define what the text ``top`` instantiates, directly or not."""
    found: dict[str, str] = {}
    pending = [top]
    while pending:
        for module in sorted(submodules(pending.pop())):
            file = f"{module}.sv"
            if file not in found:
                found[file] = files[file]
                pending.append(files[file])
    return dict(sorted(found.items()))


def sources(folder: Path) -> dict[str, str]:
    """Texts of the SystemVerilog, Verilog and memory files right in ``folder``, by file name."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(folder.iterdir())
        if path.suffix in (".sv", ".v", ".mem")
    }
