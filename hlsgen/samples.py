"""Arrays that enter and leave: the user's .npy and .npz files, and made-up images for verification."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.errors import OptionError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.host import Array

SEED = 20_260_101
MAC_BUDGET = 200_000_000
"""Multiply-accumulates that the made-up images may cost in all."""


def read(path: Path, graph: Graph) -> dict[str, Array]:
    """The model's input from ``path``: .npy, or .npz with an array of the input's name or one array alone.

    Returns {ONNX input name: array (images, ...)} in the model's type. Raises OptionError for what does not fit.
    """
    (name,) = graph.prefix.inputs
    shape, dtype = graph.prefix.shapes[name], np.dtype(graph.prefix.dtypes[name])
    array = _load(path, name)
    needed = f"{name!r} needs {dtype} of shape ({', '.join(['images', *map(str, shape)])})"
    if array.ndim == 0 or array.shape[1:] != tuple(shape) or len(array) == 0:
        raise OptionError(f"{path}: the array has shape {array.shape}, but input {needed}.")
    if array.dtype.kind not in "buif" or (array.dtype.kind == "f" and dtype.kind in "iu"):
        raise OptionError(f"{path}: the array has type {array.dtype}, but input {needed}. Convert it first.")
    if np.isnan(array).any():
        raise OptionError(f"{path}: the array holds NaN, which no integer stands for. Remove these images.")
    cast = array.astype(dtype, copy=False)
    if dtype.kind in "iu" and (cast != array).any():
        raise OptionError(f"{path}: some values do not fit {dtype}, but input {needed}.")
    return {name: np.ascontiguousarray(cast)}


def joined(first: Mapping[str, Array], second: Mapping[str, Array]) -> dict[str, Array]:
    """The images of both, one after the other."""
    return {name: np.concatenate([array, second[name]]) for name, array in first.items()}


def write(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write ``arrays`` to the .npz file ``path``. Raises OptionError when that is not possible."""
    if path.suffix != ".npz":
        raise OptionError(f"--output {path}: results are several arrays; give a name that ends in .npz.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            # not numpy.savez: its keyword arguments cannot hold a tensor called "file", and it dates the members
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        raise OptionError(f"--output {path} cannot be written: {error.strerror}.") from error


def made_up(graph: Graph) -> dict[str, Array]:
    """Reproducible images for verification: the ends of the input's range, noise between the ends, noise in bands.

    At most ten; fewer for networks of more than 20 M multiply-accumulates, but never less than three.
    """
    (name,) = graph.prefix.inputs
    shape, dtype = tuple(graph.prefix.shapes[name]), np.dtype(graph.prefix.dtypes[name])
    count = max(3, min(10, MAC_BUDGET // max(1, graph.macs())))
    low, high = _input_range(graph, name)
    rng = np.random.default_rng(SEED)
    images = [np.full(shape, low), np.full(shape, high), rng.choice([low, high], shape)]
    while len(images) < count:
        start, stop = np.sort(rng.uniform(low, high, 2)) if len(images) % 2 == 0 else (low, high)
        images.append(rng.uniform(start, stop, shape))
    stacked = np.stack(images)
    return {name: (np.rint(stacked) if dtype.kind in "iu" else stacked).astype(dtype)}


def _input_range(graph: Graph, name: str) -> tuple[float, float]:
    """Where the host prefix is not yet saturated: outside, a larger input gives the same integers.

    Found by trying, because the prefix may be any program: 0 and plus or minus the powers of two from 2**-10 to 2**20.
    """
    dtype = np.dtype(graph.prefix.dtypes[name])
    powers = 2.0 ** np.arange(-10, 21)
    values = np.concatenate([-powers[::-1], [0.0], powers])
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.unique(np.clip(np.rint(values), limits.min, limits.max))
    frames = np.concatenate([
        golden.input_frames(graph, {name: np.full((1, *graph.prefix.shapes[name]), value, dtype)}) for value in values
    ]).reshape(len(values), -1)
    changes = np.flatnonzero((frames[1:] != frames[:-1]).any(1))
    if not len(changes):
        return float(values[0]), float(values[-1])
    return float(values[changes[0]]), float(values[changes[-1] + 1])


def _load(path: Path, name: str) -> Array:
    try:
        content: Any = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise OptionError(f"There is no file {path}.") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = f"{path} is not a .npy or .npz file of numbers. Write it with numpy.save or numpy.savez."
        raise OptionError(reason) from error
    if isinstance(content, np.ndarray):
        return content
    with content:
        names = list(content.files)
        key = name if name in names else names[0] if len(names) == 1 else None
        if key is None:
            listed = ", ".join(map(repr, names)) or "none"
            raise OptionError(f"{path} holds no array called {name!r}, the model's input; it holds {listed}.")
        try:
            return np.asarray(content[key])
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise OptionError(f"{path}: array {key!r} is damaged or does not hold numbers.") from error
