"""Reads Vivado's reports: utilisation, timing summary, power. Row names differ between the 7 series and UltraScale+."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hlsgen.errors import ToolError
from hlsgen.plan.primitives import Use

ROWS: dict[str, tuple[str, ...]] = {
    "lut": ("Slice LUTs", "CLB LUTs"),
    "lutram": ("LUT as Memory",),
    "ff": ("Slice Registers", "CLB Registers"),
    "dsp": ("DSPs",),
    "ramb18": ("RAMB18",),
    "ramb36": ("RAMB36/FIFO",),
    "uram": ("URAM",),
}
"""Names of the rows with a resource: of the 7 series, of UltraScale+, or of both."""

ABSENT = {"uram"}
"""Resources without a row on devices that have none."""


@dataclass(frozen=True)
class Timing:
    """Worst slacks in ns, of setup and hold: timing is met where none is negative."""

    wns_ns: float
    whs_ns: float


@dataclass(frozen=True)
class Power:
    """Watts as ``report_power`` estimates them, not knowing how often signals change; ``confidence`` is its word."""

    total: float
    dynamic: float
    static: float
    confidence: str


def read_utilization(path: Path) -> Use:
    """Resources in a file of ``report_utilization``. Raises ToolError for a file that is none."""
    cells = _cells(path)
    found: dict[str, int] = {}
    for resource, names in ROWS.items():
        value = next((cells[name] for name in names if name in cells), "0" if resource in ABSENT else None)
        if value is None or not value.isdecimal():
            raise _unreadable(path, f"number of {names[0]}")
        found[resource] = int(value)
    return Use(**found)


def read_timing(path: Path) -> Timing:
    """Worst slacks in a file of ``report_timing_summary``. Raises ToolError for a file that is none."""
    lines = [line.split() for line in _text(path).splitlines()]
    for index, words in enumerate(lines):
        if words[:1] == ["WNS(ns)"]:
            values = next((row for row in lines[index + 1 :] if row and not row[0].startswith("-----")), [])
            # WNS, TNS, two numbers of endpoints, WHS, ...
            try:
                return Timing(float(values[0]), float(values[4]))
            except (ValueError, IndexError):
                break
    raise _unreadable(path, "worst slack")


def read_power(path: Path) -> Power:
    """The estimate in a file of ``report_power``. Raises ToolError for a file that is none."""
    cells = _cells(path)
    try:
        rows = ("Total On-Chip Power (W)", "Dynamic (W)", "Device Static (W)")
        total, dynamic, static = (float(cells[name].split()[0]) for name in rows)
    except (KeyError, ValueError, IndexError) as error:
        raise _unreadable(path, "power") from error
    return Power(total, dynamic, static, cells.get("Confidence Level", "unknown"))


def _cells(path: Path) -> dict[str, str]:
    """Second cell of the tables' rows by the first cell, without indent and footnote mark: the first row of a name."""
    cells: dict[str, str] = {}
    for name, value in re.findall(r"^\|\s*([^|]+?)\*?\s*\|\s*([^|]*?)\s*\|", _text(path), re.MULTILINE):
        cells.setdefault(name.rstrip("*").strip(), value)
    return cells


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ToolError(
            f"Vivado's report {path} cannot be read ({error.strerror}): the run has not ended as it should."
        ) from error


def _unreadable(path: Path, what: str) -> ToolError:
    return ToolError(f"Vivado's report {path} states no {what}: it is cut off, or of a form that hlsgen does not know.")
