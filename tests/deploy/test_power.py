"""Power: sensors of fake trees, logs, an external meter, Vivado's estimate."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

REPORT = """
1. Summary
----------
+--------------------------+--------------+
| Total On-Chip Power (W)  | 1.683        |
| Design Power Budget (W)  | Unspecified* |
| Dynamic (W)              | 1.546        |
| Device Static (W)        | 0.137        |
| Confidence Level         | Medium       |
+--------------------------+--------------+
"""


@pytest.fixture
def power(modules: Any) -> Any:
    return modules.power


def hwmon(root: Path, **devices: dict[str, str]) -> Path:
    """A tree like /sys/class/hwmon: name -> {file: contents}."""
    for number, (name, files) in enumerate(devices.items()):
        folder = root / f"hwmon{number}"
        folder.mkdir(parents=True)
        for file, contents in {"name": name, **files}.items():
            (folder / file).write_text(f"{contents}\n")
    return root


def test_sensors_of_the_kernel_come_first(power: Any, tmp_path: Path) -> None:
    root = hwmon(
        tmp_path,
        ina260_u14={"power1_input": "3540000", "curr1_input": "700", "in1_input": "5010"},
        cpu_thermal={"temp1_input": "45000"},
        irps5401={
            **{"power1_input": "2000000", "power1_label": "pin", "power2_input": "1500000", "power2_label": "INT"},
            **{"power3_input": "nothing"},
        },
        ina226={"power1_input": "1000000", "power2_input": "250000"},
    )
    sensors = power.find_sensors(root, get_rails=lambda: pytest.fail("not asked"))
    assert [(sensor.name, sensor.scope, sensor.read()) for sensor in sensors] == [
        ("ina260_u14", "whole module: PS, PL, DRAM, regulators", 3.54),
        ("irps5401 pin", "rail irps5401 pin", 2.0),
        ("irps5401 INT", "core of the programmable logic", 1.5),
        ("ina226 power1", "rail ina226 power1", 1.0),
        ("ina226 power2", "rail ina226 power2", 0.25),
    ]
    (root / "hwmon0" / "power1_input").unlink()  # unplugged while it logs
    assert sensors[0].read() is None


def test_rails_come_second(power: Any, tmp_path: Path) -> None:
    rails = {
        "12V": SimpleNamespace(power=SimpleNamespace(value=7.5)),
        "AUX": SimpleNamespace(power=SimpleNamespace(value=None)),
        "odd": SimpleNamespace(power=None),
    }
    sensors = power.find_sensors(tmp_path, get_rails=lambda: rails)
    assert [(sensor.name, sensor.scope, sensor.read()) for sensor in sensors] == [
        ("12V", "input of the whole board", 7.5),
        ("AUX", "rail AUX", None),
    ]


def test_no_sensors(power: Any, tmp_path: Path) -> None:
    def broken() -> None:
        raise OSError("libsensors.so.4: cannot open shared object file")

    assert power.find_sensors(tmp_path, get_rails=dict) == []
    assert power.find_sensors(tmp_path, get_rails=broken) == []


def stub_sensor(power: Any, work: list[str]) -> Any:
    """2 W idle, 5 W while ``work`` goes on, and a broken reading at times."""
    readings = iter(range(10**6))
    return power.Sensor(
        "12V",
        "input of the whole board",
        lambda: float("nan") if next(readings) % 7 == 3 else (5.0 if work else 2.0),
    )


class Worker:
    """An accelerator as far as power.measure knows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.on_board = False
        self.work: list[str] = []

    def benchmark(self, seconds: float, batch: int | None, latency_share: float) -> Any:
        assert latency_share == 0
        self.work.append("works")
        time.sleep(seconds)
        return SimpleNamespace(end_to_end_fps=100.0)


def test_idle_active_and_joules(power: Any, tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    (tmp_path / "power.rpt").write_text(REPORT)
    report = power.measure(worker, 0.3, 0.3, sensors=[stub_sensor(power, worker.work)], interval_seconds=0.01)
    (figures,) = report.figures()
    assert figures.idle == 2.0
    assert figures.active == pytest.approx(5.0, abs=0.5)
    assert figures.delta == pytest.approx(figures.active - 2.0)
    assert figures.joules_per_image == pytest.approx(figures.active / 100)
    assert figures.extra_joules_per_image == pytest.approx(figures.delta / 100)
    text = str(report)
    assert "mJ per image" in text
    assert "[12V: input of the whole board]" in text
    assert "estimate (vectorless), by Vivado's report_power, no measurement: Total On-Chip Power (W) 1.683" in text
    report.write_csv(tmp_path / "log.csv")
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert list(rows[0]) == ["time", "watts", "sensor", "scope", "phase"]
    assert len(rows) == len(report.rows) > 10
    assert {row["phase"] for row in rows} == {"idle", "active"}
    assert [float(row["time"]) for row in rows] == sorted(float(row["time"]) for row in rows)


def test_an_interrupted_measurement_keeps_its_rows(power: Any, tmp_path: Path) -> None:
    class Interrupted(Worker):
        def benchmark(self, seconds: float, batch: int | None, latency_share: float) -> Any:
            raise KeyboardInterrupt

    worker = Interrupted(tmp_path)
    report = power.measure(worker, 0.05, 10, sensors=[stub_sensor(power, worker.work)])
    (figures,) = report.figures()
    assert figures.idle == 2.0
    assert figures.joules_per_image is None
    assert "idle 2.000 W" in str(report)


def test_a_board_without_sensors_says_so(power: Any, accelerator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "find_sensors", lambda: [stub_sensor(power, [])])  # those of the machine of the tests
    report = power.measure(accelerator, 0.0, 0.05, batch=4)
    assert report.fps > 0
    assert report.figures() == []
    assert "not measured: this is no real board" in str(report)
    monkeypatch.setattr(power, "find_sensors", list)
    accelerator.on_board = True
    assert "not measured: this board has no rail sensors" in str(power.measure(accelerator, 0.0, 0.0, batch=1))
    accelerator.manifest["board"]["power"] = ["ina260_u14"]
    assert "though this board has ina260_u14" in str(power.measure(accelerator, 0.0, 0.0, batch=1))


def meter(path: Path, header: str, *lines: str) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_an_external_meter(power: Any, tmp_path: Path) -> None:
    phases = [(1000.0, "idle"), (1010.0, "active"), (1030.0, "")]
    report = power.PowerReport([], phases, 50.0)
    seconds = [*range(995, 1035)]
    lines = [f"{second},{4 if 1010 <= second < 1030 else 3}" for second in seconds]
    report.add_meter(meter(tmp_path / "m.csv", "Time (s),Power [W]", *lines))
    (figures,) = report.figures()
    assert (figures.sensor, figures.idle, figures.active) == ("external", 3.0, 4.0)
    assert figures.joules_per_image == 4 / 50
    assert "[external: external meter]" in str(report)
    # volts and amperes, on the meter's own time
    other = power.PowerReport([], phases, None)
    lines = [f"{second - 995},5.0,{0.8 if 1010 <= second < 1030 else 0.6}" for second in seconds]
    other.add_meter(meter(tmp_path / "n.csv", "seconds,voltage,current", *lines), start=995)
    assert (other.figures()[0].idle, other.figures()[0].active) == (3.0, 4.0)


def test_a_meters_dates(power: Any, tmp_path: Path) -> None:
    path = meter(tmp_path / "m.csv", "timestamp,watts", "2026-01-02T03:04:05Z,2.5", "2026-01-02 03:04:06+00:00,2.6")
    assert power.read_meter(path) == [(1767323045.0, 2.5), (1767323046.0, 2.6)]


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        ("when,what", ["1,2"], "must name a column of time"),
        ("time,volts", ["1,2"], "must name a column of time"),
        ("time,watts", ["1,2", "2,much"], "reading 2: could not convert"),
        ("time,watts", ["1,2", "2"], "reading 2: list index"),
        ("time,watts", ["yesterday,2"], "reading 1: Invalid isoformat"),
        ("time,watts", [], "holds no readings"),
        ("time,watts", ["1,2"], "none of its 1 readings"),
    ],
)
def test_a_meters_file_that_makes_no_sense(
    power: Any, tmp_path: Path, header: str, lines: list[str], message: str
) -> None:
    report = power.PowerReport([], [(1000.0, "idle"), (1010.0, "")], None)
    with pytest.raises(power.PowerError, match=message):
        report.add_meter(meter(tmp_path / "m.csv", header, *lines))
    assert report.rows == []


def test_a_missing_meters_file(power: Any, tmp_path: Path) -> None:
    with pytest.raises(power.PowerError, match="cannot be read"):
        power.read_meter(tmp_path / "none.csv")


def test_typed_figures(power: Any) -> None:
    figures = power.external(1.5, 2.5, fps=1000)
    assert figures.delta == 1.0
    assert str(figures).endswith("[external: external meter, typed in]")
    for wrong in (-1.0, float("inf"), float("nan")):
        with pytest.raises(power.PowerError):
            power.external(1.0, wrong)


def test_no_estimate_without_a_report(power: Any, tmp_path: Path) -> None:
    assert power.vivado_estimate(tmp_path / "power.rpt") == {}
    assert power.estimate_lines({}) == []


def test_temperature(power: Any, tmp_path: Path) -> None:
    iio = tmp_path / "iio"
    device = iio / "iio:device0"
    device.mkdir(parents=True)
    for name, text in {
        **{"name": "xadc", "in_temp0_raw": "2600", "in_temp0_offset": "-2219", "in_temp0_scale": "123.040771"},
    }.items():
        (device / name).write_text(text)
    root = hwmon(tmp_path / "hwmon", ams={"temp1_input": "45500"})
    assert power.temperature(root, iio) == pytest.approx(381 * 0.123040771)
    assert power.temperature(root, tmp_path) == 45.5
    assert power.temperature(tmp_path, tmp_path) is None
    (device / "in_temp0_raw").unlink()
    assert power.temperature(tmp_path, iio) is None
