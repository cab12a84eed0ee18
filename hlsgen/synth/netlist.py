"""The mapped netlist that Yosys writes as JSON: cells with their pins, and what they count as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hlsgen.plan.resources import Use

Bit = int | str
"""A net's number, or the constant "0", "1", "x"."""

MEMORY_LUTS = {
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM512X1S": 8,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM64X8SW": 8,
    "RAM32X16DR8": 8,
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
}
"""LUTs that a memory primitive takes (UG474 table 2-3, UG574 table 5-1): a quad or octal RAM fills its slice's."""

COUNTED = {
    "ff": ("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE"),
    "dsp": ("DSP48E1", "DSP48E2"),
    "ramb18": ("RAMB18E1", "RAMB18E2"),
    "ramb36": ("RAMB36E1", "RAMB36E2"),
    "uram": ("URAM288", "URAM288_BASE"),
}


@dataclass(frozen=True)
class Cell:
    """One primitive: pins by name, each a list of bits, bit 0 first; which of them are outputs; its parameters."""

    name: str
    type: str
    pins: dict[str, list[Bit]]
    outputs: frozenset[str]
    parameters: dict[str, str]

    def number(self, parameter: str, default: int) -> int:
        """An integer parameter; Yosys writes them as binary digits."""
        return int(self.parameters.get(parameter, format(default, "b")), 2)


class Netlist:
    """The flat top module of a JSON netlist."""

    def __init__(self, module: dict[str, Any]) -> None:
        self._module = module
        self.cells = [
            Cell(
                name,
                cell["type"],
                cell["connections"],
                frozenset(pin for pin, way in cell["port_directions"].items() if way == "output"),
                cell["parameters"],
            )
            for name, cell in module["cells"].items()
        ]

    def ports(self, direction: str) -> Iterator[tuple[str, int]]:
        """Bits of the module's ports with ``direction`` "input" or "output": name with index, and net."""
        for name, port in self._module["ports"].items():
            if port["direction"] == direction:
                bits = port["bits"]
                for index, bit in enumerate(bits):
                    if isinstance(bit, int):
                        yield (f"{name}[{index}]" if len(bits) > 1 else name), bit

    @cached_property
    def names(self) -> dict[int, str]:
        """A name for every net: the designer's own, and of several the shortest; made-up ones begin with ``$``."""
        best: dict[int, tuple[bool, int, str]] = {}
        for name, net in self._module["netnames"].items():
            bits = net["bits"]
            made_up = "$" in name
            for index, bit in enumerate(bits):
                full = f"{name}[{index}]" if len(bits) > 1 else name
                rank = (made_up, len(full), full)
                if isinstance(bit, int) and (bit not in best or rank < best[bit]):
                    best[bit] = rank
        return {bit: rank[2] for bit, rank in best.items()}


def count_cells(netlist: Netlist) -> dict[str, int]:
    """Number of cells by type, in alphabetical order."""
    counts: dict[str, int] = {}
    for cell in netlist.cells:
        counts[cell.type] = counts.get(cell.type, 0) + 1
    return dict(sorted(counts.items()))


def use(cells: dict[str, int]) -> Use:
    """What the cells take. An INV is not counted: it becomes part of the LUT or flip-flop that it feeds.

    A LUT6_2 is one LUT. Raises ValueError for a type of cell that is neither counted nor known to be free.
    """
    free = ("INV", "BUFG", "VCC", "GND", "IBUF", "OBUF", "CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9")
    logic = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2")
    counted = [type for types in COUNTED.values() for type in types]
    unknown = sorted(set(cells) - {*free, *logic, *MEMORY_LUTS, *counted})
    if unknown:
        raise ValueError(f"cells of unknown type {', '.join(unknown)}: not mapped to the device")
    lutram = sum(luts * cells.get(type, 0) for type, luts in MEMORY_LUTS.items())
    totals = {name: sum(cells.get(type, 0) for type in types) for name, types in COUNTED.items()}
    return Use(lut=lutram + sum(cells.get(type, 0) for type in logic), lutram=lutram, **totals)
