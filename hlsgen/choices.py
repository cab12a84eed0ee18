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


class Verify(Enum):
    """How a build is checked before it is delivered."""

    NONE = "none"
    CSIM = "csim"


class Engine(Enum):
    """What computes the accelerator's part of a run: the NumPy reference or the C++."""

    GOLDEN = "golden"
    CSIM = "csim"


class CsimTypes(Enum):
    """Number types of the C simulation: the smallest native integers, or AMD's ``ap_int`` as synthesis sees them."""

    NATIVE = "native"
    AP = "ap"
