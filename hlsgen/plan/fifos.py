"""FIFO depths with which a design cannot deadlock, from the kernels' reading orders alone; no simulation.

One call of each process handles one image and leaves the streams empty, so it is enough that a single image passes.
A network of processes with blocking reads and writes deadlocks, or does not, whatever the order in which they run
(Kahn; Parks), so depths are safe as soon as they admit one order. The order used here is the demand-driven one.

Only a process with several outputs writes beats that nobody has asked for yet. When a join ``m`` is about to write its
beat j, its inputs have made the fork ``f`` write ``need(j)`` beats: the largest need of any of f's branches. The reader
of a branch ``s`` has by then taken ``taken(j)`` beats: as far as it can go while m still waits. The FIFO of s holds the
rest, so its depth is ``max over j of need(j) - taken(j)``, and not less: m needs the former, and no more than the
latter can leave. Needs are compositions of the ``reads`` arrays from m's inputs upwards. Where every pair of fork and
join is nested in the others (the network is series-parallel, as residual networks are) no other deadlock exists; for
networks whose forks and joins cross, ``plan/crossed.py`` gives depths that are safe, and slightly larger than needed.

Processes are taken to be as strict as hardware is: a pipelined loop performs the last read for a beat in the cycle in
which it writes that beat, and a fork writes all its outputs in one cycle. Simulated C++ is laxer by a beat per process.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlsgen.lower.design import Design, Instance
from hlsgen.plan.crossed import crossed_depths
from hlsgen.plan.network import Counts, Network

SMALLEST = 2
"""Depth of every FIFO at least: what HLS gives a stream, and what lets producer and consumer run at the same time."""


def size_fifos(design: Design) -> dict[str, int]:
    """The smallest safe depth, in beats, of every stream inside ``design``; also sets the streams' ``depth``.

    Streams that no fork writes get ``SMALLEST``. A larger depth anywhere never does harm.
    """
    network = Network(design)
    depths = dict.fromkeys((name for name in design.streams if name not in (design.input, design.output)), SMALLEST)
    needed = nested_depths(network) if network.series_parallel() else crossed_depths(network)
    depths.update((name, max(SMALLEST, depth)) for name, depth in needed.items())
    for instance in design.instances:
        for name in instance.outputs[1:]:
            if design.streams[name].spec.beats < design.streams[instance.outputs[0]].spec.beats:
                depths[name] = max(depths[name], images_in_flight(design, depths, instance, name))
    for name, depth in depths.items():
        design.streams[name].depth = depth
    return depths


def nested_depths(network: Network) -> dict[str, int]:
    """Exact depths of the streams that forks write, for networks whose forks and joins are nested."""
    depths: dict[str, int] = {}
    for join in network.joins:
        needs = network.needs(join)
        for fork in network.forks:
            demanded = [name for name in fork.outputs if name in needs]
            if not demanded:
                continue
            progress = network.progress(fork, needs)
            for name in demanded:
                held = network.written(fork, name, progress) - _taken(network, join, name, needs)
                depths[name] = max(depths.get(name, 0), int(held.max()))
    return depths


def _taken(network: Network, join: Instance, name: str, needs: Mapping[str, Counts]) -> Counts:
    """Beats of stream ``name`` its reader has taken when ``join`` waits to write beat j, for every j.

    Along a plain chain of processes from the stream to the join, every FIFO fills up; the first fork or join on the
    way takes no more than ``join`` needs, because its other streams bound it too.
    """
    chain = network.chain(name)
    if network.reader[chain[-1]] is not join:
        return needs[name]
    reads = network.reads(join, chain[-1])
    before = np.concatenate([[0], reads[:-1]])
    taken = np.maximum(before, reads - 1)
    for stream in reversed(chain[:-1]):
        process = network.reader[stream]
        taken = network.taken_by(process, stream, taken + SMALLEST)
    return taken


def images_in_flight(design: Design, depths: Mapping[str, int], source: Instance, aside: str) -> int:
    """How many images ``source`` can have finished while the sink still works on one, over the streams but ``aside``.

    That many beats of ``aside`` (one per image) may wait, so that it never throttles the others. If the reader of a
    stream with B beats per image and depth d has not finished image b, then its writer has written at most
    ``(b + 1) * B - 1 + d`` beats, so it has finished at most ``b + 1 + (d - 1) // B`` images. The bounds add up along a
    path; the path with the smallest sum counts.
    """
    sink = next(instance for instance in design.instances if design.output in instance.outputs)
    reader = {name: instance for instance in design.instances for name in instance.inputs}
    ahead = {sink.name: 0}
    for instance in reversed(design.instances):
        if instance is sink:
            continue
        ahead[instance.name] = min(
            ahead[reader[name].name] + 1 + (depths[name] - 1) // design.streams[name].spec.beats
            for name in instance.outputs
            if name != aside
        )
    return ahead[source.name]
