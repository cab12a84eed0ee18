"""What callers choose from, in Python and on the command line. Imports nothing, so that `hlsgen --help` is quick."""

from __future__ import annotations

from enum import Enum


class Step(Enum):
    """The steps of a build, in their order."""

    IMPORT = "import"
    EXACT = "exact"
    LOWER = "lower"
    PLAN = "plan"
    EMIT = "emit"
    CSIM = "csim"
    RTL = "rtl"
    SYNTH = "synth"


class Verify(Enum):
    """How a build is checked before it is delivered."""

    NONE = "none"
    CSIM = "csim"
    RTL = "rtl"
    ALL = "all"

    @property
    def simulates_cpp(self) -> bool:
        """Whether the C++ is compared."""
        return self in (Verify.CSIM, Verify.ALL)

    @property
    def simulates_rtl(self) -> bool:
        """Whether the SystemVerilog is compared."""
        return self in (Verify.RTL, Verify.ALL)


class Synth(Enum):
    """What counts a build's resources."""

    NONE = "none"
    YOSYS = "yosys"


class Engine(Enum):
    """What computes the accelerator's part of a run: the NumPy reference, the C++ or the SystemVerilog."""

    GOLDEN = "golden"
    CSIM = "csim"
    RTL = "rtl"


class CsimTypes(Enum):
    """Number types of the C simulation: the smallest native integers, or AMD's ``ap_int`` as synthesis sees them."""

    NATIVE = "native"
    AP = "ap"
