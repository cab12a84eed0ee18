"""What is written for the board: the same bytes each time, for an old Python, with a notebook that is one."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from hlsgen.emit import deploy
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.resources import resource
from tests.deploy.board import feeds_of, manifest_of, write_folder

CODE = ("driver.py", "power.py", "host_ops.py")
BOARD_MODULES = {"driver", "host_ops", "matplotlib", "numpy", "power", "pynq"}
SINCE_3_9 = {
    *("removeprefix", "removesuffix", "is_relative_to", "readlink", "with_stem", "bit_count", "pairwise"),
    *("hardlink_to", "BooleanOptionalAction", "randbytes", "cache", "lcm", "nextafter"),
}
"""Methods and functions that Python 3.8 does not have."""


def notebook_code(folder: Path) -> list[str]:
    cells = json.loads((folder / "notebook.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_same_bytes_each_time(graph: Graph, shipped: Path, tmp_path: Path) -> None:
    write_folder(graph, tmp_path)
    names = sorted(path.name for path in shipped.iterdir() if path.is_file())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes(), name


def test_what_vivado_left_stays(graph: Graph, tmp_path: Path) -> None:
    (tmp_path / "accel.bit").write_bytes(b"made by Vivado")
    deploy.write(graph, manifest_of(graph), feeds_of(graph, 1), tmp_path)
    assert (tmp_path / "accel.bit").read_bytes() == b"made by Vivado"


def test_vectors_are_the_golden_models(graph: Graph, shipped: Path) -> None:
    vectors = np.load(shipped / "vectors.npz", allow_pickle=False)
    feeds = {name: vectors[f"inputs/{number}"] for number, name in enumerate(graph.prefix.inputs)}
    results = golden.predict(graph, feeds)
    for number, name in enumerate(graph.suffix.outputs):
        assert np.array_equal(vectors[f"outputs/{number}"], results[name])
    for number, name in enumerate(graph.outputs):
        assert np.array_equal(vectors[f"frames/{number}"], results[f"int/{name}"])
    assert np.array_equal(vectors["frames/in"], golden.input_frames(graph, feeds))
    assert len(vectors["words/in"]) == len(vectors["words/out"]) == 4


def test_no_more_vectors_than_needed(graph: Graph) -> None:
    vectors = deploy.vectors(graph, manifest_of(graph), feeds_of(graph, deploy.VECTORS + 5))
    assert {len(array) for array in vectors.values()} == {deploy.VECTORS}


def imports(source: str, version: tuple[int, int] = (3, 8)) -> set[str]:
    """Packages that a program imports; raises SyntaxError for what that version of Python cannot read."""
    tree = ast.parse(source, feature_version=version)
    branches = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    guarded = [node for node in branches if ast.unparse(node.test) == "TYPE_CHECKING"]
    skipped = {id(node) for block in guarded for node in ast.walk(block)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names if id(node) not in skipped}
        elif isinstance(node, ast.ImportFrom) and id(node) not in skipped:
            found.add(str(node.module).split(".")[0])
    return found


def too_new(source: str) -> list[str]:
    """What Python 3.8 would stumble over when it runs ``source``, beyond its syntax."""
    tree = ast.parse(source)
    postponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for field in ("annotation", "returns")
        if (part := getattr(node, field, None)) is not None
        for inner in ast.walk(part)
    }
    found = []
    for node in ast.walk(tree):
        if postponed and id(node) in annotations:
            continue
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name | ast.Attribute):
            name = ast.unparse(node.value)
            if name in {"list", "dict", "tuple", "set", "frozenset", "type", "Callable", "Mapping", "Iterator"}:
                found.append(f"{node.lineno}: {name}[...]")
        if isinstance(node, ast.Call) and any(keyword.arg == "strict" for keyword in node.keywords):
            found.append(f"{node.lineno}: strict=")
        if isinstance(node, ast.Attribute) and node.attr in SINCE_3_9:
            found.append(f"{node.lineno}: .{node.attr}")
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            found += [f"{node.lineno}: isinstance(..., A | B)"] * isinstance(node.args[1], ast.BinOp)
    return found


@pytest.mark.parametrize("name", CODE)
def test_code_is_for_python_3_8(shipped: Path, name: str) -> None:
    source = (shipped / name).read_text()
    assert "from __future__ import annotations" in source
    assert imports(source) <= BOARD_MODULES | set(sys.stdlib_module_names)
    assert too_new(source) == []


def test_newer_python_is_seen() -> None:
    for line in ("match x:\n    case 1: pass", "with (a as b, c as d): pass", "try: pass\nexcept* E: pass"):
        with pytest.raises(SyntaxError):
            imports(line)
    for line in ("x = list[int]", "zip(a, b, strict=True)", "'a'.removeprefix('b')", "isinstance(x, int | str)"):
        assert too_new(line)
    assert too_new("from __future__ import annotations\ndef f(x: list[int]) -> tuple[int]: ...") == []
    assert imports("import hlsgen.graph") == {"hlsgen"}


def test_the_notebook_is_one(shipped: Path) -> None:
    document = json.loads((shipped / "notebook.ipynb").read_text())
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert set(document) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    cells = document["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells) > 8
    for cell in cells:
        assert re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", cell["id"])
        assert cell["cell_type"] in ("code", "markdown")
        assert "".join(cell["source"]).strip()
        assert all(line.endswith("\n") for line in cell["source"][:-1])
        if cell["cell_type"] == "code":
            assert set(cell) == {"id", "metadata", "cell_type", "execution_count", "outputs", "source"}
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
        else:
            assert set(cell) == {"id", "metadata", "cell_type", "source"}
            assert not cell["source"][0].startswith("# #")


def test_the_notebooks_code_is_for_python_3_8_and_installs_nothing(shipped: Path) -> None:
    code = notebook_code(shipped)
    for cell in code:
        assert imports(cell) <= BOARD_MODULES | set(sys.stdlib_module_names)
        assert too_new(cell) == []
    text = "\n".join(code)
    assert not re.search(r"pip|conda|apt|subprocess|os\.system|^\s*[!%]", text, re.MULTILINE)
    for name in ("self_test()", ".predict(", ".benchmark(", "power.measure(", ".hist(", "report.plot()"):
        assert name in text


def test_the_notebook_runs_against_the_driver(accelerator: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells, as plain Python, on the tests' board, whose plots nobody can see."""
    pyplot = MagicMock()
    pyplot.subplots = lambda rows=1, columns=1, **_: (
        MagicMock(),
        [MagicMock()] * columns if columns > 1 else MagicMock(),
    )
    monkeypatch.setitem(sys.modules, "matplotlib", SimpleNamespace(pyplot=pyplot))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HLSGEN_SECONDS", "0.05")
    names: dict[str, Any] = {}
    for cell in notebook_code(folder):
        exec(compile(cell, "notebook", "exec"), names)
    assert (folder / "power.csv").read_text().startswith("time,watts,sensor")


def test_every_file_is_described() -> None:
    readme = resource("templates", "deploy", "README.md").read_text()
    for name in ("driver.py", "power.py", "host_ops.py", "host.json", "host.npz", "manifest.json", "vectors.npz"):
        assert f"`{name}`" in readme
