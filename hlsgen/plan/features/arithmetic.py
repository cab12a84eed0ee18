"""Parts of requant and add: parameters of channels, operand, products with constants, rounding.

Registers in a row that nothing reads on the way become a shift register in LUTs (``chain``), so what is stored is
counted from the register where it is made to the one where it is used, through all modules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.kernels.base import Kernel, RamStyle
from hlsgen.plan.features.contents import Columns
from hlsgen.plan.features.parts import Features, chain, counter, dsps, known_rom, rom
from hlsgen.plan.lookup import Planes
from hlsgen.plan.primitives import Use, bits_for

FLOOR, FLOAT = 4, 8
"""ROUNDING of requant_round.sv."""

PART = 17
"""Bits of a factor's part that a multiplier takes, without a sign."""


class Parameters:
    """Parameters of a SystemVerilog module by name, with their types known."""

    def __init__(self, kernel: Kernel) -> None:
        self._values = kernel.rtl_parameters()

    def __getitem__(self, name: str) -> int:
        value = self._values.get(name, 0)
        assert isinstance(value, int)
        return value

    def each(self, name: str) -> tuple[int, ...]:
        """A parameter that is an array."""
        value = self._values[name]
        assert isinstance(value, tuple)
        return value

    @property
    def rounding(self) -> int:
        """ROUNDING of requant_round.sv."""
        return FLOAT if self["UNIT"] == 3 else self["ROUNDING"]

    @property
    def ends(self) -> tuple[int, int] | None:
        """The clamp's, if they are the same for all channels."""
        if "LO" in self._values:
            return self["LO"], self["HI"]
        return None if any(self.each("VARIES")[3:]) else (self.each("VALUE")[3], self.each("VALUE")[4])

    @property
    def point(self) -> int:
        """Bits of the sum below the integer."""
        return self["DROP"] + self["SHIFT"]

    @property
    def needed(self) -> int:
        """The lowest bit of the sum that the rounding looks at."""
        return self.point if self.rounding == FLOOR else self["DROP"]


class Channels:
    """``hlsgen_requant_channels``, added to ``features``: its ROM, and the registers until its fields are used.

    Of each field: ``bits``, the distinct ones that change, in all lanes; ``varying``, those that change; ``lowest``,
    the lowest bit that is not always 0.
    """

    def __init__(self, features: Features, p: Parameters, image: Columns, style: RamStyle) -> None:
        self._features, self._in_luts = features, style is RamStyle.DISTRIBUTED
        self._uses: dict[bytes, set[int]] = {}
        widths = [bits if varies else 0 for bits, varies in zip(p.each("BITS"), p.each("VARIES"), strict=True)]
        names, lane_bits, lanes = image.names, sum(widths), p["LANES"]
        self._names: list[list[list[bytes]]] = []
        self._columns: list[list[list[Planes]]] = []
        counts, lows, changing, below = [], [], [], 0
        for bits, whole, value in zip(widths, p.each("BITS"), p.each("VALUE"), strict=True):
            columns = [[lane * lane_bits + below + bit for lane in range(lanes)] for bit in range(bits)]
            held = [[image.column(at) for at in row] for row in columns]
            self._columns.append(held or [[np.array([value >> bit & 1], np.uint8)] * lanes for bit in range(whole)])
            self._names.append([[name for at in row if (name := names[at])] for row in columns])
            counts.append(len({name for row in self._names[-1] for name in row}))
            changing.append(sum(len(row) for row in self._names[-1]))
            low = image.choose([at for row in columns for at in row]).lowest // lanes
            lows.append(low if bits else (value & -value).bit_length() - 1 if value else 0)
            below += bits
        self.bits, self.varying, self.lowest = tuple(counts), tuple(changing), tuple(lows)
        if image.words < 2:
            return
        counter(features, image.words, "channel counter")
        if self._in_luts:
            features.add("channel rom", lut=image.rom_luts)
        else:
            rom(features, "channel", image.varying, image.words, style)  # Yosys drops columns that never change

    def changing(self, field: int, lane: int) -> int:
        """Bits of a field that change in a lane."""
        return sum(bool((row[lane] != row[lane][0]).any()) for row in self._columns[field])

    def lowest_of(self, field: int, lane: int) -> int:
        """The lowest bit of a field that is not always 0 in a lane; its bits if there is none."""
        used = (at for at, row in enumerate(self._columns[field]) if row[lane].any())
        return next(used, len(self._columns[field]))

    def is_zero(self, field: int) -> bool:
        """Whether a field is 0 in all lanes, always."""
        return not any(column.any() for row in self._columns[field] for column in row)

    def smallest(self, field: int, lane: int) -> int:
        """The smallest value of an unsigned field in a lane."""
        return int(np.min(sum(row[lane].astype(np.int64) << at for at, row in enumerate(self._columns[field]))))

    def use(self, field: int, cycles: int, absorbed: int = 0) -> None:
        """A field is used ``cycles`` after it comes from the ROM; a DSP block takes in ``absorbed`` registers."""
        for bit in range(len(self._names[field])):
            self.use_bit(field, bit, max(0, cycles - absorbed))

    def use_bit(self, field: int, bit: int, cycles: int) -> None:
        """A bit of a field is used; constants are not."""
        for name in self._names[field][bit] if self._names[field] else ():
            self._uses.setdefault(name, set()).add(1 + cycles)

    def digits(self, field: int, bits: int, lane: int) -> list[set[int]]:
        """Values of the digits of a field in Booth's radix-4 recoding, the lowest digit first."""
        columns = [row[lane].astype(np.int64) for row in self._columns[field][:bits]]
        columns = [np.zeros_like(columns[0]), *columns, *columns[-1:] * (bits % 2)]
        triples = zip(columns[:-2:2], columns[1:-1:2], columns[2::2], strict=True)
        return [set((below + low - 2 * high).tolist()) for below, low, high in triples]

    def delay(self) -> None:
        """Add the registers of everything that is used: equal columns have the same, those of a block RAM one less."""
        for times in self._uses.values():
            before = 0 if self._in_luts else 1
            for time in sorted(times - {before}):
                chain(self._features, "delays", 1, time - before)
                before = time


def shift_luts(x: int, total: int, distance: int) -> int:
    """LUTs that shift ``x`` signed bits to the left within ``total``, by ``distance`` bits of a distance that changes.

    Two of these bits choose among four in a LUT; bits to which nothing but the sign comes need none. Of the next two
    the lowest three results have few enough inputs to be one LUT with those of the first.
    """
    luts = 0
    for chosen in range(0, distance, 2):
        reach = 1 << min(chosen + 2, distance)
        luts += min(total, x + reach - 2) - (3 if chosen else 0)
    return luts


def operand(features: Features, p: Parameters, channels: Channels, x: int, in_dsp: bool) -> None:
    """Add ``hlsgen_requant_operand`` in every lane. ``in_dsp``: whether its register goes into a DSP block."""
    lanes, bits, shifted = p["LANES"], p["OPERAND_BITS"], x + (p["EXTRA"] > 0) + p["LEFT_MOST"]
    if p["EXTRA"]:
        features.add("pre-rounding", lut=lanes * x, ff=lanes * 2 * x)
        features.add("pre-rounded bits", lut=lanes * p["EXTRA"] * 4, ff=lanes * p["EXTRA"])
    if p["LEFT_MOST"]:
        for lane in range(lanes):
            luts = shift_luts(shifted - p["LEFT_MOST"], shifted, channels.changing(0, lane))
            features.add("left shift", lut=luts, ff=shifted - channels.smallest(0, lane))
    if p["CLIP"] == 1:
        features.add("saturation", lut=lanes * (bits + (shifted - bits) / 5))
        features.add("clipped", ff=0 if in_dsp else lanes * bits)
    elif p["CLIP"] == 2:
        features.add("clip", lut=lanes * shifted)
        features.add("clipped", ff=lanes * bits)


@dataclass(frozen=True)
class Product:
    """Shape of a ``hlsgen_requant_product``.

    Bits of operand, factor and sum; ``add``: registers of what is added, 0 for a constant; ``low``: the lowest bit of
    it that is not always 0; ``constant``: the factor, if it is one, else 0; ``shared``: one multiplier for two parts,
    which adds one of ``add_bits``.
    """

    x: int
    factor: int
    total: int
    parts: int
    add: int
    low: int
    constant: int = 0
    shared: bool = False
    add_bits: int = 0


Waits = list[int]
"""Per bit of a sum, the registers through which it comes since it was last computed; none in a DSP block."""


def store(features: Features, lanes: int, waits: Waits) -> None:
    """Add the registers of a sum that is computed with further."""
    for registers in waits:
        chain(features, "sums", lanes, registers)


def _blocks(shape: Product, value: int) -> int:
    """DSP blocks of a part of a product whose factor's part is ``value``, unless the factor changes."""
    if shape.constant and abs(value).bit_count() < 2:  # a shift
        return 0
    return dsps(shape.x, shape.factor if shape.parts == 1 else PART + 1)


def product(features: Features, shape: Product, lanes: int, needed: int, in_dsp: bool) -> tuple[Waits, bool]:
    """Add ``hlsgen_requant_product`` in every lane, without the registers of the result's bits that are complete.

    And without those of what is added, which waits for a cycle if the second result says so.
    ``needed``: the lowest bit of the result that counts. ``in_dsp``: whether DSP blocks have registers and adder.
    """
    total, parts = shape.total, shape.parts
    if shape.shared:
        features.take(Use(dsp=lanes * dsps(shape.x, PART + 1)))
        features.add("shared product", lut=lanes * (max(shape.add_bits if shape.add else 0, total - PART) + 1))
        features.add("shared low parts", ff=1 + lanes * max(0, PART - 1 - needed))
        if not in_dsp:
            features.add("products", ff=lanes * (shape.x + PART + 1))
            features.add("sums", ff=lanes * total)
        return [0] * total, True
    cut = [shape.constant >> PART * part for part in range(parts)]
    values = [*(value % (1 << PART) for value in cut[:-1]), cut[-1]]
    blocks = [_blocks(shape, value) for value in values]
    features.take(Use(dsp=lanes * sum(blocks)))
    zeros = [(value & -value).bit_length() - 1 if value else 0 for value in values]
    # Yosys takes a factor's zeros off, and then misses the adder
    packed = [in_dsp and blocks[part] > 0 and zeros[part] == 0 for part in range(parts)]
    waits, waiting = [0] * total, False
    add, low = shape.add, shape.low
    for part in range(parts):
        if shape.constant and not values[part] and not add:
            low = max(0, low - PART)
            continue  # nothing but a constant
        last = part == parts - 1
        here, factor = total - PART * part, shape.factor - PART * part if last else PART + 1
        multiplied = min(shape.x + factor, here)
        width = min(here, max(multiplied, add) + 1)
        bottom = max(zeros[part], low)  # nothing is added below
        if not packed[part]:
            waiting |= part == 0
            if part or add:  # a constant is added by the carry chain alone
                features.add("product sums", lut=lanes * (width - bottom))
            if not last and not packed[part + 1]:  # the next DSP block has a register for what it adds
                features.add("sums", ff=lanes * (width - PART))
        if not in_dsp:
            features.add("products", ff=lanes * max(0, multiplied - bottom))
            features.add("operands", ff=lanes * part * (shape.x + (0 if values[part] else factor)))
        for bit in range(here if last else PART):
            at = PART * part + bit
            if not add and bit < min(zeros[part], low):
                continue  # always 0
            waits[at] = parts - 1 - part + (not packed[part])
            if bit < bottom and (not in_dsp or (add > low and bit < zeros[part])):
                waits[at] += 1  # the register before the adder
        add, low = width - PART, 0
    return waits, waiting


SMALL = 8
"""Bits of an operand up to which Yosys chooses its multiple within the adder."""


def rows(
    features: Features,
    channels: Channels,
    field: int,
    x: int,
    factor: int,
    add: int,
    total: int,
    lanes: int,
    waited: int,
    first: bool,
) -> Waits:
    """Add ``hlsgen_requant_rows`` in every lane, without the registers of the result's bits that are complete.

    ``field``: the factor, of so many bits. ``waited``: cycles for which it has been delayed already. ``first``:
    whether the field 2 is added to, not another sum.
    """
    count = (factor + 1) // 2
    stages = (count + 1) // 2
    width = add
    digits = [channels.digits(field, factor, lane) for lane in range(lanes)]
    lows = [channels.lowest_of(2, lane) if first else 0 for lane in range(lanes)]
    for row in range(count):
        width = min(total, max(width, x + 1 + 2 * row) + 1)
        added, multiple = width - 2 * row, min(x + 1, width - 2 * row)
        for lane, low in enumerate(lows):
            values = digits[lane][row]
            if values == {0}:
                continue
            luts, alone = added, min(max(0, low - 2 * row), added)  # bits to which nothing is added yet
            if len(values) == 1:
                luts -= alone
            elif x > SMALL:
                chosen = max(0, multiple - alone)
                luts -= chosen
                # behind the first stages' carry chains there is time to choose the multiple in the adder's LUTs
                name = "first row" if row == 0 else "early rows" if row // 2 < stages / 2 else "late rows"
                features.add(name, lut=chosen)
            features.add("row sums", lut=luts)
            lows[lane] = 0
        if row % 2 and row // 2 < stages - 1:
            features.add("sums", ff=lanes * max(0, width - 2 * (row + 1)))
    for bit in range(factor):  # of a digit, and an odd one of the next digit too
        channels.use_bit(field, bit, waited + bit // 4)
        if bit % 2 and bit + 1 < 2 * count:
            channels.use_bit(field, bit, waited + (bit + 1) // 4)
    features.add("row operands", ff=lanes * x * (stages - 1))
    return [stages - min(bit // 4, stages - 1) for bit in range(total)]


def tables(features: Features, lanes: int, x: int, first: int, total: int, image: Columns) -> Waits:
    """Add ``hlsgen_requant_tables`` in every lane, without the registers of the result's bits that are complete."""
    groups = 1 if x <= first else 1 + -(-(x - first) // 5)
    start = image.rows(0, 1 << first)
    for _ in range(lanes):
        known_rom(features, "first table", start)
    waits = [groups] * total
    for group in range(1, groups):
        origin = (1 << first) + 32 * (group - 1)
        table = image.rows(origin, origin + 32)
        lowest = table.lowest  # bits below are complete
        features.add("tables", lut=lanes * (total - lowest))
        if group > 1:  # the first table has registers of its own
            features.add("sums", ff=lanes * (total - lowest))
        waits[lowest:] = [groups - group] * (total - lowest)
        here = lanes * min(5, x - first - 5 * (group - 1))
        for _ in range(lanes):
            known_rom(features, "table", table)
        chain(features, "delays", here, group)  # the index' last register moves behind the table
        features.add("input register", ff=-here)
    return waits


def rounding(features: Features, p: Parameters, is_float: bool, varying: tuple[int, int], waits: Waits) -> None:
    """Add ``hlsgen_requant_round`` in every lane, with the registers of the sum.

    ``varying``: registers of the clamp's ends.
    """
    lanes, out, shift, zero, point = p["LANES"], p["OUTPUT_BITS"], p["SHIFT"], p["ZERO_POINT"], p.point
    k = max(1, p["SUM_BITS"] - point)
    near = min(p["NEAR_BITS"], k)
    rounds = is_float or (shift > 0 and p.rounding not in (FLOOR, 7))
    top = min(near - 1, 22)  # of the float32's window
    straight = not rounds and not zero  # k itself is the rounded number
    exact = straight and k == near and p.ends is not None
    lowest, highest = p.ends or (0, 0)
    never_below, never_above = exact and lowest <= -1 << k - 1, exact and highest >= (1 << k - 1) - 1
    whole = never_below and never_above  # every one is a result
    one_sided = never_below or never_above
    for bit, registers in enumerate(waits[: p["SUM_BITS"]]):
        if bit < p.needed:
            continue
        more = 0
        if point <= bit < point + near:
            more = 3 if whole else 2 if straight and (k == near or bit < point + near - 1) else 1
        elif (is_float and shift - 25 <= bit <= shift - 25 + top) or (rounds and not is_float and bit == point - 1):
            more = 1
        chain(features, "sums", lanes, registers + more)
    rounded = max(near, bits_for(abs(zero) + 1) + 1) + 1
    if whole:
        return
    if not straight or k > near:
        features.add("rounded", ff=lanes * (1 if straight else rounded))
    if k > near:
        features.add("far", lut=lanes * -(-(k - near) // 5), ff=lanes * 4)
    if is_float:
        features.add("float ties", lut=lanes * (2 * (24 - top) + max(0, shift - 25)) / 4, ff=lanes * 3)
        features.add("float rounding", lut=lanes * near * 2.6)
        features.add("float zero point", lut=lanes * rounded * 0.6 if zero else 0)
    elif rounds:
        features.add("fraction", lut=lanes * (2 + -(-(shift - 1) // 5)), ff=lanes)
        features.add("zero point", lut=lanes * 2 if zero else 0)
    if one_sided:
        features.add("clamp", lut=0 if lowest == 0 else lanes * 2, ff=lanes * out)  # the register's reset
    else:
        features.add("clamp", lut=lanes * (out + 1), ff=lanes * out)
    for varies in varying:
        if varies:
            features.add("clamp ends", lut=lanes * rounded)
