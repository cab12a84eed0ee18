"""Physical features of the SystemVerilog kernels: what their LUTs and flip-flops are proportional to.

One function per kind of kernel, written after its file in ``ip_repo/``. What follows from a formula (DSP blocks, block
RAMs, LUTs used as memory) is in ``Features.exact``; the rest is counted in bits of this and that, to be weighed by the
coefficients of ``resources.json``. A kind may have variants with coefficients of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce
from math import gcd
from operator import and_, or_

import numpy as np

from hlsgen.board import Family
from hlsgen.exact.units import Float24Unit, LinearJoinUnit, ShiftUnit, ThresholdUnit
from hlsgen.graph.types import IntArray
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import Kernel, MemoryImage, RamStyle
from hlsgen.kernels.concat import Concat
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac, tree_levels
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
from hlsgen.plan.primitives import (
    Use,
    banked_block_ram,
    bits_for,
    block_banks,
    block_ram,
    interpolate,
    lookup_luts,
    lut_ram,
    rom_luts,
    shift_register,
)


@dataclass
class Features:
    """``variant``: whose coefficients to use. ``exact`` is taken as it is, ``lut`` and ``ff`` are weighed."""

    variant: str
    exact: Use = field(default_factory=Use)
    lut: dict[str, float] = field(default_factory=lambda: {"one": 1.0})
    ff: dict[str, float] = field(default_factory=lambda: {"one": 1.0})

    def add(self, name: str, lut: float = 0.0, ff: float = 0.0) -> None:
        """Count more of a feature, in LUTs, in flip-flops or in both, as if its coefficient were 1."""
        for amounts, amount in ((self.lut, lut), (self.ff, ff)):
            if amount:
                amounts[name] = amounts.get(name, 0.0) + amount

    def take(self, use: Use) -> None:
        """Add to what is known exactly."""
        self.exact += use

    def merge(self, part: Features, count: int) -> None:
        """Count all of ``part`` that many times."""
        for name, amount in part.lut.items():
            self.add(name, lut=count * amount)
        for name, amount in part.ff.items():
            self.add(name, ff=count * amount)
        self.take(part.exact * count)


def fifo(fifo: Fifo, family: Family) -> Features:
    """``hlsgen_fifo``."""
    if fifo.wires:
        return Features("fifo.wires", lut={}, ff={})
    address, count = bits_for(fifo.depth), bits_for(fifo.depth + 1)
    if fifo.style is RamStyle.BLOCK:
        features = Features("fifo.block", block_ram(fifo.width, fifo.block_words))
        words = fifo.block_words
        features.add("address", lut=2 * address, ff=2 * address)
        features.add("count", lut=count, ff=count)
        features.add("wraps", lut=2 * address if words & (words - 1) else 0)
        banks = block_banks(fifo.width, words)
        if banks > 1:
            features.add("bank multiplexer", lut=fifo.width * -(-(banks - 1) // 3))
            features.add("banks", lut=banks, ff=bits_for(banks))
        return features
    words = 1 << address
    features = Features("fifo.distributed", lut_ram(fifo.width, words, family))
    features.add("address", lut=2 * address, ff=2 * address)
    features.add("count", lut=count, ff=count)
    features.add("read address", ff=address)
    banks = -(-words // 64)
    if banks > 1:
        features.add("banks", lut=banks)
        features.add("bank multiplexer", lut=fifo.width * -(-(banks - 1) // 3))
    return features


def queue(features: Features, width: int, depth: int, family: Family) -> None:
    """Add ``hlsgen_queue``."""
    address, count = bits_for(depth), bits_for(depth + 1)
    features.take(lut_ram(width, 1 << address, family))
    features.add("queue addresses", lut=2 * address, ff=3 * address)
    features.add("queue counts", lut=2 * count, ff=2 * count + 2)


def counter(features: Features, count: int, name: str = "counters") -> None:
    """Add a counter that runs through ``count`` values."""
    bits = bits_for(count)
    features.add(name, lut=bits, ff=bits)


def _fork(kernel: Fork, family: Family) -> Features:
    features = Features("fork")
    width, copies = kernel.inputs[0].width, kernel.copies
    features.add("stored beats", ff=2 * width)
    features.add("copy multiplexers", lut=width * copies)
    features.add("copies", lut=copies, ff=3 * copies)
    return features


def _width(kernel: Width, family: Family) -> Features:
    width_in, width_out = kernel.inputs[0].width, kernel.outputs[0].width
    if width_in == width_out:
        return fifo(Fifo(width_in, 3), family)
    ratio = max(width_in, width_out) // min(width_in, width_out)
    if width_in < width_out:
        features = Features("width.wider")
        features.add("gathered", ff=width_out)
        features.add("out", ff=width_out)
        counter(features, ratio)
        return features
    features = Features("width.narrower")
    features.add("held", ff=width_in)
    features.add("last part", ff=width_out)
    features.add("multiplexer", lut=width_out * _multiplexer(ratio))
    counter(features, ratio)
    return features


MULTIPLEXERS = ((1, 0.0), (2, 1.0), (4, 1.0), (5, 2.0), (6, 2.0), (8, 3.0), (9, 5.0), (16, 7.5), (32, 13.5), (64, 37.0))
"""Inputs of a multiplexer and LUTs per bit that Yosys takes for it (without MUXF7 it is far from the least)."""


def _multiplexer(inputs: int) -> float:
    """LUTs per bit of a multiplexer, between the sizes measured in proportion."""
    return interpolate(inputs, MULTIPLEXERS)


def rom(
    features: Features, name: str, width: int, words: int, style: RamStyle, image: MemoryImage | None = None
) -> None:
    """Add a ROM with a registered output. A single word is a constant, which takes nothing here.

    Of shallow ones, whose ``image`` counts, bits that are the same in all words take nothing either.
    """
    if words == 1:
        return
    if image is not None:
        width = (reduce(and_, image.words) ^ reduce(or_, image.words)).bit_count()
    if style is RamStyle.BLOCK:
        features.take(block_ram(width, words))
        banks = block_banks(width, words)
        if banks > 1:
            features.add(f"{name} banks", lut=width * -(-(banks - 1) // 3), ff=bits_for(banks))
    else:
        for size, share in rom_luts(words):
            features.add(f"{name} rom of {size}", lut=width * share)
        features.add(f"{name} rom", ff=width)


SHALLOW = 16
"""Words up to which a ROM's contents are looked at: in more, hardly any bit of a weight is always the same."""


def _adder_tree(features: Features, count: int, largest: Sequence[int], out_bits: int, inverted: bool = False) -> None:
    """Add ``count`` times ``hlsgen_adder_tree``. ``largest``: the terms' largest values.

    ``inverted``: two terms are added as three.
    """
    features.merge(_tree(tuple(largest), out_bits, inverted), count)


@cache
def _tree(largest: tuple[int, ...], out_bits: int, inverted: bool) -> Features:
    """One ``hlsgen_adder_tree``."""
    features = Features("", lut={}, ff={})
    passed = [0] * len(largest)  # levels through which a term has come as it is
    terms = list(largest)
    while len(terms) > 1:
        groups = [terms[i : i + 3] for i in range(0, len(terms), 3)]
        runs = [max(passed[i : i + 3]) for i in range(0, len(terms), 3)]
        passed = []
        for group, run in zip(groups, runs, strict=True):
            bits = min(sum(group).bit_length(), out_bits)
            if len(group) == 1:
                passed.append(run + 1)
                continue
            _passed(features, bits, run)
            kind = "three" if len(group) == 3 or inverted else "two"
            features.add(f"{kind}-term adders", lut=bits, ff=bits)
            passed.append(0)
        terms = [sum(group) for group in groups]
    _passed(features, min(terms[0].bit_length(), out_bits), passed[0])
    return features


def _passed(features: Features, bits: int, levels: int) -> None:
    """Add the registers of a term that comes through ``levels`` of a tree as it is."""
    use = shift_register(bits, levels)
    features.take(Use(lut=use.lut, lutram=use.lutram))
    features.add("passed terms", ff=use.ff)


def _replay(features: Features, width: int, input_fold: int, output_fold: int, family: Family) -> None:
    """Add ``hlsgen_replay``."""
    if input_fold > 1:
        features.add("fold counter", lut=bits_for(input_fold), ff=bits_for(input_fold))
        features.add("folds", lut=1, ff=2)
    if output_fold == 1:
        features.add("input register", ff=width)
        return
    features.take(lut_ram(width, 2 << bits_for(input_fold), family))
    fold, places = max(1, bits_for(input_fold)), bits_for(2 * input_fold + 1)
    features.add("ring output", ff=width)
    features.add("ring counters", lut=fold + bits_for(output_fold), ff=fold + bits_for(output_fold))
    features.add("ring counts", lut=2 * places, ff=2 * places)
    features.add("ring", lut=1, ff=1)


def _hold(features: Features, width: int) -> None:
    """Add ``hlsgen_hold``."""
    features.add("hold register", ff=width)
    features.add("hold", lut=1, ff=1)


def _dot_array(
    features: Features, kernel: Matvec | Depthwise, simd: int, input_fold: int, start_rows: int, family: Family
) -> None:
    """Add ``hlsgen_dot_array``."""
    array, pe, mac = kernel.dot_array, kernel.pe, kernel.mac
    parameters = array.parameters()
    product_bits, acc_bits, input_bits = parameters["PRODUCT_BITS"], kernel.acc_type.bits, kernel.input_type.bits
    assert isinstance(product_bits, int)
    weight_bits, digits = array.weight_bits, array.digits if mac is Mac.LUT else 1
    rows = start_rows * input_fold
    word = pe // 2 * simd * (2 * weight_bits + 1) if mac is Mac.DSP2 else pe * simd * weight_bits
    images = {image.name: image for image in kernel.rtl_memories()} if rows <= SHALLOW else {}
    rom(features, "weight", word, rows, kernel.memory, images.get("weights"))
    features.add("row counter", lut=bits_for(rows), ff=bits_for(rows))

    term_bits = 1 if mac is Mac.XNOR else input_bits + 2 * digits if mac is Mac.LUT else product_bits
    sum_bits = min(term_bits + bits_for(simd) + 1, acc_bits)
    if mac is Mac.DSP2:
        features.take(Use(dsp=pe // 2 * simd))
        _dsp_registers(features, pe // 2 * simd * 32, family)
        _adder_tree(features, pe, [(1 << product_bits) - 1] * simd, sum_bits)
    elif mac is Mac.DSP:
        operand = 2 if kernel.input_type.bipolar else input_bits + (not kernel.input_type.signed)
        features.take(Use(dsp=pe * simd * dsps(operand, weight_bits)))
        _dsp_registers(features, pe * simd * product_bits, family)
        _adder_tree(features, pe, [(1 << product_bits) - 1] * simd, sum_bits)
    elif mac is Mac.LUT:
        _lut_chains(features, kernel, simd, sum_bits)
    else:
        nines = -(-simd // 9)
        features.add("agreements", lut=pe * simd, ff=4 * pe * nines)
        _adder_tree(features, pe, [9] * (simd // 9) + [simd % 9] * (simd % 9 > 0), sum_bits)

    stages = array.latency - 2
    features.add("valid", ff=stages)
    ahead = int(start_rows > 8)
    if input_fold > 1:
        features.take(shift_register(1, stages - ahead))
        features.add("valid", ff=ahead)
    features.add("accumulators", lut=pe * acc_bits, ff=pe * acc_bits)
    if input_fold > 1:
        features.add("accumulator multiplexers", lut=pe * acc_bits)
    if start_rows > 1:
        features.add("start counter", lut=bits_for(start_rows), ff=bits_for(start_rows))
    if start_rows > 64 and kernel.memory is RamStyle.BLOCK:
        rom(features, "start", pe * acc_bits, start_rows, kernel.memory)
    elif start_rows > 8:
        rom(features, "start", distinct_columns(array.start(), acc_bits), start_rows, RamStyle.DISTRIBUTED)
    elif start_rows > 1:  # Yosys moves the register of the row behind the memory
        columns = distinct_columns(array.start(), acc_bits)
        features.add("few starts", lut=columns, ff=columns)
        features.add("few", lut=1, ff=1)
    if array.places == 2:
        _hold(features, pe * acc_bits)
    else:
        queue(features, pe * acc_bits, array.places, family)


def _dsp_registers(features: Features, bits: int, family: Family) -> None:
    """Registers and adders of ``bits`` at the multipliers' outputs: Yosys moves them into a DSP48E1, not a DSP48E2."""
    if family is Family.ZYNQ_ULTRASCALE:
        features.add("dsp registers", lut=bits, ff=bits)


def distinct_columns(words: IntArray, bits: int) -> int:
    """Columns of a ROM that are neither constant nor equal to another one; words are of ``bits`` bits in every lane."""
    planes = (words.reshape(len(words), -1, 1) >> np.arange(bits)).astype(np.uint8) & 1
    packed = np.packbits(planes.reshape(len(words), -1), axis=0)
    size, columns = len(packed), np.ascontiguousarray(packed.T).tobytes()
    distinct = {columns[start : start + size] for start in range(0, len(columns), size)}
    return len(distinct - {bytes(size), np.packbits(np.ones(len(words), np.uint8)).tobytes()})


def dsps(a: int, b: int) -> int:
    """DSP blocks of a product of signed operands of ``a`` and ``b`` bits; below 9 bits Yosys makes it of LUTs."""
    if a + b < 9:
        return 0
    return min(-(-(a - 1) // 24) * -(-(b - 1) // 17), -(-(b - 1) // 24) * -(-(a - 1) // 17))


def _lut_chains(features: Features, kernel: Matvec | Depthwise, simd: int, sum_bits: int) -> None:
    """Add ``hlsgen_dot_lut`` for every output: rows of adders, and what delays weights and elements."""
    array, pe, input_bits = kernel.dot_array, kernel.pe, kernel.input_type.bits
    product_bits = input_bits if kernel.weight_type.bipolar else input_bits + 1
    chains, terms = _chains(simd, product_bits, array.weight_bits, array.digits)
    features.merge(chains, pe)
    units = 1 if isinstance(kernel, Matvec) else pe
    features.add("delayed elements", ff=units * (array.digits - 1) * simd * input_bits)
    _adder_tree(features, pe, terms, sum_bits, inverted=True)


@cache
def _chains(simd: int, product_bits: int, weight_bits: int, digits: int) -> tuple[Features, tuple[int, ...]]:
    """The rows of adders of one ``hlsgen_dot_lut``, and the largest values of its terms."""
    features, terms = Features("", lut={}, ff={}), []
    for chain in range(-(-simd // 3)):
        length = min(3, simd - 3 * chain)
        largest = 0
        for digit in range(digits):
            for _ in range(length):
                features.add("product rows", lut=product_bits)
                largest += (1 << product_bits) - 1
                features.add("product row tops", lut=(largest.bit_length() - product_bits))
            features.add("chain sums", ff=(largest.bit_length() + 2 * digit))
            later = weight_bits - 2 * digit + 1
            features.add("delayed weights", ff=length * later if digit else 0)
            if digit >= 3:  # these two bits of a weight are used in no digit before
                features.take(shift_register(length * min(2, weight_bits - 2 * digit), digit))
                features.add("delayed weights", ff=-digit * length * min(2, weight_bits - 2 * digit))
            if digits - digit >= 4:  # the sum's lowest bits wait for the end
                features.take(shift_register(2, digits - digit))
                features.add("chain sums", ff=-2 * (digits - digit))
            largest >>= 2
        terms.append((largest << (2 * digits)) + (1 << (2 * digits)) - 1)
    return features, tuple(terms)


def _matvec(kernel: Matvec, family: Family) -> Features:
    features = Features("matvec")
    _replay(features, kernel.inputs[0].width, kernel.input_fold, kernel.output_fold, family)
    _dot_array(features, kernel, kernel.simd, kernel.input_fold, kernel.groups * kernel.output_fold, family)
    return features


def _depthwise(kernel: Depthwise, family: Family) -> Features:
    features = Features("matvec")
    # an element goes to one multiplier only, and its register into the DSP block
    width = 0 if kernel.mac is Mac.DSP and family is Family.ZYNQ_7000 else kernel.inputs[0].width
    _replay(features, width, kernel.tap_groups, 1, family)
    _dot_array(features, kernel, kernel.taps, kernel.tap_groups, kernel.tiles, family)
    return features


def _axis(features: Features, name: str, size: int, stride: int, span: int) -> None:
    """Add ``hlsgen_window_axis``: a counter, and a second one where positions between windows are left out."""
    counter(features, size, f"{name} counter")
    if span < stride:
        features.add(f"{name} gaps", lut=bits_for(stride), ff=bits_for(stride))


def _window(kernel: Window, family: Family) -> Features:
    (height, width, _), (out_rows, out_columns) = kernel.frame, kernel.output
    (tap_rows, tap_columns), (kernel_rows, kernel_columns) = kernel.tap_shape, kernel.geometry.kernel
    (stride_rows, stride_columns), extent = kernel.geometry.strides, kernel.geometry.extent
    bits = kernel.lanes * kernel.type.bits
    spans = min(stride_rows, extent[0]), min(stride_columns, extent[1])
    if kernel.filters:
        features = Features("window.pixels")
        counter(features, kernel.pixel_beats)
        _axis(features, "axis", width, stride_columns, spans[1])
        _axis(features, "axis", height, stride_rows, spans[0])
        queue(features, bits, 2, family)
        return features

    slots = kernel.rows_held if tap_rows > 1 else 1
    ram_width, words = kernel.ram_shape
    by_columns = kernel.tap_groups[1] == 1
    features = Features("window")
    features.add("all taps" if slots > 1 else "rows of taps" if by_columns else "single taps", lut=20, ff=5)
    if stride_columns > 1:
        features.add("strides of columns", lut=5, ff=1)
    phases = kernel.rtl_parameters()["PHASES"]
    assert isinstance(phases, int)
    banks = slots * phases
    if kernel.memory is RamStyle.BLOCK:
        features.take(banked_block_ram(banks, ram_width // banks, words))
    else:
        for _ in range(banks):
            features.take(lut_ram(bits, words, family))
        features.add("words", lut=banks * bits * _deep(words), ff=banks * bits)
    for line_bits, cycles in kernel.delay_lines:
        features.take(shift_register(line_bits, cycles))
    features.add("padded word", ff=phases * tap_rows * bits)
    features.add("taps", ff=kernel.taps * bits)
    if slots > 1:
        features.add("slot multiplexers", lut=tap_rows * bits * _multiplexer(slots))
        features.add("slots", lut=slots, ff=slots)
    # control: reading
    row_beats, address = width * kernel.pixel_beats, max(1, bits_for(words))
    level = bits_for((kernel.rows_held + 1) * row_beats + 1) + 1
    features.add("level", lut=level, ff=level)
    features.add("addresses", lut=2 * address, ff=2 * address)
    positions = width // phases if by_columns else out_columns
    for count in (positions, out_rows):
        counter(features, count, "walk counters")
    turns: tuple[int, ...] = (kernel.pixel_beats // kernel.groups, *kernel.tap_groups, kernel.groups)
    if kernel.tap_groups == (1, 1):
        turns = (kernel.pixel_beats,)
    for count in turns:
        if count > 1:
            counter(features, count, "inner counters")
            features.add("inner loops", lut=1, ff=1)
            features.add("strides", lut=address if kernel.tap_groups != (1, 1) else 0)
    features.add("edges", lut=kernel_rows + kernel_columns, ff=2 * (tap_rows + 2 * tap_columns))
    slot_bits = max(1, bits_for(kernel.rows_held))
    features.add("row slot", lut=slot_bits, ff=slot_bits)
    if kernel.rows_held & (kernel.rows_held - 1):
        features.add("row slots that are no power of two", lut=3)
    if slots == 1 and kernel.rows_held > 1:
        features.add("base", lut=address)
    # control: writing
    features.add("free slots", lut=bits_for(kernel.rows_held + 1) + 1, ff=bits_for(kernel.rows_held + 1) + 1)
    _axis(features, "row", height, stride_rows, spans[0])
    if not (phases == 1 and slots > 1 and spans[1] == stride_columns):
        counter(features, kernel.pixel_beats, "pixel counter")
        _axis(features, "column", width, stride_columns, spans[1])
    if phases > 1:
        features.add("phases", lut=phases + address, ff=phases)
    return features


def _deep(words: int) -> int:
    """LUTs per bit that choose among the 64-word banks of a distributed RAM."""
    return -(-(-(-words // 64) - 1) // 3)


def _pool(kernel: MaxPool | SumPool, family: Family) -> Features:
    """``hlsgen_pool``."""
    is_sum = isinstance(kernel, SumPool)
    features = Features("sumpool" if is_sum else "maxpool")
    lanes, taps, tiles = kernel.lanes, kernel.taps, kernel.channels // kernel.lanes
    groups = kernel.kernel_taps // taps
    term, acc = kernel.inputs[0].type.bits, kernel.outputs[0].type.bits
    if is_sum:
        _adder_tree(features, lanes, [(1 << term) - 1] * taps, acc)
        levels = tree_levels(taps)
    else:
        features.add("comparisons", lut=lanes * (taps - 1) * term)
        terms, run = taps, 0
        while terms > 1:
            features.add("largest", ff=lanes * (terms // 2) * term)
            if terms % 2:
                run += 1
            else:
                _passed(features, lanes * term, run)
                run = 0
            terms = -(-terms // 2)
        levels = bits_for(taps)
    if taps == 1:
        features.add("reduced", ff=lanes * term)
    stages = max(1, levels)
    counter(features, tiles, "tile counter")
    counter(features, groups, "group counter")
    features.add("stages", lut=1, ff=3 * stages)
    features.add("tile stages", ff=stages * bits_for(tiles) if groups > 1 else 0)
    features.add("accumulators", lut=lanes * acc)
    if groups > 1 and tiles == 1:
        features.add("former", ff=lanes * acc)
    elif groups > 1:
        style = kernel.rtl_parameters().get("RAM_STYLE")
        if style == RamStyle.BLOCK.value:
            features.take(block_ram(lanes * acc, tiles))
        else:
            features.take(lut_ram(lanes * acc, tiles, family))
            features.add("deep accumulators", lut=lanes * acc * _deep(tiles))
            features.add("accumulator address", ff=bits_for(tiles))
    queue(features, lanes * acc, stages + 2, family)
    return features


def _unpack(kernel: Unpack, family: Family) -> Features:
    bits, word = kernel.type.bits, kernel.axi_bits // kernel.type.storage_bits
    counts = 2 * bits_for(kernel.words + 1)
    if kernel.lanes % word == 0:
        features = Features("unpack.words")
        if kernel.lanes > word:
            features.add("gathered", ff=2 * kernel.lanes * bits)
            counter(features, kernel.lanes // word)
        else:
            small_fifo(features, kernel.lanes * bits, family)
        small_fifo(features, 1, family)
        features.add("words", lut=counts / 2, ff=counts / 2)
        return features
    features = Features("unpack.parts")
    grain = gcd(word, kernel.lanes)
    features.add("window", ff=word * bits + (kernel.lanes - grain) * bits)
    features.add("multiplexer", lut=kernel.lanes * bits * _multiplexer(word // grain))
    features.add("multiplexed", lut=kernel.lanes * bits)
    position = bits_for(word // grain + kernel.lanes // grain)
    features.add("position", lut=position, ff=position)
    features.add("words", lut=counts / 2, ff=counts / 2)
    small_fifo(features, kernel.lanes * bits, family)
    small_fifo(features, 1, family)
    return features


def small_fifo(features: Features, width: int, family: Family) -> None:
    """Add ``hlsgen_fifo`` of two beats."""
    features.take(lut_ram(width, 2, family))
    features.add("fifos", lut=8, ff=8)


def _pack(kernel: Pack, family: Family) -> Features:
    features = Features("pack.one" if len(kernel.parts) == 1 else "pack.several")
    position = beats = older = kept = 0
    for (elements, lanes, type), words in zip(kernel.parts, kernel.words, strict=True):
        word = kernel.axi_bits // type.storage_bits
        grain = gcd(word, lanes)
        # copies of a sign bit are one register, if there is but one part
        kept = max(kept, word * (type.bits if len(kernel.parts) == 1 else type.storage_bits))
        older = max(older, (lanes - grain) * type.storage_bits)
        position = max(position, bits_for((word + lanes) // grain))
        beats = max(beats, bits_for(elements // lanes))
        features.add("multiplexer", lut=kernel.axi_bits * _multiplexer(lanes // grain))
        features.add("multiplexed", lut=kernel.axi_bits if lanes > grain else 0)
        if word % lanes == 0 and elements % word:
            features.add("short last words", lut=kernel.axi_bits)
        if len(kernel.parts) > 1:
            features.add("parts", lut=kernel.axi_bits + older, ff=1)
            features.add("part counters", lut=bits_for(words))
    features.add("window", ff=kept + older)
    features.add("position", lut=position, ff=position)
    features.add("beat counter", lut=beats, ff=beats)
    if kernel.spaced:
        features.add("output register", ff=kept + 1)
    else:
        small_fifo(features, kernel.axi_bits + 1, family)
    return features


class _Parameters:
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


METHODS = ("dsp", "rows", "tables")
"""How a product with constants is made; METHOD of the SystemVerilog."""


def _channels(features: Features, p: _Parameters, passes: int, style: RamStyle, user: str = "") -> tuple[int, ...]:
    """Add ``hlsgen_requant_channels``, into whose ``user`` the ROM melts. Varying bits of each field, in all lanes."""
    varying = tuple(bits if varies else 0 for bits, varies in zip(p.each("BITS"), p.each("VARIES"), strict=True))
    rows = p["TILES"] * passes
    rom(features, f"channel {user}".strip(), p["LANES"] * sum(varying), rows, style)
    if sum(varying) and rows > 1:
        counter(features, rows, "channel counter")
    return tuple(p["LANES"] * bits for bits in varying)


def _channels_style(kernel: Requant) -> RamStyle:
    return RamStyle(kernel.rtl_parameters().get("CHANNELS_STYLE", RamStyle.DISTRIBUTED.value))


def _delay(features: Features, bits: int, cycles: int, registered: bool, absorbed: int = 0) -> None:
    """Add a delay of ``bits`` that are ``registered`` in flip-flops, counted already, which become part of it.

    Of all these registers, ``absorbed`` are inside a DSP block.
    """
    left = shift_register(bits, max(0, cycles + registered - absorbed))
    features.take(Use(lut=left.lut, lutram=left.lutram))
    features.add("delays", ff=left.ff - bits * registered)


def _round(features: Features, p: _Parameters, varying: tuple[int, int], is_float: bool) -> None:
    """Add ``hlsgen_requant_round`` in every lane. ``varying``: whether the clamp's ends differ among channels."""
    lanes, out = p["LANES"], p["OUTPUT_BITS"]
    point = p["DROP"] + p["SHIFT"]
    k_bits = max(1, p["SUM_BITS"] - point)
    near = min(p["NEAR_BITS"], k_bits)
    features.add("near", ff=lanes * near)
    features.add("far", lut=lanes * -(-max(0, k_bits - near + 1) // 5), ff=2 * lanes)
    features.add("fraction", lut=lanes * p["SHIFT"] / 5)
    if is_float:
        features.add("window", lut=lanes * min(near, 23), ff=lanes * min(near, 23))
        features.add("ties", lut=lanes, ff=lanes)
    else:
        features.add("rounding", lut=lanes, ff=lanes)
    rounded = max(near, bits_for(abs(p["ZERO_POINT"]) + 1) + 1) + 2
    features.add("rounded", lut=lanes * rounded, ff=lanes * rounded)
    features.add("clamp", lut=lanes * out, ff=lanes * out)
    for varies in varying:
        if varies:
            features.add("clamp ends", lut=lanes * rounded)
        else:
            features.add("constant clamp ends", lut=lanes)


def _product(features: Features, p: _Parameters, x: int, factor: int, add: int, parts: int, shared: bool) -> None:
    """Add ``hlsgen_requant_product`` in every lane."""
    lanes = p["LANES"]
    if parts == 1:
        features.take(Use(dsp=lanes * dsps(x, factor)))
        features.add("product", lut=lanes, ff=lanes)
        features.add("addend", ff=lanes * add)
        features.add("product bits", lut=lanes * p["SUM_BITS"], ff=lanes * p["SUM_BITS"])
        return
    blocks = dsps(x, 18)
    features.take(Use(dsp=lanes * blocks * (1 if shared else parts)))
    if shared:
        features.add("shared product", lut=lanes * p["SUM_BITS"], ff=lanes * (p["SUM_BITS"] + 17))
        features.add("shared factor", lut=lanes * x, ff=lanes * (x + 18))
        return
    features.add("low parts", ff=lanes * 17 * (parts - 1))
    features.add("cascade", lut=lanes * (parts - 1) * x, ff=lanes * (parts - 1) * x)
    features.add("cascade sums", lut=lanes * p["SUM_BITS"] * (parts - 1), ff=lanes * p["SUM_BITS"] * (parts - 1))


def _rows(features: Features, lanes: int, x: int, factor: int, total: int) -> None:
    """Add ``hlsgen_requant_rows`` in every lane."""
    rows = (factor + 1) // 2
    stages = (rows + 1) // 2
    for row in range(rows):
        features.add("row bits", lut=lanes * max(0, total - 2 * row))
        features.add("row multiples", lut=lanes * (x + 1))
    for stage in range(stages):
        # four bits of the factor wait for their stage, four bits of the sum are complete after it and wait for the end
        features.add("row operands", ff=lanes * (x + 1) if stage else 0)
        features.add("row sums", ff=lanes * max(0, total - 4 * (stage + 1)))
        waits = shift_register(lanes * min(4, factor - 4 * stage), stage + 1) if stage else Use()
        low = shift_register(lanes * 4, stages - stage)
        features.take(Use(lut=waits.lut + low.lut, lutram=waits.lutram + low.lutram))
        features.add("row delays", ff=waits.ff + low.ff)


def _tables(
    features: Features, lanes: int, x: int, first: int, total: int, image: MemoryImage, registered: bool
) -> None:
    """Add ``hlsgen_requant_tables`` in every lane. ``registered``: x comes from registers that are nothing else's."""
    groups = 1 if x <= first else 1 + -(-(x - first) // 5)
    features.add("first table", lut=lanes * function_luts(image.words[: 1 << min(x, first)]), ff=lanes * total)
    features.add("tables", lut=lanes * total * (groups - 1), ff=lanes * total * (groups - 1))
    for group in range(1, groups):
        _delay(features, lanes * min(5, x - first - 5 * (group - 1)), group, registered)


def function_luts(words: Sequence[int]) -> float:
    """LUTs of a table of 2**n words: each column by the number of address bits on which it depends."""
    bits = max(word.bit_length() for word in words)
    planes = np.array([[word >> bit & 1 for bit in range(bits)] for word in words], np.uint8)
    address = np.arange(len(words))
    inputs = [(planes != planes[address ^ (1 << bit)]).any(axis=0) for bit in range(bits_for(len(words)))]
    depends = np.sum(inputs, axis=0)
    return float(np.where(depends == 0, 0, np.exp2(np.maximum(depends - 6, 0))).sum())


def _requant(kernel: Requant, family: Family) -> Features:
    p = _Parameters(kernel)
    lanes, passes, unit = kernel.lanes, kernel.passes, kernel.unit
    x, latency = p["X_BITS"], kernel.latency - 2
    if isinstance(unit, ThresholdUnit):
        features = Features("elementwise")
        _search(features, p, kernel)
    else:
        method = METHODS[p["METHOD"]] if not isinstance(unit, ShiftUnit) else ""
        features = Features("elementwise")
        style = _channels_style(kernel)
        left, factor, add, lo, hi = _channels(features, p, passes, style, "rows" if method == "rows" else "")
        operand_cycles = 2 * (p["EXTRA"] > 0) + (p["LEFT_MOST"] > 0) + (p["CLIP"] > 0)
        sum_cycles = latency - 3
        registered = style is RamStyle.DISTRIBUTED and p["TILES"] * passes > 1
        _delay(features, lo + hi, sum_cycles + 2, registered)
        if isinstance(unit, ShiftUnit):
            bits = p.each("BITS")
            features.add("shifter", lut=lanes * p["SUM_BITS"] * _multiplexer(1 << bits[0] if left else 1))
            features.add("sum", lut=lanes * p["SUM_BITS"], ff=lanes * p["SUM_BITS"])
            features.add("shifted", ff=lanes * p["SUM_BITS"])
            features.add("addend", ff=add)
            features.add("signs", lut=factor, ff=factor)
        else:
            _delay(features, factor, operand_cycles, registered, absorbed=2 if method == "dsp" else 0)
            _delay(features, add, operand_cycles, registered)
            _delay(features, left, 2 if p["EXTRA"] else 0, registered)
            _operand(features, p, lanes, x)
            operand, total = p["OPERAND_BITS"], p["SUM_BITS"]
            if method == "dsp":
                shared = passes == 2 and p["PARTS"] == 2
                _product(features, p, operand, p.each("BITS")[1], add // lanes, p["PARTS"], shared)
            elif method == "rows":
                _rows(features, lanes, operand, p.each("BITS")[1], total)
            else:
                image = next(image for image in kernel.rtl_memories() if image.name == "tables")
                _tables(features, lanes, operand, 6, total, image, passes == 1)
        _round(features, p, (lo, hi), isinstance(unit, Float24Unit))
    features.add("input register", lut=0, ff=lanes * kernel.input_type.bits)
    features.add("valid", ff=latency + 1)
    if passes == 2:
        features.add("second pass", lut=1, ff=1)
        features.add("held input", lut=lanes * kernel.input_type.bits)
    queue(features, lanes * kernel.output_type.bits, (kernel.latency + passes) // passes, family)
    return features


def _operand(features: Features, p: _Parameters, lanes: int, x: int) -> None:
    """Add ``hlsgen_requant_operand`` in every lane."""
    operand, shifted = p["OPERAND_BITS"], x + (p["EXTRA"] > 0) + p["LEFT_MOST"]
    if p["EXTRA"]:
        features.add("pre-rounding", lut=lanes * x, ff=lanes * x)
        features.add("pre-rounded bits", lut=lanes * p["EXTRA"] * 4, ff=lanes * p["EXTRA"])
    if p["LEFT_MOST"]:
        features.add("left shift", lut=lanes * shifted * _multiplexer(p["LEFT_MOST"] + 1), ff=lanes * shifted)
    if p["CLIP"] == 1:
        features.add("saturation", lut=lanes * (operand + (shifted - operand) / 5), ff=lanes * operand)
    elif p["CLIP"] == 2:
        features.add("clip", lut=lanes * shifted, ff=lanes * operand)
        features.add("clip choice", lut=lanes * operand)


SHALLOW_SEARCH = 64
"""Words up to which ``hlsgen_requant_threshold`` makes a memory of LUTs whatever was asked for."""


def _search(features: Features, p: _Parameters, kernel: Requant) -> None:
    """Add ``hlsgen_requant_threshold``."""
    lanes, x, levels, tiles = p["LANES"], p["X_BITS"], p["LEVELS"], p["LEVEL_TILES"]
    style = _channels_style(kernel)
    _, factor, add, _, _ = _channels(features, p, kernel.passes, style, "search")
    counter(features, max(tiles, p["VALUE_TILES"]), "tile counter")
    for level in range(levels):
        # every lane has an address of its own and reads its own column, or the memory again
        level_style = kernel.memory if tiles << level > SHALLOW_SEARCH else RamStyle.DISTRIBUTED
        _lookup(features, "threshold", lanes, x, tiles << level, level_style)
        features.add("comparisons", lut=lanes * x)
        features.add("runs", ff=lanes * (level + 1))
    features.add("operands", ff=lanes * x * levels)
    features.add("tiles", ff=bits_for(tiles) * levels)
    if p["COUNTS"]:
        features.add("result", lut=lanes * p["RESULT_BITS"], ff=lanes * p["OUTPUT_BITS"])
        registered = style is RamStyle.DISTRIBUTED and p["TILES"] > 1
        _delay(features, factor + add, levels, registered)
    else:
        _lookup(features, "value", lanes, p["OUTPUT_BITS"], p["VALUE_TILES"] << levels, kernel.memory)


def _lookup(features: Features, name: str, lanes: int, bits: int, words: int, style: RamStyle) -> None:
    """Add a ROM for each of ``lanes``, addressed by data."""
    if style is RamStyle.BLOCK:
        for _ in range(lanes):
            rom(features, name, bits, words, style)
    elif words > 1:
        features.add(f"{name} lookup", lut=lanes * bits * lookup_luts(words), ff=lanes * bits)


def _table(kernel: Table, family: Family) -> Features:
    p = _Parameters(kernel)
    features = Features("elementwise")
    lanes, rows = kernel.lanes, p["TILES"] << p["INDEX_BITS"]
    _lookup(features, "value", lanes, p["OUTPUT_BITS"], rows, kernel.memory)
    counter(features, p["TILES"], "tile counter")
    features.add("looked up", ff=1)
    queue(features, lanes * kernel.output_type.bits, 3, family)
    return features


def _add(kernel: Add, family: Family) -> Features:
    p = _Parameters(kernel)
    linear = isinstance(kernel.unit, LinearJoinUnit)
    method, lanes, latency = METHODS[p["METHOD"]], kernel.lanes, kernel.latency - 2
    features = Features("elementwise")
    _, mul_b, add = _channels(features, p, 1, RamStyle.DISTRIBUTED, "rows" if method == "rows" else "")
    bits, total = p.each("BITS"), p["SUM_BITS"]
    if method == "tables":
        image = next(image for image in kernel.rtl_memories() if image.name == "tables")
        _tables(features, lanes, p["A_BITS"] + p["B_BITS"], p["FIRST"], total, image, True)
    elif not linear:
        (image,) = (image for image in kernel.rtl_memories() if image.name == "b_term")
        features.add("term lookup", lut=lanes * function_luts(image.words), ff=lanes * p["TERM_BITS"])
        if bits[0] and not p.each("VALUE")[0] & 1:  # Yosys takes the factor's zeros off, and then misses the adder
            features.add("even factor", lut=lanes * total, ff=lanes * total)
        _product(features, p, p["A_X_BITS"], bits[0], p["TERM_BITS"], p["A_PARTS"], False)
    else:
        if method == "dsp":
            _product(features, p, p["A_X_BITS"], bits[0], add // lanes, p["A_PARTS"], False)
            _product(features, p, p["B_X_BITS"], bits[1], total, p["B_PARTS"], False)
            cycles = p["A_PARTS"] + 1
        else:
            _rows(features, lanes, p["A_X_BITS"], bits[0], total)
            _rows(features, lanes, p["B_X_BITS"], bits[1], total)
            cycles = (bits[0] + 3) // 4
        absorbed = 2 if method == "dsp" else 0
        _delay(features, lanes * p["B_BITS"], cycles, True, absorbed)
        _delay(features, mul_b, cycles, p["TILES"] > 1, absorbed)
    _round(features, p, (0, 0), not linear)
    features.add("input registers", ff=lanes * (p["A_BITS"] + p["B_BITS"]))
    features.add("valid", ff=latency + 1)
    queue(features, lanes * kernel.output_type.bits, kernel.latency + 1, family)
    return features


def _concat(kernel: Concat, family: Family) -> Features:
    features = Features("concat")
    width = kernel.outputs[0].width
    features.add("multiplexer", lut=width * _multiplexer(len(kernel.channels)))
    features.add("inputs", lut=len(kernel.channels), ff=len(kernel.channels))
    counter(features, sum(kernel.tiles))
    features.take(lut_ram(width, 2, family))
    return features


FEATURES: dict[type[Kernel], Callable[..., Features]] = {
    Add: _add,
    Concat: _concat,
    Depthwise: _depthwise,
    Fork: _fork,
    Matvec: _matvec,
    MaxPool: _pool,
    Pack: _pack,
    Requant: _requant,
    SumPool: _pool,
    Table: _table,
    Unpack: _unpack,
    Width: _width,
    Window: _window,
}
"""By class of kernel."""
