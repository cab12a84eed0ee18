"""A small network's deploy folder on a board of the tests' own."""

from __future__ import annotations

import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hlsgen
from hlsgen.graph.graph import Graph
from tests.deploy.board import FakeBoard, fake_pynq, shipped_modules, write_folder

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "digits_qdq.onnx"


@pytest.fixture(scope="session")
def graph() -> Graph:
    """The example's network."""
    return hlsgen.load(EXAMPLE)


@pytest.fixture(scope="session")
def shipped(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deploy folder; not to be changed."""
    folder = tmp_path_factory.mktemp("shipped")
    write_folder(graph, folder)
    return folder


@pytest.fixture(scope="session")
def modules(shipped: Path) -> Iterator[types.SimpleNamespace]:
    """driver, power, host_ops as shipped."""
    with shipped_modules(shipped) as found:
        yield found


@pytest.fixture
def driver(modules: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The driver, which takes this environment's NumPy for the board's."""
    monkeypatch.setattr(modules.driver, "check_numpy", lambda: None)
    return modules.driver


@pytest.fixture
def folder(shipped: Path, tmp_path: Path) -> Path:
    """A deploy folder to change."""
    return Path(shutil.copytree(shipped, tmp_path / "deploy"))


@pytest.fixture
def board(graph: Graph, driver: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBoard:
    """The board that ``import pynq`` finds."""
    device = FakeBoard(graph, driver.read_json(folder / "manifest.json"))
    plug_in(device, monkeypatch)
    return device


def plug_in(device: FakeBoard, monkeypatch: pytest.MonkeyPatch, readback: float = 1.0) -> None:
    """``import pynq`` finds ``device``."""
    for name, module in fake_pynq(device, readback).items():
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def accelerator(driver: Any, board: FakeBoard, folder: Path) -> Any:
    """The accelerator, loaded."""
    return driver.Accelerator(folder / "accel.bit", timeout=0.2)
