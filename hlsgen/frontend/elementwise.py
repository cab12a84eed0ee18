"""Elementwise float operators with constants: they compose onto a view's function, and nothing is emitted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen.frontend import qdq
from hlsgen.frontend.model import Node
from hlsgen.frontend.tracer import Handler, Tracer
from hlsgen.frontend.values import (
    Constant,
    ConstantJoinView,
    FloatView,
    HostValue,
    IntValue,
    JoinView,
    NotHardwareError,
    QuantConstant,
    Quantized,
    Step,
    View,
)

Array = npt.NDArray[Any]
Float32Array = npt.NDArray[np.float32]
Chain = FloatView | JoinView | ConstantJoinView


def operand(tracer: Tracer, node: Node, index: int = 0) -> Chain:
    """The view at an input. Raises NotHardwareError for a host value, a constant or a pending concatenation."""
    value = tracer.value(node, index)
    if isinstance(value, FloatView | JoinView | ConstantJoinView):
        return value
    raise NotHardwareError(tracer.why_not(value))


def frame_tensor(view: Chain) -> str:
    """The tensor whose frame decides what a channel is."""
    return view.tensor if isinstance(view, FloatView) else view.a.tensor


def fractions(array: Array) -> tuple[Fraction, ...]:
    """Exact values of float constants."""
    return tuple(Fraction(float(v)) for v in array)


def add_constant(tracer: Tracer, view: FloatView, array: Array, sign: int) -> FloatView:
    """``view + sign * array``."""
    values = tracer.framed_constant(array.astype(np.float32), view.layout, view.tensor) * np.float32(sign)
    return view.then(_affine_step("Add", lambda x: x + values, np.ones(1, np.float32), values))


def _affine_step(name: str, evaluate: Callable[[Float32Array], Float32Array], multiply: Array, add: Array) -> Step:
    return Step(name, evaluate, (fractions(multiply), fractions(add)), None, max(multiply.size, add.size))


def arithmetic(tracer: Tracer, node: Node) -> None:
    """Add, Sub, Mul, Div: with a constant a step; Add and Sub of two views a join."""
    first, second = tracer.value(node, 0), tracer.value(node, 1)
    if isinstance(first, Constant | QuantConstant) and not isinstance(second, Constant | QuantConstant):
        view, constant, swapped = operand(tracer, node, 1), first, True
    elif isinstance(second, Constant | QuantConstant):
        view, constant, swapped = operand(tracer, node, 0), second, False
    else:
        tracer.values[node.outputs[0]] = join(tracer, node)
        return
    quantized_sum = (
        node.op_type == "Add"
        and isinstance(constant, QuantConstant)
        and constant.dtype in ("int8", "uint8")
        and constant.scale.size == 1
        and isinstance(view, FloatView)
        and isinstance(view.base, Quantized)
        and not view.steps
    )
    if quantized_sum:
        assert isinstance(view, FloatView)
        assert isinstance(constant, QuantConstant)
        tracer.values[node.outputs[0]] = ConstantJoinView(view, constant, view.layout)
        return
    array = constant.floats if isinstance(constant, QuantConstant) else constant.array.astype(np.float32)
    values = tracer.framed_constant(array, view.layout, frame_tensor(view))
    tracer.values[node.outputs[0]] = view.then(_arithmetic_step(node, values, swapped))


def _arithmetic_step(node: Node, values: Float32Array, swapped: bool) -> Step:
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    match node.op_type:
        case "Add":
            return _affine_step("Add", lambda x: x + values, one, values)
        case "Sub" if swapped:
            return _affine_step("Sub", lambda x: values - x, -one, values)
        case "Sub":
            return _affine_step("Sub", lambda x: x - values, one, -values)
        case "Mul":
            return _affine_step("Mul", lambda x: x * values, values, zero)
        case _:
            if swapped:
                return Step("Div", lambda x: values / x, channels=values.size)
            if not values.all():
                raise NotHardwareError("it divides by zero")
            inverse = tuple(1 / f for f in fractions(values))
            return Step("Div", lambda x: x / values, (inverse, (Fraction(0),)), None, values.size)


def join(tracer: Tracer, node: Node) -> JoinView:
    """Add or Sub of two views."""
    if node.op_type not in ("Add", "Sub"):
        raise NotHardwareError(f"{node.op_type} of two computed tensors has no kernel")
    a, b = (tracer.value(node, i) for i in (0, 1))
    for value in (a, b):
        if not isinstance(value, FloatView):
            raise NotHardwareError(tracer.why_not(value))
    assert isinstance(a, FloatView)
    assert isinstance(b, FloatView)
    if a.pool is not None or b.pool is not None:
        raise NotHardwareError("one operand is a maximum that no quantizer has closed; put a quantizer before the sum")
    if a.layout.index.shape != b.layout.index.shape or not (a.layout.index == b.layout.index).all():
        raise NotHardwareError(
            "its two operands differ in shape or in the order of their elements; broadcasting between tensors "
            "has no kernel"
        )
    tracer.mark_heavy()
    return JoinView(a, b, -1 if node.op_type == "Sub" else 1, a.layout, node.name)


def batch_normalization(tracer: Tracer, node: Node) -> None:
    """Inference form. gamma / sqrt(variance + epsilon), rounded to float64, is the exact constant of the reference."""
    view = operand(tracer, node)
    gamma, beta, mean, variance = (_required(tracer, node, i) for i in range(1, 5))
    rank = view.layout.index.ndim
    epsilon = float(node.attribute("epsilon", 1e-5))

    def per_channel(array: Array) -> Array:
        shaped = array.reshape((-1,) + (1,) * (rank - 1))
        full = tracer.framed_constant(shaped, view.layout, frame_tensor(view))
        return full

    multiply64 = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    add = [
        Fraction(float(b)) - Fraction(float(m)) * Fraction(float(f))
        for b, m, f in zip(beta, mean, multiply64, strict=True)
    ]
    order = per_channel(np.arange(gamma.size)) if gamma.size > 1 else np.zeros(1, np.int64)
    g, b, m, v = (a.astype(np.float32)[order] for a in (gamma, beta, mean, variance))
    root = np.sqrt(v + np.float32(epsilon))
    tracer.values[node.outputs[0]] = view.then(
        Step(
            "BatchNormalization",
            lambda x: g * (x - m) / root + b,
            (tuple(Fraction(float(multiply64[c])) for c in order), tuple(add[c] for c in order)),
            None,
            order.size,
        )
    )


def _required(tracer: Tracer, node: Node, index: int) -> Array:
    array = tracer.constant(node, index)
    if array is None:
        raise NotHardwareError(f"its input {index} is missing")
    return array.ravel()


def relu(tracer: Tracer, node: Node) -> None:
    """max(x, 0)."""
    _clip(tracer, node, np.float32(0), None)


def clip(tracer: Tracer, node: Node) -> None:
    """Clip with constant bounds, as attributes (before operator set 11) or inputs; also on integers between
    quantizers.
    """
    if isinstance(tracer.value(node, 0), IntValue):
        qdq.clip_integers(tracer, node)
        return
    lower, upper = (
        tracer.constant(node, i) if node.input(i) else node.attribute(key) for i, key in ((1, "min"), (2, "max"))
    )
    _clip(tracer, node, *(None if b is None else np.asarray(b).reshape(-1)[0] for b in (lower, upper)))


def _clip(tracer: Tracer, node: Node, lower: np.float32 | None, upper: np.float32 | None) -> None:
    view = operand(tracer, node)

    def exact(bound: np.float32 | None) -> Fraction | None:
        return None if bound is None or not math.isfinite(bound) else Fraction(float(bound))

    def evaluate(x: Float32Array) -> Float32Array:
        x = x if lower is None else np.maximum(x, np.float32(lower))
        return x if upper is None else np.minimum(x, np.float32(upper))

    tracer.values[node.outputs[0]] = view.then(Step(node.op_type, evaluate, None, (exact(lower), exact(upper))))


def _sigmoid(x: Float32Array) -> Float32Array:
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))), np.float32)


def _erf(x: Float32Array) -> Float32Array:
    return np.array([math.erf(v) for v in x.ravel().astype(np.float64)], np.float32).reshape(x.shape)


Unary = Callable[[Float32Array, Mapping[str, Any]], Float32Array]
UNARY: dict[str, Unary] = {
    "Sigmoid": lambda x, a: _sigmoid(x),
    "Tanh": lambda x, a: np.tanh(x),
    "LeakyRelu": lambda x, a: np.where(x >= 0, x, np.float32(a.get("alpha", 0.01)) * x),
    "Elu": lambda x, a: np.where(x >= 0, x, np.float32(a.get("alpha", 1.0)) * (np.exp(x) - np.float32(1))),
    "Selu": lambda x, a: (
        np.float32(a.get("gamma", 1.0507010221481323))
        * np.where(x > 0, x, np.float32(a.get("alpha", 1.6732631921768188)) * (np.exp(x) - np.float32(1)))
    ),
    "Celu": lambda x, a: (
        np.maximum(x, np.float32(0))
        + np.minimum(
            np.float32(0),
            np.float32(a.get("alpha", 1.0)) * (np.exp(x / np.float32(a.get("alpha", 1.0))) - np.float32(1)),
        )
    ),
    "HardSigmoid": lambda x, a: np.clip(
        np.float32(a.get("alpha", 0.2)) * x + np.float32(a.get("beta", 0.5)), 0, 1
    ).astype(np.float32),
    "HardSwish": lambda x, a: x * np.clip(x * np.float32(1 / 6) + np.float32(0.5), 0, 1).astype(np.float32),
    "Softplus": lambda x, a: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, np.float32(0)),
    "Softsign": lambda x, a: x / (np.float32(1) + np.abs(x)),
    "Mish": lambda x, a: x * np.tanh(np.log1p(np.exp(-np.abs(x))) + np.maximum(x, np.float32(0))),
    "Gelu": lambda x, a: np.float32(0.5) * x * (np.float32(1) + _erf(x * np.float32(1 / math.sqrt(2)))),
    "Erf": lambda x, a: _erf(x),
    "Exp": lambda x, a: np.exp(x),
    "Log": lambda x, a: np.log(x),
    "Sqrt": lambda x, a: np.sqrt(x),
    "Abs": lambda x, a: np.abs(x),
    "Neg": lambda x, a: -x,
    "Floor": lambda x, a: np.floor(x),
    "Ceil": lambda x, a: np.ceil(x),
    "Round": lambda x, a: np.rint(x),
    "Sign": lambda x, a: np.sign(x),
    "Reciprocal": lambda x, a: np.float32(1) / x,
    "Sin": lambda x, a: np.sin(x),
    "Cos": lambda x, a: np.cos(x),
    "ThresholdedRelu": lambda x, a: np.where(x > np.float32(a.get("alpha", 1.0)), x, np.float32(0)),
}


def unary(tracer: Tracer, node: Node) -> None:
    """A function of one number: the float32 operator, later tabulated over all values of its integer input."""
    view = operand(tracer, node)
    function, attributes = UNARY[node.op_type], node.attributes
    tracer.values[node.outputs[0]] = view.then(
        Step(node.op_type, lambda x: np.asarray(function(x, attributes), np.float32))
    )


def prelu(tracer: Tracer, node: Node) -> None:
    """LeakyRelu with a slope per channel."""
    view = operand(tracer, node)
    slope = tracer.framed_constant(_slope(tracer, node), view.layout, frame_tensor(view)).astype(np.float32)
    step = Step("PRelu", lambda x: np.where(x >= 0, x, slope * x), channels=slope.size)
    tracer.values[node.outputs[0]] = view.then(step)


def _slope(tracer: Tracer, node: Node) -> Array:
    array = tracer.constant(node, 1)
    if array is None:
        raise NotHardwareError("its slope is missing")
    return array


def extremum(tracer: Tracer, node: Node) -> None:
    """Max or Min of a view and one number: a clip."""
    if len(node.inputs) != 2:
        raise NotHardwareError("it has other than two operands")
    index = int(isinstance(tracer.value(node, 0), Constant | QuantConstant))
    bound = tracer.constant(node, 1 - index)
    assert bound is not None
    if bound.size != 1:
        raise NotHardwareError("its constant is not one number")
    value = np.float32(bound.ravel()[0])
    lower, upper = (value, None) if node.op_type == "Max" else (None, value)
    _clip(tracer, replace(node, inputs=(node.inputs[index],)), lower, upper)


def total(tracer: Tracer, node: Node) -> None:
    """Sum of two operands is Add."""
    if len(node.inputs) != 2:
        raise NotHardwareError("it has other than two operands; write it as a chain of Add")
    arithmetic(tracer, replace(node, op_type="Add"))


def power(tracer: Tracer, node: Node) -> None:
    """x to a constant power."""
    view, exponent = operand(tracer, node), tracer.constant(node, 1)
    if exponent is None or exponent.size != 1:
        raise NotHardwareError("its exponent is not one constant")
    value = np.float32(exponent.ravel()[0])
    tracer.values[node.outputs[0]] = view.then(Step("Pow", lambda x: np.power(x, value)))


def cast(tracer: Tracer, node: Node) -> None:
    """A view is a real number already; casting it to a float type changes nothing."""
    value: View | HostValue = operand(tracer, node)
    if int(node.attribute("to", 1)) not in (1, 10, 11):
        raise NotHardwareError("it casts to a type that is not floating point")
    tracer.values[node.outputs[0]] = value


HANDLERS: dict[str, tuple[str, Handler]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), ("", arithmetic)),
    **dict.fromkeys(UNARY, ("", unary)),
    "BatchNormalization": ("", batch_normalization),
    "Relu": ("", relu),
    "Clip": ("", clip),
    "PRelu": ("", prelu),
    "Pow": ("", power),
    "Max": ("", extremum),
    "Min": ("", extremum),
    "Sum": ("", total),
    "Cast": ("", cast),
}
