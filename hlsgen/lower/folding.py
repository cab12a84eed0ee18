"""Folding: how much of a layer is computed at once, and which values of it are legal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import Protocol

import numpy as np

from hlsgen.exact.units import Unit
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Requantize, SumPool
from hlsgen.graph.types import BIPOLAR, INT8, IntArray, QuantType
from hlsgen.kernels.base import divisors
from hlsgen.kernels.matvec import Mac
from hlsgen.lower.layers import Layer, is_depthwise, needs_window

Units = Mapping[str, tuple[Unit, ...]]
"""Exact units, cheapest first, by the output tensor of the Requantize or Join they serve."""


@dataclass(frozen=True)
class Folding:
    """What the plan chooses for one layer; each layer reads the fields that it has (see ``legal``).

    ``pe``: sums computed at a time. ``lanes``: channels per beat at the layer's input. ``taps``: window taps per beat,
    so that a MAC layer multiplies ``pe * lanes * taps`` pairs per cycle. ``mac``: how it multiplies.
    ``requant_lanes``: elements per cycle of the closing function. ``unit``: its arithmetic, by name; None takes the
    cheapest exact one.
    """

    pe: int = 1
    lanes: int = 1
    taps: int = 1
    mac: Mac | None = None
    requant_lanes: int = 1
    unit: str | None = None


class Foldings(Protocol):
    """What ``lower`` asks of a plan."""

    def folding(self, layer: str) -> Folding:
        """The folding of the layer with this identifier."""


def legal(
    layer: Layer, graph: Graph, types: Mapping[str, QuantType], units: Units | None = None
) -> dict[str, tuple[int | str, ...]]:
    """The fields of ``Folding`` that the layer has, each with its legal values in ascending order of size.

    ``types``: ``stream_types(graph)``. ``units`` adds the names of the exact units; without it the field ``unit`` is
    left out. Every combination is legal but an odd ``pe`` with ``dsp2``. Numbers are divisors of what they divide up,
    so that no lane ever idles.
    """
    op = layer.op
    source = graph.tensors[op.inputs[0]]
    fields: dict[str, tuple[int | str, ...]] = {}
    match op:
        case Conv():
            fields["pe"] = tuple(divisors(len(op.weight) if is_depthwise(op) else len(op.weight) // op.groups))
            if not is_depthwise(op):
                fields["lanes"] = tuple(divisors(op.weight.shape[-1]))
            fields["taps"] = _taps(op.geometry, needs_window(op.geometry, source.shape, op.groups > 1))
            fields["mac"] = tuple(mac.name.lower() for mac in macs(op, types[source.name]))
        case MaxPool() | SumPool():
            fields["lanes"] = tuple(divisors(source.shape[2]))
            fields["taps"] = _taps(op.geometry, needs_window(op.geometry, source.shape, by_channel=False))
        case Concat():
            fields["lanes"] = tuple(divisors(gcd(*(graph.tensors[name].shape[2] for name in op.inputs))))
        case Join():
            fields["lanes"] = tuple(divisors(source.shape[2]))
    closing = op if isinstance(op, Requantize) else layer.requantize
    if closing is not None:
        fields["requant_lanes"] = tuple(divisors(graph.tensors[closing.output].shape[2]))
    united = closing or (op if isinstance(op, Join) else None)
    if united is not None and units is not None:
        fields["unit"] = tuple(dict.fromkeys(unit.kind for unit in units[united.output]))
    return fields


def macs(conv: Conv, type: QuantType) -> tuple[Mac, ...]:
    """The multipliers a MAC layer may use for a stream of ``type``, the natural one first.

    XNOR where both operands are bipolar; otherwise a DSP for products of more than 4 by 4 bits, LUTs below. ``DSP2``
    computes pairs of outputs that share their inputs, so it needs an even ``pe`` and is none for depthwise layers.
    """
    input_type = padded_type(type, conv.geometry, conv.zero_point)
    weights = weight_type(conv, Mac.LUT)
    if input_type.bipolar and weights.bipolar:
        return (Mac.XNOR, Mac.LUT)
    plain = (Mac.DSP, Mac.LUT) if input_type.bits > 4 and weights.bits > 4 else (Mac.LUT, Mac.DSP)
    small = input_type.bits <= 8 and not input_type.bipolar and INT8.contains(*_ends(conv.weight))
    paired = not is_depthwise(conv) and len(conv.weight) // conv.groups % 2 == 0
    return (*plain, Mac.DSP2) if small and paired else plain


def weight_type(conv: Conv, mac: Mac) -> QuantType:
    """The smallest type of the weights: bipolar if all are -1 or +1 (which no DSP pairs), else two's complement."""
    if mac is not Mac.DSP2 and bool(np.all(np.abs(conv.weight) == 1)):
        return BIPOLAR
    return QuantType.for_range(*_ends(conv.weight))


def padded_type(type: QuantType, geometry: Geometry, pad_value: int) -> QuantType:
    """The type of a window over elements of ``type``: wide enough for the padding (0 is no bipolar value)."""
    if not any(geometry.pads) or (pad_value in (-1, 1) if type.bipolar else type.contains(pad_value, pad_value)):
        return type
    return QuantType.for_range(min(type.min, pad_value), max(type.max, pad_value))


def _taps(geometry: Geometry, window: bool) -> tuple[int, ...]:
    rows, columns = geometry.kernel
    return tuple(sorted({1, columns, rows * columns})) if window else (1,)


def _ends(values: IntArray) -> tuple[int, int]:
    return int(values.min()), int(values.max())
