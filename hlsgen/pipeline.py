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
from collections.abc import Callable, Mapping, Sequence
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
from hlsgen.choices import Core, Engine, Step, Synth, Verify
from hlsgen.emit.deploy import write as write_deploy
from hlsgen.emit.hls import write as write_hls
from hlsgen.emit.hls import write_vectors
from hlsgen.emit.ip import FOLDER as IP_FOLDER
from hlsgen.emit.ip import write as write_ip
from hlsgen.emit.rtl import write as write_rtl
from hlsgen.emit.rtl import write_hls_wrapper
from hlsgen.emit.vitis import check as check_vitis
from hlsgen.emit.vitis import write as write_vitis
from hlsgen.emit.vivado import write as write_vivado
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
from hlsgen.sim import csim, emulated_board, verilator
from hlsgen.synth import vitis, vivado, yosys
from hlsgen.system import System
from hlsgen.verify import verify_cpp, verify_references, verify_rtl

ORDER = list(Step)

VECTORS = 2
"""Images in the build folder's test vectors."""


class Progress(Protocol):
    """Who wants to know how a build gets on."""

    def begin(self, step: str, what: str) -> None:
        """``step`` starts; ``what`` says in a few words what it does."""

    def note(self, message: str) -> None:
        """What the step is doing now, in a few words: long ones say it often."""

    def end(self, step: str, seconds: float | None, lines: list[str]) -> None:
        """``step`` is done; no ``seconds`` means that it was done in an earlier call."""


class Silent:
    """A progress that nobody watches."""

    def begin(self, step: str, what: str) -> None:
        """See ``Progress``."""

    def note(self, message: str) -> None:
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

    @property
    def system(self) -> System:
        """Board and clock. Raises FolderError for an unfinished build."""
        if not self.finished:
            raise FolderError(f"{self.folder} is an unfinished build; finish it first.")
        return manifests.system(self.manifest, self.folder)

    def emulate(
        self, command: Sequence[str] = (), options: emulated_board.Options = emulated_board.USUAL
    ) -> int:
        """A shell on the emulated board, or ``command``; returns its exit code. See ``emulated_board.emulate``."""
        return emulated_board.emulate(self.folder, self.manifest, self.system, command, options)

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
        runner = Runner(self.graph, lambda: self.artifacts.design, self.folder, self.manifest, self.system)
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
    core: Core
    hooks: Path | None

    @property
    def needs_vitis(self) -> bool:
        """Whether the step ``synth`` runs Vitis HLS."""
        return self.synth is Synth.VITIS or (self.core is Core.HLS and self.synth is Synth.VIVADO)

    def asked(self, step: Step) -> str:
        """What was asked of a step that may be left out; a step done for another wish is done again."""
        verify, synth = self.verify.value, self.synth.value
        wishes = {Step.CSIM: verify, Step.RTL: verify, Step.SYNTH: synth, Step.DEPLOY: f"{verify} {synth}"}
        return wishes.get(step, "")


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
    core: Core | str = Core.RTL,
    hooks: str | Path | None = None,
    first: Step | str | None = None,
    last: Step | str = Step.DEPLOY,
    progress: Progress | None = None,
) -> Build:
    """Build the accelerator of ``model`` into the folder ``output`` (default: ``build/<model>``).

    ``board``: name, path of a YAML file, or Board. ``clock``: MHz, rounded down to what the board can make (default:
    the board's own). ``plan``: a plan.yaml with the foldings; without one they are solved for: the fastest design that
    fits into ``max_utilization`` (0 to 1) of the board's resources, or with ``fps`` (images per second) the smallest
    that is as fast. ``samples``: images to verify with, besides made-up ones. ``verify``: by simulation of the C++, of
    the SystemVerilog, or of both. ``synth``: "yosys" counts resources, "vitis" synthesises the C++, "vivado" makes the
    bitstream. ``core``: the accelerator is the SystemVerilog, or with "hls" what Vitis makes of the C++, for which
    ``synth`` must be one of these two. ``hooks``: folder with Tcl for Vivado around its stages. ``first``: do this
    step and later ones again, taking the earlier ones from an unfinished or finished build of the same inputs;
    ``last``: stop after this step and keep what is done for the next call.

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
        Core(core),
        _folder(hooks, "--hooks"),
    )
    if plan is not None and (fps is not None or max_utilization is not None):
        raise OptionError("--plan gives the foldings; --fps and --max-utilization ask for others. Give one of them.")
    if options.core is Core.HLS and options.synth not in (Synth.VITIS, Synth.VIVADO):
        raise OptionError(
            "--core hls: the core is made by Vitis HLS, so give --synth vitis, or --synth vivado for the bitstream "
            "too. The SystemVerilog core, --core rtl, needs no vendor tool and computes the same."
        )
    first, last = None if first is None else Step(first), Step(last)
    _find_tools(options, last)
    source = _source(options.model)
    target = Path(output) if output is not None else Path("build") / _folder_name(options.model)
    identity = _identity(source, options)
    workspace = Workspace.open(target, _with_code(identity))
    artifacts = Artifacts(workspace.path, chosen.axi_bits)
    sha256 = hashlib.sha256(source).hexdigest()
    job = _Job(options, artifacts, sha256, identity[:16], workspace, progress or Silent())
    with closing(workspace):
        if first is not None:
            _go_back(workspace, first)
        workspace.begin()
        _work(job, last)
        if last is not ORDER[-1]:
            return Build(workspace.path, {}, False, job.artifacts)
        workspace.publish()
    return Build.open(target)


def _find_tools(options: _Options, last: Step) -> None:
    """Raise ToolError for a tool that is missing: now, not after minutes of work."""
    reached = ORDER[: ORDER.index(last) + 1]
    if options.verify.simulates_cpp and Step.CSIM in reached:
        csim.find_compiler()
    if options.verify.simulates_rtl and Step.RTL in reached:
        verilator.find_tools()
    if Step.SYNTH in reached:
        if options.synth is Synth.YOSYS:
            yosys.version()
        if options.needs_vitis:
            vitis.find_tool()
        if options.synth is Synth.VIVADO:
            vivado.find_tool()


@dataclass
class _Job:
    """A build under way."""

    options: _Options
    artifacts: Artifacts
    model_sha256: str
    build_id: str
    workspace: Workspace
    watcher: Progress

    @property
    def folder(self) -> Path:
        return self.artifacts.folder

    @property
    def system(self) -> System:
        return System(self.options.board, self.options.clock)


def _work(job: _Job, last: Step) -> None:
    """Do the steps up to ``last`` that are not done yet, or were done for another wish."""
    try:
        for step in ORDER[: ORDER.index(last) + 1]:
            what, action = _ACTIONS[step]
            earlier = job.workspace.done.get(step.value)
            if earlier is not None and earlier["asked"] == job.options.asked(step):
                job.watcher.end(step.value, None, [])
                continue
            job.watcher.begin(step.value, what)
            started = time.perf_counter()
            done = action(job)
            job.workspace.finish(step.value, {"asked": job.options.asked(step), "report": done.report})
            job.watcher.end(step.value, time.perf_counter() - started, done.lines)
    except (ToolError, VerificationError):
        raise  # a tool can be installed, a mismatch looked into: what is done is kept
    except HlsgenError:
        job.workspace.remove()
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
    write_vitis(design, job.system, job.folder / "hls")
    write_rtl(design, job.folder / "rtl", job.build_id)
    _write_ip(job, job.folder / "rtl")
    write_vivado(job.system, job.folder / "vivado")
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
    options, lines, report = job.options, [], {}
    if options.synth is Synth.NONE:
        return _Done(["resources predicted, not counted (--synth yosys counts them)"])
    if options.synth is Synth.YOSYS:
        counted = yosys.synthesise_design(
            job.artifacts.design, job.folder / "rtl", options.board.family, log_folder=job.folder / "reports" / "yosys"
        )
        return _Done(counted.lines(), counted.as_dict())
    if options.needs_vitis:
        check_vitis(job.artifacts.design)
        stages = vitis.ALL if options.synth is Synth.VITIS else (vitis.Stage.CSYNTH, vitis.Stage.EXPORT)
        synthesised = vitis.run(job.folder, stages, progress=job.watcher.note)
        lines, report = synthesised.lines(), {"vitis": synthesised.as_dict()}
        if options.core is Core.HLS:
            wrapped = job.folder / "hls_core"
            write_hls_wrapper(job.artifacts.design, wrapped, job.build_id, vitis.core_files(job.folder))
            _write_ip(job, wrapped)
    if options.synth is Synth.VIVADO:
        implemented = vivado.run(job.folder, hooks=options.hooks, progress=job.watcher.note)
        lines, report = [*lines, *implemented.lines()], {**report, **implemented.as_dict()}
    return _Done(lines, report)


def _write_ip(job: _Job, sources: Path) -> None:
    write_ip(sources, job.system, job.build_id, job.artifacts.graph.name, job.folder / "ip_repo" / IP_FOLDER)


def _deploy(job: _Job) -> _Done:
    """The manifest, from what the steps before reported, and the folder for the board."""
    manifest = _manifest(job)
    manifests.write(manifest, job.folder / MANIFEST)
    write_deploy(job.artifacts.graph, manifest, _feeds(job), job.folder / "deploy")
    return _Done([_contents(job.folder / "deploy")])


def _manifest(job: _Job) -> dict[str, Any]:
    reports = {name: done["report"] for name, done in job.workspace.done.items()}
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
        core=job.options.core,
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
    Step.SYNTH: ("synthesising", _synth),
    Step.DEPLOY: ("writing what goes onto the board", _deploy),
}


def _existing(path: str | Path | None, option: str) -> Path | None:
    if path is None:
        return None
    if not Path(path).is_file():
        raise OptionError(f"{option}: there is no file {path}.")
    return Path(path)


def _folder(path: str | Path | None, option: str) -> Path | None:
    if path is None:
        return None
    if not Path(path).is_dir():
        raise OptionError(f"{option}: there is no folder {path}.")
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
    wishes = f"{options.clock.mhz:.9g} {options.fps} {options.max_utilization} {options.core.value}".encode()
    for part in (source, board, wishes, plan, hlsgen.__version__.encode()):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _with_code(identity: str) -> str:
    """The identity together with hlsgen's own files: work begun by other code is not gone on with."""
    digest = hashlib.sha256(identity.encode())
    data = [path for name in ("templates", "ip_repo", "vivado_tcl") for path in resource(name).rglob("*")]
    for path in sorted(path for path in [*PACKAGE.rglob("*.py"), *data] if path.is_file()):
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
