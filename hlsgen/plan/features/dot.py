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
from hlsgen.plan.features.parts import SHALLOW, Features, adder_tree, dsps, queue, rom
from hlsgen.plan.primitives import Use, bits_for, lut_ram, shift_register


def matvec(kernel: Matvec, family: Family) -> Features:
    """``hlsgen_matvec``."""
    features = Features("matvec")
    _replay(features, kernel.inputs[0].width, kernel.input_fold, kernel.output_fold, family)
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
    images = {image.name: image for image in kernel.rtl_memories()} if rows <= SHALLOW else {}
    rom(features, "weight", word, rows, kernel.memory, images.get("weights"))
    features.add("row counter", lut=bits_for(rows), ff=bits_for(rows))

    term_bits = 1 if mac is Mac.XNOR else input_bits + 2 * digits if mac is Mac.LUT else product_bits
    sum_bits = min(term_bits + bits_for(simd) + 1, acc_bits)
    if mac is Mac.DSP2:
        features.take(Use(dsp=pe // 2 * simd))
        _dsp_registers(features, pe // 2 * simd * 32, family)
        adder_tree(features, pe, [(1 << product_bits) - 1] * simd, sum_bits)
    elif mac is Mac.DSP:
        operand = 2 if kernel.input_type.bipolar else input_bits + (not kernel.input_type.signed)
        features.take(Use(dsp=pe * simd * dsps(operand, weight_bits)))
        _dsp_registers(features, pe * simd * product_bits, family)
        adder_tree(features, pe, [(1 << product_bits) - 1] * simd, sum_bits)
    elif mac is Mac.LUT:
        _lut_chains(features, kernel, simd, sum_bits)
    else:
        nines = -(-simd // 9)
        features.add("agreements", lut=pe * simd, ff=4 * pe * nines)
        adder_tree(features, pe, [9] * (simd // 9) + [simd % 9] * (simd % 9 > 0), sum_bits)

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


def _lut_chains(features: Features, kernel: Matvec | Depthwise, simd: int, sum_bits: int) -> None:
    """Add ``hlsgen_dot_lut`` for every output: rows of adders, and what delays weights and elements."""
    array, pe, input_bits = kernel.dot_array, kernel.pe, kernel.input_type.bits
    product_bits = input_bits if kernel.weight_type.bipolar else input_bits + 1
    chains, terms = _chains(simd, product_bits, array.weight_bits, array.digits)
    features.merge(chains, pe)
    units = 1 if isinstance(kernel, Matvec) else pe
    features.add("delayed elements", ff=units * (array.digits - 1) * simd * input_bits)
    adder_tree(features, pe, terms, sum_bits, inverted=True)


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
