"""ONNX to Graph. One entry: ``load``."""

from __future__ import annotations

from pathlib import Path

from hlsgen.errors import UnsupportedError
from hlsgen.frontend import elementwise, layers, qdq, qonnx, qoperator
from hlsgen.frontend.model import Model, read
from hlsgen.frontend.tracer import Handler, InputLayout, InputLayoutNeededError, Tracer
from hlsgen.graph.graph import Graph

HANDLERS: dict[str, tuple[str, Handler]] = {
    **elementwise.HANDLERS,
    **layers.HANDLERS,
    **qdq.HANDLERS,
    **qoperator.HANDLERS,
    **qonnx.HANDLERS,
}


def load(path: str | Path) -> Graph:
    """Read a quantized ONNX model and return its integer graph.

    Raises ModelError for a file that is not a readable static model, UnsupportedError for a node that has no place.
    """
    return trace(read(Path(path)))


def trace(model: Model) -> Graph:
    """The graph of a model that has been read.

    The model is walked twice: the first walk learns which nodes are multiply-accumulates, joins or pools on integers,
    so that the second knows what follows the last of them and leaves it to the CPU.
    """
    quantizers = {name for name, (form, _) in HANDLERS.items() if form}
    if not any(node.op_type in quantizers for node in model.nodes):
        first = next((n for n in model.nodes if n.op_type in ("Conv", "Gemm", "MatMul")), model.nodes[0])
        raise UnsupportedError(
            f"{model.name}: {first} works on floating point, and the model has no quantizer at all. hlsgen takes "
            "models that are already quantized: quantize it first, for example with "
            "onnxruntime.quantization.quantize_static or Brevitas."
        )
    layout: InputLayout | None = None
    tail: frozenset[int] = frozenset()
    passes = 0
    while True:
        tracer = Tracer(model, HANDLERS, tail, layout)
        try:
            graph = tracer.walk()
        except InputLayoutNeededError as needed:
            layout = InputLayout(needed.order, needed.shape)
            continue
        passes += 1
        if passes == 2:
            return graph
        tail = _tail(model, tracer.heavy)


def _tail(model: Model, heavy: set[int]) -> frozenset[int]:
    """Positions of nodes from which no heavy node can be reached (a heavy node itself is not in the tail)."""
    wanted: set[str] = set()
    tail = set()
    for position in range(len(model.nodes) - 1, -1, -1):
        node = model.nodes[position]
        if position in heavy or wanted & set(node.outputs):
            wanted |= set(node.inputs)
        else:
            tail.add(position)
    return frozenset(tail)
