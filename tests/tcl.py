"""Runs Tcl scripts of vendors' tools without the tools: under tclsh with stand-ins for their commands, and tclint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a script left: exit code, what it printed, and the calls of stand-ins, one per line."""

    code: int
    printed: str
    calls: list[str]


def run(stand_ins: Path, script: Path, cwd: Path, **environment: str) -> Ran:
    """Run ``script`` in ``cwd`` under tclsh, after ``stand_ins``, which gets the script and a log as its arguments.

    ``stand_ins`` defines the tool's commands, writes each call as a line to the log, and sources the script.
    """
    log = cwd / "calls.log"
    log.unlink(missing_ok=True)
    done = subprocess.run(
        ["tclsh", str(stand_ins), str(script), str(log)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, log.read_text(encoding="utf-8").splitlines() if log.exists() else [])


def lint(scripts: Iterable[Path], signatures: Path) -> list[str]:
    """What tclint has to say about ``scripts``, with the signatures of the tool's commands (a JSON plugin)."""
    options = ["--commands", str(signatures), "--style-line-length", "120"]
    done = subprocess.run(
        [sys.executable, "-m", "tclint", *options, *map(str, scripts)],
        capture_output=True,
        text=True,
        cwd=signatures.parent,
        check=False,
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if (done.returncode != 0) != bool(lines):
        raise AssertionError(f"tclint left with exit code {done.returncode}: {lines}")
    return lines
