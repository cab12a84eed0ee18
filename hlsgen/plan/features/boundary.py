"""The accelerator's ends: unpack, pack."""

from __future__ import annotations

from math import gcd

from hlsgen.board import Family
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.unpack import Unpack
from hlsgen.plan.features.parts import Features, counter, multiplexer, small_fifo
from hlsgen.plan.primitives import bits_for


def unpack(kernel: Unpack, family: Family) -> Features:
    """``hlsgen_unpack``."""
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
    stray = 1.2 if kernel.lanes > word and grain == 1 else 0.0  # the position may be twice as far as the last one
    _multiplexer(features, kernel.lanes * bits, word // grain, kernel.lanes // grain, stray)
    features.add("control", lut=5)
    position = bits_for(word // grain + kernel.lanes // grain)
    features.add("position", lut=position, ff=position)
    features.add("words", lut=counts / 2, ff=counts / 2)
    small_fifo(features, kernel.lanes * bits, family)
    small_fifo(features, 1, family)
    return features


def _multiplexer(features: Features, bits: int, positions: int, stride: int, stray: float) -> None:
    """Add the choice of ``bits`` from as many ``positions``, which advance by ``stride``.

    Where both exceed 1 the position may point past the last one, and Yosys multiplexes that, too: ``stray`` LUTs a bit.
    """
    if positions > 1 and stride > 1:
        features.add("stray positions", lut=5.0 * positions + bits * stray)
    features.add(f"multiplexer of {1 << bits_for(positions)}", lut=bits * multiplexer(positions))


def pack(kernel: Pack, family: Family) -> Features:
    """``hlsgen_pack``."""
    features = Features("pack.one" if len(kernel.parts) == 1 else "pack.several")
    features.add("control", lut=11)
    position = beats = older = kept = 0
    for (elements, lanes, type), words in zip(kernel.parts, kernel.words, strict=True):
        word = kernel.axi_bits // type.storage_bits
        grain = gcd(word, lanes)
        # copies of a sign bit are one register, if there is but one part
        bits = type.bits if len(kernel.parts) == 1 else type.storage_bits
        kept = max(kept, word * bits)
        older = max(older, (lanes - grain) * bits)
        position = max(position, bits_for((word + lanes) // grain))
        beats = max(beats, bits_for(elements // lanes))
        _multiplexer(features, word * type.bits, lanes // grain, word // grain, stray=1.6)
        if word % lanes == 0 and elements % word:
            features.add("short last words", lut=15)
        if len(kernel.parts) > 1:
            features.add("parts", lut=0.9 * kernel.axi_bits + 0.5 * older, ff=1)
            features.add("part counters", lut=bits_for(words))
    features.add("window", ff=kept + older)
    features.add("position", lut=position, ff=position)
    features.add("beat counter", lut=beats, ff=beats)
    if kernel.spaced:
        features.add("output register", ff=kept + 1)
    else:
        small_fifo(features, kernel.axi_bits + 1, family)
    return features
