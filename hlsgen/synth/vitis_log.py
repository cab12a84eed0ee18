"""Reads along with Vitis HLS: which stage it is in, what it complains about, and what to do about that."""

from __future__ import annotations

import re
from collections.abc import Callable

_BEGIN = re.compile(r"hlsgen: begin (\w+)")
_MODULE = re.compile(r"-- (?:Implementing|Generating RTL for) module '(\w+)'")
_TRANSACTION = re.compile(r"// RTL Simulation : (\d+) / (\d+)")
_ERROR = re.compile(r"^\s*ERROR: |ERROR!!!|: (?:fatal )?error: |^[ms]_axis: ")
"""Of the tool, its simulators and its compiler, and of our testbench."""

_FAILED = "hlsgen: failed: "
"""How run_hls.tcl begins its last words; what the tool said before is closer to the cause."""

_CSIM_PASSED = re.compile(r"CSim done with 0 errors")

DISK = re.compile(r"no space left on device|disk quota exceeded|not enough space|disk full", re.IGNORECASE)
LICENCE = re.compile(
    r"valid license was not found|FlexNet Licensing error|licen[cs]e (?:checkout|check-out|check out) (?:has )?failed"
    r"|(?:failed|unable) to (?:get|obtain|check ?out) (?:a |the )?licen[cs]e"
    r"|no valid licen[cs]e|licen[cs]e .{0,60}(?:has expired|could not be found)",
    re.IGNORECASE,
)
PART = re.compile(r"part '?[\w-]+'? (?:is not installed|not found|is invalid|does not exist)", re.IGNORECASE)
REVISION = re.compile(r"'\d{10}' is an invalid argument\. Please specify an integer value")
DEADLOCK = re.compile(r"deadlock detected", re.IGNORECASE)
MEMORY = re.compile(r"out of memory|bad_alloc|cannot allocate memory|memory allocation failed", re.IGNORECASE)

KEPT = 8
"""Complaints that are kept: the first ones, for the later ones follow from them."""


class Watcher:
    """Looks at the tool's lines as they come. ``progress`` is told in a few words what is being done.

    ``stage``: the current one, empty before the first; ``errors``: the first complaints; ``known``: first lines with
    causes that are known; ``csim_passed``, ``finished``: the tool and our script have said so.
    """

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.progress = progress
        self.stage = ""
        self.errors: list[str] = []
        self.known: dict[re.Pattern[str], str] = {}
        self.csim_passed = False
        self.finished = False

    def line(self, text: str) -> None:
        """The tool has printed ``text``."""
        if begin := _BEGIN.fullmatch(text):
            self.stage = begin[1]
            self.progress(self.stage)
        elif module := _MODULE.search(text):
            self.progress(f"{self.stage}: {module[1]}")
        elif transaction := _TRANSACTION.search(text):
            self.progress(f"{self.stage}: image {transaction[1]} of {transaction[2]}")
        elif _CSIM_PASSED.search(text):
            self.csim_passed = True
        elif text == "hlsgen: finished":
            self.finished = True
        elif not text.startswith("INFO:"):
            self._complaint(text)

    def _complaint(self, text: str) -> None:
        if text.startswith(_FAILED):
            self.errors = self.errors or [text.removeprefix(_FAILED)]
        elif _ERROR.search(text) and len(self.errors) < KEPT:
            self.errors.append(text.strip(" /"))
        for pattern in (DISK, LICENCE, PART, REVISION, DEADLOCK, MEMORY):
            if pattern.search(text):
                self.known.setdefault(pattern, text.strip())

    def advice(self) -> str:
        """What to do about a failure."""
        known = self.known
        if DISK in known:
            return f"The disk is full ({known[DISK]}). Make room and run it again; the build itself is whole."
        if LICENCE in known:
            return (
                f"It has no licence ({known[LICENCE].rstrip('.')}). Set XILINXD_LICENSE_FILE, or choose a device that "
                "the free edition covers."
            )
        if PART in known:
            return f"This installation lacks the board's device ({known[PART]}). Add its family in AMD's installer."
        if REVISION in known:
            return (
                "Versions before 2022.1 cannot export since the year 2022, for their revision number overflows. "
                "Install AMD's patch for that (answer record 76960), or a newer version."
            )
        if MEMORY in known:
            return "It ran out of memory. Close other programs, or choose a smaller design: --max-utilization, --fps."
        if self.stage == "cosim" and DEADLOCK in known:
            return (
                "The core stands still: a FIFO is too short for what Vitis HLS made of the design. Raise the depths "
                "of the streams that the log names in plan.yaml, and pass it with --plan; or take --core rtl."
            )
        return _BY_STAGE.get(self.stage, "Its options stand in hls/options.tcl.")


_BY_STAGE = {
    "csim": (
        "The C++ disagrees with the expected vectors, or does not compile, under AMD's headers; "
        "`hlsgen run DIR --engine csim --csim-types ap` shows whether it does under hlsgen's."
    ),
    "csynth": "If it refuses a layer, give that another folding in plan.yaml (--plan), or take --core rtl.",
    "cosim": "The core does not compute what the C++ does: please report it, and take --core rtl meanwhile.",
}
"""Advice where the cause is not known."""
