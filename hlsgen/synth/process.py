"""Runs a vendor's tool for minutes or hours: its lines as they come, a log, and no processes left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hlsgen.errors import ToolError

GRACE = 10.0
"""Seconds that the processes of an interrupted tool have to end by themselves."""

SETTLE = 5.0
"""Seconds that killed processes have to be gone: the signal reaches them at once, their end may take a while."""

VERSION_SECONDS = 120
"""How long a tool may take to tell its version; on a network drive that can be a minute."""


def run_logged(command: Sequence[str | Path], folder: Path, log: Path, watch: Callable[[str], None]) -> int:
    """Run ``command`` in ``folder``; returns its exit code, negative for a signal.

    Each line it prints, errors included, goes to the file ``log`` and, without its end, to ``watch``. Whatever ends
    this function early (Ctrl-C, an exception of ``watch``) also ends the tool and all that it has started.
    Raises ToolError when the tool cannot be started or the log cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                stdin=subprocess.DEVNULL,  # a tool that falls back to its prompt ends there
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # a group of its own, for `_end`
            )
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    file.write(line)
                    file.flush()
                    watch(line.rstrip())
                return process.wait()
            finally:
                _end(process)
    except OSError as error:
        raise ToolError(
            f"{command[0]}: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}. What it had "
            f"printed until then is in {log}."
        ) from error


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and its group, first kindly. What the leader has left running ends, too."""
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        until = time.monotonic() + SETTLE
        while _runs(process.pid) and time.monotonic() < until:
            time.sleep(0.01)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _runs(group: int) -> bool:
    """Whether a process of the group still runs, by Linux' /proc.

    Asking with signal 0 would count zombies, which stay where nobody reaps orphans (a container without an init).
    """
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, _, group_of_it = entry.read_text(errors="replace").rpartition(")")[2].split()[:3]  # proc_pid_stat(5)
            if int(group_of_it) == group and state not in "ZX":
                return True
    return False


def answer(command: Sequence[str | Path]) -> str:
    """What a command prints that is asked for its version; empty when it cannot be started or takes too long."""
    try:
        asked = subprocess.run(
            [*map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout + asked.stderr
