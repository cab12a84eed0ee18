from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import hlsgen
from hlsgen import frontend, pipeline
from hlsgen.choices import Step
from hlsgen.emit.hls import write as write_hls
from hlsgen.errors import OptionError, VerificationError
from hlsgen.graph.host import Array
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
    options = {"board": "pynq-z2", "output": target, "verify": "none"}
    stopped = hlsgen.build(DIGITS, last="plan", **options)  # type: ignore[arg-type]
    assert not stopped.finished
    assert stopped.folder == tmp_path / "out.partial"
    assert not target.exists()
    hlsgen.build(DIGITS, **options)  # type: ignore[arg-type]
    watcher = Watcher()
    hlsgen.build(DIGITS, first="emit", progress=watcher, **options)  # type: ignore[arg-type]
    assert (watcher.earlier, watcher.done) == (["import", "exact", "lower", "plan"], ["emit", "csim"])
    assert contents(target) == contents(plain.folder)
    with pytest.raises(OptionError, match="--from emit: step import has not been done for this model, board"):
        hlsgen.build(DIGITS, first="emit", **{**options, "board": "kv260"})  # type: ignore[arg-type]


def test_an_edited_plan(plain: Build, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    text = (plain.folder / "plan.yaml").read_text()
    plan.write_text(text[: text.index("streams:")].replace("pe: 1\n", "pe: 2\n", 3))
    faster = hlsgen.build(DIGITS, board="pynq-z2", output=tmp_path / "out", plan=plan, verify="none")
    assert faster.manifest["predicted"]["timing"] != plain.manifest["predicted"]["timing"]
    np.testing.assert_array_equal(faster.run(images(), trace=True)["logits"], plain.run(images())["logits"])


def test_a_graph_instead_of_a_file(plain: Build, tmp_path: Path) -> None:
    build = hlsgen.build(frontend.load(DIGITS), board="pynq-z2", output=tmp_path / "out", verify="none")
    assert build.manifest["model"]["file"] is None
    hls = {name: data for name, data in contents(build.folder).items() if name.startswith("hls/")}
    assert hls == {name: data for name, data in contents(plain.folder).items() if name.startswith("hls/")}


def test_a_wrong_weight_in_the_cpp_is_found_and_nothing_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(design: object, folder: Path) -> None:
        write_hls(design, folder)  # type: ignore[arg-type]
        params = max((folder / "params").iterdir(), key=lambda path: path.stat().st_size)
        lines = params.read_text().splitlines()
        row = next(i for i, line in enumerate(lines) if line.startswith("  ") and line.endswith(","))
        first, rest = lines[row].strip().split(",", 1)
        lines[row] = f"  {-int(first) or 1},{rest}"
        params.write_text("\n".join(lines) + "\n")

    monkeypatch.setattr(pipeline, "write_hls", spoil)
    target = tmp_path / "out"
    with pytest.raises(VerificationError, match=r"stream .* of the C simulation differ from golden"):
        hlsgen.build(DIGITS, board="pynq-z2", output=target)
    assert not target.exists()
    assert not list(tmp_path.rglob("manifest.json"))


def test_the_package_offers_the_api_and_nothing_unknown() -> None:
    assert hlsgen.load(DIGITS).name == "digits_qdq"
    assert hlsgen.Build is Build
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hlsgen.nothing
