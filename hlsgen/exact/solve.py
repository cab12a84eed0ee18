"""Entry of the package: all exact hardware units of a graph."""

from __future__ import annotations

from hlsgen.errors import UnsupportedError
from hlsgen.exact.bounds import accumulator_bounds
from hlsgen.exact.joins import join_units
from hlsgen.exact.requantize import requant_units
from hlsgen.exact.units import Unit
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Join, Requantize
from hlsgen.graph.types import QuantType


def solve(graph: Graph) -> dict[str, tuple[Unit, ...]]:
    """Every exact unit of each Requantize and Join operator, keyed by its output tensor, cheapest first, never empty.

    Each unit is proved for the whole layer and for every input within the bounds that weights and input range leave.
    Raises UnsupportedError, naming the node, if no unit exists.
    """
    units: dict[str, tuple[Unit, ...]] = {}
    for op in graph.ops:
        if isinstance(op, Requantize):
            lo, hi = accumulator_bounds(graph, op)
            units[op.output] = requant_units(op.reference, lo, hi)
            reach = int(lo.min()), int(hi.max())
        elif isinstance(op, Join):
            a, b = (graph.tensors[name] for name in op.inputs)
            units[op.output] = join_units(op.reference, (a.lo, a.hi), (b.lo, b.hi))
            reach = min(a.lo, b.lo), max(a.hi, b.hi)
        else:
            continue
        if not units[op.output]:
            bits = QuantType.for_range(*reach).bits
            raise UnsupportedError(
                f"node {op.name!r}: no integer unit of at most 63 bits reproduces its rounding exactly for inputs of "
                f"{bits} bits. Use scales that are powers of two, or narrower weights, inputs or outputs."
            )
    return units
