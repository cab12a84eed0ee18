"""Functions of one and of two integers in the canonical model: float64, float32 where that is the reference, tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import TensorProto

from hlsgen.canonical import arithmetic
from hlsgen.canonical.emitter import BYTES, MICROSOFT, Emitter, carrier, numpy_type, planar
from hlsgen.graph.graph import Graph, Tensor
from hlsgen.graph.ops import Join, Requantize
from hlsgen.graph.reference import (
    AffineJoinReference,
    AffineReference,
    QLinearAddReference,
    QLinearReference,
    Rounding,
    TableReference,
)
from hlsgen.graph.types import QuantType


class FunctionEmitter:
    """Emits Requantize and Join. ``names``: the canonical model's name of each graph tensor."""

    def __init__(self, emitter: Emitter, graph: Graph, names: Mapping[str, str]) -> None:
        self.emitter = emitter
        self.graph = graph
        self.names = names

    def requantize(self, op: Requantize) -> None:
        """A function of one integer."""
        x, output = self.names[op.inputs[0]], self.names[op.output]
        source, target = self.graph.tensors[op.inputs[0]], self.graph.tensors[op.output]
        match op.reference:
            case QLinearReference():
                self._float32_multiply(op, x, output)
            case AffineReference():
                self._affine(op.reference, x, source, carrier(target.type), output, op.name)
            case TableReference():
                self._table(op.reference, x, carrier(target.type), output)

    def _float32_multiply(self, op: Requantize, x: str, output: str) -> None:
        """QLinear arithmetic, operator by operator."""
        reference = op.reference
        assert isinstance(reference, QLinearReference)
        multiplier = self.emitter.constant(planar(reference.multiplier), np.float32, "multiplier")
        y = self.emitter.node("Mul", [self.emitter.cast(x, TensorProto.FLOAT), multiplier])
        y = self.emitter.node("Round", [y])
        bounds = [self.emitter.float32(b - reference.zero_point) for b in (reference.lo, reference.hi)]
        y = self.emitter.node("Clip", [y, *bounds])
        y = self.emitter.node("Add", [y, self.emitter.float32(reference.zero_point)])
        self.emitter.cast(y, carrier(self.graph.tensors[op.output].type), output)

    def _affine(self, reference: AffineReference, x: str, source: Tensor, element: int, output: str, name: str) -> None:
        """One multiplication, addition and division in float64, proved to round to the same integers."""
        constants = arithmetic.doubles(reference, source.lo, source.hi, name)
        y = self.emitter.cast(x, TensorProto.DOUBLE)
        y = self.emitter.node("Mul", [y, self.emitter.float64_planar(constants.numerator)])
        y = self.emitter.node("Add", [y, self.emitter.float64_planar(constants.constant)])
        if (constants.denominator != 1).any():
            y = self.emitter.node("Div", [y, self.emitter.float64_planar(constants.denominator)])
        self._close(y, reference, element, output)

    def _close(self, y: str, reference: AffineReference | AffineJoinReference, element: int, output: str) -> None:
        """Round float64 values, add the zero point, clip and convert."""
        y = self._round(y, reference.rounding)
        if reference.zero_point:
            y = self.emitter.node("Add", [y, self.emitter.float64(reference.zero_point)])
        lo, hi = (planar(np.atleast_1d(np.array(b, np.float64))) for b in (reference.lo, reference.hi))
        y = self.emitter.node("Max", [y, self.emitter.constant(lo, np.float64, "bound")])
        y = self.emitter.node("Min", [y, self.emitter.constant(hi, np.float64, "bound")])
        self.emitter.cast(y, element, output)

    def _round(self, y: str, rounding: Rounding) -> str:
        """A rounding mode in operators that ONNX has for float64."""
        if rounding in (Rounding.HALF_EVEN, Rounding.FLOOR, Rounding.CEIL):
            operator = {Rounding.HALF_EVEN: "Round", Rounding.FLOOR: "Floor", Rounding.CEIL: "Ceil"}[rounding]
            return self.emitter.node(operator, [y])
        sign = self.emitter.node("Sign", [y])
        if rounding is Rounding.SIGN:
            # zero counts as positive
            return self.emitter.node("Sign", [self.emitter.node("Add", [sign, self.emitter.float64(0.5)])])
        magnitude = self.emitter.node("Abs", [y])
        if rounding is Rounding.HALF_UP:
            magnitude = self.emitter.node("Add", [magnitude, self.emitter.float64(0.5)])
        elif rounding is Rounding.HALF_DOWN:
            magnitude = self.emitter.node("Sub", [magnitude, self.emitter.float64(0.5)])
        operator = "Ceil" if rounding in (Rounding.UP, Rounding.HALF_DOWN) else "Floor"
        return self.emitter.node("Mul", [sign, self.emitter.node(operator, [magnitude])])

    def _table(self, reference: TableReference, x: str, element: int, output: str) -> None:
        rows, length = reference.values.shape
        index = self.emitter.cast(x, TensorProto.INT64)
        start = np.arange(rows) * length - reference.first  # one table after another, one per channel
        if start.any():
            index = self.emitter.node("Add", [index, self.emitter.constant(planar(start), np.int64, "start")])
        table = self.emitter.constant(reference.values.ravel(), numpy_type(element), "table")
        self.emitter.node("Gather", [table, index], output=output, axis=0)

    def join(self, op: Join) -> None:
        """A function of two integers."""
        inputs, output = [self.names[name] for name in op.inputs], self.names[op.output]
        reference = op.reference
        target = carrier(self.graph.tensors[op.output].type)
        if isinstance(reference, AffineJoinReference):
            parts = [
                self.emitter.node("Mul", [self.emitter.cast(x, TensorProto.DOUBLE), self.emitter.float64_planar(scale)])
                for x, scale in zip(inputs, (reference.scale_a, reference.scale_b), strict=True)
            ]
            y = self.emitter.node("Add", parts)
            y = self.emitter.node("Add", [y, self.emitter.float64_planar(reference.constant)])
            y = self.emitter.node("Mul", [y, self.emitter.float64(2.0**-reference.shift)])
            self._close(y, reference, target, output)
        else:
            self._qlinear_add(op, reference, inputs, target, output)

    def _qlinear_add(
        self, op: Join, reference: QLinearAddReference, inputs: list[str], target: int, output: str
    ) -> None:
        a, b = (self.graph.tensors[name] for name in op.inputs)
        known = {view.tensor: view.zero_point for view in self.graph.views.values()}
        likely = (known[a.name], known[b.name]) if a.name in known and b.name in known else None
        dtype = numpy_type(target)
        zero_points = None
        if target in BYTES and carrier(a.type) == carrier(b.type) == target:
            byte = QuantType(8, signed=dtype.kind == "i")
            zero_points = arithmetic.add_zero_points(reference, byte, likely)
        if zero_points is None:
            self._add_table(reference, a, b, inputs, target, output)
            return
        bounds = np.iinfo(dtype)
        clipped = (reference.lo, reference.hi) != (bounds.min, bounds.max)
        scales = [self.emitter.float32(s) for s in (reference.scale_a, reference.scale_b, 1)]
        zeros = [self.emitter.constant(z, dtype, "zero_point") for z in zero_points]
        arguments = [inputs[0], scales[0], zeros[0], inputs[1], scales[1], zeros[1], scales[2], zeros[2]]
        y = self.emitter.node("QLinearAdd", arguments, "add", "" if clipped else output, MICROSOFT)
        if clipped:
            self.emitter.clip(y, reference.lo, reference.hi, dtype, output)

    def _add_table(
        self, reference: QLinearAddReference, a: Tensor, b: Tensor, inputs: list[str], target: int, output: str
    ) -> None:
        """Operands of different types, which the QLinearAdd kernel does not take: all pairs in one table."""
        table = reference.table(a.type, b.type)
        first, second = (self.emitter.cast(x, TensorProto.INT64) for x in inputs)
        row = self.emitter.node("Mul", [first, self.emitter.constant(table.shape[1], np.int64, "columns")])
        index = self.emitter.node("Add", [row, second])
        origin = self.emitter.constant(a.type.min * table.shape[1] + b.type.min, np.int64, "origin")
        index = self.emitter.node("Sub", [index, origin])
        values = self.emitter.constant(table.ravel(), numpy_type(target), "table")
        self.emitter.node("Gather", [values, index], output=output, axis=0)
