"""C simulation: equal to the golden kernels on every stream, precise about differences, clear about missing tools."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest

from hlsgen.emit import write_hls, write_vectors
from hlsgen.errors import ToolError, VerificationError
from hlsgen.graph import golden
from hlsgen.kernels.base import Beats
from hlsgen.lower import lower
from hlsgen.lower.design import Design
from hlsgen.plan import size_fifos, smallest
from hlsgen.sim import csim
from tests.lower.graphs import GRAPHS, graph_of, leaving, random_frames, random_words, units_of
from tests.lower.test_mapping import random_plan

IMAGES = 3


@dataclass(frozen=True)
class Built:
    """A written design with its vectors."""

    name: str
    design: Design
    folder: Path

    @cached_property
    def words(self) -> Beats:
        return random_words(graph_of(self.name), self.design.axi_bits)

    @cached_property
    def expected(self) -> dict[str, Beats]:
        return self.design.run(self.words)


def build(name: str, folder: Path, seed: int | None = None, axi_bits: int = 64) -> Built:
    """The smallest design of a graph, or one with a random folding."""
    graph, units = graph_of(name), units_of(name)
    design = lower(graph, units, smallest(graph, units) if seed is None else random_plan(name, seed), axi_bits)
    size_fifos(design)
    write_hls(design, folder / "hls")
    built = Built(name, design, folder / "hls")
    write_vectors(design, built.words, built.folder)
    return built


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("residual", tmp_path_factory.mktemp("residual"))


@pytest.mark.parametrize("name", sorted(GRAPHS.keys() - {"single_conv", "pass_through"}))
def test_every_stream_equals_golden(name: str, tmp_path: Path) -> None:
    built = build(name, tmp_path, seed=11)
    program = csim.compile(built.folder)
    result = csim.run(program, built.design, built.words, streams=True)
    assert result.streams.keys() == built.expected.keys() - {"s_axis", "m_axis"}
    for stream, beats in {**result.streams, "m_axis": result.words}.items():
        np.testing.assert_array_equal(beats, built.expected[stream], err_msg=stream)
    tensors = golden.run(graph_of(name), random_frames(graph_of(name)))
    for tensor, frames in leaving(built.design, graph_of(name), result.words).items():
        np.testing.assert_array_equal(frames, tensors[tensor], err_msg=tensor)
    csim.verify(program, built.folder / "vectors")


def test_outputs_alone_are_compared_too(residual: Built, tmp_path: Path) -> None:
    shutil.copytree(residual.folder / "vectors", tmp_path / "vectors")
    expected = tmp_path / "vectors" / "m_axis.bin"
    content = bytearray(expected.read_bytes())
    content[-12] ^= 1  # word 3 of 5 of the last of 3 images
    expected.write_bytes(content)
    program = csim.compile(residual.folder)
    with pytest.raises(VerificationError, match=r"m_axis: image 2, word 3, byte 4: \d+, expected \d+"):
        csim.verify(program, tmp_path / "vectors", streams=False)


def test_a_stream_alone_is_compared_too(residual: Built, tmp_path: Path) -> None:
    """The outputs agree, one element inside does not."""
    shutil.copytree(residual.folder / "vectors", tmp_path / "vectors")
    expected = tmp_path / "vectors" / "conv1_window_out.bin"
    content = bytearray(expected.read_bytes())
    beats = residual.design.streams["conv1_window_out"].spec.beats
    content[beats + 17] ^= 1
    expected.write_bytes(content)
    program = csim.compile(residual.folder)
    csim.verify(program, tmp_path / "vectors", streams=False)
    pattern = r"stream conv1_window_out \(layer conv1\), image 1, beat 17, lane 0: .* \(1 elements differ\)$"
    with pytest.raises(VerificationError, match=pattern):
        csim.verify(program, tmp_path / "vectors")
    expected.write_bytes(content[:-1])
    with pytest.raises(VerificationError, match=r"conv1_window_out\.bin does not hold as many images"):
        csim.verify(program, tmp_path / "vectors")


@pytest.mark.parametrize(("name", "axi_bits"), [("residual", 64), ("depthwise", 128), ("bipolar", 32)])
def test_vendor_types_and_planned_depths_give_the_same(name: str, axi_bits: int, tmp_path: Path) -> None:
    built = build(name, tmp_path, seed=None if name == "residual" else 5, axi_bits=axi_bits)
    program = csim.compile(built.folder, types="ap", bounded=True)
    csim.verify(program, built.folder / "vectors")
    np.testing.assert_array_equal(csim.run(program, built.design, built.words).words, built.expected["m_axis"])


@pytest.mark.parametrize("name", ["accumulator_joins", "concatenation"])
def test_planned_depths_suffice(name: str, tmp_path: Path) -> None:
    built = build(name, tmp_path)
    csim.verify(csim.compile(built.folder, bounded=True), built.folder / "vectors")


def test_a_skip_without_its_depth_deadlocks(residual: Built) -> None:
    """The planned depth of a join's branch is the least; simulation, laxer by a beat per process, needs nearly all."""
    program = csim.compile(residual.folder, bounded=True)
    skips = {s.name: s.depth for s in residual.design.streams.values() if s.depth > 50}
    assert len(skips) == 2
    for name, depth in skips.items():
        csim.run(program, residual.design, residual.words, depths={name: depth})
        for percent in (10, 20):
            with pytest.raises(VerificationError, match=f"deadlock: .*to write full stream {name} "):
                csim.run(program, residual.design, residual.words, depths={name: depth * (100 - percent) // 100})


def test_no_images_more_or_less(residual: Built) -> None:
    program = csim.compile(residual.folder)
    for images in (1, 2):
        result = csim.run(program, residual.design, residual.words[:images])
        np.testing.assert_array_equal(result.words, residual.expected["m_axis"][:images])


def test_programs_are_kept_until_something_changes(residual: Built) -> None:
    first = csim.compile(residual.folder)
    made = first.stat().st_mtime_ns
    assert csim.compile(residual.folder) == first
    assert first.stat().st_mtime_ns == made
    assert first.is_relative_to(residual.folder.parent / "reports")
    assert csim.compile(residual.folder, bounded=True) != first
    header = residual.folder / "fork.hpp"
    text = header.read_text()
    header.write_text(text + "// changed\n")
    assert csim.compile(residual.folder) != first
    header.write_text(text)
    assert csim.compile(residual.folder) == first


def broken(residual: Built, tmp_path: Path, file: str, old: str, new: str) -> Path:
    """A copy of the design with one change, compiled."""
    shutil.copytree(residual.folder, tmp_path / "hls")
    target = tmp_path / "hls" / file
    text = target.read_text()
    assert text.count(old) >= 1, old
    target.write_text(text.replace(old, new, 1))
    return csim.compile(tmp_path / "hls")


def test_a_changed_weight_is_found_in_its_stream(residual: Built, tmp_path: Path) -> None:
    text = (residual.folder / "params" / "conv1.hpp").read_text()
    row = next(line for line in text.splitlines() if line.startswith("  -128, "))  # the first weight
    program = broken(residual, tmp_path, "params/conv1.hpp", row, row.replace("-128", "127", 1))
    with pytest.raises(VerificationError) as caught:
        csim.verify(program, residual.folder / "vectors")
    lines = str(caught.value).splitlines()
    first = lines[1]
    assert first.startswith("stream conv1_matvec_out (layer conv1), image 0, pixel (")
    assert ", channel 0: " in first
    got = csim.run(program, residual.design, residual.words, streams=True).streams["conv1_matvec_out"]
    expected = residual.expected["conv1_matvec_out"]
    frame = residual.design.streams["conv1_matvec_out"].frame
    assert frame is not None
    image, y, x, channel = np.argwhere((got != expected).reshape(IMAGES, *frame))[0]
    assert f"image {image}, pixel ({y}, {x}), channel {channel}: " in first


def test_a_lost_beat_is_named(residual: Built, tmp_path: Path) -> None:
    text = (residual.folder / "params" / "conv1.hpp").read_text()
    pixels = next(line for line in text.splitlines() if "PIXELS = " in line)
    program = broken(residual, tmp_path, "params/conv1.hpp", pixels, pixels.replace("36", "35"))
    with pytest.raises(VerificationError, match="stream conv1_"):
        csim.verify(program, residual.folder / "vectors")


def test_a_misplaced_tlast_is_found(residual: Built, tmp_path: Path) -> None:
    program = broken(residual, tmp_path, "testbench.cpp", "word.last = last_image &&", "word.last =")
    with pytest.raises(VerificationError, match="m_axis: image 0, word 4: TLAST is 1, expected 0"):
        csim.run(program, residual.design, residual.words)


@pytest.mark.parametrize("mask", ["keep", "strb"])
def test_a_byte_that_a_dma_would_drop_is_found(residual: Built, tmp_path: Path, mask: str) -> None:
    old = f"word.{mask} = uint<Config::AXI_BITS / 8>(-1)"
    program = broken(residual, tmp_path, "pack.hpp", old, old.replace("-1", "-2"))
    with pytest.raises(VerificationError, match="m_axis: image 0, word 0: TKEEP or TSTRB leaves bytes out"):
        csim.run(program, residual.design, residual.words)


def test_swapped_streams_are_found(residual: Built, tmp_path: Path) -> None:
    inputs = ["conv1_fork_out1", "conv9_requant_out"]
    old, new = (f"({', '.join(order)}, add13_add_out)" for order in (inputs, inputs[::-1]))
    program = broken(residual, tmp_path, "top.cpp", old, new)
    with pytest.raises(VerificationError, match=r"stream add13_add_out \(layer add13\), image 0, pixel"):
        csim.verify(program, residual.folder / "vectors")


def test_a_wrong_number_of_words_is_refused(residual: Built) -> None:
    program = csim.compile(residual.folder)
    with pytest.raises(VerificationError, match="does not hold whole images"):
        csim.run(program, residual.design, residual.words[:, :-1])


def test_code_that_does_not_compile_is_shown(residual: Built, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        broken(residual, tmp_path, "top.cpp", "using namespace hlsgen;", "using namespace nowhere;")
    assert "does not compile" in str(caught.value)
    assert "nowhere" in str(caught.value)
    assert len(str(caught.value).splitlines()) < 20


def test_a_missing_compiler_is_explained(residual: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"g\+\+ was not found; the C simulation needs version 9 or later\. Install it"):
        csim.compile(residual.folder)


def test_an_old_compiler_is_explained(residual: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "g++"
    old.write_text("#!/bin/sh\necho 4.8.5\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ToolError, match=r"is version 4\.8\.5; the C simulation needs g\+\+ 9 or later"):
        csim.compile(residual.folder)


def test_headers_come_from_vitis_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XILINX_HLS", raising=False)
    packaged = csim.ap_headers()
    assert (packaged / "ap_int.h").is_file()
    monkeypatch.setenv("XILINX_HLS", str(tmp_path))
    assert csim.ap_headers() == packaged, "a folder without the header does not count"
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "ap_int.h").write_text("")
    assert csim.ap_headers() == tmp_path / "include"


def test_missing_headers_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XILINX_HLS", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ToolError, match=r"ap_int\.h is needed .* da4ml, or source Vitis"):
        csim.ap_headers()


def test_the_testbench_explains_its_options(residual: Built) -> None:
    program = csim.compile(residual.folder)
    wrong = subprocess.run([program, "--fast"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("usage: ")
    right = subprocess.run([program], cwd=residual.folder, capture_output=True, text=True, check=False)
    assert (right.returncode, right.stdout) == (0, "3 images agree\n")
