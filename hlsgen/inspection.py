"""What a model consists of and what of it would run where, without building it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlsgen import frontend
from hlsgen import plan as plans
from hlsgen.exact.solve import solve
from hlsgen.exact.units import Unit
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Conv, Join, Requantize
from hlsgen.lower.layers import Layer, layers
from hlsgen.lower.mapping import lower

AXI_BITS = 64
"""Any width will do: whether a model can be built does not depend on it."""


@dataclass(frozen=True)
class Row:
    """One layer in hardware. ``macs``: multiply-accumulates per image; ``unit``: the cheapest exact one."""

    name: str
    kind: str
    output: str
    type: str
    weights: str
    macs: int
    unit: str


@dataclass(frozen=True)
class Inspection:
    """A model that can be built."""

    headline: str
    partition: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)


def inspect(model: str | Path) -> Inspection:
    """Examine ``model`` as far as choosing kernels. Raises the HlsgenError that a build would."""
    graph = frontend.load(model)
    units = solve(graph)
    lower(graph, units, plans.smallest(graph, units), AXI_BITS)
    rows = tuple(_row(layer, graph, units) for layer in layers(graph))
    return Inspection(headline(graph), partition(graph), rows, tuple(graph.notes))


def headline(graph: Graph) -> str:
    """Name, form and size of a network in one line."""
    return f"{graph.name}: {graph.form or 'integer'} model, {graph.macs():,} MACs per image"


def partition(graph: Graph) -> str:
    """What runs where, in one line: before the accelerator, in it, after it."""
    prefix = " ".join(node.op_type for node in graph.prefix.nodes) or "nothing"
    suffix = " ".join(node.op_type for node in graph.suffix.nodes) or "nothing"
    return f"CPU: {prefix} | hardware: {listed(Counter(type(op).__name__ for op in graph.ops))} | CPU: {suffix}"


def listed(counts: Mapping[str, int]) -> str:
    """``2 this, 1 that``, the most frequent first."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _row(layer: Layer, graph: Graph, units: Mapping[str, tuple[Unit, ...]]) -> Row:
    op, closing = layer.op, layer.requantize
    result = graph.tensors[closing.output if closing is not None else op.output]
    united = closing if closing is not None else op if isinstance(op, Join | Requantize) else None
    weights, macs = "", 0
    if isinstance(op, Conv):
        height, width, _ = graph.tensors[op.output].shape
        macs = height * width * op.weight.size
        weights = f"{'x'.join(map(str, op.weight.shape))} {int(op.weight.min())}..{int(op.weight.max())}"
    kind = type(op).__name__ + (" + Requantize" if closing is not None else "")
    unit = units[united.output][0].kind if united is not None else ""
    return Row(op.name, kind, "x".join(map(str, result.shape)), str(result.type), weights, macs, unit)
