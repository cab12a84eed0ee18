"""Golden against ONNX Runtime: the canonical model must agree in every integer, the original up to rounding ties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from hlsgen.canonical import qonnx
from hlsgen.canonical.runtime import Session, open_session
from hlsgen.canonical.write import tensor_names, write
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph, View
from hlsgen.graph.host import Array
from hlsgen.graph.ops import Concat, Join, MaxPool, Requantize, Reshape
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    JoinReference,
    Reference,
    Rounding,
    TableReference,
)
from hlsgen.graph.types import IntArray

TIE = 1e-4
"""How near a rounding boundary, in output LSB, float32 arithmetic may be expected to fall on its other side.

The farthest seen among results of 8 bits, in 700 million elements of real models, was 9e-5.
"""

_WIDE_TIE = 2.0**-22
"""The same for results of more than 8 bits, relative to the tensor's largest: float32 sums err by units in the last
place of their largest partial sums, which exceed ``TIE``.
"""

_PERTURBATION = 2.0**-20
"""Relative change of the input that float32 arithmetic of a host part may amount to."""

_HALVES = (Rounding.HALF_EVEN, Rounding.HALF_UP, Rounding.HALF_DOWN)


@dataclass(frozen=True)
class TensorCheck:
    """One tensor of the graph: how many elements were compared and how many differ."""

    tensor: str
    elements: int
    mismatches: int


@dataclass(frozen=True)
class CanonicalReport:
    """Golden against ONNX Runtime's run of the canonical model. ``notes``: about the processor, for the report."""

    tensors: tuple[TensorCheck, ...]
    notes: tuple[str, ...] = ()

    @property
    def elements(self) -> int:
        """Elements compared."""
        return sum(check.elements for check in self.tensors)

    @property
    def mismatches(self) -> int:
        """Elements that differ; anything but 0 is a defect."""
        return sum(check.mismatches for check in self.tensors)


@dataclass(frozen=True)
class TieCheck:
    """One ONNX tensor of the original: elements that are equal, explained by a rounding tie, or neither.

    ``farthest``: the largest distance from a rounding boundary among the explained ones, in LSB.
    """

    tensor: str
    elements: int
    explained: int
    unexplained: int
    farthest: float = 0.0

    @property
    def exact(self) -> int:
        """Elements that are equal."""
        return self.elements - self.explained - self.unexplained


@dataclass(frozen=True)
class OriginalReport:
    """Golden against ONNX Runtime's run of the original, each operator fed with ONNX Runtime's own tensors."""

    tensors: tuple[TieCheck, ...]
    notes: tuple[str, ...] = ()

    @property
    def elements(self) -> int:
        """Elements compared."""
        return sum(check.elements for check in self.tensors)

    @property
    def explained(self) -> int:
        """Elements one LSB apart whose real value lies at a rounding boundary."""
        return sum(check.explained for check in self.tensors)

    @property
    def unexplained(self) -> int:
        """Elements that differ for another reason; anything but 0 is a defect."""
        return sum(check.unexplained for check in self.tensors)

    @property
    def exact(self) -> int:
        """Elements that are equal."""
        return self.elements - self.explained - self.unexplained


def canonical_check(graph: Graph, model: onnx.ModelProto, feeds: Mapping[str, Array]) -> CanonicalReport:
    """Compare every tensor of ``graph`` with ONNX Runtime's run of ``model``, which is ``write(graph)``.

    ``feeds``: the model's inputs (N, ...), any N. Accumulators inside QLinear kernels, which ``model`` does not show,
    are compared with a second model in which every sum is a node. Raises ModelError if ONNX Runtime refuses a model.
    """
    fused = tensor_names(graph)
    checks, notes = _compare(graph, model, fused, feeds)
    hidden = {name: own for name, own in tensor_names(graph, fuse=False).items() if name not in fused}
    if hidden:
        more, more_notes = _compare(graph, write(graph, fuse=False), hidden, feeds)
        checks, notes = {**checks, **more}, notes | more_notes
    return CanonicalReport(tuple(checks[name] for name in graph.tensors), tuple(sorted(notes)))


def _compare(
    graph: Graph, model: onnx.ModelProto, names: Mapping[str, str], feeds: Mapping[str, Array]
) -> tuple[dict[str, TensorCheck], set[str]]:
    """Run ``model`` with the tensors ``names`` (graph name: name in the model) as outputs; compare with golden."""
    source = tensor_names(graph)[graph.input]
    session = open_session(_with_outputs(model, [source, *names.values()]))
    results = session.run(list({source, *names.values()}), dict(feeds))
    frames = {name: results[own].transpose(0, 2, 3, 1) for name, own in names.items()}
    # from the frames that entered, so that a difference in a float host part shows in the input tensor only
    entered = results[source].transpose(0, 2, 3, 1).astype(graph.tensors[graph.input].type.dtype)
    expected = golden.run(graph, entered, keep=names)
    expected[graph.input] = golden.input_frames(graph, feeds)
    checks = {
        name: TensorCheck(name, array.size, int((array != expected[name]).sum())) for name, array in frames.items()
    }
    return checks, {session.note} - {""}


def original_check(graph: Graph, path: Path, feeds: Mapping[str, Array]) -> OriginalReport:
    """Compare every ONNX tensor that ``graph.views`` knows with ONNX Runtime's run of the original file ``path``.

    ``feeds``: the model's inputs (N, ...), any N. Graph optimisations are off. Every operator of ``graph`` is evaluated
    on ONNX Runtime's own input tensors, so that differences do not pile up. QONNX quantizers run as the qonnx package
    defines them. Raises ModelError if ONNX Runtime refuses the model.
    """
    model = onnx.load(str(path))
    if qonnx.has_quantizers(model):
        model = qonnx.plain(model)
    present = {name for node in model.graph.node for name in node.output} | {value.name for value in model.graph.input}
    watched = [name for name in graph.views if name in present]
    session, observed = _observe(model, watched, feeds)
    seen = {name: _Seen(graph, graph.views[name], array) for name, array in observed.items()}
    own: dict[str, IntArray] = {}
    for name in watched:
        own.setdefault(graph.views[name].tensor, seen[name].frames)
    entering = golden.input_frames(graph, feeds)
    computed = golden.run(graph, own.get(graph.input, entering), replace=own)
    computed[graph.input] = entering
    judge = _Judge(graph, computed, own)
    checks = []
    judged: set[str] = set()
    for name in watched:
        tensor = graph.views[name].tensor
        # a second name of the same integers must repeat what the first one held
        expected = own[tensor] if tensor in judged else computed[tensor]
        if tensor == graph.input and tensor not in judged:
            checks.append(_check_input(graph, name, seen[name], entering, feeds))
        else:
            checks.append(judge.check(name, tensor, seen[name], expected))
        judged.add(tensor)
    return OriginalReport(tuple(checks), (session.note,) if session.note else ())


@dataclass(frozen=True, eq=False)
class _Seen:
    """What ONNX Runtime computed for one ONNX tensor, as frames. ``whole``: where it is one of the view's integers."""

    frames: IntArray
    whole: npt.NDArray[np.bool_]

    def __init__(self, graph: Graph, view: View, array: Array) -> None:
        frames = golden.frames_from_onnx(graph, view, array)
        object.__setattr__(self, "frames", frames)
        exact = golden.onnx_from_frames(view, frames) == array
        object.__setattr__(self, "whole", view.layout.to_frames(exact, frames.shape[1:]))


class _Judge:
    """Finds for each difference whether a rounding boundary explains it."""

    def __init__(self, graph: Graph, computed: Mapping[str, IntArray], own: Mapping[str, IntArray]) -> None:
        self.graph = graph
        self.computed = computed
        self.own = own
        self.producers = graph.producers()

    def check(self, name: str, tensor: str, seen: _Seen, expected: IntArray) -> TieCheck:
        """Compare the ONNX tensor ``name`` with the frames it should hold."""
        different = (seen.frames != expected) | ~seen.whole
        if not different.any():
            return TieCheck(name, expected.size, 0, 0)
        real, rounding = self._real(tensor)
        distance = _distance(real, rounding, expected, seen.frames)
        near = distance <= self._tolerance(tensor, real)
        # two of a bipolar tensor's values are the two it has
        apart = 2 if self.graph.tensors[tensor].type.bipolar else 1
        neighbours = np.abs(expected.astype(np.int64) - seen.frames) == apart
        explained = different & seen.whole & neighbours & near
        farthest = float(distance[explained].max(initial=0.0))
        return TieCheck(name, expected.size, int(explained.sum()), int((different & ~explained).sum()), farthest)

    def _tolerance(self, tensor: str, real: npt.NDArray[np.float64]) -> float:
        """How far, in LSB, a real value may lie from a rounding boundary to count as a tie."""
        if self.graph.tensors[tensor].type.bits <= 8:
            return TIE
        return max(TIE, float(np.abs(real).max()) * _WIDE_TIE)

    def _real(self, tensor: str) -> tuple[npt.NDArray[np.float64], Rounding]:
        """Values of a tensor before their rounding, zero point included, and how they are rounded.

        Operators that move integers move these too, back to the tensor that the original shows: that one is exact.
        """
        op = self.producers.get(tensor)
        match op:
            case Requantize():
                return op.reference.real(self._value(op.inputs[0])), _rounding(op.reference)
            case Join():
                a, b = (self._value(name) for name in op.inputs)
                return op.reference.real(a, b), _rounding(op.reference)
            case MaxPool() | Concat() | Reshape():
                parts = [self._operand(name) for name in op.inputs]
                moved = golden.prepare(op, self.graph)(*(real for real, _ in parts))
                modes = {rounding for _, rounding in parts if rounding is not None}
                return moved, modes.pop() if len(modes) == 1 else Rounding.HALF_EVEN
        return self._value(tensor).astype(np.float64), Rounding.HALF_EVEN

    def _operand(self, tensor: str) -> tuple[npt.NDArray[np.float64], Rounding | None]:
        """Like ``_real``, but a tensor that the original shows is as exact as it looks, and has no rounding."""
        if tensor in self.own:
            return self.own[tensor].astype(np.float64), None
        return self._real(tensor)

    def _value(self, tensor: str) -> IntArray:
        return self.own.get(tensor, self.computed[tensor])


def _rounding(reference: Reference | JoinReference) -> Rounding:
    """The rounding mode of a reference, or one with the same boundaries."""
    match reference:
        case AffineReference() | AffineJoinReference():
            return reference.rounding
        case TableReference():
            lo, hi = reference.values.min(), reference.values.max()
            halves = np.array_equal(np.clip(np.rint(reference.exact), lo, hi), reference.values)
            return Rounding.HALF_EVEN if halves else Rounding.FLOOR
    return Rounding.HALF_EVEN


def _distance(
    real: npt.NDArray[np.float64], rounding: Rounding, one: IntArray, other: IntArray
) -> npt.NDArray[np.float64]:
    """Distance, in LSB, of values before rounding from the boundary between two neighbouring integers."""
    lower = np.minimum(one, other).astype(np.float64)
    if rounding is Rounding.SIGN:
        return np.abs(real)
    if rounding in _HALVES:
        return np.abs(real - (lower + 0.5))
    # directed modes change at whole numbers: at the upper one or at the lower one
    return np.asarray(np.minimum(np.abs(real - lower), np.abs(real - (lower + 1))))


def _check_input(graph: Graph, name: str, seen: _Seen, entering: IntArray, feeds: Mapping[str, Array]) -> TieCheck:
    """The host prefix: a difference is explained if a change of the input within float32 rounding brings it about."""
    different = (seen.frames != entering) | ~seen.whole
    explained = np.zeros_like(different)
    if different.any():
        for factor in (1 - _PERTURBATION, 1 + _PERTURBATION):
            moved = {key: (array * factor).astype(array.dtype) for key, array in feeds.items()}
            explained |= different & seen.whole & (golden.input_frames(graph, moved) == seen.frames)
    return TieCheck(name, entering.size, int(explained.sum()), int((different & ~explained).sum()))


def _observe(model: onnx.ModelProto, names: list[str], feeds: Mapping[str, Array]) -> tuple[Session, dict[str, Array]]:
    """Run an original, image by image as it may be made for one, and collect the ONNX tensors ``names`` (N, ...)."""
    entering = {value.name for value in model.graph.input}
    computed = [name for name in names if name not in entering]
    session = open_session(_with_outputs(model, computed))
    types = session.output_types
    # 4-bit tensors have no NumPy form; a cast inside the model gives them one
    casts = {name: f"{name}:byte" for name in computed if types[name] in ("tensor(int4)", "tensor(uint4)")}
    if casts:
        session = open_session(_with_casts(model, computed, casts, types))
    fetched = [casts.get(name, name) for name in computed]
    rows: dict[str, list[Array]] = {name: [] for name in names}
    for image in range(len(next(iter(feeds.values())))):
        one = {name: array[image : image + 1] for name, array in feeds.items()}
        results = session.run(fetched, one)
        for name in names:
            rows[name].append(one[name] if name in entering else results[casts.get(name, name)])
    return session, {name: np.stack(row).reshape(len(row), *row[0].shape[1:]) for name, row in rows.items()}


def _with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """A copy of ``model`` that also delivers the tensors ``names``."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    have = {value.name for value in model.graph.output}
    missing = [name for name in dict.fromkeys(names) if name not in have]
    result.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in missing)
    return result


def _with_casts(
    model: onnx.ModelProto, names: list[str], casts: Mapping[str, str], types: Mapping[str, str]
) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for name, cast in casts.items():
        element = TensorProto.UINT8 if types[name] == "tensor(uint4)" else TensorProto.INT8
        result.graph.node.append(helper.make_node("Cast", [name], [cast], to=element))
    return _with_outputs(result, [casts.get(name, name) for name in names])
