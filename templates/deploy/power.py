"""Logs the board's power while the accelerator idles and works, and says what an image costs in joules.

    import power

    report = power.measure(accelerator, idle_seconds=15, active_seconds=25)
    print(report)
    report.write_csv("power.csv")

Sensors are looked for under /sys/class/hwmon first, then through ``pynq.get_rails()``. A board without any says so;
figures of a meter at its supply can be given instead: ``report.add_meter("meter.csv")``, or ``external(idle, active,
fps)`` for two readings typed in. Vivado's estimate, where power.rpt stands beside the bitstream, is called an estimate.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import math
import re
import statistics
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HWMON, IIO = "/sys/class/hwmon", "/sys/bus/iio/devices"

INTERVAL_SECONDS = 0.25
"""Between two samples: the sensors of these boards bring a new value 4 to 7 times a second."""

SCOPES = {
    "ina260_u14": "whole module: PS, PL, DRAM, regulators",
    "12V": "input of the whole board",
    "5V": "input of the whole board",
    "VSYS": "input of the whole board",
    "INT": "core of the programmable logic",
    "VCCp0V85": "core",
    "ina226_u76": "PS VCCPSINTFP",
    "ina226_u77": "PS VCCPSINTLP",
    "ina226_u78": "PS VCCPSAUX",
    "ina226_u87": "PS VCCPSPLL",
    "ina226_u85": "PS MGTRAVCC",
    "ina226_u86": "PS MGTRAVTT",
    "ina226_u93": "PS VCCPSDDR",
    "ina226_u88": "PS VCCOPS",
    "ina226_u15": "PS VCCOPS3",
    "ina226_u92": "PS VCCPSDDRPLL",
    "ina226_u79": "PL VCCINT",
    "ina226_u81": "PL VCCBRAM",
    "ina226_u80": "PL VCCAUX",
    "ina226_u84": "PL VCC1V2",
    "ina226_u16": "PL VCC3V3",
    "ina226_u65": "VADJ_FMC",
    "ina226_u74": "PL MGTAVCC",
    "ina226_u75": "PL MGTAVTT",
}
"""What a sensor's reading covers, by its name."""

IDLE, ACTIVE, EXTERNAL = "idle", "active", "external"


NO_SENSORS = "this board has no rail sensors"
ADVICE = "With a meter at its supply: report.add_meter(FILE.csv), or external(idle_watts, active_watts, fps)"


class PowerError(Exception):
    """A meter's file that cannot be understood, or figures that make no sense."""


class Sensor(NamedTuple):
    """A source of power readings. ``read`` returns watts, or None where the sensor gives none."""

    name: str
    scope: str
    read: Callable[[], float | None]


class Row(NamedTuple):
    """One reading. ``time``: seconds since 1970; ``phase``: "idle", "active" or nothing."""

    time: float
    watts: float
    sensor: str
    scope: str
    phase: str


# ---- sensors ---------------------------------------------------------------------------------------------------------


def find_sensors(hwmon: str | Path = HWMON, get_rails: Callable[[], Mapping[str, Any]] | None = None) -> list[Sensor]:
    """The board's power sensors: those under ``hwmon``, else pynq's rails, else none.

    ``get_rails``: default ``pynq.get_rails``.
    """
    sensors = list(_hwmon_sensors(Path(hwmon)))
    if sensors:
        return sensors
    try:
        if get_rails is None:
            import pynq

            get_rails = pynq.get_rails
        rails = get_rails()
    except Exception:  # without libsensors, or with its files broken: then there are no rails
        return []
    return [
        Sensor(name, SCOPES.get(name, f"rail {name}"), partial(getattr, rail.power, "value"))
        for name, rail in rails.items()
        if getattr(rail, "power", None) is not None
    ]


def _hwmon_sensors(root: Path) -> Iterator[Sensor]:
    for device in sorted(root.glob("hwmon*")):
        name = _text(device / "name")
        inputs = sorted(device.glob("power*_input"))
        for path in inputs:
            label = _text(path.with_name(path.name.replace("_input", "_label")))
            full = f"{name} {label}" if label else name if len(inputs) == 1 else f"{name} {path.name[: -len('_input')]}"
            scope = SCOPES.get(name or "", SCOPES.get(label or "", f"rail {full}"))
            if _microwatts(path) is not None:
                yield Sensor(str(full), scope, partial(_microwatts, path))


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> float | None:
    """The number in a file of sysfs; None where there is no such file, or something else in it."""
    try:
        return float(_text(path) or "")
    except ValueError:
        return None


def _microwatts(path: Path) -> float | None:
    """Watts, of a file in which hwmon gives microwatts."""
    value = _number(path)
    return None if value is None else value / 1e6


def temperature(hwmon: str | Path = HWMON, iio: str | Path = IIO) -> float | None:
    """The chip's temperature in degrees Celsius: XADC of a Zynq-7000, AMS of an MPSoC; None where there is neither."""
    for device in sorted(Path(iio).glob("iio:device*")):
        if _text(device / "name") == "xadc":
            raw, offset, scale = (_number(device / f"in_temp0_{part}") for part in ("raw", "offset", "scale"))
            if raw is not None and offset is not None and scale is not None:
                return (raw + offset) * scale / 1000
    for device in sorted(Path(hwmon).glob("hwmon*")):
        millidegrees = _number(device / "temp1_input")
        if _text(device / "name") == "ams" and millidegrees is not None:
            return millidegrees / 1000
    return None


# ---- logging ---------------------------------------------------------------------------------------------------------


class PowerLogger:
    """Reads sensors in a thread of its own; rows gather in ``rows``. Use it as a context manager.

    ``phase(name)`` says what the board does from now on.
    """

    def __init__(self, sensors: list[Sensor], interval_seconds: float = INTERVAL_SECONDS) -> None:
        self.sensors = sensors
        self.interval_seconds = interval_seconds
        self.rows: list[Row] = []
        self.phases: list[tuple[float, str]] = []
        self._phase = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._log, name="power", daemon=True)

    def phase(self, name: str) -> None:
        """Rows belong to phase ``name`` from now on."""
        self._phase = name
        self.phases.append((time.time(), name))

    def _log(self) -> None:
        while True:
            for sensor in self.sensors:
                phase, now = self._phase, time.time()
                watts = sensor.read()
                if watts is not None and math.isfinite(watts):
                    self.rows.append(Row(now, float(watts), sensor.name, sensor.scope, phase))
            if self._stop.wait(self.interval_seconds):
                return

    def __enter__(self) -> PowerLogger:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.phase("")
        self._stop.set()
        self._thread.join()


@dataclasses.dataclass(frozen=True)
class Figures:
    """What one sensor says, in watts; joules per image are watts over images per second."""

    sensor: str
    scope: str
    idle: float | None
    active: float | None
    fps: float | None

    @property
    def delta(self) -> float | None:
        """Watts that the work adds."""
        return None if self.idle is None or self.active is None else self.active - self.idle

    @property
    def joules_per_image(self) -> float | None:
        """Of all that the sensor covers."""
        return self.active / self.fps if self.active is not None and self.fps else None

    @property
    def extra_joules_per_image(self) -> float | None:
        """Beyond what idling costs."""
        return self.delta / self.fps if self.delta is not None and self.fps else None

    def __str__(self) -> str:
        parts = [
            f"{name} {value:.3f} W"
            for name, value in (("idle", self.idle), ("active", self.active), ("delta", self.delta))
            if value is not None
        ]
        if self.joules_per_image is not None:
            parts.append(f"{1e3 * self.joules_per_image:.4g} mJ per image")
        if self.extra_joules_per_image is not None:
            parts.append(f"{1e3 * self.extra_joules_per_image:.4g} mJ above idle")
        return f"power: {', '.join(parts) or 'no reading'} [{self.sensor}: {self.scope}]"


@dataclasses.dataclass
class PowerReport:
    """A log with its phases (start in seconds since 1970, name), the speed meanwhile, and Vivado's estimate.

    ``reason``: why the board has not been measured, should there be no rows.
    """

    rows: list[Row]
    phases: list[tuple[float, str]]
    fps: float | None
    estimate: dict[str, str] = dataclasses.field(default_factory=dict)
    celsius: float | None = None
    reason: str = NO_SENSORS

    def figures(self) -> list[Figures]:
        """Idle and active means of every sensor, in order of appearance."""
        names = list(dict.fromkeys((row.sensor, row.scope) for row in self.rows))
        return [
            Figures(sensor, scope, self._mean(sensor, IDLE), self._mean(sensor, ACTIVE), self.fps)
            for sensor, scope in names
        ]

    def _mean(self, sensor: str, phase: str) -> float | None:
        watts = [row.watts for row in self.rows if row.sensor == sensor and row.phase == phase]
        return statistics.fmean(watts) if watts else None

    def add_meter(self, path: str | Path, start: float | None = None) -> None:
        """Add the readings of an external meter, a CSV file (see ``read_meter``), labelled "external".

        Raises PowerError when none of them falls into the time of this log.
        """
        readings = read_meter(path, start)
        rows = [Row(when, watts, EXTERNAL, "external meter", self._phase_at(when)) for when, watts in readings]
        if not any(row.phase for row in rows):
            raise PowerError(
                f"{path}: none of its {len(rows)} readings was taken during this measurement. Set the meter's clock, "
                "or give start, the time (seconds since 1970) at which the meter began."
            )
        self.rows += rows

    def _phase_at(self, when: float) -> str:
        current = ""
        for started, name in self.phases:
            if started <= when:
                current = name
        return current

    def write_csv(self, path: str | Path) -> None:
        """Write the rows: time, watts, sensor, scope, phase."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(Row._fields)
            writer.writerows(self.rows)

    def plot(self, path: str | Path | None = None) -> Any:
        """Power over time, the active phases shaded: a matplotlib figure, saved as ``path`` where one is given."""
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(8, 3.5))
        axes.margins(y=0.15)
        origin = min([row.time for row in self.rows] + [when for when, _ in self.phases], default=0.0)
        for sensor in dict.fromkeys(row.sensor for row in self.rows):
            points = [(row.time - origin, row.watts) for row in self.rows if row.sensor == sensor]
            axes.plot(*zip(*points), label=sensor)
        for (start, name), (end, _) in zip(self.phases, self.phases[1:]):
            if name == ACTIVE:
                axes.axvspan(start - origin, end - origin, alpha=0.15, color="tab:orange", label=ACTIVE)
        if self.rows:
            axes.legend(loc="lower right")
        else:
            axes.text(0.5, 0.5, f"not measured: {self.reason}", transform=axes.transAxes, ha="center")
        axes.set(xlabel="time in s", ylabel="power in W", title="Power over time", xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
        figure.tight_layout()
        if path is not None:
            figure.savefig(path)
        return figure

    def __str__(self) -> str:
        lines = [str(figures) for figures in self.figures()] or [f"power: not measured: {self.reason}. {ADVICE}"]
        if self.celsius is not None:
            lines.append(f"temperature of the chip: {self.celsius:.1f} degrees Celsius")
        return "\n".join([*lines, *estimate_lines(self.estimate)])


def measure(
    accelerator: Any,
    idle_seconds: float = 15.0,
    active_seconds: float = 25.0,
    batch: int | None = None,
    sensors: list[Sensor] | None = None,
    interval_seconds: float = INTERVAL_SECONDS,
) -> PowerReport:
    """Log power while ``accelerator`` idles, then while it works as fast as it can. Ctrl-C keeps what there is.

    ``sensors``: default those of the board. Without any the phases take place all the same, for a meter at the supply.
    """
    reason, found = NO_SENSORS, sensors
    if found is None:
        found = find_sensors() if accelerator.on_board else []
        expected = accelerator.manifest["board"].get("power", [])
        if not accelerator.on_board:
            reason = "this is no real board"  # the sensors here are another machine's
        elif expected:
            reason = f"no sensor answers, though this board has {', '.join(expected)}"
    fps = None
    logger = PowerLogger(found, interval_seconds)
    logger.phase(IDLE)
    with logger:
        try:
            time.sleep(idle_seconds)
            logger.phase(ACTIVE)
            fps = accelerator.benchmark(active_seconds, batch, latency_share=0.0).end_to_end_fps
        except KeyboardInterrupt:
            pass
    estimate = vivado_estimate(accelerator.folder / "power.rpt")
    celsius = temperature() if accelerator.on_board else None
    return PowerReport(logger.rows, logger.phases, fps, estimate, celsius, reason)


# ---- what others measured or estimated -------------------------------------------------------------------------------


def external(idle_watts: float | None, active_watts: float, fps: float | None = None) -> Figures:
    """Figures of two readings of an external meter, labelled so. Raises PowerError for negative or infinite ones."""
    for watts in (idle_watts, active_watts):
        if watts is not None and not (math.isfinite(watts) and watts >= 0):
            raise PowerError(f"{watts} is no power in watts.")
    return Figures(EXTERNAL, "external meter, typed in", idle_watts, active_watts, fps)


def read_meter(path: str | Path, start: float | None = None) -> list[tuple[float, float]]:
    """Readings (seconds since 1970, watts) of a meter's CSV file.

    Its first line names the columns: one that begins with "time", "date" or "sec", and "power" or "watt...", or both
    "volt..." and "amp..." or "current". Times are seconds or ISO 8601; ``start`` is added to seconds that do not count
    from 1970. Raises PowerError.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PowerError(f"{path} cannot be read ({error}).") from error
    header = [name.strip().lower() for name in lines[0]] if lines else []

    def column(*beginnings: str) -> int | None:
        return next((place for place, name in enumerate(header) if name.startswith(beginnings)), None)

    when, watts = column("time", "date", "sec", "t ["), column("power", "watt", "p [")
    volts, amperes = column("volt", "u ["), column("amp", "current", "i [")
    if when is None or (watts is None and (volts is None or amperes is None)):
        raise PowerError(
            f"{path}: the first line must name a column of time and one of watts (or volts and amperes), but it is "
            f"{', '.join(map(repr, header)) or 'empty'}."
        )
    readings: list[tuple[float, float]] = []
    try:
        for line in lines[1:]:
            power = float(line[watts]) if watts is not None else float(line[volts or 0]) * float(line[amperes or 0])
            readings.append((_seconds(line[when]) + (start or 0.0), power))
    except (ValueError, IndexError) as error:
        raise PowerError(f"{path}, reading {len(readings) + 1}: {error}.") from error
    if not readings:
        raise PowerError(f"{path} holds no readings.")
    return readings


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        # Python before 3.11 knows no Z
        return datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00")).timestamp()


def vivado_estimate(path: str | Path) -> dict[str, str]:
    """Watts and confidence from the text of Vivado's report_power; nothing where there is no such file."""
    text = _text(Path(path)) or ""
    wanted = ("Total On-Chip Power (W)", "Dynamic (W)", "Device Static (W)", "Confidence Level")
    found = {}
    for name in wanted:
        match = re.search(rf"^\|\s*{re.escape(name)}\s*\|\s*([^|]*?)\s*\|", text, re.MULTILINE)
        if match:
            found[name] = match.group(1)
    return found


def estimate_lines(estimate: Mapping[str, str]) -> list[str]:
    """Vivado's figures for people: never a measurement."""
    if not estimate:
        return []
    figures = ", ".join(f"{name} {value}" for name, value in estimate.items())
    return [f"estimate (vectorless), by Vivado's report_power, no measurement: {figures}"]
