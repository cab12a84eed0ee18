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
from hlsgen.kernels.matvec import Mac
from hlsgen.lower.design import Design
from hlsgen.lower.folding import Folding, Units, legal
from hlsgen.lower.layers import describe, layers
from hlsgen.lower.names import printable
from hlsgen.lower.types import stream_types

VERSION = 1

HEADER = """\
# Folding of every layer and depth of every FIFO. Edit it and pass it back with --plan.
#   pe             sums a layer computes at a time
#   lanes          channels per beat at the layer's input
#   taps           window taps per beat; a layer multiplies pe * lanes * taps pairs per cycle
#   mac            what multiplies: lut, dsp, dsp2 (two 8-bit products per DSP, even pe), xnor (bipolar operands)
#   requant_lanes  elements per cycle of the function that closes the layer's sums
#   unit           its arithmetic; the names allowed are those proved exact for this layer
# Numbers divide what they fold. Depths are in beats; those given are the smallest that cannot deadlock.
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
    requant_lanes: int | None = None
    unit: str | None = None


class Plan(BaseModel):
    """Foldings by layer identifier and FIFO depths, in beats, by stream name."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    layers: dict[str, LayerPlan] = Field(default_factory=dict)
    streams: dict[str, int] = Field(default_factory=dict)

    def folding(self, layer: str) -> Folding:
        """The folding of a layer, absent numbers being 1. Raises KeyError for a layer the plan does not have."""
        entry = self.layers[layer]
        return Folding(
            pe=entry.pe or 1,
            lanes=entry.lanes or 1,
            taps=entry.taps or 1,
            mac=None if entry.mac is None else Mac[entry.mac.upper()],
            requant_lanes=entry.requant_lanes or 1,
            unit=entry.unit,
        )


def smallest(graph: Graph, units: Units | None = None) -> Plan:
    """The plan with the smallest legal folding of every layer: each number 1, the natural multiplier.

    With ``units`` each closing function names its cheapest exact unit; without, that choice is left to ``lower``.
    """
    entries, types = {}, stream_types(graph)
    for layer in layers(graph):
        first = {name: values[0] for name, values in legal(layer, graph, types, units).items()}
        notes = {"about": describe(layer, graph), "node": printable(layer.op.name)}
        entries[layer.name] = LayerPlan.model_validate({**notes, **first})
    return Plan(layers=entries)


def check(plan: Plan, graph: Graph, units: Units) -> None:
    """Raise PlanError unless ``plan`` has exactly the layers of ``graph``, each with a legal folding.

    The message names the layer, the value and the legal ones.
    """
    types = stream_types(graph)
    known = {layer.name: legal(layer, graph, types, units) for layer in layers(graph)}
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
        if entry.get("mac") == Mac.DSP2.name.lower() and entry.get("pe", 1) % 2:
            even = ", ".join(str(value) for value in fields["pe"] if int(value) % 2 == 0)
            raise PlanError(f"Layer {name}: dsp2 computes sums in pairs; with it, legal values of pe are {even}.")


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
    """Set the streams' depths to the plan's, or to ``smallest_depths`` (of ``size_fifos``) where it has none.

    Raises PlanError for a stream that the design does not have, and for a depth that would deadlock.
    """
    for name, depth in plan.streams.items():
        if name not in smallest_depths:
            raise PlanError(
                f"The plan has a stream {_quote(name)} that the design does not have; it may stem from another "
                "folding. Delete the section streams to have the depths computed."
            )
        if depth < (least := smallest_depths[name]):
            raise PlanError(f"Stream {name}: a depth of {depth} may deadlock; legal values are {least} and more.")
    for name, depth in smallest_depths.items():
        design.streams[name].depth = plan.streams.get(name, depth)


def _layers(known: Mapping[str, object]) -> str:
    return f"Its layers are {', '.join(known)}."


def _quote(value: object) -> str:
    return f"'{printable(str(value))}'"
