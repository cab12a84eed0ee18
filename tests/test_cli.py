from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hlsgen import __version__, board
from hlsgen.cli import printable
from tests.commands import ROOT, hlsgen
from tests.conftest import EXAMPLES


def test_help_teaches() -> None:
    outcome = hlsgen("--help")
    assert outcome.code == 0
    for command in ("build", "run", "inspect", "boards", "doctor", "emulate"):
        assert command in outcome.out
        assert hlsgen(command, "--help").code == 0
    assert "--board pynq-z2" in hlsgen("build", "--help").out


def test_version() -> None:
    assert hlsgen("--version").out.strip() == f"hlsgen {__version__}"


def test_boards() -> None:
    text = hlsgen("boards").out
    assert all(name in text for name in board.names())
    listed = json.loads(hlsgen("boards", "--json").out)
    assert [each["name"] for each in listed] == board.names()
    assert listed[4]["resources"] == {"lut": 53200, "ff": 106400, "bram36": 140, "uram": 0, "dsp": 220}


def test_doctor() -> None:
    assert "onnxruntime" in hlsgen("doctor").out
    found = {each["tool"]: each["found"] for each in json.loads(hlsgen("doctor", "--json").out)}
    assert found["onnxruntime"]
    assert found["g++"].startswith("g++")
    assert found["ap_int.h"]


def test_doctor_without_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {each["tool"]: each["found"] for each in json.loads(hlsgen("doctor", "--json").out)}
    assert found["g++"] == ""
    assert "no (apt install g++)" in " ".join(hlsgen("doctor").out.split())


@pytest.mark.parametrize(("name", "form"), [("digits_qdq", "qdq"), ("digits_qop", "qdq+qoperator")])
def test_inspect(name: str, form: str) -> None:
    outcome = hlsgen("inspect", EXAMPLES / f"{name}.onnx")
    assert outcome.code == 0, outcome.err
    assert f"{name}: {form} model, 314,944 MACs per image" in outcome.out
    assert "CPU: QuantizeLinear | hardware: " in outcome.out
    found = json.loads(hlsgen("inspect", EXAMPLES / f"{name}.onnx", "--json").out)
    assert sum(row["macs"] for row in found["rows"]) == 314_944
    assert [row["kind"] for row in found["rows"]][:3] == ["Conv + Requantize"] * 3
    assert all(row["unit"] for row in found["rows"] if "Requantize" in row["kind"] or row["kind"] == "Join")


def without_times(text: str) -> set[str]:
    """Lines of a build's output, single-spaced, the seconds of its steps left out."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return {re.sub(r"^(\w+) \d+\.\d s ", r"\1 ", line) for line in lines if line}


def promised_output() -> set[str]:
    """What README.md says that `make demo` prints while it builds."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return without_times(text[text.index("    import  ") : text.index("    Built build/digits_qdq")])


def test_build_and_run(tmp_path: Path) -> None:
    target, samples = tmp_path / "out", EXAMPLES / "digits_samples.npz"
    outcome = hlsgen("build", EXAMPLES / "digits_qdq.onnx", "-b", "pynq-z2", "-o", target, "--samples", samples)
    assert outcome.code == 0, outcome.err
    assert "hardware == golden == ONNX Runtime(canonical)" in outcome.out
    assert "0 unexplained" in outcome.out
    assert f"Built {target}" in outcome.out.replace("\n", "")
    promised = promised_output()
    assert len(promised) == 14
    assert promised <= without_times(outcome.out), "README.md shows other output"
    with np.load(samples) as data:
        labels = data["labels"]
    logits = {}
    for engine in ("golden", "csim"):
        result = tmp_path / f"{engine}.npz"
        done = hlsgen("run", target, "--engine", engine, "-i", samples, "-o", result, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["arrays"]["logits"] == {"shape": [len(labels), 10], "dtype": "float32"}
        with np.load(result) as arrays:
            logits[engine] = arrays["logits"]
    np.testing.assert_array_equal(logits["golden"], logits["csim"])
    assert (logits["csim"].argmax(1) == labels).mean() > 0.98

    options = ("-b", "pynq-z2", "-o", target, "--clock", "150", "--verify", "none")
    rounded = hlsgen("build", EXAMPLES / "digits_qdq.onnx", *options)
    assert "150 MHz asked" in rounded.out
    assert "142.857 MHz" in rounded.out
    assert "not verified" in rounded.out


def test_build_as_json(tmp_path: Path) -> None:
    options = ("-b", "kv260", "-o", tmp_path / "out", "--verify", "none", "--json")
    answer = json.loads(hlsgen("build", EXAMPLES / "digits_qop.onnx", *options).out)
    assert answer["finished"] is True
    assert answer["folder"] == str(tmp_path / "out")
    assert answer["manifest"]["hardware"]["axi_bits"] == 128
    assert answer["manifest"]["verify"] == {}


def test_text_from_models_is_harmless() -> None:
    assert printable("a\nb\tc \x1b[31m\x00d\u202e") == "a b c ?[31m?d?"
