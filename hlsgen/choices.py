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
    DEPLOY = "deploy"


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


class Core(Enum):
    """What the accelerator consists of: the SystemVerilog kernels, or what Vitis HLS makes of the C++."""

    RTL = "rtl"
    HLS = "hls"


class Synth(Enum):
    """What synthesises a build: Yosys counts resources, Vitis HLS makes the C++ a core, Vivado a bitstream."""

    NONE = "none"
    YOSYS = "yosys"
    VITIS = "vitis"
    VIVADO = "vivado"


class Engine(Enum):
    """What computes the accelerator's part of a run.

    The NumPy reference, the C++, the SystemVerilog, or the driver on an emulated board around the SystemVerilog.
    """

    GOLDEN = "golden"
    CSIM = "csim"
    RTL = "rtl"
    BOARD = "board-emulator"


class CsimTypes(Enum):
    """Number types of the C simulation: the smallest native integers, or AMD's ``ap_int`` as synthesis sees them."""

    NATIVE = "native"
    AP = "ap"
