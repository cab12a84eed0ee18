"""Layers: the operators of a graph as a plan sees them, a sum together with the function that closes it."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.graph.graph import Frame, Graph
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Op, Requantize, Reshape, SumPool
from hlsgen.lower.names import identifiers


@dataclass(frozen=True, eq=False)
class Layer:
    """One entry of a plan. ``name`` is an identifier, safe in every language; ``op.name`` is the model's own text.

    ``requantize`` is the function that closes the layer's sum where nothing else reads that sum, else None.
    """

    name: str
    op: Op
    requantize: Requantize | None = None


def layers(graph: Graph) -> tuple[Layer, ...]:
    """The layers of ``graph`` in topological order. Every operator but Reshape belongs to exactly one."""
    consumers = graph.consumers()
    closing: dict[str, Requantize] = {}
    for op in graph.ops:
        if isinstance(op, Conv | SumPool):
            readers = consumers[op.output]
            if len(readers) == 1 and isinstance(readers[0], Requantize) and op.output not in graph.outputs:
                closing[op.output] = readers[0]
    closed = {id(requantize) for requantize in closing.values()}
    bodies = [op for op in graph.ops if not isinstance(op, Reshape) and id(op) not in closed]
    names = identifiers([op.name for op in bodies], [type(op).__name__.lower() for op in bodies])
    return tuple(Layer(name, op, closing.get(op.output)) for name, op in zip(names, bodies, strict=True))


def needs_window(geometry: Geometry, frame: Frame, by_channel: bool) -> bool:
    """Whether a sliding window must reorder the stream of ``frame`` for an operator of this geometry.

    A single tap at every pixel needs none; nor does one window that is the whole frame (a dense layer over a frame, a
    global pool), because the frame's own order is the window's. ``by_channel``: the consumer wants all taps of one
    channel tile before the next tile (depthwise and grouped kernels), which a frame of several pixels does not give.
    """
    if geometry.trivial:
        return False
    height, width, channels = frame
    whole = geometry.kernel == (height, width) and geometry.dilations == (1, 1) and not any(geometry.pads)
    return not whole or (by_channel and channels > 1 and height * width > 1)


def is_depthwise(conv: Conv) -> bool:
    """One filter per channel: the kernel is ``depthwise``. A single channel is an ordinary convolution."""
    return conv.groups == len(conv.weight) > 1 and conv.weight.shape[-1] == 1


def describe(layer: Layer, graph: Graph) -> str:
    """One line on what the layer computes, without the model's own text, for comments and plans."""
    op = layer.op
    shapes = " + ".join(_frame(graph.tensors[name].shape) for name in op.inputs)
    shapes += f" -> {_frame(graph.tensors[op.output].shape)}"
    match op:
        case Conv():
            kind = "depthwise convolution" if is_depthwise(op) else "convolution"
            if op.groups > 1 and not is_depthwise(op):
                kind = f"convolution in {op.groups} groups"
            if op.geometry.kernel == (1, 1) and graph.tensors[op.inputs[0]].shape[:2] == (1, 1):
                kind = "dense"
            text = kind if kind == "dense" else f"{kind} {_geometry(op.geometry)}"
        case MaxPool():
            text = f"max pool {_geometry(op.geometry)}"
        case SumPool():
            text = f"average pool {_geometry(op.geometry)}"
        case Concat():
            text = "concat"
        case Join():
            text = "join"
        case _:
            text = "requantize"
    closing = layer.requantize
    types = " + ".join(str(graph.tensors[name].type) for name in op.inputs)
    result = graph.tensors[closing.output if closing else op.output]
    return f"{text}, {shapes}, {types} -> {result.type}"


def _geometry(geometry: Geometry) -> str:
    text = f"{geometry.kernel[0]}x{geometry.kernel[1]}"
    if geometry.strides != (1, 1):
        text += f" stride {geometry.strides[0]}x{geometry.strides[1]}"
    if geometry.dilations != (1, 1):
        text += f" dilation {geometry.dilations[0]}x{geometry.dilations[1]}"
    if any(geometry.pads):
        text += " pads {},{},{},{}".format(*geometry.pads)
    return text


def _frame(shape: Frame) -> str:
    return "x".join(map(str, shape))
