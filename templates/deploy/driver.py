#!/usr/bin/env python3
"""Runs the accelerator on a PYNQ board: the same file for every build, told apart by the manifest.json beside it.

    from driver import Accelerator

    accelerator = Accelerator("accel.bit")
    scores = accelerator.predict(images)  # the ONNX model's own shape and type, any number of images
    print(accelerator.benchmark(seconds=10))

``python3 driver.py --self-test`` compares the board with the shipped vectors, bit for bit; ``--help`` says the rest.
Needs pynq 3.0.1 to 4.0.0 with its own NumPy (below 2), Python 3.8 or later, and the files of its folder.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import sys
import time
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import host_ops
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HERE = Path(__file__).resolve().parent
SCHEMA = 1
"""Version of manifest.json and host.json that this file reads."""

# registers of the accelerator: byte offsets on its AXI4-Lite port
MAGIC, BUILD_ID, CONTROL, CYCLES = 0x00, (0x04, 0x08), 0x0C, (0x10, 0x14)
IMAGES_IN, IMAGES_OUT, ERRORS = 0x18, 0x1C, 0x20
HLSG = 0x484C5347
CLEAR_COUNTERS, SOFT_RESET = 1, 2

BUILD_ID_PARAMETER = "BUILD_ID"
"""Of the accelerator's cell in the .hwh: the build's id, 16 hexadecimal digits."""

ONE_FOLDER = "Copy accel.bit, accel.hwh and manifest.json from one and the same deploy/ folder."
"""What to do where files of two builds have met."""

# registers of the AXI DMA in direct mode (PG021): control, status, length of the two channels
MM2S_DMACR, MM2S_DMASR, S2MM_DMACR, S2MM_DMASR, S2MM_LENGTH = 0x00, 0x04, 0x30, 0x34, 0x58
DMA_RESET, DMA_IDLE = 0x4, 0x2
DMA_ERRORS = {
    0x10: "DMAIntErr (internal error: a packet longer than the buffer, or a length of 0)",
    0x20: "DMASlvErr (slave error: memory refused the access)",
    0x40: "DMADecErr (decode error: there is no memory at the address)",
}

BUFFER_BYTES = 8 << 20
"""Contiguous memory to use for each direction, at most; larger batches go through in parts."""

TIMEOUT_SECONDS = 10.0
"""Least time granted to a transfer, whatever the prediction says."""

SLACK = 20
"""A transfer may take so many times the predicted cycles before it counts as stuck."""

RESET_SECONDS = 1.0
SPIN_SECONDS, NAP_SECONDS = 0.002, 0.0002
"""A wait asks without a pause at first, for short transfers; then with naps, so that other threads run."""

ULPS = 16
"""Units in the last place that float outputs may differ where the CPU's exp and sums round differently."""

ROUNDED_DIFFERENTLY = frozenset(
    [
        *["BatchNormalization", "Celu", "Cos", "Elu", "Erf", "Exp", "Gelu", "Gemm", "GlobalAveragePool", "HardSwish"],
        *["Log", "LogSoftmax", "MatMul", "Mean", "Mish", "Pow", "ReduceL1", "ReduceL2", "ReduceMean", "ReduceSum"],
        *["Selu", "Sigmoid", "Sin", "Softmax", "Softplus", "Tanh"],
    ]
)
"""Host operators whose last bits depend on the processor; all others are correctly rounded everywhere."""


# ---- errors ----------------------------------------------------------------------------------------------------------


class DriverError(Exception):
    """Base of what this driver raises: one paragraph that says what, where and what to do."""


class SetupError(DriverError):
    """A file, a package or a right is missing."""


class BuildMismatchError(DriverError):
    """Bitstream, .hwh and manifest.json are not of one build."""


class InputError(DriverError, ValueError):
    """An array with a wrong shape, type or value."""


class AllocationError(DriverError):
    """No contiguous memory is left."""


class DmaError(DriverError):
    """A transfer failed. DMA and accelerator have been reset and can be used again."""


class DmaTimeoutError(DmaError):
    """A transfer did not end. DMA and accelerator have been reset and can be used again."""


# ---- integers in the accelerator's words -----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Port:
    """A tensor at the accelerator's boundary.

    Frames have shape (images, *frame), frame = (H, W, C), and type ``dtype``. In memory an image takes ``bytes``
    bytes: its elements in that order, ``storage_bits`` each, least significant bits first, then zeros.
    """

    tensor: str
    frame: tuple[int, ...]
    dtype: np.dtype[Any]
    bits: int
    signed: bool
    bipolar: bool
    lo: int
    hi: int
    storage_bits: int
    bytes: int

    @property
    def elements(self) -> int:
        """Elements per image."""
        return math.prod(self.frame)

    @staticmethod
    def read(boundary: Mapping[str, Any], dtype: str) -> Port:
        """The port that the manifest describes as ``boundary``. ``lo``..``hi`` are all values of its type."""
        bits, signed, narrow, bipolar = (boundary["type"][key] for key in ("bits", "signed", "narrow", "bipolar"))
        lo = -(1 << (bits - 1)) + narrow if signed else 0
        hi = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow
        if bipolar:
            lo, hi = -1, 1
        frame = tuple(boundary["frame"])
        stored = (boundary["storage_bits"], boundary["bytes"])
        return Port(boundary["tensor"], frame, np.dtype(dtype), bits, signed, bipolar, lo, hi, *stored)

    def check(self, frames: Any) -> np.ndarray[Any, Any]:
        """``frames`` as an array. Raises InputError unless they are integers (images, H, W, C) of this type."""
        array = np.asarray(frames)
        needed = f"integers of shape ({', '.join(['images', *map(str, self.frame)])}) from {self.lo} to {self.hi}"
        if array.ndim != len(self.frame) + 1 or array.shape[1:] != self.frame:
            raise InputError(f"run_integers() got an array of shape {array.shape}; it takes {needed}.")
        if len(array) == 0:
            raise InputError("run_integers() got a batch of 0 images; give at least one.")
        if array.dtype.kind not in "iu":
            raise InputError(f"run_integers() got {array.dtype} values; it takes {needed}. predict() takes floats.")
        limits = np.iinfo(array.dtype)
        if limits.min < self.lo or limits.max > self.hi:
            low, high = int(array.min()), int(array.max())
            if low < self.lo or high > self.hi:
                raise InputError(f"run_integers() got values from {low} to {high}; it takes {needed}.")
            if self.bipolar and not array.all():
                raise InputError("run_integers() got zeros; this accelerator takes -1 and +1 only.")
        return array

    def pack(self, frames: np.ndarray[Any, Any], memory: np.ndarray[Any, Any]) -> None:
        """Write ``frames`` (images, H, W, C) into ``memory`` (images, bytes), uint8. The tails of images stay."""
        images = len(frames)
        if self.storage_bits >= 8:
            view = memory.view(f"<i{self.storage_bits // 8}")[:, : self.elements]
            # two's complement: the same bits whether the type is signed or not
            np.copyto(view.reshape(images, *self.frame), frames, casting="unsafe")
            return
        flat = frames.reshape(images, -1)
        used = -(-self.elements * self.storage_bits // 8)
        if self.storage_bits == 1:
            bits = flat > 0 if self.bipolar else flat.astype(np.uint8) & 1
            memory[:, :used] = np.packbits(bits, axis=1, bitorder="little")
            return
        per_byte = 8 // self.storage_bits
        low = flat.astype(np.uint8) & np.uint8((1 << self.storage_bits) - 1)
        for place in range(per_byte):
            part = low[:, place::per_byte]
            shifted = part << np.uint8(place * self.storage_bits)
            if place == 0:
                memory[:, :used] = shifted
            else:
                memory[:, : part.shape[1]] |= shifted

    def unpack(self, memory: np.ndarray[Any, Any], frames: np.ndarray[Any, Any]) -> None:
        """Read ``frames`` (images, H, W, C) of type ``dtype`` out of ``memory`` (images, bytes), uint8."""
        flat = frames.reshape(len(frames), self.elements)
        if self.storage_bits >= 8:
            kind = "i" if self.signed else "u"
            stored = memory.view(f"<{kind}{self.storage_bits // 8}")[:, : self.elements]
            np.copyto(flat, stored, casting="unsafe")
            return
        if self.storage_bits == 1:
            bits = np.unpackbits(memory, axis=1, count=self.elements, bitorder="little").view(np.int8)
            np.copyto(flat, bits * np.int8(2) - np.int8(1) if self.bipolar else -bits if self.signed else bits)
            return
        per_byte = 8 // self.storage_bits
        mask, sign = (1 << self.storage_bits) - 1, 1 << (self.storage_bits - 1)
        for place in range(per_byte):
            part = flat[:, place::per_byte]
            codes = (memory[:, : part.shape[1]] >> np.uint8(place * self.storage_bits)) & np.uint8(mask)
            if self.signed:
                np.copyto(part, (codes ^ np.uint8(sign)).view(np.int8) - np.int8(sign))
            else:
                np.copyto(part, codes, casting="unsafe")


# ---- what runs on the CPU before and after ---------------------------------------------------------------------------


class Program:
    """ONNX operators in execution order, computed by host_ops.py. Tensors keep a leading axis of images."""

    def __init__(self, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.inputs: list[str] = description["inputs"]
        self.outputs: list[str] = description["outputs"]
        self.shapes = {name: tuple(shape) for name, shape in description["shapes"]}
        self.dtypes: dict[str, str] = dict(description["dtypes"])
        self.operators: list[str] = [node["op"] for node in description["nodes"]]
        self._constants = {name: arrays[key] for name, key in description["constants"]}
        self._nodes = [
            (host_ops.OPERATORS[node["op"]], node["inputs"], node["outputs"], dict(node["attributes"]))
            for node in description["nodes"]
        ]

    def run(self, feeds: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """All tensors of the program, given its inputs."""
        values = {**self._constants, **feeds}
        for operator, inputs, outputs, attributes in self._nodes:
            results = operator([values[name] if name else None for name in inputs], attributes)
            values.update(zip(outputs, results))
        return values


class View:
    """An ONNX tensor and the frame that holds its integers: ``float = (integer - zero_point) * scale``.

    ``axes`` orders the frame's H, W, C (0, 1, 2) as the ONNX tensor has them; where no order does, ``index`` gives
    every element's place in the frame.
    """

    def __init__(self, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.onnx: str = description["onnx"]
        self.tensor: str = description["tensor"]
        self.is_float: bool = description["float"]
        self.dtype = host_ops.storage(description["dtype"])
        self.frame_dtype = np.dtype(description["frame_dtype"])
        self._frame = tuple(description["frame"])
        self._shape = tuple(description["shape"])
        self._axes: list[int] | None = description["axes"]
        self._index = np.empty(0) if self._axes is not None else arrays[description["index"]]
        self._zero_point: int = description["zero_point"]
        scale = arrays[description["scale"]]
        if scale.size == 1:
            self._scale = scale.reshape(())
        else:
            self._scale = scale.reshape([-1 if axis == description["axis"] else 1 for axis in range(len(self._shape))])

    def to_frames(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Frames (images, H, W, C) of the integers that ``array`` (images, ...) stands for."""
        if self.is_float:
            array = np.rint(array.astype(np.float64) / self._scale.astype(np.float64)) + self._zero_point
        if self._axes is not None:
            ordered = array.reshape(len(array), *(self._frame[axis] for axis in self._axes))
            frames = ordered.transpose(0, *(1 + self._axes.index(axis) for axis in range(len(self._frame))))
        else:
            flat = np.empty((len(array), self._index.size), array.dtype)
            flat[:, self._index] = array.reshape(len(array), -1)
            frames = flat.reshape(len(array), *self._frame)
        return frames.astype(self.frame_dtype, copy=False)

    def to_onnx(self, frames: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The ONNX tensor (images, ...) that frames (images, H, W, C) stand for."""
        if self._axes is not None:
            array = frames.transpose(0, *(1 + axis for axis in self._axes))
        else:
            array = frames.reshape(len(frames), -1)[:, self._index]
        array = array.reshape(len(frames), *self._shape)
        if self.is_float:
            array = np.subtract(array, self._zero_point, dtype=np.float32) * self._scale
        return array.astype(self.dtype, copy=False)


class Host:
    """The model's parts before and after the accelerator, from host.json and host.npz in ``folder``."""

    def __init__(self, folder: Path) -> None:
        description = read_json(folder / "host.json")
        check_schema(description, folder / "host.json")
        arrays = read_arrays(folder / "host.npz")
        self.prefix = Program(description["prefix"], arrays)
        self.suffix = Program(description["suffix"], arrays)
        self._entering = View(description["input"], arrays)
        self._leaving = [View(view, arrays) for view in description["outputs"]]
        self.input_dtype: str = description["input"]["frame_dtype"]
        self.output_dtypes: dict[str, str] = dict(description["output_dtypes"])

    def check(self, x: Any) -> dict[str, np.ndarray[Any, Any]]:
        """The model's inputs by name, in its types. Raises InputError for what it cannot take."""
        names = self.prefix.inputs
        if not isinstance(x, dict):
            if len(names) != 1:
                raise InputError(f"The model has {len(names)} inputs; give a dict with {', '.join(map(repr, names))}.")
            x = {names[0]: x}
        missing = [name for name in names if name not in x]
        unknown = [name for name in x if name not in names]
        if missing or unknown:
            raise InputError(f"The model's inputs are {', '.join(map(repr, names))}, not {', '.join(map(repr, x))}.")
        feeds = {name: self._check_one(name, x[name]) for name in names}
        lengths = {name: len(array) for name, array in feeds.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"The inputs have different numbers of images: {lengths}.")
        return feeds

    def _check_one(self, name: str, value: Any) -> np.ndarray[Any, Any]:
        array = np.asarray(value)
        shape, dtype = self.prefix.shapes[name], np.dtype(self.prefix.dtypes[name])
        needed = f"Input {name!r} takes {dtype} of shape ({', '.join(['images', *map(str, shape)])})"
        if array.ndim != len(shape) + 1 or array.shape[1:] != shape:
            hint = " For one image add an axis: x[None]." if array.shape == shape else ""
            raise InputError(f"{needed}, not an array of shape {array.shape}.{hint}")
        if len(array) == 0:
            raise InputError(f"{needed}; the batch has 0 images. Give at least one.")
        if array.dtype.kind not in "buif" or (array.dtype.kind == "f" and dtype.kind in "iu"):
            raise InputError(f"{needed}, not {array.dtype}. Convert it first.")
        if array.dtype.kind == "f" and np.isnan(array.min()):
            raise InputError(f"{needed}; the array holds NaN, which no integer stands for. Remove these images.")
        cast = array.astype(dtype, copy=False)
        if dtype.kind in "iu" and cast is not array and not np.array_equal(cast, array):
            raise InputError(f"{needed}; some values do not fit {dtype}.")
        return cast

    def frames(self, feeds: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        """The integers (images, H, W, C) that enter the accelerator."""
        return self._entering.to_frames(self.prefix.run(feeds)[self._entering.onnx])

    def outputs(self, leaving: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """The model's outputs (images, ...), from the integers that leave the accelerator by tensor name."""
        values = self.suffix.run({view.onnx: view.to_onnx(leaving[view.tensor]) for view in self._leaving})
        return {name: values[name] for name in self.suffix.outputs}


# ---- figures ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Times:
    """Seconds spent, added up; ``transfer`` is the time from the start of the DMA to its end. ``cycles``: counted."""

    images: int = 0
    prepare: float = 0.0
    pack: float = 0.0
    transfer: float = 0.0
    unpack: float = 0.0
    finish: float = 0.0
    cycles: int = 0


@dataclasses.dataclass
class Benchmark:
    """What ``benchmark`` measured. Figures are None where it was interrupted before the first batch."""

    name: str
    board: str
    clock_mhz: float
    batch: int
    predicted_cycles: float | None
    interrupted: bool
    times: Times
    seconds: float
    latencies: list[float]

    @property
    def cycles_per_image(self) -> float | None:
        """Counted cycles, first input word to last output word of a batch, per image."""
        return self.times.cycles / self.times.images if self.times.images else None

    @property
    def accelerator_fps(self) -> float | None:
        """Images per second of the accelerator alone."""
        cycles = self.cycles_per_image
        return self.clock_mhz * 1e6 / cycles if cycles else None

    @property
    def end_to_end_fps(self) -> float | None:
        """Images per second of predict(): arrays in, arrays out."""
        return self.times.images / self.seconds if self.times.images else None

    @property
    def latency_ms(self) -> dict[str, float]:
        """Milliseconds that one image takes in predict() on its own: p50, p90, p99."""
        if not self.latencies:
            return {}
        values = np.percentile(self.latencies, [50, 90, 99]) * 1e3
        return {"p50": float(values[0]), "p90": float(values[1]), "p99": float(values[2])}

    @property
    def microseconds_per_image(self) -> dict[str, float]:
        """Where predict() spends its time: CPU before, packing, transfer, computing, unpacking, CPU after."""
        times, images = self.times, self.times.images
        if not images:
            return {}
        compute = min(times.cycles / (self.clock_mhz * 1e6), times.transfer)
        seconds = {
            **{"prepare": times.prepare, "pack": times.pack, "transfer": times.transfer - compute},
            **{"compute": compute, "unpack": times.unpack, "finish": times.finish},
        }
        return {name: 1e6 * value / images for name, value in seconds.items()}

    def as_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return {
            **{"name": self.name, "board": self.board, "clock_mhz": self.clock_mhz, "batch": self.batch},
            **{"images": self.times.images, "seconds": self.seconds, "interrupted": self.interrupted},
            **{"accelerator_fps": self.accelerator_fps, "end_to_end_fps": self.end_to_end_fps},
            **{"cycles_per_image": self.cycles_per_image, "predicted_cycles": self.predicted_cycles},
            **{"latency_ms": self.latency_ms, "microseconds_per_image": self.microseconds_per_image},
        }

    def __str__(self) -> str:
        lines = [f"{printable(self.name)} on {self.board}, clock {self.clock_mhz:.3f} MHz (read back)"]
        if self.interrupted:
            lines.append("interrupted; the figures so far:")
        if self.times.images:
            predicted = f", predicted {self.predicted_cycles:,.0f}" if self.predicted_cycles else ""
            lines += [
                f"accelerator {self.accelerator_fps:12,.1f} images/s   {self.cycles_per_image:,.0f} cycles per image "
                f"in batches of {self.batch}{predicted}",
                f"end to end  {self.end_to_end_fps:12,.1f} images/s   predict(): {self.times.images:,} images in "
                f"{self.seconds:.2f} s",
            ]
            split = ", ".join(f"{name} {value:,.1f}" for name, value in self.microseconds_per_image.items())
            lines.append(f"time per image in us: {split}")
        if self.latencies:
            split = ", ".join(f"{name} {value:,.3f}" for name, value in self.latency_ms.items())
            lines.append(f"latency of one image in ms: {split} ({len(self.latencies):,} runs)")
        return "\n".join(lines)


# ---- the accelerator -------------------------------------------------------------------------------------------------


class Accelerator:
    """The accelerator in ``bitstream``, loaded into the board. manifest.json and the .hwh stand beside it.

    ``clock_mhz``: another clock than the one the build was made for, at your own risk. ``timeout``: least seconds
    granted to a transfer (default: the environment variable HLSGEN_TIMEOUT, else 10); the predicted time comes on
    top, ``SLACK``-fold. ``images_per_transfer``: split batches into such parts (default: what fits 8 MiB).

    Attributes: ``manifest``; ``clock_mhz``, as read back; ``input`` and ``outputs``, the ports; ``host``; ``on_board``,
    False on an emulated board.
    Raises SetupError, BuildMismatchError, AllocationError.
    """

    def __init__(
        self,
        bitstream: str | Path = HERE / "accel.bit",
        *,
        clock_mhz: float | None = None,
        timeout: float | None = None,
        images_per_transfer: int | None = None,
    ) -> None:
        path = Path(bitstream).resolve()
        self.folder = path.parent
        self.manifest = read_json(self.folder / "manifest.json")
        check_schema(self.manifest, self.folder / "manifest.json")
        self.host = Host(self.folder)
        hardware = self.manifest["hardware"]
        self.input = Port.read(hardware["input"], self.host.input_dtype)
        self.outputs = [Port.read(port, self.host.output_dtypes[port["tensor"]]) for port in hardware["outputs"]]
        self._bytes = (self.input.bytes, sum(port.bytes for port in self.outputs))
        self._timeout = least_timeout() if timeout is None else float(timeout)
        check_numpy()
        for file, why in ((path, "Vivado writes it"), (path.with_suffix(".hwh"), "it must stand beside the bitstream")):
            if not file.is_file():
                raise SetupError(
                    f"{file} is missing ({why}). Copy the whole deploy/ folder of a build whose bitstream is made."
                )
        self._overlay = self._load(path)
        self._control, self._dma = (getattr(self._overlay, name) for name in self._cells().values())
        self._check_identity()
        self._longest = min(
            (1 << self.manifest["system"]["length_bits"]) - 1, getattr(self._dma, "buffer_max_size", 1 << 26)
        )
        self.images_per_transfer = self._images_per_transfer(images_per_transfer)
        self._buffers: dict[int, tuple[Any, Any]] = {}
        self.clock_mhz = self._set_clock(clock_mhz)
        self.reset()

    # -- loading

    def _load(self, path: Path) -> Any:
        """The bitstream in the board, as a pynq Overlay."""
        try:
            import pynq
        except ImportError as error:
            raise SetupError(
                f"pynq cannot be imported ({error}). Run this on a PYNQ image, in its own environment: sudo -i, or "
                "source /etc/profile.d/pynq_venv.sh"
            ) from error
        self.on_board = check_rights(pynq)
        try:
            overlay = pynq.Overlay(str(path), download=False)
            # before the download, after which pynq would remember a wrong .hwh and no longer look at the file
            self._check_description(overlay, path.with_suffix(".hwh").name)
            # pynq 4.0 on a Zynq-7000 finds no frequency in the .hwh and fails; the clock is set again below anyway
            for clock in overlay.clock_dict.values():
                if "frequency" in clock and clock["frequency"] is None:
                    clock["frequency"] = self.manifest["clock"]["mhz"]
            overlay.download()
        except BuildMismatchError:
            raise
        except Exception as error:
            raise SetupError(
                f"pynq cannot load {path.name}: {error}. Is it for this board ({self.board})? Is another program using "
                "the accelerator?"
            ) from error
        return overlay

    def _cells(self) -> dict[str, str]:
        """Names of the accelerator's and the DMA's cell in the block design, by what they are."""
        cells = self.manifest["system"]["cells"]
        return {"hlsgen:ip:accel": cells["accelerator"], "xilinx.com:ip:axi_dma": cells["dma"]}

    def _check_description(self, overlay: Any, file: str) -> None:
        """Raise BuildMismatchError unless the .hwh, called ``file``, has this build's cells where they should be."""
        advice = ONE_FOLDER
        if getattr(overlay.parser, "_from_cache", False):
            advice += (
                " If they are, pynq remembers another .hwh from when it last loaded this bitstream; python3 -c 'import "
                "pynq; pynq.PL.reset()' makes it forget."
            )
        for kind, name in self._cells().items():
            cell, address = overlay.ip_dict.get(name), self.manifest["system"]["addresses"][name]
            if cell is None or not str(cell["type"]).startswith(kind) or cell["phys_addr"] != address:
                missing = f"{kind} called {name} at {address:#x}"
                raise BuildMismatchError(f"{file} has no {missing}: it is not of this build. {advice}")
        name, wanted = self._cells()["hlsgen:ip:accel"], self.manifest["build_id"][:16]
        found = overlay.ip_dict[name].get("parameters", {}).get(BUILD_ID_PARAMETER)
        if found is None:  # the bitstream's registers say it too: no reason to refuse
            warnings.warn(
                f"{file} does not say of which build it is, for its cell {name} has no parameter {BUILD_ID_PARAMETER}: "
                "it was made with another IP than the one in this build's ip_repo/. Only the bitstream is checked.",
                stacklevel=4,
            )
        elif found != wanted:
            raise BuildMismatchError(
                f"{file} is of build {printable(str(found))}, but manifest.json is of build {wanted}. {advice}"
            )

    def _check_identity(self) -> None:
        """Raise BuildMismatchError unless the registers show this build."""
        magic, wanted = self._control.read(MAGIC), self.manifest["build_id"]
        if magic != HLSG:
            raise BuildMismatchError(
                f"The bitstream is no accelerator of hlsgen: its first register reads {magic:#010x}, not {HLSG:#010x}."
            )
        found = "".join(f"{self._control.read(offset):08x}" for offset in BUILD_ID)
        if found != wanted[:16]:
            raise BuildMismatchError(
                f"The bitstream is of build {found}, but manifest.json is of build {wanted[:16]}. {ONE_FOLDER}"
            )

    def _set_clock(self, asked: float | None) -> float:
        """Set the PL clock (MHz), or ``asked``; return what the registers say it is."""
        from pynq.ps import Clocks

        built = float(self.manifest["clock"]["mhz"])
        target = built if asked is None else float(asked)
        # pynq takes every crystal for that of its own boards; what it sets and reads is off by this factor elsewhere
        assumed = 50.0 if self.manifest["board"]["family"] == "xc7" else 33.333
        factor = float(self.manifest["system"]["crystal_mhz"]) / assumed
        Clocks.fclk0_mhz = target / factor
        actual = float(Clocks.fclk0_mhz) * factor
        if asked is None and abs(actual - built) > 0.01 * built:
            message = f"the clock is {actual:.3f} MHz; the build is made for {built:.3f} MHz"
            if actual > built:
                raise SetupError(f"On this board {message}: results could be wrong. Build for a clock it can make.")
            warnings.warn(message, stacklevel=3)
        return actual

    def _images_per_transfer(self, asked: int | None) -> int:
        """Images per transfer, as the DMA's length register and the buffers allow, or fewer if so asked."""
        largest = max(self._bytes)
        if largest > self._longest:
            raise SetupError(f"One image takes {largest:,} bytes, more than the DMA's {self._longest:,}.")
        if asked is not None and asked < 1:
            raise InputError(f"images_per_transfer is {asked}; it must be at least 1.")
        fitting = max(1, BUFFER_BYTES // largest) if asked is None else asked
        return int(min(fitting, self._longest // largest))

    @property
    def board(self) -> str:
        """The board the build is for."""
        board = self.manifest["board"]
        return str(board.get("title", board["name"]))

    def __repr__(self) -> str:
        name, build_id = printable(self.manifest["name"]), self.manifest["build_id"][:16]
        return f"<Accelerator {name} for {self.board}, build {build_id}, {self.clock_mhz:.3f} MHz>"

    # -- running

    def predict(self, x: Any) -> Any:
        """The model's outputs for ``x``, equal to those of ``hlsgen run --engine golden``.

        ``x``: array (images, ...) in the ONNX model's own layout, any number of images; {name: array} for a model of
        several inputs. Returns an array (images, ...), or {name: array} for a model of several outputs.
        Raises InputError, AllocationError, DmaError.
        """
        return self._single(self._predict(self.host.check(x), Times()))

    def run_integers(self, frames: Any) -> Any:
        """What leaves the accelerator for integers (images, H, W, C) that enter it: an array likewise.

        Returns {tensor name: array} where several tensors leave it. Raises InputError, AllocationError, DmaError.
        """
        frames = self.input.check(frames)
        leaving = {port.tensor: np.empty((len(frames), *port.frame), port.dtype) for port in self.outputs}
        for part in self._parts(len(frames)):
            self._pass(frames[part], {name: array[part] for name, array in leaving.items()}, Times())
        return self._single(leaving)

    def run_words(self, words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """What leaves the accelerator for bytes (images, bytes per image) that enter it, uint8, as they are."""
        if words.dtype != np.uint8 or words.ndim != 2 or words.shape[1] != self._bytes[0] or len(words) == 0:
            needed = f"uint8 of shape (images, {self._bytes[0]})"
            raise InputError(f"run_words() takes {needed}, not {words.dtype} of shape {words.shape}.")
        result = np.empty((len(words), self._bytes[1]), np.uint8)
        for part in self._parts(len(words)):
            send, receive = self._memory(len(words[part]))
            send[:] = words[part]
            self._transfer(len(send), Times())
            result[part] = receive
        return result

    def _predict(self, feeds: Mapping[str, np.ndarray[Any, Any]], times: Times) -> dict[str, np.ndarray[Any, Any]]:
        images = len(next(iter(feeds.values())))
        results: dict[str, np.ndarray[Any, Any]] = {}
        for part in self._parts(images):
            started = time.perf_counter()
            frames = self.host.frames({name: array[part] for name, array in feeds.items()})
            times.prepare += time.perf_counter() - started
            leaving = {port.tensor: np.empty((len(frames), *port.frame), port.dtype) for port in self.outputs}
            self._pass(frames, leaving, times)
            started = time.perf_counter()
            for name, array in self.host.outputs(leaving).items():
                if name not in results:
                    results[name] = np.empty((images, *array.shape[1:]), array.dtype)
                results[name][part] = array
            times.finish += time.perf_counter() - started
        return results

    def _pass(self, frames: np.ndarray[Any, Any], leaving: Mapping[str, np.ndarray[Any, Any]], times: Times) -> None:
        """One transfer: ``frames`` in, the arrays ``leaving`` filled."""
        started = time.perf_counter()
        send, receive = self._memory(len(frames))
        self.input.pack(frames, send)
        packed = time.perf_counter()
        self._transfer(len(frames), times)
        passed = time.perf_counter()
        first = 0
        for port in self.outputs:
            port.unpack(receive[:, first : first + port.bytes], leaving[port.tensor])
            first += port.bytes
        times.images += len(frames)
        times.pack += packed - started
        times.unpack += time.perf_counter() - passed

    def _parts(self, images: int) -> Iterator[slice]:
        for first in range(0, images, self.images_per_transfer):
            yield slice(first, min(images, first + self.images_per_transfer))

    @staticmethod
    def _single(arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays

    # -- memory and transfers

    def _pair(self, images: int) -> tuple[Any, Any]:
        """Contiguous buffers to send from and receive into; those of all sizes together are twice the largest."""
        # a power of two: sizes are few, so that buffers are used again
        capacity = min(self.images_per_transfer, 1 << (images - 1).bit_length())
        if capacity not in self._buffers:
            sizes = (capacity * self._bytes[0], capacity * self._bytes[1])
            try:
                pair = (self._allocate(sizes[0]), self._allocate(sizes[1]))
            except AllocationError:
                if not self._buffers:
                    raise
                self.close()  # those of other sizes stand in the way
                pair = (self._allocate(sizes[0]), self._allocate(sizes[1]))
            self._buffers[capacity] = pair
        return self._buffers[capacity]

    def _allocate(self, size: int) -> Any:
        import pynq

        try:
            buffer = pynq.allocate((size,), dtype=np.uint8, cacheable=True)
        except Exception as error:
            raise AllocationError(
                f"There are no {size:,} bytes of contiguous memory (CMA) left: {error}. Shut down other notebooks that "
                "hold buffers, or give Accelerator a smaller images_per_transfer."
            ) from error
        buffer[:] = 0  # the tails of images, which nothing writes again
        buffer.flush()  # a line still in the cache could later be written over what the DMA brought
        return buffer

    def _memory(self, images: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The buffers as plain arrays (images, bytes)."""
        send, receive = self._pair(images)
        sizes = (images * self._bytes[0], images * self._bytes[1])
        # asarray leaves pynq's class behind, whose slices cost microseconds each
        return np.asarray(send)[: sizes[0]].reshape(images, -1), np.asarray(receive)[: sizes[1]].reshape(images, -1)

    def _transfer(self, images: int, times: Times) -> None:
        """Pass what is in the buffers through the accelerator. Whatever goes wrong, it can be used again after."""
        send, receive = self._pair(images)
        send, receive = send[: images * self._bytes[0]], receive[: images * self._bytes[1]]
        started = time.perf_counter()
        try:
            self._control.write(CONTROL, CLEAR_COUNTERS)
            try:
                self._dma.recvchannel.transfer(receive)
                self._dma.sendchannel.transfer(send)
            except RuntimeError as error:
                raise DmaError(f"The DMA does not start: {error}. It has been reset; try again.") from error
            self._wait(images, receive.nbytes, started)
            times.transfer += time.perf_counter() - started
            self._check_counters(images)
        except BaseException:  # KeyboardInterrupt too: a transfer under way would spoil the next
            self.reset()
            raise
        receive.invalidate()
        low = self._control.read(CYCLES[0])  # latches the high half
        times.cycles += low | self._control.read(CYCLES[1]) << 32

    def seconds_granted(self, images: int) -> float:
        """After so long a transfer of so many images counts as stuck."""
        timing = self.manifest.get("predicted", {}).get("timing", {})
        cycles = timing.get("interval_cycles", 0) * images + timing.get("latency_cycles", 0)
        return float(self._timeout + SLACK * cycles / (self.clock_mhz * 1e6))

    def _wait(self, images: int, size: int, started: float) -> None:
        """Wait until the DMA is idle and ``size`` bytes are there. Raises DmaError, DmaTimeoutError."""
        granted = self.seconds_granted(images)
        while True:
            waited = time.perf_counter() - started
            sent, received = self._dma.read(MM2S_DMASR), self._dma.read(S2MM_DMASR)
            faults = [
                f"{channel} {name}"
                for channel, status in (("sending", sent), ("receiving", received))
                for bit, name in DMA_ERRORS.items()
                if status & bit
            ]
            if faults:
                raise DmaError(f"The DMA reports {' and '.join(faults)}; {self._progress(images)}. It has been reset.")
            if received & DMA_IDLE:
                length = self._dma.read(S2MM_LENGTH)
                if length != size:
                    raise DmaError(
                        f"The DMA received {length:,} of {size:,} bytes; {self._progress(images)}. It has been reset."
                    )
                if sent & DMA_IDLE:
                    return
            if waited > granted:
                what = f"The transfer has not ended within {granted:.1f} s; {self._progress(images)}"
                if self._control.read(IMAGES_OUT) == images and not received & DMA_IDLE:
                    raise DmaTimeoutError(
                        f"{what}: it delivered everything, but no TLAST, the mark on a batch's last word, reached the "
                        "DMA, which waits for it. DMA and accelerator have been reset. More time would not help. If it "
                        "happens again, run python3 driver.py --self-test without another --clock; should that fail, "
                        "too, the way from accelerator to DMA is not that of this build's block design, or timing is "
                        "not met."
                    )
                raise DmaTimeoutError(
                    f"{what}. DMA and accelerator have been reset. If it happens again, run python3 driver.py "
                    "--self-test; a slow accelerator needs Accelerator(..., timeout=seconds), or --timeout."
                )
            if waited > SPIN_SECONDS:
                time.sleep(NAP_SECONDS)

    def _progress(self, images: int) -> str:
        counts = self._control.read(IMAGES_IN), self._control.read(IMAGES_OUT)
        return f"the accelerator took {counts[0]} of {images} images in and gave {counts[1]} out"

    def _check_counters(self, images: int) -> None:
        """Raise DmaError unless all images came out whole."""
        if self._control.read(ERRORS) & 1:
            raise DmaError("The accelerator saw a batch end inside an image (TLAST). It has been reset; try again.")
        if self._control.read(IMAGES_OUT) != images:
            raise DmaError(f"The DMA is done, but {self._progress(images)}. It has been reset; try again.")

    def reset(self) -> None:
        """Make DMA and accelerator forget what is under way. Raises DmaError when they do not answer."""
        self._dma.write(MM2S_DMACR, DMA_RESET)  # of both channels
        self._until("the DMA", lambda: not (self._dma.read(MM2S_DMACR) | self._dma.read(S2MM_DMACR)) & DMA_RESET)
        self._control.write(CONTROL, SOFT_RESET)
        self._until("the accelerator", lambda: self._control.read(CONTROL) == 0)
        self._dma.sendchannel.start()
        self._dma.recvchannel.start()

    @staticmethod
    def _until(who: str, ready: Callable[[], bool]) -> None:
        deadline = time.perf_counter() + RESET_SECONDS
        while not ready():
            if time.perf_counter() > deadline:
                raise DmaError(f"{who} does not come out of its reset: make a new Accelerator, which loads it again.")

    def close(self) -> None:
        """Give the contiguous memory back."""
        for pair in self._buffers.values():
            for buffer in pair:
                buffer.freebuffer()
        self._buffers.clear()

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    # -- measuring and checking

    def vectors(self) -> dict[str, np.ndarray[Any, Any]]:
        """The shipped test vectors.

        ``inputs/0``.. and ``outputs/0``..: the ONNX model's, in the manifest's order; ``frames/in`` and
        ``frames/0``..: integers (images, H, W, C); ``words/in`` and ``words/out``: bytes (images, bytes), uint8.
        """
        return read_arrays(self.folder / "vectors.npz")

    def example(self, images: int) -> dict[str, np.ndarray[Any, Any]]:
        """The shipped inputs, over and over, as ``images`` images."""
        vectors = self.vectors()
        feeds = {name: vectors[f"inputs/{number}"] for number, name in enumerate(self.host.prefix.inputs)}
        return {name: array[np.arange(images) % len(array)] for name, array in feeds.items()}

    def benchmark(
        self, seconds: float = 10.0, batch: int | None = None, x: Any = None, latency_share: float = 0.25
    ) -> Benchmark:
        """Measure speed for about ``seconds``: of single images for that share of it, then of whole batches.

        ``batch``: default what one transfer takes, at most 256. ``x``: images to use, default the shipped ones.
        Ctrl-C ends it early; the figures so far are returned and the accelerator stays usable.
        """
        batch = min(256, self.images_per_transfer) if batch is None else int(batch)
        if batch < 1:
            raise InputError(f"The batch is {batch}; give at least one image.")
        feeds = self.example(batch) if x is None else self.host.check(x)
        count = len(next(iter(feeds.values())))
        feeds = {name: array[np.arange(batch) % count] for name, array in feeds.items()}
        timing = self.manifest.get("predicted", {}).get("timing", {})
        name, predicted = self.manifest["name"], timing.get("interval_cycles")
        result = Benchmark(name, self.board, self.clock_mhz, batch, predicted, False, Times(), 0.0, [])
        try:
            one = {name: array[:1] for name, array in feeds.items()}
            self._predict(one, Times())  # allocates
            end = time.perf_counter() + latency_share * seconds
            while latency_share > 0 and (not result.latencies or time.perf_counter() < end):
                started = time.perf_counter()
                self._predict(one, Times())
                result.latencies.append(time.perf_counter() - started)
            self._pair(min(batch, self.images_per_transfer))
            end = time.perf_counter() + (1 - latency_share) * seconds
            while not result.times.images or time.perf_counter() < end:
                times = Times()
                started = time.perf_counter()
                self._predict(feeds, times)
                # only whole batches count
                result.seconds += time.perf_counter() - started
                for field in dataclasses.fields(Times):
                    setattr(result.times, field.name, getattr(result.times, field.name) + getattr(times, field.name))
        except KeyboardInterrupt:
            result.interrupted = True
        return result

    def self_test(self) -> list[Check]:
        """Compare with the shipped vectors, in one batch, in two and image by image."""
        vectors = self.vectors()
        names = self.host.prefix.inputs
        feeds = self.host.check({name: vectors[f"inputs/{number}"] for number, name in enumerate(names)})
        frames, words = self.host.frames(feeds), vectors["words/in"]
        packed = np.zeros_like(words)
        self.input.pack(frames, packed)
        checks = [
            compare("integers that enter", frames, vectors["frames/in"]),
            compare("their bytes", packed, words),
        ]
        images = len(words)
        for size in sorted({images, -(-images // 2), 1}, reverse=True):
            parts = [self.run_words(words[first : first + size]) for first in range(0, images, size)]
            checks.append(compare(f"bytes that leave, batches of {size}", np.concatenate(parts), vectors["words/out"]))
        leaving = self.run_integers(frames)
        leaving = leaving if isinstance(leaving, dict) else {self.outputs[0].tensor: leaving}
        for number, port in enumerate(self.outputs):
            expected = vectors[f"frames/{number}"]
            checks.append(compare(f"integers that leave, tensor {number}", leaving[port.tensor], expected))
        results = self._predict(feeds, Times())
        ulps = 0 if ROUNDED_DIFFERENTLY.isdisjoint(self.host.suffix.operators) else ULPS
        for number, name in enumerate(self.host.suffix.outputs):
            checks.append(compare(f"the model's output {number}", results[name], vectors[f"outputs/{number}"], ulps))
        return checks


# ---- comparing -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Check:
    """One comparison: ``wrong`` of ``elements`` elements differ; ``ulps``: largest tolerated difference seen."""

    what: str
    elements: int
    wrong: int
    ulps: int = 0

    def __str__(self) -> str:
        verdict = "equal" if not self.wrong else f"{self.wrong:,} DIFFER"
        if self.ulps:
            verdict += f" but for the last bits of floats (this CPU's exp; {self.ulps} units at most)"
        return f"{self.what:40} {self.elements:12,} elements  {verdict}"


def compare(what: str, found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], ulps: int = 0) -> Check:
    """Compare all elements; floats may differ by ``ulps`` units in the last place. Another shape or type is wrong."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return Check(what, expected.size, expected.size)
    differing = found != expected
    if expected.dtype.kind == "f":
        differing &= ~(np.isnan(found) & np.isnan(expected))
    if not ulps or expected.dtype.kind != "f" or not differing.any():
        return Check(what, expected.size, int(np.count_nonzero(differing)))
    distance = np.abs(found.astype(np.float64) - expected) / np.spacing(np.abs(expected)).astype(np.float64)
    wrong = differing & ~(distance <= ulps)
    small = distance[differing & ~wrong]
    return Check(what, expected.size, int(np.count_nonzero(wrong)), math.ceil(small.max()) if small.size else 0)


# ---- files and surroundings ------------------------------------------------------------------------------------------


def read_json(path: Path) -> Any:
    """The JSON file ``path``. Raises SetupError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"{path} cannot be read ({error}). Copy the whole deploy/ folder of a build.") from error


def read_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All arrays of the .npz file ``path``. Raises SetupError."""
    try:
        with np.load(str(path), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise SetupError(f"{path} cannot be read ({error}). Copy the whole deploy/ folder of a build.") from error


def check_schema(description: Mapping[str, Any], path: Path) -> None:
    """Raise SetupError for a file of another version."""
    if description.get("schema") != SCHEMA:
        raise SetupError(
            f"{path} has schema {description.get('schema')!r}, this driver reads {SCHEMA}. Take all files from one "
            "deploy/ folder."
        )


def check_numpy() -> None:
    """Raise SetupError for NumPy 2, with which pynq cannot allocate buffers."""
    if int(np.__version__.split(".")[0]) >= 2:
        raise SetupError(
            f"NumPy {np.__version__} is installed, but pynq needs a version below 2. Some package has upgraded it; put "
            "the image's back: pip install 'numpy<2'"
        )


def check_rights(pynq: Any) -> bool:
    """Whether pynq's device is a real one. Raises SetupError where it finds none, or one that only root may use."""
    advice = "Become root in the board's environment by sudo -i, or use a terminal of the board's Jupyter."
    try:
        device = type(pynq.Device.active_device).__name__
    except RuntimeError as error:
        reason = "" if "XILINX_XRT" in os.environ else " (XILINX_XRT is not set)"
        raise SetupError(f"pynq finds no device: {error}{reason}. {advice}") from error
    real = device in ("EmbeddedDevice", "XrtDevice")
    if real and os.geteuid() != 0:
        raise SetupError(f"Only root may use the board's registers and memory. {advice}")
    return real


def least_timeout() -> float:
    """Seconds from the environment variable HLSGEN_TIMEOUT, else TIMEOUT_SECONDS. Raises SetupError."""
    text = os.environ.get("HLSGEN_TIMEOUT", "")
    with contextlib.suppress(ValueError):
        seconds = float(text or TIMEOUT_SECONDS)
        if seconds > 0:
            return seconds
    raise SetupError(f"HLSGEN_TIMEOUT is {text!r}; it must be a positive number of seconds.")


def printable(text: str) -> str:
    """A model's name for a terminal: control characters replaced."""
    return "".join(character if character.isprintable() else "?" for character in text)


# ---- command line ----------------------------------------------------------------------------------------------------


def arguments() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser(
        description="Test and measure the accelerator in this folder on a PYNQ board: as root, in the image's Python.",
        epilog="Exit code: 0 well, 1 a wrong result, 2 an error. The environment variable HLSGEN_TIMEOUT is a default "
        "for --timeout. In a program: from driver import Accelerator (README.md).",
    )
    what = parser.add_argument_group("what to do (one at least)")
    what.add_argument("--self-test", action="store_true", help="compare with the shipped vectors, bit for bit")
    what.add_argument("--benchmark", action="store_true", help="measure images per second and latency; Ctrl-C ends it")
    what.add_argument("--power", action="store_true", help="measure power, 15 s idle and then at work")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--bitstream", metavar="FILE", default=str(HERE / "accel.bit"), help="default: accel.bit beside this program"
    )
    how.add_argument(
        "--seconds", type=float, default=10.0, help="how long to benchmark, and to measure power at work (default: 10)"
    )
    how.add_argument("--batch", type=int, metavar="IMAGES", help="at a time (default: 256, or what one transfer takes)")
    how.add_argument("--clock", type=float, metavar="MHZ", help="another clock than the build's: results may be wrong")
    how.add_argument(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help=f"granted to a transfer on top of {SLACK} times the predicted ones (default: {TIMEOUT_SECONDS:g})",
    )
    how.add_argument("--csv", metavar="FILE", help="write the log of --power there")
    return parser


def main(words: list[str] | None = None) -> int:
    """Returns the exit code: 0 well, 1 a wrong result, 2 an error."""
    parser = arguments()
    options = parser.parse_args(words)
    if not (options.self_test or options.benchmark or options.power):
        parser.print_help()
        return 2
    try:
        with Accelerator(options.bitstream, clock_mhz=options.clock, timeout=options.timeout) as accelerator:
            return work(accelerator, options)
    except DriverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def work(accelerator: Accelerator, options: argparse.Namespace) -> int:
    """Do what the options ask for; returns the exit code."""
    print(repr(accelerator)[1:-1])
    code = 0
    if options.self_test:
        checks = accelerator.self_test()
        print(*checks, sep="\n")
        code = int(any(check.wrong for check in checks))
        print("FAIL: the board does not compute what it should" if code else "PASS")
    if options.benchmark:
        print(accelerator.benchmark(options.seconds, options.batch))
    if options.power:
        import power

        report = power.measure(accelerator, active_seconds=options.seconds, batch=options.batch)
        print(report)
        if options.csv:
            report.write_csv(options.csv)
    return code


if __name__ == "__main__":
    sys.exit(main())
