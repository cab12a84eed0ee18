"""The island tracer: walks a model once, carrying for each tensor what it stands for, and builds the integer graph.

Forms of quantization (qdq, qoperator, qonnx) and float operators are tables of small functions ``handler(tracer, node)``.
A handler either sets the node's outputs, or raises ``NotHardware``: then the node runs on the CPU, provided
nothing after it needs hardware again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from hlsgen.errors import UnsupportedError
from hlsgen.frontend import closing
from hlsgen.frontend.builder import GraphBuilder
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
    Quantizer,
    Value,
    View,
)
from hlsgen.graph.graph import Frame, Graph, Layout
from hlsgen.graph.graph import View as TensorView
from hlsgen.graph.host import OPERATORS, HostNode, HostProgram
from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import QuantType

Array = npt.NDArray[Any]
Handler = Callable[["Tracer", Node], None]


class NotHardware(Exception):
    """A node has no place in the accelerator; the text says why, after the node's name."""


class InputLayoutNeeded(Exception):
    """The first consumer needs the input's elements in another order; ``order`` lists ONNX elements in frame order."""

    def __init__(self, order: npt.NDArray[np.int64], shape: Frame) -> None:
        super().__init__("input layout")
        self.order, self.shape = order, shape


@dataclass(frozen=True, eq=False)
class InputLayout:
    """How the accelerator's input frame is filled by the host."""

    order: npt.NDArray[np.int64]
    shape: Frame


class Tracer:
    """State of one walk. ``tail``: names of nodes after which no heavy node follows; ``input_layout``: see InputLayoutNeeded."""

    def __init__(
        self,
        model: Model,
        handlers: Mapping[str, tuple[str, Handler]],
        tail: frozenset[int],
        input_layout: InputLayout | None,
    ) -> None:
        self.model = model
        self.handlers = handlers
        self.tail = tail
        self.input_layout = input_layout
        self.builder = GraphBuilder()
        self.values: dict[str, Value] = {name: Constant(array) for name, array in model.constants.items()}
        self.views: dict[str, TensorView] = {}
        self.heavy: set[int] = set()
        self.forms: set[str] = set()
        self.graph_input: str | None = None
        self.outputs: list[str] = []
        self._prefix: list[HostNode] = []
        self._suffix: list[HostNode] = []
        self._deliveries: dict[str, str] = {}
        self._delivery_types: dict[str, str] = {}
        self._host_constants: dict[str, Array] = {}
        self._producer: dict[str, Node] = {name: node for node in model.nodes for name in node.outputs if name}
        self._position = 0
        sample = np.zeros((1, *model.input.shape), model.input.dtype)
        self.values[model.input.name] = HostValue(sample, None)

    # ---- the walk ---------------------------------------------------------------------------------------------------

    def walk(self) -> Graph:
        """Trace all nodes and return the graph. Raises UnsupportedError naming the node that has no place."""
        for self._position, node in enumerate(self.model.nodes):
            self._visit(node)
        if not self.heavy or self.graph_input is None:
            raise UnsupportedError(self._nothing_to_build())
        for name in self.model.outputs:
            if name not in self.values:
                raise UnsupportedError(f"The model's output {name!r} is computed by no node. The model is damaged.")
            self._on_host(name)
        return self._graph()

    def _visit(self, node: Node) -> None:
        if self._fold(node):
            return
        form, handler = self.handlers.get(node.op_type, ("", None))
        if handler is None:
            self._place_on_host(node, "hlsgen has no hardware for this operator")
            return
        try:
            handler(self, node)
        except NotHardware as reason:
            self._place_on_host(node, str(reason))
        else:
            if form:
                self.forms.add(form)

    @property
    def in_tail(self) -> bool:
        """Whether no multiply-accumulate, join or pool follows the current node."""
        return self._position in self.tail

    def mark_heavy(self) -> None:
        """Note that the current node is a multiply-accumulate, join or pool built in hardware."""
        self.heavy.add(self._position)

    # ---- reading values ---------------------------------------------------------------------------------------------

    def value(self, node: Node, index: int) -> Value | None:
        """What input ``index`` of ``node`` stands for; None where it is left out."""
        name = node.input(index)
        return self.values[name] if name else None

    def constant(self, node: Node, index: int) -> Array | None:
        """The constant array at an input; None where it is left out. Raises NotHardware if it is not constant."""
        value = self.value(node, index)
        if value is None:
            return None
        if isinstance(value, QuantConstant):
            return value.floats
        if not isinstance(value, Constant):
            raise NotHardware(f"its input {node.input(index)!r} is not a constant")
        return value.array

    def view(self, node: Node, index: int) -> FloatView:
        """The view of one integer tensor at an input. Raises NotHardware for anything else."""
        value = self.value(node, index)
        if isinstance(value, FloatView):
            return value
        raise NotHardware(self.why_not(value))

    def why_not(self, value: Value | None) -> str:
        """Why a value cannot be an operand of hardware, as a clause."""
        match value:
            case HostValue(cause=None):
                return "its operand is floating point: no quantizer stands before it"
            case HostValue(cause=str() as cause):
                return f"its operand is computed in floating point by {cause}"
            case JoinView() | ConstantJoinView() | ConcatView():
                return "its operand is a sum or concatenation that no quantizer has closed; put a quantizer after it"
            case Constant() | QuantConstant():
                return "its first operand is a constant"
            case IntValue():
                return "it works on integers that no DequantizeLinear reads"
            case _:
                return "its operand is not a quantized tensor"

    def quantized(self, view: FloatView) -> tuple[FloatView, Quantized]:
        """``view`` as a plain quantized tensor. Clips after the dequantizer become a table. Raises NotHardware."""
        if isinstance(view.base, Quantized):
            if not view.steps:
                return view, view.base
            if all(step.clip is not None for step in view.steps):
                quantizer = Quantizer(
                    np.array([view.base.scale], np.float32),
                    view.base.zero_point,
                    self.builder.tensors[view.tensor].type,
                    view.base.dtype,
                )
                closed = self.close(view, quantizer, f"{view.tensor}:clipped", view.steps[-1].name)
                return FloatView(closed.tensor, closed.layout, view.base), view.base
        raise NotHardware(
            "its operand is a sum or a scaled tensor that no quantizer has closed; put a quantizer (QuantizeLinear or Quant) before it"
        )

    # ---- frames and layouts -----------------------------------------------------------------------------------------

    def planar(self, view: FloatView, axes: int) -> tuple[str, Frame]:
        """The view's tensor as a frame (H, W, C) of an ONNX tensor (C, H, W), or (C, W) with H = 1.

        Raises UnsupportedError when elements would have to change places, except at the input, where the host does it.
        """
        index = view.layout.index
        if index.ndim != axes + 1:
            raise UnsupportedError(
                f"{self._current()}: expects {axes + 2} axes, its operand has {index.ndim + 1}. The model is damaged."
            )
        if axes == 1:
            index = index[:, None, :]
        channels, height, width = index.shape
        return self._framed(view, index.transpose(1, 2, 0), (height, width, channels))

    def _framed(self, view: FloatView, order: npt.NDArray[np.int64], shape: Frame) -> tuple[str, Frame]:
        flat = order.ravel()
        if not (flat == np.arange(flat.size)).all():
            if view.tensor == self.graph_input and self.input_layout is None:
                raise InputLayoutNeeded(flat, shape)
            raise UnsupportedError(
                f"{self._current()}: its operand has been transposed so that elements would have to change places on chip, "
                "which hlsgen does not build. Remove the Transpose, or move it to the input or output."
            )
        return self.builder.reshape(view.tensor, shape), shape

    def rows(self, view: FloatView) -> tuple[str, npt.NDArray[np.int64]]:
        """The view's tensor as a frame (1, T, K) of an ONNX tensor (..., K), and the order of K in it.

        ``order[p]`` is the ONNX position of the frame's channel p: weights are permuted, not data.
        """
        index = view.layout.index
        length = index.shape[-1]
        table = index.reshape(-1, length)
        order = np.argsort(table[0])
        expected = np.arange(index.size).reshape(-1, length)
        frame = (1, len(table), length)
        if (table[:, order] == expected).all():
            return self.builder.reshape(view.tensor, frame), order
        return self._framed(view, table, frame)[0], np.arange(length)

    def framed_constant(self, array: Array, layout: Layout, name: str) -> npt.NDArray[Any]:
        """A constant that broadcasts to the view's ONNX tensor, in frame order: one entry, one per channel or per element.

        ``name``: tensor whose frame decides the channels. Raises NotHardware when the constant would widen the tensor.
        """
        shape = layout.index.shape
        if array.size == 1:
            return array.reshape(1)
        try:
            full = np.broadcast_to(array, (1, *shape))[0]
        except ValueError:
            raise NotHardware(f"its constant of shape {list(array.shape)} does not broadcast to {[1, *shape]}") from None
        flat = np.empty(full.size, full.dtype)
        flat[layout.index.ravel()] = full.ravel()
        if (flat == flat[0]).all():
            return flat[:1]
        channels = self.builder.tensors[name].shape[2]
        per_channel = flat.reshape(-1, channels)
        return per_channel[0].copy() if (per_channel == per_channel[0]).all() else flat

    # ---- closing islands --------------------------------------------------------------------------------------------

    def close(self, view: View, quantizer: Quantizer, output: str, name: str) -> IntValue:
        """Emit what ``quantizer`` makes of ``view``; the integer tensor is called ``output``, the operator ``name``."""
        if isinstance(view, ConcatView):
            return self._close_concat(view, quantizer, output)
        if isinstance(view, JoinView):
            return self._close_join(view, quantizer, output)
        if isinstance(view, ConstantJoinView):
            return self._close_constant_join(view, quantizer, output, name)
        base = view.base
        more = max(len(base.scale), len(base.offset)) if isinstance(base, Accumulated) else 1
        count = closing.constant_count(view.steps, more, quantizer.scale.size)
        x = self.builder.reshape(view.tensor, closing.reframe(self.builder.tensors[view.tensor].shape, count))
        reference = closing.close(view, quantizer, self.builder.tensors[x])
        tensor = self.builder.requantize(name, x, reference, quantizer.type, output)
        return IntValue(tensor, view.layout, quantizer.dtype)

    def _close_join(self, view: JoinView, quantizer: Quantizer, output: str) -> IntValue:
        counts = [
            max(len(operand.base.scale), len(operand.base.offset)) if isinstance(operand.base, Accumulated) else 1
            for operand in (view.a, view.b)
        ]
        steps = (*view.a.steps, *view.b.steps, *view.steps)
        shape = self.builder.tensors[view.a.tensor].shape
        frame = closing.reframe(shape, closing.constant_count(steps, *counts, quantizer.scale.size))
        a, b = (self.builder.reshape(operand.tensor, frame) for operand in (view.a, view.b))
        reference = closing.close_join(view, quantizer, self.builder, a, b)
        tensor = self.builder.join(view.name, a, b, reference, quantizer.type, output)
        return IntValue(tensor, view.layout, quantizer.dtype)

    def _close_constant_join(self, view: ConstantJoinView, quantizer: Quantizer, output: str, name: str) -> IntValue:
        base, constant = view.a.base, view.constant
        clips_only = all(step.clip is not None for step in view.steps)
        if not (
            isinstance(base, Quantized) and quantizer.eight_bit and clips_only
            and base.dtype == constant.dtype == quantizer.dtype
        ):
            from hlsgen.frontend.elementwise import add_constant

            plain = add_constant(self, view.a, constant.floats, 1)
            return self.close(replace(plain, steps=(*plain.steps, *view.steps)), quantizer, output, name)
        integers = self.framed_constant(constant.integers, view.layout, view.a.tensor)
        frame = closing.reframe(self.builder.tensors[view.a.tensor].shape, len(integers))
        x = self.builder.reshape(view.a.tensor, frame)
        reference = closing.close_constant_join(view, integers, quantizer, self.builder.tensors[x])
        tensor = self.builder.requantize(name, x, reference, quantizer.type, output)
        return IntValue(tensor, view.layout, quantizer.dtype)

    def _close_concat(self, view: ConcatView, quantizer: Quantizer, output: str) -> IntValue:
        parts = [
            self.close(part, quantizer, f"{output}:part{number}", view.name) for number, part in enumerate(view.parts)
        ]
        return self.concat([replace_tensor(p, i) for p, i in zip(view.parts, parts, strict=True)], view.axis, output, quantizer.dtype)

    def concat(self, parts: list[FloatView], axis: int, output: str, dtype: str) -> IntValue:
        """Join integer tensors along ONNX axis ``axis`` (batch not counted): channels side by side, or one after another."""
        indices = [part.layout.index for part in parts]
        if axis == 0 and all(index.ndim in (2, 3) for index in indices):
            names = tuple(self.planar(part, part.layout.index.ndim - 1)[0] for part in parts)
            tensor = self.builder.concat(self._current_name(), names, output)
            joined = np.concatenate(indices).shape
            height, width, channels = self.builder.tensors[tensor].shape
            return IntValue(tensor, Layout(Layout.planar(channels, height, width).index.reshape(joined)), dtype)
        if indices[0].ndim == 1 or all(i.shape[:axis] == (1,) * axis for i in indices) or self._whole_rows(parts, axis):
            flat = [self.builder.reshape(part.tensor, (1, 1, part.layout.index.size)) for part in parts]
            starts = np.cumsum([0, *(index.size for index in indices)])
            tensor = self.builder.concat(self._current_name(), tuple(flat), output)
            return IntValue(
                tensor, Layout(np.concatenate([i + s for i, s in zip(indices, starts, strict=False)], axis=axis)), dtype
            )
        if axis == indices[0].ndim - 1:
            rows = [self.rows(part) for part in parts]
            if all((order == np.arange(order.size)).all() for _, order in rows):
                tensor = self.builder.concat(self._current_name(), tuple(name for name, _ in rows), output)
                shape = np.concatenate(indices, axis=axis).shape
                return IntValue(tensor, Layout(np.arange(int(np.prod(shape))).reshape(shape)), dtype)
        raise NotHardware(f"concatenation along axis {axis + 1} would reorder elements on chip, which hlsgen does not build")

    def _whole_rows(self, parts: list[FloatView], axis: int) -> bool:
        """Whether appending frames one after another is a concatenation along the planar height (axis 1 of C, H, W)."""
        return axis == 1 and all(part.layout.index.ndim == 3 for part in parts)

    # ---- the accelerator's input ------------------------------------------------------------------------------------

    def enter(self, name: str, dtype: str, type: QuantType, shape: tuple[int, ...]) -> IntValue:
        """Make the integer ONNX tensor ``name`` (host side) the accelerator's input. ``shape``: without batch axis."""
        if self.graph_input is not None and self.graph_input != name:
            raise UnsupportedError(
                f"{self._current()}: a second tensor ({name!r}) would enter the accelerator beside {self.graph_input!r}. "
                "Quantize the input once, and let both branches start from it."
            )
        size = int(np.prod(shape))
        if self.input_layout is not None:
            index = np.empty(size, np.int64)
            index[self.input_layout.order] = np.arange(size)
            layout, frame = Layout(index.reshape(shape)), self.input_layout.shape
        elif len(shape) in (2, 3):
            channels, height, width = (shape[0], 1, shape[1]) if len(shape) == 2 else shape
            layout = Layout(Layout.planar(channels, height, width).index.reshape(shape))
            frame = (height, width, channels)
        else:
            layout, frame = Layout(np.arange(size).reshape(shape)), (1, 1, size)
        if self.graph_input is None:
            self.graph_input = self.builder.input(name, frame, type)
        return IntValue(name, layout, dtype)

    def record(self, onnx_name: str, value: IntValue, scale: Array, zero_point: int, is_float: bool) -> None:
        """Note which frame holds an ONNX tensor, for reports and comparisons."""
        self.views[onnx_name] = TensorView(
            value.tensor, value.layout, np.asarray(scale, np.float32).reshape(-1), zero_point, is_float
        )

    # ---- host parts -------------------------------------------------------------------------------------------------

    def add_prefix(self, node: Node) -> None:
        """Run ``node``, all of whose inputs are the model's input or constants, before the accelerator."""
        self._host(node, self._prefix, None)

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
            self._host(Node(node.name, op_type, "", inputs, (name,), attributes or {}), self._prefix, None)
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
        self._host(Node(node.name, "Cast", "", (x,), (output,), {"to": int(dtype)}), self._prefix, None)

    def narrow(self, node: Node, value: IntValue, lo: int | None, hi: int | None) -> IntValue:
        """Clip an integer tensor (QCDQ). Where the quantizer before it feeds nothing else, its own bounds become tighter."""
        readers = sum(value_name == node.inputs[0] for other in self.model.nodes for value_name in other.inputs)
        tensor = self.builder.narrow(node.name, value.tensor, lo, hi, node.outputs[0], readers == 1)
        if readers == 1 and value.tensor not in self.builder.tensors:
            self.views.pop(node.inputs[0], None)
        return IntValue(tensor, value.layout, value.dtype)

    def _place_on_host(self, node: Node, reason: str) -> None:
        inputs = [self.values[name] for name in node.inputs if name]
        if all(isinstance(v, Constant | QuantConstant) or (isinstance(v, HostValue) and v.cause is None) for v in inputs):
            self._host(node, self._prefix, None)
            return
        for name in node.inputs:
            if name:
                self._on_host(name)
        causes = [v.cause for v in inputs if isinstance(v, HostValue) and v.cause is not None]
        self._host(node, self._suffix, causes[0] if causes else f"{node}: {reason}")

    def _on_host(self, name: str) -> None:
        """Make the tensor ``name`` available to the host program after the accelerator."""
        value = self.values[name]
        if isinstance(value, Constant):
            self._host_constants[name] = value.array
            return
        if isinstance(value, QuantConstant):
            self._host_constants[name] = value.floats
            return
        if isinstance(value, HostValue):
            return
        if isinstance(value, IntValue):
            self._deliver(name, value.tensor, value.layout, value.dtype)
        elif isinstance(value, FloatView) and isinstance(value.base, Accumulated) and not value.steps:
            self._deliver_accumulator(name, value, value.base)
        elif self._is_quantizer_output(name, value):
            self._deliver_quantized(name, value)
        else:
            node = self._producer[name]
            for operand in node.inputs:
                if operand:
                    self._on_host(operand)
            self._host(node, self._suffix, None)
        computed = self.values[name]
        if not isinstance(computed, HostValue):
            sample = np.zeros((1, *value.layout.index.shape), host_dtype(value))
            self.values[name] = HostValue(sample, f"{self._producer[name]}")
        elif computed.cause is None:
            self.values[name] = replace(computed, cause=f"{self._producer[name]}")

    def _is_quantizer_output(self, name: str, value: Value) -> TypeGuard[FloatView]:
        """Whether a float tensor is a plain dequantized one that no DequantizeLinear of the model produces (QONNX)."""
        plain = isinstance(value, FloatView) and isinstance(value.base, Quantized) and not value.steps
        return plain and self._producer[name].op_type in self.handlers and self._producer[name].op_type != "DequantizeLinear"

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
                (integers, self._host_constant(f"{name}:scale", base.scale), self._host_constant(f"{name}:zero_point", np.int64(base.zero_point))),
                (name,),
            )
        )

    def _deliver_accumulator(self, name: str, view: FloatView, base: Accumulated) -> None:
        integers, real = f"{name}:accumulator", f"{name}:float"
        self._deliver(integers, view.tensor, view.layout, "int32")
        scale, offset = (self._onnx_constant(part, view) for part in (base.scale, base.offset))
        self._suffix.append(HostNode("Cast", (integers,), (real,), {"to": int(onnx.TensorProto.FLOAT)}))
        scaled = name if not offset.any() else f"{name}:scaled"
        self._suffix.append(HostNode("Mul", (real, self._host_constant(f"{name}:scale", scale)), (scaled,)))
        if offset.any():
            self._suffix.append(HostNode("Add", (scaled, self._host_constant(f"{name}:offset", offset)), (name,)))

    def _onnx_constant(self, values: tuple[Any, ...], view: FloatView) -> Array:
        """Exact constants in frame order -> float32 that broadcasts to the ONNX tensor."""
        array = np.array([float(v) for v in values], np.float32)
        if array.size == 1:
            return array.reshape(())
        elements = view.layout.index.size
        return np.tile(array, elements // array.size)[view.layout.index][None]

    def _host_constant(self, name: str, array: Any) -> str:
        self._host_constants[name] = np.asarray(array)
        return name

    def _host(self, node: Node, program: list[HostNode], cause: str | None) -> None:
        """Append ``node`` to a host program and evaluate it on the sample image to learn shapes and types."""
        host_node = self._host_node(node)
        arguments: list[Array | None] = []
        for name in host_node.inputs:
            value = self.values[name] if name and name in self.values else None
            if isinstance(value, Constant | QuantConstant):
                self._host_constants[name] = value.array if isinstance(value, Constant) else value.floats
            if name in self._host_constants:
                arguments.append(self._host_constants[name])
            elif isinstance(value, HostValue):
                arguments.append(value.sample)
            else:
                arguments.append(None if not name else np.zeros((1, *self._shape(value)), np.float32))
        if host_node.op_type not in OPERATORS:
            where = "before the first quantizer" if program is self._prefix else "after the last layer in hardware"
            raise UnsupportedError(
                f"{node}: operator {f'{node.domain}.' if node.domain else ''}{node.op_type} has no hardware in hlsgen and cannot "
                f"run on the CPU {where} either. Remove it from the model, or replace it by supported operators (see docs/operators.md)."
            )
        try:
            with np.errstate(all="ignore"):
                results = OPERATORS[host_node.op_type](arguments, host_node.attributes)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            raise UnsupportedError(
                f"{node}: its attributes or inputs make no sense for the shapes it gets ({error}). The model may be damaged."
            ) from error
        program.append(host_node)
        for name, sample in zip(node.outputs, results, strict=False):
            self.values[name] = HostValue(np.asarray(sample), cause)

    def _host_node(self, node: Node) -> HostNode:
        attributes = dict(node.attributes)
        inputs = node.inputs
        if node.op_type in MOVEMENTS - {"Transpose"}:
            shape = self._onnx_shape(node.inputs[0])
            parameter = self.values.get(node.input(1))
            move = movement(node, shape, parameter.array if isinstance(parameter, Constant) else None)
            moved = move(np.empty(shape, np.int8)).shape
            if not moved or moved[0] != 1:
                raise UnsupportedError(f"{node}: it merges the batch axis with others (result shape {list(moved)}). Keep a leading axis of 1.")
            return HostNode("Reshape", inputs[:1], node.outputs[:1], {"shape": tuple(int(d) for d in moved[1:])})
        for axes_operator in ("ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin"):
            if node.op_type == axes_operator and node.input(1):
                attributes["axes"] = [int(a) for a in np.ravel(self.constant(node, 1))]  # type: ignore[arg-type]
                inputs = inputs[:1]
        if node.op_type in ("Softmax", "LogSoftmax"):
            rank = len(self._onnx_shape(node.inputs[0]))
            attributes["axis"] = int(node.attribute("axis", -1 if self.model.opset >= 13 else 1))
            if self.model.opset < 13 and attributes["axis"] % rank != rank - 1:
                raise UnsupportedError(f"{node}: before operator set 13 it normalises over several axes at once. Export with a newer operator set.")
        if node.op_type == "Clip" and len(inputs) == 1:
            bounds = [node.attribute(key) for key in ("min", "max")]
            names = [
                self._host_constant(f"{node.outputs[0]}:{key}", np.float32(b)) if b is not None else ""
                for key, b in zip(("min", "max"), bounds, strict=True)
            ]
            inputs = (*inputs, *names)
            attributes = {}
        return HostNode(node.op_type, inputs, node.outputs, attributes, node.domain)

    # ---- constants --------------------------------------------------------------------------------------------------

    def _fold(self, node: Node) -> bool:
        """Evaluate a node whose inputs are all constants, or that asks for a shape. Quantizers keep their own handlers."""
        if node.op_type == "Shape":
            self.values[node.outputs[0]] = Constant(np.array(self._onnx_shape(node.inputs[0]), np.int64))
            return True
        if node.op_type == "Constant":
            self.values[node.outputs[0]] = Constant(_constant_value(node))
            return True
        values = [self.values[name] for name in node.inputs if name]
        if not all(isinstance(value, Constant | QuantConstant) for value in values) or self.handlers.get(node.op_type, ("",))[0]:
            return False
        first = values[0] if values else None
        if isinstance(first, QuantConstant) and node.op_type == "Clip":
            bounds = [self.constant(node, i) for i in (1, 2)]
            self.values[node.outputs[0]] = replace(first, integers=np.clip(first.integers, *bounds))
            return True
        if isinstance(first, QuantConstant) and node.op_type in MOVEMENTS:
            parameter = self.values.get(node.input(1))
            move = movement(node, first.shape, parameter.array if isinstance(parameter, Constant) else None)
            self.values[node.outputs[0]] = first.moved(move)
            return True
        arrays = {
            name: value.array if isinstance(value, Constant) else value.floats
            for name in node.inputs
            if name and isinstance(value := self.values[name], Constant | QuantConstant)
        }
        for name, array in zip(node.outputs, self._evaluate(node, arrays), strict=False):
            self.values[name] = Constant(np.asarray(array))
        return True

    def _evaluate(self, node: Node, arrays: dict[str, Array]) -> list[Array]:
        proto = helper.make_node(node.op_type, node.inputs, node.outputs, domain=node.domain, **node.attributes)
        graph = helper.make_graph(
            [proto],
            "constant",
            [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in arrays.items()],
            [helper.make_empty_tensor_value_info(n) for n in node.outputs if n],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.model.opset)])
        try:
            return [np.asarray(a) for a in ReferenceEvaluator(model).run(None, arrays)]
        except Exception as error:
            # the evaluator raises whatever its operators raise; a damaged or unknown constant operator is the model's fault
            raise UnsupportedError(
                f"{node}: this operator on constants cannot be evaluated ({type(error).__name__}). "
                "Simplify the model (for example with onnxsim) or export it again."
            ) from error

    # ---- small things -----------------------------------------------------------------------------------------------

    def _shape(self, value: Value | None) -> tuple[int, ...]:
        if isinstance(value, HostValue):
            return value.sample.shape[1:]
        if isinstance(value, IntValue | FloatView | JoinView | ConstantJoinView | ConcatView):
            return value.layout.index.shape
        return ()

    def _onnx_shape(self, name: str) -> tuple[int, ...]:
        value = self.values[name]
        return value.shape if isinstance(value, Constant | QuantConstant) else (1, *self._shape(value))

    def _current(self) -> str:
        return str(self.model.nodes[self._position])

    def _current_name(self) -> str:
        return self.model.nodes[self._position].name

    def _nothing_to_build(self) -> str:
        causes = [v.cause for v in self.values.values() if isinstance(v, HostValue) and v.cause]
        quantizers = {"QuantizeLinear", "DequantizeLinear", "Quant", "BipolarQuant", "QLinearConv", "QLinearMatMul"}
        if not any(node.op_type in quantizers for node in self.model.nodes):
            first = next((n for n in self.model.nodes if n.op_type in ("Conv", "Gemm", "MatMul")), self.model.nodes[0])
            return (
                f"{self.model.name}: {first} works on floating point, and the model has no quantizer at all. hlsgen takes models that "
                "are already quantized: quantize it first, for example with onnxruntime.quantization.quantize_static or Brevitas."
            )
        detail = f" The first obstacle: {causes[0]}." if causes else ""
        return (
            f"{self.model.name}: no layer has quantized activations and quantized constant weights, so there is nothing to accelerate.{detail} "
            "Quantize both activations and weights of Conv, Gemm and MatMul layers."
        )

    def _graph(self) -> Graph:
        suffix_nodes = tuple(_needed(self._suffix, self.model.outputs))
        prefix_nodes = tuple(self._prefix)
        assert self.graph_input is not None
        names = {n for node in (*prefix_nodes, *suffix_nodes) for n in node.inputs}
        constants = {n: a for n, a in self._host_constants.items() if n in names or n in self.model.outputs}
        deliveries = tuple(
            name for name in self._deliveries if name in self.model.outputs or any(name in n.inputs for n in suffix_nodes)
        )
        shapes = {self.model.input.name: self.model.input.shape, self.graph_input: self.views[self.graph_input].layout.index.shape}
        dtypes = {self.model.input.name: self.model.input.dtype.name}
        for name in (*self.model.outputs, *deliveries):
            value = self.values.get(name)
            shapes[name] = self.views[name].layout.index.shape if name in self.views else self._shape(value)
            if name in self._delivery_types:
                dtypes[name] = self._delivery_types[name]
            elif isinstance(value, HostValue):
                dtypes[name] = value.sample.dtype.name
        prefix_names = {n for node in prefix_nodes for n in node.inputs}
        graph = Graph(
            name=self.model.name,
            input=self.graph_input,
            outputs=[t for t in self.outputs if any(self._deliveries[d] == t for d in deliveries)],
            tensors=self.builder.tensors,
            ops=self.builder.ops,
            prefix=HostProgram(
                prefix_nodes,
                {n: a for n, a in constants.items() if n in prefix_names},
                (self.model.input.name,),
                (self.graph_input,),
                shapes,
                dtypes,
            ),
            suffix=HostProgram(suffix_nodes, constants, deliveries, tuple(self.model.outputs), shapes, dtypes),
            views=self.views,
            form="+".join(sorted(self.forms)),
            notes=list(self.model.notes),
        )
        return prune(graph)


def host_dtype(value: View | IntValue) -> np.dtype[Any]:
    """NumPy type in which the host program sees a tensor (types below 8 bits have none of their own)."""
    if not isinstance(value, IntValue):
        return np.dtype(np.float32)
    return np.dtype({"int2": "int8", "int4": "int8", "uint2": "uint8", "uint4": "uint8", "": "int64"}.get(value.dtype, value.dtype))


def replace_tensor(view: FloatView, value: IntValue) -> FloatView:
    """``view`` over another integer tensor of the same layout."""
    return replace(view, tensor=value.tensor, layout=value.layout)


def prune(graph: Graph) -> Graph:
    """Drop operators whose results nothing uses (branches that ended on the CPU's side)."""
    needed = set(graph.outputs)
    kept = []
    for op in reversed(graph.ops):
        if op.output in needed:
            needed |= set(op.inputs)
            kept.append(op)
    needed.add(graph.input)
    graph.ops = kept[::-1]
    graph.tensors = {name: tensor for name, tensor in graph.tensors.items() if name in needed}
    graph.views = {name: view for name, view in graph.views.items() if view.tensor in needed}
    graph.check()
    return graph


def _needed(nodes: list[HostNode], outputs: list[str]) -> list[HostNode]:
    """Nodes that contribute to ``outputs``, each once, in order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.outputs) and not any(node.outputs == other.outputs for other in kept):
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]


def _constant_value(node: Node) -> Array:
    for key in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if key in node.attributes:
            dtype = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}.get(key)
            return np.asarray(node.attributes[key], dtype)
    raise UnsupportedError(f"{node}: a Constant of this kind (sparse or text) is not supported. Use a plain tensor.")
