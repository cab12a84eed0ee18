"""The pipeline: a model becomes a build folder, step by step; and a build folder becomes something to run.

Every step reads what earlier steps left in the folder and leaves files of its own, so a build that was interrupted, or
stopped with ``last``, goes on where it was, and gives the same bytes as one that ran through.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import hlsgen
from hlsgen import frontend, samples
from hlsgen import manifest as manifests
from hlsgen import plan as plans
from hlsgen.board import Board, Clock
from hlsgen.board import load as load_board
from hlsgen.canonical import write as canonical
from hlsgen.choices import Engine, Step, Synth, Verify
from hlsgen.emit.hls import write as write_hls
from hlsgen.emit.hls import write_vectors
from hlsgen.emit.rtl import write as write_rtl
from hlsgen.errors import FolderError, HlsgenError, ModelError, OptionError, ToolError, VerificationError
from hlsgen.exact import store as unit_store
from hlsgen.exact.solve import solve
from hlsgen.exact.units import Unit
from hlsgen.files import write_text
from hlsgen.folder import MANIFEST, Workspace, read_manifest
from hlsgen.graph import golden
from hlsgen.graph import store as graph_store
from hlsgen.graph.graph import Graph
from hlsgen.graph.host import Array
from hlsgen.inspection import headline, listed, partition
from hlsgen.kernels.axi import words_from_frames
from hlsgen.lower.design import Design
from hlsgen.lower.mapping import lower
from hlsgen.lower.names import printable
from hlsgen.plan.make import make as plan_network
from hlsgen.resources import PACKAGE, resource
from hlsgen.run import Runner
from hlsgen.sim import csim, verilator
from hlsgen.synth import yosys
from hlsgen.verify import verify_cpp, verify_references, verify_rtl

ORDER = list(Step)

VECTORS = 2
"""Images in the build folder's test vectors."""


class Progress(Protocol):
    """Who wants to know how a build gets on."""

    def begin(self, step: str, what: str) -> None:
        """``step`` starts; ``what`` says in a few words what it does."""

    def end(self, step: str, seconds: float | None, lines: list[str]) -> None:
        """``step`` is done; no ``seconds`` means that it was done in an earlier call."""


class Silent:
    """A progress that nobody watches."""

    def begin(self, step: str, what: str) -> None:
        """See ``Progress``."""

    def end(self, step: str, seconds: float | None, lines: list[str]) -> None:
        """See ``Progress``."""


@dataclass
class Artifacts:
    """What the steps have left in ``folder``, read when first asked for. Raises FolderError for what is not there."""

    folder: Path
    axi_bits: int

    @cached_property
    def graph(self) -> Graph:
        """The quantized network."""
        return graph_store.load(self.folder)

    @cached_property
    def units(self) -> dict[str, tuple[Unit, ...]]:
        """Exact units by output tensor."""
        return unit_store.load(self.folder)

    @cached_property
    def design(self) -> Design:
        """The design with the foldings and depths of plan.yaml."""
        plan = plans.load(self.folder / "plan.yaml", self.graph, self.units)
        design = lower(self.graph, self.units, plan, self.axi_bits)
        plans.set_depths(plan, design)
        return design


@dataclass
class Build:
    """A build folder. ``finished`` is False where the build was stopped before its last step."""

    folder: Path
    manifest: dict[str, Any]
    finished: bool
    artifacts: Artifacts

    @staticmethod
    def open(folder: str | Path) -> Build:
        """The finished build in ``folder``. Raises FolderError when there is none."""
        path = Path(folder)
        manifest = read_manifest(path)
        return Build(path, manifest, True, Artifacts(path, manifests.axi_bits(manifest, path)))

    @property
    def graph(self) -> Graph:
        """The quantized network."""
        return self.artifacts.graph

    def run(
        self,
        x: Array | Mapping[str, Array],
        engine: Engine | str = Engine.GOLDEN,
        *,
        trace: bool = False,
        types: csim.Types = "native",
        bounded: bool = False,
        waves: Path | None = None,
    ) -> dict[str, Array]:
        """Compute the model for images ``x``: an array (images, ...) or one by the input's ONNX name.

        Returns the model's outputs by their ONNX names, ``int/<tensor>`` for what leaves the accelerator (frames of
        shape (images, H, W, C)) and, with ``trace``, ``stream/<name>`` for every stream: integers of shape (images,
        beats, lanes). The engines return the same. ``types`` and ``bounded`` are for ``csim`` (see ``sim.csim``),
        ``waves`` (a file for waveforms) for ``rtl``.
        Raises OptionError for a wrong input, ToolError without a compiler, VerificationError for a deadlock.
        """
        if not self.finished:
            raise FolderError(f"{self.folder} is an unfinished build; finish it first.")
        runner = Runner(self.graph, lambda: self.artifacts.design, self.folder)
        return runner.run(x, Engine(engine), trace=trace, types=types, bounded=bounded, waves=waves)


@dataclass(frozen=True)
class _Options:
    """What was asked for, checked."""

    model: Path | Graph
    board: Board
    clock: Clock
    asked_mhz: float | None
    plan: Path | None
    fps: float | None
    max_utilization: float | None
    samples: Path | None
    verify: Verify
    synth: Synth

    def asked(self, step: Step) -> str:
        """What was asked of a step that may be left out; a step done for another wish is done again."""
        return {Step.CSIM: self.verify.value, Step.RTL: self.verify.value, Step.SYNTH: self.synth.value}.get(step, "")


def build(
    model: str | Path | Graph,
    *,
    board: str | Board,
    output: str | Path | None = None,
    clock: float | None = None,
    plan: str | Path | None = None,
    fps: float | None = None,
    max_utilization: float | None = None,
    samples: str | Path | None = None,
    verify: Verify | str = Verify.CSIM,
    synth: Synth | str = Synth.NONE,
    first: Step | str | None = None,
    last: Step | str = Step.SYNTH,
    progress: Progress | None = None,
) -> Build:
    """Build the accelerator of ``model`` into the folder ``output`` (default: ``build/<model>``).

    ``board``: name, path of a YAML file, or Board. ``clock``: MHz, rounded down to what the board can make (default:
    the board's own). ``plan``: a plan.yaml with the foldings; without one they are solved for: the fastest design that
    fits into ``max_utilization`` (0 to 1) of the board's resources, or with ``fps`` (images per second) the smallest
    that is as fast. ``samples``: images to verify with, besides made-up ones. ``verify``: by simulation of the C++, of
    the SystemVerilog, or of both. ``synth``: "yosys" counts resources. ``first``: do this step and later ones
    again, taking the earlier ones from an unfinished
    or finished build of the same inputs; ``last``: stop after this step and keep what is done for the next call.

    An existing build in ``output`` is replaced at the very end, so that it is never half of one. Raises a HlsgenError;
    what remains then is at most ``<output>.partial``, which the next call goes on with.
    """
    options = _Options(
        Path(model) if isinstance(model, str) else model,
        chosen := board if isinstance(board, Board) else load_board(board),
        chosen.clock(clock),
        clock,
        _existing(plan, "--plan"),
        _positive(fps, "--fps"),
        _share(max_utilization),
        _existing(samples, "--samples"),
        Verify(verify),
        Synth(synth),
    )
    if plan is not None and (fps is not None or max_utilization is not None):
        raise OptionError("--plan gives the foldings; --fps and --max-utilization ask for others. Give one of them.")
    first, last = None if first is None else Step(first), Step(last)
    _find_tools(options, last)
    source = _source(options.model)
    target = Path(output) if output is not None else Path("build") / _folder_name(options.model)
    identity = _identity(source, options)
    workspace = Workspace.open(target, _with_code(identity))
    job = _Job(options, Artifacts(workspace.path, chosen.axi_bits), hashlib.sha256(source).hexdigest(), identity[:16])
    with closing(workspace):
        if first is not None:
            _go_back(workspace, first)
        workspace.begin()
        _work(job, workspace, last, progress or Silent())
        if last is not ORDER[-1]:
            return Build(workspace.path, {}, False, job.artifacts)
        manifests.write(_manifest(job, workspace), job.folder / MANIFEST)
        workspace.publish()
    return Build.open(target)


def _find_tools(options: _Options, last: Step) -> None:
    """Raise ToolError for a tool that is missing: now, not after minutes of work."""
    reached = ORDER[: ORDER.index(last) + 1]
    if options.verify.simulates_cpp and Step.CSIM in reached:
        csim.find_compiler()
    if options.verify.simulates_rtl and Step.RTL in reached:
        verilator.find_tools()
    if options.synth is Synth.YOSYS and Step.SYNTH in reached:
        yosys.version()


@dataclass
class _Job:
    """A build under way."""

    options: _Options
    artifacts: Artifacts
    model_sha256: str
    build_id: str

    @property
    def folder(self) -> Path:
        return self.artifacts.folder


def _work(job: _Job, workspace: Workspace, last: Step, watcher: Progress) -> None:
    """Do the steps up to ``last`` that are not done yet, or were done for another wish."""
    try:
        for step in ORDER[: ORDER.index(last) + 1]:
            what, action = _ACTIONS[step]
            earlier = workspace.done.get(step.value)
            if earlier is not None and earlier["asked"] == job.options.asked(step):
                watcher.end(step.value, None, [])
                continue
            watcher.begin(step.value, what)
            started = time.perf_counter()
            done = action(job)
            workspace.finish(step.value, {"asked": job.options.asked(step), "report": done.report})
            watcher.end(step.value, time.perf_counter() - started, done.lines)
    except (ToolError, VerificationError):
        raise  # a tool can be installed, a mismatch looked into: what is done is kept
    except HlsgenError:
        workspace.remove()
        raise


@dataclass(frozen=True)
class _Done:
    """What a step tells people, and what it leaves for the manifest (JSON values)."""

    lines: list[str]
    report: dict[str, Any] = field(default_factory=dict)


def _import(job: _Job) -> _Done:
    model = job.options.model
    graph = model if isinstance(model, Graph) else frontend.load(model)
    job.folder.mkdir(parents=True, exist_ok=True)
    graph_store.save(graph, job.folder)
    write_text(job.folder / "graph.txt", graph_store.describe(graph))
    (job.folder / "canonical.onnx").write_bytes(canonical.write(graph).SerializeToString(deterministic=True))
    return _Done([headline(graph), partition(graph), *graph.notes])


def _exact(job: _Job) -> _Done:
    units = solve(job.artifacts.graph)
    unit_store.save(units, job.folder)
    kinds = Counter(choices[0].kind for choices in units.values())
    return _Done([f"{len(units)} functions proved exact: {listed(kinds)}"])


def _lower(job: _Job) -> _Done:
    """Every operator finds its kernels, whatever the foldings will be."""
    graph, units = job.artifacts.graph, job.artifacts.units
    design = lower(graph, units, plans.smallest(graph, units), job.artifacts.axi_bits)
    kinds = Counter(instance.kernel.kind for instance in design.instances)
    return _Done([f"{len(design.instances)} kernels: {listed(kinds)}"])


def _plan(job: _Job) -> _Done:
    """Solve the foldings unless they are given, then the FIFO depths, and predict."""
    graph, units, options = job.artifacts.graph, job.artifacts.units, job.options
    planned = plan_network(
        graph,
        units,
        options.board,
        options.clock.mhz,
        given=None if options.plan is None else plans.load(options.plan, graph, units),
        fps=options.fps,
        max_utilization=options.max_utilization,
    )
    plans.save(planned.plan, job.folder / "plan.yaml")
    write_text(job.folder / "plan.txt", "\n".join(planned.explanation.lines()) + "\n")
    lines = planned.lines()
    clock, asked = options.clock, options.asked_mhz
    if asked is not None and abs(clock.mhz - asked) > 1e-4 * asked:
        lines.append(f"clock {asked:g} MHz asked; the fastest below that the PLL can make is {clock.mhz:.3f} MHz")
    return _Done(lines, planned.predicted())


def _emit(job: _Job) -> _Done:
    graph, design = job.artifacts.graph, job.artifacts.design
    write_hls(design, job.folder / "hls")
    frames = golden.input_frames(graph, {name: images[:VECTORS] for name, images in _feeds(job).items()})
    write_vectors(
        design, words_from_frames(frames, graph.tensors[graph.input].type, design.axi_bits), job.folder / "hls"
    )
    write_rtl(design, job.folder / "rtl", job.build_id)
    return _Done([_contents(job.folder / name) for name in ("hls", "rtl")])


def _contents(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return f"{folder.name}/: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB"


def _feeds(job: _Job) -> dict[str, Array]:
    """Images to verify with: the user's and made-up ones."""
    feeds = samples.made_up(job.artifacts.graph)
    if job.options.samples is None:
        return feeds
    return samples.joined(samples.read(job.options.samples, job.artifacts.graph), feeds)


def _csim(job: _Job) -> _Done:
    verify, artifacts = job.options.verify, job.artifacts
    if verify is Verify.NONE:
        return _Done(["not verified (--verify none)"])
    feeds = _feeds(job)
    done = _Done([])
    if verify.simulates_cpp:
        streams = verify_cpp(artifacts.graph, artifacts.design, job.folder, feeds)
        done = _Done(streams.lines(), {"csim": streams.as_dict()})
    original = job.options.model if isinstance(job.options.model, Path) else None
    references = verify_references(artifacts.graph, job.folder, feeds, original)
    return _Done([*done.lines, *references.lines()], {**done.report, **references.as_dict()})


def _rtl(job: _Job) -> _Done:
    if not job.options.verify.simulates_rtl:
        return _Done(["SystemVerilog not simulated (--verify all does)"])
    report = verify_rtl(job.artifacts.graph, job.artifacts.design, job.folder, _feeds(job))
    return _Done(report.lines(), {"rtl": report.as_dict(), "measured": {"timing": report.timing}})


def _synth(job: _Job) -> _Done:
    if job.options.synth is Synth.NONE:
        return _Done(["resources predicted, not counted (--synth yosys counts them)"])
    report = yosys.synthesise_design(
        job.artifacts.design, job.folder / "rtl", job.options.board.family, log_folder=job.folder / "reports" / "yosys"
    )
    return _Done(report.lines(), report.as_dict())


def _manifest(job: _Job, workspace: Workspace) -> dict[str, Any]:
    """The manifest, from what the steps reported."""
    reports = {name: done["report"] for name, done in workspace.done.items()}
    rtl, synth = dict(reports["rtl"]), dict(reports["synth"])
    return manifests.compose(
        graph=job.artifacts.graph,
        design=job.artifacts.design,
        board=job.options.board,
        clock=job.options.clock,
        asked_mhz=job.options.asked_mhz,
        model_file=job.options.model.name if isinstance(job.options.model, Path) else None,
        model_sha256=job.model_sha256,
        build_id=job.build_id,
        predicted=reports["plan"],
        measured={**rtl.pop("measured", {}), **synth},
        verify={**reports["csim"], **rtl},
    )


_ACTIONS: dict[Step, tuple[str, Callable[[_Job], _Done]]] = {
    Step.IMPORT: ("reading the model", _import),
    Step.EXACT: ("finding exact integer units", _exact),
    Step.LOWER: ("choosing kernels", _lower),
    Step.PLAN: ("solving foldings and FIFO depths", _plan),
    Step.EMIT: ("writing C++ and SystemVerilog", _emit),
    Step.CSIM: ("compiling and comparing the C++", _csim),
    Step.RTL: ("compiling and comparing the SystemVerilog", _rtl),
    Step.SYNTH: ("counting resources with Yosys", _synth),
}


def _existing(path: str | Path | None, option: str) -> Path | None:
    if path is None:
        return None
    if not Path(path).is_file():
        raise OptionError(f"{option}: there is no file {path}.")
    return Path(path)


def _positive(value: float | None, option: str) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise OptionError(f"{option} {value:g} is not a positive number.")
    return value


def _share(value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise OptionError(f"--max-utilization {value:g} is no share of the device; give a number above 0, at most 1.")
    return value


def _source(model: Path | Graph) -> bytes:
    """What identifies the model: the file's bytes, or the graph's."""
    if isinstance(model, Graph):
        with tempfile.TemporaryDirectory() as folder:
            graph_store.save(model, Path(folder))
            return b"".join(path.read_bytes() for path in sorted(Path(folder).iterdir()))
    try:
        return model.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model {str(model)!r} cannot be read ({error.strerror}). Give the path of an ONNX file."
        ) from error


def _folder_name(model: Path | Graph) -> str:
    """The default folder's name: what anybody may have called a model, as one harmless path component."""
    stem = model.stem if isinstance(model, Path) else model.name
    name = printable(stem).replace("/", "_").replace(":", "_").replace(";", "_").strip(".")
    return name or "model"


def _identity(source: bytes, options: _Options) -> str:
    """sha256 over model, options that shape the result, and version."""
    digest = hashlib.sha256()
    plan = b"" if options.plan is None else options.plan.read_bytes()
    board = options.board.model_dump_json().encode()
    wishes = f"{options.clock.mhz:.9g} {options.fps} {options.max_utilization}".encode()
    for part in (source, board, wishes, plan, hlsgen.__version__.encode()):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _with_code(identity: str) -> str:
    """The identity together with hlsgen's own files: work begun by other code is not gone on with."""
    digest = hashlib.sha256(identity.encode())
    data = (path for name in ("templates", "ip_repo") for path in resource(name).rglob("*") if path.is_file())
    for path in sorted([*PACKAGE.rglob("*.py"), *data]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _go_back(workspace: Workspace, first: Step) -> None:
    """Make ``first`` the next step to do, with the earlier ones taken from an unfinished or the finished build."""
    workspace.adopt()
    needed = [step.value for step in ORDER[: ORDER.index(first)]]
    missing = [step for step in needed if step not in workspace.done]
    if missing:
        raise OptionError(
            f"--from {first.value}: step {missing[0]} has not been done for this model, board and options. "
            "Leave --from out."
        )
    workspace.rewind([step.value for step in ORDER[ORDER.index(first) :]])
