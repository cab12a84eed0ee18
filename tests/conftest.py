"""What all tests share: one BLAS thread, and the folder of real models."""

from __future__ import annotations

import os

# before NumPy is imported anywhere: two test processes with a thread pool each run ten times slower
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import pytest

MODELS = "HLSGEN_MODELS"
REQUIRE_MODELS = "HLSGEN_REQUIRE_MODELS"
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


@pytest.fixture
def model_path() -> Callable[[str], Path]:
    """Function from a real model's file name to its path."""
    return find_model


@pytest.fixture
def example_path() -> Callable[[str], Path]:
    """Function from a file name under examples/ to its path."""
    return EXAMPLES.joinpath


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = sum("real model: " in str(report.longrepr) for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        line = f"{skipped} tests of real models were skipped: set {MODELS} to their folder"
        terminalreporter.write_line(line, yellow=True)
