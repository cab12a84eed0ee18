"""The emulated board as pynq sees it."""

from __future__ import annotations

import math
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pynq
from pynq.pl_server.device import Device

from hlsgen.board_emulator.clocks import Clocks
from hlsgen.board_emulator.config import BITSTREAM, VARIABLE, Config
from hlsgen.board_emulator.dma import Dma
from hlsgen.board_emulator.faults import Fault, Faults
from hlsgen.board_emulator.memory import Block, Memory
from hlsgen.board_emulator.simulation import BusError, Simulation

SMALLEST = 8192
"""Bytes of the smallest buffer: XRT would give a smaller one an address beyond 4 GB."""

ACCESS_CYCLES = 32
"""Clock cycles between two accesses of the CPU to the accelerator."""

BUILD_ID_OFFSETS = (0x04, 0x08)


class EmulatedDevice(Device):  # type: ignore[misc]  # pynq has no types
    """A board with one accelerator and its DMA, from a ``Config``.

    ``faults`` takes faults at any time. ``pl_mhz`` is the accelerator's clock as it is.
    """

    _probe_priority_ = 10
    """Lower than any real device's: it comes first."""

    @classmethod
    def _probe_(cls) -> list[EmulatedDevice]:
        path = os.environ.get(VARIABLE)
        return [cls(Config.read(path))] if path else []

    def __init__(self, config: Config) -> None:
        """Raises ValueError for a fault that is none."""
        super().__init__(f"emulated {config.name}")
        self.config = config
        self.name = config.name
        self.arch = config.arch
        self.timestamp = ""
        self.capabilities = {"MEMORY_MAPPED": True, "REGISTER_RW": True}
        self.faults = Faults(config.faults)
        self.memory = Memory(config.memory_base, config.memory_bytes)
        self._clocks = Clocks(config.arch == "armv7l", config.pll_mhz, config.crystal_mhz)
        self._simulation: Simulation | None = None
        self._foreign = False  # what was configured says that it is another build
        self._dma = Dma(
            self._configured,
            self.memory,
            self.faults,
            length_bits=config.length_bits,
            address_bits=config.address_bits,
            data_bytes=config.axi_bits // 8,
            quiet_cycles=config.quiet_cycles,
        )
        self._lock = threading.RLock()  # a benchmark's other threads may look at registers, too

    @property
    def pl_mhz(self) -> float:
        """The accelerator's clock in MHz, by the registers and the true crystal."""
        return self._clocks.mhz

    @property
    def cycle(self) -> int:
        """Clock cycles that the accelerator has run since it was configured."""
        return self._configured().cycle

    # -- configuration

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """pynq's view of the .hwh beside a bitstream. Raises RuntimeError without one, as a real device does."""
        from pynqmetadata.frontends import Metadata

        try:
            from pynqmetadata.views.runtime import RuntimeMetadataParser
        except ImportError:  # pynq 3.0
            from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser

        hwh = Path(bitfile_name).with_suffix(".hwh")
        if partial or not hwh.is_file():
            raise RuntimeError("Unable to find metadata for bitstream")
        return RuntimeMetadataParser(Metadata(input=hwh))

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing: the board's cache of metadata would outlive the process."""

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Configure the accelerator anew. Raises RuntimeError for a file that is no bitstream of this board."""
        with open(bitstream.bitfile_name, encoding="utf-8", errors="replace") as file:
            first = file.readline().rstrip("\n")
        if first != f"{BITSTREAM} {self.config.build_id}":
            raise RuntimeError(
                f"{bitstream.bitfile_name} is not the emulated bitstream of build {self.config.build_id}: start the "
                "emulated board with `hlsgen emulate` on the build that it belongs to."
            )
        with self._lock:
            if self._simulation is not None:
                self._simulation.close()
            config = self.config
            self._simulation = Simulation(config.library, config.memories, config.seed, config.gaps, config.stalls)
            self._foreign = self.faults.comes(Fault.WRONG_BUILD_ID)
            self._dma.reset()
        self.post_download(bitstream, parser, self.name)

    def _configured(self) -> Simulation:
        if self._simulation is None:
            raise BusError("no bitstream is loaded")
        return self._simulation

    # -- registers

    def mmap(self, base_addr: int, length: int) -> Any:
        """An array of the 32-bit registers from physical address ``base_addr`` on, ``length`` bytes."""
        import pynq._3rdparty.tinynumpy as tinynumpy
        from pynq.mmio import _AccessHook

        return tinynumpy.ndarray(shape=(length // 4,), dtype="u4", hook=_AccessHook(base_addr, self))

    def read_registers(self, address: int, length: int) -> bytes:
        """``length`` bytes from physical ``address`` on. Raises BusError where nothing answers."""
        with self._lock:
            words = [self._read(address + offset) for offset in range(0, length, 4)]
        return b"".join(word.to_bytes(4, "little") for word in words)

    def write_registers(self, address: int, data: Any) -> None:
        """Write bytes from physical ``address`` on. Raises BusError where nothing answers."""
        values = bytes(data)
        with self._lock:
            for offset in range(0, len(values), 4):
                self._write(address + offset, int.from_bytes(values[offset : offset + 4], "little"))

    def _read(self, address: int) -> int:
        if self._clocks.holds(address):
            return self._clocks.read(address)
        simulation = self._configured()
        if (offset := self._offset(address, self.config.dma)) is not None:
            return self._dma.read(offset)
        if (offset := self._offset(address, self.config.accelerator)) is not None:
            self._pass_time(simulation)
            offset %= self.config.register_bytes
            value = simulation.read(offset)
            self._dma.collect()
            return value ^ 0xFFFF_FFFF if self._foreign and offset in BUILD_ID_OFFSETS else value
        raise BusError(f"nothing answers at physical address {address:#x}")

    def _write(self, address: int, value: int) -> None:
        if self._clocks.holds(address):
            return self._clocks.write(address, value)
        simulation = self._configured()
        if (offset := self._offset(address, self.config.dma)) is not None:
            return self._dma.write(offset, value)
        if (offset := self._offset(address, self.config.accelerator)) is not None:
            self._pass_time(simulation)
            simulation.write(offset % self.config.register_bytes, value)
            return self._dma.collect()
        raise BusError(f"nothing answers at physical address {address:#x}")

    def _offset(self, address: int, base: int) -> int | None:
        return address - base if base <= address < base + self.config.segment_bytes else None

    def _pass_time(self, simulation: Simulation) -> None:
        if self._dma.busy:
            simulation.run(ACCESS_CYCLES)

    # -- buffers

    def allocate(self, shape: Any, dtype: Any = "u4", cacheable: int = 0, **ignored: Any) -> Any:
        """A buffer. Raises RuntimeError as pynq does: when there is no room for it, or no overlay."""
        if not hasattr(self, "mem_dict"):
            raise RuntimeError("Overlay is not downloaded")
        elements = math.prod(shape) if isinstance(shape, (tuple, list)) else int(shape)
        size = max(elements * np.dtype(dtype).itemsize, SMALLEST)
        with self._lock:
            try:
                block = self.memory.allocate(size)
            except MemoryError as error:
                raise RuntimeError(f"BO allocation failed: {error}") from error
        address = self.memory.base + block.offset
        return _buffer_class()(
            shape, dtype, buffer=block.cpu, bo=block, device=self, device_address=address, coherent=False
        )

    def flush(self, bo: Block, offset: int, vaddr: int, nbytes: int) -> None:
        """Make DRAM what the CPU sees."""
        self.memory.flush(bo, *_synced(bo, offset, nbytes))

    def invalidate(self, bo: Block, offset: int, vaddr: int, nbytes: int) -> None:
        """Make the CPU see what DRAM holds."""
        self.memory.invalidate(bo, *_synced(bo, offset, nbytes))


def _synced(block: Block, offset: int, size: int) -> tuple[int, int]:
    """The bytes, and how many, that pynq synchronizes: since version 3.1 the whole buffer, of which it knows a part."""
    return (offset, size) if _version() < (3, 1) else (0, block.bytes)


def _version() -> tuple[int, int]:
    major, minor = pynq.__version__.split(".")[:2]
    return int(major), int(minor)


@cache
def _buffer_class() -> Any:
    """Made late: pynq has not got its own yet when it looks for devices."""
    from pynq.buffer import PynqBuffer

    class EmulatedBuffer(PynqBuffer):  # type: ignore[misc]  # pynq has no types
        """A buffer whose memory is free when nothing refers to it any more, or when ``freebuffer`` is called."""

        def __del__(self) -> None:
            """Nothing: the memory knows when its last view is gone."""

        def freebuffer(self) -> None:
            self.bo.release()

    return EmulatedBuffer


def activate(config: Config) -> EmulatedDevice:
    """Make a new emulated board the one that pynq uses from now on. Raises ValueError for a fault that is none."""
    device = EmulatedDevice(config)
    Device.active_device = device
    clocks = pynq.Clocks
    if hasattr(clocks, "_real_instance"):  # pynq remembers the first board's
        del clocks._real_instance
    if hasattr(clocks, "set_device"):
        clocks.set_device(device)
    else:  # pynq 3.0 asks the processor at hand
        pynq.ps.CPU_ARCH = config.arch
    return device
