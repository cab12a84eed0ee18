"""What all tests share: one BLAS thread, the folder of real models, the board's environments."""

from __future__ import annotations

import os

# before NumPy is imported anywhere: two test processes with a thread pool each run ten times slower
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MODELS = "HLSGEN_MODELS"
REQUIRE_MODELS = "HLSGEN_REQUIRE_MODELS"
REQUIRE_BOARD = "HLSGEN_REQUIRE_BOARD"
BOARD_ENVIRONMENTS = Path(__file__).resolve().parent.parent / ".venv-board"
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def find_model(name: str) -> Path:
    """The file ``name`` in the folder of real models; skips the test without one, unless the models are required."""
    folder = os.environ.get(MODELS)
    if folder and (path := Path(folder) / name).is_file():
        return path
    reason = f"{MODELS} is not set" if not folder else f"{name} is not in {MODELS}={folder}"
    if os.environ.get(REQUIRE_MODELS) == "1":
        pytest.fail(f"{reason}, but {REQUIRE_MODELS}=1")
    pytest.skip(f"real model: {reason}")


def find_board_python(version: str) -> Path:
    """The python of an environment with pynq ``version``; skips the test without one, unless it is required."""
    path = BOARD_ENVIRONMENTS / f"pynq-{version}" / "bin" / "python"
    if path.is_file():
        return path
    reason = f"{path} is not there"
    if os.environ.get(REQUIRE_BOARD) == "1":
        pytest.fail(f"{reason}, but {REQUIRE_BOARD}=1: run make board-env")
    pytest.skip(f"board's environment: {reason}")


@pytest.fixture
def model_path() -> Callable[[str], Path]:
    """Function from a real model's file name to its path."""
    return find_model


@pytest.fixture
def example_path() -> Callable[[str], Path]:
    """Function from a file name under examples/ to its path."""
    return EXAMPLES.joinpath


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt here, as in a terminal; pytest-xdist's processes would end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for kind, what, remedy in (
        ("real model: ", "of real models", f"set {MODELS} to their folder"),
        ("board's environment: ", "on the emulated board", "run make board-env"),
    ):
        skipped = sum(kind in report for report in reports)
        if skipped:
            terminalreporter.write_line(f"{skipped} tests {what} were skipped: {remedy}", yellow=True)
