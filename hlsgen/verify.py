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
from hlsgen.lower.design import Design
from hlsgen.run import frames_leaving
from hlsgen.sim import csim

FEW = 2
"""Images of the slow comparison: every stream, with FIFOs of the planned depths."""

_DEFECT = "This is a defect of hlsgen; please report it with the model. (--verify none builds all the same.)"


@dataclass(frozen=True)
class StreamReport:
    """C simulation against golden. ``images`` with unbounded FIFOs, ``bounded_images`` with those of the plan."""

    images: int
    bounded_images: int
    streams: int
    elements: int


@dataclass(frozen=True)
class Verification:
    """All comparisons of a build. They have succeeded: a difference raises instead."""

    csim: StreamReport
    canonical: CanonicalReport
    original: OriginalReport | None

    def lines(self) -> list[str]:
        """The result for people."""
        agreeing = self.canonical.elements
        lines = [
            f"hardware == golden == ONNX Runtime(canonical): {agreeing:,} of {agreeing:,} elements of "
            f"{len(self.canonical.tensors)} tensors, {self.csim.images} images",
            f"C simulation == golden: {self.csim.elements:,} of {self.csim.elements:,} elements of {self.csim.streams} "
            f"streams; {self.csim.bounded_images} images with FIFOs of the planned depths",
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
            "csim": {**vars(self.csim), "mismatches": 0},
            "canonical": {"elements": self.canonical.elements, "mismatches": self.canonical.mismatches},
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


def verify(
    graph: Graph, design: Design, folder: Path, feeds: Mapping[str, Array], original: Path | None
) -> Verification:
    """Compare the build in ``folder`` on the images ``feeds`` (the model's inputs, (N, ...)) in every way there is.

    ``original``: the user's model file, None if the network does not come from one. Raises VerificationError with the
    first difference, ToolError without a compiler.
    """
    frames = golden.input_frames(graph, feeds)
    tensors = golden.run(graph, frames)
    streams = _check_streams(graph, design, folder, frames, tensors)
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
    return Verification(streams, canonical, report)


def _check_streams(
    graph: Graph, design: Design, folder: Path, frames: IntArray, tensors: Mapping[str, IntArray]
) -> StreamReport:
    """The C simulation against golden.

    All images with unbounded FIFOs: what leaves, and every stream that carries a tensor, against the graph's golden
    model. A few images with FIFOs of the planned depths: every stream against the kernels' NumPy forms.
    """
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
    expected = design.run(few)
    for name, stream in design.streams.items():
        if name != design.input:
            actual = bounded.words if name == design.output else bounded.streams[name]
            elements += _require_equal(name, stream.layer, actual, expected[name])
    return StreamReport(len(words), len(few), len(design.streams), elements)


def _require_equal(stream: str, layer: str, actual: IntArray, expected: IntArray) -> int:
    """The number of elements, if all are equal; else VerificationError."""
    different = np.argwhere(actual != expected)
    if len(different):
        place = tuple(int(i) for i in different[0])
        raise VerificationError(
            f"Layer {layer!r}, stream {stream}: {len(different):,} of {actual.size:,} elements of the C simulation "
            f"differ from golden, the first at {place}: {actual[place]} instead of {expected[place]}. {_DEFECT}"
        )
    return actual.size
