"""Checks that run in the board's environment, all in one process: ``python on_board.py DESCRIPTION DATA RESULTS``.

The current folder is an emulated board's. DATA (.npz): ``x``, the model's input; ``y``, its output by the golden model;
``words``, what enters the accelerator for ``x``; ``leaving``, what leaves it (images, bytes). RESULTS (.json): the
traceback of each check, empty where it passed. Each check has a board of its own, as after a boot.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

SHORT = 0.2
"""Seconds that the driver grants a transfer that will not end."""

MM2S, S2MM = 0x00, 0x30
CONTROL, STATUS, ADDRESS, ADDRESS_MSB, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET, IDLE, HALTED = 1, 4, 2, 1
INTERNAL, SLAVE, DECODE, COMPLETE, FAILED = 1 << 4, 1 << 5, 1 << 6, 1 << 12, 1 << 14


@dataclass(frozen=True)
class Data:
    """What a check works with. ``config``: a ``hlsgen.board_emulator.config.Config``."""

    config: Any
    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    words: Bytes
    leaving: Bytes

    def boot(self, **changes: Any) -> Any:
        """A fresh board; with ``changes`` to its description."""
        from hlsgen.board_emulator.device import activate

        return activate(replace(self.config, **changes))

    def driver(self, **options: Any) -> Any:
        """The shipped driver's accelerator."""
        return shipped().Accelerator("accel.bit", **options)

    def overlay(self, bitstream: str = "accel.bit") -> Any:
        """The overlay, loaded without the driver."""
        import pynq

        overlay = pynq.Overlay(bitstream, download=False)
        for clock in overlay.clock_dict.values():
            if "frequency" in clock and clock["frequency"] is None:  # pynq 4.0 on a Zynq-7000
                clock["frequency"] = 100.0
        overlay.download()
        return overlay


def shipped() -> Any:
    """The module driver.py in the current folder."""
    import importlib

    return importlib.import_module("driver")


def expect(kind: type[Exception], call: Callable[[], object], *texts: str) -> None:
    """``call`` raises ``kind`` with all of ``texts`` in its message."""
    message = ""
    try:
        call()
    except kind as error:
        message = str(error)
    assert message, f"no {kind.__name__}"
    assert [text for text in texts if text not in message] == [], message


def equal(found: Any, expected: npt.NDArray[Any]) -> None:
    """Every element, and not one more."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.array_equal(found, expected), f"{np.count_nonzero(found != expected)} of {expected.size} differ"


# -- the driver


def check_batches_of_different_size(data: Data) -> None:
    data.boot()
    with data.driver() as accelerator:
        for images in (1, 5, len(data.x)):
            equal(accelerator.predict(data.x[:images]), data.y[:images])
            equal(accelerator.run_words(data.words[:images]), data.leaving[:images])


def check_split_batches(data: Data) -> None:
    data.boot()
    with data.driver(images_per_transfer=3) as accelerator:
        equal(accelerator.predict(data.x), data.y)


def check_gaps_and_stalls_change_only_the_time(data: Data) -> None:
    cycles = []
    for share in (0.0, 0.995):
        device = data.boot(gaps=share, stalls=share, seed=7)
        with data.driver() as accelerator:
            equal(accelerator.run_words(data.words[:4]), data.leaving[:4])
        cycles.append(device.cycle)
    assert cycles[0] < cycles[1], cycles


def check_cycles_are_those_that_the_plan_predicts(data: Data) -> None:
    data.boot()
    with data.driver() as accelerator:
        timing = accelerator.manifest["predicted"]["timing"]
        for images in (1, len(data.words)):
            accelerator.run_words(data.words[:images])
            overlay = accelerator._overlay
            cycles = overlay.accel_0.read(0x10) | overlay.accel_0.read(0x14) << 32
            predicted = timing["latency_cycles"] + (images - 1) * timing["interval_cycles"]
            assert abs(cycles - predicted) <= 0.01 * predicted, (images, cycles, predicted)


def check_each_fault_is_reported_and_recovered_from(data: Data) -> None:
    from hlsgen.board_emulator.faults import Fault

    driver = shipped()
    device = data.boot()
    expected: dict[Fault, tuple[type[Exception], tuple[str, ...]]] = {
        Fault.NO_TLAST: (driver.DmaTimeoutError, ("not ended", "delivered everything, but no TLAST")),
        Fault.SHORT_TRANSFER: (driver.DmaError, ("images in and gave",)),
        Fault.SEND_SLAVE_ERROR: (driver.DmaError, ("sending", "slave")),
        Fault.SEND_DECODE_ERROR: (driver.DmaError, ("sending", "decode")),
        Fault.RECEIVE_SLAVE_ERROR: (driver.DmaError, ("receiving", "slave")),
        Fault.RECEIVE_DECODE_ERROR: (driver.DmaError, ("receiving", "decode")),
    }
    assert set(expected) == set(Fault) - {Fault.WRONG_BUILD_ID}
    with data.driver(timeout=SHORT) as accelerator:
        for fault, (kind, texts) in expected.items():
            device.faults.inject(fault)
            expect(kind, lambda: accelerator.predict(data.x), *texts)
            equal(accelerator.predict(data.x[:3]), data.y[:3])
            equal(accelerator.predict(data.x), data.y)


def check_a_fault_that_stays_is_reported_every_time(data: Data) -> None:
    driver = shipped()
    device = data.boot(faults=("short-transfer:always", "receive-slave-error"))
    with data.driver(timeout=SHORT) as accelerator:
        for _ in range(3):
            expect(driver.DmaError, lambda: accelerator.predict(data.x))
        device.faults.clear()
        equal(accelerator.predict(data.x), data.y)


def check_another_build_is_refused(data: Data) -> None:
    driver = shipped()
    data.boot(faults=("wrong-build-id",))
    expect(driver.BuildMismatchError, data.driver, data.config.build_id)
    equal(data.driver().predict(data.x[:1]), data.y[:1])  # loaded anew, it is the right one
    data.boot(build_id="0123456789abcdef")
    expect(driver.SetupError, data.driver, "0123456789abcdef")


def check_no_room_for_buffers(data: Data) -> None:
    driver = shipped()
    device = data.boot(memory_bytes=1 << 16)
    accelerator = data.driver(images_per_transfer=1 << 16)
    many = np.repeat(data.words[:1], (1 << 16) // data.words.shape[1] + 1, axis=0)
    expect(driver.AllocationError, lambda: accelerator.run_words(many), "contiguous")
    equal(accelerator.run_words(data.words[:2]), data.leaving[:2])
    accelerator.close()
    assert device.memory.free == 1 << 16


def check_memory_does_not_grow(data: Data) -> None:
    device = data.boot()
    with data.driver() as accelerator:
        free = set()
        for _ in range(8):
            accelerator.run_words(data.words[:8])
            free.add(device.memory.free)
        assert len(free) == 1, free


def check_the_clock(data: Data) -> None:
    import pynq

    device = data.boot()
    with data.driver() as accelerator:
        built = accelerator.manifest["clock"]["mhz"]
        assert abs(device.pl_mhz - built) < 1e-3 * built, (device.pl_mhz, built)
        assert abs(accelerator.clock_mhz - built) < 1e-3 * built
    for divider in (5, 8, 20):
        pynq.Clocks.fclk0_mhz = data.config.pll_mhz / divider
        read = pynq.Clocks.fclk0_mhz
        assert abs(read - data.config.pll_mhz / divider) < 1e-3 * read
        assert abs(device.pl_mhz - data.config.pll_mhz / divider) < 1e-9


def check_a_crystal_that_pynq_does_not_know(data: Data) -> None:
    """pynq takes 50 MHz for granted on a Zynq-7000: what it sets and reads is off by the ratio."""
    import pynq

    if data.config.arch != "armv7l":
        return
    device = data.boot(crystal_mhz=100 / 3)
    pynq.Clocks.fclk0_mhz = 100.0
    assert abs(device.pl_mhz - 200 / 3) < 1e-6, device.pl_mhz


def check_a_board_that_boots_does_not_have_the_clock(data: Data) -> None:
    device = data.boot()
    assert device.pl_mhz == data.config.pll_mhz / 40


# -- what pynq offers


def check_names_and_registers(data: Data) -> None:
    import pynq
    from pynq.lib.dma import DMA

    data.boot()
    overlay = data.overlay()
    assert isinstance(overlay.axi_dma_0, DMA)
    assert overlay.axi_dma_0.buffer_max_size == (1 << 26) - 1
    registers = overlay.accel_0.register_map
    assert int(registers.MAGIC) == 0x484C5347
    assert f"{int(registers.ID_0):08x}{int(registers.ID_1):08x}" == data.config.build_id
    assert registers.CONTROL.RESET == 0
    registers.CONTROL.RESET = 1
    assert registers.ERRORS.TLAST == 0
    assert overlay.ip_dict["accel_0"]["type"] == "hlsgen:ip:accel:1.0"
    assert pynq.Device.active_device.name == data.config.name


def check_data_that_is_not_flushed_does_not_arrive(data: Data) -> None:
    import pynq

    data.boot()
    dma = data.overlay().axi_dma_0
    send, receive = (pynq.allocate(array.shape, np.uint8) for array in (data.words, data.leaving))
    seen_by_cpu = np.array(send)
    send.invalidate()
    assert seen_by_cpu.any(), "fresh memory is zero"
    assert np.any(send), "fresh memory is zero"
    assert not np.array_equal(send, seen_by_cpu), "the CPU sees what DRAM holds"
    send[:] = data.words
    _pass(dma, send, receive)
    receive.invalidate()
    assert not np.array_equal(receive, data.leaving), "the words were never flushed"
    send.flush()
    receive[:] = 0
    _pass(dma, send, receive)
    assert not np.any(receive), "the memory was never invalidated"
    receive.invalidate()
    equal(np.asarray(receive), data.leaving)


def _pass(dma: Any, send: Any, receive: Any) -> None:
    """A transfer without pynq's own flushes."""
    for base, buffer in ((S2MM, receive), (MM2S, send)):
        _start(dma, base, buffer.physical_address, buffer.nbytes)
    assert dma.read(S2MM + STATUS) & IDLE


def _receiving(data: Data) -> tuple[Any, Any, Any, Any]:
    """The DMA, which waits for results, the accelerator, the buffer with the images and the one for the results."""
    import pynq

    data.boot()
    overlay = data.overlay()
    send, receive = (pynq.allocate(array.shape, np.uint8) for array in (data.words, data.leaving))
    send[:] = data.words
    send.flush()
    _start(overlay.axi_dma_0, S2MM, receive.physical_address, receive.nbytes)
    return overlay.axi_dma_0, overlay.accel_0, send, receive


def _start(dma: Any, base: int, address: int, length: int) -> None:
    dma.write(base + CONTROL, RUN)
    dma.write(base + ADDRESS, address & 0xFFFF_FFFF)
    dma.write(base + ADDRESS_MSB, address >> 32)
    dma.write(base + LENGTH, length)


def check_pynqs_own_waiting(data: Data) -> None:
    import pynq

    data.boot()
    dma = data.overlay().axi_dma_0
    send, receive = (pynq.allocate(array.shape, np.uint8) for array in (data.words, data.leaving))
    for _ in range(2):
        send[:], receive[:] = data.words, 0
        dma.recvchannel.transfer(receive)
        dma.sendchannel.transfer(send)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        equal(np.asarray(receive), data.leaving)
        assert dma.recvchannel.transferred == data.leaving.nbytes
    expect(RuntimeError, lambda: dma.sendchannel.transfer(send, start=1), "aligned")


def check_buffers(data: Data) -> None:
    import pynq

    device = data.boot(memory_bytes=1 << 20)
    expect(RuntimeError, lambda: pynq.allocate(16), "Overlay is not downloaded")
    overlay = data.overlay()
    free = device.memory.free
    buffer = pynq.allocate((3, 1000), np.float32)
    assert (buffer.shape, buffer.dtype) == ((3, 1000), np.float32)
    assert buffer.physical_address % 4096 == 0
    assert buffer[1:].physical_address == buffer.physical_address + 4000
    if data.config.arch == "aarch64":
        assert buffer.physical_address >= 1 << 32
    part = buffer[1:2]
    del buffer
    assert device.memory.free < free
    del part
    assert device.memory.free == free
    with pynq.allocate(100, "u1"):
        assert device.memory.free == free - 8192
    assert device.memory.free == free
    whole = pynq.allocate(free, "u1")
    expect(RuntimeError, lambda: pynq.allocate(1, "u1"), "BO allocation failed")
    whole.freebuffer()
    whole.freebuffer()
    pynq.allocate(free, "u1")
    assert overlay.is_loaded()


def check_what_is_not_there_does_not_answer(data: Data) -> None:
    import pynq

    from hlsgen.board_emulator.simulation import BusError

    data.boot()
    expect(BusError, lambda: pynq.MMIO(data.config.accelerator, 16).read(0), "no bitstream")
    overlay = data.overlay()
    assert overlay.accel_0.read(0) == 0x484C5347
    assert overlay.accel_0.read(0x1000) == 0x484C5347  # only 12 bits of the address reach the accelerator
    expect(BusError, lambda: pynq.MMIO(data.config.dma + 0x10000, 16).read(0), "nothing answers")
    expect(BusError, lambda: pynq.MMIO(0x1000, 16).write(0, 1), "nothing answers")


def check_files_that_are_no_bitstream(data: Data) -> None:
    data.boot()
    text = Path("accel.hwh").read_text()
    for name in ("foreign", "lonely"):
        Path(f"{name}.bit").write_bytes(b"\0\x09\x0f\xf0")
    Path("foreign.hwh").write_text(text)
    expect(RuntimeError, lambda: data.overlay("foreign.bit"), "hlsgen emulate")
    expect(RuntimeError, lambda: data.overlay("lonely.bit"), "metadata")


# -- the DMA's registers (PG021)


def check_dma_after_reset(data: Data) -> None:
    data.boot()
    dma = data.overlay().axi_dma_0
    dma.write(MM2S + CONTROL, RUN | 1 << 12)
    dma.write(S2MM + ADDRESS, 0x1000)
    dma.write(S2MM + CONTROL, RESET)  # of either channel: both are reset
    assert dma.read(MM2S + CONTROL) & RESET, "a reset takes a while"
    while dma.read(MM2S + CONTROL) & RESET:
        pass
    for base in (MM2S, S2MM):
        assert dma.read(base + CONTROL) == 0x10002
        assert dma.read(base + STATUS) == HALTED
        assert dma.read(base + ADDRESS) == dma.read(base + LENGTH) == 0


def check_dma_ignores_a_length_when_halted(data: Data) -> None:
    import pynq

    device = data.boot()
    dma = data.overlay().axi_dma_0
    receive = pynq.allocate(data.leaving.shape, np.uint8)
    dma.write(S2MM + CONTROL, 0)
    assert dma.read(S2MM + STATUS) & HALTED
    dma.write(S2MM + ADDRESS, receive.physical_address & 0xFFFF_FFFF)
    dma.write(S2MM + LENGTH, receive.nbytes)
    cycle = device.cycle
    assert dma.read(S2MM + STATUS) == HALTED
    assert dma.read(S2MM + LENGTH) == 0
    dma.write(S2MM + CONTROL, RUN)
    assert dma.read(S2MM + STATUS) == 0  # neither halted nor idle: nothing has been transferred yet
    assert device.cycle == cycle, "no time passes without work"


def check_dma_status_of_a_transfer(data: Data) -> None:
    import pynq

    data.boot()
    dma = data.overlay().axi_dma_0
    send = pynq.allocate(data.words.shape, np.uint8)
    receive = pynq.allocate(2 * data.leaving.size, np.uint8)  # more room than needed: TLAST ends the transfer
    send[:] = data.words
    send.flush()
    _start(dma, S2MM, receive.physical_address, receive.nbytes)
    assert dma.read(S2MM + STATUS) == 0, "nothing comes before anything is sent"
    assert dma.read(S2MM + STATUS) == 0
    _start(dma, MM2S, send.physical_address, send.nbytes)
    assert dma.read(MM2S + STATUS) == IDLE | COMPLETE
    assert dma.read(S2MM + STATUS) == IDLE | COMPLETE
    dma.write(S2MM + STATUS, COMPLETE)
    assert dma.read(S2MM + STATUS) == IDLE
    assert dma.read(MM2S + STATUS) == IDLE | COMPLETE
    assert dma.read(S2MM + LENGTH) == data.leaving.nbytes
    assert dma.read(MM2S + LENGTH) == data.words.nbytes
    receive.invalidate()
    equal(np.asarray(receive)[: data.leaving.size], data.leaving.ravel())
    dma.write(S2MM + CONTROL, 0)
    assert dma.read(S2MM + STATUS) == IDLE | HALTED


def check_dma_stops_when_the_packet_is_longer_than_the_length(data: Data) -> None:
    import pynq

    data.boot()
    overlay = data.overlay()
    dma = overlay.axi_dma_0
    send, receive = (pynq.allocate(array.shape, np.uint8) for array in (data.words, data.leaving))
    send[:], receive[:] = data.words, 0
    send.flush()
    receive.flush()
    length = data.leaving.nbytes // 2
    _start(dma, S2MM, receive.physical_address, length)
    _start(dma, MM2S, send.physical_address, send.nbytes)
    assert dma.read(S2MM + STATUS) == INTERNAL | FAILED | HALTED
    assert not dma.read(S2MM + CONTROL) & RUN, "hardware stops the channel"
    receive.invalidate()
    equal(np.asarray(receive).ravel()[:length], data.leaving.ravel()[:length])
    assert not np.any(np.asarray(receive).ravel()[length:]), "nothing is written beyond"
    assert not dma.read(MM2S + STATUS) & HALTED, "the other channel waits"
    expect(RuntimeError, lambda: dma.recvchannel.transfer(receive), "not started")


def check_dma_addresses(data: Data) -> None:
    import pynq

    from hlsgen.board_emulator.dma import Misuse

    data.boot()
    dma = data.overlay().axi_dma_0
    buffer = pynq.allocate(4096, np.uint8)
    beyond = data.config.memory_base + data.config.memory_bytes

    def status(address: int, length: int) -> int:
        dma.write(MM2S + CONTROL, RESET)
        while dma.read(MM2S + CONTROL) & RESET:
            pass
        _start(dma, S2MM, address, length)
        return int(dma.read(S2MM + STATUS))

    assert status(beyond, 64) == DECODE | FAILED | HALTED
    assert status(beyond - 32, 64) == DECODE | FAILED | HALTED
    assert status(data.config.memory_base - 64, 64) == DECODE | FAILED | HALTED
    assert status(beyond - 64, 64) == 0
    assert status(buffer.physical_address, 1 << 26) == INTERNAL | FAILED | HALTED, "26 bits of the length, all zero"
    assert status(buffer.physical_address, (1 << 26) + 64) == 0
    assert dma.read(S2MM + LENGTH) == 64
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert status(buffer.physical_address + 4, 64) == INTERNAL | FAILED | HALTED
    assert [entry.category for entry in caught] == [Misuse]
    high = dma.read(S2MM + ADDRESS_MSB)
    assert high == (buffer.physical_address >> 32 if data.config.address_bits > 32 else 0)


def check_dma_warns_of_a_second_length(data: Data) -> None:
    import pynq

    from hlsgen.board_emulator.dma import Misuse

    data.boot()
    dma = data.overlay().axi_dma_0
    receive = pynq.allocate(data.leaving.shape, np.uint8)
    _start(dma, S2MM, receive.physical_address, receive.nbytes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dma.write(S2MM + LENGTH, 8)
    assert [entry.category for entry in caught] == [Misuse]
    assert dma.read(S2MM + LENGTH) == receive.nbytes


def check_a_batch_that_ends_inside_an_image(data: Data) -> None:
    """MM2S sets TLAST on the last word of what is sent, whatever that is; a soft reset helps."""
    dma, control, send, receive = _receiving(data)
    _start(dma, MM2S, send.physical_address, send.shape[1] + 3)  # and its last word holds 3 bytes only
    assert dma.read(MM2S + STATUS) & IDLE
    assert not dma.read(S2MM + STATUS) & IDLE
    assert control.register_map.ERRORS.TLAST == 1
    dma.write(MM2S + CONTROL, RESET)
    control.write(0x0C, 2)
    while control.read(0x0C):
        pass
    assert control.register_map.ERRORS.TLAST == 0
    _pass(dma, send, receive)
    receive.invalidate()
    equal(np.asarray(receive), data.leaving)


def check_counters_go_on_while_others_look(data: Data) -> None:
    """A driver that looks at the accelerator instead of the DMA sees images come out, and another thread may look."""
    dma, control, send, _receive = _receiving(data)
    _start(dma, MM2S, send.physical_address, send.nbytes)
    seen: list[int] = []

    def look() -> None:
        while not seen or seen[-1] < len(data.words):
            seen.append(control.read(0x1C))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert max(seen) == len(data.words)
    assert len(set(seen)) > 2, seen
    assert dma.read(S2MM + STATUS) & IDLE


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}


def main(description: str, file: str, results: str) -> None:
    """Run all checks."""
    from hlsgen.board_emulator.config import Config

    sys.path.insert(0, ".")
    with np.load(file) as arrays:
        data = Data(Config.read(description), **{name: arrays[name] for name in ("x", "y", "words", "leaving")})
    outcome, seconds = {}, {}
    for name, check in CHECKS.items():
        started = time.perf_counter()
        try:
            check(data)
            outcome[name] = ""
        except Exception:
            outcome[name] = traceback.format_exc()
        seconds[name] = round(time.perf_counter() - started, 3)
    Path(results).write_text(json.dumps({"checks": outcome, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
