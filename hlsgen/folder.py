"""The build folder: made beside its place, resumed after an interruption, put in place at the end.

Work is done in ``DIR.partial``. Its file ``.state.json`` says for which inputs it was begun and which steps are done.
``publish`` renames it to ``DIR``. Only a folder that hlsgen made is ever replaced or removed: one that holds a
manifest of ours, or a state file of ours. What is about to be removed is first given a hidden name (``.DIR.replaced``,
``.DIR.discarded``), so that a removal cut short never leaves a ``DIR`` or ``DIR.partial`` that nobody recognizes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlsgen.errors import FolderError
from hlsgen.files import write_text

MANIFEST = "manifest.json"
STATE = ".state.json"
MAKER = "hlsgen"


def read_manifest(folder: Path) -> dict[str, object]:
    """The manifest of the build folder ``folder``. Raises FolderError when it is no build of ours."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        manifest = None
    except (OSError, ValueError) as error:
        raise FolderError(f"{folder / MANIFEST} cannot be read ({error}). Build the model again.") from error
    if not isinstance(manifest, dict) or manifest.get("maker") != MAKER:
        partial = _beside(folder, "partial")
        hint = f" An unfinished build is in {partial}; run `hlsgen build` again." if (partial / STATE).exists() else ""
        raise FolderError(f"{folder} is not a folder made by `hlsgen build`: it has no {MANIFEST} of hlsgen's.{hint}")
    return manifest


@dataclass
class Workspace:
    """``DIR.partial`` for the target ``DIR``. ``done``: by finished step, in order, what it reported (JSON values)."""

    target: Path
    fingerprint: str
    done: dict[str, Any] = field(default_factory=dict)
    _lock: int | None = field(default=None, repr=False)

    @property
    def path(self) -> Path:
        """Where the work is done."""
        return _beside(self.target, "partial")

    @staticmethod
    def open(target: Path, fingerprint: str) -> Workspace:
        """Resume what was begun for the same ``fingerprint``, otherwise start anew.

        Raises FolderError when ``target`` or ``target.partial`` is something that hlsgen did not make, and when another
        build is at work there.
        """
        if target.name in ("", ".."):
            raise FolderError(f"{target} is no name for a new folder. Choose one with -o, for instance build/model.")
        workspace = Workspace(target, fingerprint)
        state = _read_state(workspace.path)
        if state is not None:
            os.close(_locked(workspace.path))
        _restore(target)
        _refuse_foreign(target)
        if state is not None and state.get("fingerprint") == fingerprint:
            workspace.done = _done(state)
            return workspace
        if state is None and _holds_files(workspace.path):
            raise FolderError(
                f"{workspace.path} is in the way, and hlsgen did not make it. Move it, or choose another folder "
                "with -o."
            )
        workspace.remove()
        return workspace

    def adopt(self) -> None:
        """Start from the finished build in ``target``, if it has the same fingerprint and nothing was begun."""
        state = _read_state(self.target)
        if not self.done and state is not None and state.get("fingerprint") == self.fingerprint:
            self.remove()
            self.begin()
            shutil.copytree(
                self.target, self.path, ignore=shutil.ignore_patterns(MANIFEST, STATE), dirs_exist_ok=True
            )
            self.done = _done(state)
            self._save()

    def begin(self) -> None:
        """Make the folder, marked as ours before anything else is in it, and keep other builds out until ``close``."""
        if self._lock is None:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path)
        self._save()

    def close(self) -> None:
        """Let other builds work in the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def finish(self, step: str, report: Any = None) -> None:
        """Record that ``step`` is done, and what it reported for later steps."""
        self.done.pop(step, None)
        self.done[step] = report
        self._save()

    def rewind(self, steps: list[str]) -> None:
        """Forget that ``steps`` were done; makes the folder if it is not there."""
        self.done = {name: report for name, report in self.done.items() if name not in steps}
        self.begin()
        (self.path / MANIFEST).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the work (never the target)."""
        _discard(self.path)
        self.close()

    def publish(self) -> None:
        """Put the finished work in the target's place; at every moment either the old or the new build is whole."""
        _refuse_foreign(self.target)
        old = _replaced(self.target)
        shutil.rmtree(old, ignore_errors=True)
        if self.target.exists():
            self.target.rename(old)
        try:
            self.path.rename(self.target)
        except BaseException:
            _restore(self.target)
            raise
        shutil.rmtree(old, ignore_errors=True)

    def _save(self) -> None:
        state = {"maker": MAKER, "fingerprint": self.fingerprint, "done": self.done}
        write_text(self.path / STATE, json.dumps(state, indent=2) + "\n")


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f"{target.name}.{suffix}")


def _replaced(target: Path) -> Path:
    """Where a build is while its successor takes its place: not a name that anybody would keep a folder under."""
    return target.with_name(f".{target.name}.replaced")


def _discard(folder: Path) -> None:
    """Remove a folder, which at every moment is either whole or gone."""
    scratch = folder.with_name(f".{folder.name}.discarded")
    shutil.rmtree(scratch, ignore_errors=True)
    if folder.exists():
        folder.rename(scratch)
        shutil.rmtree(scratch, ignore_errors=True)


def _restore(target: Path) -> None:
    """Undo a replacement that was cut short between its two renames; remove what one cut short later has left."""
    old = _replaced(target)
    if (old / MANIFEST).exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _locked(folder: Path) -> int:
    """A descriptor that holds the lock on ``folder``; the system frees it with the process, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FolderError(
            f"Another build is at work in {folder}. Wait until it is done, or choose another folder with -o."
        ) from None
    return descriptor


def _holds_files(partial: Path) -> bool:
    """Whether there is more than a begin that was cut short leaves: a folder, and at most half a state."""
    if partial.is_dir() and not partial.is_symlink():
        return any(path.name != f"{STATE}.new" for path in partial.iterdir())
    return partial.exists()


def _read_state(folder: Path) -> dict[str, object] | None:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and state.get("maker") == MAKER else None


def _done(state: dict[str, object]) -> dict[str, Any]:
    steps = state.get("done")
    return steps if isinstance(steps, dict) else {}


def _refuse_foreign(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise FolderError(f"{target} is not a folder. Choose another one with -o.")
    if target.is_dir() and any(target.iterdir()):
        try:
            read_manifest(target)
        except FolderError as error:
            raise FolderError(
                f"{target} holds files that hlsgen did not make, so it is not replaced. Choose another folder with -o."
            ) from error
