"""Runs hlsgen's commands for tests: in this process, or as a user's shell would."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from hlsgen.cli import app

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def hlsgen(*arguments: str | Path) -> Outcome:
    """Run a command in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return Outcome(result.exit_code, result.stdout, result.stderr)


def hlsgen_process(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Outcome:
    """Run a command in a process of its own, with ``environment`` added to this one's."""
    command = [sys.executable, "-m", "hlsgen", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, timeout=300, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def assert_one_paragraph(outcome: Outcome, *parts: str) -> None:
    """The outcome is a refusal as users must see it: exit code 2, one paragraph with all ``parts``, no traceback."""
    assert outcome.code == 2, outcome
    text = outcome.err.strip()
    assert text.startswith("Error: "), outcome
    assert "\n" not in text, text
    assert "Traceback" not in outcome.out + outcome.err
    for part in parts:
        assert part in text, f"{part!r} is missing in: {text}"
