"""Reads what the probes of templates/rtl/sim/probes.sv write down about the streams of a simulation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlsgen.kernels.base import Beats, Counts, StreamSpec

_STREAM = re.compile(r"accel\.core\.(\w+)_fifo\.probe|accel\.(\w+)_probe")
"""Hierarchical names of probes: of a FIFO between kernels, and at the boundary."""

Words = npt.NDArray[np.uint32]
"""Data of beats, (beats, words of 32 bits), lowest bits first."""

Spans = Sequence[Sequence[int]]
"""Pairs of clock cycles; what was recorded from the first on and before the second is left out."""


@dataclass(frozen=True)
class Probe:
    """What the probe of a stream has counted, and the wires at the end. ``path``: stem of its files."""

    path: Path
    written: int
    read: int
    most: int
    in_valid: bool
    in_ready: bool
    out_valid: bool
    out_ready: bool


def summary(folder: Path) -> dict[str, Probe]:
    """Probes by stream; those of FIFOs inside kernels are not among them."""
    probes = {}
    for line in (folder / "streams.txt").read_text(encoding="utf-8").splitlines():
        name, *counts = line.split()
        written, read, most, *wires = map(int, counts)
        match = _STREAM.fullmatch(name)
        if match is None:
            continue
        probes[match[1] or match[2]] = Probe(folder / name, written, read, most, *map(bool, wires))
    return probes


def written(probe: Probe, width: int, skipped: Spans) -> tuple[Counts, Words]:
    """The beats of ``width`` bits that were written: their cycles (beats,) and data."""
    raw = np.fromfile(f"{probe.path}.beats", np.uint32).reshape(-1, 1 + -(-width // 32))
    cycles = raw[:, 0].astype(np.int64)
    keep = _kept(cycles, skipped)
    return cycles[keep], raw[keep, 1:]


def taken(probe: Probe, skipped: Spans) -> Counts:
    """The cycles (beats,) in which beats were read."""
    cycles = np.fromfile(f"{probe.path}.taken", np.uint32).astype(np.int64)
    return cycles[_kept(cycles, skipped)]


def _kept(cycles: Counts, skipped: Spans) -> npt.NDArray[np.bool_]:
    keep = np.ones(len(cycles), bool)
    for first, after in skipped:
        keep &= (cycles < first) | (cycles >= after)
    return keep


def decode(data: Words, spec: StreamSpec) -> Beats:
    """Elements (beats, lanes) of beats in 32-bit words (beats, words), lowest bits first, in the type's ``dtype``."""
    bits, type = spec.type.bits, spec.type
    if bits in (8, 16, 32) and not type.bipolar:
        packed = np.ascontiguousarray(data).view(f"<{'i' if type.signed else 'u'}{bits // 8}")
        return packed[:, : spec.lanes].astype(type.dtype)
    lanes = [type.decode(bit_field(data, lane * bits, bits)) for lane in range(spec.lanes)]
    return np.stack(lanes, axis=1).astype(type.dtype)


def bit_field(data: Words, first: int, bits: int) -> npt.NDArray[np.uint64]:
    """Bits ``first`` to ``first + bits - 1`` of each row; at most 64 bits."""
    value = np.zeros(len(data), np.uint64)
    for word in range(first // 32, (first + bits - 1) // 32 + 1):
        shift = word * 32 - first
        part = data[:, word].astype(np.uint64)
        value |= part << np.uint64(shift) if shift >= 0 else part >> np.uint64(-shift)
    return np.asarray(value & np.uint64(0xFFFFFFFFFFFFFFFF >> (64 - bits)))
