"""FIFO depths with which a design cannot deadlock, from the kernels' reading orders alone; no simulation.

One call of each process handles one image and leaves the streams empty, so it is enough that a single image passes.
A network of processes with blocking reads and writes deadlocks, or does not, whatever the order in which they run
(Kahn; Parks), so depths are safe as soon as they admit one order. The order used here is the demand-driven one.

Only a process with several outputs writes beats that nobody has asked for yet. Take two branches ``a`` and ``b`` of a
fork that meet again in a join. When the join is about to write its beat j, it has made the fork write ``need(j)``
beats by way of b. By way of a, meanwhile, ``taken(j)`` beats can have left the fork's FIFO: as many as it takes until
all FIFOs on the way to the waiting join are full. The FIFO of a holds the rest, so its depth is
``max over j of need(j) - taken(j)``, and not less: the join needs the former, and no more than the latter can leave.
Both are compositions of the ``reads`` arrays along the branches. Where forks and joins are nested (the network is
series-parallel, as residual networks are) there is no other way to deadlock. For networks whose forks and joins cross,
``plan/crossed.py`` gives depths that are safe, and larger than needed.

Processes are taken to be as strict as hardware is: a pipelined loop performs the last read for a beat in the cycle in
which it writes that beat, and a fork writes all its outputs in one cycle. Simulated C++ is laxer by a beat per process.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

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
    depths = dict.fromkeys(network.design.streams, SMALLEST)
    pairs = [
        (network.meeting(branch, other), fork, branch, other)
        for fork in reversed(network.forks)
        for branch, other in permutations(fork.outputs, 2)
    ]
    needs: dict[int, dict[str, Counts]] = {}
    for meeting, fork, branch, other in sorted(pairs, key=lambda pair: pair[0]):  # inner pairs before outer ones
        join = network.instances[meeting]
        if meeting not in needs:
            needs[meeting] = network.needs(join)
        need = network.written(fork, branch, network.progress(fork, other, needs[meeting][other]))
        held = need - _taken(network, join, branch, depths, {})
        depths[branch] = max(depths[branch], int(held.max()))
    return {name: depths[name] for fork in network.forks for name in fork.outputs}


def _taken(network: Network, join: Instance, name: str, depths: Mapping[str, int], known: dict[str, Counts]) -> Counts:
    """Beats of stream ``name`` its reader can have taken when ``join`` waits to write beat j, for every j.

    All ways from ``name`` lead to ``join``; every FIFO on them fills up. ``known`` collects results by stream.
    """
    if name in known:
        return known[name]
    process = network.reader[name]
    if process is join:
        reads = network.reads(join, name)
        taken = np.asarray(np.maximum(np.concatenate([[0], reads[:-1]]), reads - 1))
    else:
        room = [
            network.completed(process, output, _taken(network, join, output, depths, known) + depths[output])
            for output in process.outputs
        ]
        taken = network.taken_by(process, name, np.minimum.reduce(room))
    known[name] = taken
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
