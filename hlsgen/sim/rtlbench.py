"""Drives the Verilated accelerator: what runs inside the simulator (cocotb), started by ``sim/rtlsim.py``.

Reads ``orders.json`` and ``words.bin`` (the AXI words, as bytes) in the current folder and writes ``outcome.json``.
What passed on the streams is written by the probes in templates/rtl/sim; here are only the boundary's drivers.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import SimTimeoutError, Timer, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

CYCLE = 10
"""Nanoseconds; the same number is in templates/rtl/sim/probes.sv."""

STEP = 50
"""Cycles between two looks at whether all is done."""

SETTLED = 500
"""Cycles without a beat after which no more are waited for, when none is due."""

ANSWER = 10_000
"""Cycles that an access to a register may take, however many of them the master pauses."""

CONTROL = 0x0C
CLEAR_COUNTERS, SOFT_RESET = 1, 2
LAST_REGISTER = 0x20


class StuckError(Exception):
    """Nothing moves any more, or it takes too long."""


class Bench:
    """Clock, reset and the three interfaces of ``accel``."""

    def __init__(self, dut: Any, orders: dict[str, Any]) -> None:
        self.dut = dut
        self.orders = orders
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.ap_clk)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.ap_clk)
        bus = AxiLiteBus.from_prefix(dut, "s_axi_control")
        self.control = AxiLiteMaster(bus, dut.ap_clk, dut.ap_rst_n, reset_active_level=False)
        self.sent = 0
        self.received: list[tuple[int, int]] = []
        self.registers: list[list[int]] = []
        self.skipped: list[list[int]] = []

    async def start(self) -> None:
        self.dut.ap_rst_n.value = 0
        Clock(self.dut.ap_clk, CYCLE, unit="ns").start()
        await cycles(10)
        self.dut.ap_rst_n.value = 1
        await cycles(40)  # the core's reset takes longer
        seed = self.orders["seed"]
        write, read = self.control.write_if, self.control.read_if
        pauses = {
            "gaps": [self.source, write.aw_channel, write.w_channel, read.ar_channel],
            "stalls": [self.sink, write.b_channel, read.r_channel],
        }
        for kind, channels in pauses.items():
            for index, channel in enumerate(channels if self.orders[kind] else []):
                channel.set_pause_generator(chances(self.orders[kind], f"{kind} {index} {seed}"))
        cocotb.start_soon(self._receive())

    async def _receive(self) -> None:
        while True:
            frame = await self.sink.recv()  # without the bytes that TKEEP takes out
            self.received.append((len(frame.tdata), zlib.crc32(bytes(frame.tdata))))

    async def carry_out(self) -> None:
        """All orders, one after the other; batches are sent without waiting for those before."""
        words = Path("words.bin").read_bytes()
        for kind, value, address in self.orders["session"]:
            if kind == "batch":
                data, words = words[:value], words[value:]
                self.source.send_nowait(AxiStreamFrame(data))
                self.sent += 1
                continue
            await self.finish()
            if kind == "truncated":
                self.skipped.append([now(), 1 << 31])
                await self.source.send(AxiStreamFrame(words[:value]))
                await self.settle()
                words = words[self.orders["image_bytes"] :]
            elif kind == "soft_reset":
                await self.write(CONTROL, SOFT_RESET)
                self.sink.assert_reset(True)  # what was received of a batch is gone, as with a DMA that is reset
                await cycles(40)
                self.sink.assert_reset(False)
                for span in self.skipped:
                    span[1] = min(span[1], now())
            elif kind == "clear_counters":
                await self.write(CONTROL, CLEAR_COUNTERS)
            elif kind == "write":
                await self.write(address, value)
            elif kind == "read_registers":
                self.registers.append([await self.read(a) for a in range(0, LAST_REGISTER + 1, 4)])
            else:
                raise ValueError(f"unknown order {kind}")
        await self.finish()
        await self.settle()

    async def write(self, address: int, value: int) -> None:
        await answered(self.control.write_dword(address, value))
        await cycles(4)

    async def read(self, address: int) -> int:
        return int(await answered(self.control.read_dword(address)))

    async def finish(self) -> None:
        """Wait until all batches sent have come back."""
        while len(self.received) < self.sent:
            await cycles(STEP)
            self.check()

    async def settle(self) -> None:
        """Wait until nothing moves any more that moves by itself."""
        begin = now()
        while min(self.quiet(), now() - begin) < SETTLED:
            await cycles(STEP)
            if now() > self.orders["cycle_limit"]:
                raise StuckError(f"words still pass after {now():,} cycles")

    def check(self) -> None:
        if self.quiet() >= self.orders["quiet_limit"]:
            raise StuckError(f"nothing has moved for {self.quiet():,} cycles")
        if now() > self.orders["cycle_limit"]:
            raise StuckError(f"not finished after {now():,} cycles")

    def quiet(self) -> int:
        """Cycles since a beat was written or read anywhere."""
        return int(self.dut.watchdog.quiet.value)


def now() -> int:
    """The clock cycle."""
    return int(get_sim_time("ns")) // CYCLE


async def cycles(count: int) -> None:
    """Wait; cheaper than counting the clock's edges."""
    await Timer(count * CYCLE, unit="ns")


async def answered(access: Coroutine[Any, Any, Any]) -> Any:
    """The result of an access to a register, if it ever comes."""
    try:
        return await with_timeout(access, ANSWER * CYCLE, "ns")
    except SimTimeoutError:
        raise StuckError(f"an access to a register was not answered in {ANSWER:,} cycles") from None


def chances(probability: float, seed: str) -> Iterator[bool]:
    """For each cycle whether to pause, at random."""
    rng = random.Random(seed)
    while True:
        yield rng.random() < probability


@cocotb.test()
async def run(dut: Any) -> None:
    """The only test: carry out the orders."""
    bench = Bench(dut, json.loads(Path("orders.json").read_text(encoding="utf-8")))
    stuck = ""
    await bench.start()
    try:
        await bench.carry_out()
    except StuckError as problem:
        stuck = str(problem)
    outcome = {
        "stuck": stuck,
        "received": bench.received,
        "registers": bench.registers,
        "skipped": bench.skipped,
    }
    Path("outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
