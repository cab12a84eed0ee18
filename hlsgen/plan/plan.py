"""The plan: folding of every layer and depth of every FIFO, as a file that people read and edit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hlsgen.errors import PlanError
from hlsgen.files import write_text
from hlsgen.graph.graph import Graph
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.dot_array import Mac
from hlsgen.lower.design import Design
from hlsgen.lower.folding import Folding, Units, conflict, legal
from hlsgen.lower.layers import describe, layers
from hlsgen.lower.names import printable
from hlsgen.lower.types import stream_types

VERSION = 1

MEMORIES = ("memory", "line_memory", "requant_memory")
"""Fields that name a ``RamStyle``."""

HEADER = """\
# Folding of every layer and depth of every FIFO. Edit it and pass it back with --plan.
#   pe              sums a layer computes at a time
#   lanes           channels per beat at the layer's input
#   taps            window taps per beat; a layer multiplies pe * lanes * taps pairs per cycle
#   mac             what multiplies: lut, dsp, dsp2 (two 8-bit products per DSP, even pe), xnor (bipolar operands)
#   memory          where the weights are: block (block RAM) or distributed (LUTs)
#   line_memory     where the layer's window keeps rows of its input: block or distributed
#   requant_lanes   elements that the function closing the layer's sums takes at a time
#   unit            its arithmetic; the names allowed are those proved exact for this layer
#   passes          cycles it takes for them: 2 needs half the DSPs (units scale and float24)
#   requant_mac     what multiplies in it, or in a join: dsp or lut
#   requant_memory  where its tables and thresholds are: distributed or block
# A field left out has its default: 1, block for memory and line_memory, distributed for requant_memory, dsp for
# requant_mac, the cheapest unit, and for mac the multiplier natural for the operands (lut for narrow ones).
# Numbers divide what they fold. streams and rtl_streams: depths of the FIFOs in C++ and in SystemVerilog, in beats; one
# left out is computed. In SystemVerilog 2 or less is a wire (kernels hold beats themselves).
"""


class LayerPlan(BaseModel):
    """Folding of one layer; fields that the layer does not have are None. ``about`` and ``node`` are for the reader."""

    model_config = ConfigDict(extra="forbid")

    about: str = ""
    node: str = ""
    pe: int | None = None
    lanes: int | None = None
    taps: int | None = None
    mac: str | None = None
    memory: str | None = None
    line_memory: str | None = None
    requant_lanes: int | None = None
    unit: str | None = None
    passes: int | None = None
    requant_mac: str | None = None
    requant_memory: str | None = None

    def folding(self) -> Folding:
        """The folding that it describes, with defaults for what is left out. Raises KeyError for an illegal name."""
        choices: dict[str, Any] = self.model_dump(exclude={"about", "node"}, exclude_none=True)
        for field, names in (("mac", Mac), ("requant_mac", Mac), *((field, RamStyle) for field in MEMORIES)):
            if field in choices:
                choices[field] = names[choices[field].upper()]
        return Folding(**choices)


class Plan(BaseModel):
    """Foldings by layer identifier; FIFO depths in C++ and in SystemVerilog, in beats, by stream name."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    layers: dict[str, LayerPlan] = Field(default_factory=dict)
    streams: dict[str, int] = Field(default_factory=dict)
    rtl_streams: dict[str, int] = Field(default_factory=dict)

    def folding(self, layer: str) -> Folding:
        """The folding of a layer. Raises KeyError for a layer the plan does not have."""
        return self.layers[layer].folding()


def smallest(graph: Graph, units: Units | None = None) -> Plan:
    """The plan with the smallest legal folding of every layer: each number 1, the natural multiplier.

    With ``units`` each closing function names its cheapest exact unit; without, that choice is left to ``lower``.
    """
    types = stream_types(graph)
    return written(
        graph,
        {
            layer.name: {name: values[0] for name, values in legal(layer, graph, types, units).items()}
            for layer in layers(graph)
        },
    )


def written(graph: Graph, foldings: Mapping[str, Mapping[str, int | str]]) -> Plan:
    """The plan with the given fields by layer identifier, each layer with a line on what it is."""
    entries = {}
    for layer in layers(graph):
        notes = {"about": describe(layer, graph), "node": printable(layer.op.name)}
        entries[layer.name] = LayerPlan.model_validate({**notes, **foldings[layer.name]})
    return Plan(layers=entries)


def check(plan: Plan, graph: Graph, units: Units) -> None:
    """Raise PlanError unless ``plan`` has exactly the layers of ``graph``, each with a legal folding.

    The message names the layer, the value and the legal ones.
    """
    types = stream_types(graph)
    by_name = {layer.name: layer for layer in layers(graph)}
    known = {name: legal(layer, graph, types, units) for name, layer in by_name.items()}
    for name in plan.layers:
        if name not in known:
            raise PlanError(f"The plan has a layer {_quote(name)} that the model does not have. {_layers(known)}")
    for name, fields in known.items():
        if name not in plan.layers:
            raise PlanError(f"The plan lacks layer {name}. {_layers(known)}")
        entry = plan.layers[name].model_dump(exclude={"about", "node"}, exclude_none=True)
        for field, value in entry.items():
            if field not in fields:
                raise PlanError(f"Layer {name} has no {field}; its fields are {', '.join(fields)}.")
            if value not in fields[field]:
                choices = ", ".join(map(str, fields[field]))
                raise PlanError(f"Layer {name}: {field} cannot be {_quote(value)}; legal values are {choices}.")
        layer = by_name[name]
        reason = conflict(entry, fields, units.get((layer.requantize or layer.op).output, ()))
        if reason is not None:
            raise PlanError(f"Layer {name}: {reason}.")


def load(path: Path, graph: Graph, units: Units) -> Plan:
    """Read and check a plan for ``graph``. Raises PlanError with what is wrong, in which layer, and what is legal."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"The plan {path} cannot be read: {error}.") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PlanError(f"The plan {path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise PlanError(f"The plan {path} is not a mapping with the keys version, layers and streams.")
    if content.get("version") != VERSION:
        version = _quote(content.get("version"))
        raise PlanError(f"The plan {path} has version {version}; this hlsgen reads version {VERSION}.")
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(printable(str(part)) for part in first["loc"])
        raise PlanError(f"The plan {path}: {place}: {first['msg']} (got {_quote(first['input'])}).") from error
    check(plan, graph, units)
    return plan


def save(plan: Plan, path: Path) -> None:
    """Write ``plan`` as YAML with an explanation of its fields. Equal plans give equal bytes."""
    content: dict[str, Any] = plan.model_dump(exclude_none=True)
    for entry in content["layers"].values():
        for note in ("about", "node"):
            if not entry[note]:
                del entry[note]
    write_text(path, HEADER + yaml.safe_dump(content, sort_keys=False, width=120))


def apply_depths(plan: Plan, design: Design, smallest_depths: Mapping[str, int]) -> None:
    """Set the streams' depths to the plan's; where it has none they stay, but ``smallest_depths`` at least.

    Raises PlanError for a stream that the design does not have, and for a depth that would deadlock the C++.
    """
    for name in (*plan.streams, *plan.rtl_streams):
        if name not in smallest_depths:
            raise PlanError(
                f"The plan has a stream {_quote(name)} that the design does not have; it may stem from another "
                "folding. Delete the sections streams and rtl_streams to have the depths computed."
            )
    for name, least in smallest_depths.items():
        stream = design.streams[name]
        depth = plan.streams.get(name, max(stream.depth, least))
        if depth < least:
            raise PlanError(f"Stream {name}: a depth of {depth} may deadlock; legal values are {least} and more.")
        rtl_depth = plan.rtl_streams.get(name, stream.rtl_depth)
        if rtl_depth is not None and rtl_depth < 0:
            raise PlanError(f"Stream {name}: a depth of {rtl_depth} is none; legal values are 0 and more.")
        stream.depth, stream.rtl_depth = depth, rtl_depth


def set_depths(plan: Plan, design: Design) -> None:
    """Set the streams' depths to those of a complete plan, one that ``make`` has written."""
    for name, depth in plan.streams.items():
        design.streams[name].depth = depth
    for name, depth in plan.rtl_streams.items():
        design.streams[name].rtl_depth = depth


def _layers(known: Mapping[str, object]) -> str:
    return f"Its layers are {', '.join(known)}."


def _quote(value: object) -> str:
    return f"'{printable(str(value))}'"
