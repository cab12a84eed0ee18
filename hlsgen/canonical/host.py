"""Host parts in the canonical model: the nodes they are, translated from operator set 13 to the canonical one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from hlsgen.canonical.emitter import Array, Emitter
from hlsgen.graph.host import HostNode, HostProgram
from hlsgen.graph.host_ops import OPERATORS, storage

_DEQUANTIZABLE = ("int8", "uint8", "int16", "uint16", "int32")
"""Element types that ONNX Runtime's DequantizeLinear takes (4-bit ones are stored in bytes here)."""

_MICROSOFT = {"QLinearSoftmax", "QLinearSigmoid", "QLinearLeakyRelu"}


class HostEmitter:
    """Emits host programs. Every tensor's type is learnt from the NumPy operators on one all-zero image."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter

    def program(
        self,
        program: HostProgram,
        names: Mapping[str, str],
        samples: Mapping[str, Array],
        keep: Collection[str] = (),
    ) -> dict[str, str]:
        """Emit ``program`` and return the emitted name of each of its tensors.

        ``names``: where its inputs are. ``samples``: arrays of their types and shapes. Tensors in ``keep`` get their
        own names (they are the model's outputs).
        """
        emitted = dict(names)
        values: dict[str, Array | None] = {"": None, **program.constants, **samples}
        for node in program.nodes:
            arguments = [values[name] for name in node.inputs]
            with np.errstate(all="ignore"):
                results = OPERATORS[node.op_type](arguments, node.attributes)
            inputs = [self._operand(name, emitted, program) for name in node.inputs]
            outputs = [name if name in keep else self.emitter.name(name) for name in node.outputs]
            self._node(node, inputs, outputs, arguments)
            emitted.update(zip(node.outputs, outputs, strict=True))
            values.update(zip(node.outputs, results, strict=False))
        for name in keep:
            source = self._operand(name, emitted, program)
            if source != name:
                emitted[name] = self.emitter.node("Identity", [source], output=name)
        return emitted

    def _operand(self, name: str, emitted: dict[str, str], program: HostProgram) -> str:
        if name and name not in emitted:
            array = program.constants[name]
            emitted[name] = self.emitter.constant(array, array.dtype, name)
        return emitted.get(name, "")

    def _node(self, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]) -> None:
        translate = _TRANSLATIONS.get(node.op_type)
        if translate is not None:
            translate(self.emitter, node, inputs, outputs, arguments)
            return
        domain = "com.microsoft" if node.op_type in _MICROSOFT else ""
        self.emitter.append(node.op_type, inputs, outputs, domain, node.attributes)


Translation = Callable[[Emitter, HostNode, list[str], list[str], list[Any]], None]


def _reshape(emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]) -> None:
    emitter.reshape(inputs[0], tuple(node.attributes["shape"]), outputs[0])


def _axes_as_input(key: str) -> Translation:
    """An attribute that later operator sets take as the second input."""

    def translate(
        emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]
    ) -> None:
        attributes = dict(node.attributes)
        if key in attributes:
            inputs = [inputs[0], emitter.constant(list(attributes.pop(key)), np.int64, key)]
        emitter.append(node.op_type, inputs, outputs, "", attributes)

    return translate


def _slice(emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]) -> None:
    keys = ("starts", "ends", "axes")
    constants = [emitter.constant(list(node.attributes[k]), np.int64, k) for k in keys if k in node.attributes]
    emitter.append("Slice", [*inputs, *constants], outputs, "", {})


def _pad(emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]) -> None:
    attributes = dict(node.attributes)
    if "pads" in attributes:
        pads = emitter.constant(list(attributes.pop("pads")), np.int64, "pads")
        inputs = [inputs[0], pads, emitter.constant(attributes.pop("value", 0), arguments[0].dtype, "value")]
    emitter.append("Pad", inputs, outputs, "", attributes)


def _clip(emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]) -> None:
    emitter.append("Clip", inputs, outputs, "", {})


def _batch_normalization(
    emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]
) -> None:
    attributes = {key: value for key, value in node.attributes.items() if key == "epsilon"}
    emitter.append("BatchNormalization", inputs, outputs[:1], "", attributes)


def _dropout(emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]) -> None:
    emitter.append("Identity", inputs[:1], outputs[:1], "", {})


def _dequantize(emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]) -> None:
    """DequantizeLinear, or what it means for integers the operator does not take."""
    x, scale, *rest = arguments
    zero_point = rest[0] if rest else None
    if x.dtype.name in _DEQUANTIZABLE and (zero_point is None or zero_point.dtype == x.dtype):
        emitter.append("DequantizeLinear", inputs, outputs, "", node.attributes)
        return
    shape = [1] * x.ndim
    if scale.size > 1:
        shape[int(node.attributes.get("axis", 1))] = scale.size
    y = emitter.cast(inputs[0], TensorProto.INT64)
    if zero_point is not None:
        zeros = zero_point.astype(np.int64)
        y = emitter.node("Sub", [y, emitter.constant(zeros.reshape(shape if zeros.size > 1 else ()), np.int64)])
    y = emitter.cast(y, TensorProto.FLOAT)
    factors = emitter.constant(scale.reshape(shape if scale.size > 1 else ()), np.float32, "scale")
    emitter.node("Mul", [y, factors], output=outputs[0])


def _quantize(emitter: Emitter, node: HostNode, inputs: list[str], outputs: list[str], arguments: list[Any]) -> None:
    """QuantizeLinear; a 4-bit result is stored in bytes, as in the NumPy host part."""
    attributes = dict(node.attributes)
    name = arguments[2].dtype.name if len(arguments) > 2 and arguments[2] is not None else "uint8"
    if np.dtype(storage(name)).name == name and "output_dtype" not in attributes:
        emitter.append("QuantizeLinear", inputs, outputs, "", attributes)
        return
    quantized = emitter.name(f"{outputs[0]}_packed")
    emitter.append("QuantizeLinear", inputs, [quantized], "", attributes)
    result = OPERATORS["QuantizeLinear"](arguments, node.attributes)[0]
    emitter.cast(quantized, helper.np_dtype_to_tensor_dtype(result.dtype), outputs[0])


_TRANSLATIONS: dict[str, Translation] = {
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "DequantizeLinear": _dequantize,
    "Dropout": _dropout,
    "Pad": _pad,
    "QuantizeLinear": _quantize,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _axes_as_input("split"),
    "Squeeze": _axes_as_input("axes"),
    "Unsqueeze": _axes_as_input("axes"),
    **{f"Reduce{kind}": _axes_as_input("axes") for kind in ("L1", "L2", "Max", "Mean", "Min", "Sum")},
}
"""Operators whose form changed between the two operator sets, and those with a meaning of their own in host parts."""
