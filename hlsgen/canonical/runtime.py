"""ONNX Runtime sessions whose integers can be relied on."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from hlsgen.canonical.emitter import IR_VERSION, OPSET
from hlsgen.errors import ModelError

SATURATION_NOTE = (
    "This processor saturates 16-bit sums of uint8 x int8 products (AVX2 without VNNI), so ONNX Runtime's usual "
    "kernels are wrong here; the original model was run with session.x64quantprecision=1, which avoids them."
)
_ZERO_POINTS = {
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "MatMulIntegerToFloat": (4, 5),
    "QGemm": (2, 5),
    "QLinearConv": (2, 5),
    "QLinearMatMul": (2, 5),
}
"""Kernels that multiply bytes, and which inputs are the zero points of activations and weights."""

_QUIET = 3  # errors only


@dataclass(frozen=True, eq=False)
class Session:
    """A loaded model. ``note``: what had to be done about the processor, for the report; empty as a rule."""

    inner: onnxruntime.InferenceSession
    note: str = ""

    @property
    def output_types(self) -> dict[str, str]:
        """ONNX Runtime's type of each output, such as "tensor(int8)"."""
        return {value.name: value.type for value in self.inner.get_outputs()}

    def run(self, names: list[str], feeds: dict[str, Any]) -> dict[str, Any]:
        """The outputs called ``names``, which may be none (ONNX Runtime takes an empty list for all of them)."""
        return {} if not names else dict(zip(names, self.inner.run(names, feeds), strict=True))


def open_session(model: onnx.ModelProto) -> Session:
    """Load ``model`` on one core of the CPU; every node runs as the file says, none is optimised away.

    A model with uint8 activations gets exact (slower) kernels where the processor's usual ones saturate.
    Raises ModelError when ONNX Runtime refuses the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL
    note = ""
    # int8 activations are exact everywhere, and the option makes ONNX Runtime 1.31 refuse QLinearConv of int8
    if _multiplies_uint8_by_int8(model) and saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
        # the weights are converted by a graph transformer of this level; QLinear kernels give the same at every level
        options.graph_optimization_level = level.ORT_ENABLE_EXTENDED
        note = SATURATION_NOTE
    try:
        inner = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # the binding raises one class per status code, with no common base but Exception
        raise ModelError(f"ONNX Runtime does not load the model: {error}") from error
    return Session(inner, note)


@functools.cache
def saturates() -> bool:
    """Whether this processor's uint8 x int8 kernels are wrong; measured once, with the largest products."""
    depth = 64
    activations = np.full((1, depth, 1, 1), 255, np.uint8)
    weights = np.full((8, depth, 1, 1), 127, np.int8)
    scale, one = np.array(1 / (255 * depth), np.float32), np.array(1, np.float32)
    constants = {
        "w": weights,
        "matrix": weights.reshape(8, depth).T.copy(),
        "one": one,
        "scale": scale,
        "xz": np.array(0, np.uint8),
        "wz": np.array(0, np.int8),
    }
    nodes = [
        helper.make_node("QLinearConv", ["x", "one", "xz", "w", "scale", "wz", "one", "xz"], ["convolved"]),
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMulInteger", ["flat", "matrix", "xz", "wz"], ["product"]),
    ]
    graph = helper.make_graph(
        nodes,
        "saturation",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, depth, 1, 1])],
        [
            helper.make_tensor_value_info("convolved", TensorProto.UINT8, [1, 8, 1, 1]),
            helper.make_tensor_value_info("product", TensorProto.INT32, [1, 8]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    inner = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    convolved, product = inner.run(None, {"x": activations})
    return bool((convolved != 127).any() or (product != 255 * 127 * depth).any())


def _multiplies_uint8_by_int8(model: onnx.ModelProto) -> bool:
    """Whether a kernel may multiply uint8 activations by int8 weights: zero points tell; if left out, it may."""
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _ZERO_POINTS:
            names = [node.input[place] if place < len(node.input) else "" for place in _ZERO_POINTS[node.op_type]]
            activation, weight = (types.get(name) for name in names)
            if activation in (TensorProto.UINT8, None) and weight in (TensorProto.INT8, None):
                return True
    return False
