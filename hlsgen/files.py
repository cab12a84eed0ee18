"""Files that are written whole or not at all."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_OLDEST_DATE = (1980, 1, 1, 0, 0, 0)
"""The time stamp of every member of an archive, so that equal arrays give equal bytes."""


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file, its folder included, so that a reader, or a restart, finds it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an .npz file, compressed. The same arrays in the same order give the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _OLDEST_DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            contents = io.BytesIO()
            np.lib.format.write_array(contents, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(member, contents.getvalue())
