"""Systems of difference constraints over whole arrays of times, solved for the earliest times (max-plus algebra).

A node is a sequence of tokens that happen one after the other, such as the steps of a kernel or the beats of a stream:
``time[k] >= time[k-1] + pitch * (place[k] - place[k-1])``. An edge makes tokens of one node wait for tokens of another:
``time_target[k] >= time_source[index[k]] + weight``. All of it repeats with a period, image after image: an index -1
means the last token of the image before, whose time is ``period`` less. With an endless period there is one image.

Times are kept skewed, less ``pitch * place``, so that a node's own order is a running maximum and nothing else. Waiting
is monotone, hence sweeping over the edges until nothing moves yields the least solution from any start below it
(Baccelli et al., Synchronization and Linearity, chapter 3). Sweeps alternate in direction, because data pushes times
forward along the dataflow and full queues push them backward, and only edges whose source has moved are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
"""Clock cycles."""

Indices = npt.NDArray[np.int64]
"""Numbers of tokens; negative ones belong to earlier images."""

ENDLESS = 1 << 42
"""A period so long that images do not meet; also what makes an edge's constraint void."""

FEW = 12
"""An edge of no more runs of consecutive tokens than this is handled run by run, otherwise by a gather."""


@dataclass(eq=False)
class Node:
    """Tokens in their order: ``skew`` is the earliest time of each after a start at 0, ``span`` that of the next image.

    ``times`` of the solution are ``values + skew``.
    """

    name: str
    skew: Times
    span: int
    values: Times = field(init=False)
    incoming: list[Edge] = field(default_factory=list)
    outgoing: list[Edge] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = np.zeros(len(self.skew), np.int64)

    @property
    def times(self) -> Times:
        """The tokens' clock cycles."""
        return np.asarray(self.values + self.skew)

    def settle(self, period: int) -> None:
        """Restore the order of the tokens after some have moved to later times."""
        if (self.values[1:] < self.values[:-1]).any():  # often not, and looking is faster than accumulating
            np.maximum.accumulate(self.values, out=self.values)
        last = int(self.values[-1]) + self.span - period
        if last > self.values[0]:
            np.maximum(self.values, last, out=self.values)


@dataclass(frozen=True)
class Run:
    """Consecutive tokens of ``goal`` that wait for consecutive ones of ``source``, ``images`` images before."""

    source: slice
    goal: slice
    shift: int
    images: int


class Edge:
    """``target[targets] >= source[index] + weight``, by token; ``targets`` None means all of them.

    ``voids``: which of them do not wait after all. ``same``: there is an edge in the other direction too, and the two
    tokens are one event, as a beat's handover and its acceptance at the ends of wires.
    """

    def __init__(
        self,
        source: Node,
        target: Node,
        index: Indices,
        weight: int,
        targets: Indices | None = None,
        voids: Indices | None = None,
        same: bool = False,
    ) -> None:
        self._join(source, target, same)
        self.targets = targets
        images = np.zeros(1, np.int64)  # how many images earlier the source's token is
        if (index < 0).any():
            images = -(index // len(source.skew))
            index = index % len(source.skew)
        shift = source.skew[index] + weight - (target.skew if targets is None else target.skew[targets])
        if voids is not None:
            shift[voids] -= 4 * ENDLESS
        self.runs = [] if targets is not None else _runs(index, shift, images)
        if not self.runs:
            self.index, self.shift, self.images = index, shift, images
            self.bound = shift - images * self.period

    def _join(self, source: Node, target: Node, same: bool) -> None:
        self.same = same
        self.source = source
        self.target = target
        self.stale = True
        self.period = ENDLESS

    @staticmethod
    def following(source: Node, target: Node, back: int, weight: int, same: bool = False) -> Edge:
        """Token k waits for token k - ``back``; both nodes are beats, as many of them, with a pitch of 1."""
        edge, size = Edge.__new__(Edge), len(source.skew)
        edge._join(source, target, same)
        edge.targets = None
        images, back = divmod(back, size)
        edge.runs = [Run(slice(0, size - back), slice(back, size), weight - back, images)]
        if back:
            edge.runs.insert(0, Run(slice(size - back, size), slice(0, back), weight - back + size, images + 1))
        return edge

    def set_period(self, period: int) -> None:
        """Let the image before be ``period`` cycles earlier."""
        self.period = period
        if not self.runs:
            self.bound = self.shift - self.images * period

    def bounds(self, source: Times) -> Times:
        """The target's values that this edge asks for, those of the source being ``source``; where none, very small."""
        bounds = np.full(len(self.target.values), np.iinfo(np.int64).min // 2)
        self.push(source, bounds, np.empty_like(bounds))
        return bounds

    def push(self, source: Times, values: Times, scratch: Times) -> bool:
        """Raise ``values`` of the target to what this edge asks for; whether any was less.

        ``scratch``: room for as many values as the target has tokens.
        """
        if self.runs:
            moved = False
            for run in self.runs:
                shift = run.shift - run.images * self.period
                bound = np.add(source[run.source], shift, out=scratch[: run.goal.stop - run.goal.start])
                goal = values[run.goal]
                if bound[-1] > goal[-1] or (bound > goal).any():
                    np.maximum(goal, bound, out=goal)
                    moved = True
            return moved
        bound = np.take(source, self.index, out=scratch[: len(self.index)], mode="clip")
        bound += self.bound
        before = values if self.targets is None else values[self.targets]
        if bound[-1] <= before[-1] and not (bound > before).any():
            return False
        if self.targets is None:
            np.maximum(values, bound, out=values)
        else:
            values[self.targets] = np.maximum(before, bound)
        return True

    def broken(self) -> Indices:
        """Tokens of the source for which tokens of the target do not wait yet."""
        source, values = self.source.values, self.target.values
        if self.runs:
            found = [
                np.flatnonzero(source[run.source] > values[run.goal] - (run.shift - run.images * self.period))
                + run.source.start
                for run in self.runs
            ]
            return np.concatenate(found)
        late = source[self.index] + self.bound > (values if self.targets is None else values[self.targets])
        return np.asarray(self.index[late])

    def progress(self) -> tuple[Indices, Indices]:
        """Tokens of the target that wait, and how many tokens of the source must have happened; both rising.

        There is no image before the first.
        """
        size = len(self.target.skew)
        if self.runs:
            counts = np.zeros(size, np.int64)
            for run in self.runs:
                if run.images == 0 and run.shift > -ENDLESS:
                    counts[run.goal] = np.arange(run.source.start, run.source.stop) + 1
            targets = np.arange(size)
        else:
            counts = np.where((self.images > 0) | (self.shift < -ENDLESS), 0, self.index + 1)
            targets = np.arange(size) if self.targets is None else self.targets
        return targets, np.asarray(np.maximum.accumulate(counts))


class _Former:
    """What nodes were before the first change."""

    def __init__(self) -> None:
        self.values: dict[Node, Times] = {}
        self.stale: dict[Edge, bool] = {}

    def note(self, node: Node) -> None:
        """Remember ``node``, if it has not changed yet."""
        if node not in self.values:
            self.values[node] = node.values.copy()
            for edge in (*node.incoming, *node.outgoing):
                self.stale.setdefault(edge, edge.stale)

    def restore(self) -> None:
        """Undo all changes."""
        for node, values in self.values.items():
            node.values[:] = values
        for edge, stale in self.stale.items():
            edge.stale = stale


class _Causes:
    """The tokens for which others do not wait yet, as long as they have not moved themselves."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.left: dict[Node, list[tuple[Indices, Times]]] = {}
        for node in nodes:
            for edge in node.incoming:
                if not edge.stale:
                    continue
                tokens = edge.broken()
                if len(tokens):
                    self.left.setdefault(edge.source, []).append((tokens, edge.source.values[tokens]))
                else:
                    edge.stale = False

    def all_moved(self, node: Node) -> bool:
        """Whether none is left that has not moved, after ``node`` has."""
        if node not in self.left:
            return False
        causes = [(tokens, times) for tokens, times in self.left[node] if (node.values[tokens] <= times).any()]
        if causes:
            self.left[node] = causes
        else:
            del self.left[node]
        return not self.left


def _runs(index: Indices, shift: Times, images: Indices) -> list[Run]:
    """An edge between all tokens as runs, if they are few; otherwise nothing."""
    breaks = (shift[1:] != shift[:-1]) | (index[1:] != index[:-1] + 1)
    if len(images) > 1:
        breaks |= images[1:] != images[:-1]
    if np.count_nonzero(breaks) >= FEW:
        return []
    ends = [*(np.flatnonzero(breaks) + 1).tolist(), len(index)]
    return [
        Run(
            slice(first := int(index[start]), first + end - start),
            slice(start, end),
            int(shift[start]),
            int(images[start] if len(images) > 1 else images[0]),
        )
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]


class System:
    """Nodes in dataflow order and the edges between them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.period = ENDLESS
        self.sweeps = 0

    def node(self, name: str, places: Indices, span: int, pitch: int = 1) -> Node:
        """Add a node after the others: token k at ``places[k]`` of ``span``, ``pitch`` cycles apiece."""
        node = Node(name, places * pitch, span * pitch)
        self.nodes.append(node)
        return node

    def edge(
        self,
        source: Node,
        target: Node,
        index: Indices,
        weight: int,
        targets: Indices | None = None,
        voids: Indices | None = None,
        same: bool = False,
    ) -> Edge:
        """Add a constraint; see ``Edge``."""
        return self._add(Edge(source, target, index, weight, targets, voids, same))

    def following(self, source: Node, target: Node, back: int, weight: int, same: bool = False) -> Edge:
        """Add a constraint; see ``Edge.following``."""
        return self._add(Edge.following(source, target, back, weight, same))

    def _add(self, edge: Edge) -> Edge:
        edge.set_period(self.period)
        edge.source.outgoing.append(edge)
        edge.target.incoming.append(edge)
        return edge

    def drop(self, edge: Edge) -> None:
        """Take a constraint away. Times found with it stay; ``reset`` or ``restore`` earlier ones to profit by that."""
        edge.source.outgoing.remove(edge)
        edge.target.incoming.remove(edge)

    def set_period(self, period: int) -> None:
        """Repeat every ``period`` cycles, or never (``ENDLESS``). Values stay."""
        self.period = period
        for node in self.nodes:
            for edge in node.incoming:
                edge.set_period(period)
                edge.stale = True

    def reset(self) -> None:
        """Back to the earliest times that the order of each node's own tokens allows."""
        for node in self.nodes:
            node.values[:] = 0
            for edge in node.incoming:
                edge.stale = True

    def solve(self, sweeps: int, nodes: Sequence[Node] | None = None) -> bool:
        """Sweep at most ``sweeps`` times, until the times satisfy all constraints; whether they do.

        ``nodes``, in their order: only these may move, and only their constraints are looked at.
        """
        return self._sweep(sweeps, self.nodes if nodes is None else nodes, None)

    def attempt(self, sweeps: int, regions: Sequence[Sequence[Node]], keep: bool = True) -> bool:
        """Like ``solve``, for one region after another; if one fails, or not to ``keep``, times become what they were.

        The times must have satisfied all constraints in the regions before some constraints were added. It ends early
        where no times can do so: some token that has moved must have done so because of a token that has not, and the
        first step of the way from that one was a constraint broken at the beginning. So if all sources of those have
        moved, there is a cycle on which tokens push each other for ever.
        """
        former = _Former()
        solved = all(self._sweep(sweeps, nodes, former) for nodes in regions)
        if not (solved and keep):
            former.restore()
        return solved

    def _sweep(self, sweeps: int, chosen: Sequence[Node], former: _Former | None) -> bool:
        """``solve``; with ``former``, which is told what there was before, it ends early as ``attempt`` does."""
        scratch = np.empty(max(len(node.values) for node in chosen), np.int64)
        causes = None if former is None else _Causes(chosen)
        if causes is not None and not causes.left:
            return True
        for sweep in range(sweeps):
            moved = False
            for node in chosen if sweep % 2 == 0 else reversed(chosen):
                stale = [edge for edge in node.incoming if edge.stale]
                if not stale:
                    continue
                if former is not None:
                    former.note(node)
                changed = False
                for edge in stale:
                    edge.stale = False
                    changed |= edge.push(edge.source.values, node.values, scratch)
                if changed:
                    moved = True
                    node.settle(self.period)
                    for edge in node.outgoing:
                        edge.stale = True
                    if causes is not None and causes.all_moved(node):
                        self.sweeps += sweep + 1
                        return False
            if not moved:
                self.sweeps += sweep + 1
                return True
        self.sweeps += sweeps
        return not any(edge.stale for node in chosen for edge in node.incoming)

    def reached(self, visits: float = math.inf) -> dict[str, int] | None:
        """How many tokens of each node can ever happen after a start from nothing, whatever the cycles.

        Where it is not all of them, they wait for each other, and ``solve`` would go on for ever. Exact; slower than
        ``solve`` where that succeeds, because it follows the tokens from one full queue to the next. None if nodes had
        to be visited more often than ``visits``.
        """
        done = dict.fromkeys(self.nodes, 0)
        waits: dict[Node, list[Wait]] = {node: [] for node in self.nodes}
        readers: dict[Node, set[Node]] = {node: set() for node in self.nodes}
        for edge in (edge for node in self.nodes for edge in node.incoming if not edge.same):
            for source, targets, counts in _waits(edge):
                waits[edge.target].append((source, targets, counts))
                readers[source].add(edge.target)
        pending = dict.fromkeys(self.nodes)
        while pending:
            visits -= 1
            if visits < 0:
                return None
            node = next(iter(pending))
            del pending[node]
            count = len(node.values)
            for source, targets, counts in waits[node]:
                first = int(counts.searchsorted(done[source], side="right"))
                if first < len(targets):
                    count = min(count, int(targets[first]))
            if count > done[node]:
                done[node] = count
                pending.update(dict.fromkeys(readers[node]))
        return {node.name: count for node, count in done.items()}


Wait = tuple[Node, Indices, Indices]
"""A node, tokens that wait for it, and how many of its tokens must have happened before each."""


def _waits(edge: Edge) -> list[Wait]:
    """What an edge asks for. Tokens that are the same event as later ones' wait for all that those wait for."""
    targets, counts = edge.progress()
    found = [(edge.source, targets, counts)]
    source = edge.source
    while same := next((other for other in source.incoming if other.same and other.source is not edge.target), None):
        _, happened = same.progress()
        counts = np.concatenate([[0], happened])[counts]
        source = same.source
        found.append((source, targets, counts))
    return found


def saved(nodes: Sequence[Node]) -> list[Times]:
    """A copy of the nodes' values, which satisfy all constraints."""
    return [node.values.copy() for node in nodes]


def restore(nodes: Sequence[Node], values: Sequence[Times]) -> None:
    """Return to values that were ``saved``."""
    for node, former in zip(nodes, values, strict=True):
        node.values[:] = former
        for edge in node.incoming:
            edge.stale = False
