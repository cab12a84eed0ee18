"""What a kernel will take of the device, before synthesis.

DSP blocks and block RAMs follow from formulas. LUTs and flip-flops are sums over physical features of the kernel (bits
of adders, of multiplexers, of ROMs, of counters, ...), each times a coefficient from ``resources.json``, which
``scripts/calibrate_resources.py`` fits to the results of Yosys, per kind of kernel and device family.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hlsgen.board import Family
from hlsgen.exact.units import Float24Unit, FloatJoinUnit, ScaleUnit, ThresholdUnit
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import Kernel, RamStyle
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.fifo import Fifo
from hlsgen.kernels.matvec import Mac, Matvec
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.window import Window
from hlsgen.plan.features import FEATURES, Features, fifo
from hlsgen.plan.primitives import Use, block_ram, lut_ram

__all__ = ["Use", "estimate", "estimate_fifo"]

Coefficients = dict[str, dict[str, float]]
"""LUTs and flip-flops ("lut", "ff") per unit of a feature."""


def estimate(kernel: Kernel, family: Family) -> Use:
    """What ``kernel`` will take on a device of ``family``."""
    features = FEATURES.get(type(kernel))
    return _rough(kernel, family) if features is None else weigh(features(kernel, family), family)


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
    """The calibrated table of a family: by variant of a kernel."""
    tables: dict[str, dict[str, Coefficients]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return tables.get(family.value, {})


TABLE = Path(__file__).with_name("resources.json")
"""Written by ``scripts/calibrate_resources.py``."""


def _rough(kernel: Kernel, family: Family) -> Use:
    """What ``kernel`` will take on a device of ``family``."""
    width_in = sum(spec.width for spec in kernel.inputs)
    width_out = sum(spec.width for spec in kernel.outputs)
    use = Use(lut=40, ff=40) + lut_ram(width_out, 16, family)
    match kernel:
        case Matvec() | Depthwise():
            products = kernel.pe * (kernel.simd if isinstance(kernel, Matvec) else kernel.taps)
            rows = kernel.cycles // kernel.pixels
            weights = _rom(products * kernel.weight_type.bits, rows, getattr(kernel, "memory", RamStyle.BLOCK))
            bits = kernel.input_type.bits + kernel.weight_type.bits
            use += weights + lut_ram(width_in, 2 * getattr(kernel, "input_fold", 1), family)
            use += _products(kernel.mac, products, bits)
            use += Use(lut=products * (bits + 1) + width_out, ff=products * (bits + 1) + 2 * width_out)
        case Window():
            row = kernel.frame[1] * kernel.pixel_beats
            use += block_ram(width_in * (kernel.geometry.kernel[0] + 1), row)
            use += Use(lut=100 + width_out // 2, ff=60 + width_out)
        case Requant():
            use += _requant(kernel)
        case Add():
            lanes, passes = kernel.lanes, getattr(kernel, "passes", 1)
            float_join = isinstance(kernel.unit, FloatJoinUnit)
            use += Use(lut=lanes * (330 if float_join else 80), ff=lanes * (200 if float_join else 120))
            use += Use(dsp=lanes * (1 if float_join else 2) // passes)
        case _:
            use += Use(lut=width_in + width_out, ff=width_in + width_out)
    return use


def _products(mac: Mac, products: int, bits: int) -> Use:
    match mac:
        case Mac.DSP2:
            return Use(dsp=products // 2)
        case Mac.DSP:
            return Use(dsp=products)
        case Mac.LUT:
            return Use(lut=products * bits * bits // 4)
        case Mac.XNOR:
            return Use(lut=products)


def _rom(width: int, depth: int, style: RamStyle) -> Use:
    if style is RamStyle.BLOCK:
        return block_ram(width, depth)
    return Use(lut=width * max(1, -(-depth // 64)))


def _requant(kernel: Requant) -> Use:
    lanes, passes = kernel.lanes, getattr(kernel, "passes", 1)
    rom = _rom(sum(row.width for row in _images(kernel)), kernel.frame[2] // lanes, RamStyle.DISTRIBUTED)
    match kernel.unit:
        case Float24Unit():
            return rom + Use(lut=300 * lanes, ff=220 * lanes, dsp=-(-2 * lanes // passes))
        case ScaleUnit():
            return rom + Use(lut=90 * lanes, ff=120 * lanes, dsp=lanes)
        case ThresholdUnit(levels=levels):
            depth = kernel.frame[2] // lanes
            bits = kernel.input_type.bits
            roms = Use()
            for level in range(levels):
                style = RamStyle.BLOCK if depth << level > 128 else RamStyle.DISTRIBUTED
                roms += _rom(bits * lanes, depth << level, style)
            return roms + Use(lut=levels * (bits // 2 + 4) * lanes, ff=levels * bits * lanes)
        case _:
            return rom + Use(lut=60 * lanes, ff=60 * lanes)


def _images(kernel: Requant) -> list[_Shape]:
    return [_Shape(memory.type.bits * kernel.lanes) for memory in kernel.memories()]


@dataclass(frozen=True)
class _Shape:
    width: int
