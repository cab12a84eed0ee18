"""Trying constraints: same answers as solving from the beginning, and nothing is left of what failed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hlsgen.plan.maxplus import Node, System

Limits = list[tuple[int, int]]
"""Nodes that must not run ahead of the next one, and by how many tokens they may."""

PERIOD = 100


def chain(seed: int) -> tuple[System, list[Node], Limits]:
    """A solved chain of kernels of all speeds that work in bursts, with endless queues; and limits for them."""
    rng = np.random.default_rng(seed)
    system, size = System(), int(rng.integers(5, 30))
    nodes = []
    for index in range(5):
        places = np.sort(rng.choice(np.arange(1, PERIOD - 12), size - 1, replace=False))
        nodes.append(system.node(str(index), np.append(0, places), PERIOD - int(rng.integers(0, 12))))
    for writer, reader in pairwise(nodes):
        first = int(rng.integers(0, 2))
        system.edge(writer, reader, np.arange(-first, size - first), int(rng.integers(0, 4)))
    system.set_period(PERIOD)
    assert system.solve(50)
    limits: Limits = [
        (int(node), int(rng.integers(1, 12))) for node in rng.choice(4, int(rng.integers(1, 4)), replace=False)
    ]
    return system, nodes, limits


def limit(system: System, nodes: list[Node], limits: Limits) -> None:
    size = len(nodes[0].values)
    for node, ahead in limits:
        system.edge(nodes[node + 1], nodes[node], np.arange(-ahead, size - ahead), 1)


def state(nodes: list[Node]) -> list[list[int]]:
    return [node.values.tolist() for node in nodes]


def test_attempts_answer_as_solving_does() -> None:
    answers = []
    for seed in range(300):
        system, nodes, limits = chain(seed)
        limit(system, nodes, limits)
        possible = system.solve(200)
        tried, others, _ = chain(seed)
        before = state(others)
        limit(tried, others, limits)
        assert tried.attempt(200, [others]) == possible
        assert state(others) == (state(nodes) if possible else before)
        answers.append(possible)
    assert min(answers.count(True), answers.count(False)) > 50


def test_most_attempts_that_fail_end_soon() -> None:
    sweeps = []
    for seed in range(100):
        system, nodes, limits = chain(seed)
        limit(system, nodes, limits[:1])
        before = system.sweeps
        if not system.attempt(200, [nodes]):
            sweeps.append(system.sweeps - before)
    assert len(sweeps) > 20
    assert np.mean(np.array(sweeps) < 20) > 0.8


@pytest.mark.parametrize("seed", range(20))
def test_regions_are_tried_one_after_the_other(seed: int) -> None:
    system, nodes, _ = chain(seed)
    limit(system, nodes, [(1, 2)])
    whole, others, _ = chain(seed)
    limit(whole, others, [(1, 2)])
    assert system.attempt(200, [nodes[1:3], nodes]) == whole.attempt(200, [others])
    assert state(nodes) == state(others)


def test_an_attempt_need_not_be_kept() -> None:
    kept = 0
    for seed in range(200):
        system, nodes, limits = chain(seed)
        before = state(nodes)
        limit(system, nodes, limits)
        possible = system.attempt(200, [nodes], keep=False)
        assert state(nodes) == before
        kept += possible and system.attempt(200, [nodes]) and state(nodes) != before
    assert kept > 5


@pytest.mark.parametrize("back", [0, 1, 3, 7, 8, 20])
def test_following_is_an_edge_of_consecutive_tokens(back: int) -> None:
    rng = np.random.default_rng(back)
    system, order = System(), np.arange(7)
    source, target = system.node("source", order, 7), system.node("target", order, 7)
    plain, quick = system.edge(source, target, order - back, 5), system.following(source, target, back, 5)
    system.set_period(11)
    values = np.sort(rng.integers(0, 30, 7))
    assert plain.bounds(values).tolist() == quick.bounds(values).tolist()
    assert [counts.tolist() for counts in plain.progress()] == [counts.tolist() for counts in quick.progress()]
