"""A real residual network: its C++ is short, its simulation agrees, its FIFO depths are quick to find and least."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hlsgen import frontend
from hlsgen.emit import write_hls, write_vectors
from hlsgen.errors import VerificationError
from hlsgen.exact import solve
from hlsgen.kernels.axi import words_from_frames
from hlsgen.lower import lower
from hlsgen.plan import size_fifos, smallest
from hlsgen.sim import csim


def test_resnet8(model_path: Callable[[str], Path], tmp_path: Path) -> None:
    graph = frontend.load(model_path("mlperf_resnet8_qdq.onnx"))
    units = solve(graph)
    design = lower(graph, units, smallest(graph, units), 64)
    start = time.process_time()
    depths = size_fifos(design)
    assert time.process_time() - start < 0.5
    source = graph.tensors[graph.input]
    frames = np.random.default_rng(0).integers(source.type.min, source.type.max + 1, (2, *source.shape))
    words = words_from_frames(frames, source.type, 64)
    write_hls(design, tmp_path / "hls")
    assert len((tmp_path / "hls" / "top.cpp").read_text().splitlines()) < 400

    vectors = write_vectors(design, words, tmp_path / "hls")
    csim.verify(csim.compile(tmp_path / "hls"), vectors)
    bounded = csim.compile(tmp_path / "hls", bounded=True)
    csim.verify(bounded, vectors)
    skips = {name: depth for name, depth in depths.items() if depth > 100}
    assert len(skips) == 3
    for name, depth in skips.items():
        with pytest.raises(VerificationError, match="deadlock"):
            csim.run(bounded, design, words, depths={name: depth * 99 // 100})
