"""Wrong input of every kind: one paragraph, exit code 2, no traceback, nothing left that looks like a build."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.commands import assert_one_paragraph, hlsgen, hlsgen_process

ExamplePath = Callable[[str], Path]


@pytest.fixture
def digits(example_path: ExamplePath) -> Path:
    return example_path("digits_qdq.onnx")


def refused(model: Path, folder: Path, *parts: str, options: tuple[str, ...] = ("--board", "pynq-z2")) -> None:
    """``build`` and ``inspect`` refuse ``model`` alike, and leave nothing behind."""
    target = folder / "out"
    before = sorted(folder.rglob("*"))
    assert_one_paragraph(hlsgen("build", model, "-o", target, *options), *parts)
    assert sorted(folder.rglob("*")) == before
    assert_one_paragraph(hlsgen("inspect", model), *parts)


def float_conv(**changes: Any) -> onnx.ModelProto:
    """One convolution in floating point on (1, 1, 4, 4)."""
    weight = numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "w")
    return model([helper.make_node("Conv", ["x", "w"], ["y"], name="conv")], [weight], **changes)


def model(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    shape: tuple[int | str, ...] = (1, 1, 4, 4),
    name: str = "x",
) -> onnx.ModelProto:
    source = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [source], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def quantized_conv(names: dict[str, str], middle: str | None = None) -> onnx.ModelProto:
    """x -> Q -> DQ -> Conv -> (``middle``) -> Q -> DQ, with the names of ``names`` put in place."""

    def n(name: str) -> str:
        return names.get(name, name)

    constants = [
        numpy_helper.from_array(np.float32(0.05), n("scale")),
        numpy_helper.from_array(np.int8(3), n("zero")),
        numpy_helper.from_array(np.float32(0.01), n("w_scale")),
        numpy_helper.from_array(np.int8(0), n("w_zero")),
        numpy_helper.from_array(np.arange(-8, 10, dtype=np.int8).reshape(2, 1, 3, 3), n("w_q")),
    ]
    last = n("conv_out") if middle is None else n("middle_out")
    chain = [
        helper.make_node("QuantizeLinear", [n("x"), n("scale"), n("zero")], [n("x_q")], name=n("quantize")),
        helper.make_node("DequantizeLinear", [n("x_q"), n("scale"), n("zero")], [n("x_dq")], name=n("dequantize")),
        helper.make_node("DequantizeLinear", [n("w_q"), n("w_scale"), n("w_zero")], [n("w_dq")], name=n("weights")),
        helper.make_node("Conv", [n("x_dq"), n("w_dq")], [n("conv_out")], name=n("conv")),
        *([] if middle is None else [helper.make_node(middle, [n("conv_out")], [last], name=n("middle"))]),
        helper.make_node("QuantizeLinear", [last, n("scale"), n("zero")], [n("y_q")], name=n("close")),
        helper.make_node("DequantizeLinear", [n("y_q"), n("scale"), n("zero")], [n("y")], name=n("open")),
    ]
    return model(chain, constants, name=n("x"))


@pytest.mark.parametrize(
    ("contents", "part"),
    [
        (b"", "holds no network"),
        (b"this is a text file\nwith two lines\n", "is not an ONNX model"),
        (bytes(np.random.default_rng(1).integers(0, 256, 4096, np.uint8)), "is not an ONNX model"),
    ],
    ids=["empty", "text", "random bytes"],
)
def test_a_file_that_is_no_model(tmp_path: Path, contents: bytes, part: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(contents)
    refused(path, tmp_path, "model.onnx", part, "export or copy it again")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_model(tmp_path: Path, digits: Path, share: float) -> None:
    contents = digits.read_bytes()
    path = tmp_path / "model.onnx"
    path.write_bytes(contents[: int(len(contents) * share)])
    refused(path, tmp_path, "model.onnx")


def test_a_model_with_flipped_bits_is_built_or_refused(tmp_path: Path, digits: Path) -> None:
    rng = np.random.default_rng(2)
    contents = np.frombuffer(digits.read_bytes(), np.uint8)
    for _ in range(40):
        damaged = contents.copy()
        where = rng.integers(0, len(damaged), 3)
        damaged[where] ^= rng.integers(1, 256, 3).astype(np.uint8)
        path = tmp_path / "model.onnx"
        path.write_bytes(damaged.tobytes())
        outcome = hlsgen("inspect", path)
        assert outcome.code in (0, 2), outcome
        assert "defect of its own" not in outcome.err, outcome.err


def test_a_missing_model(tmp_path: Path) -> None:
    refused(tmp_path / "none.onnx", tmp_path, "none.onnx", "Give the path of an ONNX file")


def test_a_folder_as_model(tmp_path: Path) -> None:
    refused(tmp_path, tmp_path, str(tmp_path), "Give the path of an ONNX file")


def test_a_float_model(tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    onnx.save(float_conv(), path)
    refused(path, tmp_path, "'conv'", "no quantizer", "quantize")


def test_a_dynamic_shape(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.onnx"
    onnx.save(float_conv(shape=(1, 1, "height", 4)), path)
    refused(path, tmp_path, "'x'", "'height'", "Hardware is built for one shape")


@pytest.mark.parametrize("operator", ["Frobnicate", "LayerNormalization"])
def test_an_unknown_operator(tmp_path: Path, operator: str) -> None:
    path = tmp_path / "unknown.onnx"
    path.write_bytes(quantized_conv({}, middle=operator).SerializeToString())
    refused(path, tmp_path, operator, "'middle'")


HOSTILE = [
    'say "hi"; $(touch hacked)',
    "*/ int hacked; /*",
    "`touch hacked`",
    "line\nbreak\r\n\x1b[31mred\x00",
    "</script><script>alert(1)</script>",
    "[exec touch hacked]",
    "{% raw %}{{ 7*7 }}",
    "../../../hacked",
    "\\u0022 \\\n#error hacked",
    "名前 ünï",
    "x" * 3000,
    "int",
    "main",
]


def test_hostile_names_build_and_reach_no_generated_file(tmp_path: Path) -> None:
    """Such a network is right; only its names are not. Every one of its names is hostile, the file's own too."""
    keys = ["x", "scale", "zero", "w_scale", "w_zero", "w_q", "x_q", "x_dq", "w_dq", "conv_out", "y_q", "y", "conv"]
    keys += ["quantize", "dequantize", "weights", "close", "open"]
    names = {key: f"{HOSTILE[i % len(HOSTILE)]}{i}" for i, key in enumerate(keys)}
    path = tmp_path / "a b$(touch hacked)`;'&.onnx"
    path.write_bytes(quantized_conv(names).SerializeToString())
    target = tmp_path / "out"
    outcome = hlsgen("build", path, "--board", "pynq-z2", "-o", target)
    assert outcome.code == 0, outcome.err
    assert "\x1b[31m" not in outcome.out
    generated = [p for p in (target / "hls").rglob("*") if p.suffix in (".cpp", ".hpp", ".h", ".tcl")]
    assert generated
    for file in generated:
        text = file.read_text(encoding="ascii")
        for bad in ("hacked;", "touch hacked", "<script", "\x1b", "#error hacked", "{{", "名"):
            assert bad not in text, f"{bad!r} in {file}"
    assert not list(tmp_path.rglob("hacked*"))
    result = hlsgen("run", target, "--input", _image(tmp_path), "--output", tmp_path / "y.npz", "--trace")
    assert result.code == 0, result.err
    with np.load(tmp_path / "y.npz") as arrays:
        assert names["y"] in arrays.files


def _image(folder: Path) -> Path:
    path = folder / "x.npy"
    np.save(path, np.linspace(-5, 5, 32, dtype=np.float32).reshape(2, 1, 4, 4))
    return path


def test_hostile_names_in_an_error(tmp_path: Path) -> None:
    path = tmp_path / "unknown.onnx"
    path.write_bytes(quantized_conv({"middle": HOSTILE[3]}, middle="Frobnicate").SerializeToString())
    outcome = hlsgen("inspect", path)
    assert_one_paragraph(outcome, "Frobnicate")
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", outcome.err)


def test_an_unknown_board(tmp_path: Path, digits: Path) -> None:
    outcome = hlsgen("build", digits, "--board", "pynq-z3", "-o", tmp_path / "out")
    assert_one_paragraph(outcome, "There is no board 'pynq-z3'", "Did you mean pynq-z", "zcu104")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--clock", "0.001"), "--clock 0.001 MHz cannot be made"),
        (("--plan", "none.yaml"), "--plan: there is no file none.yaml"),
        (("--samples", "none.npz"), "--samples: there is no file none.npz"),
        (("--from", "emit"), "--from emit: step import has not been done"),
    ],
)
def test_a_wrong_option(tmp_path: Path, digits: Path, options: tuple[str, ...], part: str) -> None:
    assert_one_paragraph(hlsgen("build", digits, "-b", "pynq-z2", "-o", tmp_path / "out", *options), part)
    assert not list(tmp_path.iterdir())


def test_a_plan_of_another_model(tmp_path: Path, digits: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("version: 1\nlayers: {elsewhere: {pe: 1}}\n")
    outcome = hlsgen("build", digits, "-b", "pynq-z2", "-o", tmp_path / "out", "--plan", plan)
    assert_one_paragraph(outcome, "layer 'elsewhere'")
    assert [p.name for p in tmp_path.iterdir()] == ["plan.yaml"]


@pytest.mark.parametrize("content", ["foreign", "file"])
def test_a_foreign_output_folder(tmp_path: Path, digits: Path, content: str) -> None:
    target = tmp_path / "out"
    if content == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "manifest.json").write_text('{"maker": "somebody else"}')
    outcome = hlsgen("build", digits, "-b", "pynq-z2", "-o", target)
    assert_one_paragraph(outcome, str(target), "-o")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_foreign_folder_where_the_work_would_be_done(tmp_path: Path, digits: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "thesis.tex").write_text("mine")
    outcome = hlsgen("build", digits, "-b", "pynq-z2", "-o", tmp_path / "out")
    assert_one_paragraph(outcome, "out.partial", "did not make it")
    assert (tmp_path / "out.partial" / "thesis.tex").read_text() == "mine"


def test_a_missing_compiler(tmp_path: Path, digits: Path) -> None:
    outcome = hlsgen_process("build", digits, "-b", "pynq-z2", "-o", tmp_path / "out", PATH=str(tmp_path))
    assert_one_paragraph(outcome, "g++")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("engine", ["golden", "csim"])
def test_run_on_a_folder_that_is_no_build(tmp_path: Path, engine: str) -> None:
    options = ("--engine", engine, "--input", _image(tmp_path), "--output", tmp_path / "y.npz")
    assert_one_paragraph(hlsgen("run", tmp_path, *options), "is not a folder made by `hlsgen build`")


def test_an_error_as_json_and_with_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    outcome = hlsgen("inspect", path, "--json")
    assert outcome.code == 2
    assert '"kind": "ModelError"' in outcome.out
    assert "Traceback" in hlsgen_process("inspect", path, "--debug").err
