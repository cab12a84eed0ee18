"""What runs on the CPU: the part before the first quantizer and the part after the last layer in hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.model import Model, Node
from hlsgen.frontend.movement import MOVEMENTS, movement
from hlsgen.frontend.values import (
    Accumulated,
    ConcatView,
    Constant,
    ConstantJoinView,
    FloatView,
    HostValue,
    IntValue,
    JoinView,
    QuantConstant,
    Quantized,
    Value,
    View,
)
from hlsgen.graph.graph import Graph, Layout
from hlsgen.graph.graph import View as TensorView
from hlsgen.graph.host import OPERATORS, HostNode, HostProgram
from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import QuantType

if TYPE_CHECKING:
    from hlsgen.frontend.tracer import Tracer

Array = npt.NDArray[Any]


class HostParts:
    """Host programs under construction. Shares the tracer's ``values`` and ``views``.

    Every host node is evaluated once on an all-zero image, which tells shapes and types of what follows.
    ``handled``: operators the tracer has handlers for.
    """

    def __init__(
        self, model: Model, values: dict[str, Value], views: dict[str, TensorView], handled: frozenset[str]
    ) -> None:
        self.model, self.values, self.views = model, values, views
        self.outputs: list[str] = []
        self._handled = handled
        self._prefix: list[HostNode] = []
        self._suffix: list[HostNode] = []
        self._deliveries: dict[str, str] = {}
        self._delivery_types: dict[str, str] = {}
        self._constants: dict[str, Array] = {}
        self._samples: dict[
            str, Array
        ] = {}  # tensors of the accelerator that the host program sees, for one zero image
        self._producer: dict[str, Node] = {name: node for node in model.nodes for name in node.outputs if name}

    def add_prefix(self, node: Node, reason: str = "") -> None:
        """Run ``node``, all of whose inputs are the model's input or constants, before the accelerator."""
        for name, sample in self._run(node, self._prefix, reason).items():
            self.values[name] = HostValue(sample, None)

    def add_input_quantizer(
        self, node: Node, output: str, scale: np.float32, zero_point: int, type: QuantType, rounding: Rounding
    ) -> None:
        """Quantize the host tensor ``node`` reads with QONNX's float32 arithmetic, in plain ONNX operators.

        ``output`` receives the integers (int8 or wider).
        """
        name, source = output, node.inputs[0]

        def step(op_type: str, inputs: tuple[str, ...], attributes: Mapping[str, Any] | None = None) -> str:
            nonlocal name
            name = f"{output}:{len(self._prefix)}"
            self.add_prefix(Node(node.name, op_type, "", inputs, (name,), attributes or {}))
            return name

        def constant(value: Any) -> str:
            key = f"{output}:constant{len(self.values)}"
            self.values[key] = Constant(np.asarray(value))
            return key

        x = step("Div", (source, constant(scale)))
        if rounding is Rounding.SIGN:
            positive = step("GreaterOrEqual", (x, constant(np.float32(0))))
            x = step("Where", (positive, constant(np.float32(1)), constant(np.float32(-1))))
        else:
            x = step("Add", (x, constant(np.float32(zero_point)))) if zero_point else x
            x = step("Clip", (x, constant(np.float32(type.min)), constant(np.float32(type.max))))
            if rounding in (Rounding.HALF_EVEN, Rounding.FLOOR, Rounding.CEIL):
                x = step({"half_even": "Round", "floor": "Floor", "ceil": "Ceil"}[rounding.value], (x,))
            else:  # symmetric about zero: round the magnitude, then restore the sign
                sign, magnitude = step("Sign", (x,)), step("Abs", (x,))
                if rounding is Rounding.HALF_UP:
                    magnitude = step("Floor", (step("Add", (magnitude, constant(np.float32(0.5)))),))
                elif rounding is Rounding.HALF_DOWN:
                    magnitude = step("Ceil", (step("Sub", (magnitude, constant(np.float32(0.5)))),))
                else:
                    magnitude = step("Ceil" if rounding is Rounding.UP else "Floor", (magnitude,))
                x = step("Mul", (sign, magnitude))
        dtype = helper.np_dtype_to_tensor_dtype(np.dtype(type.dtype))
        self.add_prefix(Node(node.name, "Cast", "", (x,), (output,), {"to": int(dtype)}))

    def place(self, node: Node, reason: str) -> None:
        """Run ``node`` on the CPU, before the accelerator or after it; ``reason`` says why it is not in hardware."""
        inputs = [self.values[name] for name in node.inputs if name]
        if all(
            isinstance(v, Constant | QuantConstant) or (isinstance(v, HostValue) and v.cause is None) for v in inputs
        ):
            self.add_prefix(node, reason)
            return
        for name in node.inputs:
            if name:
                self.bring(name)
        causes = [(v.cause, v.reason) for v in inputs if isinstance(v, HostValue) and v.cause is not None]
        for name, sample in self._run(node, self._suffix, reason).items():
            self.values[name] = HostValue(sample, *(causes[0] if causes else (str(node), reason)))

    def bring(self, name: str) -> None:
        """Make the tensor ``name`` available to the host program after the accelerator."""
        value = self.values[name]
        if isinstance(value, Constant):
            self._constants[name] = value.array
            return
        if isinstance(value, QuantConstant):
            self._constants[name] = value.floats
            return
        if isinstance(value, HostValue) or name in self._samples:
            return
        if isinstance(value, IntValue):
            self._deliver(name, value.tensor, value.layout, value.dtype)
        elif self._producer[name].op_type in ("ConvInteger", "MatMulInteger"):
            assert isinstance(value, FloatView)  # read as a real number by layers, but an integer tensor in the file
            self._deliver(name, value.tensor, value.layout, "int32")
            self._samples[name] = np.zeros((1, *value.layout.index.shape), np.int32)
        elif isinstance(value, FloatView) and isinstance(value.base, Accumulated) and not (value.steps or value.pool):
            self._deliver_accumulator(name, value, value.base)
        elif self._is_quantizer_output(name, value):
            assert isinstance(value, FloatView)
            self._deliver_quantized(name, value)
        else:
            node = self._producer[name]
            for operand in node.inputs:
                if operand:
                    self.bring(operand)
            self._samples |= self._run(node, self._suffix, "")
        self._samples.setdefault(name, np.zeros((1, *value.layout.index.shape), host_dtype(value)))

    def _is_quantizer_output(self, name: str, value: Value) -> bool:
        """Whether a float tensor is a plain dequantized one that no DequantizeLinear of the model produces (QONNX)."""
        plain = isinstance(value, FloatView) and isinstance(value.base, Quantized) and not value.steps
        return (
            plain
            and self._producer[name].op_type in self._handled
            and self._producer[name].op_type != "DequantizeLinear"
        )

    def _deliver(self, name: str, tensor: str, layout: Layout, dtype: str) -> None:
        """Let ``tensor`` leave the accelerator; the host program finds it as the ONNX tensor ``name``."""
        if name in self._deliveries:
            return
        self._deliveries[name] = tensor
        self._delivery_types[name] = host_dtype(IntValue(tensor, layout, dtype)).name
        if name not in self.views:
            self.views[name] = TensorView(tensor, layout, np.ones(1, np.float32), 0)
        if tensor not in self.outputs:
            self.outputs.append(tensor)

    def _deliver_quantized(self, name: str, view: FloatView) -> None:
        base = view.base
        assert isinstance(base, Quantized)
        integers = f"{name}:integers"
        self._deliver(integers, view.tensor, view.layout, base.dtype)
        self._suffix.append(
            HostNode(
                "DequantizeLinear",
                (
                    integers,
                    self._constant(f"{name}:scale", base.scale),
                    self._constant(f"{name}:zero_point", np.int64(base.zero_point)),
                ),
                (name,),
            )
        )

    def _deliver_accumulator(self, name: str, view: FloatView, base: Accumulated) -> None:
        integers, real = f"{name}:accumulator", f"{name}:float"
        self._deliver(integers, view.tensor, view.layout, "int32")
        scale, offset = (self._onnx_constant(part, view) for part in (base.scale, base.offset))
        self._suffix.append(HostNode("Cast", (integers,), (real,), {"to": int(onnx.TensorProto.FLOAT)}))
        scaled = name if not offset.any() else f"{name}:scaled"
        self._suffix.append(HostNode("Mul", (real, self._constant(f"{name}:scale", scale)), (scaled,)))
        if offset.any():
            self._suffix.append(HostNode("Add", (scaled, self._constant(f"{name}:offset", offset)), (name,)))

    def _onnx_constant(self, values: tuple[Any, ...], view: FloatView) -> Array:
        """Exact constants in frame order -> float32 that broadcasts to the ONNX tensor."""
        array = np.array([float(v) for v in values], np.float32)
        if array.size == 1:
            return array.reshape(())
        elements = view.layout.index.size
        return np.tile(array, elements // array.size)[view.layout.index][None]

    def _constant(self, name: str, array: Any) -> str:
        self._constants[name] = np.asarray(array)
        return name

    def _run(self, node: Node, program: list[HostNode], reason: str) -> dict[str, Array]:
        """Append ``node`` to a host program and evaluate it on the sample image: what its outputs look like."""
        host_node = self._host_node(node)
        if host_node.op_type not in OPERATORS:
            where = "before the first quantizer" if program is self._prefix else "after the last layer in hardware"
            why = f"{reason}; and" if reason else "has no hardware, and"
            raise UnsupportedError(
                f"{node}: {why} operator {f'{node.domain}.' if node.domain else ''}{node.op_type} cannot run on the "
                f"CPU {where} either. Quantize its operands, remove it, or replace it by supported operators "
                "(docs/operators.md lists them)."
            )
        arguments = [self._sample(name) if name else None for name in host_node.inputs]
        try:
            with np.errstate(all="ignore"):
                results = OPERATORS[host_node.op_type](arguments, host_node.attributes)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            raise UnsupportedError(
                f"{node}: its attributes or inputs make no sense for the shapes it gets ({error}). The model may "
                "be damaged."
            ) from error
        program.append(host_node)
        return {name: np.asarray(sample) for name, sample in zip(node.outputs, results, strict=False)}

    def _sample(self, name: str) -> Array:
        """A host tensor's value for one zero image, or the constant it is."""
        value = self.values.get(name)
        if isinstance(value, Constant | QuantConstant):
            self._constants[name] = value.array if isinstance(value, Constant) else value.floats
        if name in self._constants:
            return self._constants[name]
        return value.sample if isinstance(value, HostValue) else self._samples[name]

    def _host_node(self, node: Node) -> HostNode:
        attributes = dict(node.attributes)
        inputs = node.inputs
        if node.op_type in MOVEMENTS - {"Transpose"}:
            shape = self.onnx_shape(node.inputs[0])
            parameter = self.values.get(node.input(1))
            move = movement(node, shape, parameter.array if isinstance(parameter, Constant) else None)
            moved = move(np.empty(shape, np.int8)).shape
            if not moved or moved[0] != 1:
                raise UnsupportedError(
                    f"{node}: it merges the batch axis with others (result shape {list(moved)}). Keep a leading "
                    "axis of 1."
                )
            return HostNode("Reshape", inputs[:1], node.outputs[:1], {"shape": tuple(int(d) for d in moved[1:])})
        for axes_operator in ("ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin"):
            if node.op_type == axes_operator and node.input(1):
                attributes["axes"] = [int(a) for a in np.ravel(self._parameter(node, 1))]
                inputs = inputs[:1]
        if node.op_type in ("Softmax", "LogSoftmax"):
            rank = len(self.onnx_shape(node.inputs[0]))
            attributes["axis"] = int(node.attribute("axis", -1 if self.model.opset >= 13 else 1))
            if self.model.opset < 13 and attributes["axis"] % rank != rank - 1:
                raise UnsupportedError(
                    f"{node}: before operator set 13 it normalises over several axes at once. Export with a newer "
                    "operator set."
                )
        if node.op_type == "Clip" and len(inputs) == 1:
            bounds = [node.attribute(key) for key in ("min", "max")]
            names = [
                self._constant(f"{node.outputs[0]}:{key}", np.float32(b)) if b is not None else ""
                for key, b in zip(("min", "max"), bounds, strict=True)
            ]
            inputs = (*inputs, *names)
            attributes = {}
        return HostNode(node.op_type, inputs, node.outputs, attributes, node.domain)

    def _parameter(self, node: Node, index: int) -> Array:
        value = self.values[node.inputs[index]]
        if not isinstance(value, Constant):
            raise UnsupportedError(f"{node}: its input {node.inputs[index]!r} must be a constant. Simplify the model.")
        return value.array

    def _shape(self, value: Value | None) -> tuple[int, ...]:
        if isinstance(value, HostValue):
            return value.sample.shape[1:]
        if isinstance(value, IntValue | FloatView | JoinView | ConstantJoinView | ConcatView):
            return value.layout.index.shape
        return ()

    def onnx_shape(self, name: str) -> tuple[int, ...]:
        """ONNX shape of a tensor, batch axis included."""
        value = self.values[name]
        return value.shape if isinstance(value, Constant | QuantConstant) else (1, *self._shape(value))

    def graph(self, tracer: Tracer) -> Graph:
        """The graph of a finished walk with its host programs."""
        suffix_nodes = tuple(_needed(self._suffix, self.model.outputs))
        prefix_nodes = tuple(self._prefix)
        assert tracer.graph_input is not None
        names = {n for node in (*prefix_nodes, *suffix_nodes) for n in node.inputs}
        constants = {n: a for n, a in self._constants.items() if n in names or n in self.model.outputs}
        deliveries = tuple(
            name
            for name in self._deliveries
            if name in self.model.outputs or any(name in n.inputs for n in suffix_nodes)
        )
        shapes = {
            self.model.input.name: self.model.input.shape,
            tracer.graph_input: self.views[tracer.graph_input].layout.index.shape,
        }
        dtypes = {self.model.input.name: self.model.input.dtype.name}
        for name in (*self.model.outputs, *deliveries):
            value = self.values.get(name)
            shapes[name] = self.views[name].layout.index.shape if name in self.views else self._shape(value)
            if name in self._delivery_types:
                dtypes[name] = self._delivery_types[name]
            elif isinstance(value, HostValue):
                dtypes[name] = value.sample.dtype.name
            else:  # a view or constant that the host program makes a float of
                dtypes[name] = "float32"
        prefix_names = {n for node in prefix_nodes for n in node.inputs}
        graph = Graph(
            name=self.model.name,
            input=tracer.graph_input,
            outputs=[t for t in self.outputs if any(self._deliveries[d] == t for d in deliveries)],
            tensors=tracer.builder.tensors,
            ops=tracer.builder.ops,
            prefix=HostProgram(
                prefix_nodes,
                {n: a for n, a in constants.items() if n in prefix_names},
                (self.model.input.name,),
                (tracer.graph_input,),
                shapes,
                dtypes,
            ),
            suffix=HostProgram(suffix_nodes, constants, deliveries, tuple(self.model.outputs), shapes, dtypes),
            views=self.views,
            form="+".join(sorted(tracer.forms)),
            notes=list(self.model.notes),
        )
        return graph


def host_dtype(value: View | IntValue) -> np.dtype[Any]:
    """NumPy type in which the host program sees a tensor (types below 8 bits have none of their own)."""
    if not isinstance(value, IntValue):
        return np.dtype(np.float32)
    return np.dtype(
        {"int2": "int8", "int4": "int8", "uint2": "uint8", "uint4": "uint8", "": "int64"}.get(value.dtype, value.dtype)
    )


def _needed(nodes: list[HostNode], outputs: list[str]) -> list[HostNode]:
    """Nodes that contribute to ``outputs``, each once, in order."""
    wanted = set(outputs)
    kept: list[HostNode] = []
    for node in reversed(nodes):
        if wanted & set(node.outputs) and not any(node.outputs == other.outputs for other in kept):
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]
