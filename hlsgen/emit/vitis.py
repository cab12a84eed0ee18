"""Writes the scripts that take a design's C++ through Vitis HLS, and says what that tool would refuse."""

from __future__ import annotations

from pathlib import Path

import jinja2

from hlsgen.emit.hls import layer_of
from hlsgen.emit.tcl import word
from hlsgen.errors import ToolError
from hlsgen.files import write_text
from hlsgen.kernels.unpack import Unpack
from hlsgen.lower.design import Design
from hlsgen.lower.names import printable
from hlsgen.resources import resource
from hlsgen.system import System

TOP = "accel_hls"
"""The C++ function of the accelerator, hence the module that Vitis HLS makes of it, and its project's name."""

WIDEST_BEAT = 4096
"""Bits of the widest FIFO that Vitis HLS makes of a stream ([HLS 214-256], all versions known)."""


def write(design: Design, system: System, folder: Path) -> None:
    """Write run_hls.tcl and options.tcl into ``folder``, where ``emit.hls.write`` has put the C++.

    The same design and system give the same bytes.
    """
    board = system.board
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates", "hls")),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Tcl; text of the user is quoted by `word`, or stands in comments and is printable
        keep_trailing_newline=True,
    )
    options = environment.get_template("options.tcl.j2").render(
        title=printable(design.name),
        board=printable(board.name),
        part=word(board.part),
        mhz=system.clock.mhz,
        period=f"{1000 / system.clock.mhz:.3f}",
        images=overlapping_images(design),
    )
    write_text(folder / "options.tcl", options)
    write_text(folder / "run_hls.tcl", resource("templates", "hls", "run_hls.tcl").read_text(encoding="utf-8"))


def overlapping_images(design: Design) -> int:
    """How many images are inside the accelerator at most: as many as the FIFO between its ends has places for TLAST.

    One more is at work in the last process, and Vitis HLS' own default is 2.
    """
    (unpack,) = (instance for instance in design.instances if isinstance(instance.kernel, Unpack))
    return max(2, design.streams[unpack.outputs[-1]].depth + 1)


def check(design: Design) -> None:
    """Raise ToolError if Vitis HLS would refuse ``design``: now, not after minutes of its work."""
    wide = [stream for stream in design.streams.values() if stream.spec.width > WIDEST_BEAT]
    if not wide:
        return
    worst = max(wide, key=lambda stream: stream.spec.width)
    writer = next(instance for instance in design.instances if worst.name in instance.outputs)
    raise ToolError(
        f"The stream {worst.name} of layer {layer_of(writer)} has beats of {worst.spec.width:,} bits; Vitis HLS makes "
        f"FIFOs of at most {WIDEST_BEAT:,}. Give that layer fewer lanes or taps in plan.yaml and pass it with --plan, "
        "or use the SystemVerilog, which has no such limit: --core rtl."
    )
