"""FIFO depths: safe for any network, exact for nested forks and joins."""

from __future__ import annotations

import random

import pytest

from hlsgen.lower.design import Design
from hlsgen.plan.fifos import SMALLEST, size_fifos
from hlsgen.plan.network import Network
from tests.plan.kahn import Counting, build, passes

Node = tuple[str, Counting, list[str]]


def through(beats: int) -> tuple[int, ...]:
    """One beat out for each beat in."""
    return tuple(range(1, beats + 1))


def delayed(beats: int, delay: int) -> tuple[int, ...]:
    """One beat out per beat in, each needing ``delay`` beats more, as a window does."""
    return tuple(min(beat + delay, beats) for beat in range(1, beats + 1))


def residual(beats: int, delay: int) -> Design:
    nodes: list[Node] = [
        ("fork", Counting((beats,), (through(beats),), 2), ["s_axis"]),
        ("window", Counting((beats,), (delayed(beats, delay),)), ["fork.0"]),
        ("add", Counting((beats, beats), (through(beats), through(beats))), ["window.0", "fork.1"]),
    ]
    return build(nodes, "add.0")


def test_a_skip_holds_what_the_other_branch_needs_first() -> None:
    # the sum's first beat needs 1 + 10 beats of the window's branch, and takes one beat of the skip when it is written
    assert size_fifos(residual(40, 10)) == {"fork.0": 2, "fork.1": 11, "window.0": 2}


def test_depths_are_set_in_the_design() -> None:
    design = residual(40, 10)
    depths = size_fifos(design)
    assert {name: stream.depth for name, stream in design.streams.items() if name in depths} == depths


def test_a_chain_before_the_join_holds_beats_too() -> None:
    beats = 40
    nodes: list[Node] = [
        ("fork", Counting((beats,), (through(beats),), 2), ["s_axis"]),
        ("window", Counting((beats,), (delayed(beats, 10),)), ["fork.0"]),
        ("table", Counting((beats,), (through(beats),)), ["fork.1"]),
        ("add", Counting((beats, beats), (through(beats), through(beats))), ["window.0", "table.0"]),
    ]
    depths = size_fifos(build(nodes, "add.0"))
    assert depths["table.0"] == SMALLEST
    assert depths["fork.1"] == 11 - SMALLEST


def test_beats_nobody_needs_are_read_at_the_end() -> None:
    """A stride leaves the last beats unread; they must not be counted as waiting, nor block the other branch."""
    beats = 32
    strided = tuple(range(1, beats, 4))
    nodes: list[Node] = [
        ("fork", Counting((beats,), (through(beats),), 2), ["s_axis"]),
        ("long", Counting((beats,), (strided,)), ["fork.0"]),
        ("short", Counting((beats,), (strided,)), ["fork.1"]),
        ("add", Counting((len(strided),) * 2, (through(len(strided)),) * 2), ["long.0", "short.0"]),
    ]
    design = build(nodes, "add.0")
    depths = size_fifos(design)
    assert set(depths.values()) == {SMALLEST}
    assert passes(design, depths, strict=True)


def test_a_join_that_waits_for_a_whole_image_needs_all_of_it() -> None:
    beats = 24
    nodes: list[Node] = [
        ("fork", Counting((beats,), (through(beats),), 2), ["s_axis"]),
        ("pool", Counting((beats,), ((beats,),)), ["fork.0"]),
        ("pack", Counting((1, beats), ((1,) * (beats + 1), (0, *through(beats)))), ["pool.0", "fork.1"]),
    ]
    design = build(nodes, "pack.0")
    assert size_fifos(design)["fork.1"] == beats
    assert passes(design, size_fifos(design), strict=True)


def order(generator: random.Random, beats: int) -> tuple[int, ...]:
    """A random reading order of ``beats`` beats: delays, strides, bursts of output, beats left over."""
    count = generator.choice((max(1, beats // 3), beats, beats, 2 * beats))
    reads, position = [], generator.randint(0, beats // 2)
    for index in range(count):
        position = min(beats, max(position + generator.choice((0, 0, 1, 1, 1, 2, 5)), -(-beats * index // (2 * count))))
        reads.append(max(1, position))
    return tuple(reads)


class Growing:
    """Adds random nodes to a network; every method returns the stream that goes on."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.nodes: list[Node] = []
        self.beats: dict[str, int] = {}

    def add(self, kernel: Counting, inputs: list[str]) -> list[str]:
        name = f"n{len(self.nodes)}"
        self.nodes.append((name, kernel, inputs))
        outputs = [f"{name}.{index}" for index in range(kernel.copies)]
        self.beats.update(dict.fromkeys(outputs, len(kernel.orders[0])))
        return outputs

    def chain(self, stream: str, length: int) -> str:
        for _ in range(length):
            beats = self.beats[stream]
            (stream,) = self.add(Counting((beats,), (order(self.random, beats),)), [stream])
        return stream

    def fork(self, stream: str, copies: int) -> list[str]:
        beats = self.beats[stream]
        return self.add(Counting((beats,), (through(beats),), copies), [stream])

    def resample(self, stream: str, beats: int) -> str:
        """Bring a stream to ``beats`` beats."""
        have = self.beats[stream]
        reads = tuple(-(-have * (k + 1) // beats) for k in range(beats))
        return self.add(Counting((have,), (reads,)), [stream])[0] if have != beats else stream

    def join(self, streams: list[str]) -> str:
        beats = self.beats[streams[0]]
        streams = [self.resample(stream, beats) for stream in streams]
        return self.add(Counting((beats,) * len(streams), (through(beats),) * len(streams)), streams)[0]

    def nested(self, stream: str, depth: int) -> str:
        """A random series-parallel piece."""
        stream = self.chain(stream, self.random.randint(0, 2))
        if depth == 0:
            return stream
        branches = [self.nested(branch, depth - 1) for branch in self.fork(stream, self.random.choice((2, 2, 3)))]
        return self.chain(self.join(branches), self.random.randint(0, 1))

    def start(self, beats: int) -> str:
        self.beats["s_axis"] = beats
        return self.chain("s_axis", 1)

    def finish(self, stream: str) -> Design:
        return build(self.nodes, stream)


@pytest.mark.parametrize("seed", range(60))
def test_random_nested_networks_run_and_not_with_less(seed: int) -> None:
    growing = Growing(seed)
    stream = growing.nested(growing.start(30), 1 + seed % 2)
    design = growing.finish(growing.chain(stream, 1))
    assert Network(design).series_parallel()
    depths = size_fifos(design)
    assert passes(design, depths, strict=True)
    assert passes(design, depths, strict=False)
    for name, depth in depths.items():
        if depth > SMALLEST:
            assert not passes(design, {**depths, name: depth - 1}, strict=True), f"{name} could be shallower"


@pytest.mark.parametrize("seed", range(60))
def test_random_crossed_networks_run(seed: int) -> None:
    """Two forks whose branches are joined pairwise, as between the resolutions of a multi-branch network."""
    growing = Growing(1000 + seed)
    left, right = (growing.chain(branch, 1) for branch in growing.fork(growing.start(24), 2))
    for _ in range(1 + seed % 2):
        left = growing.resample(left, growing.beats[right])
        (a, b), (c, d) = growing.fork(left, 2), growing.fork(right, 2)
        left = growing.chain(growing.join([a, growing.chain(c, growing.random.randint(0, 2))]), 1)
        right = growing.chain(growing.join([growing.chain(b, growing.random.randint(0, 2)), d]), 1)
    design = growing.finish(growing.chain(growing.join([left, right]), 1))
    assert not Network(design).series_parallel()
    depths = size_fifos(design)
    assert passes(design, depths, strict=True)
    assert passes(design, depths, strict=False)


def test_smaller_depths_of_a_skip_deadlock() -> None:
    design = residual(200, 100)
    depths = size_fifos(design)
    for percent in (1, 5, 20):
        reduced = {**depths, "fork.1": depths["fork.1"] * (100 - percent) // 100}
        assert not passes(design, reduced, strict=True)
    assert not passes(design, {**depths, "fork.1": depths["fork.1"] * 80 // 100}, strict=False)
