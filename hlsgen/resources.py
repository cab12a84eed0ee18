"""Finds the files that are not Python: templates, IP, Tcl and boards, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """The file or folder at ``parts`` below the package data, for example ``resource("boards", "pynq-z2.yaml")``.

    A wheel holds the data folders in ``hlsgen/_data`` (see pyproject.toml), a checkout beside the package. Raises
    FileNotFoundError when there is no such file, which means a broken installation.
    """
    installed = PACKAGE / "_data"
    path = (installed if installed.is_dir() else PACKAGE.parent).joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"hlsgen's own file {'/'.join(parts)} is missing: install hlsgen again")
    return path
