"""Nodes whose inputs are all known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper
from onnx.reference import ReferenceEvaluator

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.model import Node

Array = npt.NDArray[Any]


def evaluate(node: Node, arrays: Mapping[str, Array], opset: int) -> list[Array]:
    """Run one ONNX operator on constants, by the onnx package's own evaluator. Raises UnsupportedError."""
    proto = helper.make_node(node.op_type, node.inputs, node.outputs, domain=node.domain, **node.attributes)
    graph = helper.make_graph(
        [proto],
        "constant",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in arrays.items()
        ],
        [helper.make_empty_tensor_value_info(n) for n in node.outputs if n],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        return [np.asarray(a) for a in ReferenceEvaluator(model).run(None, dict(arrays))]
    except Exception as error:
        # the evaluator raises whatever its operators raise; a damaged or unknown constant operator is the model's fault
        raise UnsupportedError(
            f"{node}: this operator on constants cannot be evaluated ({type(error).__name__}). "
            "Simplify the model (for example with onnxsim) or export it again."
        ) from error


def constant_value(node: Node) -> Array:
    """The array of a Constant node. Raises UnsupportedError for sparse and text constants."""
    for key in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if key in node.attributes:
            dtype = {
                "value_float": np.float32,
                "value_floats": np.float32,
                "value_int": np.int64,
                "value_ints": np.int64,
            }.get(key)
            return np.asarray(node.attributes[key], dtype)
    raise UnsupportedError(f"{node}: a Constant of this kind (sparse or text) is not supported. Use a plain tensor.")
