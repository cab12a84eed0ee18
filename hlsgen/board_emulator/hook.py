"""Lets `import pynq` find the emulated board, by nothing but pynq's own search for devices."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

BASE = "pynq.pl_server.device"
"""Module of the class that devices derive from. Once it is there, and before pynq looks for devices, ours follows."""


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != BASE:
            return None
        sys.meta_path.remove(self)  # the others find it
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                importlib.import_module("hlsgen.board_emulator.device")  # registers itself with pynq

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Watch for pynq."""
    sys.meta_path.insert(0, _Finder())
