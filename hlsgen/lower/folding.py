"""Folding: how much of a layer is computed at once, and which values of it are legal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Protocol

import numpy as np

from hlsgen.exact.units import Float24Unit, FloatJoinUnit, LinearJoinUnit, ScaleUnit, TableUnit, ThresholdUnit, Unit
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Requantize, SumPool
from hlsgen.graph.types import BIPOLAR, INT8, IntArray, QuantType
from hlsgen.kernels.base import RamStyle, divisors
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.requant import shares_multipliers
from hlsgen.lower.layers import Layer, is_depthwise, needs_window

Units = Mapping[str, tuple[Unit, ...]]
"""Exact units, cheapest first, by the output tensor of the Requantize or Join they serve."""

WEIGHT_MEMORIES = ("block", "distributed")
"""Values of ``RamStyle`` for weights and rows: block RAM, or LUTs."""


@dataclass(frozen=True)
class Folding:
    """What the plan chooses for one layer; each layer reads the fields that it has (see ``legal``).

    ``pe``: sums computed at a time. ``lanes``: channels per beat at the layer's input. ``taps``: window taps per beat,
    so that a MAC layer multiplies ``pe * lanes * taps`` pairs per cycle. ``mac``: how it multiplies. ``memory``: where
    its weights are. ``line_memory``: where its window keeps rows.
    ``requant_lanes``: elements that the closing function takes at a time, in ``passes`` cycles. ``unit``: its
    arithmetic, by name; None takes the cheapest exact one. ``requant_mac``: what multiplies in it (or in a join),
    ``requant_memory``: where its tables are.
    """

    pe: int = 1
    lanes: int = 1
    taps: int = 1
    mac: Mac | None = None
    memory: RamStyle = RamStyle.BLOCK
    line_memory: RamStyle = RamStyle.BLOCK
    requant_lanes: int = 1
    unit: str | None = None
    passes: int = 1
    requant_mac: Mac = Mac.DSP
    requant_memory: RamStyle = RamStyle.DISTRIBUTED


class Foldings(Protocol):
    """What ``lower`` asks of a plan."""

    def folding(self, layer: str) -> Folding:
        """The folding of the layer with this identifier."""


def legal(
    layer: Layer, graph: Graph, types: Mapping[str, QuantType], units: Units | None = None
) -> dict[str, tuple[int | str, ...]]:
    """The fields of ``Folding`` that the layer has, each with its legal values, the default first.

    ``types``: ``stream_types(graph)``. ``units`` adds the fields that depend on the exact units: ``unit``, ``passes``,
    ``requant_mac`` and ``requant_memory``. Numbers are divisors of what they divide up, so that no lane ever idles.
    Every combination is legal for which ``conflict`` is None.
    """
    op = layer.op
    source = graph.tensors[op.inputs[0]]
    fields: dict[str, tuple[int | str, ...]] = {}
    window = False
    match op:
        case Conv():
            fields["pe"] = tuple(divisors(len(op.weight) if is_depthwise(op) else len(op.weight) // op.groups))
            if not is_depthwise(op):
                fields["lanes"] = tuple(divisors(op.weight.shape[-1]))
            window = needs_window(op.geometry, source.shape, op.groups > 1)
            fields["taps"] = _taps(op.geometry, window)
            fields["mac"] = tuple(mac.name.lower() for mac in macs(op, types[source.name]))
            fields["memory"] = WEIGHT_MEMORIES
        case MaxPool() | SumPool():
            fields["lanes"] = tuple(divisors(source.shape[2]))
            window = needs_window(op.geometry, source.shape, by_channel=False)
            fields["taps"] = _taps(op.geometry, window)
        case Concat():
            fields["lanes"] = tuple(divisors(gcd(*(graph.tensors[name].shape[2] for name in op.inputs))))
        case Join():
            fields["lanes"] = tuple(divisors(source.shape[2]))
    if window:
        fields["line_memory"] = WEIGHT_MEMORIES
    closing = op if isinstance(op, Requantize) else layer.requantize
    if closing is not None:
        fields["requant_lanes"] = tuple(divisors(graph.tensors[closing.output].shape[2]))
    united = closing or (op if isinstance(op, Join) else None)
    if united is not None and units is not None:
        fields |= _closing_fields(units[united.output])
    return fields


def conflict(
    values: Mapping[str, int | str | None], fields: Mapping[str, tuple[int | str, ...]], units: Sequence[Unit] = ()
) -> str | None:
    """What is wrong with values of ``fields`` that are each legal, as part of a sentence; None if nothing is.

    ``fields``: of ``legal``; ``units``: the exact units of the layer's closing function, cheapest first.
    """
    if values.get("mac") == "dsp2" and int(values.get("pe") or 1) % 2:
        even = ", ".join(str(value) for value in fields["pe"] if int(value) % 2 == 0)
        return f"dsp2 computes sums in pairs; with it, legal values of pe are {even}"
    if values.get("passes") == 2:
        chosen = next((unit for unit in units if values.get("unit") in (None, unit.kind)), None)
        if chosen is not None and not shares_multipliers(chosen, Mac.DSP):
            names = ", ".join(dict.fromkeys(unit.kind for unit in units if shares_multipliers(unit, Mac.DSP)))
            return f"unit {chosen.kind} multiplies nothing that 2 passes could share; with them, use {names}"
        if values.get("requant_mac") == "lut":
            return "2 passes share DSP blocks; with them, the legal value of requant_mac is dsp"
    return None


def multiplies(unit: Unit) -> bool:
    """Whether the unit has products, made in DSPs or in LUTs."""
    return isinstance(unit, ScaleUnit | Float24Unit | LinearJoinUnit | FloatJoinUnit)


def _closing_fields(units: Sequence[Unit]) -> dict[str, tuple[int | str, ...]]:
    fields: dict[str, tuple[int | str, ...]] = {"unit": tuple(dict.fromkeys(unit.kind for unit in units))}
    if any(shares_multipliers(unit, Mac.DSP) for unit in units):
        fields["passes"] = (1, 2)
    if any(multiplies(unit) for unit in units):
        fields["requant_mac"] = ("dsp", "lut")
    if any(isinstance(unit, ThresholdUnit | TableUnit | ScaleUnit | Float24Unit) for unit in units):
        fields["requant_memory"] = ("distributed", "block")
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
