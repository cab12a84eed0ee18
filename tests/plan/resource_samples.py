"""Kernels drawn at random, the same ones for the same seed: what estimates are judged on, and more to fit them to."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count as count_from
from itertools import islice
from typing import TypeVar

import numpy as np

from hlsgen.graph.types import INT8, UINT8, QuantType
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import Kernel, RamStyle
from hlsgen.kernels.concat import Concat
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.fifo import Fifo
from hlsgen.kernels.fork import Fork
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.maxpool import MaxPool
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.sumpool import SumPool
from hlsgen.kernels.table import Table
from hlsgen.kernels.unpack import Unpack
from hlsgen.kernels.width import Width
from hlsgen.kernels.window import Window
from tests.plan.resource_kernels import add, depthwise, matvec, requant, table, window

INT4, UINT4, INT6 = QuantType(4, True), QuantType(4, False), QuantType(6, True)
BIPOLAR = QuantType(1, True, bipolar=True)
BLOCK, LUTS = RamStyle.BLOCK, RamStyle.DISTRIBUTED


T = TypeVar("T")


class Draw:
    """Random choices from one seed."""

    def __init__(self, seed: int) -> None:
        self.numbers = np.random.default_rng(seed)

    def one(self, *options: T) -> T:
        """One of the options."""
        return options[int(self.numbers.integers(len(options)))]

    def integer(self, low: int, high: int) -> int:
        """``low`` to ``high``."""
        return int(self.numbers.integers(low, high + 1))


def _requant(draw: Draw) -> Requant:
    lanes = draw.one(1, 1, 1, 2, 4)
    channels = lanes * draw.one(3, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64, 96)
    kind = draw.one("float24", "float24", "float24", "scale", "scale", "shift", "threshold")
    if kind == "threshold":
        out = draw.one(UINT4, UINT4, QuantType(2, False), INT4)
        return requant(kind, channels, lanes, draw.integer(200, 20000), memory=draw.one(BLOCK, LUTS), out=out)
    reach = round(10 ** draw.numbers.uniform(3.3, 6.2))
    mac = draw.one(Mac.DSP, Mac.DSP, Mac.LUT) if kind != "shift" else Mac.DSP
    passes = draw.one(1, 2) if mac is Mac.DSP and kind != "shift" else 1
    memory = draw.one(LUTS, LUTS, LUTS, BLOCK)
    single, out = draw.numbers.random() < 0.2, draw.one(INT8, INT8, INT8, UINT8, UINT4)
    return requant(kind, channels, lanes, reach, passes, mac, memory, single, out)


def _table(draw: Draw) -> Table:
    lanes = draw.one(1, 2, 4)
    x = draw.one(INT8, INT8, INT6, UINT4)
    single = draw.one(True, True, False)
    memory = draw.one(LUTS, BLOCK) if single or x.bits > 6 else LUTS
    return table(lanes * draw.one(2, 4, 6, 8), lanes, single, memory if single else draw.one(BLOCK, memory), x)


def _add(draw: Draw) -> Add:
    lanes = draw.one(1, 1, 2, 4)
    mac, floats = draw.one(Mac.DSP, Mac.DSP, Mac.LUT), draw.one(True, True, False)
    return add(lanes * draw.one(4, 8, 12, 16, 32), lanes, round(float(draw.numbers.uniform(0.3, 2)), 3), mac, floats)


def _elementwise(draw: Draw) -> Requant | Table | Add:
    kinds: list[Callable[[Draw], Requant | Table | Add]] = [_requant, _requant, _requant, _add, _table]
    return draw.one(*kinds)(draw)


def _few_rows(draw: Draw) -> Matvec | Depthwise:
    """A dot product of 2 to 8 rows of weights in LUTs."""
    mac = draw.one(Mac.DSP2, Mac.DSP, Mac.LUT, Mac.LUT, Mac.XNOR)
    x, w = (BIPOLAR, BIPOLAR) if mac is Mac.XNOR else (draw.one(INT8, UINT8), INT8)
    if mac is Mac.LUT:
        w = draw.one(INT8, INT8, INT4)
    if mac in (Mac.DSP, Mac.LUT) and draw.one(True, False, False):
        pe, (taps, tiles) = draw.one(1, 2, 3), draw.one((9, 3), (9, 5), (9, 8), (3, 2))
        return depthwise(pe * tiles, 9, pe, taps, mac, x, w, LUTS)
    simd = draw.one(6, 8, 9, 12, 16, 24) * (4 if mac is Mac.XNOR else 1)
    output_fold, input_fold = draw.one((2, 1), (2, 2), (1, 3), (4, 1), (2, 3), (3, 2), (2, 4))
    pe = draw.one(2, 4) if mac is not Mac.DSP else draw.one(1, 2)
    return matvec(pe * output_fold, simd * input_fold, pe, simd, mac, x, w, LUTS)


def _dot(draw: Draw) -> Matvec | Depthwise:
    if draw.one(True, False, False):
        return _few_rows(draw)
    mac = draw.one(Mac.DSP2, Mac.DSP, Mac.LUT, Mac.XNOR)
    x, w = (BIPOLAR, BIPOLAR) if mac is Mac.XNOR else (draw.one(INT8, UINT8), INT8)
    if mac is Mac.LUT:
        w = draw.one(INT8, INT4)
    if mac in (Mac.DSP, Mac.LUT) and draw.one(True, False):
        pe, taps = draw.one(1, 2, 4), draw.one(1, 3, 9)
        return depthwise(pe * draw.one(8, 12, 16, 24, 40), 9, pe, taps, mac, x, w)
    simd = draw.one(1, 3, 4, 6, 8, 9, 12) * (4 if mac is Mac.XNOR else 1)
    pe = draw.one(2, 4, 6) if mac is not Mac.LUT else draw.one(1, 2)
    return matvec(pe * draw.one(2, 4, 5, 8, 10), simd * draw.one(1, 3, 4, 8, 16), pe, simd, mac, x, w)


def _window(draw: Draw) -> Window:
    kernel, taps = draw.one(3, 3, 3, 5, 2), draw.one("all", "all", "row", "one")
    stride = 2 if kernel == 2 else draw.one(1, 1, 2)
    lanes = draw.one(1, 1, 2, 4)
    size = draw.integer(5, 20) * 2
    shape = size, size, lanes * draw.one(1, 3, 4, 8, 12)
    return window(shape, kernel, stride, lanes, taps, draw.one(INT8, UINT8, UINT4), 0 if kernel == 2 else -1)


def _pool(draw: Draw) -> SumPool | MaxPool:
    lanes = draw.one(1, 1, 2, 4)
    channels = lanes * draw.one(4, 8, 12, 16, 24)
    if draw.one(True, False):
        return SumPool(draw.one(1, 4), draw.one(9, 16, 49, 64), channels, lanes, 1, INT8, QuantType(14, True), 0)
    taps, beat = draw.one((4, 1), (4, 2), (4, 4), (9, 1), (9, 3), (9, 9))
    return MaxPool(16, taps, channels, lanes, beat, draw.one(INT8, UINT8, INT4))


def _boundary(draw: Draw) -> Unpack | Pack:
    axi, type = draw.one(32, 64, 64, 128), draw.one(INT8, INT8, UINT8, UINT4, INT6)
    lanes = draw.one(1, 1, 2, 3, 4, 5, 6, 8, 16)
    if draw.one(True, False):
        return Unpack(axi, lanes * draw.integer(20, 800), lanes, type)
    parts = [(lanes * draw.integer(4, 200), lanes, draw.one(type, QuantType(18, True)))]
    if draw.one(False, False, True):
        more = draw.one(1, 2, 4)
        parts.append((more * draw.integer(4, 40), more, draw.one(INT8, UINT8)))
    return Pack(axi, tuple(parts))


def _fifo(draw: Draw) -> Fifo:
    return Fifo(draw.integer(1, 12) * draw.one(4, 8), round(2 ** draw.numbers.uniform(1.6, 11.5)))


def _fork(draw: Draw) -> Fork:
    return Fork(draw.one(INT8, INT4, QuantType(18, True)), draw.integer(1, 8), 64, draw.one(2, 2, 3))


def _width(draw: Draw) -> Width:
    narrow, ratio = draw.integer(1, 6), draw.integer(2, 16)
    ends = (narrow, narrow * ratio) if draw.one(True, False) else (narrow * ratio, narrow)
    return Width(draw.one(INT8, UINT4, QuantType(16, True)), *ends, 8 * max(ends))


def _concat(draw: Draw) -> Concat:
    lanes = draw.one(1, 2, 4)
    channels = tuple(lanes * draw.integer(1, 12) for _ in range(draw.one(2, 2, 3)))
    return Concat(16, channels, lanes, draw.one(INT8, UINT4))


def _attempt(one: Callable[[Draw], Kernel | Fifo], draw: Draw) -> Kernel | Fifo | None:
    """A kernel, or None where there is no exact unit for what was drawn, or no such kernel."""
    try:
        return one(draw)
    except (StopIteration, ValueError):
        return None


_BY_KIND: dict[str, Callable[[Draw], Kernel | Fifo]] = {
    "dot products": _dot,
    "elementwise": _elementwise,
    "concat": _concat,
    "window": _window,
    "pool": _pool,
    "boundary": _boundary,
    "fifo": _fifo,
    "fork": _fork,
    "width": _width,
}


def samples(kind: str, seed: int, count: int) -> list[Kernel | Fifo]:
    """``count`` kernels of a kind (of ``resource_cases.CASES``)."""
    draw = Draw(seed)
    attempts = (_attempt(_BY_KIND[kind], draw) for _ in count_from(0))
    return list(islice((kernel for kernel in attempts if kernel is not None), count))
