"""Options that no best selection needs: the integer program is several times smaller without them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hlsgen.plan.options import Edge, Option, Problem

Array = npt.NDArray[np.float64]


def undominated(problem: Problem, interval: int) -> list[list[Option]]:
    """For each place, its options for ``interval`` without those that another one can always replace.

    Option a replaces option b if, with any lanes at the places before and after, a and the ``width`` kernels beside it
    take no more of any resource than b with its own, and are fast enough wherever b's are.
    """
    return [_kept(problem, index, place.options(interval), interval) for index, place in enumerate(problem.places)]


def _kept(problem: Problem, place: int, options: Sequence[Option], interval: int) -> list[Option]:
    if not options:
        return []
    amounts = np.array([tuple(option.amounts) for option in options], np.float64)
    exits = np.array([option.exit_cycles for option in options])
    more = np.zeros((len(options), len(options), amounts.shape[1]))  # what a's neighbours take more than b's, at most
    for edge in problem.edges:
        for here, end in ((edge.reader, 0), (edge.writer, 1)):
            if here == place:
                lanes = np.array([(option.lanes_in, option.lanes_out)[end] for option in options])
                values, index = np.unique(lanes, return_inverse=True)
                more += _excess(problem, edge, end, values.tolist(), interval)[index[:, None], index]
    replaces = (amounts[:, None] + more <= amounts).all(axis=2) & (exits[:, None] <= exits)
    order = np.arange(len(options))
    first = order[:, None] < order  # of two that replace each other the first stays
    dropped = (replaces & (~replaces.T | first)).any(axis=0)
    return [option for option, drop in zip(options, dropped, strict=True) if not drop]


def _excess(problem: Problem, edge: Edge, end: int, lanes: Sequence[int], interval: int) -> Array:
    """Shape (a, b, resource): how much more the edge may take with a lanes at ``end`` than with b; at most infinite."""
    others = sorted(problem.places[edge.reader if end else edge.writer].widths(1 - end))
    costs = np.array([[_cost(problem, edge, (a, o) if end else (o, a), interval) for o in others] for a in lanes])
    a, b = costs[:, None], costs[None]
    with np.errstate(invalid="ignore"):
        difference = np.where(np.isinf(b), -np.inf, a - b)  # where b is too slow, a has nothing to replace
    return np.asarray(difference.max(axis=2), np.float64)


def _cost(problem: Problem, edge: Edge, lanes: tuple[int, int], interval: int) -> tuple[float, ...]:
    """Amounts of the edge's ``width`` kernels; infinite if they are too slow or not allowed."""
    amounts, cycles = problem.costs.width(edge, *lanes)
    if cycles > interval or (edge.rigid and lanes[0] != lanes[1]):
        return (np.inf,) * len(tuple(amounts))
    return tuple(amounts)
