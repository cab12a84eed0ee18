"""The solved units of a graph in a folder: ``units.json``, readable, the same bytes for the same units."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.errors import FolderError
from hlsgen.exact.units import (
    Float24Unit,
    FloatJoinUnit,
    LinearJoinUnit,
    ScaleUnit,
    ShiftUnit,
    TableUnit,
    ThresholdUnit,
    Unit,
)
from hlsgen.files import write_text
from hlsgen.graph.reference import Rounding

SCHEMA = 1
FILE = "units.json"

_CLASSES: dict[str, type[Unit]] = {
    kind.kind: kind
    for kind in (ShiftUnit, ThresholdUnit, ScaleUnit, Float24Unit, TableUnit, LinearJoinUnit, FloatJoinUnit)
}


def save(units: Mapping[str, tuple[Unit, ...]], folder: Path) -> None:
    """Write ``units``, by output tensor, into the existing ``folder``."""
    document = {
        "schema": SCHEMA,
        "units": [[tensor, [_encode(unit) for unit in choices]] for tensor, choices in units.items()],
    }
    write_text(folder / FILE, json.dumps(document) + "\n")


def load(folder: Path) -> dict[str, tuple[Unit, ...]]:
    """Read what ``save`` wrote into ``folder``. Raises FolderError for a missing or damaged file."""
    try:
        document = json.loads((folder / FILE).read_text(encoding="ascii"))
        if document["schema"] != SCHEMA:
            raise FolderError(
                f"{folder / FILE} has schema version {document['schema']}, this hlsgen reads {SCHEMA}. "
                "Build the model again with this version."
            )
        return {tensor: tuple(_decode(unit) for unit in choices) for tensor, choices in document["units"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FolderError(
            f"{folder / FILE} cannot be read ({type(error).__name__}: {error}). Build the model again."
        ) from error


def _encode(unit: Unit) -> dict[str, Any]:
    assert dataclasses.is_dataclass(unit)
    fields = {field.name: getattr(unit, field.name) for field in dataclasses.fields(unit)}
    return {"kind": unit.kind, **{name: _encode_value(value) for name, value in fields.items()}}


def _encode_value(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case Rounding():
            return {"rounding": value.value}
        case tuple():
            return {"interval": list(value)}
        case np.ndarray():
            return {"shape": list(value.shape), "values": value.ravel().tolist()}
    raise TypeError(f"cannot store a {type(value).__name__}")


def _decode(encoded: dict[str, Any]) -> Unit:
    fields = {name: _decode_value(value) for name, value in encoded.items() if name != "kind"}
    return _CLASSES[encoded["kind"]](**fields)


def _decode_value(value: Any) -> Any:
    match value:
        case {"rounding": name}:
            return Rounding(name)
        case {"interval": [lo, hi]}:
            return lo, hi
        case {"shape": shape, "values": values}:
            return np.array(values, np.int64).reshape(shape)
    return value
