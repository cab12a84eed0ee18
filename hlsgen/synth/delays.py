"""Delays of the primitives, in nanoseconds, for a path estimate before placement: speed grade -1, slow corner.

Sources. 7 series: what Vivado prints for Artix-7 and Zynq-7020 -1 in its timing reports (FDRE C->Q 0.456, LUT 0.124,
RAMB18E1 clock to output 2.454, DSP48E1 A->P 3.841, PCIN->P 1.518, ...) and, for the arcs of CARRY4 and MUXF, the slow
corner of project X-Ray's database as quoted in Yosys' ``xilinx/cells_sim.v`` (CI->CO[3] 0.114 is Vivado's figure, too).
UltraScale+: Vivado reports of -2 devices (FDRE 0.096, LUT 0.04 to 0.18 by pin, CARRY8 S->CO[7] 0.238, CI->CO[7] 0.023,
CI->O[7] 0.146, DSP48E2 multiplier 0.74, ALU 0.70, output 0.14) times 1.2 for -1.
Assumptions: a net costs ``net`` and ``fanout`` for each doubling of its readers, whatever the distance; clock skew and
uncertainty are left out. Nothing here knows the placement: trust differences rather than the figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from hlsgen.board import Family
from hlsgen.synth.netlist import Cell

Arc = tuple[str, int, str, int, float]
"""From an input pin's bit to an output pin's bit of the same cell: pin, index, pin, index, delay."""

Key = TypeVar("Key")


@dataclass(frozen=True)
class Delays:
    """Nanoseconds, of one family. ``*_out``: clock to output, ``*_setup``: before the clock."""

    net: float
    fanout: float
    lut: float
    ff_out: float
    ff_setup: dict[str, float]
    """By pin."""
    lutram_out: float
    lutram_setup: float
    srl_out: float
    srl_setup: float
    ram_out: float
    ram_register_out: float
    ram_setup: float
    mux: dict[tuple[str, bool], float]
    """Of MUXF7..9: by type and whether the pin is the select."""
    dsp_multiply: float
    """Input register or pin to the M register's place."""
    dsp_preadd: float
    dsp_add: float
    """M register or C to the P register's place."""
    dsp_out: float
    dsp_setup: float
    carry_enter: float
    """S or DI to the carry at the same bit; ``carry_step`` for each further bit."""
    carry_step: float
    carry_through: float
    """CI to the last carry out."""
    carry_sum: float
    """Carry to the sum bit."""


FAMILIES = (Family.ZYNQ_7000, Family.ZYNQ_ULTRASCALE)
"""The columns of the tables below."""

FIGURES = {
    "net": (0.6, 0.35),
    "fanout": (0.12, 0.08),
    "lut": (0.124, 0.13),
    "ff_out": (0.456, 0.115),
    "lutram_out": (1.317, 0.65),
    "lutram_setup": (0.53, 0.2),
    "srl_out": (1.63, 0.65),
    "srl_setup": (0.2, 0.06),
    "ram_out": (2.454, 1.25),
    "ram_register_out": (0.882, 0.35),
    "ram_setup": (0.57, 0.4),
    "dsp_multiply": (2.4, 1.2),
    "dsp_preadd": (1.4, 0.8),
    "dsp_add": (1.2, 0.95),
    "dsp_out": (0.434, 0.25),
    "dsp_setup": (0.36, 0.25),
    "carry_enter": (0.385, 0.19),
    "carry_step": (0.05, 0.012),
    "carry_through": (0.114, 0.028),
    "carry_sum": (0.21, 0.15),
}

FF_SETUP = {
    "D": (0.06, 0.03),
    "CE": (0.205, 0.06),
    "R": (0.429, 0.08),
    "S": (0.429, 0.08),
    "CLR": (0.405, 0.1),
    "PRE": (0.405, 0.1),
}

MUX = {
    ("MUXF7", False): (0.22, 0.1),
    ("MUXF7", True): (0.296, 0.12),
    ("MUXF8", False): (0.104, 0.05),
    ("MUXF8", True): (0.273, 0.1),
    ("MUXF9", False): (0.104, 0.05),
    ("MUXF9", True): (0.273, 0.1),
}


def _column(table: Mapping[Key, tuple[float, float]], family: Family) -> dict[Key, float]:
    """The figures of one family."""
    return {key: figures[FAMILIES.index(family)] for key, figures in table.items()}


DELAYS = {
    family: Delays(**_column(FIGURES, family), ff_setup=_column(FF_SETUP, family), mux=_column(MUX, family))
    for family in FAMILIES
}

READ_ADDRESS = {"RAM32M": "ADDR", "RAM64M": "ADDR", "RAM32M16": "ADDR", "RAM64M8": "ADDR"}
"""RAMs with one address per letter: data output ``DO<letter>`` follows ``ADDR<letter>``."""


def is_lutram(cell: Cell) -> bool:
    """Whether the cell is a LUT used as RAM (not as shift register)."""
    return cell.type.startswith("RAM") and not cell.type.startswith("RAMB")


def is_srl(cell: Cell) -> bool:
    """Whether the cell is a LUT used as shift register."""
    return cell.type.startswith("SRL")


def is_block(cell: Cell) -> bool:
    """Whether the cell is a block RAM."""
    return cell.type.startswith(("RAMB", "URAM"))


def is_ff(cell: Cell) -> bool:
    """Whether the cell is a flip-flop."""
    return cell.type.startswith("FD")


def is_dsp(cell: Cell) -> bool:
    """Whether the cell is a DSP block."""
    return cell.type.startswith("DSP")


CLOCKS = ("C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK")
"""Clock pins: no data path ends there."""


def starts(cell: Cell, delays: Delays) -> dict[str, float]:
    """Output pins at which a path can start, with the clock-to-output delay."""
    if is_ff(cell):
        return {"Q": delays.ff_out}
    if is_lutram(cell):
        return dict.fromkeys(cell.outputs, delays.lutram_out)
    if is_srl(cell):
        return dict.fromkeys(cell.outputs, delays.srl_out)
    if is_block(cell):
        registers = {"A": cell.number("DOA_REG", 0), "B": cell.number("DOB_REG", 0)}
        return {pin: delays.ram_register_out if registers[_ram_side(pin)] else delays.ram_out for pin in cell.outputs}
    if is_dsp(cell):
        return dict.fromkeys(cell.outputs, _dsp_start(cell, delays))
    return {}


def _ram_side(pin: str) -> str:
    return "B" if pin.startswith(("DOB", "DOPB", "DOUTB", "DOUTPB", "CASDOUTB", "CASDOUTPB")) else "A"


def _dsp_start(cell: Cell, delays: Delays) -> float:
    """From the last register inside the block: P, M, or those of the inputs."""
    if cell.number("PREG", 1):
        return delays.dsp_out
    if cell.number("MREG", 1):
        return delays.dsp_add + delays.dsp_out
    if cell.number("AREG", 1) or cell.number("BREG", 1) or cell.number("CREG", 1):
        return delays.dsp_multiply + delays.dsp_add + delays.dsp_out
    return 0.0


def ends(cell: Cell, delays: Delays) -> dict[str, float]:
    """Input pins at which a path ends, with the setup time, including what lies before the register in the block."""
    inputs = [pin for pin in cell.pins if pin not in cell.outputs and pin not in CLOCKS]
    if is_ff(cell):
        return {pin: delays.ff_setup[pin] for pin in inputs}
    if is_lutram(cell):
        return {pin: delays.lutram_setup for pin in inputs if not _only_reads(cell, pin)}
    if is_srl(cell):
        return {pin: delays.srl_setup for pin in inputs if pin in ("D", "CE")}
    if is_block(cell):
        return dict.fromkeys(inputs, delays.ram_setup)
    if is_dsp(cell):
        return {pin: delay for pin in inputs if (delay := _dsp_end(cell, pin, delays)) is not None}
    return {}


def _only_reads(cell: Cell, pin: str) -> bool:
    if cell.type in READ_ADDRESS:
        written = "H" if cell.type in ("RAM32M16", "RAM64M8") else "D"
        return pin.startswith("ADDR") and pin != f"ADDR{written}"
    return pin.startswith("DPRA")


def _dsp_end(cell: Cell, pin: str, delays: Delays) -> float | None:
    """Setup time of a DSP's pin; None where the path runs through the whole block."""
    through = _dsp_through(cell, pin, delays)
    if through is None:
        return delays.dsp_setup
    multiplier, add = through
    if cell.number("MREG", 1) and multiplier is not None:
        return multiplier + delays.dsp_setup
    if cell.number("PREG", 1):
        return (multiplier or 0.0) + add + delays.dsp_setup
    return None


def _dsp_through(cell: Cell, pin: str, delays: Delays) -> tuple[float | None, float] | None:
    """Of an unregistered data pin: delay to the M register's place (None: not that way), and on to P's.

    None for a pin with a register, or for one that controls.
    """
    registers = {"A": "AREG", "B": "BREG", "C": "CREG", "D": "DREG", "ACIN": "AREG", "BCIN": "BREG", "PCIN": ""}
    if pin not in registers or (registers[pin] and cell.number(registers[pin], 1)):
        return None
    if pin in ("C", "PCIN"):
        return None, delays.dsp_add
    preadds = cell.parameters.get("USE_DPORT", cell.parameters.get("AMULTSEL", "")) in ("TRUE", "AD")
    if preadds and pin in ("A", "D", "ACIN"):
        if cell.number("ADREG", 1):
            return None
        return delays.dsp_preadd + delays.dsp_multiply, delays.dsp_add
    return delays.dsp_multiply, delays.dsp_add


def arcs(cell: Cell, delays: Delays) -> Iterator[Arc]:
    """Combinational paths through a cell."""
    if cell.type.startswith("CARRY"):
        yield from _carry(cell, delays)
    elif cell.type.startswith("MUXF"):
        for pin in ("I0", "I1", "S"):
            yield pin, 0, "O", 0, delays.mux[cell.type, pin == "S"]
    elif is_lutram(cell) or is_srl(cell):
        yield from _memory_reads(cell, delays)
    elif is_dsp(cell):
        yield from _dsp(cell, delays)
    elif cell.type == "LUT6_2":
        yield from _dual_lut(cell, delays)
    elif not (is_ff(cell) or is_block(cell)):
        delay = 0.0 if cell.type in ("INV", "BUFG", "IBUF", "OBUF") else delays.lut
        for output in sorted(cell.outputs):
            for pin in cell.pins:
                if pin not in cell.outputs:
                    yield from ((pin, i, output, o, delay) for i in _bits(cell, pin) for o in _bits(cell, output))


def _dual_lut(cell: Cell, delays: Delays) -> Iterator[Arc]:
    """Paths to each output from the inputs that its function depends on, which are not the same for both."""
    pins = [f"I{i}" for i in range(6)]
    constants = "".join(bit if (bit := str(cell.pins[pin][0])) in ("0", "1") else "-" for pin in pins)
    for output, size in (("O5", 5), ("O6", 6)):  # O5 is the lower half of the table
        init = cell.number("INIT", 0) & ((1 << (1 << size)) - 1)
        for index in _inputs_that_matter(init, size, constants[:size]):
            yield pins[index], 0, output, 0, delays.lut


@cache
def _inputs_that_matter(init: int, size: int, constants: str) -> tuple[int, ...]:
    """Of a LUT with ``size`` inputs, some of them constant ("0", "1", else "-"), those that can change its output."""
    rows = [row for row in range(1 << size) if all(c in ("-", str(row >> i & 1)) for i, c in enumerate(constants))]
    return tuple(
        index
        for index in range(size)
        if constants[index] == "-" and any((init >> row ^ init >> (row ^ 1 << index)) & 1 for row in rows)
    )


def _bits(cell: Cell, pin: str) -> range:
    return range(len(cell.pins[pin]))


def _carry(cell: Cell, delays: Delays) -> Iterator[Arc]:
    for carry in ("CI", "CYINIT"):
        for bit in _bits(cell, carry) if carry in cell.pins else ():
            slow = delays.carry_enter if carry == "CYINIT" else 0.0
            for output, extra in (("O", delays.carry_sum), ("CO", delays.carry_through)):
                yield from ((carry, bit, output, to, slow + extra) for to in _bits(cell, output))
    for pin in ("S", "DI"):
        for bit in _bits(cell, pin):
            for to in _bits(cell, "CO"):
                if to >= bit:
                    yield pin, bit, "CO", to, delays.carry_enter + delays.carry_step * (to - bit)
            for to in _bits(cell, "O"):
                if to > bit:
                    yield pin, bit, "O", to, delays.carry_enter + delays.carry_sum / 2 + delays.carry_step * (to - bit)
                elif to == bit and pin == "S":
                    yield pin, bit, "O", to, delays.carry_sum


def _memory_reads(cell: Cell, delays: Delays) -> Iterator[Arc]:
    """Reading is combinational: from the address to the data."""
    for output in sorted(cell.outputs):
        if cell.type in READ_ADDRESS:
            addresses = [READ_ADDRESS[cell.type] + output[2]]
        elif is_srl(cell):
            addresses = [pin for pin in cell.pins if pin.startswith("A") and output == "Q"]
        else:
            addresses = [pin for pin in cell.pins if pin.startswith("DPRA" if output == "DPO" else "A")]
        for pin in addresses:
            for bit in _bits(cell, pin):
                yield from ((pin, bit, output, to, delays.lut) for to in _bits(cell, output))


def _dsp(cell: Cell, delays: Delays) -> Iterator[Arc]:
    if cell.number("PREG", 1):
        return
    for pin in ("A", "B", "C", "D", "ACIN", "BCIN", "PCIN"):
        through = _dsp_through(cell, pin, delays) if pin in cell.pins else None
        if through is None or (through[0] is not None and cell.number("MREG", 1)):
            continue
        delay = (through[0] or 0.0) + through[1] + delays.dsp_out
        for output in ("P", "PCOUT"):
            if output in cell.pins:
                yield from ((pin, i, output, o, delay) for i in _bits(cell, pin) for o in _bits(cell, output))
