"""What runs on the CPU, by the shipped files: the bits of the golden model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import hlsgen
from hlsgen.emit import deploy
from hlsgen.errors import UnsupportedError
from hlsgen.files import write_arrays
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph, Layout, Tensor, View
from hlsgen.graph.types import QuantType
from tests.deploy.board import feeds_of, manifest_of, write_folder
from tests.networks import random_network

MODELS = [
    *("mlperf_kws_qdq", "mlperf_resnet8_qdq", "qonnx_nn2fpga_resnet8", "qonnx_radioml_vgg10_w8a8"),
    *("qonnx_tfc_1w1a", "qonnx_tfc_1w2a", "qop_micro_kws_m"),
]


def host_of(graph: Graph, driver: Any, folder: Path) -> Any:
    document, arrays = deploy.host(graph)
    (folder / "host.json").write_text(json.dumps(document))
    write_arrays(folder / "host.npz", arrays)
    return driver.Host(folder)


def agrees(graph: Graph, host: Any, images: int, seed: int = 0) -> None:
    feeds = feeds_of(graph, images, seed)
    frames = golden.input_frames(graph, feeds)
    found = host.frames(host.check(feeds))
    assert found.dtype == frames.dtype
    assert np.array_equal(found, frames)
    leaving = golden.run(graph, frames, keep=graph.outputs)
    expected = golden.outputs(graph, leaving)
    results = host.outputs(leaving)
    assert list(results) == list(expected)
    for name, array in expected.items():
        assert results[name].dtype == array.dtype
        assert results[name].tobytes() == np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("name", MODELS)
def test_real_models(name: str, modules: Any, model_path: Callable[[str], Path], tmp_path: Path) -> None:
    graph = hlsgen.load(model_path(f"{name}.onnx"))
    host = host_of(graph, modules.driver, tmp_path)
    for images in (1, 3):
        agrees(graph, host, images, images)


def test_random_networks(modules: Any, tmp_path: Path) -> None:
    compared = 0
    for seed in range(30):
        onnx.save(random_network(seed), tmp_path / "model.onnx")
        try:
            graph = hlsgen.load(tmp_path / "model.onnx")
        except UnsupportedError:  # a sum of two tensors whose elements are in different orders
            continue
        agrees(graph, host_of(graph, modules.driver, tmp_path), 2, seed)
        compared += 1
    assert compared >= 25


def test_a_result_of_four_bits(modules: Any, tmp_path: Path) -> None:
    """Its zero point's type has no place in an .npz file of the board's NumPy."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s", "wz"], ["dw"]),
        helper.make_node("MatMul", ["d", "dw"], ["m"]),
        helper.make_node("Softmax", ["m"], ["p"]),
        helper.make_node("QuantizeLinear", ["p", "ps", "pz"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.float32(0.5), "s"),
        numpy_helper.from_array(np.int8(3), "z"),
        numpy_helper.from_array(np.int8(0), "wz"),
        numpy_helper.from_array(np.arange(-6, 6, dtype=np.int8).reshape(4, 3), "w"),
        numpy_helper.from_array(np.float32(0.01), "ps"),
        helper.make_tensor("pz", TensorProto.INT4, [], [-8]),
    ]
    graph_proto = helper.make_graph(
        nodes,
        "four",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT4, [1, 3])],
        constants,
    )
    model = helper.make_model(graph_proto, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, tmp_path / "m")
    graph = hlsgen.load(tmp_path / "m")
    host = host_of(graph, modules.driver, tmp_path)
    agrees(graph, host, 5)
    leaving = golden.run(graph, golden.input_frames(graph, feeds_of(graph, 5)), keep=graph.outputs)
    values = host.outputs(leaving)["y"]
    assert (values.min(), values.max()) == (-8, 7)
    assert all(array.dtype.isbuiltin == 1 for array in np.load(tmp_path / "host.npz").values())


def test_layouts_that_are_no_order_of_axes(graph: Graph) -> None:
    shuffled = np.random.default_rng(0).permutation(24).reshape(2, 12)
    assert deploy.frame_axes(Layout(shuffled), (2, 3, 4)) is None
    assert deploy.frame_axes(Layout.planar(4, 2, 3), (2, 3, 4)) == [2, 0, 1]
    assert deploy.frame_axes(Layout(np.arange(24)), (2, 3, 4)) == [0, 1, 2]


def test_a_layout_by_index(graph: Graph, modules: Any) -> None:
    index = np.random.default_rng(0).permutation(24).reshape(2, 12)
    description = {
        **{"onnx": "x", "tensor": "t", "float": False, "dtype": "int8", "frame_dtype": "int8", "frame": [2, 3, 4]},
        **{"shape": [2, 12], "axes": None, "index": "i", "zero_point": 0, "scale": "s", "axis": 0},
    }
    view = modules.driver.View(description, {"i": index.ravel(), "s": np.ones(1, np.float32)})
    array = np.random.default_rng(1).integers(-128, 128, (3, 2, 12)).astype(np.int8)
    assert np.array_equal(view.to_frames(array), Layout(index).to_frames(array, (2, 3, 4)))
    assert np.array_equal(view.to_onnx(view.to_frames(array)), array)


@pytest.mark.parametrize("scales", [[0.25], [0.1, 0.2, 0.3, 0.7]])
def test_views_that_are_floats(modules: Any, tmp_path: Path, graph: Graph, scales: list[float]) -> None:
    """The ONNX tensor is the dequantized one: what golden.frames_from_onnx and onnx_from_frames do."""
    layout = Layout.planar(4, 2, 3)
    view = View("t", layout, np.array(scales, np.float32), zero_point=3, is_float=True)
    integers = replace(graph, tensors={"t": Tensor("t", (2, 3, 4), QuantType(8, True), -128, 127)}, views={"v": view})
    arrays: dict[str, Any] = {}
    described = modules.driver.View(deploy.describe_view(integers, "v", "float32", "v", arrays), arrays)
    frames = np.random.default_rng(0).integers(-128, 128, (5, 2, 3, 4)).astype(np.int8)
    floats = described.to_onnx(frames)
    assert floats.dtype == np.float32
    assert np.array_equal(floats, golden.onnx_from_frames(view, frames))
    assert np.array_equal(described.to_frames(floats), frames)
    assert np.array_equal(golden.frames_from_onnx(integers, view, floats), frames)


def test_names_are_only_text(graph: Graph, modules: Any, tmp_path: Path) -> None:
    """A tensor called like a path, a quotation or a member of an archive goes through JSON and back."""
    evil = '"); import os; os.system("x") #/../\n\u2028'
    path = tmp_path / "model.onnx"
    proto = random_network(3)
    name = proto.graph.input[0].name
    for node in proto.graph.node:
        for place, other in enumerate(node.input):
            if other == name:
                node.input[place] = evil
    proto.graph.input[0].name = evil
    onnx.save(proto, path)
    loaded = hlsgen.load(path)
    assert loaded.prefix.inputs == (evil,)
    folder = tmp_path / "deploy"
    write_folder(loaded, folder)
    host = modules.driver.Host(folder)
    agrees(loaded, host, 2)
    text = (folder / "host.json").read_text()
    assert text.isascii()
    assert evil not in text
    for code in ("driver.py", "power.py", "host_ops.py", "notebook.ipynb", "README.md"):
        assert "os.system" not in (folder / code).read_text()
    assert manifest_of(loaded)["hardware"]["input"]["bytes"] > 0
