"""The island tracer: walks a model once, carrying for each tensor what it stands for, and builds the integer graph.

Forms of quantization (qdq, qoperator, qonnx) and float operators are tables of small functions ``handler(tracer,
node)``.
A handler either sets the node's outputs, or raises ``NotHardwareError``: then the node runs on the CPU, provided
nothing after it needs hardware again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.errors import ModelError, UnsupportedError
from hlsgen.frontend import closing
from hlsgen.frontend.builder import GraphBuilder
from hlsgen.frontend.constants import constant_value, evaluate
from hlsgen.frontend.host_parts import HostParts
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
    NotHardwareError,
    PendingMax,
    QuantConstant,
    Quantized,
    Quantizer,
    Value,
    View,
)
from hlsgen.graph.graph import Frame, Graph, Layout
from hlsgen.graph.graph import View as TensorView
from hlsgen.graph.types import QuantType

Array = npt.NDArray[Any]
Handler = Callable[["Tracer", Node], None]


class InputLayoutNeededError(Exception):
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
    """State of one walk.

    ``tail``: names of nodes after which no heavy node follows; ``input_layout``: see InputLayoutNeededError.
    """

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
        self.host = HostParts(model, self.values, self.views, frozenset(handlers))
        self._position = 0
        sample = np.zeros((1, *model.input.shape), model.input.dtype)
        self.values[model.input.name] = HostValue(sample, None)

    # ---- the walk ---------------------------------------------------------------------------------------------------

    def walk(self) -> Graph:
        """Trace all nodes and return the graph. Raises UnsupportedError naming the node that has no place."""
        for position, node in enumerate(self.model.nodes):
            self._position = position
            try:
                self._visit(node)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                # attributes and constants of a damaged file may be anything; nothing checks them all beforehand
                raise ModelError(
                    f"{node} makes no sense ({type(error).__name__}: {error}). The file may be damaged; export it "
                    "again. If onnx.checker accepts it, please report it."
                ) from error
        if not self.heavy or self.graph_input is None:
            raise UnsupportedError(self._nothing_to_build())
        for name in self.model.outputs:
            if name not in self.values:
                raise UnsupportedError(f"The model's output {name!r} is computed by no node. The model is damaged.")
            self.host.bring(name)
        return prune(self.host.graph(self))

    def _visit(self, node: Node) -> None:
        if self._fold(node):
            return
        form, handler = self.handlers.get(node.op_type, ("", None))
        if handler is None:
            self.host.place(node, "it has no hardware")
            return
        try:
            handler(self, node)
        except NotHardwareError as reason:
            self.host.place(node, str(reason))
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
        """The constant array at an input; None where it is left out. Raises NotHardwareError if it is not constant."""
        value = self.value(node, index)
        if value is None:
            return None
        if isinstance(value, QuantConstant):
            return value.floats
        if not isinstance(value, Constant):
            raise NotHardwareError(f"its input {node.input(index)!r} is not a constant")
        return value.array

    def view(self, node: Node, index: int) -> FloatView:
        """The view of one integer tensor at an input. Raises NotHardwareError for anything else."""
        value = self.value(node, index)
        if isinstance(value, FloatView):
            return value
        raise NotHardwareError(self.why_not(value))

    def refuse_host(self, node: Node, index: int) -> None:
        """Raise UnsupportedError if a layer with quantized weights reads what the CPU computes after the
        accelerator.
        """
        value = self.value(node, index)
        if isinstance(value, HostValue) and value.cause is not None:
            raise UnsupportedError(
                f"{value.cause} has to run in floating point on the CPU ({value.reason}), but {node} after it has "
                "quantized weights and needs the accelerator again. Only what precedes the first quantizer or follows "
                f"the last layer can run on the CPU: replace the operator, or cut the model before {node.name!r}."
            )

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
        """``view`` as a plain quantized tensor. Clips after the dequantizer become a table. Raises NotHardwareError."""
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
        raise NotHardwareError(
            "its operand is a sum or a scaled tensor that no quantizer has closed; put a quantizer "
            "(QuantizeLinear or Quant) before it"
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
                elements = np.argsort(self.views[view.tensor].layout.index.ravel())
                raise InputLayoutNeededError(elements[flat], shape)
            raise UnsupportedError(
                f"{self._current()}: its operand has been transposed so that elements would have to change places "
                "on chip, "
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
        """A constant that broadcasts to the view's ONNX tensor, in frame order.

        One entry, one per channel or one per element; ``name`` is the tensor whose frame decides the channels.
        Raises NotHardwareError when the constant would widen the tensor.
        """
        shape = layout.index.shape
        if array.size == 1:
            return array.reshape(1)
        try:
            full = np.broadcast_to(array, (1, *shape))[0]
        except ValueError:
            raise NotHardwareError(
                f"its constant of shape {list(array.shape)} does not broadcast to {[1, *shape]}"
            ) from None
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
        if view.pool is not None:
            return self._close_pooled(view, view.pool, quantizer, output, name)
        base = view.base
        more = max(len(base.scale), len(base.offset)) if isinstance(base, Accumulated) else 1
        count = closing.constant_count(view.steps, more, quantizer.scale.size)
        x = self.builder.reshape(view.tensor, closing.reframe(self.builder.tensors[view.tensor].shape, count))
        reference = closing.close(view, quantizer, self.builder.tensors[x])
        tensor = self.builder.requantize(name, x, reference, quantizer.type, output)
        return IntValue(tensor, view.layout, quantizer.dtype)

    def _close_pooled(
        self, view: FloatView, pool: PendingMax, quantizer: Quantizer, output: str, name: str
    ) -> IntValue:
        """Quantize every element, then take the maximum of integers: what follows the pool must not decrease."""
        frame = self.builder.tensors[view.tensor].shape
        if not all(step.grows and step.channels <= frame[2] for step in view.steps[pool.steps :]):
            raise NotHardwareError(
                f"the function between {pool.name!r} and its quantizer may decrease; put a quantizer before the pool"
            )
        closed = self.close(replace(view, pool=None), quantizer, f"{output}:unpooled", name)
        x = self.builder.reshape(closed.tensor, frame)
        return IntValue(self.builder.maxpool(pool.name, x, pool.geometry, output), view.layout, quantizer.dtype)

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
            isinstance(base, Quantized)
            and quantizer.eight_bit
            and clips_only
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
        return self.concat(
            [replace_tensor(p, i) for p, i in zip(view.parts, parts, strict=True)], view.axis, output, quantizer.dtype
        )

    def concat(self, parts: list[FloatView], axis: int, output: str, dtype: str) -> IntValue:
        """Join integer tensors along ONNX axis ``axis`` (batch not counted): channels side by side, or one after
        another.
        """
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
        raise NotHardwareError(
            f"concatenation along axis {axis + 1} would reorder elements on chip, which hlsgen does not build"
        )

    def _whole_rows(self, parts: list[FloatView], axis: int) -> bool:
        """Whether appending frames one after another is a concatenation along the planar height (axis 1 of C, H, W)."""
        return axis == 1 and all(part.layout.index.ndim == 3 for part in parts)

    # ---- the accelerator's input ------------------------------------------------------------------------------------

    def enter(self, name: str, dtype: str, type: QuantType, shape: tuple[int, ...]) -> IntValue:
        """Make the integer ONNX tensor ``name`` (host side) the accelerator's input. ``shape``: without batch axis."""
        if self.graph_input is not None and self.graph_input != name:
            raise UnsupportedError(
                f"{self._current()}: a second tensor ({name!r}) would enter the accelerator beside "
                f"{self.graph_input!r}. "
                "Quantize the input once, and let both branches start from it."
            )
        size = int(np.prod(shape))
        if name in self.views:
            return IntValue(name, self.views[name].layout, dtype)
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

    def narrow(self, node: Node, value: IntValue, lo: int | None, hi: int | None) -> IntValue:
        """Clip an integer tensor (QCDQ).

        Where the quantizer before it feeds nothing else, its own bounds become tighter. A quantizer that changed
        nothing has no tensor of its own: what it shares with others stays as it is.
        """
        readers = sum(name == node.inputs[0] for other in self.model.nodes for name in other.inputs)
        alone = readers == 1 and value.tensor == node.inputs[0] and node.inputs[0] not in self.model.outputs
        tensor = self.builder.narrow(node.name, value.tensor, lo, hi, node.outputs[0], alone)
        if alone and value.tensor not in self.builder.tensors:
            self.views.pop(node.inputs[0], None)
        return IntValue(tensor, value.layout, value.dtype)

    # ---- constants --------------------------------------------------------------------------------------------------

    # ---- constants ---------------------------------------------------------------------------------------------------

    def _fold(self, node: Node) -> bool:
        """Evaluate a node whose inputs are all constants, or that asks for a shape.

        Quantizers keep their own handlers.
        """
        if node.op_type == "Shape":
            self.values[node.outputs[0]] = Constant(np.array(self.host.onnx_shape(node.inputs[0]), np.int64))
            return True
        if node.op_type == "Constant":
            self.values[node.outputs[0]] = Constant(constant_value(node))
            return True
        values = [self.values[name] for name in node.inputs if name]
        if (
            not all(isinstance(value, Constant | QuantConstant) for value in values)
            or self.handlers.get(node.op_type, ("",))[0]
        ):
            return False
        first = values[0] if values else None
        if isinstance(first, QuantConstant) and node.op_type == "Clip":
            bounds = [self.constant(node, i) for i in (1, 2)]
            self.values[node.outputs[0]] = replace(first, integers=np.clip(first.integers, bounds[0], bounds[1]))
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
        for name, array in zip(node.outputs, evaluate(node, arrays, self.model.opset), strict=False):
            self.values[name] = Constant(np.asarray(array))
        return True

    # ---- small things -----------------------------------------------------------------------------------------------

    def _current(self) -> str:
        return str(self.model.nodes[self._position])

    def _current_name(self) -> str:
        return self.model.nodes[self._position].name

    def _nothing_to_build(self) -> str:
        causes = [v.cause for v in self.values.values() if isinstance(v, HostValue) and v.cause]
        detail = f" The first obstacle: {causes[0]}." if causes else ""
        return (
            f"{self.model.name}: no layer has quantized activations and quantized constant weights, so there is "
            f"nothing to accelerate.{detail} Quantize both activations and weights of Conv, Gemm and MatMul layers."
        )


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
