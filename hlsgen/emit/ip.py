"""Writes the accelerator as an IP of Vivado's catalogue: sources, described in IP-XACT (IEEE 1685-2009)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import jinja2

from hlsgen.emit.registers import REGISTERS
from hlsgen.emit.rtl import ADDRESS_BITS, ports
from hlsgen.files import write_text
from hlsgen.resources import resource
from hlsgen.system import IP, IP_VERSION, LIBRARY, SEGMENT_BYTES, VENDOR, System

CLOCK, RESET, CONTROL = "ap_clk", "ap_rst_n", "s_axi_control"
"""Interfaces of accel.v besides the streams."""

FOLDER = f"{IP}_{IP_VERSION.replace('.', '_')}"
"""Name of the IP's folder in ip_repo/."""

FAMILIES = ("zynq", "zynquplus", "zynquplusRFSOC")
"""Families that have a processing system for it, as Vivado calls them."""

OLDEST_VIVADO = "2020.2"

# It does nothing to the hardware: Vivado copies parameters of a block design's cells into the .hwh, where pynq finds
# them. It is disabled, so that nobody changes it by mistake.
BUILD_ID = "BUILD_ID"
"""The IP's parameter that says of which build it is: 16 hexadecimal digits. vivado_tcl/ip.tcl and driver know it."""

# Vivado runs an IP's synthesis in a folder of its own. It finds a bare file name in $readmemh only when the file is in
# the IP's file set with a type that it knows as a memory's contents.
_TYPES = {
    ".sv": "systemVerilogSource",
    ".svh": "systemVerilogSource",
    ".v": "verilogSource",
    ".vh": "verilogSource",
    ".mem": "mem",
    ".dat": "mif",
}
"""By suffix: type of a file."""


@dataclass(frozen=True)
class _File:
    """A file of the IP by its path there. ``standard``: whether IP-XACT has the type, or it is one of Vivado's own."""

    path: str
    type: str

    @property
    def standard(self) -> bool:
        return self.type.endswith("Source")

    @property
    def include(self) -> bool:
        return self.path.endswith("h")


@dataclass(frozen=True)
class _Interface:
    """A bus interface: ``ports`` are pairs of logical and physical names."""

    name: str
    library: str
    type: str
    mode: str
    ports: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...] = ()
    memory_map: str = ""


@dataclass(frozen=True)
class _Port:
    """A port of the module: ``high`` is the index of a vector's highest bit."""

    name: str
    direction: str
    high: int | None


def write(rtl: Path, system: System, build_id: str, title: str, folder: Path) -> None:
    """Write component.xml, xgui/ and src/, copies of the files in ``rtl``, into ``folder``: ``ip_repo/FOLDER``.

    ``title`` is anybody's text, ``build_id`` at least 16 hexadecimal digits, of which the first 16 count. What was in
    the folder before is removed. The same arguments and files give the same bytes. Raises ValueError for a file of a
    kind that is no part of an accelerator.
    """
    sources = sorted(path for path in rtl.iterdir() if path.is_file())
    listed = [_File(f"src/{path.name}", _type(path)) for path in sources]
    # for tools that read files in their order: included files first, the top last, then data
    listed.sort(key=lambda file: (not file.standard, not file.include, file.path == f"src/{IP}.v"))
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "src").mkdir(parents=True)
    for path in sources:
        shutil.copyfile(path, folder / "src" / path.name)
    xgui = f"xgui/{IP}_v{IP_VERSION.replace('.', '_')}.tcl"
    write_text(folder / xgui, resource("templates", "ip", "xgui.tcl").read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates", "ip")),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        keep_trailing_newline=True,
    )
    name = _xml_text(title)
    text = environment.get_template("component.xml.j2").render(
        vendor=VENDOR,
        library=LIBRARY,
        name=IP,
        version=IP_VERSION,
        title=name,
        description=f"{name}: streaming accelerator, build {build_id[:16]}",
        interfaces=_interfaces(system.board.axi_bits),
        control=CONTROL,
        # what the block design maps: above ADDRESS_BITS the registers repeat
        range=SEGMENT_BYTES,
        registers=REGISTERS,
        views=[
            ("xilinx_anylanguagesynthesis", "Synthesis", ":vivado.xilinx.com:synthesis", listed),
            ("xilinx_anylanguagebehavioralsimulation", "Simulation", ":vivado.xilinx.com:simulation", listed),
            ("xilinx_xpgui", "UI Layout", ":vivado.xilinx.com:xgui.ui", [_File(xgui, "tclSource")]),
        ],
        ports=_ports(system.board.axi_bits),
        families=FAMILIES,
        build_id_parameter=BUILD_ID,
        build_id=build_id[:16],
        oldest=OLDEST_VIVADO,
    )
    write_text(folder / "component.xml", text)


def _type(path: Path) -> str:
    if path.suffix not in _TYPES:
        raise ValueError(f"{path.name} in {path.parent} is no file of an accelerator: none of {', '.join(_TYPES)}")
    return _TYPES[path.suffix]


def _xml_text(text: str) -> str:
    """``text`` on one line, without the characters that XML 1.0 cannot hold even escaped."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _interfaces(axi_bits: int) -> list[_Interface]:
    """Interfaces as the attributes in accel.v state them.

    No frequency: the processing system's clock is a few hertz off the round number, and validation wants them equal.
    """
    signals: dict[str, list[tuple[str, str]]] = {}
    for bus, signal, _, _ in ports(axi_bits):
        signals.setdefault(bus, []).append((signal.upper(), f"{bus}_{signal}"))
    stream = (("TDATA_NUM_BYTES", str(axi_bits // 8)),)
    lite = (
        ("ADDR_WIDTH", str(ADDRESS_BITS)),
        ("DATA_WIDTH", "32"),
        ("PROTOCOL", "AXI4LITE"),
        ("READ_WRITE_MODE", "READ_WRITE"),
    )
    clocked = (("ASSOCIATED_BUSIF", ":".join(signals)), ("ASSOCIATED_RESET", RESET))
    return [
        _Interface("s_axis", "interface", "axis", "slave", tuple(signals["s_axis"]), stream),
        _Interface("m_axis", "interface", "axis", "master", tuple(signals["m_axis"]), stream),
        _Interface(CONTROL, "interface", "aximm", "slave", tuple(signals[CONTROL]), lite, CONTROL),
        _Interface(CLOCK, "signal", "clock", "slave", (("CLK", CLOCK),), clocked),
        _Interface(RESET, "signal", "reset", "slave", (("RST", RESET),), (("POLARITY", "ACTIVE_LOW"),)),
    ]


def _ports(axi_bits: int) -> list[_Port]:
    listed = [_Port(CLOCK, "in", None), _Port(RESET, "in", None)]
    for bus, signal, direction, bits in ports(axi_bits):
        high = int(bits.strip().strip("[]").partition(":")[0]) if bits else None
        listed.append(_Port(f"{bus}_{signal}", direction.removesuffix("put"), high))
    return listed
