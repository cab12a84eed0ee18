from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import yaml

import hlsgen
from hlsgen import frontend, pipeline
from hlsgen.choices import Step
from hlsgen.emit.hls import write as write_hls
from hlsgen.errors import OptionError, VerificationError
from hlsgen.graph.host import Array
from hlsgen.lower.design import Design
from hlsgen.pipeline import Build
from tests.commands import hlsgen_process
from tests.conftest import EXAMPLES

DIGITS = EXAMPLES / "digits_qdq.onnx"
QOP = EXAMPLES / "digits_qop.onnx"


def images(count: int = 5) -> Array:
    with np.load(EXAMPLES / "digits_samples.npz") as samples:
        return np.asarray(samples["image"][:count])


def contents(folder: Path) -> dict[str, bytes]:
    """All files outside reports/, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "reports"
    }


class Watcher:
    """Records the steps; interrupts before the one called ``interrupt``."""

    def __init__(self, interrupt: str | None = None) -> None:
        self.interrupt = interrupt
        self.done: list[str] = []
        self.earlier: list[str] = []

    def begin(self, step: str, what: str) -> None:
        if step == self.interrupt:
            raise KeyboardInterrupt

    def note(self, message: str) -> None:
        pass

    def end(self, step: str, seconds: float | None, lines: list[str]) -> None:
        (self.earlier if seconds is None else self.done).append(step)


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The QOperator example, built and verified."""
    return hlsgen.build(QOP, board="pynq-z2", output=tmp_path_factory.mktemp("verified") / "out", clock=150)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The QDQ example, built without verification."""
    folder = tmp_path_factory.mktemp("plain") / "out"
    return hlsgen.build(DIGITS, board="pynq-z2", output=folder, verify="none")


def test_the_folder_holds_what_it_should(verified: Build) -> None:
    names = set(contents(verified.folder))
    assert {"manifest.json", "canonical.onnx", "graph.json", "graph.npz", "graph.txt", "plan.yaml"} <= names
    assert {"hls/top.cpp", "hls/top.hpp", "hls/testbench.cpp", "hls/matvec.hpp", "hls/types.hpp"} <= names
    assert [path.name for path in verified.folder.parent.iterdir()] == ["out"]
    onnx.checker.check_model(onnx.load(str(verified.folder / "canonical.onnx")))


def test_the_manifest(verified: Build) -> None:
    m = verified.manifest
    assert (m["schema"], m["name"], m["model"]["form"]) == (1, "digits_qop", "qdq+qoperator")
    assert (m["board"]["name"], m["board"]["part"]) == ("pynq-z2", "xc7z020clg400-1")
    assert m["clock"]["mhz"] == pytest.approx(1000 / 7)
    assert m["clock"]["asked_mhz"] == 150
    assert m["inputs"] == [{"name": "image", "shape": [1, 8, 8], "dtype": "float32"}]
    assert m["outputs"] == [{"name": "logits", "shape": [10], "dtype": "float32"}]
    hardware = m["hardware"]
    assert hardware["input"]["type"] == {"bits": 8, "signed": False, "narrow": False, "bipolar": False}
    assert (hardware["input"]["frame"], hardware["input"]["words"], hardware["input"]["bytes"]) == ([8, 8, 1], 8, 64)
    assert (hardware["outputs"][0]["words"], hardware["outputs"][0]["bytes"]) == (2, 16)
    assert [node["op"] for node in m["host"]["prefix"]] == ["QuantizeLinear"]
    assert [node["op"] for node in m["host"]["suffix"]] == ["DequantizeLinear"]
    assert m["predicted"]["timing"]["interval_cycles"] == max(kernel["cycles"] for kernel in m["kernels"])
    assert m["predicted"]["timing"]["latency_cycles"] > m["predicted"]["timing"]["interval_cycles"]
    assert set(m["predicted"]["resources"]) == {"lut", "lutram", "ff", "dsp", "ramb18", "ramb36", "uram"}
    assert (m["core"], m["measured"]) == ("rtl", {})
    pack = next(kernel for kernel in m["kernels"] if kernel["kind"] == "pack")
    assert (pack["constants"]["AXI_BITS"], pack["constants"]["BEATS"]) == (64, [10])
    assert int(m["build_id"], 16) < 1 << 64
    assert len(m["model"]["sha256"]) == 64
    assert json.loads((verified.folder / "manifest.json").read_text()) == m


def test_the_verification_compares_everything(verified: Build) -> None:
    verify = verified.manifest["verify"]
    graph = verified.graph
    elements = sum(tensor.elements for tensor in graph.tensors.values())
    assert verify["canonical"] == {"elements": 10 * elements, "mismatches": 0}
    assert verify["csim"]["mismatches"] == 0
    assert verify["csim"]["images"] == 10
    assert verify["csim"]["streams"] == len(verified.manifest["streams"])
    assert verify["original"]["unexplained"] == 0
    assert verify["original"]["exact"] + verify["original"]["tie_explained"] == verify["original"]["elements"]


def test_runs_agree_with_each_other_and_with_onnx_runtime(verified: Build) -> None:
    x = images(12)
    session = onnxruntime.InferenceSession(QOP, providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"image": image[None]})[0] for image in x])
    golden = verified.run(x, "golden", trace=True)
    np.testing.assert_array_equal(golden["logits"], expected)
    for bounded in (False, True):
        simulated = verified.run({"image": x}, "csim", trace=True, bounded=bounded)
        assert simulated.keys() == golden.keys()
        for name, array in golden.items():
            np.testing.assert_array_equal(simulated[name], array, err_msg=name)
            assert simulated[name].dtype == array.dtype
    plain = verified.run(x)
    assert plain.keys() == {"logits", "int/logits_quantized"}
    np.testing.assert_array_equal(plain["int/logits_quantized"], golden["int/logits_quantized"])
    assert len(verified.run(x[:1], "csim")["logits"]) == 1


def test_fewer_images_per_second_take_fewer_resources(plain: Build, tmp_path: Path) -> None:
    small = hlsgen.build(DIGITS, board="pynq-z2", output=tmp_path / "out", fps=1000, verify="none")
    figures, most = (build.manifest["predicted"] for build in (small, plain))
    assert 50_000 < figures["timing"]["interval_cycles"] <= 100_000
    assert figures["resources"]["lut"] < most["resources"]["lut"] / 2
    assert figures["resources"]["dsp"] < most["resources"]["dsp"] / 2
    assert "twice the speed" in (small.folder / "plan.txt").read_text()
    with pytest.raises(OptionError, match="--fps -1 is not a positive"):
        hlsgen.build(DIGITS, board="pynq-z2", output=tmp_path / "out", fps=-1)
    with pytest.raises(OptionError, match="no share"):
        hlsgen.build(DIGITS, board="pynq-z2", output=tmp_path / "out", max_utilization=2)


def test_the_system_verilog_is_verified_timed_and_counted(tmp_path: Path) -> None:
    build = hlsgen.build(QOP, board="pynq-z2", output=tmp_path / "out", fps=2000, verify="rtl", synth="yosys")
    m = build.manifest
    assert "csim" not in m["verify"]
    assert m["verify"]["rtl"]["mismatches"] == m["verify"]["canonical"]["mismatches"] == 0
    assert m["verify"]["rtl"]["streams"] == len(m["streams"])
    assert m["measured"]["timing"] == m["predicted"]["timing"]
    predicted, measured = (m[side]["resources"] for side in ("predicted", "measured"))
    assert (measured["dsp"], measured["ramb18"]) == (predicted["dsp"], predicted["ramb18"])
    assert abs(measured["lut"] - predicted["lut"]) < 0.15 * measured["lut"]
    assert set(m["measured"]["kernels"]) == {kernel["name"] for kernel in m["kernels"]}
    golden, played = (build.run(images(2), engine, trace=True) for engine in ("golden", "rtl"))
    assert golden.keys() == played.keys()
    for name, array in golden.items():
        np.testing.assert_array_equal(played[name], array, err_msg=name)
    with pytest.raises(OptionError, match="--waves"):
        build.run(images(2), "csim", waves=tmp_path / "waves.fst")


def test_a_wrong_input_is_refused(verified: Build) -> None:
    for x in (np.zeros((2, 8, 8), np.float32), {"other": images()}):
        with pytest.raises(OptionError, match="input 'image'"):
            verified.run(x)


def test_the_same_inputs_give_the_same_bytes(plain: Build, tmp_path: Path) -> None:
    again = hlsgen.build(str(DIGITS), board="pynq-z2", output=tmp_path / "elsewhere", verify="none")
    assert contents(again.folder) == contents(plain.folder)
    assert again.manifest["build_id"] == plain.manifest["build_id"]
    other = hlsgen.build(DIGITS, board="pynq-z2", output=tmp_path / "other", clock=50, verify="none")
    assert other.manifest["build_id"] != plain.manifest["build_id"]


def test_the_bytes_do_not_depend_on_the_order_of_sets(plain: Build, tmp_path: Path) -> None:
    options = ("-b", "pynq-z2", "--verify", "none", "-o", "out")
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        outcome = hlsgen_process("build", DIGITS, *options, cwd=tmp_path / seed, PYTHONHASHSEED=seed)
        assert outcome.code == 0, outcome.err
        assert contents(tmp_path / seed / "out") == contents(plain.folder)


@pytest.mark.parametrize("step", [step.value for step in Step])
def test_an_interrupted_build_goes_on_and_ends_the_same(plain: Build, tmp_path: Path, step: str) -> None:
    target = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        hlsgen.build(DIGITS, board="pynq-z2", output=target, verify="none", progress=Watcher(step))
    assert not target.exists()
    assert not list(tmp_path.rglob("manifest.json"))
    watcher = Watcher()
    build = hlsgen.build(DIGITS, board="pynq-z2", output=target, verify="none", progress=watcher)
    names = [each.value for each in Step]
    assert watcher.earlier == names[: names.index(step)]
    assert contents(build.folder) == contents(plain.folder)


def test_stopping_and_going_back(plain: Build, tmp_path: Path) -> None:
    target = tmp_path / "out"
    build = partial(hlsgen.build, DIGITS, output=target, verify="none")
    stopped = build(board="pynq-z2", last="plan")
    assert not stopped.finished
    assert stopped.folder == tmp_path / "out.partial"
    assert not target.exists()
    build(board="pynq-z2")
    watcher = Watcher()
    build(board="pynq-z2", first="emit", progress=watcher)
    assert (watcher.earlier, watcher.done) == (
        ["import", "exact", "lower", "plan"],
        ["emit", "csim", "rtl", "synth", "deploy"],
    )
    assert contents(target) == contents(plain.folder)
    with pytest.raises(OptionError, match="--from emit: step import has not been done for this model, board"):
        build(board="kv260", first="emit")


def test_an_edited_plan(plain: Build, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    content = yaml.safe_load((plain.folder / "plan.yaml").read_text())
    slowest = max(content["layers"].values(), key=lambda layer: layer.get("pe", 1))
    slowest["pe"] //= 2
    plan.write_text(yaml.safe_dump({"version": 1, "layers": content["layers"]}))
    slower = hlsgen.build(DIGITS, board="pynq-z2", output=tmp_path / "out", plan=plan, verify="none")
    assert slower.manifest["predicted"]["timing"] != plain.manifest["predicted"]["timing"]
    np.testing.assert_array_equal(slower.run(images(), trace=True)["logits"], plain.run(images())["logits"])
    with pytest.raises(OptionError, match="--plan gives the foldings; --fps"):
        hlsgen.build(DIGITS, board="pynq-z2", output=tmp_path / "out", plan=plan, fps=10, verify="none")


def test_a_graph_instead_of_a_file(plain: Build, tmp_path: Path) -> None:
    build = hlsgen.build(frontend.load(DIGITS), board="pynq-z2", output=tmp_path / "out", verify="none")
    assert build.manifest["model"]["file"] is None
    hls = {name: data for name, data in contents(build.folder).items() if name.startswith("hls/")}
    assert hls == {name: data for name, data in contents(plain.folder).items() if name.startswith("hls/")}


def test_a_wrong_weight_in_the_cpp_is_found_and_nothing_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(design: Design, folder: Path) -> None:
        write_hls(design, folder)
        params = folder / "params" / "block_0_0_conv.hpp"
        text = params.read_text()
        first = re.compile(r"(::weights(?:\[\d+\])+ = \{\s*)(-?\d+)")
        wrong = first.sub(lambda m: f"{m[1]}{-int(m[2]) or 1}", text, count=1)
        assert wrong != text
        params.write_text(wrong)

    monkeypatch.setattr(pipeline, "write_hls", spoil)
    target = tmp_path / "out"
    with pytest.raises(VerificationError, match=r"C simulation differs from golden\. Layer .*stream block_0_0_conv"):
        hlsgen.build(DIGITS, board="pynq-z2", output=target)
    assert not target.exists()
    assert not list(tmp_path.rglob("manifest.json"))


def test_the_package_offers_the_api_and_nothing_unknown() -> None:
    assert hlsgen.load(DIGITS).name == "digits_qdq"
    assert hlsgen.Build is Build
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hlsgen.nothing
