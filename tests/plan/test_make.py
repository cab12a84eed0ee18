"""Whole plans: what is solved for can be handed back, and edited."""

from __future__ import annotations

from functools import cache

import pytest

from hlsgen.board import load
from hlsgen.plan import size_fifos
from hlsgen.plan.make import Planned, make
from hlsgen.plan.plan import Plan
from hlsgen.plan.timing import rtl_depths
from tests.lower.graphs import graph_of, units_of

BOARD = load("pynq-z2")
MHZ = 100.0
NAME = "residual"


@cache
def solved() -> Planned:
    return make(graph_of(NAME), units_of(NAME), BOARD, MHZ)


def remade(plan: Plan) -> Planned:
    return make(graph_of(NAME), units_of(NAME), BOARD, MHZ, given=plan)


def test_a_plan_handed_back_gives_the_same_design() -> None:
    again = remade(solved().plan)
    assert again.plan == solved().plan
    assert again.prediction == solved().prediction
    assert again.use == solved().use
    assert again.folded is None


def test_depths_left_out_are_those_of_the_solution() -> None:
    foldings = solved().plan.model_copy(update={"streams": {}, "rtl_streams": {}})
    assert remade(foldings).plan == solved().plan


def test_depths_are_enough_for_both_languages() -> None:
    """In C++ as deep as in SystemVerilog at least, and deep enough not to deadlock."""
    plan, design = solved().plan, solved().design
    assert rtl_depths(design) == plan.rtl_streams
    assert {name: design.streams[name].depth for name in plan.streams} == plan.streams
    assert any(depth > 2 for depth in plan.rtl_streams.values())
    safe = size_fifos(remade(plan).design)
    assert plan.streams == {name: max(safe[name], depth) for name, depth in plan.rtl_streams.items()}


@pytest.mark.parametrize("language", ["streams", "rtl_streams"])
def test_an_edited_depth_is_kept(language: str) -> None:
    depths = getattr(solved().plan, language)
    deepest = max(depths, key=lambda name: depths[name])
    wanted = {**depths, deepest: depths[deepest] + 100}
    again = remade(solved().plan.model_copy(update={language: wanted}))
    assert getattr(again.plan, language) == wanted
    assert again.prediction.interval_cycles == solved().prediction.interval_cycles
