"""Boards: one YAML file each under boards/, or a file of the user's own with the same fields."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hlsgen.errors import BoardError, OptionError
from hlsgen.resources import resource

DIVIDERS = range(1, 64)
"""Values of each of the two 6-bit dividers between a PS PLL and a PL clock (clock chapters of UG585 and UG1085)."""


class Family(Enum):
    """Device family: decides the primitives and the processing system's block."""

    ZYNQ_7000 = "xc7"
    ZYNQ_ULTRASCALE = "xcup"


class DspKind(Enum):
    """The multiplier block: 25 x 18 bits (DSP48E1) or 27 x 18 bits (DSP48E2)."""

    DSP48E1 = "DSP48E1"
    DSP48E2 = "DSP48E2"


class Strict(BaseModel):
    """Base of the models: no unknown keys, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Resources(Strict):
    """What the programmable logic offers."""

    lut: int = Field(gt=0)
    ff: int = Field(gt=0)
    bram36: int = Field(ge=0)
    uram: int = Field(ge=0)
    dsp: int = Field(ge=0)


class Memory(Strict):
    """The processing system's DRAM: size in MB, width in bits, million transfers per second."""

    megabytes: int = Field(gt=0)
    bits: int = Field(gt=0)
    megatransfers: float = Field(gt=0)

    @property
    def megabytes_per_second(self) -> float:
        """Peak bandwidth in MB/s."""
        return self.megatransfers * self.bits / 8


@dataclass(frozen=True)
class Clock:
    """A clock that the board can make: the PLL divided by two numbers. ``mhz`` in MHz."""

    mhz: float
    dividers: tuple[int, int]


class Board(Strict):
    """A board. ``axi_bits`` is the width of its DMA streams, ``clock_mhz`` the clock used when none is asked for.

    ``pll_mhz`` is the PLL from which PL clocks are divided, ``crystal_mhz`` the oscillator that feeds it; ``power``
    names the power sensors, ``notes`` are for the reader.
    """

    name: str
    title: str
    part: str
    board_part: str = ""
    family: Family
    dsp_kind: DspKind
    resources: Resources
    ddr: Memory
    axi_bits: int
    pll_mhz: float = Field(gt=0)
    crystal_mhz: float = Field(gt=0)
    clock_mhz: float = Field(gt=0)
    power: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Board:
        if self.axi_bits not in (32, 64, 128):
            raise ValueError(f"axi_bits is {self.axi_bits}; a PS port is 32, 64 or 128 bits wide")
        if not any(math.isclose(clock.mhz, self.clock_mhz, rel_tol=1e-4) for clock in self.clocks):
            raise ValueError(f"clock_mhz {self.clock_mhz:g} is not pll_mhz {self.pll_mhz:g} divided by two integers")
        return self

    @cached_property
    def clocks(self) -> tuple[Clock, ...]:
        """Every clock the PLL can make, ascending; of equal ones the one with the smaller second divider."""
        products: dict[int, tuple[int, int]] = {}
        for second in DIVIDERS:
            for first in DIVIDERS:
                products.setdefault(first * second, (first, second))
        return tuple(Clock(self.pll_mhz / product, products[product]) for product in sorted(products, reverse=True))

    def clock(self, mhz: float | None = None) -> Clock:
        """The fastest clock not above ``mhz`` (default: the board's own). Raises OptionError below the slowest."""
        wanted = self.clock_mhz if mhz is None else mhz
        # Who writes 142.85 means 1000/7; 1e-4 is what a crystal may be off.
        reachable = [clock for clock in self.clocks if clock.mhz <= wanted * (1 + 1e-4)]
        if not (math.isfinite(wanted) and reachable):
            slowest, fastest = self.clocks[0].mhz, self.clocks[-1].mhz
            raise OptionError(
                f"--clock {wanted:g} MHz cannot be made on {self.name}: its PLL gives clocks from {slowest:.3f} to "
                f"{fastest:g} MHz. Ask for a clock in between, 100 for example."
            )
        return reachable[-1]


def names() -> list[str]:
    """Names of the boards that come with hlsgen, sorted."""
    return sorted(path.stem for path in resource("boards").glob("*.yaml"))


def load(name: str) -> Board:
    """The board called ``name``, or the one described by the YAML file at the path ``name``. Raises BoardError."""
    if name in names():
        return _read(resource("boards", f"{name}.yaml"))
    if Path(name).suffix in (".yaml", ".yml"):
        return _read(Path(name))
    close = difflib.get_close_matches(name.lower(), names(), n=1, cutoff=0.4)
    guess = f" Did you mean {close[0]}?" if close else ""
    raise BoardError(
        f"There is no board {name!r}.{guess} Known boards: {', '.join(names())}. For another board, write a YAML file "
        "with the same fields as theirs and pass its path."
    )


def _read(path: Path) -> Board:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BoardError(f"The board file {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise BoardError(f"The board file {path} is not YAML: {reason}.") from error
    if not isinstance(data, dict):
        raise BoardError(f"The board file {path} holds no fields; take boards/pynq-z2.yaml of hlsgen as a pattern.")
    try:
        return Board.model_validate({"name": path.stem, **data})
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'board'}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        )
        raise BoardError(f"The board file {path} does not describe a board: {faults}.") from error
