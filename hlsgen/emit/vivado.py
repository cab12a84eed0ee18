"""Writes the scripts that make a bitstream: the procedures for all boards, and a file with this build's values."""

from __future__ import annotations

import shutil
from pathlib import Path

import jinja2

from hlsgen import system as names
from hlsgen.emit.tcl import word
from hlsgen.errors import BoardError
from hlsgen.files import write_text
from hlsgen.lower.names import printable
from hlsgen.resources import resource
from hlsgen.system import System

STRATEGIES = ("Vivado Implementation Defaults", "Performance_ExplorePostRoutePhysOpt")
"""Implementation strategies, tried one after the other until timing is met."""


def write(system: System, folder: Path) -> None:
    """Write build.tcl, its procedures (tcl/), settings.tcl and hooks/README.md into ``folder``, a build's vivado/.

    What was in the folder before is removed. The same system gives the same bytes; no name of a model gets there, and
    what a board's file says is escaped. Raises BoardError for text that Tcl cannot hold.
    """
    try:
        settings = _settings(system)
    except ValueError as error:
        raise BoardError(
            f"The board {printable(system.board.name)} cannot be written as Tcl: {error}. Correct its YAML file."
        ) from error
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tcl").mkdir(parents=True)
    for source in sorted(resource("vivado_tcl").glob("*.tcl")):
        shutil.copyfile(source, folder / (source.name if source.name == "build.tcl" else f"tcl/{source.name}"))
    write_text(folder / "settings.tcl", settings)
    write_text(folder / "hooks" / "README.md", resource("templates", "vivado", "hooks.md").read_text(encoding="utf-8"))


def _settings(system: System) -> str:
    board = system.board
    groups: list[tuple[str, dict[str, str | int]]] = [
        (
            "Device, and the board file to use where it is installed (empty: none)",
            {"part": board.part, "board_part": board.board_part},
        ),
        (
            "Names: project and products, block design, its cells, the accelerator's IP",
            {
                "design": names.DESIGN,
                "block_design": names.BLOCK_DESIGN,
                "ps": names.PS,
                "dma": names.DMA,
                "accelerator": names.ACCEL,
                "vendor": names.VENDOR,
                "library": names.LIBRARY,
                "ip": names.IP,
                "ip_version": names.IP_VERSION,
            },
        ),
        (
            "Processing system: its IP, the ports used, their clock and the crystal in MHz",
            {
                "family": "zynq7" if system.zynq7 else "mpsoc",
                "ps_ip": system.ps_vlnv,
                "control_port": system.control_port,
                "memory_port": system.memory_port,
                "memory_bits": system.memory_bits,
                "clock_mhz": f"{system.clock.mhz:.6f}",
                "crystal_mhz": f"{board.crystal_mhz:.6f}",
            },
        ),
        (
            "DMA: bits of a stream's word, of a transfer's length in bytes, of an address",
            {"stream_bits": board.axi_bits, "length_bits": names.LENGTH_BITS, "address_bits": system.address_bits},
        ),
        (
            "Addresses of registers, and how many bytes each cell has there",
            {
                "accelerator_address": f"0x{system.addresses[names.ACCEL]:08X}",
                "dma_address": f"0x{system.addresses[names.DMA]:08X}",
                "segment_bytes": f"0x{names.SEGMENT_BYTES:08X}",
            },
        ),
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates", "vivado")),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Tcl; every value has gone through word(), the title through printable()
        keep_trailing_newline=True,
    )
    escaped = [(comment, {name: word(str(value)) for name, value in values.items()}) for comment, values in groups]
    strategies = "[list " + " ".join(map(word, STRATEGIES)) + "]"
    escaped.append(("Strategies of implementation, tried in turn until timing is met", {"strategies": strategies}))
    return environment.get_template("settings.tcl.j2").render(
        title=printable(board.title), mhz=system.clock.mhz, groups=escaped
    )
