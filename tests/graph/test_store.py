"""A stored graph is the same graph, down to the last bit of every constant."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from hlsgen.errors import FolderError
from hlsgen.graph import golden, store
from hlsgen.graph.graph import Graph
from hlsgen.graph.host import HostNode, HostProgram
from tests.graph.random_graphs import random_frames, random_graph


def assert_same(a: Any, b: Any, path: str = "graph") -> None:
    assert type(a) is type(b), path
    if dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{path}.{field.name}")
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, path
        assert a.shape == b.shape, path
        assert a.tobytes() == b.tobytes(), path
    elif isinstance(a, dict):
        assert list(a) == list(b), path
        for key in a:
            assert_same(a[key], b[key], f"{path}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), path
        for number, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{number}]")
    else:
        assert a == b, path


def graph_with_host_parts() -> Graph:
    """A random graph with constants and attributes of every kind beside it."""
    graph = random_graph(17)
    int4 = helper.tensor_dtype_to_np_dtype(TensorProto.INT4)
    constants = {
        "scale": np.float32(0.1) * np.ones((), np.float32),
        "a b\u2028\x00'\"": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "packed": np.array([-8, 7, 0]).astype(int4),
    }
    attributes = {
        "axis": -1,
        "alpha": 0.1,
        "mode": "tanh",
        "axes": [1, 2],
        "perm": (0, 2, 1),
        "none": None,
        "flag": True,
    }
    node = HostNode("Gelu", ("x", ""), ("y",), {**attributes, "value": np.float64(1 / 3), "t": np.zeros((0, 3))})
    graph.suffix = HostProgram((node,), constants, ("x",), ("y",), {"x": (1, 2)}, {"x": "int8"})
    graph.notes = ["The batch size 'N' is taken as 1."]
    return graph


@pytest.mark.parametrize("seed", range(12))
def test_round_trip(seed: int, tmp_path: Path) -> None:
    graph = random_graph(seed)
    store.save(graph, tmp_path)
    loaded = store.load(tmp_path)
    assert_same(graph, loaded)
    frames = random_frames(graph, 3)
    for name, array in golden.run(graph, frames).items():
        assert np.array_equal(array, golden.run(loaded, frames)[name])


def test_round_trip_of_host_parts(tmp_path: Path) -> None:
    graph = graph_with_host_parts()
    store.save(graph, tmp_path)
    loaded = store.load(tmp_path)
    assert_same(graph, loaded)


def test_equal_graphs_give_equal_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
        store.save(graph_with_host_parts(), folder)
    for name in (store.JSON_FILE, store.ARRAY_FILE):
        contents = [(folder / name).read_bytes() for folder in folders]
        assert contents[0] == contents[1]
    # the archive's dates are the format's oldest, not today's
    assert b"PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00" in contents[0]


def test_fractions_are_readable() -> None:
    assert store._encode(Fraction(1, 3), "", {}) == {"fraction": "1/3"}
    assert store._decode({"fractions": "1/3 -7 5/2"}, {}) == (Fraction(1, 3), Fraction(-7), Fraction(5, 2))


def test_damaged_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="cannot be read"):
        store.load(tmp_path)
    store.save(random_graph(1), tmp_path)
    document = json.loads((tmp_path / store.JSON_FILE).read_text())
    (tmp_path / store.JSON_FILE).write_text(json.dumps({**document, "schema": 99}))
    with pytest.raises(FolderError, match="schema version 99, this hlsgen reads 1"):
        store.load(tmp_path)
    (tmp_path / store.JSON_FILE).write_text(json.dumps({**document, "graph": {"tuple": []}}))
    with pytest.raises(FolderError, match="does not hold a graph"):
        store.load(tmp_path)
    (tmp_path / store.JSON_FILE).write_text(json.dumps(document))
    (tmp_path / store.ARRAY_FILE).write_bytes(b"PK")
    with pytest.raises(FolderError, match="Build the model again"):
        store.load(tmp_path)


def test_values_without_a_form_are_refused() -> None:
    with pytest.raises(TypeError, match=r"graph\.notes: cannot store a bytes"):
        store._encode(b"", "graph.notes", {})


def test_listing_names_every_operator_and_stays_text() -> None:
    graph = graph_with_host_parts()
    text = store.describe(graph)
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.count(" of ") >= len(graph.ops)
    assert "Gelu: y" in text
    assert "note: The batch size 'N' is taken as 1." in text
    for op in graph.ops:
        assert type(op).__name__ in text
