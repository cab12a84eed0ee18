"""Finds a Python environment like the board's: with real pynq, and NumPy 1, which pynq needs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hlsgen.errors import ToolError
from hlsgen.resources import PACKAGE

VARIABLE = "HLSGEN_BOARD_PYTHON"
"""Environment variable with the path of the environment's python."""

ENVIRONMENT = Path(".venv-board") / "pynq-4.0.0"
"""Where `make board-env` puts the newest one, below the checkout or the current folder."""

OLDEST = (3, 10)
"""Version of Python on the oldest image that is supported."""

HOW = (
    f"To make one with Python 3.10 to 3.12: `make board-env` in hlsgen's checkout, or anywhere `python3 -m venv "
    f"{ENVIRONMENT}` and then `{ENVIRONMENT}/bin/pip install pynq==4.0.0 'numpy<2' 'pycparser<3' 'setuptools<=80' "
    f"matplotlib notebook`. One that is elsewhere is found by {VARIABLE}=/path/to/bin/python."
)

_QUERY = "import importlib.metadata as m, sys; print(*sys.version_info[:2], m.version('pynq'), m.version('numpy'))"


def find() -> Path:
    """``$HLSGEN_BOARD_PYTHON``, else the python of ``ENVIRONMENT`` in the checkout or in the current folder.

    Raises ToolError where there is none, or one without pynq and NumPy 1.
    """
    asked = os.environ.get(VARIABLE)
    folders = dict.fromkeys([PACKAGE.parent / ENVIRONMENT, Path.cwd() / ENVIRONMENT])
    places = [Path(asked)] if asked else [folder / "bin" / "python" for folder in folders]
    python = next((path.absolute() for path in places if os.access(path, os.X_OK) and path.is_file()), None)
    if python is None:
        where = f"{VARIABLE}={asked}" if asked else " or ".join(map(str, folders))
        raise ToolError(f"The emulated board needs a Python environment like the board's; {where} is none. {HOW}")
    # -I: what PYTHONPATH says is meant for this environment, not for that one
    completed = subprocess.run([str(python), "-I", "-c", _QUERY], capture_output=True, text=True, check=False)
    found = completed.stdout.split()
    if completed.returncode != 0 or len(found) != 4:
        raise ToolError(f"{python} has no pynq, or no NumPy: it is no environment like the board's. {HOW}")
    major, minor, pynq, numpy = found
    if (int(major), int(minor)) < OLDEST or int(numpy.split(".")[0]) > 1:
        raise ToolError(
            f"{python} is Python {major}.{minor} with pynq {pynq} and NumPy {numpy}. The emulated board needs Python "
            f"{OLDEST[0]}.{OLDEST[1]} or newer and NumPy 1, as pynq does. {HOW}"
        )
    return python
