"""What goes wrong on demand, once or always."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

ALWAYS = "always"


class Fault(Enum):
    """A fault of hardware.

    In a transfer: the accelerator's TLAST is lost; it comes after half of the words; half of the data has gone through
    when memory refuses (slave error) or does not know the address (decode error), while the DMA reads (send) or writes
    (receive). In the registers: the build id is that of another build.
    """

    NO_TLAST = "no-tlast"
    SHORT_TRANSFER = "short-transfer"
    SEND_SLAVE_ERROR = "send-slave-error"
    SEND_DECODE_ERROR = "send-decode-error"
    RECEIVE_SLAVE_ERROR = "receive-slave-error"
    RECEIVE_DECODE_ERROR = "receive-decode-error"
    WRONG_BUILD_ID = "wrong-build-id"


class Faults:
    """The faults that are to come."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """``names``: of faults; one with ":always" behind it does not go away. Raises ValueError for another name."""
        self._once: list[Fault] = []
        self._always: set[Fault] = set()
        for name in names:
            kind, _, often = name.partition(":")
            if often not in ("", ALWAYS):
                raise ValueError(f"fault {name!r}: a fault comes once, or with :{ALWAYS} every time")
            self.inject(Fault(kind), always=often == ALWAYS)

    def inject(self, fault: Fault, always: bool = False) -> None:
        """Let ``fault`` come at the next occasion, or at all of them."""
        if always:
            self._always.add(fault)
        else:
            self._once.append(fault)

    def clear(self) -> None:
        """No more faults."""
        self._once.clear()
        self._always.clear()

    def comes(self, fault: Fault) -> bool:
        """Whether it comes now, this being an occasion for it."""
        if fault in self._once:
            self._once.remove(fault)
            return True
        return fault in self._always
