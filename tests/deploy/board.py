"""A board for the driver's tests: as much of pynq as the driver uses; its accelerator computes by the golden model.

Memory has two sides, the CPU's and the DMA's, which meet in ``flush`` and ``invalidate`` only.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hlsgen import board as boards
from hlsgen import system
from hlsgen.emit import deploy
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.types import QuantType
from hlsgen.kernels.axi import frames_from_words, words_from_frames, words_per_frame

Array = npt.NDArray[Any]

BUILD_ID = "0123456789abcdef"
MAGIC = 0x484C5347
CYCLES_PER_IMAGE = 1000
BASE_ADDRESS = 0x1000_0000


def manifest_of(graph: Graph, board: str = "pynq-z2", build_id: str = BUILD_ID) -> dict[str, Any]:
    """A manifest with all that the driver reads, for a design whose streams have the graph's own types."""
    described = boards.load(board)
    clock = described.clock()

    def port(name: str) -> dict[str, Any]:
        tensor, type = graph.tensors[name], graph.tensors[name].type
        words = words_per_frame(tensor.elements, type, described.axi_bits)
        return {
            "tensor": name,
            "frame": list(tensor.shape),
            "type": {"bits": type.bits, "signed": type.signed, "narrow": type.narrow, "bipolar": type.bipolar},
            "range": [tensor.lo, tensor.hi],
            "storage_bits": type.storage_bits,
            "words": words,
            "bytes": words * described.axi_bits // 8,
        }

    return {
        "schema": 1,
        "build_id": build_id,
        "name": graph.name,
        "board": described.model_dump(mode="json", include={"name", "title", "family", "power"}),
        "clock": {"mhz": clock.mhz, "dividers": list(clock.dividers)},
        "system": system.System(described, clock).as_dict(),
        "hardware": {
            "axi_bits": described.axi_bits,
            "input": port(graph.input),
            "outputs": [port(name) for name in graph.outputs],
        },
        "predicted": {"timing": {"interval_cycles": CYCLES_PER_IMAGE, "latency_cycles": 2 * CYCLES_PER_IMAGE}},
    }


def feeds_of(graph: Graph, images: int, seed: int = 0) -> dict[str, Array]:
    """Noise over the range that the input's quantizer knows, and beyond."""
    rng = np.random.default_rng(seed)
    feeds = {}
    for name in graph.prefix.inputs:
        dtype, shape = np.dtype(graph.prefix.dtypes[name]), (images, *graph.prefix.shapes[name])
        spread = 255 if dtype.kind in "iu" else float(rng.choice([2.0, 300.0]))
        low = np.iinfo(dtype).min if dtype.kind in "iu" else -spread
        high = np.iinfo(dtype).max if dtype.kind in "iu" else spread
        feeds[name] = rng.uniform(low, high, shape).astype(dtype)
    return feeds


def write_folder(graph: Graph, folder: Path, board: str = "pynq-z2", images: int = 4) -> dict[str, Any]:
    """A deploy folder with a bitstream of no contents; returns its manifest."""
    manifest = manifest_of(graph, board)
    deploy.write(graph, manifest, feeds_of(graph, images), folder)
    (folder / "accel.bit").write_bytes(b"bitstream")
    (folder / "accel.hwh").write_text("<EDKSYSTEM/>")
    return manifest


@contextmanager
def shipped_modules(folder: Path) -> Iterator[types.SimpleNamespace]:
    """driver, power and host_ops as they lie in ``folder``, imported as programs there import them."""
    names = ("driver", "power", "host_ops")
    sys.path.insert(0, str(folder))
    try:
        yield types.SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)


class Buffer(np.ndarray[Any, Any]):
    """Contiguous memory: what the CPU sees; ``ddr`` is what the DMA sees."""

    ddr: Array
    physical_address: int
    freed: list[int]
    clean: list[bool]  # whether no line of it waits in the CPU's cache

    def __array_finalize__(self, source: Any) -> None:
        if isinstance(source, Buffer) and hasattr(source, "ddr"):
            offset = self.ctypes.data - source.ctypes.data
            self.ddr = source.ddr[offset : offset + self.nbytes]
            self.physical_address = source.physical_address + offset
            self.freed, self.clean = source.freed, source.clean

    def flush(self) -> None:
        self.ddr[:] = np.asarray(self)
        self.clean[:] = [True]

    def invalidate(self) -> None:
        np.asarray(self)[:] = self.ddr

    def freebuffer(self) -> None:
        self.freed.append(self.nbytes)


@dataclass
class FakeBoard:
    """The device.

    ``faults`` come once each, in order: "no tlast", "stuck", "short", "tlast", "lost", "internal", "slave", "decode".
    """

    graph: Graph
    manifest: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    cma_bytes: int = 64 << 20
    interrupt_after: int | None = None  # reads of the DMA's status before Ctrl-C
    transfers: list[int] = field(default_factory=list)  # images of each
    resets: int = 0
    stuck: bool = False  # words of a failed transfer are left inside the accelerator
    dead: bool = False  # no answer to a reset
    freed: list[int] = field(default_factory=list)
    allocated: int = 0
    hwh: dict[str, str] = field(default_factory=dict)  # what the .hwh says of the accelerator's cell
    remembered: bool = False  # whether pynq has the .hwh from an earlier download of the same bitstream
    downloads: int = 0

    def __post_init__(self) -> None:
        hardware = self.manifest["hardware"]
        self.axi_bits = hardware["axi_bits"]
        self.bytes = (hardware["input"]["bytes"], sum(port["bytes"] for port in hardware["outputs"]))
        self.hwh = self.hwh or {"Component_Name": "system_accel_0_0", "BUILD_ID": self.manifest["build_id"][:16]}
        identity = int(self.manifest["build_id"][:8], 16), int(self.manifest["build_id"][8:16], 16)
        self.registers = {0x00: MAGIC, 0x04: identity[0], 0x08: identity[1], 0x18: 0, 0x1C: 0}
        self.dma = dict.fromkeys((0x00, 0x04, 0x30, 0x34, 0x58), 0)
        self.status_reads = 0
        self.receiving: Buffer | None = None
        self.buffers: list[Buffer] = []

    def allocate(self, shape: tuple[int], dtype: Any = "u4", target: Any = None, cacheable: int = 0) -> Buffer:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        held = self.allocated - sum(self.freed)
        if held + size > self.cma_bytes:
            raise RuntimeError("BO allocation failed: bad_alloc")
        buffer = np.full(shape, 0xA5, dtype).view(Buffer)
        buffer.ddr, buffer.freed, buffer.clean = np.full(shape, 0x5A, dtype), self.freed, [False]
        buffer.physical_address = BASE_ADDRESS + self.allocated
        self.allocated += size
        return buffer

    def compute(self, words: Array) -> Array:
        """Bytes (images, bytes) in, bytes out, by the golden model."""
        graph, hardware = self.graph, self.manifest["hardware"]
        beats = words.reshape(len(words), -1, self.axi_bits // 8).astype(np.int16)
        source = graph.tensors[graph.input]
        frames = frames_from_words(beats, source.shape, source.type)
        assert np.array_equal(words_from_frames(frames, source.type, self.axi_bits), beats), "tails are zero"
        leaving = golden.run(graph, frames, keep=graph.outputs)
        parts = [
            words_from_frames(leaving[port["tensor"]], QuantType(**port["type"]), self.axi_bits)
            for port in hardware["outputs"]
        ]
        return np.concatenate(parts, axis=1).astype(np.uint8).reshape(len(words), -1)

    def start(self, sent: Buffer) -> None:
        """Both channels have their orders: everything happens at once."""
        fault = self.faults.pop(0) if self.faults else ""
        images = sent.nbytes // self.bytes[0]
        self.transfers.append(images)
        stuck, self.stuck = self.stuck, bool(fault)
        received = self.receiving
        assert received is not None, "the receiving channel starts first"
        assert received.nbytes == images * self.bytes[1]
        code = {"internal": 0x10, "slave": 0x20, "decode": 0x40}.get(fault)
        if code is not None:
            self.dma[0x34] |= code | 1
            return
        self.dma[0x04] |= 0 if fault == "short" else 2  # the rest does not go in
        words = self.compute(np.asarray(sent.ddr).reshape(images, -1))
        if stuck:  # behind what was left inside
            words = np.roll(words, 1)
        self.registers.update({0x10: images * CYCLES_PER_IMAGE, 0x14: 0})
        self.registers[0x18] += images
        self.registers[0x1C] += images
        if fault in ("lost", "stuck"):
            self.registers[0x1C] -= 1
        if fault in ("no tlast", "stuck"):
            return
        received.ddr[:] = words.ravel()
        self.dma[0x34] |= 2
        self.dma[0x58] = received.nbytes // 2 if fault == "short" else received.nbytes
        self.registers[0x20] = int(fault == "tlast")


class Cell:
    """A driver of registers, as pynq's DefaultIP."""

    def __init__(self, board: FakeBoard) -> None:
        self.board = board


class ControlCell(Cell):
    def read(self, offset: int) -> int:
        return self.board.registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        assert type(value) is int, "pynq takes Python's integers only"
        if offset == 0x0C:
            for counter in (0x10, 0x14, 0x18, 0x1C):
                self.board.registers[counter] = 0
            if value & 2:
                self.board.registers[0x20] = 0
                self.board.stuck = False


class Channel:
    """A channel of pynq's DMA. It refuses orders until it is started."""

    def __init__(self, board: FakeBoard, offset: int) -> None:
        self.board, self.offset, self.started = board, offset, True

    def start(self) -> None:
        self.board.dma[self.offset + 4] = 0
        self.started = True

    def transfer(self, buffer: Buffer, start: int = 0, nbytes: int = 0) -> None:
        if not self.started or self.board.dma[self.offset + 4] & 1:
            raise RuntimeError("DMA channel not started")
        assert isinstance(buffer, Buffer), "only what pynq allocated has a physical address"
        self.board.dma[self.offset + 4] &= ~2
        if self.offset:
            assert all(buffer.clean), "the cache could overwrite what the DMA brings"
            self.board.receiving = buffer
        else:
            buffer.flush()
            self.board.start(buffer)


class DmaCell(Cell):
    buffer_max_size = (1 << 26) - 1

    def __init__(self, board: FakeBoard) -> None:
        super().__init__(board)
        self.sendchannel, self.recvchannel = Channel(board, 0x00), Channel(board, 0x30)

    def read(self, offset: int) -> int:
        if offset == 0x04 and self.board.interrupt_after is not None:
            self.board.status_reads += 1
            if self.board.status_reads > self.board.interrupt_after:
                self.board.interrupt_after = None
                self.board.stuck = True
                raise KeyboardInterrupt
        return self.board.dma[offset]

    def write(self, offset: int, value: int) -> None:
        assert offset == 0x00
        assert value == 4
        self.board.resets += 1
        if self.board.dead:
            self.board.dma[0x00] = 4
            return
        self.board.dma.update({0x00: 0, 0x04: 1, 0x30: 0, 0x34: 1, 0x58: 0})
        self.sendchannel.started = self.recvchannel.started = False


def fake_pynq(board: FakeBoard, readback: float = 1.0) -> dict[str, types.ModuleType]:
    """Modules to put into sys.modules. ``readback``: what the clock becomes, as a multiple of what was asked."""
    cells = board.manifest["system"]["cells"]
    addresses = board.manifest["system"]["addresses"]
    pynq, ps = types.ModuleType("pynq"), types.ModuleType("pynq.ps")

    class Overlay:
        def __init__(self, path: str, download: bool = True) -> None:
            assert not download, "clocks are put right before the download"
            assert Path(path).is_file()
            self.ip_dict = {
                cells["accelerator"]: {
                    "type": "hlsgen:ip:accel:1.0",
                    "phys_addr": addresses[cells["accelerator"]],
                    "parameters": dict(board.hwh),
                },
                cells["dma"]: {"type": "xilinx.com:ip:axi_dma:7.1", "phys_addr": addresses[cells["dma"]]},
            }
            self.parser = types.SimpleNamespace(**({"_from_cache": True} if board.remembered else {}))
            # as pynq 4.0 reads the .hwh of a Zynq-7000
            self.clock_dict: dict[int, dict[str, Any]] = {0: {"enable": 1, "frequency": None}, 1: {"enable": 0}}
            self.loaded = False

        def download(self) -> None:
            assert self.clock_dict[0]["frequency"] is not None, "pynq 4.0 divides by it"
            self.loaded = True
            board.downloads += 1

        def __getattr__(self, name: str) -> Cell:
            assert self.loaded, "Overlay not currently loaded"
            return {cells["accelerator"]: ControlCell, cells["dma"]: DmaCell}[name](board)

    class ClocksType(type):
        _mhz = 10.0

        @property
        def fclk0_mhz(cls) -> float:
            return cls._mhz

        @fclk0_mhz.setter
        def fclk0_mhz(cls, mhz: float) -> None:
            cls._mhz = mhz * readback

    class Clocks(metaclass=ClocksType):
        pass

    class FakeDevice:
        active_device = board

    vars(pynq).update(Overlay=Overlay, allocate=board.allocate, Device=FakeDevice, ps=ps)
    vars(ps).update(Clocks=Clocks)
    return {"pynq": pynq, "pynq.ps": ps}


def rewrite_json(path: Path, **changes: Any) -> None:
    """Change top-level fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
