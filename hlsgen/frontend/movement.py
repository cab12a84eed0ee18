"""Operators that move elements and change none: their effect on ONNX shapes and arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.model import Node

Array = npt.NDArray[Any]
MOVEMENTS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout"})


def movement(node: Node, shape: Sequence[int], parameter: Array | None) -> Callable[[Array], Array]:
    """The movement ``node`` makes of an array of ONNX shape ``shape``; ``parameter`` is its constant second input.

    Raises UnsupportedError when the operator's parameters make no sense for the shape.
    """
    rank = len(shape)
    if node.op_type == "Transpose":
        permutation = [int(p) for p in node.attribute("perm", range(rank)[::-1])]
        if sorted(permutation) != list(range(rank)):
            raise UnsupportedError(f"{node}: perm {permutation} is not a permutation of the {rank} axes.")
        return lambda array: array.transpose(permutation)
    target = _target(node, list(shape), parameter)
    if int(np.prod(target)) != int(np.prod(shape)):
        raise UnsupportedError(f"{node}: a tensor of shape {list(shape)} cannot become {target}. The model is damaged.")
    return lambda array: array.reshape(target)


def _target(node: Node, shape: list[int], parameter: Array | None) -> list[int]:
    match node.op_type:
        case "Identity" | "Dropout":
            return shape
        case "Flatten":
            axis = int(node.attribute("axis", 1)) % (len(shape) + 1)
            return [int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))]
        case "Reshape":
            target = (
                [int(d) for d in np.ravel(parameter)] if parameter is not None else list(node.attribute("shape", []))
            )
            if not node.attribute("allowzero", 0):
                target = [shape[i] if d == 0 and i < len(shape) else d for i, d in enumerate(target)]
            if target.count(-1) == 1:
                known = -int(np.prod(target))
                target[target.index(-1)] = int(np.prod(shape)) // known if known else 0
            return target
        case "Squeeze":
            axes = _axes(node, parameter, len(shape))
            if not axes:
                axes = [i for i, d in enumerate(shape) if d == 1]
            return [d for i, d in enumerate(shape) if i not in axes]
        case _:  # Unsqueeze
            count = len(shape) + len(_axes(node, parameter, 0))
            axes = _axes(node, parameter, count)
            rest = iter(shape)
            return [1 if i in axes else next(rest) for i in range(count)]


def _axes(node: Node, parameter: Array | None, rank: int) -> list[int]:
    axes = np.ravel(parameter) if parameter is not None else node.attribute("axes", [])
    return [int(a) % rank if rank else int(a) for a in axes]
