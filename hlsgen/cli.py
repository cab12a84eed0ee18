"""The commands: parse, call the Python API, print. Nothing is computed here."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import hlsgen
from hlsgen.choices import Core, CsimTypes, Engine, Step, Synth, Verify
from hlsgen.errors import HlsgenError

EXIT_FAILURE = 2
EXIT_INTERRUPTED = 130
WIDE = 200
"""Characters per line of a table that goes to a file."""

app = typer.Typer(
    name="hlsgen",
    epilog="First steps: `hlsgen boards`, then `hlsgen build model.onnx --board pynq-z2`. "
    "Every command explains itself with --help.\n\n"
    "Exit code: 0 done, 2 refused or failed (one paragraph says what, where and what to do), 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


JsonOption = Annotated[bool, typer.Option("--json", help="Print the result, or the error, as JSON.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the Python traceback of an error.")]


def print_version(wanted: bool) -> None:
    """--version: print it and leave."""
    if wanted:
        print(f"hlsgen {hlsgen.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Quantized ONNX networks as streaming accelerators for AMD Zynq boards, bit for bit."""


@app.command()
def build(
    model: Annotated[Path, typer.Argument(help="The quantized ONNX file.", show_default=False)],
    board: Annotated[
        str,
        typer.Option("--board", "-b", help="Name of a board (`hlsgen boards`) or path of a board's YAML file."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to make; a former build there is replaced. Default: build/MODEL."),
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option("--clock", help="Clock in MHz, rounded down to one the PLL can make. Default: the board's own."),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", help="Foldings to use: the plan.yaml of a former build, edited. Default: solved for."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option("--fps", help="Images per second to reach with the fewest resources. Default: as fast as fits."),
    ] = None,
    max_utilization: Annotated[
        float | None,
        typer.Option(
            "--max-utilization",
            help="Share of the board's resources to use, 0 to 1. Default: 0.8 of LUT and FF, 0.95 of the rest.",
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option("--samples", help="Images to verify with (.npz or .npy), besides made-up ones."),
    ] = None,
    verify: Annotated[
        Verify,
        typer.Option(
            "--verify",
            help="csim: compare C++, NumPy and ONNX Runtime in every element. rtl: SystemVerilog and NumPy in every "
            "beat, and cycles with the prediction. all: both. none: neither.",
        ),
    ] = Verify.CSIM,
    synth: Annotated[
        Synth,
        typer.Option(
            "--synth",
            help="yosys: count LUT, FF, DSP and RAM of every kernel and of the whole. vitis: C synthesis and "
            "co-simulation of the C++. vivado: the bitstream, for which Vivado must be installed.",
        ),
    ] = Synth.NONE,
    core: Annotated[
        Core,
        typer.Option(
            "--core",
            help="rtl: the accelerator consists of the SystemVerilog kernels. hls: of what Vitis HLS makes of the C++ "
            "(needs --synth vitis or vivado).",
        ),
    ] = Core.RTL,
    hooks: Annotated[
        Path | None,
        typer.Option("--hooks", help="Folder with Tcl scripts of yours around the stages of Vivado (docs/vivado.md)."),
    ] = None,
    first: Annotated[
        Step | None,
        typer.Option("--from", help="Do this step and the later ones again; take the earlier ones as they were."),
    ] = None,
    last: Annotated[
        Step,
        typer.Option("--to", help="Stop after this step. What is done is kept for the next call."),
    ] = Step.DEPLOY,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Build the accelerator of a model: C++ and SystemVerilog, verified; IP, Vivado project, and driver; in one folder.

    **Examples**

    `hlsgen build model.onnx --board pynq-z2`

    `hlsgen build model.onnx -b kv260 --clock 200 --samples images.npz -o out/model`

    `hlsgen build model.onnx -b pynq-z2 --verify all --synth yosys` (everything that needs no vendor tool)

    `hlsgen build model.onnx -b pynq-z2 --fps 1000` (no larger than needed for 1,000 images per second)

    `hlsgen build model.onnx -b pynq-z2 --synth vivado` (the bitstream, into deploy/)

    `hlsgen build model.onnx -b pynq-z2 --plan my_plan.yaml` (a build's plan.yaml, edited)
    """
    with reporting(debug, as_json):
        from hlsgen.pipeline import build as run_build

        with ConsoleProgress(silent=as_json) as progress:
            result = run_build(
                model,
                board=board,
                output=output,
                clock=clock,
                plan=plan,
                fps=fps,
                max_utilization=max_utilization,
                samples=samples,
                verify=verify,
                synth=synth,
                core=core,
                hooks=hooks,
                first=first,
                last=last,
                progress=progress,
            )
        if as_json:
            print_json({"folder": str(result.folder), "finished": result.finished, "manifest": result.manifest})
        elif result.finished:
            progress.say(f"Built {result.folder}")
        else:
            progress.say(f"Stopped after {last.value}; the same command without --to goes on from {result.folder}")


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(help="A folder made by `hlsgen build`.", show_default=False)],
    input: Annotated[Path, typer.Option("--input", "-i", help="Images: .npy, or .npz with the input's name.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the results go (.npz).")],
    engine: Annotated[
        Engine,
        typer.Option(
            "--engine",
            help="golden: the NumPy reference. csim: the C++ for Vitis HLS. rtl: the SystemVerilog in Verilator. "
            "board-emulator: driver, pynq and DMA on an emulated board around that.",
        ),
    ] = Engine.GOLDEN,
    trace: Annotated[bool, typer.Option("--trace", help="Also save every stream, as stream/NAME.")] = False,
    csim_types: Annotated[
        CsimTypes, typer.Option("--csim-types", help="native: fast. ap: the ap_int types that Vitis sees.")
    ] = CsimTypes.NATIVE,
    bounded: Annotated[
        bool, typer.Option("--bounded", help="csim with FIFOs of the planned depths: finds deadlocks; slower.")
    ] = False,
    waves: Annotated[
        Path | None, typer.Option("--waves", help="rtl: write the waveforms of all signals to this file (.fst).")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run a built accelerator on images and save what it computes.

    Inputs and outputs have the ONNX model's own names, shapes and types, with any number of images in front, so they
    compare directly with what ONNX Runtime returns. `int/NAME` is what leaves the hardware.

    **Examples**

    `hlsgen run build/model --input images.npy --output result.npz`

    `hlsgen run build/model --engine csim --bounded --trace -i images.npz -o result.npz`

    `hlsgen run build/model --engine rtl --waves run.fst -i images.npz -o result.npz`
    """
    with reporting(debug, as_json):
        from hlsgen import samples
        from hlsgen.pipeline import Build

        built = Build.open(folder)
        feeds = samples.read(input, built.graph)
        with status(f"running {engine.value}", silent=as_json):
            results = built.run(feeds, engine, trace=trace, types=csim_types.value, bounded=bounded, waves=waves)
        samples.write(output, results)
        summary = {name: {"shape": list(a.shape), "dtype": str(a.dtype)} for name, a in results.items()}
        if as_json:
            print_json({"output": str(output), "arrays": summary})
        else:
            table = Table("array", "shape", "type", box=None)
            for name, facts in summary.items():
                table.add_row(Text(printable(name)), " x ".join(map(str, facts["shape"])), str(facts["dtype"]))
            show(table)
            print(f"saved to {printable(str(output))}")


@app.command(context_settings={"ignore_unknown_options": True})
def emulate(
    folder: Annotated[Path, typer.Argument(help="A folder made by `hlsgen build`.", show_default=False)],
    command: Annotated[
        list[str] | None,
        typer.Argument(help="What to run there, after --. Default: a shell.", show_default=False),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help="Make this go wrong: once, or always with :always behind it. May be repeated."),
    ] = None,
    gaps: Annotated[float, typer.Option("--gaps", help="Share of cycles in which the DMA has nothing to send.")] = 0.0,
    stalls: Annotated[float, typer.Option("--stalls", help="Share of cycles in which the DMA takes nothing.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of these cycles.")] = 0,
    debug: DebugOption = False,
) -> None:
    """Open a shell on an emulated board: driver and notebook run as on the real one.

    The shell is in a copy of the build's deploy folder, in a Python environment with the real pynq package
    (`make board-env` makes one). Under it are a model of the DMA and the accelerator's SystemVerilog in Verilator.

    **Examples**

    `hlsgen emulate build/model`

    `hlsgen emulate build/model -- python driver.py --self-test`

    `hlsgen emulate build/model --fault no-tlast -- python driver.py --self-test` (`--fault ?` lists the others)
    """
    with reporting(debug, as_json=False):
        from hlsgen.pipeline import Build
        from hlsgen.sim.emulated_board import Options

        options = Options(faults=tuple(fault or ()), gaps=gaps, stalls=stalls, seed=seed)
        code = Build.open(folder).emulate(command or (), options)
    raise typer.Exit(code)


@app.command()
def inspect(
    model: Annotated[Path, typer.Argument(help="The quantized ONNX file.", show_default=False)],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what a model consists of and what of it would run where. Exit code 0 only if it can be built.

    One row per layer in hardware: frame (HxWxC) and type of its result, shape and range of its weights,
    multiply-accumulates per image, and the cheapest integer unit that is exact for it.

    **Examples**

    `hlsgen inspect model.onnx`

    `hlsgen inspect model.onnx --json`
    """
    with reporting(debug, as_json):
        from hlsgen.inspection import inspect as inspect_model

        with status("reading the model", silent=as_json):
            found = inspect_model(model)
        if as_json:
            print_json(found.as_dict())
            return
        console = Console(highlight=False)
        console.print(Text(printable(found.headline)), soft_wrap=True)
        console.print(Text(printable(found.partition)), soft_wrap=True)
        table = Table("operator", "kind", "output", "type", "weights", "MACs", "unit", box=None)
        for row in found.rows:
            macs = f"{row.macs:,}" if row.macs else ""
            cells = (row.name, row.kind, row.output, row.type, row.weights, macs, row.unit)
            table.add_row(*(Text(printable(cell)) for cell in cells))
        show(table)
        for note in found.notes:
            console.print(Text(f"Note: {printable(note)}"), soft_wrap=True)


@app.command()
def boards(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the boards that hlsgen knows.

    Another board is a YAML file with the same fields (`--json` shows them): `hlsgen build model.onnx -b my_board.yaml`.
    """
    with reporting(debug, as_json):
        from hlsgen import board

        known = [board.load(name) for name in board.names()]
        if as_json:
            print_json([each.model_dump(mode="json") for each in known])
            return
        table = Table("board", "part", "LUT", "BRAM36", "URAM", "DSP", "AXI", "PLL", box=None)
        for each in known:
            r = each.resources
            figures = (r.lut, r.bram36, r.uram, r.dsp, each.axi_bits)
            table.add_row(each.name, each.part, *(f"{figure:,}" for figure in figures), f"{each.pll_mhz:g}")
        show(table)
        print("AXI: bits of a DMA stream. PLL: MHz from which clocks are divided. --json shows all fields.")


@app.command()
def doctor(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Show which tools were found, what each makes possible, and how to get those that are missing."""
    with reporting(debug, as_json):
        from hlsgen.doctor import examine

        findings = examine()
        if as_json:
            print_json([vars(finding) for finding in findings])
            return
        table = Table("tool", "found", "makes possible", box=None)
        for finding in findings:
            table.add_row(
                finding.tool,
                Text(printable(finding.found) or f"no ({finding.remedy})", overflow="fold"),
                finding.enables,
            )
        show(table)


class ConsoleProgress:
    """A spinner while a step runs, one line when it is done."""

    def __init__(self, silent: bool) -> None:
        self._console = Console(quiet=silent, highlight=False)
        self._status = self._console.status("")
        self._step = ""

    def __enter__(self) -> ConsoleProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def begin(self, step: str, what: str) -> None:
        """``step`` starts; ``what`` says in a few words what it does."""
        self._step = step
        self._status.update(Text(f"{step}: {what}"))
        self._status.start()

    def note(self, message: str) -> None:
        """What the step is doing now."""
        self._status.update(Text(f"{self._step}: {printable(message)}"))

    def end(self, step: str, seconds: float | None, lines: list[str]) -> None:
        """``step`` is done; no ``seconds`` means that it was done in an earlier call."""
        self._status.stop()
        time = "earlier" if seconds is None else f"{seconds:.1f} s"
        for number, line in enumerate(lines or [""]):
            head = f"{step:<7}{time:>8}  " if number == 0 else " " * 17
            self._console.print(Text(head, style="bold").append(printable(line), style="not bold"), soft_wrap=True)

    def say(self, text: str) -> None:
        """A closing remark."""
        self._status.stop()
        self._console.print(Text(printable(text)), soft_wrap=True)


@contextmanager
def status(text: str, silent: bool) -> Iterator[None]:
    """A spinner beside ``text``."""
    with Console(quiet=silent).status(Text(text)):
        yield


@contextmanager
def reporting(debug: bool, as_json: bool) -> Iterator[None]:
    """Turn every failure into one paragraph and exit code 2; ``debug`` adds the traceback."""
    try:
        yield
    except HlsgenError as error:
        _fail(type(error).__name__, str(error), debug, as_json)
    except KeyboardInterrupt as error:
        print("\nInterrupted. A build goes on from its last finished step when it is called again.", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from error
    except BrokenPipeError as error:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _fail("OSError", f"The system refused: {error.strerror or error}{where}.", debug, as_json)
    except (typer.Exit, SystemExit):
        raise
    except Exception as error:
        # a defect of hlsgen's own; even then the user gets a paragraph and nothing half-made
        text = f"hlsgen failed on this input by a defect of its own ({type(error).__name__}: {error})."
        _fail("InternalError", f"{text} Run again with --debug and report what it prints.", debug, as_json)


def _fail(kind: str, message: str, debug: bool, as_json: bool) -> None:
    if debug:
        traceback.print_exc()
    paragraph = printable(message)
    if as_json:
        print_json({"error": {"kind": kind, "message": paragraph}})
    else:
        Console(stderr=True, highlight=False).print(Text.assemble(("Error: ", "bold red"), paragraph), soft_wrap=True)
    raise typer.Exit(EXIT_FAILURE)


def show(table: Table) -> None:
    """Print a table as wide as the terminal, or as wide as it likes where the output is a file or a pipe."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    console.print(table)


def printable(text: str) -> str:
    """``text`` in one paragraph without control characters: names in a model must not move the terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2))


def main() -> None:
    """The entry point ``hlsgen``."""
    app()
