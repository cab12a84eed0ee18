"""What Vitis HLS leaves of its synthesis and co-simulation: AMD's csynth.xml and <top>_cosim.rpt, read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Estimate:
    """What C synthesis foresees, before placement. Times in ns, ``latency`` and ``interval`` in cycles, (min, max).

    ``latency`` and ``interval`` are None where the tool finds no bound. ``ramb18``: halves of a block RAM.
    """

    lut: int
    ff: int
    dsp: int
    ramb18: int
    uram: int
    period_ns: float
    estimated_ns: float
    uncertainty_ns: float
    latency: tuple[int, int] | None
    interval: tuple[int, int] | None

    @property
    def slack_ns(self) -> float:
        """What is left of the clock period after the estimate and the margin for placement and routing."""
        return self.period_ns - self.uncertainty_ns - self.estimated_ns


@dataclass(frozen=True)
class Cosimulated:
    """What RTL co-simulation measured, in cycles: (min, average, max), None where there was only one image."""

    latency: tuple[int, int, int] | None
    interval: tuple[int, int, int] | None


def read_estimate(path: Path) -> Estimate:
    """The estimate in a csynth.xml, as it has looked since 2020.2. Raises ValueError for another file."""
    try:
        root = ET.parse(path).getroot()
        clock = "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"
        return Estimate(
            lut=_count(root, "LUT"),
            ff=_count(root, "FF"),
            dsp=_count(root, "DSP"),
            ramb18=_count(root, "BRAM_18K"),
            uram=_count(root, "URAM", default="0"),
            period_ns=float(_text(root, "UserAssignments/TargetClockPeriod")),
            estimated_ns=float(_text(root, clock)),
            uncertainty_ns=float(root.findtext("UserAssignments/ClockUncertainty") or 0),
            latency=_bounds(root, "Best-caseLatency", "Worst-caseLatency"),
            interval=_bounds(root, "Interval-min", "Interval-max"),
        )
    except (ET.ParseError, ValueError) as error:
        raise ValueError(f"{path} is not as expected ({error})") from error


def _text(root: ET.Element, path: str) -> str:
    text = root.findtext(path)
    if text is None:
        raise ValueError(f"no {path}")
    return text.strip()


def _count(root: ET.Element, name: str, default: str | None = None) -> int:
    text = root.findtext(f"AreaEstimates/Resources/{name}", default)
    if text is None:
        raise ValueError(f"no AreaEstimates/Resources/{name}")
    return int(text)


def _bounds(root: ET.Element, *names: str) -> tuple[int, int] | None:
    """Least and greatest number of cycles; the tool writes ``undef`` or ``?`` where it knows none."""
    texts = [root.findtext(f"PerformanceEstimates/SummaryOfOverallLatency/{name}") or "" for name in names]
    return (int(texts[0]), int(texts[1])) if all(text.strip().isdigit() for text in texts) else None


def read_cosimulated(path: Path) -> Cosimulated:
    """The row of Verilog in a co-simulation's report: status, latencies, intervals (min, average, max each).

    Raises ValueError unless it says that the core passed.
    """
    row = re.search(r"^\|\s*Verilog\s*\|(.*)\|\s*$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    cells = [cell.strip() for cell in row[1].split("|")] if row else []
    if not cells or cells[0] != "Pass":
        raise ValueError(f"{path} says {cells[0] if cells else 'nothing'} of Verilog instead of Pass")

    def cycles(first: int) -> tuple[int, int, int] | None:
        numbers = [int(cell) for cell in cells[first : first + 3] if cell.isdigit()]
        return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None

    return Cosimulated(cycles(1), cycles(4))
