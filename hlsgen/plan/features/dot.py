"""Sums of products with weights: matvec, depthwise."""

from __future__ import annotations

from functools import cache

import numpy as np

from hlsgen.board import Family
from hlsgen.graph.types import IntArray
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.matvec import Matvec
from hlsgen.plan.features.contents import Columns, image_of
from hlsgen.plan.features.parts import SMALLEST_IN_DSP, Features, adder_tree, dsps, known_rom, queue, rom
from hlsgen.plan.primitives import Use, bits_for, lut_ram, shift_register


def matvec(kernel: Matvec, family: Family) -> Features:
    """``hlsgen_matvec``."""
    features = Features("matvec")
    # an element that goes to one multiplier only has its register in the DSP block, unless a memory is before it
    sole = kernel.pe == {Mac.DSP: 1, Mac.DSP2: 2}.get(kernel.mac) and kernel.output_fold == 1
    width = 0 if sole and family is Family.ZYNQ_7000 else kernel.inputs[0].width
    _replay(features, width, kernel.input_fold, kernel.output_fold, family)
    _dot_array(features, kernel, kernel.simd, kernel.input_fold, kernel.groups * kernel.output_fold, family)
    return features


def depthwise(kernel: Depthwise, family: Family) -> Features:
    """``hlsgen_depthwise``."""
    features = Features("matvec")
    # an element goes to one multiplier only, and its register into the DSP block
    width = 0 if kernel.mac is Mac.DSP and family is Family.ZYNQ_7000 else kernel.inputs[0].width
    _replay(features, width, kernel.tap_groups, 1, family)
    _dot_array(features, kernel, kernel.taps, kernel.tap_groups, kernel.tiles, family)
    return features


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
    few = _few_columns(kernel)
    if few is not None:
        known_rom(features, "few weight", _distinct(few))
    else:
        varying = image_of(kernel, "weights").varying if rows <= FEW_ROWS else word
        rom(features, "weight", varying, rows, kernel.memory)
    features.add("row counter", lut=bits_for(rows), ff=bits_for(rows))

    term_bits = 1 if mac is Mac.XNOR else input_bits + 2 * digits if mac is Mac.LUT else product_bits
    sum_bits = min(term_bits + bits_for(simd) + 1, acc_bits)
    if mac is Mac.DSP2:
        features.take(Use(dsp=pe // 2 * simd))
        if family is not Family.ZYNQ_7000:
            _dsp_registers(features, kernel, pe // 2 * simd, 16, adders=True)
        adder_tree(features, pe, [(1 << product_bits) - 1] * simd, sum_bits)
    elif mac is Mac.DSP:
        operand = 2 if kernel.input_type.bipolar else input_bits + (not kernel.input_type.signed)
        blocks = dsps(operand, weight_bits) if product_bits >= SMALLEST_IN_DSP else 0
        features.take(Use(dsp=pe * simd * blocks))
        if not blocks:  # with the sum behind it: up to six inputs a LUT for each bit
            each = {7: 9, 8: 22}.get(input_bits + weight_bits, product_bits)
            features.add("small products", lut=pe * simd * each)
        if family is not Family.ZYNQ_7000 or not blocks:
            _dsp_registers(features, kernel, pe * simd, 0, adders=family is not Family.ZYNQ_7000)
        adder_tree(features, pe, [(1 << product_bits) - 1] * simd, sum_bits)
    elif mac is Mac.LUT:
        _lut_chains(features, kernel, simd, sum_bits)
    else:
        nines = -(-simd // 9)
        features.add("agreements", lut=pe * simd, ff=4 * pe * nines)
        adder_tree(features, pe, [9] * (simd // 9) + [simd % 9] * (simd % 9 > 0), sum_bits)

    stages = array.latency - 2
    features.add("valid", ff=stages)
    if input_fold > 1:
        features.take(shift_register(1, stages - 1))
        features.add("valid", ff=1)
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


FEW_ROWS = 16
"""Rows of weights up to which their columns are looked at: of more rows, hardly any two are the same."""


def _few_columns(kernel: Matvec | Depthwise) -> Columns | None:
    """The ROM of the weights if it is made of LUTs and has few rows.

    Of R rows there are at most 2**R - 2 columns that change, and registers with the same contents are one.
    """
    few = kernel.memory is RamStyle.DISTRIBUTED and len(kernel.dot_array.weights) <= FEW_ROWS
    return image_of(kernel, "weights") if few else None


def _distinct(columns: Columns) -> Columns:
    """Those that change, equal ones once."""
    constant = np.array([0, (1 << columns.words) - 1], np.uint32)
    return Columns.of_codes(np.setdiff1d(columns.codes, constant), columns.words)


def _dsp_registers(
    features: Features, kernel: Matvec | Depthwise, multipliers: int, upper: int, *, adders: bool
) -> None:
    """Registers and adders around multipliers: Yosys moves them into a DSP48E1, not a DSP48E2.

    ``upper``: the bits that a multiplier's second product comes above its first one, 0 if it has but one. ``adders``:
    whether they take LUTs, too.
    """
    array = kernel.dot_array
    product_bits = array.parameters()["PRODUCT_BITS"]
    assert isinstance(product_bits, int)
    weight_bits = 2 * array.weight_bits + 1 if upper else array.weight_bits
    columns = _few_columns(kernel)
    units = 1 if isinstance(kernel, Matvec) else kernel.pe
    features.add("dsp elements", ff=units * array.simd * kernel.input_type.bits)
    if columns is not None:
        features.add("dsp weights", ff=_distinct(columns).width)
    elif len(array.weights) > 1:
        features.add("dsp weights", ff=multipliers * weight_bits)
    features.add("dsp products", ff=multipliers * (upper + product_bits))
    sums = multipliers * product_bits * (2 if upper else 1)
    features.add("dsp sums", lut=multipliers * (upper + product_bits) if adders else 0, ff=sums)


def distinct_columns(words: IntArray, bits: int) -> int:
    """Columns of a ROM that are neither constant nor equal to another one; words are of ``bits`` bits in every lane."""
    planes = (words.reshape(len(words), -1, 1) >> np.arange(bits)).astype(np.uint8) & 1
    packed = np.packbits(planes.reshape(len(words), -1), axis=0)
    size, columns = len(packed), np.ascontiguousarray(packed.T).tobytes()
    distinct = {columns[start : start + size] for start in range(0, len(columns), size)}
    return len(distinct - {bytes(size), np.packbits(np.ones(len(words), np.uint8)).tobytes()})


def _lut_chains(features: Features, kernel: Matvec | Depthwise, simd: int, sum_bits: int) -> None:
    """Add ``hlsgen_dot_lut`` for every output: rows of adders, and what delays weights and elements."""
    array, pe, input_bits = kernel.dot_array, kernel.pe, kernel.input_type.bits
    product_bits = input_bits if kernel.weight_type.bipolar else input_bits + 1
    chains, terms = _chains(simd, product_bits, array.digits)
    features.merge(chains, pe)
    units = 1 if isinstance(kernel, Matvec) else pe
    features.add("delayed elements", ff=units * (array.digits - 1) * simd * input_bits)
    _delayed_weights(features, kernel)
    adder_tree(features, pe, terms, sum_bits, inverted=True)


def _delayed_weights(features: Features, kernel: Matvec | Depthwise) -> None:
    """Add what delays the weights' bits until their digits' cycles: registers, three in a row as memory."""
    array = kernel.dot_array
    rows, bits = len(array.weights), array.weight_bits
    if rows == 1:
        return
    used = np.zeros(bits, np.int64)  # of every bit, in which cycles: bit c for cycle c
    for digit in range(array.digits):
        used[max(0, 2 * digit - 1) : 2 * digit + 2] |= 1 << digit
    columns = _few_columns(kernel)
    if columns is None:
        counts = dict.fromkeys(map(int, used), 0)
        for cycles in map(int, used):
            counts[cycles] += array.pe * array.simd
    else:
        by_code = np.zeros(1 << rows, np.int64)
        for bit, at in enumerate(used):
            by_code[columns.codes[bit::bits]] |= at
        by_code[[0, -1]] = 0  # constants
        counts = dict(enumerate(map(int, np.bincount(by_code))))
    read_by_luts = kernel.memory is RamStyle.DISTRIBUTED  # a register of the ROM's, counted there
    for cycles, count in counts.items():
        before = -1 if read_by_luts else 0
        for cycle in range(cycles.bit_length()):
            if not cycles >> cycle & 1:
                continue
            use = shift_register(count, cycle - before)
            features.take(Use(lut=use.lut, lutram=use.lutram))
            features.add("delayed weights", ff=use.ff - count * (before < 0))
            before = cycle


@cache
def _chains(simd: int, product_bits: int, digits: int) -> tuple[Features, tuple[int, ...]]:
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
            if digits - digit >= 4:  # the sum's lowest bits wait for the end
                features.take(shift_register(2, digits - digit))
                features.add("chain sums", ff=-2 * (digits - digit))
            largest >>= 2
        terms.append((largest << (2 * digits)) + (1 << (2 * digits)) - 1)
    return features, tuple(terms)
