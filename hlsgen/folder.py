"""The build folder: made beside its place, resumed after an interruption, put in place at the end.

Work is done in ``DIR.partial``. Its file ``.state.json`` says for which inputs it was begun and which steps are done.
``publish`` renames it to ``DIR``. Only a folder that hlsgen made is ever replaced or removed: one that holds a
manifest of ours, or a state file of ours.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from hlsgen.errors import FolderError

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


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader, or a restart, finds it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)


@dataclass
class Workspace:
    """``DIR.partial`` for the target ``DIR``. ``done``: names of the finished steps, in order."""

    target: Path
    fingerprint: str
    done: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Where the work is done."""
        return _beside(self.target, "partial")

    @staticmethod
    def open(target: Path, fingerprint: str) -> Workspace:
        """Resume what was begun for the same ``fingerprint``, otherwise start anew.

        Raises FolderError when ``target`` or ``target.partial`` is something that hlsgen did not make.
        """
        _restore(target)
        _refuse_foreign(target)
        workspace = Workspace(target, fingerprint)
        state = _read_state(workspace.path)
        if state is not None and state.get("fingerprint") == fingerprint:
            workspace.done = _done(state)
            return workspace
        if state is None and workspace.path.exists():
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
            scratch = _beside(self.target, "copy")
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(self.target, scratch)
            (scratch / MANIFEST).unlink(missing_ok=True)
            scratch.rename(self.path)
            self.done = _done(state)

    def finish(self, step: str) -> None:
        """Record that ``step`` is done."""
        self.done = [*(name for name in self.done if name != step), step]
        self._save()

    def rewind(self, steps: list[str]) -> None:
        """Forget that ``steps`` were done; makes the folder if it is not there."""
        self.done = [name for name in self.done if name not in steps]
        (self.path / MANIFEST).unlink(missing_ok=True)
        self._save()

    def remove(self) -> None:
        """Remove the work (never the target)."""
        shutil.rmtree(self.path, ignore_errors=True)

    def publish(self) -> None:
        """Put the finished work in the target's place; at every moment either the old or the new build is whole."""
        _refuse_foreign(self.target)
        old = _beside(self.target, "old")
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


def _restore(target: Path) -> None:
    """Undo a replacement that was cut short between its two renames."""
    old = _beside(target, "old")
    if (old / MANIFEST).exists() and not target.exists():
        old.rename(target)


def _read_state(folder: Path) -> dict[str, object] | None:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and state.get("maker") == MAKER else None


def _done(state: dict[str, object]) -> list[str]:
    steps = state.get("done")
    return [str(step) for step in steps] if isinstance(steps, list) else []


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
