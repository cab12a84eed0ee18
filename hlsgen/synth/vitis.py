"""Vitis HLS: runs a build's hls/run_hls.tcl, checks what the stages left behind, and says what went wrong.

An exit code of 0 proves little here: co-simulation may fail and the tool end well. Every stage is believed only when
its report, or its product, is there and says so.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hlsgen.emit.vitis import TOP
from hlsgen.errors import ToolError
from hlsgen.files import write_text
from hlsgen.synth.process import answer, run_logged
from hlsgen.synth.vitis_log import Watcher
from hlsgen.synth.vitis_results import Cosimulated, Estimate, read_cosimulated, read_estimate

COMMANDS = {"vitis-run": (2023, 1), "vitis_hls": (2020, 2)}
"""The tool's commands, the newer first, with the first version of each that runs our script."""

WORK = ("reports", "vitis")
"""Folder below the build folder that takes the tool's project and log. The scripts' own default is the same."""

LOG = "vitis.log"

WITHOUT = "Without it, --core rtl (the default) makes the same accelerator, and --synth yosys counts its resources."
"""What can be done where Vitis HLS is missing or does not work."""


class Stage(Enum):
    """The stages of run_hls.tcl, in their order."""

    CSIM = "csim"
    CSYNTH = "csynth"
    COSIM = "cosim"
    EXPORT = "export"


ALL = tuple(Stage)

RESULTS = {
    Stage.CSYNTH: "syn/report/csynth.xml",
    Stage.COSIM: f"sim/report/{TOP}_cosim.rpt",
    Stage.EXPORT: "impl/ip/component.xml",
}
"""What a stage leaves in the solution's folder."""


@dataclass(frozen=True)
class Tool:
    """Where Vitis HLS is: the command's ``path`` and its version, (year, number), None if it does not tell."""

    path: Path
    version: tuple[int, int] | None

    @property
    def title(self) -> str:
        """For people."""
        return "Vitis HLS" if self.version is None else f"Vitis HLS {self.version[0]}.{self.version[1]}"

    def command(self, script: Path) -> list[str]:
        """The command line that runs a Tcl script."""
        newer = ["--mode", "hls", "--tcl"] if self.path.stem == "vitis-run" else ["-f"]
        return [str(self.path), *newer, str(script)]


@dataclass(frozen=True)
class Report:
    """Result of a run. ``stages``: those done; ``ip``: the exported core's folder, below the build folder."""

    tool: str
    stages: tuple[Stage, ...]
    estimate: Estimate | None = None
    cosimulated: Cosimulated | None = None
    ip: Path | None = None

    def lines(self) -> list[str]:
        """The result for people."""
        lines = [f"{self.tool}: {', '.join(stage.value for stage in self.stages)} passed"]
        use = self.estimate
        if use is not None:
            lines.append(
                f"estimated {use.lut:,} LUT, {use.ff:,} FF, {use.dsp:,} DSP, {use.ramb18 / 2:g} BRAM36"
                + (f", {use.uram} URAM" if use.uram else "")
                + f"; clock {use.estimated_ns:.2f} ns of {use.period_ns:.2f}"
            )
            if use.slack_ns < 0:
                lines.append(
                    f"the estimate leaves {use.period_ns - use.estimated_ns:.2f} ns for placement and routing, less "
                    f"than the {use.uncertainty_ns:.2f} asked for: Vivado has the last word"
                )
        if self.cosimulated is not None and self.cosimulated.latency is not None:
            lines.append(f"co-simulated latency {self.cosimulated.latency[2]:,} cycles")
        if self.ip is not None:
            lines.append(f"IP in {self.ip}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """For the manifest: JSON values; only what was done."""
        found: dict[str, Any] = {"tool": self.tool, "stages": [stage.value for stage in self.stages]}
        if self.estimate is not None:
            estimate = asdict(self.estimate)
            found["resources"] = {name: estimate.pop(name) for name in ("lut", "ff", "dsp", "ramb18", "uram")}
            found["clock"] = {name: estimate.pop(name) for name in ("period_ns", "estimated_ns", "uncertainty_ns")}
            found["timing"] = {name: None if value is None else list(value) for name, value in estimate.items()}
        if self.cosimulated is not None:
            found["cosim"] = {
                name: None if value is None else list(value) for name, value in asdict(self.cosimulated).items()
            }
        if self.ip is not None:
            found["ip"] = self.ip.as_posix()
        return found


def find_tool() -> Tool:
    """The newest command of Vitis HLS on PATH. Raises ToolError when there is none that can run our script."""
    too_old = []
    for name, first in COMMANDS.items():
        path = shutil.which(name)
        if path is None:
            continue
        tool = Tool(Path(path), _version(path, name))
        if tool.version is None or tool.version >= first:
            return tool
        too_old.append(f"{path} is {tool.version[0]}.{tool.version[1]}, {first[0]}.{first[1]} is the first that works")
    if too_old:
        raise ToolError(
            f"Vitis HLS is too old: {'; '.join(too_old)}. Source the settings64.sh of a newer version. {WITHOUT}"
        )
    older = shutil.which("vivado_hls")
    what = f"only its predecessor Vivado HLS ({older})" if older else "neither vitis-run nor vitis_hls"
    raise ToolError(
        f"Vitis HLS was not found: {what} is on PATH. Install AMD Vitis 2020.2 or later and source its settings64.sh "
        f"in this shell. {WITHOUT}"
    )


def run(
    build: Path,
    stages: Collection[Stage] = ALL,
    *,
    tool: Tool | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Report:
    """Take the C++ in ``build``/hls through ``stages`` and return what they found.

    Project and log are left in ``build``/reports/vitis. ``tool``: default what ``find_tool`` finds. ``progress`` is
    told in a few words what is being done. An interruption ends the tool with all its processes.
    Raises ToolError: the tool is missing; a stage failed, and why; a result is missing or says that it failed; the
    estimated clock period is longer than the one asked for.
    """
    tool = tool or find_tool()
    chosen = tuple(stage for stage in Stage if stage in stages)
    if not chosen:
        raise ValueError("no stage to run")
    work = build.resolve().joinpath(*WORK)
    script = build.resolve() / "hls" / "run_hls.tcl"
    if not script.is_file():
        raise ToolError(f"{build} holds no hls/run_hls.tcl: build it again.")
    if odd := _ODD.search(script.as_posix()):
        raise ToolError(f"Vitis HLS takes no path with {odd[0]!r} in it: {script}. Give another folder with -o.")
    _forget(work, chosen)
    try:
        write_text(work / "start.tcl", _start(script, work, chosen))
    except OSError as error:
        raise ToolError(f"{work}: {error.strerror}. Vitis HLS needs a folder to work in.") from error
    watcher = Watcher(progress)
    log = work / LOG
    code = run_logged(tool.command(work / "start.tcl"), work, log, watcher.line)
    _require_success(code, watcher, log)
    return _collect(build.resolve(), work, chosen, tool, watcher)


def core_files(build: Path) -> list[Path]:
    """Verilog of the core that Vitis HLS exported for ``build``, and the memories it reads: files, sorted by name.

    Raises ToolError when nothing was exported.
    """
    exported = _found(build.resolve().joinpath(*WORK), Stage.EXPORT)
    folder = exported[-1].parent / "hdl" / "verilog" if exported else None
    files = [] if folder is None else sorted(path for path in folder.rglob("*") if path.suffix in _CORE_SUFFIXES)
    if f"{TOP}.v" not in (path.name for path in files):
        raise ToolError(
            f"{build} holds no core of Vitis HLS: {'/'.join(WORK)}/**/impl/ip/hdl/verilog/{TOP}.v is missing. Install "
            "AMD Vitis 2020.2 or later, source its settings64.sh, and build again with --core hls --synth vitis; or "
            "take the SystemVerilog, which needs no Vitis and computes the same: --core rtl."
        )
    return files


_ODD = re.compile(r"[\s\"'$\\;{}()\[\]&|<>*?!#]")
"""What means something to Tcl or to a shell, and therefore to AMD's scripts around the tool."""

_CORE_SUFFIXES = (".v", ".sv", ".vh", ".svh", ".dat", ".mem")
"""Of what belongs to an exported core; constraints and drivers do not."""


def _start(script: Path, work: Path, stages: tuple[Stage, ...]) -> str:
    """A Tcl script that runs ``script`` with its own choice of stages."""
    names = " ".join(stage.value for stage in stages)
    return f"array set override {{stages {{{names}}} work {{{work.as_posix()}}}}}\nsource {{{script.as_posix()}}}\n"


def _forget(work: Path, stages: tuple[Stage, ...]) -> None:
    """Remove results of an earlier run that this one makes again, so that they are not taken for new."""
    for stage in stages:
        for old in _found(work, stage):
            old.unlink()


def _require_success(code: int, watcher: Watcher, log: Path) -> None:
    """Raise ToolError unless the tool has run through. Says what is known of the cause, and what to do."""
    if code == 0 and watcher.finished:
        return
    how = f"it was ended by signal {-code}" if code < 0 else f"it left with exit code {code}"
    said = " / ".join(watcher.errors[:2]) or how
    raise ToolError(
        f"Vitis HLS failed in {watcher.stage or 'its start'}: {said.rstrip('.')}. {watcher.advice()} "
        f"The whole log is {log}."
    )


def _collect(build: Path, work: Path, stages: tuple[Stage, ...], tool: Tool, watcher: Watcher) -> Report:
    """What the stages have left. Raises ToolError for a result that is missing or bad, though the tool ended well."""
    estimate = cosimulated = ip = None
    for stage in stages:
        found = _found(work, stage)
        try:
            if stage is Stage.CSIM and not watcher.csim_passed:
                raise ValueError("`CSim done with 0 errors` was never printed")
            if stage in RESULTS and not found:
                raise ValueError(f"there is no {RESULTS[stage]}")
            if stage is Stage.CSYNTH:
                estimate = read_estimate(found[-1])
            elif stage is Stage.COSIM:
                cosimulated = read_cosimulated(found[-1])
            elif stage is Stage.EXPORT:
                ip = found[-1].parent.relative_to(build)
                core_files(build)
        except ValueError as error:
            said = f" It said: {watcher.errors[0].rstrip('.')}." if watcher.errors else ""
            raise ToolError(
                f"{tool.title} ended {stage.value} without an error, but {error}.{said} The whole log is {work / LOG}."
            ) from error
    if estimate is not None and estimate.estimated_ns > estimate.period_ns:
        slower = int(1000 / (estimate.estimated_ns + estimate.uncertainty_ns))
        raise ToolError(
            f"Vitis HLS estimates a clock period of {estimate.estimated_ns:.2f} ns, longer than the "
            f"{estimate.period_ns:.2f} ns asked for, before placement adds to it. Build with a slower clock (--clock "
            f"{slower}), or with --core rtl. What the tool has made so far is in {work}."
        )
    return Report(tool.title, stages, estimate, cosimulated, ip)


def _found(work: Path, stage: Stage) -> list[Path]:
    """A stage's results, the newest last; tools of before and after 2023 put them into different folders."""
    if stage not in RESULTS:
        return []
    return sorted((work / TOP).glob(f"*/{RESULTS[stage]}"), key=lambda file: file.stat().st_mtime)


def _version(path: str, name: str) -> tuple[int, int] | None:
    """(year, number) that a command tells, None if it does not."""
    question = "--version" if name == "vitis-run" else "-version"
    match = re.search(r"\bv(20\d\d)\.(\d)", answer([path, question]))
    return None if match is None else (int(match[1]), int(match[2]))
