"""Reads along with Vivado: what it is doing, how build.tcl says that it failed, and what is known about the cause."""

from __future__ import annotations

import re
from collections.abc import Callable

from hlsgen.synth.vitis_log import DISK, LICENCE, MEMORY

_SAID = re.compile(r"hlsgen: (.+)")
_FAILED = re.compile(r"ERROR: hlsgen (\w+) failed in stage (\w+): (.+)")
_ERROR = re.compile(r"(?:ERROR|FATAL): ?(.+)")

KEPT = 3
"""Complaints that are kept: the first ones, for the later ones follow from them."""

FINISHED = "done"
"""What build.tcl says last."""

_CAUSES = {
    DISK: "The disk is full. Make room (a run needs some gigabytes) and run it again; the build itself is whole.",
    LICENCE: (
        "Vivado has no licence for this. Set XILINXD_LICENSE_FILE, or choose a board that the free edition covers: it "
        "has not the largest devices (zcu102, rfsoc4x2)."
    ),
    MEMORY: (
        "The machine ran out of memory. Close other programs, run fewer jobs at a time, or choose a smaller design: "
        "--max-utilization, --fps."
    ),
}
"""Causes that are known by their words anywhere in the log, the most telling first, and what to do about them."""

_ADVICE = {
    "version": "Source the settings64.sh of Vivado 2020.2 or later.",
    "part": "",
    "ip": "If the sources are complete, please report it.",
    "clock": "Choose another --clock: `hlsgen boards` names the PLL, and a clock is the PLL divided by two integers.",
    "synthesis": "Please report it with the log: the same sources pass Verilator and Yosys (--synth yosys).",
    "implementation": (
        "If the design does not fit, build it with a lower --max-utilization or fewer --fps, so that the plan leaves "
        "more room."
    ),
    "timing": (
        "Build again with a lower --clock, or with a lower --max-utilization: a less crowded device is faster. The "
        "paths are in reports/vivado/timing.rpt. No bitstream was delivered."
    ),
    "bitstream": "The messages of the design rule check say what is wrong.",
    "hook": "The hook is yours: correct it, or leave it out.",
    "product": "Run it again; if that does not help, please report it with the log.",
    "settings": "",
    "option": "",
}
"""By kind of failure as build.tcl names it: what to do."""


class Watcher:
    """Looks at the tool's lines as they come. ``progress`` is told what build.tcl says.

    ``kind``, ``message``: how build.tcl says that it failed, empty while it has not; ``finished``: it has said that it
    is done; ``errors``: the first complaints of Vivado itself.
    """

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.progress = progress
        self.kind = ""
        self.message = ""
        self.finished = False
        self.errors: list[str] = []
        self.causes: set[re.Pattern[str]] = set()

    def line(self, text: str) -> None:
        """The tool has printed ``text``."""
        if said := _SAID.fullmatch(text):
            self.finished = said[1] == FINISHED
            self.progress(said[1])
            return
        if text.startswith("INFO:"):
            return
        self.causes.update(pattern for pattern in _CAUSES if pattern.search(text))
        if failed := _FAILED.match(text):
            self.kind, self.message = failed[1], failed[3].strip()
        elif (error := _ERROR.match(text)) and len(self.errors) < KEPT:
            self.errors.append(error[1].strip())

    def explanation(self) -> str:
        """What failed, and what to do: sentences."""
        what = self.message or "; ".join(self.errors) or "it ended without a word"
        first = f" Its first error: {self.errors[0]}." if self.message and self.errors else ""
        cause = next((advice for pattern, advice in _CAUSES.items() if pattern in self.causes), None)
        advice = _ADVICE.get(self.kind, "") if cause is None else cause
        return f"{what.rstrip('.')}.{first}" + (f" {advice}" if advice else "")
