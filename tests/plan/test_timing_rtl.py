"""The timing model against the SystemVerilog under Verilator: every beat of every stream moves in its cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hlsgen.emit.rtl import write
from hlsgen.kernels.axi import words_from_frames
from hlsgen.lower import lower
from hlsgen.plan import smallest
from hlsgen.plan.depths import size_for_rate
from hlsgen.plan.timing import predict, rtl_depths, simulate
from hlsgen.sim import rtlsim
from tests.lower.graphs import graph_of, random_frames, units_of
from tests.lower.test_mapping import random_plan
from tests.sim.test_rtlsim import BUILD_ID, CACHE

IMAGES = 5


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("accumulator_joins", None),
        pytest.param("bipolar", 3, marks=pytest.mark.slow),
        pytest.param("concatenation", 3, marks=pytest.mark.slow),
        pytest.param("depthwise", 1, marks=pytest.mark.slow),
        pytest.param("pass_through", 3, marks=pytest.mark.slow),
        pytest.param("pooling", 5, marks=pytest.mark.slow),
        pytest.param("residual", 2, marks=pytest.mark.slow),
        pytest.param("reshaping", 3, marks=pytest.mark.slow),
        pytest.param("single_conv", 3, marks=pytest.mark.slow),
    ],
)
def test_beats_move_in_the_cycles_of_the_model(name: str, seed: int | None, tmp_path: Path) -> None:
    graph, units = graph_of(name), units_of(name)
    design = lower(graph, units, smallest(graph, units) if seed is None else random_plan(name, seed), 64)
    size_for_rate(design)
    write(design, tmp_path / "rtl", BUILD_ID)
    words = words_from_frames(random_frames(graph, IMAGES), graph.tensors[graph.input].type, 64)
    measured = rtlsim.run(design, tmp_path / "rtl", words, trace=True, cache=CACHE)

    tokens = simulate(design, IMAGES)
    start = measured.first_in[0] - tokens.accepted(design.input)[0, 0]  # the bench resets the design first
    for stream in rtl_depths(design):
        np.testing.assert_array_equal(measured.written[stream] - start, tokens.handed_over(stream), stream)
        np.testing.assert_array_equal(measured.taken[stream] - start, tokens.accepted(stream), stream)
    np.testing.assert_array_equal(measured.last_out - start, tokens.handed_over(design.output)[:, -1])
    prediction = predict(design)
    assert (measured.latency, measured.interval) == (prediction.latency_cycles, prediction.interval_cycles)
