"""Read-only memories as LUT primitives.

Yosys makes a ROM without a block RAM of multiplexers and has its mapper look for what they have in common, which for 64
words takes it four LUTs a column where one would do. Vivado makes a LUT6 of 64 words, and of 128 and 256 words two and
four with the slice's wide multiplexers; so is it here, between two steps of ``synth_xilinx``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hlsgen.plan.lookup import LUT_INPUTS, WIDE, Planes, dependence, padded


def map_roms(yosys: Any, design: Any) -> None:
    """Replace the read-only memories of the top module of ``design``, which has come to step ``map_ffram``.

    ``yosys``: the module ``pyosys.libyosys``, which has no types. Memories with other than plain read ports stay.
    """
    module = design.top_module()
    roms = _Roms(yosys, module)
    for cell in list(module.cells_.values()):
        if cell.type.str() == "$mem_v2" and roms.is_plain(cell):
            roms.replace(cell)


class _Roms:
    def __init__(self, yosys: Any, module: Any) -> None:
        self._yosys, self._module, self._count = yosys, module, 0

    def _id(self, name: str) -> Any:
        return self._yosys.IdString(f"\\{name}")

    def _integer(self, cell: Any, name: str) -> int:
        return int(cell.getParam(self._id(name)).as_string(), 2)

    def _new(self) -> Any:
        self._count += 1
        return self._yosys.IdString(f"$rom${self._count}")

    def _wire(self, width: int) -> Any:
        return self._yosys.SigSpec(self._module.addWire(self._new(), width))

    def is_plain(self, cell: Any) -> bool:
        if any(self._integer(cell, name) for name in ("WR_PORTS", "RD_WIDE_CONTINUATION", "OFFSET")):
            return False
        initial = cell.getParam(self._id("RD_INIT_VALUE")).as_string()
        return bool(cell.getPort(self._id("RD_ARST")).is_fully_zero()) and not initial.strip("x")

    def replace(self, cell: Any) -> None:
        width, size, abits, ports = (self._integer(cell, name) for name in ("WIDTH", "SIZE", "ABITS", "RD_PORTS"))
        digits = np.frombuffer(cell.getParam(self._id("INIT")).as_string().encode(), np.uint8)[::-1]
        planes = (digits[: width * size] == ord("1")).astype(np.uint8).reshape(size, width)
        for port in range(ports):
            address = cell.getPort(self._id("RD_ADDR")).extract(port * abits, abits)
            data = cell.getPort(self._id("RD_DATA")).extract(port * width, width)
            if self._bit(cell, "RD_CLK_ENABLE", port):
                read = self._wire(width)
                self._register(cell, port, read, data)
            else:
                read = data
            self._lookup(planes, [address.extract(bit, 1) for bit in range(abits)], read)
        self._module.remove(cell)

    def _bit(self, cell: Any, name: str, port: int) -> bool:
        return bool(cell.getParam(self._id(name)).as_string()[-1 - port] == "1")

    def _register(self, cell: Any, port: int, read: Any, data: Any) -> None:
        """The port's output register."""
        clock, enable, reset = (
            cell.getPort(self._id(name)).extract(port, 1) for name in ("RD_CLK", "RD_EN", "RD_SRST")
        )
        name, rising = self._new(), self._bit(cell, "RD_CLK_POLARITY", port)
        if reset.is_fully_zero():
            self._module.addDffe(name, clock, enable, read, data, rising, True)
            return
        width = read.size()
        text = cell.getParam(self._id("RD_SRST_VALUE")).as_string()
        value = self._yosys.Const.from_string(text[len(text) - (port + 1) * width : len(text) - port * width])
        add = self._module.addSdffce if self._bit(cell, "RD_CE_OVER_SRST", port) else self._module.addSdffe
        add(name, clock, enable, reset, read, data, value, rising, True, True)

    def _lookup(self, planes: Planes, address: list[Any], out: Any) -> None:
        """Connect ``out``, a bit for each column, to functions of the address."""
        table = padded(planes)
        address = address[: (len(table) - 1).bit_length()]
        for bit in reversed([bit for bit, wire in enumerate(address) if wire.is_fully_const()]):
            value = address.pop(bit).as_int()
            table = table[np.arange(len(table)) >> bit & 1 == value]
        known: dict[str, Any] = {}
        for column, used in enumerate(dependence(table).T):
            truth = "".join(map(str, table[:, column]))
            if truth not in known:
                wide = used.sum() > LUT_INPUTS
                known[truth] = self._wide(truth, address, known) if wide else self._function(truth, address)
            self._module.connect(out.extract(column, 1), known[truth])

    def _wide(self, truth: str, inputs: list[Any], known: dict[str, Any]) -> Any:
        """The net of a function; ``truth``: its values, where all ``inputs`` are 0 first."""
        if len(inputs) == LUT_INPUTS:
            if truth not in known:
                known[truth] = self._function(truth, inputs)
            return known[truth]
        low, high = truth[: len(truth) // 2], truth[len(truth) // 2 :]
        if low == high:
            return self._wide(low, inputs[:-1], known)
        halves = [self._wide(half, inputs[:-1], known) for half in (low, high)]
        result = self._wire(1)
        if len(inputs) > WIDE:
            self._module.addMux(self._new(), *halves, inputs[-1], result)
        else:
            ports = {"I0": halves[0], "I1": halves[1], "S": inputs[-1], "O": result}
            self._primitive(f"MUXF{len(inputs)}", ports)
        return result

    def _function(self, truth: str, inputs: list[Any]) -> Any:
        """The same of a function that depends on at most six of the inputs."""
        table = np.frombuffer(truth.encode(), np.uint8)[:, None] - ord("0")
        bits = np.flatnonzero(dependence(table)[:, 0])
        rows = np.zeros(1 << len(bits), np.int64)
        for place, bit in enumerate(bits):
            rows |= (np.arange(len(rows)) >> place & 1) << bit
        truth, inputs = "".join(map(str, table[rows, 0])), [inputs[bit] for bit in bits]
        if not inputs:
            return self._yosys.SigSpec(self._yosys.Const.from_string(truth))
        if truth == "01":
            return inputs[0]
        result = self._wire(1)
        if truth == "10":
            self._module.addNot(self._new(), inputs[0], result)
        else:
            ports = {f"I{place}": wire for place, wire in enumerate(inputs)} | {"O": result}
            lut = self._primitive(f"LUT{len(inputs)}", ports)
            lut.setParam(self._id("INIT"), self._yosys.Const.from_string(truth[::-1]))
        return result

    def _primitive(self, kind: str, ports: dict[str, Any]) -> Any:
        cell = self._module.addCell(self._new(), self._id(kind))
        for name, wire in ports.items():
            cell.setPort(self._id(name), wire)
        return cell
