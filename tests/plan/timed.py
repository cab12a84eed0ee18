"""Kernels that are only a timing, shaped like the real ones, and random designs of them."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlsgen.graph.types import UINT8
from hlsgen.kernels.base import NEVER, Beats, Counts, InputTiming, Kernel, OutputTiming, StreamSpec, Timing
from hlsgen.lower.design import Design
from tests.plan.kahn import build


@dataclass(frozen=True, eq=False)
class Timed(Kernel):
    """A kernel that is only its timing."""

    kind = "timed"

    beats: tuple[int, ...]  # of each input
    given: Timing

    @property
    def inputs(self) -> tuple[StreamSpec, ...]:
        return tuple(StreamSpec(UINT8, 1, beats) for beats in self.beats)

    @property
    def outputs(self) -> tuple[StreamSpec, ...]:
        return tuple(StreamSpec(UINT8, 1, len(output.emits)) for output in self.given.outputs)

    @property
    def cycles(self) -> int:
        return max(self.given.steps * self.given.interval, *self.beats, *(len(o.emits) for o in self.given.outputs))

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return tuple(input.needs[self.given.outputs[0].emits] for input in self.given.inputs)

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        raise NotImplementedError

    def constants(self) -> dict[str, int]:
        return {}

    def timing(self) -> Timing:
        return self.given


def counting(beats: int) -> Counts:
    """1, 2, 3, ..."""
    return np.arange(1, beats + 1)


def elementwise(
    beats: int, inputs: int = 1, outputs: int = 1, latency: int = 3, queue: int = 8, interval: int = 1
) -> Timed:
    """A beat of every input in each step, and a beat of every output out of it: requant, add, fork."""
    source = InputTiming(counting(beats))
    result = OutputTiming(np.arange(beats), latency, queue)
    return Timed((beats,) * inputs, Timing(beats, (source,) * inputs, (result,) * outputs, interval))


def widen(beats: int, ratio: int) -> Timed:
    """``ratio`` beats become one."""
    result = OutputTiming(np.arange(ratio - 1, beats, ratio), 1, 2)
    return Timed((beats,), Timing(beats, (InputTiming(counting(beats)),), (result,)))


def narrow(beats: int, ratio: int) -> Timed:
    """A beat becomes ``ratio``; it is taken in the first of the steps."""
    result = OutputTiming(np.arange(beats * ratio), 1, 2)
    return Timed((beats,), Timing(beats * ratio, (InputTiming(np.arange(beats * ratio) // ratio + 1),), (result,)))


def matvec(vectors: int, fold: int, outputs: int, latency: int = 9) -> Timed:
    """``fold`` beats of a vector are held in a ring of two vectors and used for each of ``outputs`` beats."""
    steps = vectors * outputs * fold
    vector, rest = np.divmod(np.arange(steps), outputs * fold)
    needs = vector * fold + np.minimum(rest + 1, fold)
    last_use = np.arange(vectors)[:, None] * outputs * fold + (outputs - 1) * fold + np.arange(fold)
    frees = last_use.ravel() - 2 * outputs * fold
    emits = np.arange(vectors * outputs) * fold + fold - 1
    claims = np.arange(vectors * outputs) * fold
    source = InputTiming(needs, frees, delay=1, release=1)
    result = OutputTiming(emits, latency, max(2, -(-(latency + fold) // fold) + 1), claims)
    return Timed((vectors * fold,), Timing(steps, (source,), (result,)))


def window(height: int, width: int, tiles: int, kernel: int, stride: int = 1, latency: int = 3) -> Timed:
    """Windows with "same" padding, all taps in a beat, rows in a ring that holds ``kernel + stride`` of them."""
    pad = (kernel - 1) // 2
    rows, columns = -(-height // stride), -(-width // stride)
    held = kernel + stride
    y, x, tile = np.meshgrid(np.arange(rows), np.arange(columns), np.arange(tiles), indexing="ij")
    last_y = np.minimum(y * stride - pad + kernel - 1, height - 1)
    last_x = np.minimum(x * stride - pad + kernel - 1, width - 1)
    beats, steps = height * width * tiles, rows * columns * tiles
    needs = np.maximum.accumulate(((last_y * width + last_x) * tiles + tile + 1).ravel())
    # row r takes the place of row r - held (of the frames on end); that is free after the last output row using it
    row = np.arange(height)
    image, earlier = np.divmod(row - held, height)
    user = np.minimum((earlier + pad) // stride, rows - 1)
    step = image * steps + (user + 1) * columns * tiles - 1
    frees = np.repeat(step, width * tiles)
    source = InputTiming(needs, frees, delay=2, release=1)
    return Timed((beats,), Timing(steps, (source,), (OutputTiming(np.arange(steps), latency, latency + 2),)))


def unpack(words: int, ratio: int) -> Timed:
    """AXI words of ``ratio`` beats, and a beat per image at its end."""
    plain = narrow(words, ratio).given
    (data,) = plain.outputs
    last = OutputTiming(np.array([plain.steps - 1]), 1, 2)
    return Timed((words,), Timing(plain.steps, plain.inputs, (data, last)))


def pack(beats: int, ratio: int) -> Timed:
    """Beats become words; the image's last word waits for the beat of the second input."""
    plain = widen(beats, ratio).given
    last = np.zeros(beats, np.int64)
    last[-1] = 1
    return Timed((beats, 1), Timing(beats, (*plain.inputs, InputTiming(last)), plain.outputs))


class Wall:
    """A design under construction; every method returns the stream that goes on, with its beats."""

    def __init__(self) -> None:
        self.nodes: list[tuple[str, Kernel, list[str]]] = []

    def add(self, kernel: Timed, *streams: str) -> list[str]:
        name = f"k{len(self.nodes)}"
        self.nodes.append((name, kernel, list(streams)))
        return [f"{name}.{index}" for index in range(len(kernel.outputs))]

    def build(self, result: str) -> Design:
        return build(self.nodes, result)


def random_timed(generator: random.Random, beats: int) -> Timed:
    """A kernel of ``beats`` beats in, with arbitrary legal timing: bursts, strides, small queues."""
    steps = beats + generator.randrange(0, beats)
    interval = generator.choice((1, 1, 1, 2))
    taking = sorted(generator.sample(range(steps), beats))
    needs = np.searchsorted(np.array(taking), np.arange(steps), side="right")
    if generator.random() < 0.5:
        source = InputTiming(needs)
    else:
        places = generator.randint(1, max(1, beats // 2))
        shifted = np.clip(needs + generator.randint(-2, 0), 0, beats)  # beats left over at the end
        user = np.minimum(np.searchsorted(shifted, np.arange(beats), side="right"), steps - 1)
        image, beat = np.divmod(np.arange(beats) - places, beats)
        frees = image * steps + user[beat]
        if generator.random() < 0.2:
            frees[generator.randrange(beats)] = NEVER
        source = InputTiming(shifted, frees, generator.randint(0, 3), generator.randint(0, 3))
    count = generator.choice((max(1, beats // 3), beats, steps))
    emits = np.array(sorted(generator.choices(range(steps), k=count)))
    claims = None if generator.random() < 0.5 else np.maximum(emits - generator.randint(0, 3), 0)
    burst = int(np.bincount(emits if claims is None else claims).max())  # what one step claims must fit its queue
    queue = burst + generator.randint(0, 6)
    latency = generator.randint(1, 6)
    result = OutputTiming(emits, latency, queue, claims, reuse=generator.choice((0, 1, 1, 2)))
    return Timed((beats,), Timing(steps, (source,), (result,), interval))


def resnet(blocks: int) -> Design:
    """The kernels of a ResNet for 32x32 images (6 * blocks + 2 layers), folded to 32768 cycles per image."""
    wall = Wall()

    def convolution(stream: str, size: int, sizes: tuple[int, int], stride: int, pe: int, kernel: int = 3) -> str:
        inputs, outputs = sizes
        pixels = (size // stride) ** 2
        (stream,) = wall.add(window(size, size, inputs, kernel, stride), stream)
        (stream,) = wall.add(matvec(pixels, inputs, outputs // pe), stream)
        (stream,) = wall.add(narrow(pixels * outputs // pe, pe), stream)
        (stream,) = wall.add(elementwise(pixels * outputs, latency=12, queue=16), stream)
        return stream

    stream, last = wall.add(unpack(384, 8), "s_axis")
    stream = convolution(stream, 32, (3, 16), 1, 2)
    size, channels = 32, 16
    for stage in range(3):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            sizes = (channels, channels * stride)
            main, skip = wall.add(elementwise(size * size * channels, 1, 2, latency=1, queue=2), stream)
            main = convolution(main, size, sizes, stride, 8 // stride)
            main = convolution(main, size // stride, (sizes[1], sizes[1]), 1, 8)
            if stride == 2:
                skip = convolution(skip, size, sizes, 2, 4, kernel=1)
            size, channels = size // stride, sizes[1]
            (stream,) = wall.add(elementwise(size * size * channels, 2, 1, latency=5, queue=8), main, skip)
    beats = size * size * channels
    pool = OutputTiming(np.arange(beats - channels, beats), 2, 4)
    (stream,) = wall.add(Timed((beats,), Timing(beats, (InputTiming(counting(beats)),), (pool,))), stream)
    (stream,) = wall.add(matvec(1, channels, 10), stream)
    (stream,) = wall.add(pack(10, 2), stream, last)
    return wall.build(stream)
