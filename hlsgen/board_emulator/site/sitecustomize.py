"""Runs when Python starts with this folder on PYTHONPATH: `import pynq` then finds the emulated board.

Of hlsgen the board's environment sees ``hlsgen.board_emulator`` and nothing else. The environment's own
``sitecustomize``, which this one hides, runs afterwards.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

HERE = Path(__file__).resolve().parent


def _emulate() -> None:
    """Make ``hlsgen.board_emulator`` importable and watch for pynq."""
    package = ModuleSpec("hlsgen", None, is_package=True)
    package.submodule_search_locations = [str(HERE.parent.parent)]
    sys.modules["hlsgen"] = importlib.util.module_from_spec(package)
    from hlsgen.board_emulator import hook

    hook.install()


def _run_hidden() -> None:
    """Run the next ``sitecustomize`` on the path, if there is one."""
    elsewhere = [path for path in sys.path if Path(path).resolve() != HERE]
    spec = PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if "HLSGEN_EMULATED_BOARD" in os.environ:
    _emulate()
_run_hidden()
