"""The proof that a build comes with: C++, NumPy and ONNX Runtime compute the same integers, every one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hlsgen.canonical.compare import CanonicalReport, OriginalReport, canonical_check, original_check
from hlsgen.errors import VerificationError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.host import Array
from hlsgen.graph.types import IntArray
from hlsgen.kernels.axi import words_from_frames
from hlsgen.kernels.base import Beats
from hlsgen.lower.design import Design
from hlsgen.run import frames_leaving
from hlsgen.sim import csim, rtlsim
from hlsgen.sim.compare import first_mismatch

FEW = 2
"""Images of the slow comparisons: every stream, with FIFOs of the planned depths, with random stalls."""

STEADY = 4
"""Images back to back through the SystemVerilog: the last ones are a steady state's."""

_CPP = "C simulation"
_RTL = "RTL simulation"

_DEFECT = "This is a defect of hlsgen; please report it with the model. (--verify none builds all the same.)"


@dataclass(frozen=True)
class StreamReport:
    """C simulation against golden. ``images`` with unbounded FIFOs, ``bounded_images`` with those of the plan."""

    images: int
    bounded_images: int
    streams: int
    elements: int

    def lines(self) -> list[str]:
        """The result for people."""
        return [
            f"C simulation == golden: {self.elements:,} of {self.elements:,} elements of {self.streams} "
            f"streams; {self.bounded_images} images with FIFOs of the planned depths"
        ]

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {**vars(self), "mismatches": 0}


@dataclass(frozen=True)
class RtlReport:
    """RTL simulation against golden, every stream: ``images`` back to back, ``stalled_images`` with random stalls.

    ``timing``: cycles between images at steady state, and from an image's first word in to its last word out.
    """

    images: int
    stalled_images: int
    streams: int
    elements: int
    timing: dict[str, int]

    def lines(self) -> list[str]:
        """The result for people."""
        return [
            f"SystemVerilog == golden: {self.elements:,} of {self.elements:,} elements of {self.streams} streams; "
            f"{self.images} images back to back, {self.stalled_images} with random gaps and back-pressure",
            f"measured: {self.timing['interval_cycles']:,} cycles from image to image, "
            f"{self.timing['latency_cycles']:,} from an image's first word to its last",
        ]

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "images": self.images,
            "stalled_images": self.stalled_images,
            "streams": self.streams,
            "elements": self.elements,
            "mismatches": 0,
        }


@dataclass(frozen=True)
class References:
    """Golden against ONNX Runtime. The comparisons have succeeded: a difference raises instead."""

    images: int
    canonical: CanonicalReport
    original: OriginalReport | None

    def lines(self) -> list[str]:
        """The result for people."""
        agreeing = self.canonical.elements
        lines = [
            f"hardware == golden == ONNX Runtime(canonical): {agreeing:,} of {agreeing:,} elements of "
            f"{len(self.canonical.tensors)} tensors, {self.images} images"
        ]
        if self.original is not None:
            lines.append(
                f"against the original model in ONNX Runtime: {self.original.elements:,} elements of "
                f"{len(self.original.tensors)} tensors, {self.original.exact:,} exact, "
                f"{self.original.explained:,} tie-explained, {self.original.unexplained:,} unexplained"
            )
            lines += [
                f"  {check.tensor}: {check.explained:,} of {check.elements:,} differ by 1 at a rounding tie"
                for check in self.original.tensors
                if check.explained
            ]
        notes = {*self.canonical.notes, *(self.original.notes if self.original is not None else ())}
        return [*lines, *sorted(notes)]

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        report: dict[str, Any] = {
            "canonical": {"elements": self.canonical.elements, "mismatches": self.canonical.mismatches}
        }
        if self.original is not None:
            report["original"] = {
                "elements": self.original.elements,
                "exact": self.original.exact,
                "tie_explained": self.original.explained,
                "unexplained": self.original.unexplained,
                "tensors": [
                    {
                        "tensor": check.tensor,
                        "elements": check.elements,
                        "exact": check.exact,
                        "tie_explained": check.explained,
                        "unexplained": check.unexplained,
                    }
                    for check in self.original.tensors
                ],
            }
        return report


def verify_references(graph: Graph, folder: Path, feeds: Mapping[str, Array], original: Path | None) -> References:
    """Compare golden with ONNX Runtime's run of canonical.onnx in ``folder``.

    ``feeds``: the model's inputs, (N, ...). ``original``: the user's model file, compared too; None if the network does
    not come from one. Raises VerificationError with the first difference.
    """
    canonical = canonical_check(graph, onnx.load(str(folder / "canonical.onnx")), feeds)
    for check in canonical.tensors:
        if check.mismatches:
            raise VerificationError(
                f"Tensor {check.tensor!r}: {check.mismatches:,} of {check.elements:,} elements differ between golden "
                f"and ONNX Runtime's run of canonical.onnx. {_DEFECT}"
            )
    report = None
    if original is not None:
        report = original_check(graph, original, feeds)
        for tie in report.tensors:
            if tie.unexplained:
                raise VerificationError(
                    f"Tensor {tie.tensor!r}: {tie.unexplained:,} of {tie.elements:,} elements differ from what ONNX "
                    f"Runtime computes for the original model, and no rounding tie explains it. {_DEFECT}"
                )
    return References(len(next(iter(feeds.values()))), canonical, report)


def verify_cpp(graph: Graph, design: Design, folder: Path, feeds: Mapping[str, Array]) -> StreamReport:
    """Compare the C++ in ``folder`` with golden on the images ``feeds`` (the model's inputs, (N, ...)).

    All images with unbounded FIFOs: what leaves, and every stream that carries a tensor, against the graph's golden
    model. A few images with FIFOs of the planned depths: every stream against the kernels' NumPy forms. Raises
    VerificationError with the first difference, ToolError without a compiler.
    """
    frames = golden.input_frames(graph, feeds)
    tensors = golden.run(graph, frames)
    words = words_from_frames(frames, graph.tensors[graph.input].type, design.axi_bits)
    simulated = csim.run(csim.compile(folder / "hls"), design, words, streams=True)
    elements = 0
    for name, stream in design.streams.items():
        if stream.tensor is not None:
            # in the frame's own order, whatever the lanes
            actual = simulated.streams[name]
            elements += _require_equal(name, stream.layer, actual, tensors[stream.tensor].reshape(actual.shape))
    for name, array in frames_leaving(graph, design, simulated.words).items():
        elements += _require_equal(design.output, name, array, tensors[name])

    few = words[:FEW]
    bounded = csim.run(csim.compile(folder / "hls", bounded=True), design, few, streams=True)
    elements += _require_streams(design, few, {**bounded.streams, design.output: bounded.words}, _CPP)
    return StreamReport(len(words), len(few), len(design.streams), elements)


def verify_rtl(graph: Graph, design: Design, folder: Path, feeds: Mapping[str, Array]) -> RtlReport:
    """Compare the SystemVerilog in ``folder`` with golden, every stream, on a few of the images ``feeds``.

    One image alone, then several back to back, then some with random gaps and back-pressure. Raises VerificationError
    with the first difference, ToolError without the tools.
    """
    frames = golden.input_frames(graph, feeds)
    words = words_from_frames(frames, graph.tensors[graph.input].type, design.axi_bits)
    few, many = words[:FEW], words[np.arange(STEADY) % len(words)]
    elements = 0
    single = rtlsim.run(design, folder / "rtl", words[:1], trace=True)
    steady = rtlsim.run(design, folder / "rtl", many, trace=True)
    stalled = rtlsim.run(design, folder / "rtl", few, gaps=0.4, stalls=0.4, trace=True)
    for given, result in ((words[:1], single), (many, steady), (few, stalled)):
        elements += _require_streams(design, given, {**result.streams, design.output: result.words}, _RTL)
    timing = {"interval_cycles": steady.interval, "latency_cycles": single.latency}
    return RtlReport(1 + len(many), len(few), len(design.streams), elements, timing)


def _require_streams(design: Design, words: Beats, streams: Mapping[str, Beats], form: str) -> int:
    """Every stream for input ``words`` against the kernels' NumPy forms; the number of elements, if all are equal."""
    expected = design.run(words)
    mismatch = first_mismatch(design, streams, expected)
    if mismatch is not None:
        raise VerificationError(f"The {form} differs from golden. {mismatch}. {_DEFECT}")
    return sum(expected[name].size for name in expected if name != design.input)


def _require_equal(name: str, layer: str, actual: IntArray, expected: IntArray) -> int:
    """The number of elements, if all are equal; else VerificationError."""
    different = np.argwhere(actual != expected)
    if len(different):
        place = tuple(int(i) for i in different[0])
        raise VerificationError(
            f"The {_CPP} differs from golden. Layer {layer!r}, stream {name}, at {place}: {actual[place]} instead of "
            f"{expected[place]}; {len(different):,} of {actual.size:,} elements differ. {_DEFECT}"
        )
    return actual.size
