"""The timing model against a plain simulation cycle by cycle, and what is made of it: intervals, latencies, depths."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import numpy as np
import pytest

from hlsgen.errors import PlanError
from hlsgen.kernels.base import InputTiming, OutputTiming, Timing
from hlsgen.kernels.fifo import Fifo
from hlsgen.lower.design import Design
from hlsgen.plan.depths import rate_depths, size_for_rate
from hlsgen.plan.fifos import SMALLEST, size_fifos
from hlsgen.plan.network import Network
from hlsgen.plan.timing import predict, simulate
from hlsgen.plan.tokens import Tokens
from tests.plan import token_reference
from tests.plan.timed import (
    Timed,
    Wall,
    counting,
    elementwise,
    matvec,
    narrow,
    pack,
    random_timed,
    resnet,
    unpack,
    widen,
    window,
)


def latencies(design: Design, depths: dict[str, int]) -> Callable[[str], int]:
    return lambda name: Fifo(design.streams[name].spec.width, depths.get(name, 0)).latency


def inner(design: Design) -> list[str]:
    return [name for name in design.streams if name not in (design.input, design.output)]


def random_design(generator: random.Random) -> Design:
    """A chain of arbitrary kernels and, mostly, a fork whose branches take different times."""
    wall, stream, beats = Wall(), "s_axis", generator.randint(2, 12)
    for _ in range(generator.randint(1, 3)):
        kernel = random_timed(generator, beats)
        (stream,) = wall.add(kernel, stream)
        beats = kernel.outputs[0].beats
    if generator.random() < 0.6:
        fork = elementwise(beats, 1, 2, latency=generator.randint(1, 3), queue=generator.randint(2, 5))
        left, right = wall.add(fork, stream)
        kernel = random_timed(generator, beats)
        (left,) = wall.add(kernel, left)
        count = kernel.outputs[0].beats
        (right,) = wall.add(resample(beats, count), right)
        (stream,) = wall.add(elementwise(count, 2, 1), left, right)
    return wall.build(stream)


def resample(beats: int, count: int) -> Timed:
    """``beats`` beats become ``count``, by way of a buffer of three."""
    needs = -(-(np.arange(count) + 1) * beats // count)
    last = np.minimum(np.searchsorted(needs, np.arange(beats), side="right"), count - 1)
    image, beat = np.divmod(np.arange(beats) - 3 - beats // count, beats)
    return Timed(
        (beats,),
        Timing(count, (InputTiming(needs, image * count + last[beat], 1, 1),), (OutputTiming(np.arange(count), 2, 4),)),
    )


@pytest.mark.parametrize("seed", range(120))
def test_every_cycle_is_that_of_the_reference(seed: int) -> None:
    generator = random.Random(seed)
    design = random_design(generator)
    depths = {name: generator.choice((0, 2, 3, 5, 9, 20)) for name in inner(design)}
    images = generator.randint(1, 4)
    expected = token_reference.run(design, images, depths, latencies(design, depths), limit=6000)
    if expected is None:
        with pytest.raises(PlanError, match=r"deadlocks with these FIFO depths: .*(full with|empty|waits for itself)"):
            simulate(design, images, depths)
        return
    tokens = simulate(design, images, depths)
    steps, channels = expected
    for instance in design.instances:
        assert tokens.times_of_steps(instance.name).ravel().tolist() == steps[instance.name], instance.name
    for name, channel in channels.items():
        if name != design.input:
            assert tokens.handed_over(name).ravel().tolist() == channel.handed, name
        if name != design.output:
            assert tokens.accepted(name).ravel().tolist() == channel.accepted, name


def test_random_designs_deadlock_at_times() -> None:
    """So that the test above has seen both ends."""
    dead = 0
    for seed in range(120):
        generator = random.Random(seed)
        design = random_design(generator)
        depths = {name: generator.choice((0, 2, 3, 5, 9, 20)) for name in inner(design)}
        tokens = Tokens(design, generator.randint(1, 4))
        tokens.set_depths(depths)
        dead += bool(tokens.stuck())
    assert 5 <= dead <= 40


@pytest.mark.parametrize("seed", range(60))
def test_predictions_are_those_of_the_reference(seed: int) -> None:
    """Latency of one image; interval after many."""
    generator = random.Random(1000 + seed)
    design = random_design(generator)
    depths = {name: generator.choice((2, 3, 6, 20)) for name in inner(design)}
    single = token_reference.run(design, 1, depths, latencies(design, depths), limit=6000)
    many = token_reference.run(design, 40, depths, latencies(design, depths), limit=20_000)
    if single is None or many is None:
        return
    prediction = predict(design, depths)
    assert prediction.latency_cycles == single[1]["m_axis"].handed[-1] - single[1]["s_axis"].accepted[0] + 1
    beats = design.streams[design.output].spec.beats
    ends = many[1]["m_axis"].handed[beats - 1 :: beats]
    assert prediction.interval_cycles == -(-(ends[-1] - ends[19]) // 20)
    for activity in prediction.activities.values():
        waits = sum(activity.starved.values()) + sum(activity.blocked.values())
        assert activity.busy + waits == prediction.interval_cycles


def residual(height: int = 12, width: int = 12, tiles: int = 4) -> Design:
    """unpack, fork, two convolutions of full rate and a skip around them, pack."""
    wall = Wall()
    beats = height * width * tiles
    stream, last = wall.add(unpack(beats // 8, 8), "s_axis")
    main, skip = wall.add(elementwise(beats, 1, 2, latency=1, queue=2), stream)
    for _ in range(2):
        (main,) = wall.add(window(height, width, tiles, 3), main)
        (main,) = wall.add(matvec(height * width, tiles, 2), main)
        (main,) = wall.add(narrow(height * width * 2, tiles // 2), main)
        (main,) = wall.add(elementwise(beats, latency=9, queue=12), main)
    (stream,) = wall.add(elementwise(beats, 2, 1), main, skip)
    (stream,) = wall.add(pack(beats, 8), stream, last)
    return wall.build(stream)


def test_a_skip_is_as_deep_as_the_interval_needs() -> None:
    design = residual()
    depths = size_for_rate(design)
    assert {name for name, depth in depths.items() if depth > 16} == {"k1.1"}
    assert all(design.streams[name].rtl_depth == depth for name, depth in depths.items())
    assert all(design.streams[name].depth >= depth for name, depth in depths.items())
    assert predict(design).interval_cycles == 2 * 12 * 12 * 4
    least = depths["k1.1"]
    assert predict(design, {**depths, "k1.1": least * 2}).interval_cycles == 2 * 12 * 12 * 4
    try:
        raised = predict(design, {**depths, "k1.1": least * 4 // 5}).interval_cycles
    except PlanError:
        return
    assert raised >= 1.01 * 2 * 12 * 12 * 4


def test_the_sized_design_runs_at_its_interval_in_the_reference() -> None:
    design = residual(6, 6, 4)
    depths = size_for_rate(design)
    result = token_reference.run(design, 6, depths, latencies(design, depths))
    assert result is not None
    ends = result[1]["m_axis"].handed[17::18]
    assert ends[-1] - ends[-2] == predict(design).interval_cycles == 2 * 6 * 6 * 4


def every_other_row(row: int, rows: int) -> Timed:
    """Of twice as many rows, each other one goes on."""
    beats = 2 * row * rows
    emits = np.arange(beats).reshape(rows, 2, row)[:, 1].ravel()
    return Timed((beats,), Timing(beats, (InputTiming(counting(beats)),), (OutputTiming(emits, 2, 4),)))


def bursts(row: int, rows: int) -> Design:
    """Every other row goes on, to a kernel that takes two cycles for each beat."""
    wall = Wall()
    (stream,) = wall.add(every_other_row(row, rows), "s_axis")
    (stream,) = wall.add(elementwise(row * rows, interval=2), stream)
    (stream,) = wall.add(elementwise(row * rows), stream)
    return wall.build(stream)


def test_bursts_get_a_fifo_where_they_need_one() -> None:
    design = bursts(32, 8)
    assert predict(design).interval_cycles > 1.3 * 512
    depths = size_for_rate(design)
    assert depths["k1.0"] == SMALLEST
    assert 8 <= depths["k0.0"] <= 32
    assert predict(design).interval_cycles == 512
    assert predict(design, {**depths, "k0.0": depths["k0.0"] * 4 // 5}).interval_cycles > 512


def test_bursts_wait_in_one_fifo() -> None:
    """They could in two, in front of a kernel that takes two cycles for each beat, and behind it for the join."""
    beats, wall = 32 * 8, Wall()
    main, skip = wall.add(elementwise(2 * beats, 1, 2, latency=1, queue=2), "s_axis")
    (main,) = wall.add(every_other_row(32, 8), main)
    (main,) = wall.add(elementwise(beats, latency=5), main)
    (main,) = wall.add(elementwise(beats, latency=20, queue=23), main)
    (skip,) = wall.add(every_other_row(32, 8), skip)
    (skip,) = wall.add(elementwise(beats, interval=2), skip)
    (stream,) = wall.add(elementwise(beats, 2, interval=2), main, skip)
    design = wall.build(stream)
    depths = size_for_rate(design)
    (name,) = (name for name, depth in depths.items() if depth > SMALLEST)
    assert predict(design, depths).interval_cycles == 2 * beats
    assert predict(design, {**depths, name: depths[name] - 1}).interval_cycles > 2 * beats


def test_what_kernels_wait_for() -> None:
    wall = Wall()
    (stream,) = wall.add(elementwise(40), "s_axis")
    (stream,) = wall.add(elementwise(40, interval=3), stream)
    (stream,) = wall.add(widen(40, 4), stream)
    design = wall.build(stream)
    prediction = predict(design)
    assert (prediction.interval_cycles, prediction.bottleneck, prediction.bottleneck_cycles) == (120, "k1", 120)
    first, second, third = (prediction.activities[name] for name in ("k0", "k1", "k2"))
    assert (first.busy, first.starved, first.blocked, first.binding) == (40, {"s_axis": 0}, {"k0.0": 80}, "k0.0")
    assert (second.busy, second.binding) == (120, None)
    assert (third.busy, third.starved, third.blocked, third.binding) == (40, {"k1.0": 80}, {"m_axis": 0}, "k1.0")


def test_between_a_fork_and_its_join() -> None:
    design = residual(6, 6, 4)
    network = Network(design)
    unpacking, fork = network.forks
    assert [instance.name for instance in network.between(fork)] == [f"k{index}" for index in range(1, 11)]
    assert network.between(unpacking) == design.instances


@pytest.mark.parametrize(
    ("timing", "message"),
    [
        (Timing(3, (), (OutputTiming(np.arange(2), 1, 2),)), "other numbers of streams"),
        (Timing(3, (InputTiming(counting(2)),), (OutputTiming(np.arange(3), 1, 2),)), "needs of input 0 are not one"),
        (Timing(3, (InputTiming(counting(3) + 1),), (OutputTiming(np.arange(3), 1, 2),)), "not within its beats"),
        (Timing(2, (InputTiming(np.array([1, 3])),), (OutputTiming(np.arange(2), 1, 2),)), "one by one, at once"),
        (Timing(3, (InputTiming(counting(3), delay=1),), (OutputTiming(np.arange(3), 1, 2),)), "one by one, at once"),
        (Timing(3, (InputTiming(counting(3), np.arange(2)),), (OutputTiming(np.arange(3), 1, 2),)), "not one per beat"),
        (Timing(3, (InputTiming(counting(3), np.arange(3) + 1),), (OutputTiming(np.arange(3), 1, 2),)), "beyond"),
        (Timing(3, (InputTiming(counting(3)),), (OutputTiming(np.arange(3) + 1, 1, 2),)), "beats of steps that are"),
        (Timing(3, (InputTiming(counting(3)),), (OutputTiming(np.arange(3), 1, 0),)), "a queue of 0 beats"),
    ],
)
def test_a_contradictory_timing_is_refused(timing: Timing, message: str) -> None:
    wall = Wall()
    (stream,) = wall.add(Timed((3,), timing), "s_axis")
    with pytest.raises(ValueError, match=f"timing of k0: .*{message}"):
        Tokens(wall.build(stream))


def test_depths_that_are_too_small_are_named() -> None:
    design = residual()
    with pytest.raises(PlanError, match=r"deadlocks with these FIFO depths: .*k1\.1 is full with 40 beats"):
        predict(design, {**dict.fromkeys(inner(design), 2), "k1.1": 40})


def test_twenty_convolutions_are_planned_in_a_second() -> None:
    design = resnet(blocks=3)
    safe = size_fifos(design)
    start = time.process_time()
    depths = rate_depths(design, safe)
    prediction = predict(design, depths)
    assert time.process_time() - start < 2.5  # about 1 s where nothing else runs
    assert prediction.interval_cycles == prediction.bottleneck_cycles == 32768
    assert sum(depth > 100 for depth in depths.values()) == 9
