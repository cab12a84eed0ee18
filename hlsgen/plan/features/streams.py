"""Kernels that move beats and change none: fifo, fork, width, concat."""

from __future__ import annotations

from hlsgen.board import Family
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.concat import Concat
from hlsgen.kernels.fifo import Fifo
from hlsgen.kernels.fork import Fork
from hlsgen.kernels.width import Width
from hlsgen.plan.features.parts import Features, counter
from hlsgen.plan.primitives import bits_for, block_ram, lut_ram, multiplexer, multiplexer_tree


def fifo(fifo: Fifo, family: Family) -> Features:
    """``hlsgen_fifo``."""
    if fifo.wires:
        return Features("fifo.wires", lut={}, ff={})
    address, count = bits_for(fifo.depth), bits_for(fifo.depth + 1)
    if fifo.style is RamStyle.BLOCK:
        words = fifo.block_words
        use, banks = block_ram(fifo.width, words)
        features = Features("fifo.block", use)
        features.add("address", lut=2 * address, ff=2 * address)
        features.add("count", lut=count, ff=count)
        features.add("wraps", lut=2 * address if words & (words - 1) else 0)
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


def fork(kernel: Fork, family: Family) -> Features:
    """``hlsgen_fork``."""
    features = Features("fork")
    width, copies = kernel.inputs[0].width, kernel.copies
    features.add("stored beats", ff=2 * width)
    features.add("copy multiplexers", lut=width * copies)
    features.add("copies", lut=copies, ff=3 * copies)
    return features


def width(kernel: Width, family: Family) -> Features:
    """``hlsgen_width``."""
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
    features.add("multiplexer", lut=width_out * multiplexer_tree(ratio))
    counter(features, ratio)
    return features


def concat(kernel: Concat, family: Family) -> Features:
    """``hlsgen_concat``."""
    features = Features("concat")
    width = kernel.outputs[0].width
    features.add("multiplexer", lut=width * multiplexer(len(kernel.channels)))
    features.add("inputs", lut=len(kernel.channels), ff=len(kernel.channels))
    counter(features, sum(kernel.tiles))
    features.take(lut_ram(width, 2, family))
    return features
