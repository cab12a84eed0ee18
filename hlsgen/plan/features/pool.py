"""Pooling: maxpool, sumpool."""

from __future__ import annotations

from hlsgen.board import Family
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.dot_array import tree_levels
from hlsgen.kernels.maxpool import MaxPool
from hlsgen.kernels.sumpool import SumPool
from hlsgen.plan.features.parts import Features, adder_tree, bank_luts, counter, passed_term, queue
from hlsgen.plan.primitives import bits_for, block_ram, lut_ram


def pool(kernel: MaxPool | SumPool, family: Family) -> Features:
    """``hlsgen_pool``."""
    is_sum = isinstance(kernel, SumPool)
    features = Features("sumpool" if is_sum else "maxpool")
    lanes, taps, tiles = kernel.lanes, kernel.taps, kernel.channels // kernel.lanes
    groups = kernel.kernel_taps // taps
    term, acc = kernel.inputs[0].type.bits, kernel.outputs[0].type.bits
    if is_sum:
        adder_tree(features, lanes, [(1 << term) - 1] * taps, acc)
        levels = tree_levels(taps)
    else:
        features.add("comparisons", lut=lanes * (taps - 1) * term)
        features.add("comparators", lut=lanes * (taps - 1))
        terms, run = taps, 0
        while terms > 1:
            features.add("largest", ff=lanes * (terms // 2) * term)
            if terms % 2:
                run += 1
            else:
                passed_term(features, lanes * term, run)
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
    if groups > 1 or is_sum:
        features.add("accumulators", lut=lanes * acc)
    if groups > 1 and tiles == 1:
        features.add("former", ff=lanes * acc)
    elif groups > 1:
        style = kernel.rtl_parameters().get("RAM_STYLE")
        if style == RamStyle.BLOCK.value:
            features.take(block_ram(lanes * acc, tiles)[0])
        else:
            features.take(lut_ram(lanes * acc, tiles, family))
            features.add("deep accumulators", lut=lanes * acc * bank_luts(tiles))
            features.add("accumulator address", ff=bits_for(tiles))
    queue(features, lanes * acc, stages + 2, family)
    return features
