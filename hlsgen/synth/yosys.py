"""Yosys with the slang front end: what kernels and whole accelerators take, and their longest paths.

Every synthesis runs in a process of its own. Results are kept in the user's cache folder under a hash of everything
they depend on (sources, parameters, memories, family, version of Yosys, this package), so that only what has changed
is synthesised again.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hlsgen.board import Family
from hlsgen.emit.rtl import memory_text
from hlsgen.errors import ToolError
from hlsgen.files import write_text
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.fifo import Fifo
from hlsgen.lower.design import Design, Instance
from hlsgen.plan import lookup
from hlsgen.plan.primitives import Use
from hlsgen.synth import netlist
from hlsgen.synth.paths import Path as TimingPath
from hlsgen.synth.wrapper import TOP, fifo_top, kernel_top, library, needed, sources

ACCELERATOR = "accel"
"""Name of the accelerator's top module."""


@dataclass(frozen=True)
class Synthesis:
    """Result of one run: ``use``, the number of ``cells`` by type, and the longest ``paths``, longest first."""

    use: Use
    cells: dict[str, int]
    paths: tuple[TimingPath, ...]

    @property
    def path(self) -> TimingPath | None:
        """The longest path, if there is any."""
        return self.paths[0] if self.paths else None


@dataclass(frozen=True)
class Report:
    """``accelerator``: the whole design, flattened. ``kernels``: each instance by name, synthesised by itself."""

    accelerator: Synthesis
    kernels: dict[str, Synthesis]

    def lines(self) -> list[str]:
        """The result for people."""
        use, path = self.accelerator.use, self.accelerator.path
        lines = [
            f"Yosys: {use.lut:,} LUT ({use.lutram:,} of them memory), {use.ff:,} FF, {use.dsp:,} DSP, "
            f"{use.ramb36 + use.ramb18 / 2:g} BRAM36" + (f", {use.uram} URAM" if use.uram else "")
        ]
        if path is not None:
            lines.append(f"longest path: {path.ns:.1f} ns, estimated before placement, {path.start} to {path.end}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """For the manifest: the accelerator's ``resources`` and longest path, and those of every kernel by itself."""
        return {**_summary(self.accelerator), "kernels": {name: _summary(part) for name, part in self.kernels.items()}}


@dataclass(frozen=True)
class Job:
    """Files by name (sources and memories) and the ``top`` module among them, for a device of ``family``."""

    top: str
    files: Mapping[str, str] = field(hash=False)
    family: Family

    @functools.cached_property
    def key(self) -> str:
        """Hash of everything that the result depends on."""
        parts = [self.top, self.family.value, version(), _own_sources()]
        parts += [text for item in sorted(self.files.items()) for text in item]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(f"{len(part)}:".encode())
            digest.update(part.encode())
        return digest.hexdigest()


def _summary(result: Synthesis) -> dict[str, Any]:
    path = result.path
    longest = {} if path is None else {"longest_path": {"ns": path.ns, "start": path.start, "end": path.end}}
    return {"resources": asdict(result.use), **longest}


def version() -> str:
    """Version of pyosys, which brings Yosys and the front end. Raises ToolError where it is not installed."""
    try:
        if importlib.util.find_spec("pyosys") is not None:
            return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError:
        pass
    raise ToolError("synthesis needs Yosys, which is not installed: pip install pyosys")


def kernel_job(kernel: Kernel, family: Family) -> Job:
    """The synthesis of one kernel with its parameters and memories."""
    top = kernel_top(kernel)
    memories = {f"{memory.name}.mem": memory_text(memory) for memory in kernel.rtl_memories()}
    return Job(TOP, {f"{TOP}.sv": top, **needed(top, library()), **memories}, family)


def fifo_job(fifo: Fifo, family: Family) -> Job:
    """The synthesis of one FIFO."""
    top = fifo_top(fifo)
    return Job(TOP, {f"{TOP}.sv": top, **needed(top, library())}, family)


def synthesise_kernel(instance: Instance, folder: Path, family: Family) -> Synthesis:
    """Synthesise one kernel by itself; Yosys' log is written into ``folder``. Raises ToolError."""
    return run(kernel_job(instance.kernel, family), folder / f"{instance.name}.log")


def synthesise_design(
    design: Design,
    rtl_folder: Path,
    family: Family,
    *,
    log_folder: Path | None = None,
    processes: int | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Report:
    """Synthesise the accelerator in ``rtl_folder`` and every kernel of ``design`` by itself, equal ones once.

    ``processes`` run at a time (default: one per processor). ``progress`` is told the name of each that is done.
    Logs are written into ``log_folder`` (default: ``reports/yosys`` beside ``rtl_folder``), one per run
    (none for what is in the cache). Raises ToolError.
    """
    logs = rtl_folder.parent / "reports" / "yosys" if log_folder is None else log_folder
    jobs = {instance.name: kernel_job(instance.kernel, family) for instance in design.instances}
    whole = Job(ACCELERATOR, sources(rtl_folder), family)
    distinct: dict[str, tuple[str, Job]] = {whole.key: (ACCELERATOR, whole)}  # the longest first
    for name, job in jobs.items():
        distinct.setdefault(job.key, (name, job))

    def work(item: tuple[str, Job]) -> tuple[str, Synthesis]:
        name, job = item
        result = run(job, logs / f"{name}.log")
        progress(name)
        return job.key, result

    with ThreadPoolExecutor(processes or os.cpu_count()) as pool:
        done = dict(pool.map(work, distinct.values()))
    return Report(done[whole.key], {name: done[job.key] for name, job in jobs.items()})


def run(job: Job, log: Path) -> Synthesis:
    """The result of a synthesis, from the cache if it is there. Raises ToolError with Yosys' own message."""
    cached = _cached(job)
    if not cached.exists():
        with tempfile.TemporaryDirectory(prefix="hlsgen_yosys_") as scratch:
            write_text(cached, _run(job, Path(scratch), log))
    answer = json.loads(cached.read_text(encoding="utf-8"))
    paths = tuple(TimingPath(**{**path, "through": tuple(path["through"])}) for path in answer["paths"])
    try:
        return Synthesis(netlist.use(answer["cells"]), answer["cells"], paths)
    except ValueError as error:
        raise ToolError(f"synthesis of {job.top} left {error}; the log is {log}") from error


def is_cached(job: Job) -> bool:
    """Whether ``run`` will answer at once."""
    return _cached(job).exists()


def _cached(job: Job) -> Path:
    return cache_folder() / f"{job.key}.json"


def _run(job: Job, scratch: Path, log: Path) -> str:
    for name, text in job.files.items():
        (scratch / name).write_text(text, encoding="utf-8")
    order = {
        "top": job.top,
        "family": job.family.value,
        "sources": [name for name in sorted(job.files) if name.endswith((".sv", ".v"))],
    }
    (scratch / "job.json").write_text(json.dumps(order), encoding="utf-8")
    command = [sys.executable, "-m", "hlsgen.synth.worker", "job.json", "result.json"]
    package = str(Path(netlist.__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, *_python_path()])}
    output = scratch / "log"
    with output.open("wb") as stream:
        status = subprocess.run(command, cwd=scratch, env=environment, stdout=stream, stderr=stream, check=False)
    log.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(output, log)
    result = scratch / "result.json"
    if status.returncode or not result.exists():
        text = output.read_text(encoding="utf-8", errors="replace")
        raise ToolError(f"Yosys failed on {job.top}: {_message(text)}; the log is {log}")
    return result.read_text(encoding="utf-8")


def _python_path() -> Sequence[str]:
    return [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]


def _message(log: str) -> str:
    """The first error in a log, or its last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line.lower()), lines[-1] if lines else "it printed nothing")


def cache_folder() -> Path:
    """Where results are kept: ``hlsgen/yosys`` in the user's cache folder (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "hlsgen" / "yosys"


@functools.cache
def _own_sources() -> str:
    """The texts of what the worker runs, on which counts and paths depend."""
    names = ("worker.py", "roms.py", "netlist.py", "paths.py", "delays.py")
    sources = [*(Path(__file__).with_name(name) for name in names), Path(lookup.__file__)]
    return "".join(source.read_text(encoding="utf-8") for source in sources)
