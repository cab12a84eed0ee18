"""The accelerator's ends: unpack, pack."""

from __future__ import annotations

from math import gcd

from hlsgen.board import Family
from hlsgen.graph.types import QuantType
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.unpack import Unpack
from hlsgen.plan.features.parts import Features, counter, small_fifo
from hlsgen.plan.primitives import bits_for, multiplexer_tree


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
    positions, stride = word // grain, kernel.lanes // grain
    beat_bits = kernel.lanes * bits
    if positions > (4 if stride > 1 else 8):  # in two steps
        features.add("near grains", lut=(beat_bits + 3 * grain * bits) * multiplexer_tree(positions // 4))
        positions = 4
    features.add("multiplexer", lut=beat_bits * multiplexer_tree(positions))
    features.add("control", lut=5)
    position = bits_for(word // grain + kernel.lanes // grain)
    features.add("position", lut=position, ff=position)
    features.add("words", lut=counts / 2, ff=counts / 2)
    small_fifo(features, kernel.lanes * bits, family)
    small_fifo(features, 1, family)
    return features


def _choice(inputs: int, selects: int) -> int:
    """LUTs of a bit chosen from ``inputs`` by so many bits."""
    luts = 0
    while inputs + selects > 6 and inputs > 3:
        if inputs > 6:  # all in fours
            inputs, selects = -(-inputs // 4), selects - 2
            luts += inputs
        else:
            inputs -= 3
            luts += 1
    if inputs + selects > 6:
        luts += 1
    return luts + (inputs + selects > 1)


class _Part:
    """How the words of an output frame are chosen from the window."""

    def __init__(self, axi_bits: int, elements: int, lanes: int, type: QuantType, words: int) -> None:
        self.type, self.word = type, axi_bits // type.storage_bits
        self.grain = gcd(self.word, lanes)
        self.positions = lanes // self.grain
        self.older = lanes - self.grain
        self.last = elements - (words - 1) * self.word  # elements of the last word
        # it begins further on than all others and is filled with zeros
        self.beyond = self.positions > 1 and self.last < self.word
        self.short = self.positions == 1 and self.last < self.word
        self.beat_bits = lanes * type.storage_bits
        # of the window, where a beat comes in further down for a last word that is not filled
        self.short_bits = self.last * type.storage_bits if self.short else None
        self.position_bits = bits_for((self.word + lanes) // self.grain + 1)

    def inputs(self, bit: int) -> tuple[int, int]:
        """Of a bit of a word: from how many bits of the window it comes, and by how many bits it is chosen."""
        element, at = divmod(bit, self.type.storage_bits)
        if at >= self.type.bits and not self.type.signed:
            return 0, 0
        inside = self.beyond and element < self.last
        return self.positions + inside, bits_for(self.positions) + self.beyond


def pack(kernel: Pack, family: Family) -> Features:
    """``hlsgen_pack``."""
    several = len(kernel.parts) > 1
    features = Features("pack.several" if several else "pack.one")
    features.add("control", lut=11)
    parts = [_Part(kernel.axi_bits, *part, words) for part, words in zip(kernel.parts, kernel.words, strict=True)]
    if several:
        older = max(part.older * part.type.storage_bits for part in parts)
        kept = kernel.axi_bits
        features.add("words out", lut=sum(_joined([part.inputs(bit) for part in parts]) for bit in range(kept)))
        # a bit that all parts shift alike takes no choice; of three parts' beats and shifts it takes two LUTs at times
        taken_in = kept + older
        if len({part.beat_bits for part in parts}) == 1:
            alike = min([taken_in, *(part.short_bits for part in parts if part.short_bits is not None)])
            taken_in += parts[0].beat_bits - alike
        features.add("window inputs", lut=taken_in * (1.0 if len(parts) == 2 else 1.5))
        features.add("part counters", lut=sum(bits_for(words) for words in kernel.words))
        features.add("parts", lut=len(parts), ff=len(parts))
    else:  # copies of a sign bit are one register
        (part,) = parts
        kept, older = part.word * part.type.bits, part.older * part.type.bits
        bits = [element * part.type.storage_bits + at for element in range(part.word) for at in range(part.type.bits)]
        features.add("words out", lut=sum(_choice(*part.inputs(bit)) for bit in bits))
    if several:
        features.add("short last words", lut=15 * sum(part.short for part in parts))
    elif parts[0].short:  # its beats come in further down; above them, flip-flops are reset
        features.add("short last words", lut=kernel.parts[0][1] * parts[0].type.bits + 3)
    features.add("moving positions", lut=sum(part.position_bits for part in parts if part.positions > 1))
    position = max(part.position_bits for part in parts)
    beats = max(bits_for(elements // lanes + 1) for elements, lanes, _ in kernel.parts)
    features.add("window", ff=kept + older)
    features.add("position", lut=position, ff=position)
    features.add("beat counter", lut=beats, ff=beats)
    if kernel.spaced:
        features.add("output register", ff=kept + 1)
    else:
        small_fifo(features, kernel.axi_bits + 1, family)
    return features


def _joined(inputs: list[tuple[int, int]]) -> int:
    """LUTs of a bit that is that of one of several parts, from how many bits each part's comes and is chosen by."""
    present = [(count, selects) for count, selects in inputs if count]
    if sum(count + selects + 1 for count, selects in present) <= 6:
        return int(bool(present))
    return 1 + sum(_choice(count, selects) for count, selects in present)
