"""Physical features of the SystemVerilog kernels: what their LUTs and flip-flops are proportional to.

One function per kind of kernel, written after its file in ``ip_repo/``. What follows from a formula (DSP blocks, block
RAMs, LUTs used as memory) is in ``Features.exact``; the rest is counted in bits of this and that, to be weighed by the
coefficients of ``resources.json``. A kind may have variants with coefficients of their own.
"""

from __future__ import annotations

from collections.abc import Callable

from hlsgen.kernels.add import Add
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.concat import Concat
from hlsgen.kernels.depthwise import Depthwise
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
from hlsgen.plan.features.boundary import pack, unpack
from hlsgen.plan.features.dot import depthwise, matvec
from hlsgen.plan.features.elementwise import add, requant, table
from hlsgen.plan.features.parts import Features
from hlsgen.plan.features.pool import pool
from hlsgen.plan.features.streams import concat, fifo, fork, width
from hlsgen.plan.features.window import window

__all__ = ["FEATURES", "Features", "fifo"]

FEATURES: dict[type[Kernel], Callable[..., Features]] = {
    Add: add,
    Concat: concat,
    Depthwise: depthwise,
    Fork: fork,
    Matvec: matvec,
    MaxPool: pool,
    Pack: pack,
    Requant: requant,
    SumPool: pool,
    Table: table,
    Unpack: unpack,
    Width: width,
    Window: window,
}
"""By class of kernel."""
