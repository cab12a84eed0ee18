"""QONNX nodes as plain ONNX: the same float32 results, in whatever operator set and domain."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hlsgen.canonical import qonnx
from hlsgen.canonical.runtime import open_session
from hlsgen.errors import UnsupportedError
from hlsgen.graph import host_ops

X = np.concatenate([np.random.default_rng(0).normal(0, 4, 200), np.arange(-12, 12.5, 0.5)]).astype(np.float32)


def model_of(nodes: list[onnx.NodeProto], constants: dict[str, Any], opset: int = 9) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [X.size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [X.size])],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("onnx.brevitas", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=6)


def run(model: onnx.ModelProto) -> Any:
    return open_session(qonnx.plain(model)).run(["y"], {"x": X})["y"]


@pytest.mark.parametrize("mode", [*host_ops.ROUNDINGS, "round"])
@pytest.mark.parametrize(("signed", "narrow", "bits", "zero"), [(1, 0, 4, 0), (1, 1, 3, 1), (0, 0, 4, 5), (0, 1, 2, 0)])
def test_quant_in_every_mode(mode: str, signed: int, narrow: int, bits: int, zero: int) -> None:
    attributes: dict[str, Any] = {"signed": signed, "narrow": narrow, "rounding_mode": mode}
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], domain="onnx.brevitas", **attributes)
    constants = {"s": 0.75, "z": zero, "b": bits}
    expected = host_ops.OPERATORS["Quant"]([X, np.float32(0.75), np.float32(zero), np.float32(bits)], attributes)[0]
    result = run(model_of([node], constants))
    assert np.array_equal(result, expected)
    assert len(np.unique(result)) > 2


@pytest.mark.parametrize("domain", ["", "onnx.brevitas", "qonnx.custom_op.general", "of.nobody"])
@pytest.mark.parametrize("opset", [9, 13, 21])
def test_any_domain_and_operator_set(domain: str, opset: int) -> None:
    nodes = [
        helper.make_node("BipolarQuant", ["x", "s"], ["sign"], domain=domain),
        helper.make_node("IntQuant", ["sign", "s", "z", "b"], ["y"], domain=domain, signed=1, narrow=0),
    ]
    result = run(model_of(nodes, {"s": 0.5, "z": 0, "b": 2}, opset))
    assert np.array_equal(result, np.where(X >= 0, 0.5, -0.5))


def test_rounding_is_half_even_unless_told() -> None:
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], signed=1, narrow=0)
    result = run(model_of([node], {"s": 1, "z": 0, "b": 4}))
    assert np.array_equal(result, np.rint(np.clip(X, -8, 7)))


def test_one_signed_bit_is_a_sign() -> None:
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], signed=1, narrow=0, rounding_mode="ROUND")
    assert np.array_equal(run(model_of([node], {"s": 0.5, "z": 0, "b": 1})), np.where(X >= 0, 0.5, -0.5))


def test_bit_widths_may_be_computed() -> None:
    nodes = [
        helper.make_node("Log", ["levels"], ["nats"]),
        helper.make_node("Div", ["nats", "ln2"], ["real"]),
        helper.make_node("Ceil", ["real"], ["bits"]),
        helper.make_node("Quant", ["x", "s", "z", "bits"], ["y"], signed=0, narrow=0),
    ]
    result = run(model_of(nodes, {"levels": 12, "ln2": np.log(2), "s": 0.25, "z": 0}))
    assert result.max() == 15 * 0.25


def test_trunc_drops_low_bits() -> None:
    node = helper.make_node("Trunc", ["x", "s", "z", "i", "o"], ["y"], domain="onnx.brevitas", rounding_mode="FLOOR")
    result = run(model_of([node], {"s": 0.5, "z": 0, "i": 8, "o": 6}))
    assert np.array_equal(result, np.floor(np.rint(X / np.float32(0.5)) / 4) * np.float32(0.5))


@pytest.mark.parametrize(
    ("inputs", "attributes", "op_type", "message"),
    [
        (["x", "s", "z", "b"], {"rounding_mode": "DITHER"}, "Quant", "node 'q': rounding mode 'DITHER' is unknown"),
        (["x", "s", "z", "x"], {}, "Quant", "node 'q': its bit width 'x' is not one constant number"),
        (["x", "s", "z", "b", "b", "b"], {}, "Trunc", r"node 'q': this version of Trunc \(6 inputs\) is unknown"),
    ],
)
def test_what_cannot_be_stated_is_named(
    inputs: list[str], attributes: dict[str, Any], op_type: str, message: str
) -> None:
    node = helper.make_node(op_type, inputs, ["y"], name="q", **attributes)
    with pytest.raises(UnsupportedError, match=message):
        qonnx.plain(model_of([node], {"s": 0.5, "z": 0, "b": 4}))


def test_the_model_itself_is_not_touched() -> None:
    node = helper.make_node("BipolarQuant", ["x", "s"], ["y"], domain="onnx.brevitas")
    model = model_of([node], {"s": 1})
    before = model.SerializeToString()
    assert qonnx.has_quantizers(model)
    assert not qonnx.has_quantizers(qonnx.plain(model))
    assert model.SerializeToString() == before
