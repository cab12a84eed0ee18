"""Breaks one thing at a time in the emulated board and requires a check that fails. With ``make test-mutations``."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hlsgen.board_emulator.config import VARIABLE
from hlsgen.resources import PACKAGE, resource
from hlsgen.sim import emulated_board, verilator
from tests.emulator import on_board
from tests.emulator.conftest import CACHE, Built

pytestmark = pytest.mark.mutation

PYTHON = {
    "status bits cannot be cleared": ("dma", "channel.flags &= ~(value & (IOC | ERROR_INTERRUPT))", "pass"),
    "a halted channel starts": ("dma", "if not channel.control & RUN:", "if False:"),
    "a reset is of one channel": ("dma", "        self._send.reset()\n        self._receive.reset()", "        pass"),
    "an error does not stop the channel": ("dma", "        self.control &= ~RUN\n", ""),
    "received bytes are not counted": ("dma", "            self.length = moved\n", "            pass\n"),
    "the length has more bits": ("dma", "(1 << length_bits) - 1", "(1 << 32) - 1"),
    "any alignment will do": ("dma", "channel.address % self._data_bytes", "channel.address % 1"),
    "idle from the beginning": ("dma", "        self.flags = 0", "        self.flags = IDLE"),
    "the CPU sees DRAM": ("memory", "np.full(size, FRESH_CPU, np.uint8)", "self._dram[place : place + size]"),
    "fresh memory is zero": ("memory", "FRESH_CPU, FRESH_DRAM = 0xA5, 0x5A", "FRESH_CPU, FRESH_DRAM = 0, 0"),
    "any address is memory": ("memory", "if offset < 0 or offset + size > self.size:", "if offset < -1 << 62:"),
    "memory has no end": ("memory", "if place + size > self.size:", "if place > self.size:"),
    "freed memory stays taken": ("device", "            self.bo.release()", "            pass"),
    "a fault never goes away": ("faults", "self._once.remove(fault)", "pass"),
    "a fault never comes": ("faults", "        if fault in self._once:", "        if False:"),
    "the second divider is elsewhere": (
        "clocks",
        "self._first, self._second = 8, 20",
        "self._first, self._second = 8, 14",
    ),
    "any bitstream will do": ("device", 'if first != f"{BITSTREAM} {self.config.build_id}":', "if False:"),
}
"""What is broken: module, text, what it becomes."""

PATIENCE = 60
"""Seconds after which all checks have failed or passed, or will never."""

CPP = {
    "TLAST never goes in": ("top->s_axis_tlast = left <= IN_BYTES;", "top->s_axis_tlast = 0;"),
    "TLAST does not end a transfer": ("(top->m_axis_tlast && !ignore_last)", "(receive.moved == receive.length)"),
    "too much is received in silence": ("else if (keep > room) receive.state = OVERFLOW;", ""),
    "a beat is sent twice": ("        if (in) sent();", "        if (in && cycle % 7) sent();"),
    "a soft reset does not reach the registers": ("top->s_axi_control_wstrb = 0xf;", "top->s_axi_control_wstrb = 0;"),
}
"""The same of templates/rtl/sim/board.cpp."""


def failed(built: Built, folder: Path, library: Path | None = None) -> list[str]:
    """Names of the checks that fail with the package in ``folder``; with another ``library``, if there is one.

    A broken board may also bring the process down, or let it wait for ever.
    """
    with built.place("4.0.0") as place:
        data, results = place.folder.parent / "data.npz", place.folder.parent / "results.json"
        built.vectors(8, data)
        place.environment["PYTHONPATH"] = str(folder / "board_emulator" / "site")
        if library is not None:
            description = Path(place.environment[VARIABLE])
            values = json.loads(description.read_text())
            description.write_text(json.dumps({**values, "library": str(library)}))
        words = list(map(str, (place.python, on_board.__file__, place.environment[VARIABLE], data, results)))
        try:
            done = subprocess.run(
                words, cwd=place.folder, env=place.environment, capture_output=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            return ["it hangs"]
        if done.returncode != 0:
            return ["it crashes"]
        return [name for name, text in json.loads(results.read_text())["checks"].items() if text]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a copy of the package to break."""
    shutil.copytree(PACKAGE / "board_emulator", tmp_path / "hlsgen" / "board_emulator")
    return tmp_path / "hlsgen"


def test_nothing_fails_unbroken(digits: Callable[[str], Built], package: Path) -> None:
    assert failed(digits("pynq-z2"), package) == []


@pytest.mark.parametrize("what", PYTHON)
def test_broken_python_is_noticed(digits: Callable[[str], Built], package: Path, what: str) -> None:
    module, text, becomes = PYTHON[what]
    path = package / "board_emulator" / f"{module}.py"
    source = path.read_text()
    assert source.count(text) == 1
    path.write_text(source.replace(text, becomes))
    assert failed(digits("pynq-z2"), package) != []


@pytest.mark.parametrize("what", CPP)
def test_broken_cpp_is_noticed(
    digits: Callable[[str], Built], package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    text, becomes = CPP[what]
    main = tmp_path / "board.cpp"
    source = resource("templates", "rtl", "sim", "board.cpp").read_text()
    assert source.count(text) == 1
    main.write_text(source.replace(text, becomes))
    built = digits("pynq-z2")
    with monkeypatch.context() as patch:
        patch.setattr(verilator, "resource", lambda *parts: main)
        library = verilator.library(built.folder / "rtl", CACHE)
    assert failed(built, package, library) != []


def test_the_site_folder_is_the_packages() -> None:
    """What is broken above is what runs."""
    assert emulated_board.SITE == PACKAGE / "board_emulator" / "site"
