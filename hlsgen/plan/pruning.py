"""Options that no best selection needs: the integer program is several times smaller without them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hlsgen.plan.limits import RESOURCES
from hlsgen.plan.options import Edge, Option, Problem

Array = npt.NDArray[np.float64]


def undominated(problem: Problem, interval: int) -> list[list[Option]]:
    """For each place, its options for ``interval`` without those that another one can always replace.

    Option a replaces option b if, with any lanes at the places before and after, a and the ``width`` kernels beside it
    take no more of any resource than b with its own, and are fast enough wherever b's are. An option goes, too, if its
    lanes are impossible whatever the neighbours'.
    """
    return [_kept(problem, index, place.options(interval), interval) for index, place in enumerate(problem.places)]


def _kept(problem: Problem, place: int, options: Sequence[Option], interval: int) -> list[Option]:
    sides = []  # of each edge here: what each option's lanes cost with any lanes at the other end
    for edge in problem.edges:
        for here, end in ((edge.reader, 0), (edge.writer, 1)):
            if here == place:
                lanes = [(option.lanes_in, option.lanes_out)[end] for option in options]
                values, index = np.unique(np.array(lanes, np.int64), return_inverse=True)
                sides.append((_costs(problem, edge, end, values.tolist(), interval), index))
    possible = np.ones(len(options), bool)
    for costs, index in sides:
        possible &= np.isfinite(costs[:, :, 0].min(axis=1))[index]
    options = [option for option, kept in zip(options, possible, strict=True) if kept]
    if not options:
        return []
    amounts = np.array([tuple(option.amounts) for option in options], np.float64)
    exits = np.array([option.exit_cycles for option in options])
    more = np.zeros((len(options), len(options), amounts.shape[1]))  # what a's neighbours take more than b's, at most
    for costs, index in sides:
        more += _excess(costs)[index[possible][:, None], index[possible]]
    replaces = (amounts[:, None] + more <= amounts).all(axis=2) & (exits[:, None] <= exits)
    order = np.arange(len(options))
    first = order[:, None] < order  # of two that replace each other the first stays
    dropped = (replaces & (~replaces.T | first)).any(axis=0)
    return [option for option, drop in zip(options, dropped, strict=True) if not drop]


def _costs(problem: Problem, edge: Edge, end: int, lanes: Sequence[int], interval: int) -> Array:
    """Shape (lanes, others, resource): what the edge takes with each lanes at ``end`` and any at its other end."""
    others = sorted(problem.places[edge.reader if end else edge.writer].widths(1 - end))
    costs = [[_cost(problem, edge, (a, o) if end else (o, a), interval) for o in others] for a in lanes]
    return np.array(costs, np.float64).reshape(len(lanes), len(others), len(RESOURCES))


def _excess(costs: Array) -> Array:
    """Shape (a, b, resource): how much more than ``costs[b]`` are ``costs[a]`` with the same other end, at most.

    Where b is impossible, a has nothing to replace; where only a is, it can replace nothing.
    """
    a, b = costs[:, None], costs[None]
    shape = np.broadcast_shapes(a.shape, b.shape)
    difference = np.subtract(a, b, out=np.full(shape, -np.inf), where=np.isfinite(b))
    return np.asarray(difference.max(axis=2), np.float64)


def _cost(problem: Problem, edge: Edge, lanes: tuple[int, int], interval: int) -> tuple[float, ...]:
    """Amounts of the edge's ``width`` kernels; infinite if they are too slow or not allowed."""
    amounts, cycles = problem.costs.width(edge, *lanes)
    if cycles > interval or (edge.rigid and lanes[0] != lanes[1]):
        return (np.inf,) * len(RESOURCES)
    return tuple(amounts)
