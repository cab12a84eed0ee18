"""Builds to emulate, and the environments to emulate them in."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hlsgen
from hlsgen.board import load
from hlsgen.choices import Engine
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.kernels.axi import words_from_frames
from hlsgen.kernels.base import Beats
from hlsgen.sim import board_python, emulated_board
from hlsgen.sim.emulated_board import USUAL, Options, Workplace
from hlsgen.system import System
from tests.conftest import EXAMPLES, find_board_python

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hlsgen" / "tests" / "board"
VERSIONS = ("3.1.2", "4.0.0")
BOARDS = ("pynq-z2", "kv260")
"""A Zynq-7000 and an MPSoC."""


@dataclass(frozen=True)
class Built:
    """A finished build of a model for a board."""

    folder: Path
    board: str

    @cached_property
    def build(self) -> hlsgen.Build:
        return hlsgen.Build.open(self.folder)

    @property
    def graph(self) -> Graph:
        return self.build.graph

    @property
    def manifest(self) -> dict[str, Any]:
        return self.build.manifest

    @property
    def system(self) -> System:
        board = load(self.board)
        return System(board, board.clock(self.manifest["clock"]["mhz"]))

    def feeds(self, images: int, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
        """Images, made up."""
        rng = np.random.default_rng(seed)
        prefix = self.graph.prefix
        return {
            name: (4 * rng.normal(size=(images, *prefix.shapes[name]))).astype(prefix.dtypes[name])
            for name in prefix.inputs
        }

    def words(self, feeds: Mapping[str, np.ndarray[Any, Any]]) -> tuple[Beats, Beats]:
        """What enters the accelerator and what the golden model lets leave it, as words (images, words, bytes)."""
        entering = golden.input_frames(self.graph, feeds)
        leaving = golden.run(self.graph, entering, keep=self.graph.outputs)
        tensors, bits = self.graph.tensors, self.system.board.axi_bits
        boundary = {port["tensor"]: port for port in self.manifest["hardware"]["outputs"]}
        assert list(boundary) == list(self.graph.outputs)
        out = [words_from_frames(leaving[name], tensors[name].type, bits) for name in self.graph.outputs]
        return words_from_frames(entering, tensors[self.graph.input].type, bits), np.concatenate(out, axis=1)

    def vectors(self, images: int, file: Path) -> None:
        """Write what ``on_board.py`` compares with."""
        feeds = self.feeds(images)
        (x,) = feeds.values()
        entering, leaving = self.words(feeds)
        result = self.build.run(x, Engine.GOLDEN)
        (output,) = (entry["name"] for entry in self.manifest["outputs"])
        flat = [words.astype(np.uint8).reshape(images, -1) for words in (entering, leaving)]
        np.savez(file, x=x, y=result[output], words=flat[0], leaving=flat[1])

    @contextmanager
    def place(self, version: str, options: Options = USUAL) -> Iterator[Workplace]:
        """An emulated board with pynq ``version``."""
        with environment(version):
            CACHE.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                with (CACHE / f"{self.folder.name}.lock").open("w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes need not compile the same
                    arguments = (self.folder, self.manifest, self.system, options, CACHE)
                    place = stack.enter_context(emulated_board.workplace(*arguments))
                yield place


@contextmanager
def environment(version: str) -> Iterator[None]:
    """Let hlsgen find the environment with pynq ``version``; skips the test without one, unless it is required."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(board_python.VARIABLE, str(find_board_python(version)))
        yield


def build(model: Path, board: str, folder: Path, **options: Any) -> Built:
    """Build ``model`` without verifying it: that is for other tests."""
    hlsgen.build(model, board=board, output=folder, verify="none", **options)
    return Built(folder, board)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Built]:
    """The example for a board, built once."""
    builds: dict[str, Built] = {}

    def get(board: str) -> Built:
        if board not in builds:
            folder = tmp_path_factory.mktemp("emulated") / f"digits_{board}"
            builds[board] = build(EXAMPLES / "digits_qdq.onnx", board, folder, fps=50_000)  # small: soon compiled
        return builds[board]

    return get
