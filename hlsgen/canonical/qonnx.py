"""QONNX's quantizers as plain ONNX float32 operators, step by step as the qonnx package executes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from hlsgen.errors import UnsupportedError

QUANTIZERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc"})
_KNOWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")

_HALF_EVEN = 1.5 * 2.0**52
"""Added to and taken from a float64 below 2**51, it leaves the value rounded half to even, in every operator set."""


def has_quantizers(model: onnx.ModelProto) -> bool:
    """Whether the model has QONNX nodes."""
    return any(node.op_type in QUANTIZERS for node in model.graph.node)


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` in which every QONNX node, under whatever domain, is a chain of ONNX operators.

    Outputs keep their names. Raises UnsupportedError for an unknown rounding mode or a bit width that is not constant.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    expander = _Expander(model)
    for node in model.graph.node:
        if node.op_type in QUANTIZERS:
            expander.expand(node)
        else:
            expander.nodes.append(node)
    del result.graph.node[:]
    result.graph.node.extend(expander.nodes)
    result.graph.initializer.extend(expander.constants)
    opsets = [opset for opset in model.opset_import if opset.domain in _KNOWN_DOMAINS]
    del result.opset_import[:]
    result.opset_import.extend(opsets)
    return result


class _Expander:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
        self._output = ""

    def expand(self, node: onnx.NodeProto) -> None:
        """Append the operators of one quantizer."""
        self._output = node.output[0]
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        match node.op_type:
            case "BipolarQuant":
                integers = self._sign(node.input[0])
                self._op("Mul", integers, node.input[1], output=node.output[0])
            case "Trunc":
                self._trunc(node, attributes)
            case _:
                self._quant(node, attributes)

    def _quant(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        x, scale, zero_point, width = node.input
        bits = int(self._constant_value(width, node))
        signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
        y = self._op("Add", self._op("Div", x, scale), zero_point)
        if signed and bits == 1:
            y = self._sign(y)
        else:
            lo = -(2 ** (bits - 1)) + narrow if signed else 0
            hi = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
            y = self._op("Max", self._op("Min", y, self._float(hi)), self._float(lo))
            y = self._round(y, attributes.get("rounding_mode", b"ROUND"), node)
        self._op("Mul", self._op("Sub", y, zero_point), scale, output=node.output[0])

    def _trunc(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if len(node.input) != 5:
            raise UnsupportedError(f"node {node.name!r}: this version of Trunc ({len(node.input)} inputs) is unknown.")
        x, scale, zero_point, width_in, width_out = node.input
        dropped = self._constant_value(width_in, node) - self._constant_value(width_out, node)
        y = self._op("Add", self._op("Div", x, scale), zero_point)
        y = self._op("Div", self._half_even(y), self._float(2.0**dropped))
        y = self._round(y, attributes.get("rounding_mode", b"FLOOR"), node)
        self._op("Mul", self._op("Sub", y, zero_point), scale, output=node.output[0])

    def _round(self, y: str, mode: bytes, node: onnx.NodeProto) -> str:
        match mode.decode().upper():
            case "ROUND" | "HALF_EVEN":
                return self._half_even(y)
            case "CEIL":
                return self._op("Ceil", y)
            case "FLOOR":
                return self._op("Floor", y)
            case "UP":
                return self._op("Mul", self._op("Sign", y), self._op("Ceil", self._op("Abs", y)))
            case "DOWN" | "ROUND_TO_ZERO":
                return self._op("Mul", self._op("Sign", y), self._op("Floor", self._op("Abs", y)))
            case "HALF_UP":
                away = self._op("Floor", self._op("Add", self._op("Abs", y), self._float(0.5)))
                return self._op("Mul", self._op("Sign", y), away)
            case "HALF_DOWN":
                inward = self._op("Ceil", self._op("Sub", self._op("Abs", y), self._float(0.5)))
                return self._op("Mul", self._op("Sign", y), inward)
        raise UnsupportedError(f"node {node.name!r}: rounding mode {mode.decode()!r} is unknown.")

    def _half_even(self, y: str) -> str:
        """Round is younger than the oldest operator sets, and a model has only one of them."""
        wide = self._op("Cast", y, to=TensorProto.DOUBLE)
        magic = self._constant(np.array(_HALF_EVEN, np.float64))
        rounded = self._op("Sub", self._op("Add", wide, magic), magic)
        return self._op("Cast", rounded, to=TensorProto.FLOAT)

    def _sign(self, y: str) -> str:
        """+1 where y >= 0, else -1."""
        return self._op("Sign", self._op("Add", self._op("Sign", y), self._float(0.5)))

    def _op(self, op_type: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or self._name()
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], **attributes))
        return output

    def _float(self, value: float) -> str:
        return self._constant(np.array(value, np.float32))

    def _constant(self, array: np.ndarray[Any, np.dtype[Any]]) -> str:
        name = self._name()
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _name(self) -> str:
        number = len(self._taken)
        while (name := f"{self._output}:plain{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name

    def _constant_value(self, name: str, node: onnx.NodeProto) -> float:
        """The value of a constant, which may be computed from others (bit widths often are)."""
        wanted = {name}
        nodes: list[onnx.NodeProto] = []
        for producer in reversed(self.model.graph.node):
            if wanted & set(producer.output):
                wanted |= set(producer.input)
                nodes.append(producer)
        constants = [tensor for tensor in self.model.graph.initializer if tensor.name in wanted]
        result = helper.make_empty_tensor_value_info(f"{name}:value")
        # an initializer may not be an output itself
        nodes.insert(0, helper.make_node("Identity", [name], [result.name]))
        graph = helper.make_graph(nodes[::-1], "constant", [], [result], constants)
        model = helper.make_model(graph, opset_imports=self.model.opset_import)
        try:
            (value,) = ReferenceEvaluator(model).run(None, {})
            return float(np.asarray(value).reshape(()))
        except Exception as error:
            # the evaluator raises many kinds; all mean that no constant stands behind the name
            raise UnsupportedError(f"node {node.name!r}: its bit width {name!r} is not one constant number.") from error
