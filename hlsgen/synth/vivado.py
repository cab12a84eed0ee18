"""Vivado: runs a build's vivado/build.tcl, reads its reports, and says what went wrong."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hlsgen.emit.ip import OLDEST_VIVADO
from hlsgen.errors import ToolError
from hlsgen.plan.primitives import Use
from hlsgen.synth.process import answer, run_logged
from hlsgen.synth.vivado_log import Watcher
from hlsgen.synth.vivado_reports import Power, Timing, read_power, read_timing, read_utilization
from hlsgen.system import DESIGN

COMMAND = "vivado"

REPORTS = ("reports", "vivado")
"""Folder below the build folder that takes project, log and reports; build.tcl knows it, too."""

LOG = "vivado.log"

PRODUCTS = (f"deploy/{DESIGN}.bit", f"deploy/{DESIGN}.hwh", "deploy/power.rpt")
"""What a run leaves beside its reports, below the build folder."""

READ = ("utilization_accel.rpt", "utilization.rpt", "timing.rpt", "power.rpt")
"""The reports: accelerator, whole design, slacks, power."""

WITHOUT = (
    "Without it everything but the bitstream can be had: --synth yosys counts resources, `hlsgen emulate` runs driver "
    "and notebook; and the folder vivado/ of the build can be taken to a machine with Vivado."
)
"""What can be done where Vivado is missing."""


@dataclass(frozen=True)
class Tool:
    """Where Vivado is, and its version as it writes it, "2024.1" for example; empty if it does not tell."""

    path: Path
    version: str


@dataclass(frozen=True)
class Report:
    """Result of an implementation whose timing is met.

    ``accelerator``: its resources by itself; ``design``: of all; ``bitstream``: the file, below the build folder.
    """

    version: str
    accelerator: Use
    design: Use
    timing: Timing
    power: Power
    bitstream: Path

    def lines(self) -> list[str]:
        """The result for people."""
        use, whole = self.accelerator, self.design
        return [
            f"Vivado {self.version}: {use.lut:,} LUT ({use.lutram:,} of them memory), {use.ff:,} FF, {use.dsp:,} DSP, "
            f"{use.ramb36 + use.ramb18 / 2:g} BRAM36"
            + (f", {use.uram} URAM" if use.uram else "")
            + f"; with DMA and interconnect {whole.lut:,} LUT, {whole.ff:,} FF",
            f"timing met: {self.timing.wns_ns:g} ns of setup and {self.timing.whs_ns:g} ns of hold to spare",
            f"power: {self.power.total:g} W in the device, an estimate that knows no activity (confidence: "
            f"{self.power.confidence.lower()}), not a measurement",
            f"bitstream: {self.bitstream}",
        ]

    def as_dict(self) -> dict[str, Any]:
        """For the manifest: ``resources`` of the accelerator and of the whole ``design``, slacks in ns, watts."""
        return {
            "tool": f"Vivado {self.version}",
            "resources": asdict(self.accelerator),
            "design": {"resources": asdict(self.design)},
            "slack": asdict(self.timing),
            "power": {"kind": "estimate", "watts": asdict(self.power)},
        }


def find_tool() -> Tool:
    """Vivado on PATH. Raises ToolError when there is none, or one that is too old for our scripts."""
    path = shutil.which(COMMAND)
    if path is None:
        raise ToolError(
            f"Vivado was not found: {COMMAND} is not on PATH. Install AMD Vivado {OLDEST_VIVADO} or later and source "
            f"its settings64.sh in this shell. {WITHOUT}"
        )
    version = _version(path)
    if version and _number(version) < _number(OLDEST_VIVADO):
        raise ToolError(
            f"Vivado is too old: {path} is {version}, {OLDEST_VIVADO} is the first that works. Source the "
            f"settings64.sh of a newer version. {WITHOUT}"
        )
    return Tool(Path(path), version)


def run(
    build: Path,
    *,
    tool: Tool | None = None,
    jobs: int = 2,
    hooks: Path | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Report:
    """Make the bitstream of the build folder ``build``; it is in deploy/ then, with the .hwh and power.rpt.

    Project, log and reports are left in reports/vivado. ``jobs``: runs at a time. ``hooks``: folder with Tcl around the
    stages (default: vivado/hooks). ``progress`` is told in a few words what is being done. An interruption ends the
    tool with all its processes. Raises ToolError: the tool is missing; a stage failed, and why; timing is not met; a
    product or report is missing.
    """
    tool = tool or find_tool()
    build = build.resolve()
    script = build / "vivado" / "build.tcl"
    if not script.is_file():
        raise ToolError(f"{build} holds no vivado/build.tcl: build it again.")
    folder = build.joinpath(*REPORTS)
    for name in READ:
        (folder / name).unlink(missing_ok=True)
    # what Vivado prints is its log: run_logged keeps it
    command = [str(tool.path), "-mode", "batch", "-notrace", "-nojournal", "-nolog", "-source", str(script)]
    command += ["-tclargs", "jobs", str(jobs)]
    if hooks is not None:
        command += ["hooks", str(hooks.resolve())]
    watcher = Watcher(progress)
    log = folder / LOG
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(f"{folder}: {error.strerror}. Vivado needs a folder to work in.") from error
    code = run_logged(command, folder, log, watcher.line)
    _require_success(code, watcher, log)
    missing = [name for name in PRODUCTS if not (build / name).is_file()]
    if missing:
        raise ToolError(f"Vivado ended well, but left no {' and no '.join(missing)}. The log is {log}.")
    accelerator, whole, timing, power = (folder / name for name in READ)
    return Report(
        version=tool.version or "of unknown version",
        accelerator=read_utilization(accelerator),
        design=read_utilization(whole),
        timing=read_timing(timing),
        power=read_power(power),
        bitstream=Path(PRODUCTS[0]),
    )


def _require_success(code: int, watcher: Watcher, log: Path) -> None:
    if code == 0 and watcher.finished and not watcher.kind:
        return
    if code < 0 or code in (128 + 9, 128 + 15):
        signal = -code if code < 0 else code - 128
        raise ToolError(
            f"Vivado was ended from outside (signal {signal}), by a person, a job scheduler or, often, by the system "
            f"for want of memory. {watcher.explanation() if watcher.errors else 'Run it again.'} The log is {log}."
        )
    raise ToolError(f"Vivado failed (exit code {code}): {watcher.explanation()} The log is {log}.")


def _version(path: str) -> str:
    """Version that the command tells, empty if it tells none."""
    found = re.search(r"\bv(\d{4}\.\d+(?:\.\d+)?)", answer([path, "-version"]), re.IGNORECASE)
    return found[1] if found else ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
