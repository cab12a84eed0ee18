"""Safe FIFO depths for networks whose forks and joins cross, as where several branches are joined pairwise.

Time is counted in beats that have entered the network. Every process runs as soon as its inputs allow, except that the
processes between a fork and the next join wait until that join asks, so that what has to wait does so in the fork's
FIFOs, where beats are narrow. That is one order in which one image passes, so the FIFO occupancies it needs are safe
(see ``plan/fifos.py``). Beats that one entering beat sets off at once are counted as if written before any is read.
"""

from __future__ import annotations

import numpy as np

from hlsgen.plan.network import Counts, Network


def crossed_depths(network: Network) -> dict[str, int]:
    """Depths of the streams in which beats wait: between a fork and the next join at the fork, else before the join."""
    fires = _fire_times(network)
    depths: dict[str, int] = {}
    for join in network.joins:
        for name in join.inputs:
            held, times = name, _read_times(network, name, fires[join.name])
            while (process := network.writer[held]) and len(process.inputs) == len(process.outputs) == 1:
                held = process.inputs[0]
                times = _read_times(network, held, times)
            if len(process.outputs) == 1:  # the chain begins at a join, not at a fork: it does not wait
                held, times = name, _read_times(network, name, fires[join.name])
            writes = _write_times(network, held, fires)
            # just before beat n is read, all beats written up to that moment but the first n are held
            occupied = np.searchsorted(writes, times, side="right") - np.arange(len(times))
            depths[held] = max(depths.get(held, 0), int(occupied.max()))
    return depths


def _fire_times(network: Network) -> dict[str, Counts]:
    """For each process: the time at which beat k of its first output can be written, all being as fast as possible."""
    fires: dict[str, Counts] = {}
    for instance in network.instances:
        arrivals = []
        for name in instance.inputs:
            if name == network.design.input:
                written = np.arange(1, network.beats(name) + 1)
            else:
                written = _write_times(network, name, fires)
            arrivals.append(np.concatenate([[0], written])[network.reads(instance, name)])
        fires[instance.name] = np.maximum.accumulate(np.maximum.reduce(arrivals))
    return fires


def _write_times(network: Network, name: str, fires: dict[str, Counts]) -> Counts:
    """Times at which the beats of stream ``name`` are written."""
    writer = network.writer[name]
    times = fires[writer.name]
    if name == writer.outputs[0]:
        return times
    beats = np.arange(1, network.beats(name) + 1)
    return times[-(-beats * len(times) // network.beats(name)) - 1]


def _read_times(network: Network, name: str, times: Counts) -> Counts:
    """Times at which the beats of stream ``name`` are read by a process that writes its output at ``times``.

    Beats beyond the last that is needed are read when the last one is.
    """
    reader = network.reader[name]
    first = np.searchsorted(network.reads(reader, name), np.arange(network.beats(name)), side="right")
    return times[np.minimum(first, len(times) - 1)]
