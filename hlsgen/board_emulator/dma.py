"""Registers of AMD's AXI DMA 7.1 in direct register mode without data realignment (PG021), over the simulation.

Time passes while a driver looks: reading the status of a channel at work lets the accelerator run until the channel has
finished, or until nothing moves any more; then the channel stays at work, as on a board.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from hlsgen.board_emulator.faults import Fault, Faults
from hlsgen.board_emulator.memory import Memory
from hlsgen.board_emulator.simulation import NEVER, Direction, Simulation, State

CONTROL, STATUS, ADDRESS, ADDRESS_MSB, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
"""Offsets from a channel's first register."""

RECEIVE_BASE = 0x30
"""First register of the channel that writes memory (S2MM)."""

RUN, RESET = 1 << 0, 1 << 2
CONTROL_AFTER_RESET = 0x0001_0002
WRITABLE = RUN | 1 << 3 | 1 << 12 | 1 << 14  # and Keyhole, IOC_IrqEn, Err_IrqEn

HALTED, IDLE = 1 << 0, 1 << 1
INTERNAL_ERROR, SLAVE_ERROR, DECODE_ERROR = 1 << 4, 1 << 5, 1 << 6
IOC, ERROR_INTERRUPT = 1 << 12, 1 << 14  # cleared by writing 1

RESET_READS = 2
"""How often a reset is seen to be under way."""

CHUNK_CYCLES = 10_000
"""Cycles after which Python looks up: an interrupt from the keyboard waits no longer."""

POLL_CYCLES = 100
"""Cycles that pass between two looks at a channel that is stuck."""

_ERRORS = {
    Direction.SEND: {Fault.SEND_SLAVE_ERROR: SLAVE_ERROR, Fault.SEND_DECODE_ERROR: DECODE_ERROR},
    Direction.RECEIVE: {Fault.RECEIVE_SLAVE_ERROR: SLAVE_ERROR, Fault.RECEIVE_DECODE_ERROR: DECODE_ERROR},
}


class Misuse(UserWarning):
    """A driver did what the DMA's guide leaves undefined."""


class _Channel:
    """One of the two, without the data it moves."""

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self.reset()

    def reset(self) -> None:
        self.control = CONTROL_AFTER_RESET
        self.flags = 0  # of the status: all but HALTED
        self.address = 0
        self.length = 0
        self.active = False
        self.failure = 0  # error bit of a failure to come

    @property
    def halted(self) -> bool:
        """A transfer that is under way is finished first."""
        return not self.control & RUN and not self.active

    @property
    def status(self) -> int:
        return self.flags | (HALTED if self.halted else 0)

    def fail(self, error: int) -> None:
        """Hardware clears RUN after an error; only a reset helps."""
        self.active = False
        self.flags |= error | ERROR_INTERRUPT
        self.control &= ~RUN

    def finish(self, moved: int) -> None:
        self.active = False
        self.flags |= IDLE | IOC
        if self.direction is Direction.RECEIVE:
            self.length = moved


class Dma:
    """Both channels. Addresses of registers are offsets from the DMA's first one."""

    def __init__(
        self,
        simulation: Callable[[], Simulation],
        memory: Memory,
        faults: Faults,
        *,
        length_bits: int,
        address_bits: int,
        data_bytes: int,
        quiet_cycles: int,
    ) -> None:
        """``simulation`` is asked for whenever needed, for a bitstream brings a new one; the rest as in Config."""
        self._simulation, self._memory, self._faults = simulation, memory, faults
        self._length_mask = (1 << length_bits) - 1
        self._address_bits, self._data_bytes, self._quiet = address_bits, data_bytes, quiet_cycles
        self._send, self._receive = _Channel(Direction.SEND), _Channel(Direction.RECEIVE)
        self._resetting = 0

    def reset(self) -> None:
        """As after configuration."""
        self._send.reset()
        self._receive.reset()
        self._resetting = 0

    def read(self, offset: int) -> int:
        """A register; 0 where there is none."""
        channel, register = self._find(offset)
        if register == CONTROL:
            if self._resetting:
                self._resetting -= 1
                return channel.control | RESET
            return channel.control
        if register == STATUS:
            self._advance(channel)
            return channel.status
        if register == LENGTH:
            self._advance(channel)
            return channel.length
        return {ADDRESS: channel.address & 0xFFFF_FFFF, ADDRESS_MSB: channel.address >> 32}.get(register, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        channel, register = self._find(offset)
        if register == CONTROL:
            if value & RESET:
                self._simulation().stop()
                self.reset()
                self._resetting = RESET_READS
            else:
                channel.control = channel.control & ~WRITABLE | value & WRITABLE
        elif register == STATUS:
            channel.flags &= ~(value & (IOC | ERROR_INTERRUPT))
        elif register == ADDRESS:
            channel.address = channel.address & ~0xFFFF_FFFF | value
        elif register == ADDRESS_MSB and self._address_bits > 32:
            high = value & (1 << self._address_bits - 32) - 1
            channel.address = high << 32 | channel.address & 0xFFFF_FFFF
        elif register == LENGTH:
            self._begin(channel, value & self._length_mask)

    @property
    def busy(self) -> bool:
        """Whether a transfer is under way."""
        return self._send.active or self._receive.active

    def collect(self) -> None:
        """Take note of what the simulation has finished."""
        for channel in (self._send, self._receive):
            if channel.active:
                state, moved = self._simulation().state(channel.direction)
                if state is State.DONE:
                    channel.finish(moved)
                elif state is State.OVERFLOW:
                    channel.fail(INTERNAL_ERROR)
                elif state is State.FAILED:
                    channel.fail(channel.failure)

    def _find(self, offset: int) -> tuple[_Channel, int]:
        return (self._receive, offset - RECEIVE_BASE) if offset >= RECEIVE_BASE else (self._send, offset)

    def _begin(self, channel: _Channel, length: int) -> None:
        """LENGTH was written: that starts a transfer, unless the channel is halted."""
        if not channel.control & RUN:
            return
        if channel.active:
            warnings.warn("the DMA's length was written while the channel is at work", Misuse, stacklevel=2)
            return
        channel.length = length
        channel.flags &= ~IDLE
        where = self._memory.address(channel.address, length)
        if channel.address % self._data_bytes:
            warnings.warn(f"address {channel.address:#x} is unaligned, the DMA cannot realign", Misuse, stacklevel=2)
            channel.fail(INTERNAL_ERROR)
        elif length == 0:
            channel.fail(INTERNAL_ERROR)
        elif where is None:
            channel.fail(DECODE_ERROR)
        else:
            channel.active = True
            self._start(channel, where, length)

    def _start(self, channel: _Channel, where: int, length: int) -> None:
        """Begin the transfer, with the faults that are to come."""
        half = max(length // self._data_bytes // 2, 1) * self._data_bytes
        fails_after = NEVER
        for fault, error in _ERRORS[channel.direction].items():
            if self._faults.comes(fault):
                fails_after, channel.failure = half, error
        if channel.direction is Direction.SEND:
            self._simulation().send(where, length, fails_after)
        else:
            last_after = half if self._faults.comes(Fault.SHORT_TRANSFER) else NEVER
            ignore_last = self._faults.comes(Fault.NO_TLAST)
            self._simulation().receive(where, length, fails_after, last_after, ignore_last)

    def _advance(self, channel: _Channel) -> None:
        """Let time pass while ``channel`` is at work, until it has finished or nothing moves."""
        simulation = self._simulation()
        if channel.active and simulation.quiet >= self._quiet:
            simulation.run(POLL_CYCLES)
            self.collect()
        while channel.active and simulation.quiet < self._quiet:
            simulation.run(CHUNK_CYCLES, self._quiet, channel.direction)
            self.collect()
