"""ONNX operators of a model's host parts, in NumPy and float32: a table of small functions.

Meanings are ONNX's at operator set 13, except that the leading axis counts images: ``Reshape`` takes the shape of
one image in its attribute ``shape``, and no operator may move or merge the leading axis (ValueError). This module
needs nothing but NumPy and Python 3.8, so that it also serves on a board.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    import numpy.typing as npt

# as text, for a board's Python may be 3.8
Array: TypeAlias = "npt.NDArray[Any]"
Attributes: TypeAlias = "Mapping[str, Any]"
Operator: TypeAlias = "Callable[[list[Any], Attributes], list[Array]]"
"""(input arrays, None where an optional one is left out; attributes) -> output arrays."""

ELEMENT_TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16",
    11: "float64", 12: "uint32", 13: "uint64", 21: "uint4", 22: "int4", 25: "uint2", 26: "int2",
}  # fmt: skip
"""ONNX element type numbers and names."""


def integer_range(name: str) -> tuple[int, int]:
    """Smallest and largest value of the integer type called ``name`` ("uint8", "int4", ...)."""
    bits = int(name.lstrip("uint"))
    return (0, (1 << bits) - 1) if name.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def storage(name: str) -> np.dtype[Any]:
    """The NumPy type for an element type; 2- and 4-bit integers take a byte each."""
    return np.dtype({"uint4": "uint8", "int4": "int8", "uint2": "uint8", "int2": "int8"}.get(name, name))


# ---- quantizers ------------------------------------------------------------------------------------------------------


def _per_axis(constant: Array, rank: int, axis: int) -> Array:
    """A scale or zero point of one value, or of one per entry of ``axis``, shaped to broadcast."""
    if constant.ndim == 1 and constant.size > 1:
        shape = [1] * rank
        shape[axis] = constant.size
        return constant.reshape(shape)
    return constant.reshape(()) if constant.size == 1 else constant


def _quantize_linear(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, scale, zero_point = _optional(inputs, 3)
    name = "uint8" if zero_point is None else zero_point.dtype.name
    name = ELEMENT_TYPES[attributes["output_dtype"]] if attributes.get("output_dtype") else name
    lo, hi = integer_range(name)
    axis = attributes.get("axis", 1)
    offset = np.zeros((), np.float32) if zero_point is None else _per_axis(zero_point.astype(np.float32), x.ndim, axis)
    real = np.rint(x.astype(np.float32) / _per_axis(scale, x.ndim, axis))
    # at most 16 bits: float32 holds zero points, bounds and clipped sums exactly
    return [(np.clip(real, lo - offset, hi - offset) + offset).astype(storage(name))]


def _dequantize_linear(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, scale, zero_point = _optional(inputs, 3)
    axis = attributes.get("axis", 1)
    integers = x.astype(np.int64)
    if zero_point is not None:
        integers = integers - _per_axis(zero_point.astype(np.int64), x.ndim, axis)
    return [integers.astype(np.float32) * _per_axis(scale, x.ndim, axis)]


def _round_half_up(x: Array) -> Array:
    return np.asarray(np.sign(x) * np.floor(np.abs(x) + np.float32(0.5)))


def _round_half_down(x: Array) -> Array:
    return np.asarray(np.sign(x) * np.ceil(np.abs(x) - np.float32(0.5)))


def _round_up(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x))


ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _round_up,
    "DOWN": np.trunc,
    "HALF_UP": _round_half_up,
    "HALF_DOWN": _round_half_down,
}
"""QONNX's rounding modes, as qonnx computes them in float32."""


def _quant(inputs: list[Any], attributes: Attributes) -> list[Array]:
    """QONNX Quant: scaled, zero point added, clamped, then rounded; the result is the float the integer stands for."""
    x, scale, zero_point, bits = inputs
    signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
    y = x / scale + zero_point
    width = int(np.asarray(bits).ravel()[0])
    if width == 1 and signed:
        y = np.where(y >= 0, np.float32(1), np.float32(-1))
    else:
        lo = -(2 ** (width - 1)) + narrow if signed else 0
        hi = 2 ** (width - 1) - 1 if signed else 2**width - 1 - narrow
        y = ROUNDINGS[str(attributes.get("rounding_mode", "ROUND")).upper()](np.clip(y, np.float32(lo), np.float32(hi)))
    return [((y - zero_point) * scale).astype(np.float32)]


def _bipolar_quant(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, scale = inputs
    return [(np.where(x >= 0, np.float32(1), np.float32(-1)) * scale).astype(np.float32)]


def _qlinear_softmax(inputs: list[Any], attributes: Attributes) -> list[Array]:
    """ONNX Runtime's: exponentials of the 256 possible differences from the maximum, summed and divided in float32."""
    x, x_scale, _, y_scale, y_zero_point = _optional(inputs, 5)
    axis = int(attributes.get("axis", -1))
    lo, hi = integer_range(x.dtype.name)
    moved = np.moveaxis(x.astype(np.int64), axis, -1)
    length = moved.shape[-1]
    step = float(np.float32(x_scale.reshape(())))
    largest = float(np.finfo(np.float32).max)
    # the exponentials are scaled up as far as their sum cannot overflow float32
    shift = max(0.0, math.log(np.float32(largest) / np.float32(length)) - 5) / step
    table = np.exp((np.arange(hi - lo + 1) - (hi - lo) + shift) * step).astype(np.float32)
    powers = table[moved - moved.max(axis=-1, keepdims=True) + (hi - lo)]
    # one after the other, as the runtime sums
    total = np.cumsum(powers, axis=-1, dtype=np.float32)[..., -1:]
    levels = np.floor(np.float32(1) / np.float32(y_scale.reshape(())))
    y = np.rint(powers * levels / total) + (0 if y_zero_point is None else int(y_zero_point.reshape(())))
    return [np.moveaxis(np.clip(y, lo, hi).astype(x.dtype), -1, axis)]


def _qlinear_unary(function: Callable[[Array, Attributes], Array]) -> Operator:
    """Dequantize, a float32 function, quantize: what ONNX Runtime's 256-entry tables hold."""

    def operator(inputs: list[Any], attributes: Attributes) -> list[Array]:
        x, x_scale, x_zero_point, y_scale, y_zero_point = _optional(inputs, 5)
        zero = np.zeros((), x.dtype)
        (real,) = _dequantize_linear([x, x_scale, zero if x_zero_point is None else x_zero_point], {})
        y = function(real, attributes)
        return _quantize_linear([y, y_scale, zero if y_zero_point is None else y_zero_point], {})

    return operator


# ---- functions of one float ------------------------------------------------------------------------------------------


def _number(attributes: Attributes, name: str, default: float) -> np.float32:
    value: np.float32 = np.float32(attributes.get(name, default))
    return value


def _sigmoid(x: Array, attributes: Attributes) -> Array:
    # 1 / (1 + exp(-|x|)) never overflows; the other half follows by symmetry
    positive = 1 / (1 + np.exp(-np.abs(x)))
    return np.where(x >= 0, positive, 1 - positive).astype(x.dtype)


def _softplus(x: Array, attributes: Attributes) -> Array:
    return np.asarray(np.log1p(np.exp(-np.abs(x))) + np.maximum(x, np.float32(0)))


def _elu(x: Array, attributes: Attributes) -> Array:
    return np.where(x > 0, x, _number(attributes, "alpha", 1.0) * np.expm1(np.minimum(x, 0)))


def _selu(x: Array, attributes: Attributes) -> Array:
    alpha = _number(attributes, "alpha", 1.6732632423543772)
    scaled = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    return np.asarray(_number(attributes, "gamma", 1.0507009873554805) * scaled)


def _celu(x: Array, attributes: Attributes) -> Array:
    alpha = _number(attributes, "alpha", 1.0)
    return np.asarray(np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha)))


def _leaky_relu(x: Array, attributes: Attributes) -> Array:
    return np.where(x >= 0, x, _number(attributes, "alpha", 0.01) * x)


def _hard_sigmoid(x: Array, attributes: Attributes) -> Array:
    alpha, beta = _number(attributes, "alpha", 0.2), _number(attributes, "beta", 0.5)
    return np.asarray(np.clip(alpha * x + beta, np.float32(0), np.float32(1)))


def _hard_swish(x: Array, attributes: Attributes) -> Array:
    return np.asarray(x * np.clip(np.float32(1 / 6) * x + np.float32(0.5), np.float32(0), np.float32(1)))


def _erf(x: Array, attributes: Attributes) -> Array:
    return np.array([math.erf(float(v)) for v in x.ravel()], x.dtype).reshape(x.shape)


def _gelu(x: Array, attributes: Attributes) -> Array:
    half, one = np.float32(0.5), np.float32(1)
    if attributes.get("approximate", "none") == "tanh":
        cubic = x + np.float32(0.044715) * x * x * x
        return np.asarray(half * x * (one + np.tanh(np.float32(math.sqrt(2 / math.pi)) * cubic)))
    return np.asarray(half * x * (one + _erf(x * np.float32(math.sqrt(0.5)), {})))


def _mish(x: Array, attributes: Attributes) -> Array:
    return x * np.tanh(_softplus(x, {}))


def _thresholded_relu(x: Array, attributes: Attributes) -> Array:
    return np.where(x > _number(attributes, "alpha", 1.0), x, np.float32(0))


UNARY: dict[str, Callable[[Array, Attributes], Array]] = {
    "Abs": lambda x, a: np.abs(x),
    "Ceil": lambda x, a: np.ceil(x),
    "Celu": _celu,
    "Cos": lambda x, a: np.cos(x),
    "Dropout": lambda x, a: x,
    "Elu": _elu,
    "Erf": _erf,
    "Exp": lambda x, a: np.exp(x),
    "Floor": lambda x, a: np.floor(x),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Identity": lambda x, a: x,
    "LeakyRelu": _leaky_relu,
    "Log": lambda x, a: np.log(x),
    "Mish": _mish,
    "Neg": lambda x, a: -x,
    "Not": lambda x, a: np.logical_not(x),
    "Reciprocal": lambda x, a: 1 / x,
    "Relu": lambda x, a: np.maximum(x, 0),
    "Round": lambda x, a: np.rint(x),
    "Selu": _selu,
    "Sigmoid": _sigmoid,
    "Sign": lambda x, a: np.sign(x),
    "Sin": lambda x, a: np.sin(x),
    "Softplus": _softplus,
    "Softsign": lambda x, a: x / (1 + np.abs(x)),
    "Sqrt": lambda x, a: np.sqrt(x),
    "Tanh": lambda x, a: np.tanh(x),
    "ThresholdedRelu": _thresholded_relu,
}
"""Functions (array, attributes) -> array of the same type."""


# ---- functions of several arrays -------------------------------------------------------------------------------------


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":  # ONNX's integer division rounds towards zero
        return np.asarray((np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype))
    return a / b


BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": _divide,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Pow": lambda a, b: np.power(a, b).astype(a.dtype),
    "PRelu": lambda x, slope: np.where(x >= 0, x, slope * x),
    "Sub": np.subtract,
}
"""Functions of two broadcast arrays."""

VARIADIC: dict[str, Callable[[Array, Array], Array]] = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add}
"""Functions of any number of broadcast arrays, as folds of two."""


def _fold(function: Callable[[Array, Array], Array]) -> Operator:
    def operator(inputs: list[Any], attributes: Attributes) -> list[Array]:
        result = inputs[0]
        for array in inputs[1:]:
            result = function(result, array)
        return [result]

    return operator


def _mean(inputs: list[Any], attributes: Attributes) -> list[Array]:
    return [_fold(np.add)(inputs, {})[0] / np.float32(len(inputs))]


def _clip(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, lower, upper = _optional(inputs, 3)
    x = x if lower is None else np.maximum(x, lower)
    return [x if upper is None else np.minimum(x, upper)]


def _where(inputs: list[Any], attributes: Attributes) -> list[Array]:
    return [np.where(*inputs)]


def _cast(inputs: list[Any], attributes: Attributes) -> list[Array]:
    return [inputs[0].astype(storage(ELEMENT_TYPES[int(attributes["to"])]))]


def _batch_normalization(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, gamma, beta, mean, variance = inputs
    shape = (1, -1) + (1,) * (x.ndim - 2)
    factor = gamma / np.sqrt(variance + _number(attributes, "epsilon", 1e-5))
    return [x * factor.reshape(shape) + (beta - mean * factor).reshape(shape)]


def _softmax(inputs: list[Any], attributes: Attributes) -> list[Array]:
    axis = int(attributes.get("axis", -1))
    powers = np.exp(inputs[0] - inputs[0].max(axis=axis, keepdims=True))
    return [powers / powers.sum(axis=axis, keepdims=True)]


def _log_softmax(inputs: list[Any], attributes: Attributes) -> list[Array]:
    axis = int(attributes.get("axis", -1))
    shifted = inputs[0] - inputs[0].max(axis=axis, keepdims=True)
    return [shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))]


def _matmul(inputs: list[Any], attributes: Attributes) -> list[Array]:
    return [np.matmul(inputs[0], inputs[1])]


def _gemm(inputs: list[Any], attributes: Attributes) -> list[Array]:
    a, b, c = _optional(inputs, 3)
    if attributes.get("transA", 0):
        raise ValueError("transA would transpose the axis of images")
    product = _number(attributes, "alpha", 1.0) * np.matmul(a, b.T if attributes.get("transB", 0) else b)
    return [product if c is None else product + _number(attributes, "beta", 1.0) * c]


# ---- reductions ------------------------------------------------------------------------------------------------------


def _reduction(function: Callable[..., Array]) -> Operator:
    """ReduceX with ``axes`` as an attribute or a second input."""

    def operator(inputs: list[Any], attributes: Attributes) -> list[Array]:
        x, axes = _optional(inputs, 2)
        chosen = attributes.get("axes") if axes is None else axes
        if chosen is None:
            chosen = range(x.ndim)
        axis = tuple(sorted(int(a) % x.ndim for a in np.ravel(np.asarray(list(chosen)))))
        _keep_images(0 in axis, "it reduces over images")
        return [np.asarray(function(x, axis=axis, keepdims=bool(attributes.get("keepdims", 1)))).astype(x.dtype)]

    return operator


def _arg(pick: Callable[..., Array]) -> Operator:
    def operator(inputs: list[Any], attributes: Attributes) -> list[Array]:
        x, axis = inputs[0], int(attributes.get("axis", 0)) % inputs[0].ndim
        _keep_images(axis == 0, "it reduces over images")
        if attributes.get("select_last_index", 0):
            index = x.shape[axis] - 1 - pick(np.flip(x, axis), axis=axis)
        else:
            index = pick(x, axis=axis)
        return [(np.expand_dims(index, axis) if attributes.get("keepdims", 1) else index).astype(np.int64)]

    return operator


def _top_k(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, count = inputs
    axis = int(attributes.get("axis", -1)) % x.ndim
    _keep_images(axis == 0, "it selects among images")
    # negated bitwise for integers, so that the smallest one has a counterpart; equal values keep their order
    key = x if not attributes.get("largest", 1) else (~x if x.dtype.kind in "iu" else -x)
    order = np.take(np.argsort(key, axis=axis, kind="stable"), np.arange(int(np.ravel(count)[0])), axis=axis)
    return [np.take_along_axis(x, order, axis=axis), order.astype(np.int64)]


def _global_pool(function: Callable[..., Array]) -> Operator:
    def operator(inputs: list[Any], attributes: Attributes) -> list[Array]:
        x = inputs[0]
        return [function(x, axis=tuple(range(2, x.ndim)), keepdims=True).astype(x.dtype)]

    return operator


# ---- movement --------------------------------------------------------------------------------------------------------


def _reshape(inputs: list[Any], attributes: Attributes) -> list[Array]:
    return [inputs[0].reshape(len(inputs[0]), *(int(d) for d in attributes["shape"]))]


def _flatten(inputs: list[Any], attributes: Attributes) -> list[Array]:
    _keep_images(int(attributes.get("axis", 1)) not in (0, 1), "it merges images with their contents")
    return [inputs[0].reshape(len(inputs[0]), -1)]


def _transpose(inputs: list[Any], attributes: Attributes) -> list[Array]:
    perm = attributes.get("perm", range(inputs[0].ndim - 1, -1, -1))
    _keep_images(perm[0] != 0, "it moves the axis of images")
    return [inputs[0].transpose([int(p) for p in perm])]


def _squeeze(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, axes = _optional(inputs, 2)
    chosen = attributes.get("axes") if axes is None else np.ravel(axes)
    if chosen is None:
        chosen = [axis for axis, size in enumerate(x.shape) if size == 1 and axis > 0]
    axis = tuple(int(a) % x.ndim for a in chosen)
    _keep_images(0 in axis, "it removes the axis of images")
    return [x.squeeze(axis=axis)]


def _unsqueeze(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, axes = _optional(inputs, 2)
    chosen = attributes["axes"] if axes is None else np.ravel(axes)
    axis = tuple(int(a) % (x.ndim + len(chosen)) for a in chosen)
    _keep_images(0 in axis, "it adds an axis before that of images")
    return [np.expand_dims(x, axis)]


def _concat(inputs: list[Any], attributes: Attributes) -> list[Array]:
    axis = int(attributes["axis"]) % inputs[0].ndim
    _keep_images(axis == 0, "it joins images")
    count = max(len(array) for array in inputs)  # constants have one image, which serves all
    return [np.concatenate([np.broadcast_to(a, (count, *a.shape[1:])) for a in inputs], axis=axis)]


def _slice(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, starts, ends, axes, steps = _optional(inputs, 5)
    starts = attributes["starts"] if starts is None else np.ravel(starts)
    ends = attributes["ends"] if ends is None else np.ravel(ends)
    axes = attributes.get("axes", range(len(starts))) if axes is None else np.ravel(axes)
    steps = [1] * len(starts) if steps is None else np.ravel(steps)
    index = [slice(None)] * x.ndim
    for start, end, axis, step in np.stack([starts, ends, axes, steps], axis=1):
        _keep_images(int(axis) % x.ndim == 0, "it selects among images")
        # an end beyond the first element of a backward slice means "to the very first one", None in NumPy
        stop = None if step < 0 and end < -x.shape[int(axis)] else int(end)
        index[int(axis)] = slice(int(start), stop, int(step))
    return [x[tuple(index)]]


def _gather(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, indices = inputs
    axis = int(attributes.get("axis", 0)) % x.ndim
    _keep_images(axis == 0, "it selects among images")
    return [np.take(x, indices.astype(np.int64), axis=axis)]


def _split(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, sizes = _optional(inputs, 2)
    axis = int(attributes.get("axis", 0)) % x.ndim
    _keep_images(axis == 0, "it separates images")
    sizes = attributes.get("split") if sizes is None else np.ravel(sizes)
    if sizes is None:
        chunk = -(-x.shape[axis] // int(attributes["num_outputs"]))
        return np.split(x, range(chunk, x.shape[axis], chunk), axis=axis)
    return np.split(x, np.cumsum(sizes)[:-1], axis=axis)


def _pad(inputs: list[Any], attributes: Attributes) -> list[Array]:
    x, pads, value = _optional(inputs, 3)
    pads = np.ravel(attributes["pads"] if pads is None else pads).astype(np.int64)
    widths = pads.reshape(2, x.ndim).T
    _keep_images(any(widths[0]), "it adds images")
    mode = attributes.get("mode", "constant")
    if mode in ("reflect", "edge"):
        return [np.pad(x, widths, mode=mode)]
    if mode != "constant":
        raise ValueError(f"unknown padding mode {mode!r}")
    fill = attributes.get("value", 0) if value is None else value.reshape(())
    return [np.pad(x, widths, constant_values=fill)]


def _optional(inputs: list[Any], count: int) -> list[Any]:
    """Inputs filled up with None to ``count``."""
    return [*inputs, *[None] * (count - len(inputs))]


def _keep_images(broken: bool, why: str) -> None:
    if broken:
        raise ValueError(f"{why}, which a host part cannot do")


def _unary(function: Callable[[Array, Attributes], Array]) -> Operator:
    return lambda inputs, attributes: [np.asarray(function(inputs[0], attributes)).astype(inputs[0].dtype, copy=False)]


def _binary(function: Callable[[Array, Array], Array]) -> Operator:
    return lambda inputs, attributes: [np.asarray(function(inputs[0], inputs[1]))]


OPERATORS: dict[str, Operator] = {
    **{name: _unary(function) for name, function in UNARY.items()},
    **{name: _binary(function) for name, function in BINARY.items()},
    **{name: _fold(function) for name, function in VARIADIC.items()},
    "ArgMax": _arg(np.argmax),
    "ArgMin": _arg(np.argmin),
    "BatchNormalization": _batch_normalization,
    "BipolarQuant": _bipolar_quant,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "DequantizeLinear": _dequantize_linear,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool(np.mean),
    "GlobalMaxPool": _global_pool(np.max),
    "IntQuant": _quant,
    "LogSoftmax": _log_softmax,
    "MatMul": _matmul,
    "Mean": _mean,
    "Pad": _pad,
    "QLinearLeakyRelu": _qlinear_unary(_leaky_relu),
    "QLinearSigmoid": _qlinear_unary(_sigmoid),
    "QLinearSoftmax": _qlinear_softmax,
    "Quant": _quant,
    "QuantizeLinear": _quantize_linear,
    "ReduceL1": _reduction(lambda x, **axes: np.sum(np.abs(x), **axes)),
    "ReduceL2": _reduction(lambda x, **axes: np.sqrt(np.sum(np.square(x), **axes))),
    "ReduceMax": _reduction(np.max),
    "ReduceMean": _reduction(np.mean),
    "ReduceMin": _reduction(np.min),
    "ReduceSum": _reduction(np.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _squeeze,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
"""Every operator a host part may use, by its ONNX name, whatever its domain."""
