"""The longest paths of a mapped netlist: arrival times in topological order, by the table of ``delays``."""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field

from hlsgen.board import Family
from hlsgen.errors import ToolError
from hlsgen.synth.delays import CLOCKS, DELAYS, Delays, arcs, ends, is_ff, starts
from hlsgen.synth.netlist import Cell, Netlist


@dataclass(frozen=True)
class Path:
    """From one register, memory, DSP block or port to the next. ``ns``: estimated delay, setup time included.

    ``start`` and ``end``: the designer's names, with the kind of primitive; ``levels``: LUTs, wide multiplexers and
    carry blocks on the way; ``through``: the cells on the way, each with the name of the net it drives, if it has one.
    """

    ns: float
    start: str
    end: str
    levels: int
    through: tuple[str, ...] = ()


@dataclass
class _Graph:
    """Nets as numbers. ``into``: per net, the arcs that drive it as (net, delay with that net's own, cell type)."""

    into: dict[int, list[tuple[int, float, str]]] = field(default_factory=dict)
    out_of: dict[int, list[int]] = field(default_factory=dict)
    start: dict[int, tuple[float, str]] = field(default_factory=dict)
    end: list[tuple[int, float, str]] = field(default_factory=list)


def longest_paths(netlist: Netlist, family: Family, count: int = 5) -> list[Path]:
    """The ``count`` longest paths that differ in more than the indices of their end points, longest first.

    Ports count as registers just outside. Raises ToolError for a combinational loop, naming a net of it.
    """
    delays = DELAYS[family]
    graph = _graph(netlist, delays)
    arrival, previous = _arrivals(graph, netlist)
    ranked = sorted(((arrival.get(net, 0.0) + delay, net, end) for net, delay, end in graph.end), reverse=True)
    paths: list[Path] = []
    seen = set()
    for ns, net, end in ranked:
        path = _trace(ns, net, end, graph, previous, netlist)
        kind = re.sub(r"\d+", "#", f"{path.start} {path.end}")
        if kind not in seen:
            seen.add(kind)
            paths.append(path)
        if len(paths) == count:
            break
    return paths


def _graph(netlist: Netlist, delays: Delays) -> _Graph:
    """The netlist as a graph over nets, with the delay of each net on the arcs that leave it."""
    readers: dict[int, int] = {}
    driver: dict[int, Cell] = {}
    for cell in netlist.cells:
        for pin, bits in cell.pins.items():
            for bit in bits:
                if isinstance(bit, int):
                    if pin in cell.outputs:
                        driver[bit] = cell
                    elif pin not in CLOCKS:
                        readers[bit] = readers.get(bit, 0) + 1
    for _, bit in netlist.ports("output"):
        readers[bit] = readers.get(bit, 0) + 1

    def net_delay(bit: int, cell: Cell, pin: str) -> float:
        if _beside(driver.get(bit), cell, pin, readers[bit]):
            return 0.0
        return delays.net + delays.fanout * math.log2(readers[bit])

    graph = _Graph()
    for name, bit in netlist.ports("input"):
        graph.start[bit] = (delays.ff_out, f"port {name}")
    for cell in netlist.cells:
        for pin, delay in starts(cell, delays).items():
            for index, bit in enumerate(cell.pins[pin]):
                if isinstance(bit, int):
                    graph.start[bit] = (delay, _end_point(cell, pin, index, netlist))
        for pin, delay in ends(cell, delays).items():
            for index, bit in enumerate(cell.pins[pin]):
                if isinstance(bit, int):
                    end = _end_point(cell, pin, index, netlist)
                    graph.end.append((bit, delay + net_delay(bit, cell, pin), end))
        for pin, index, output, to, delay in arcs(cell, delays):
            source, target = cell.pins[pin][index], cell.pins[output][to]
            if isinstance(source, int) and isinstance(target, int):
                total = delay + net_delay(source, cell, pin)
                graph.into.setdefault(target, []).append((source, total, cell.type))
                graph.out_of.setdefault(source, []).append(target)
    for name, bit in netlist.ports("output"):
        fanout = delays.net + delays.fanout * math.log2(readers[bit])
        graph.end.append((bit, delays.ff_setup["D"] + fanout, f"port {name}"))
    return graph


def _beside(driver: Cell | None, reader: Cell, pin: str, readers: int) -> bool:
    """Whether the net stays inside a slice: a carry chain, or a LUT's only reader that belongs to the same place."""
    if driver is None:
        return False
    if driver.type.startswith("CARRY"):
        return pin == "CI" or (readers == 1 and is_ff(reader) and pin == "D")
    if driver.type == "LUT6_2" and reader.type.startswith("CARRY"):
        return True
    if driver.type.startswith(("LUT", "MUXF")) and readers == 1:
        return (
            (reader.type.startswith("CARRY") and pin == "S")
            or (reader.type.startswith("MUXF") and pin != "S")
            or (is_ff(reader) and pin == "D")
        )
    return False


def _end_point(cell: Cell, pin: str, index: int, netlist: Netlist) -> str:
    """A register by the name of what it holds, any other cell by its own."""
    if is_ff(cell):
        (held,) = cell.pins["Q"]
        name = netlist.names.get(held, cell.name) if isinstance(held, int) else cell.name
        return f"{name} ({cell.type}.{pin})"
    position = f"[{index}]" if len(cell.pins[pin]) > 1 else ""
    return f"{_readable(cell, netlist)} ({cell.type}.{pin}{position})"


def _readable(cell: Cell, netlist: Netlist) -> str:
    """Yosys names a memory's cell after the memory; for others, a named net on an output tells more."""
    if "$" not in cell.name:
        return cell.name
    for pin in sorted(cell.outputs):
        for bit in cell.pins[pin]:
            if isinstance(bit, int) and "$" not in netlist.names[bit]:
                return netlist.names[bit]
    return cell.name


def _arrivals(graph: _Graph, netlist: Netlist) -> tuple[dict[int, float], dict[int, tuple[int, str]]]:
    """Latest arrival per net, and the net and type of cell it came by. Each net is settled once (Kahn's algorithm)."""
    waiting = {net: len(drivers) for net, drivers in graph.into.items()}
    nets = set(graph.start) | set(graph.out_of) | {net for net, _, _ in graph.end}
    ready = deque(sorted(net for net in nets if net not in waiting))
    arrival: dict[int, float] = {}
    previous: dict[int, tuple[int, str]] = {}
    while ready:
        net = ready.popleft()
        latest = graph.start[net][0] if net in graph.start else 0.0
        for source, delay, type in graph.into.get(net, ()):
            if arrival[source] + delay > latest:
                latest = arrival[source] + delay
                previous[net] = (source, type)
        arrival[net] = latest
        for target in graph.out_of.get(net, ()):
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    unsettled = sorted(netlist.names[net] for net, left in waiting.items() if left)
    if unsettled:
        named = next((name for name in unsettled if "$" not in name), unsettled[0])
        raise ToolError(f"the synthesised netlist has a combinational loop, on or before the signal {named}")
    return arrival, previous


def _trace(
    ns: float, net: int, end: str, graph: _Graph, previous: dict[int, tuple[int, str]], netlist: Netlist
) -> Path:
    levels = 0
    through: list[str] = []
    while net in previous:
        name = netlist.names[net]
        net, type = previous[net]
        through.append(type if "$" in name else f"{type} {name}")
        levels += type.startswith(("LUT", "CARRY", "MUXF"))
    start = graph.start[net][1] if net in graph.start else f"constant {netlist.names.get(net, '?')}"
    return Path(round(ns, 2), start, end, levels, tuple(reversed(through)))
