"""Runs the SystemVerilog of a design in Verilator, without vendor tools.

The boundary is driven by cocotb and cocotbext-axi (``sim/rtlbench.py``, inside the simulator). Every stream is written
down, each beat with its clock cycle, by probes that are bound into the design for simulation only
(``templates/rtl/sim/probes.sv``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.emit.rtl import fifo_of
from hlsgen.errors import ToolError, VerificationError
from hlsgen.kernels.base import Beats, Counts
from hlsgen.lower.design import Design
from hlsgen.resources import PACKAGE
from hlsgen.sim import probes
from hlsgen.sim.probes import Probe
from hlsgen.sim.verilator import LINES, compile

QUIET = 2000
"""Cycles without a beat anywhere that make a deadlock, beyond those that the slowest kernel takes for an image."""


class Access(Enum):
    """What a session may do with the registers; it waits until all batches before have come back."""

    CLEAR_COUNTERS = "clear_counters"
    SOFT_RESET = "soft_reset"
    READ_REGISTERS = "read_registers"


@dataclass(frozen=True)
class Truncated:
    """A faulty batch: ``words`` words of the next image, the last one with TLAST. The next image is used up."""

    words: int


@dataclass(frozen=True)
class Write:
    """Write ``value`` to the register at ``address``; like ``Access``, it waits for the batches before."""

    address: int
    value: int


Order = int | Truncated | Access | Write
"""Part of a session; a number is a batch of so many images, sent right behind the one before."""


@dataclass(frozen=True)
class Registers:
    """The AXI4-Lite registers. ``build_id``: 16 hexadecimal digits. ``cycles``, ``images_in``, ``images_out``: counts.

    ``errors``: bit 0 says that TLAST was seen off an image boundary.
    """

    magic: int
    build_id: str
    control: int
    cycles: int
    images_in: int
    images_out: int
    errors: int


@dataclass(frozen=True, eq=False)
class Simulated:
    """Result of a run. Cycles are numbers of clock cycles, counted from the start of the simulation.

    ``words``: output AXI words (images, words, bytes). ``first_in``, ``last_in``, ``first_out``, ``last_out``: per
    image, the cycle of its first and last word at the boundary. ``occupancy``: most beats that were ever in each
    stream's FIFO. ``registers``: as often as they were read.
    With ``trace`` only, for every stream inside: ``streams`` its beats (images, beats, lanes), ``written`` and
    ``taken`` the cycles in which its writer and its reader moved each beat, (images, beats).
    """

    words: Beats
    first_in: Counts
    last_in: Counts
    first_out: Counts
    last_out: Counts
    occupancy: dict[str, int]
    registers: list[Registers]
    streams: dict[str, Beats] = field(default_factory=dict)
    written: dict[str, Counts] = field(default_factory=dict)
    taken: dict[str, Counts] = field(default_factory=dict)

    @property
    def latency(self) -> int:
        """Cycles of the first image, from its first input word to its last output word, both included."""
        return int(self.last_out[0] - self.first_in[0]) + 1

    @property
    def interval(self) -> int:
        """Cycles between the last output words of the last two images. Raises ValueError for less than two."""
        if len(self.last_out) < 2:
            raise ValueError("an interval takes two images")
        return int(self.last_out[-1] - self.last_out[-2])


def run(
    design: Design,
    rtl_folder: Path,
    words: Beats,
    batches: Sequence[Order] | None = None,
    *,
    gaps: float = 0.0,
    stalls: float = 0.0,
    seed: int = 0,
    trace: bool = False,
    waves: Path | None = None,
    cache: Path | None = None,
) -> Simulated:
    """Simulate ``design``, written to ``rtl_folder``, on input AXI words (images, words per image, bytes), 0..255.

    ``batches``: how the images are sent, and what else is done (default: all as one batch). ``gaps``, ``stalls``: in
    how many of the cycles the source has nothing to send, the sink takes nothing (0 to 1, at random from ``seed``).
    ``trace`` brings back every stream. ``waves``: the signals of every module go to this file (.fst or .vcd).
    ``cache``: see ``compile``, which is called first.
    Raises VerificationError when the simulation fails: a deadlock, a wrong number of beats, a misplaced TLAST;
    ToolError as ``compile`` does.
    """
    session: list[Order] = [len(words)] if batches is None else list(batches)
    images = _check_session(session, words, design)
    if not (0 <= gaps < 1 and 0 <= stalls < 1):
        raise ValueError(f"gaps={gaps} and stalls={stalls} are shares of the cycles, at least 0 and less than 1")
    format = "" if waves is None else waves.suffix.lstrip(".")
    if format not in ("", "fst", "vcd"):
        raise ToolError(f"{waves}: waves are written as .fst or .vcd.")
    program = compile(rtl_folder, format, cache)
    with tempfile.TemporaryDirectory(prefix="hlsgen_") as work:
        folder = Path(work)
        for memory in (*rtl_folder.glob("*.mem"), *rtl_folder.glob("*.dat")):  # of ours, and of Vitis HLS
            (folder / memory.name).symlink_to(memory.resolve())
        (folder / "words.bin").write_bytes(np.ascontiguousarray(words, np.uint8).tobytes())
        orders = _orders(design, session, len(words), gaps, stalls, seed)
        (folder / "orders.json").write_text(json.dumps(orders), encoding="utf-8")
        options = [f"+verilator+seed+{seed + 1}", "+verilator+rand+reset+2"]
        options += ["+hlsgen_trace"] if trace else []
        options += ["--trace", "--trace-file", str(waves.resolve())] if waves is not None else []
        outcome = _simulate(program, options, folder)
        summary = probes.summary(folder)
        stuck = _stuck(design, summary, outcome["stuck"], images) if outcome["stuck"] else ""
        if stuck and summary[design.output].written < images * design.streams[design.output].spec.beats:
            raise VerificationError(stuck)
        result = _result(design, folder, outcome, summary, session, images, trace)
        if stuck:  # and no word is missing or wrong
            raise VerificationError(stuck)
        return result


def _check_session(session: Sequence[Order], words: Beats, design: Design) -> int:
    """The number of images that come back. Raises ValueError for a session that makes no sense."""
    per_image = design.streams[design.input].spec.beats
    images = 0
    for order in session:
        if isinstance(order, int):
            if order < 1:
                raise ValueError(f"a batch of {order} images")
            images += order
        elif isinstance(order, Truncated) and not 0 < order.words < per_image:
            raise ValueError(f"a truncated image has 1 to {per_image - 1} words, not {order.words}")
    used = images + sum(isinstance(order, Truncated) for order in session)
    if used != len(words):
        raise ValueError(f"the session is about {used} images, but {len(words)} are given")
    return images


def _orders(
    design: Design, session: Sequence[Order], images: int, gaps: float, stalls: float, seed: int
) -> dict[str, Any]:
    """For ``rtlbench``."""
    word_bytes = design.axi_bits // 8
    image_bytes = design.streams[design.input].spec.beats * word_bytes
    steps: list[tuple[str, int, int]] = []  # kind, bytes or value, address
    for order in session:
        if isinstance(order, int):
            steps.append(("batch", order * image_bytes, 0))
        elif isinstance(order, Truncated):
            steps.append(("truncated", order.words * word_bytes, 0))
        elif isinstance(order, Write):
            steps.append(("write", order.value, order.address))
        else:
            steps.append((order.value, 0, 0))
    slowdown = 1 / ((1 - gaps) * (1 - stalls))
    work = [instance.kernel.cycles for instance in design.instances]
    return {
        "session": steps,
        "image_bytes": image_bytes,
        "gaps": gaps,
        "stalls": stalls,
        "seed": seed,
        "quiet_limit": int(QUIET + max(work) * slowdown),
        "cycle_limit": int(100_000 + 4 * slowdown * (sum(work) + images * max(work))),
    }


def _simulate(program: Path, options: list[str], folder: Path) -> dict[str, Any]:
    """Run the program in ``folder``; returns what ``rtlbench`` reports."""
    import find_libpython
    from cocotb_tools import config

    paths = [str(PACKAGE.parent), *(path for path in sys.path if path)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{find_libpython.find_libpython()};{config.pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": "accel",
        "COCOTB_TEST_MODULES": "hlsgen.sim.rtlbench",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_LOG_LEVEL": "WARNING",
        "GPI_LOG_LEVEL": "WARNING",
        "COCOTB_ANSI_OUTPUT": "0",
        "TOPLEVEL_LANG": "verilog",
    }
    completed = subprocess.run(
        [program, *options], cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    outcome = folder / "outcome.json"
    if completed.returncode != 0 or not outcome.exists():
        lines = (completed.stderr + completed.stdout).strip().splitlines()
        reason = f"ended by signal {-completed.returncode}" if completed.returncode < 0 else "failed"
        raise ToolError(f"The simulation {program.name} {reason}:\n" + "\n".join(lines[-2 * LINES :]))
    return dict(json.loads(outcome.read_text(encoding="utf-8")))


def _stuck(design: Design, summary: Mapping[str, Probe], reason: str, images: int) -> str:
    """What to say about a simulation that does not end: who waits for what, and which streams are full.

    Of a core made by Vitis HLS only the streams at its boundary are known.
    """
    out = summary[design.output].written / design.streams[design.output].spec.beats
    waits = []
    for instance in design.instances:
        if not summary.keys() >= {*instance.inputs, *instance.outputs}:
            continue
        missing = [name for name in instance.inputs if not summary[name].out_valid]
        full = [name for name in instance.outputs if summary[name].in_valid and not summary[name].in_ready]
        if 0 < len(missing) < len(instance.inputs):
            waits.append(f"{instance.name} has no beat of {', '.join(missing)}")
        if 0 < len(full) < len(instance.outputs):
            waits.append(f"{instance.name} cannot write {', '.join(full)}")
    full = [
        f"{name} ({fifo.depth} beats)"
        for name, stream in design.streams.items()
        if name in summary
        and not (fifo := fifo_of(stream)).wires
        and summary[name].in_valid
        and not summary[name].in_ready
    ]
    parts = [f"The simulation of the SystemVerilog is stuck: {reason}, and {out:.2f} of {images} images have come out."]
    for title, items in (("Full FIFOs", full), ("Kernels that get or give only a part", waits)):
        more = [f"{len(items) - LINES} more"] if len(items) > LINES else []
        parts.append(f"{title}: {'; '.join([*items[:LINES], *more]) or 'none'}.")
    counts = [f"{name} {summary[name].written:,}" for name in (design.input, design.output)]
    parts.append(f"Words: {', '.join(counts)}.")
    return " ".join(parts)


def _result(
    design: Design,
    folder: Path,
    outcome: Mapping[str, Any],
    summary: Mapping[str, Probe],
    session: Sequence[Order],
    images: int,
    trace: bool,
) -> Simulated:
    """Everything the probes have written down. Raises VerificationError where words, TLAST or beats are not as due."""
    skipped = outcome["skipped"]
    bits = design.axi_bits
    boundary = {}
    for name in (design.input, design.output):
        cycles, data = probes.written(summary[name], bits + 1, skipped)  # TLAST stands above the word
        last = probes.bit_field(data, bits, 1).astype(bool)
        boundary[name] = (cycles, last, np.ascontiguousarray(data).view(np.uint8)[:, : bits // 8])
    words_in, words_out = (design.streams[name].spec.beats for name in (design.input, design.output))
    cycles_in, _, _ = boundary[design.input]
    cycles_out, last, words = boundary[design.output]
    _check_words(design, words, last, [order for order in session if isinstance(order, int)], outcome["received"])
    if len(cycles_in) != images * words_in:
        raise VerificationError(
            f"{design.input}: {len(cycles_in):,} words were taken, {images} images have {images * words_in:,}."
        )
    in_by_image, out_by_image = cycles_in.reshape(images, words_in), cycles_out.reshape(images, words_out)
    result = Simulated(
        words=words.reshape(images, words_out, bits // 8).astype(np.int16),
        first_in=in_by_image[:, 0],
        last_in=in_by_image[:, -1],
        first_out=out_by_image[:, 0],
        last_out=out_by_image[:, -1],
        occupancy={name: probe.most for name, probe in summary.items() if name not in boundary},
        registers=[_registers(values) for values in outcome["registers"]],
    )
    if trace:
        for name, stream in design.streams.items():
            if name in boundary:
                continue
            spec = stream.spec
            cycles, data = probes.written(summary[name], spec.width, skipped)
            taken = probes.taken(summary[name], skipped)
            for count, done in ((len(cycles), "written"), (len(taken), "read")):
                if count != images * spec.beats:
                    raise VerificationError(
                        f"Layer {stream.layer!r}, stream {name}: {count:,} beats were {done}, {images} images have "
                        f"{images * spec.beats:,}."
                    )
            shape = (images, spec.beats)
            result.streams[name] = probes.decode(data, spec).reshape(*shape, spec.lanes)
            result.written[name], result.taken[name] = cycles.reshape(shape), taken.reshape(shape)
    return result


def _check_words(
    design: Design,
    words: npt.NDArray[np.uint8],
    last: npt.NDArray[np.bool_],
    batches: Sequence[int],
    received: Sequence[Sequence[int]],
) -> None:
    """Raise VerificationError unless the batches came back whole, TLAST on the last word of each and nowhere else."""
    per_image = design.streams[design.output].spec.beats
    name = design.output
    ends = np.cumsum(batches) * per_image
    total = int(ends[-1]) if batches else 0
    expected = np.zeros(max(total, len(last)), bool)
    expected[ends - 1] = True
    wrong = np.flatnonzero(expected[: len(last)] != last)
    if len(wrong):
        image, word = divmod(int(wrong[0]), per_image)
        raise VerificationError(
            f"{name}: image {image}, word {word}: TLAST is {int(last[wrong[0]])}, expected {int(not last[wrong[0]])}."
        )
    if len(words) != total:
        raise VerificationError(f"{name}: {len(words):,} words came out, {sum(batches)} images have {total:,}.")
    kept = [(len(part) * part.shape[1], zlib.crc32(part.tobytes())) for part in np.split(words, ends[:-1])]
    if batches and kept != [tuple(frame) for frame in received]:
        raise VerificationError(f"{name}: what a receiver that minds TKEEP gets is not what was sent.")


def _registers(values: Sequence[int]) -> Registers:
    magic, high, low, control, cycles_low, cycles_high, images_in, images_out, errors = values
    return Registers(
        magic, f"{high:08x}{low:08x}", control, cycles_high << 32 | cycles_low, images_in, images_out, errors
    )
