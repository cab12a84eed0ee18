"""The Verilated accelerator: a shared library made of the build's SystemVerilog and templates/rtl/sim/board.cpp."""

from __future__ import annotations

import ctypes
from enum import Enum, IntEnum

NEVER = 2**64 - 1
"""As a number of bytes: more than will ever move."""


class Direction(Enum):
    """Of a transfer, as the library numbers them; the value's bit in ``run``'s ``awaited``."""

    SEND = 0
    RECEIVE = 1


class State(IntEnum):
    """Of a transfer. OVERFLOW: the packet does not fit the memory for it. FAILED: ``fails_after`` bytes have moved."""

    IDLE = 0
    ACTIVE = 1
    DONE = 2
    OVERFLOW = 3
    FAILED = 4


class BusError(RuntimeError):
    """An access that nothing answers. On a board the process ends with SIGBUS, or the board hangs."""


class Simulation:
    """An accelerator just after configuration and reset.

    Addresses of memory are the process' own; what lies there must stay until a transfer is over.
    """

    def __init__(self, library: str, memories: str, seed: int = 0, gaps: float = 0.0, stalls: float = 0.0) -> None:
        """``library``, ``memories``, ``gaps``, ``stalls``, ``seed`` as in Config. Raises OSError without them."""
        self._library = _load(library)
        self._handle = self._library.hlsgen_create(memories.encode(), seed, gaps, stalls)
        if not self._handle:
            raise FileNotFoundError(f"the folder {memories} of the accelerator's memories cannot be entered")

    def close(self) -> None:
        """Free it; it must not be used any more."""
        if self._handle:
            self._library.hlsgen_destroy(self._handle)
            self._handle = None

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self.close()

    def send(self, address: int, length: int, fails_after: int = NEVER) -> None:
        """Begin to send ``length`` bytes at ``address``, TLAST on the last word."""
        self._library.hlsgen_send(self._handle, address, length, fails_after)

    def receive(
        self,
        address: int,
        length: int,
        fails_after: int = NEVER,
        last_after: int = NEVER,
        ignore_last: bool = False,
    ) -> None:
        """Begin to receive at most ``length`` bytes to ``address``, up to TLAST.

        After ``last_after`` bytes TLAST is seen though it is not there; with ``ignore_last`` it never is.
        """
        self._library.hlsgen_receive(self._handle, address, length, fails_after, last_after, ignore_last)

    def stop(self) -> None:
        """Drop both transfers."""
        self._library.hlsgen_stop(self._handle)

    def state(self, direction: Direction) -> tuple[State, int]:
        """Of a transfer, and the bytes it has moved."""
        moved = ctypes.c_uint64()
        state = self._library.hlsgen_state(self._handle, direction.value, ctypes.byref(moved))
        return State(state), moved.value

    def run(self, cycles: int, quiet: int = NEVER, awaited: Direction | None = None) -> int:
        """Let ``cycles`` pass, or fewer: until ``awaited`` ends or no word moves for ``quiet``. Returns how many."""
        bits = 0 if awaited is None else 1 << awaited.value
        return int(self._library.hlsgen_run(self._handle, cycles, quiet, bits))

    @property
    def cycle(self) -> int:
        """Clock cycles since the beginning, the reset included."""
        return int(self._library.hlsgen_cycle(self._handle))

    @property
    def quiet(self) -> int:
        """Cycles since the last word moved, or a transfer began."""
        return int(self._library.hlsgen_quiet(self._handle))

    def read(self, address: int) -> int:
        """The register at byte ``address``. Raises BusError when there is no answer, or not OKAY."""
        value = ctypes.c_uint32()
        self._answered(self._library.hlsgen_read(self._handle, address, ctypes.byref(value)), address)
        return value.value

    def write(self, address: int, value: int) -> None:
        """Write the register at byte ``address``. Raises BusError as ``read``."""
        self._answered(self._library.hlsgen_write(self._handle, address, value), address)

    def _answered(self, response: int, address: int) -> None:
        if response != 0:
            what = "does not answer" if response < 0 else f"answers with AXI response {response}"
            raise BusError(f"the accelerator {what} at register {address:#x}")


def _load(path: str) -> ctypes.CDLL:
    """The library with its functions' types. Raises OSError when it cannot be loaded."""
    library = ctypes.CDLL(path)
    handle, u64, u32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
    types = {
        "create": (handle, [ctypes.c_char_p, u64, ctypes.c_double, ctypes.c_double]),
        "destroy": (None, [handle]),
        "send": (None, [handle, handle, u64, u64]),
        "receive": (None, [handle, handle, u64, u64, u64, ctypes.c_int]),
        "stop": (None, [handle]),
        "state": (ctypes.c_int, [handle, ctypes.c_int, ctypes.POINTER(u64)]),
        "run": (u64, [handle, u64, u64, ctypes.c_int]),
        "cycle": (u64, [handle]),
        "quiet": (u64, [handle]),
        "read": (ctypes.c_int, [handle, u32, ctypes.POINTER(u32)]),
        "write": (ctypes.c_int, [handle, u32, u32]),
    }
    for name, (result, arguments) in types.items():
        function = getattr(library, f"hlsgen_{name}")
        function.restype, function.argtypes = result, arguments
    return library
