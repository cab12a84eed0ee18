"""The golden model: every operator of a Graph in NumPy, with exactly the integers the hardware must produce.

Sums of products run in floating point BLAS wherever the weights and the input's type bound every partial sum below
the mantissa (2**24 for float32, 2**53 for float64): each is then an exact integer, whatever the order of the sum.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from hlsgen.graph.graph import Frame, Graph, Tensor, View
from hlsgen.graph.host import Array
from hlsgen.graph.host_ops import storage
from hlsgen.graph.ops import Concat, Conv, Geometry, Join, MaxPool, Op, Requantize, Reshape, SumPool
from hlsgen.graph.reference import QLinearAddReference, QLinearReference
from hlsgen.graph.types import IntArray

Exact = npt.NDArray[Any]
"""Integers of shape (images, H, W, C), possibly carried by a floating-point type that holds them exactly."""

Step = Callable[..., Exact]
"""An operator made ready: its input arrays to its output array."""

_CHUNK_BYTES = 1 << 19
"""Aim for the largest array of one chunk of images: small enough to stay in the processor's caches."""

_WINDOW_BYTES = 1 << 20
"""Aim for one block of unrolled windows, which BLAS reads right after it was written."""

_BLOCK_ELEMENTS = 1 << 15
"""Elements of a tensor to take at once through functions of many steps."""


class _Reused:
    """An array (images, ...) that keeps its memory from chunk to chunk: fresh memory costs as much as the arithmetic.

    What one operator wrote in a chunk is overwritten in the next one; ``fill`` stays where nothing is written.
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike, fill: int = 0) -> None:
        self._shape, self._dtype, self._fill = shape, dtype, fill
        self._array: Exact = np.empty((0, *shape), dtype)

    def __call__(self, images: int) -> Exact:
        """The array for so many images."""
        if images > len(self._array):
            self._array = np.full((images, *self._shape), self._fill, self._dtype)
        return self._array[:images]


def run(
    graph: Graph,
    frames: IntArray,
    replace: Mapping[str, IntArray] | None = None,
    keep: Collection[str] | None = None,
) -> dict[str, IntArray]:
    """Compute ``graph`` for integer frames (N, H, W, C) of ``graph.input``; any N, zero included.

    Returns the tensors named in ``keep`` (all when None) as (N, H, W, C) arrays of each type's ``dtype``. Consumers
    of a tensor named in ``replace`` read that array instead of the computed one, which is returned all the same.
    Raises ValueError when a shape does not match or a name is unknown.
    """
    replace = {} if replace is None else replace
    keep = graph.tensors.keys() if keep is None else keep
    for name in (*replace, *keep):
        if name not in graph.tensors:
            raise ValueError(f"the graph has no tensor {name!r}")
    for name, array in {graph.input: frames, **replace}.items():
        if array.shape != (len(frames), *graph.tensors[name].shape):
            raise ValueError(f"{name}: expected images of {graph.tensors[name].shape}, got an array of {array.shape}")
    results = {
        name: np.empty((len(frames), *graph.tensors[name].shape), graph.tensors[name].type.dtype) for name in keep
    }
    steps = [prepare(op, graph) for op in graph.ops]
    size = _images_per_chunk(graph)
    for start in range(0, len(frames), size):
        part = slice(start, start + size)
        values: dict[str, Exact] = {graph.input: frames[part]}
        for op, step in zip(graph.ops, steps, strict=True):
            arguments = [replace[name][part] if name in replace else values[name] for name in op.inputs]
            values[op.output] = step(*arguments)
        for name, result in results.items():
            np.copyto(result[part], values[name], casting="unsafe")
    return results


def predict(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """The whole model, host parts included, by the ONNX model's own input and output names, shapes and types.

    ``feeds``: arrays (N, ...) with any number N > 0 of images. Returns the model's outputs (N, ...) and, as
    ``int/<tensor>``, the frames (N, H, W, C) of every tensor that leaves the accelerator.
    Raises ValueError for a missing, empty or ill-shaped input.
    """
    frames = input_frames(graph, feeds)
    leaving = run(graph, frames, keep=graph.outputs)
    return {**outputs(graph, leaving), **{f"int/{name}": array for name, array in leaving.items()}}


def input_frames(graph: Graph, feeds: Mapping[str, Array]) -> IntArray:
    """Run the host prefix: the model's inputs (N, ...) to the frames (N, H, W, C) that enter the accelerator."""
    prefix = graph.prefix
    checked: dict[str, Array] = {}
    for name in prefix.inputs:
        if name not in feeds:
            raise ValueError(f"input {name!r} is missing; the model's inputs are {', '.join(prefix.inputs)}")
        array = np.asarray(feeds[name])
        if array.ndim == 0 or array.shape[1:] != tuple(prefix.shapes[name]):
            needed = ", ".join(["images", *map(str, prefix.shapes[name])])
            raise ValueError(f"input {name!r} needs shape ({needed}), not {array.shape}")
        if len(array) == 0:
            raise ValueError(f"input {name!r} holds no images")
        checked[name] = array.astype(prefix.dtypes[name], copy=False)
    values = prefix.run(checked)
    name = next(name for name in prefix.outputs if graph.views[name].tensor == graph.input)
    return frames_from_onnx(graph, graph.views[name], values[name])


def outputs(graph: Graph, leaving: Mapping[str, IntArray]) -> dict[str, Array]:
    """Run the host suffix: frames of ``graph.outputs`` (N, H, W, C) to the model's outputs (N, ...)."""
    suffix = graph.suffix
    feeds: dict[str, Array] = {}
    for name in suffix.inputs:
        view = graph.views[name]
        feeds[name] = onnx_from_frames(view, leaving[view.tensor]).astype(delivered_dtype(graph, name), copy=False)
    values = suffix.run(feeds)
    return {name: values[name] for name in suffix.outputs}


def delivered_dtype(graph: Graph, name: str) -> np.dtype[Any]:
    """The NumPy type of the ONNX tensor ``name`` that the suffix reads."""
    return storage(graph.suffix.dtypes[name])


def frames_from_onnx(graph: Graph, view: View, array: Array) -> IntArray:
    """Frames (N, H, W, C) of the integers that the ONNX tensor ``array`` (N, ...) holds as ``view`` says."""
    tensor = graph.tensors[view.tensor]
    if view.is_float:
        scale = np.asarray(scale_along_axis(view), np.float64)
        array = np.rint(array.astype(np.float64) / scale) + view.zero_point
    return view.layout.to_frames(array, tensor.shape).astype(tensor.type.dtype)


def onnx_from_frames(view: View, frames: IntArray) -> Array:
    """The ONNX tensor (N, ...) that ``view`` reads from frames (N, H, W, C): integers, or float32 if it is a float."""
    array = view.layout.to_onnx(frames)
    if not view.is_float:
        return array
    return np.asarray(np.subtract(array, view.zero_point, dtype=np.float32) * scale_along_axis(view))


def scale_along_axis(view: View) -> npt.NDArray[np.float32]:
    """The view's scale, shaped to multiply an ONNX tensor with its batch axis."""
    if view.scale.ndim == 0 or view.scale.size == 1:
        return view.scale.reshape(())
    shape = [1] * (view.layout.index.ndim + 1)
    shape[view.axis + 1] = view.scale.size
    return view.scale.reshape(shape)


def prepare(op: Op, graph: Graph) -> Step:
    """The function of one operator. Raises TypeError for an operator this module does not know."""
    inputs = [graph.tensors[name] for name in op.inputs]
    match op:
        case Conv():
            return _conv(op, inputs[0])
        case MaxPool():
            return _max_pool(op, inputs[0])
        case SumPool():
            return _sum_pool(op, inputs[0])
        case Requantize():
            return _requantize(op, graph.tensors[op.output])
        case Join():
            return _join(op, inputs, graph.tensors[op.output])
        case Concat():
            return lambda *parts: np.concatenate(parts, axis=-1)
        case Reshape():
            shape = graph.tensors[op.output].shape
            return lambda x: x.reshape(len(x), *shape)
    raise TypeError(f"{op.name}: no golden function for {type(op).__name__}")


def carrier(bound: int) -> np.dtype[Any]:
    """The fastest type in which sums of integers stay exact while no partial sum exceeds ``bound`` in magnitude."""
    if bound < 1 << 24:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if bound < 1 << 53 else np.int64)


def conv_bound(op: Conv, source: Tensor) -> int:
    """Largest magnitude any partial sum of ``op`` can have for any value of the input's type, bias included."""
    reach = max(abs(source.type.min - op.zero_point), abs(source.type.max - op.zero_point))
    magnitudes = np.abs(op.weight).reshape(len(op.weight), -1).sum(axis=1)
    return max(int(m) * reach + abs(int(b)) for m, b in zip(magnitudes, op.bias, strict=True))


def _conv(op: Conv, source: Tensor) -> Step:
    dtype = carrier(conv_bound(op, source))
    if op.groups > 1 and op.weight.shape[-1] == 1:
        return _depthwise(op, source, dtype)
    groups, count, depth = op.groups, len(op.weight), op.weight.shape[-1]
    # (groups, K, N/groups), K in the order (kernel row, kernel column, channel) of an unrolled window
    matrices = op.weight.reshape(groups, count // groups, -1).transpose(0, 2, 1).astype(dtype)
    bias = op.bias.astype(dtype)
    height, width = op.geometry.output(*source.shape[:2])
    pixels, taps = height * width, matrices.shape[1]
    block = max(1, _WINDOW_BYTES // (groups * pixels * taps * dtype.itemsize))  # images
    pad = _pad(op.geometry, source, op.zero_point, dtype)
    unrolled = np.empty((groups, block, height, width, *op.geometry.kernel, depth), dtype)
    sums = _Reused((pixels, groups, count // groups), dtype)

    def step(x: Exact) -> Exact:
        windows = _windows(pad(x), op.geometry)
        grouped = windows.reshape(*windows.shape[:5], groups, depth).transpose(5, 0, 1, 2, 3, 4, 6)
        result = sums(len(x)).reshape(-1, groups, count // groups)
        for start in range(0, len(x), block):
            images = min(block, len(x) - start)
            np.copyto(unrolled[:, :images], grouped[:, start : start + images])
            rows = unrolled[:, :images].reshape(groups, images * pixels, taps)
            part = result[start * pixels : (start + images) * pixels]
            np.matmul(rows, matrices, out=part.transpose(1, 0, 2))
        _add_per_channel(result.reshape(len(x), height, width * count), bias)
        return result.reshape(len(x), height, width, count)

    return step


def _depthwise(op: Conv, source: Tensor, dtype: np.dtype[Any]) -> Step:
    """One input channel per group: the taps are added one by one, which BLAS could not do better."""
    weight, bias = op.weight[..., 0].transpose(1, 2, 0).astype(dtype), op.bias.astype(dtype)
    copies = len(op.weight) // op.groups
    shape = (*op.geometry.output(*source.shape[:2]), len(op.weight))
    pad = _pad(op.geometry, source, op.zero_point, dtype)
    sums, products = _Reused(shape, dtype), _Reused(shape, dtype)

    def step(x: Exact) -> Exact:
        padded = pad(x)
        if copies > 1:
            padded = padded.repeat(copies, axis=-1)
        result, product = sums(len(x)), products(len(x))
        result[...] = bias
        for tap, values in _taps(padded, op.geometry):
            np.multiply(values, weight[tap], out=product)
            result += product
        return result

    return step


def _add_per_channel(rows: Exact, bias: npt.NDArray[Any]) -> None:
    """Add ``bias`` (C,) to rows (images, H, W*C) in place, a whole row per inner loop: NumPy is slow on short ones."""
    rows += np.tile(bias, rows.shape[-1] // len(bias))


def _max_pool(op: MaxPool, source: Tensor) -> Step:
    pad = _pad(op.geometry, source, 0, None, fill=source.type.min)
    return lambda x: _fold(np.maximum, pad(x), op.geometry)


def _sum_pool(op: SumPool, source: Tensor) -> Step:
    reach = max(abs(source.type.min - op.zero_point), abs(source.type.max - op.zero_point))
    pad = _pad(op.geometry, source, op.zero_point, carrier(reach * op.geometry.kernel[0] * op.geometry.kernel[1]))
    return lambda x: _fold(np.add, pad(x), op.geometry)


def _in_blocks(evaluate: Step, target: Tensor, columns: int) -> Step:
    """An elementwise function of rows of ``columns`` elements, block by block: what it does stays in the cache."""
    block = max(1, _BLOCK_ELEMENTS // columns)
    results = _Reused(target.shape, target.type.dtype)

    def step(*inputs: Exact) -> Exact:
        result = results(len(inputs[0]))
        rows, *operands = (array.reshape(-1, columns) for array in (result, *inputs))
        for start in range(0, len(rows), block):
            part = slice(start, start + block)
            rows[part] = evaluate(*(operand[part] for operand in operands))
        return result

    return step


def _requantize(op: Requantize, target: Tensor) -> Step:
    reference = op.reference
    _, width, channels = target.shape
    if not isinstance(reference, QLinearReference):
        return _in_blocks(reference.evaluate, target, channels)
    # a whole row of the frame per inner loop, as in _add_per_channel
    multiplier = np.tile(np.broadcast_to(reference.multiplier, channels), width)
    return _in_blocks(dataclasses.replace(reference, multiplier=multiplier).evaluate, target, width * channels)


def _join(op: Join, inputs: list[Tensor], target: Tensor) -> Step:
    reference = op.reference
    if not isinstance(reference, QLinearAddReference):
        return _in_blocks(reference.evaluate, target, target.shape[2])
    a, b = (tensor.type for tensor in inputs)
    table = reference.table(a, b).astype(target.type.dtype)
    stride = table.shape[1]
    origin = a.min * stride + b.min

    def look_up(x: Exact, y: Exact) -> Exact:
        # 8-bit operands: the table has at most 65536 entries and is far quicker than the emulated multiply-adds
        index = np.multiply(x, stride, dtype=np.int32, casting="unsafe")
        np.add(index, y, out=index, dtype=np.int32, casting="unsafe")
        index -= origin
        return np.asarray(np.take(table, index))

    return _in_blocks(look_up, target, target.shape[2])


def _pad(
    geometry: Geometry, source: Tensor, zero_point: int, dtype: np.dtype[Any] | None, fill: int = 0
) -> Callable[[Exact], Exact]:
    """A function: ``x - zero_point`` as ``dtype`` (None: that of x) inside the window's border of ``fill``."""
    top, left, bottom, right = geometry.pads
    height, width, channels = source.shape
    shape = (top + height + bottom, left + width + right, channels)
    buffers: dict[np.dtype[Any], _Reused] = {}

    def pad(x: Exact) -> Exact:
        wanted = x.dtype if dtype is None else dtype
        padded = buffers.setdefault(wanted, _Reused(shape, wanted, fill))(len(x))
        inner = padded[:, top : top + height, left : left + width]
        np.copyto(inner, x, casting="unsafe")
        if zero_point:
            inner -= wanted.type(zero_point)
        return padded

    return pad


def _windows(padded: Exact, geometry: Geometry) -> Exact:
    """All windows of padded frames as a view (images, OH, OW, KH, KW, C)."""
    if geometry.kernel == (1, 1):
        return padded[:, :: geometry.strides[0], :: geometry.strides[1], None, None, :]
    views = sliding_window_view(padded, geometry.extent, axis=(1, 2))
    (down, across), (row_step, column_step) = geometry.strides, geometry.dilations
    return np.asarray(views[:, ::down, ::across, :, ::row_step, ::column_step].transpose(0, 1, 2, 4, 5, 3))


def _taps(padded: Exact, geometry: Geometry) -> list[tuple[tuple[int, int], Exact]]:
    """For each tap (kernel row, kernel column): the values it meets in all windows, a view (images, OH, OW, C)."""
    height, width = padded.shape[1] - geometry.extent[0] + 1, padded.shape[2] - geometry.extent[1] + 1
    taps = []
    for row in range(geometry.kernel[0]):
        for column in range(geometry.kernel[1]):
            top, left = row * geometry.dilations[0], column * geometry.dilations[1]
            values = padded[:, top : top + height : geometry.strides[0], left : left + width : geometry.strides[1]]
            taps.append(((row, column), values))
    return taps


def _fold(function: np.ufunc, padded: Exact, geometry: Geometry) -> Exact:
    """Reduce every window with ``function``."""
    if geometry.kernel == padded.shape[1:3]:  # global pooling, one pass
        return np.asarray(function.reduce(padded, axis=(1, 2), keepdims=True))
    result: Exact | None = None
    for _, values in _taps(padded, geometry):
        result = values.copy() if result is None else function(result, values, out=result)
    assert result is not None  # a kernel has at least one tap
    return result


def _images_per_chunk(graph: Graph) -> int:
    """How many images to take through the whole graph at once, so that a tensor is still in cache when it is read."""
    largest: Frame = max((tensor.shape for tensor in graph.tensors.values()), key=lambda shape: int(np.prod(shape)))
    return int(max(1, _CHUNK_BYTES // (4 * int(np.prod(largest)))))
