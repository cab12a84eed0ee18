"""The layering: packages import only from packages to their left, wherever in a file the import stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hlsgen

ROOT = Path(hlsgen.__file__).parent

BASE = ("errors", "choices", "files", "resources")
"""Modules that anything may import; they import nothing of the project."""

DEVICE = ("board", "system")
"""What is known of boards: of interest to everything that costs."""

PACKAGES = (
    *("board_emulator", "graph", "frontend", "exact", "kernels", "lower", "plan"),
    *("emit", "sim", "synth", "canonical"),
)
"""The way of the data, left to right."""

PIPELINE = (
    *("folder", "samples", "run", "verify", "manifest", "inspection", "doctor"),
    *("pipeline", "cli", "__main__"),
)
"""Modules that put the packages together; each imports only what stands before it."""

ORDER = (*BASE, *DEVICE, *PACKAGES, *PIPELINE)

FACADE = ROOT / "__init__.py"
"""The exception: it offers the pipeline's functions, on first use, and the version that modules read."""


def imported(source: str) -> Iterator[str]:
    """Modules or packages right under hlsgen that a file imports, those imported inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("hlsgen."))


def place(path: Path) -> str:
    """The module or package right under hlsgen that a file belongs to."""
    relative = path.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def violations(importer: str, source: str) -> list[str]:
    """Modules imported that do not stand to the left of ``importer``."""
    allowed = (*ORDER[: ORDER.index(importer)], *([importer] if importer in PACKAGES else []))
    if importer in BASE:
        allowed = ()
    return [name for name in imported(source) if name not in allowed]


FILES = sorted(path for path in ROOT.rglob("*.py") if path != FACADE and "_data" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_come_from_the_left(path: Path) -> None:
    assert violations(place(path), path.read_text(encoding="utf-8")) == []


def test_every_module_has_its_place() -> None:
    assert {place(path) for path in FILES} == set(ORDER)


def test_an_import_from_the_right_is_seen_wherever_it_stands() -> None:
    assert violations("graph", "from hlsgen.errors import HlsgenError\nfrom hlsgen.graph.types import INT8\n") == []
    assert violations("graph", "def f():\n    from hlsgen.exact import solve\n") == ["exact"]
    assert violations("kernels", "import hlsgen.lower.design\n") == ["lower"]
    assert violations("plan", "from hlsgen import sim\n") == ["sim"]
    assert violations("errors", "from hlsgen.graph import golden\n") == ["graph"]
    assert violations("run", "from hlsgen.run import Runner\n") == ["run"]
