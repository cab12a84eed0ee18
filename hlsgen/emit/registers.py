"""The accelerator's registers, as a table: for the IP's description, hence the .hwh, hence pynq's ``register_map``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Access(Enum):
    """What a bus can do with a register or a field, in the words of IP-XACT."""

    READ = "read-only"
    WRITE = "write-only"
    BOTH = "read-write"


@dataclass(frozen=True)
class Field:
    """Some bits of a register: the lowest one, how many, and what they are."""

    name: str
    first: int
    bits: int
    access: Access
    description: str


@dataclass(frozen=True)
class Register:
    """A register of 32 bits at ``offset`` bytes, called as in ``ip_repo/registers.sv``."""

    name: str
    offset: int
    access: Access
    description: str
    fields: tuple[Field, ...] = ()

    @property
    def bits(self) -> int:
        """Width, that of the AXI4-Lite data."""
        return 32


REGISTERS = (
    Register("MAGIC", 0x00, Access.READ, "The text HLSG, H in the highest byte"),
    Register("ID_0", 0x04, Access.READ, "Build id, its first 32 bits"),
    Register("ID_1", 0x08, Access.READ, "Build id, its second 32 bits"),
    Register(
        "CONTROL",
        0x0C,
        Access.BOTH,
        "Commands",
        (
            Field("CLEAR", 0, 1, Access.WRITE, "1 makes the counters 0"),
            Field("RESET", 1, 1, Access.BOTH, "1 resets the accelerator; reads as 1 until that is done"),
        ),
    ),
    Register("CYCLES_LOW", 0x10, Access.READ, "Cycles from a batch's first input word to its last output word, low"),
    Register("CYCLES_HIGH", 0x14, Access.READ, "The high half, as it was when the low half was read last"),
    Register("IMAGES_IN", 0x18, Access.READ, "Images gone in"),
    Register("IMAGES_OUT", 0x1C, Access.READ, "Images come out"),
    Register(
        "ERRORS",
        0x20,
        Access.READ,
        "Errors since the last reset",
        (Field("TLAST", 0, 1, Access.READ, "The input's TLAST stood elsewhere than on an image's last word"),),
    ),
)
"""Every register, by offset."""
