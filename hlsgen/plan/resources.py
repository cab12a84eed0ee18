"""What a kernel will take of the device, before synthesis.

DSP blocks and block RAMs follow from formulas. LUTs and flip-flops are sums over physical features of the kernel (bits
of adders, of multiplexers, of ROMs, of counters, ...), each times a coefficient from ``resources.json``, which
``scripts/calibrate_resources.py`` fits to the results of Yosys, per kind of kernel and device family.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from hlsgen.board import Family
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.fifo import Fifo
from hlsgen.plan.features import FEATURES, Features, fifo
from hlsgen.plan.primitives import Use

__all__ = ["Use", "estimate", "estimate_fifo"]

Coefficients = dict[str, dict[str, float]]
"""LUTs and flip-flops ("lut", "ff") per unit of a feature."""


def estimate(kernel: Kernel, family: Family) -> Use:
    """What ``kernel`` will take on a device of ``family``."""
    return weigh(FEATURES[type(kernel)](kernel, family), family)


def estimate_fifo(width: int, depth: int, family: Family) -> Use:
    """The FIFO of a stream of ``width`` bits that holds ``depth`` beats; nothing for a depth of 2 or less."""
    return weigh(fifo(Fifo(width, depth), family), family)


def weigh(features: Features, family: Family) -> Use:
    """The sum over the features, each times its coefficient; a coefficient not calibrated is 1."""
    table = coefficients(family).get(features.variant, {})
    totals = {
        kind: round(sum(amount * table.get(kind, {}).get(name, 1.0) for name, amount in amounts.items()))
        for kind, amounts in (("lut", features.lut), ("ff", features.ff))
    }
    exact = features.exact
    return replace(exact, lut=exact.lut + max(0, totals["lut"]), ff=exact.ff + max(0, totals["ff"]))


@cache
def coefficients(family: Family) -> dict[str, Coefficients]:
    """The calibrated table of a family, by variant of a kernel; what it lacks is taken from the 7 series'."""
    tables: dict[str, dict[str, Coefficients]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return tables.get(Family.ZYNQ_7000.value, {}) | tables.get(family.value, {})


TABLE = Path(__file__).with_name("resources.json")
"""Written by ``scripts/calibrate_resources.py``."""
