"""Functions of each element: requant, table, add."""

from __future__ import annotations

from hlsgen.board import Family
from hlsgen.exact.units import Float24Unit, LinearJoinUnit, ShiftUnit, ThresholdUnit
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.table import Table
from hlsgen.plan.features.arithmetic import (
    Channels,
    Parameters,
    Product,
    operand,
    product,
    rounding,
    rows,
    shift_luts,
    store,
    tables,
)
from hlsgen.plan.features.contents import Columns, image_of
from hlsgen.plan.features.parts import Features, chain, counter, known_rom, rom
from hlsgen.plan.primitives import bits_for, lut_ram

METHODS = ("dsp", "rows", "tables")
"""How a product with constants is made; METHOD of the SystemVerilog."""


def requant(kernel: Requant, family: Family) -> Features:
    """``hlsgen_requant``."""
    p, features = Parameters(kernel), Features("elementwise", lut={}, ff={})
    passes, latency = kernel.passes, kernel.latency - 2
    if isinstance(kernel.unit, ThresholdUnit):
        _search(features, p, kernel)
    else:
        _arithmetic(features, p, kernel, family)
    features.add("valid", ff=latency + 1)
    if passes == 2:
        features.add("second pass", lut=5, ff=1)
    _output(features, kernel, (kernel.latency + passes) // passes, family)
    return features


def _output(features: Features, kernel: Requant | Table | Add, depth: int, family: Family) -> None:
    """Add the ``hlsgen_queue`` at a kernel's output."""
    address, count = bits_for(depth), bits_for(depth + 1)
    features.take(lut_ram(kernel.lanes * kernel.output_type.bits, 1 << address, family))
    # counters of three bits and more are carry chains without LUTs
    features.add("control", lut=6 + address + 2 * (count - 1), ff=3 * address + 2 * count + 2)


def _arithmetic(features: Features, p: Parameters, kernel: Requant, family: Family) -> None:
    """Add the units that compute: shift, scale, float24."""
    lanes, passes, unit = kernel.lanes, kernel.passes, kernel.unit
    method = "shift" if isinstance(unit, ShiftUnit) else METHODS[p["METHOD"]]
    is_float = isinstance(unit, Float24Unit)
    style = RamStyle(kernel.rtl_parameters().get("CHANNELS_STYLE", RamStyle.DISTRIBUTED.value))
    channels = Channels(features, p, image_of(kernel, "channels"), style)
    _, _, add, lo, hi = channels.bits
    operand_cycles = 2 * (p["EXTRA"] > 0) + (p["LEFT_MOST"] > 0) + (p["CLIP"] > 0)
    sum_cycles = kernel.latency - 5
    in_dsp = method == "dsp" and family is Family.ZYNQ_7000  # Yosys packs no registers into a DSP48E2
    for end in (3, 4):
        channels.use(end, sum_cycles + 2)
    if not (in_dsp and operand_cycles == 0):
        features.add("input register", ff=lanes * p["INPUT_BITS"])
        if passes == 2:
            features.add("held input", lut=1)
    if method == "shift":
        total = p["SUM_BITS"]
        for lane in range(lanes):
            distance = channels.changing(0, lane)
            features.add("shifter", lut=shift_luts(p["X_BITS"], total, distance))
            if channels.changing(1, lane) and distance % 2 == 0:  # a LUT that chooses between two can negate, too
                features.add("negation", lut=total)
            features.add("shifted", ff=total - channels.smallest(0, lane))
        features.add("sum", lut=channels.varying[2] + lanes * (total - p.each("BITS")[2]))
        for field, cycles in enumerate((0, 1, 1)):
            channels.use(field, cycles)
        channels.delay()
        # below the lowest bit of what is added, x only waits: three registers from the input to the sum
        waiting = channels.lowest[2] if all(channels.is_zero(field) for field in (0, 1)) else 0
        features.add("input register", ff=-lanes * waiting)
        features.add("shifted", ff=-lanes * waiting)
        rounding(features, p, is_float=False, varying=(lo, hi), waits=[3] * waiting + [1] * (total - waiting))
        return
    if method == "dsp":
        channels.use(1, operand_cycles, absorbed=2 if in_dsp else 0)
    waiting = False
    channels.use(0, 2 if p["EXTRA"] else 0)
    operand(features, p, channels, p["X_BITS"], in_dsp)
    bits, total, factor_bits = p["OPERAND_BITS"], p["SUM_BITS"], p.each("BITS")[1]
    add_bits = p["SHIFT"] + 1 if is_float else p.each("BITS")[2]
    if method == "dsp":
        constant = 0 if p.each("VARIES")[1] else p.each("VALUE")[1]
        shared = passes == 2 and p["PARTS"] == 2
        low = p["SHIFT"] - 1 if is_float else channels.lowest[2]
        shape = Product(bits, factor_bits, total, p["PARTS"], add // lanes, low, constant, shared, add_bits)
        waits, waiting = product(features, shape, lanes, p.needed, in_dsp)
    elif method == "rows":
        waits = rows(features, channels, 1, bits, factor_bits, add_bits, total, lanes, operand_cycles, first=True)
    else:
        waits = tables(features, lanes, bits, 6, total, image_of(kernel, "tables"))
    channels.use(2, operand_cycles + waiting)
    channels.delay()
    rounding(features, p, is_float, (lo, hi), waits)


SHALLOW_SEARCH = 64
"""Words up to which ``hlsgen_requant_threshold`` makes a memory of LUTs whatever was asked for."""


def _search(features: Features, p: Parameters, kernel: Requant) -> None:
    """Add ``hlsgen_requant_threshold``."""
    lanes, x, levels, level_tiles = p["LANES"], p["X_BITS"], p["LEVELS"], p["LEVEL_TILES"]
    tiles = max(level_tiles, p["VALUE_TILES"])
    channels = Channels(features, p, image_of(kernel, "channels"), RamStyle.DISTRIBUTED)
    _, falling, base, _, _ = channels.bits
    counter(features, tiles, "tile counter")
    features.add("tiles", ff=bits_for(tiles) * (levels - 1))
    features.add("input register", ff=lanes * x)
    features.add("operands", ff=lanes * x * (levels - 1))
    for level in range(levels):
        # every lane has an address of its own and reads its own column, or the memory again
        style = kernel.memory if level_tiles << level > SHALLOW_SEARCH else RamStyle.DISTRIBUTED
        image = image_of(kernel, f"level{level}")
        if level_tiles << level > 1:
            if level:
                _lookup(features, "threshold", image, lanes, x, style)
            elif style is RamStyle.DISTRIBUTED:
                known_rom(features, "threshold", image)
            else:
                rom(features, "threshold", image.varying, level_tiles, style)
        features.add("comparisons", lut=lanes * x * 0.73)
    direct = not base and not falling and not p.each("VALUE")[1] and not p.each("VALUE")[2]
    if p["COUNTS"]:
        for field in (1, 2):
            channels.use(field, levels)
        channels.delay()
    if p["COUNTS"] and not direct:
        features.add("result", lut=lanes * p["RESULT_BITS"], ff=lanes * p["OUTPUT_BITS"])
    for bit in range(levels):
        # a comparison's outcome is an address of every level after the next, but for the last ones
        read = max(0, levels - 2 - bit)
        features.add("runs", ff=lanes * read)
        chain(features, "runs", lanes, levels - max(bit, levels - 2) + (p["COUNTS"] > 0 and direct))
    if not p["COUNTS"]:
        _lookup(features, "value", image_of(kernel, "values"), lanes, p["OUTPUT_BITS"], kernel.memory)


def _lookup(features: Features, name: str, image: Columns, lanes: int, bits: int, style: RamStyle) -> None:
    """Add a ROM for each of ``lanes``, addressed by data; of one column of ``bits`` bits, or a column for each."""
    columns = max(1, image.width // bits)
    count = lanes // columns
    for column in range(columns):
        here = image.part(column * bits, bits)
        if style is RamStyle.BLOCK:  # whole, although other lanes' columns are not read
            below = image.part(0, column * bits).varying
            for _ in range(count):
                rom(features, name, image.varying, image.words, style, range(below, below + here.varying))
            continue
        for _ in range(count):
            known_rom(features, name, here)


def table(kernel: Table, family: Family) -> Features:
    """``hlsgen_table``."""
    p, features = Parameters(kernel), Features("elementwise", lut={}, ff={})
    _lookup(features, "value", image_of(kernel, "values"), kernel.lanes, p["OUTPUT_BITS"], kernel.memory)
    counter(features, p["TILES"], "tile counter")
    features.add("valid", ff=1)
    _output(features, kernel, 3, family)
    return features


def add(kernel: Add, family: Family) -> Features:
    """``hlsgen_add``."""
    p, features = Parameters(kernel), Features("elementwise", lut={}, ff={})
    linear = isinstance(kernel.unit, LinearJoinUnit)
    method, lanes, latency = METHODS[p["METHOD"]], kernel.lanes, kernel.latency - 2
    in_dsp = method == "dsp" and family is Family.ZYNQ_7000
    channels = Channels(features, p, image_of(kernel, "channels"), RamStyle.DISTRIBUTED)
    addend = channels.bits[2]
    bits, varies, values, total = p.each("BITS"), p.each("VARIES"), p.each("VALUE"), p["SUM_BITS"]
    if method == "tables":
        first = p["FIRST"]
        waits = tables(features, lanes, p["A_BITS"] + p["B_BITS"], first, total, image_of(kernel, "tables"))
        features.add("input register", ff=lanes * (p["A_BITS"] + p["B_BITS"]))
    elif not linear:
        terms = image_of(kernel, "b_term")
        for _ in range(lanes):
            known_rom(features, "term", terms)
        shape = Product(p["A_X_BITS"], bits[0], total, p["A_PARTS"], p["TERM_BITS"], terms.lowest, values[0])
        waits, waiting = product(features, shape, lanes, p.needed, in_dsp)
        features.add("addends", ff=lanes * p["TERM_BITS"] if waiting else 0)
        if not in_dsp:
            features.add("input register", ff=lanes * p["A_BITS"])
    elif method == "dsp":
        of_a, of_b = (0 if varies[i] else values[i] for i in (0, 1))
        shape_a = Product(p["A_X_BITS"], bits[0], total, p["A_PARTS"], addend // lanes, channels.lowest[2], of_a)
        sum_waits, addend_waits = product(features, shape_a, lanes, 0, in_dsp)
        shape_b = Product(p["B_X_BITS"], bits[1], total, p["B_PARTS"], total, 0, of_b)
        waits, waiting = product(features, shape_b, lanes, p.needed, in_dsp)
        # the register in front of the second adder is the next one in the row
        unread = min((of_b & -of_b).bit_length() - 1, p.needed) if of_b else 0  # bits that the second sum lets pass
        store(features, lanes, [registers + waiting for registers in sum_waits[unread:]])
        cycles, absorbed = p["A_PARTS"] + 1, 2 if in_dsp else 0
        chain(features, "delays", lanes * p["B_BITS"], 1 + max(0, cycles - absorbed))
        for field, waited in ((0, 0), (1, max(0, cycles - absorbed)), (2, int(addend_waits))):
            channels.use(field, waited)
        if not in_dsp:
            features.add("input register", ff=lanes * p["A_BITS"])
    else:
        cycles = (bits[0] + 3) // 4
        channels.use(2, 0)
        first_waits = rows(features, channels, 0, p["A_X_BITS"], bits[0], bits[2], total, lanes, 0, first=True)
        store(features, lanes, first_waits)
        waits = rows(features, channels, 1, p["B_X_BITS"], bits[1], total, total, lanes, cycles, first=False)
        chain(features, "delays", lanes * p["B_BITS"], 1 + cycles)
        features.add("input register", ff=lanes * p["A_BITS"])
    channels.delay()
    rounding(features, p, not linear, (0, 0), waits)
    features.add("valid", ff=latency + 1)
    _output(features, kernel, kernel.latency + 1, family)
    return features
