"""The hls folder: complete, readable, the same every time, and free of text that a model could smuggle in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np

from hlsgen.emit import write_hls, write_vectors
from hlsgen.emit.hls import layer_of
from hlsgen.exact import solve
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Conv
from hlsgen.graph.types import INT8
from hlsgen.lower import lower
from hlsgen.lower.design import Design
from hlsgen.plan import size_fifos, smallest
from hlsgen.sim import csim
from tests.emit.test_dataflow import AMD
from tests.lower.graphs import SAME, Net, graph_of, random_words, units_of

HOSTILE = [
    'x" ); system("reboot"); //',
    "end */ int evil; /*",
    "continued \\",
    "trigraph ??/",
    "line\nbreak #include </etc/passwd>",
    "#pragma HLS DATAFLOW",
    "{{ evil }}",
    "名前",
]


def design_of(graph: Graph) -> Design:
    units = solve(graph)
    design = lower(graph, units, smallest(graph, units), 64)
    size_fifos(design)
    return design


def residual_design() -> Design:
    design = lower(graph_of("residual"), units_of("residual"), smallest(graph_of("residual")), 64)
    size_fifos(design)
    return design


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_folder_holds_what_it_needs(tmp_path: Path) -> None:
    write_hls(residual_design(), tmp_path / "hls")
    names = set(contents(tmp_path / "hls"))
    assert {"top.cpp", "top.hpp", "testbench.cpp", "types.hpp", "matvec.hpp", "mac.hpp", "sim/hls_stream.h"} <= names
    assert "params/conv2.hpp" not in names
    assert {"params/input.hpp", "params/conv1.hpp", "params/add13.hpp", "params/output.hpp"} <= names
    assert "depthwise.hpp" not in names, "only kernels that are used"
    assert not [name for name in names if name.endswith(".j2")]


def test_equal_designs_give_equal_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        design = residual_design()
        write_hls(design, tmp_path / folder)
        write_vectors(design, random_words(graph_of("residual")), tmp_path / folder)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_what_was_there_before_is_gone(tmp_path: Path) -> None:
    (tmp_path / "hls" / "params").mkdir(parents=True)
    (tmp_path / "hls" / "params" / "old.hpp").write_text("#error")
    write_hls(residual_design(), tmp_path / "hls")
    assert "params/old.hpp" not in contents(tmp_path / "hls")


def test_a_layer_reads_like_its_layer(tmp_path: Path) -> None:
    write_hls(residual_design(), tmp_path / "hls")
    text = (tmp_path / "hls" / "top.cpp").read_text()
    assert (
        """
  // conv1
  // model: net/conv1
  // 6x6x3 int8 -> 6x6x8 int8
  // window: taps 1, lanes 1, groups 1, 972 cycles per image
  // matvec: pe 1, simd 1, groups 1, mac dsp, 7776 cycles per image
"""
        in text
    )
    assert "  // add13\n  // model: net/add13\n  // 6x6x8 int8 + 6x6x8 int8 -> 6x6x8 int8\n" in text
    assert "\n\n\n" not in text
    assert max(map(len, text.splitlines())) <= 160
    assert len(text.splitlines()) < 10 * len(residual_design().instances)


def test_every_generated_file_is_tidy(tmp_path: Path) -> None:
    write_hls(residual_design(), tmp_path / "hls")
    for name in ("top.cpp", "top.hpp", "testbench.cpp", "params/conv1.hpp"):
        text = (tmp_path / "hls" / name).read_text()
        assert text.endswith("\n")
        assert not re.search(r"[ \t]\n", text), name
        assert "\t" not in text


def hostile_graph() -> Graph:
    names = iter(HOSTILE * 4)

    class Hostile(Net):
        def name(self, stem: str) -> str:
            return next(names)

    net = Hostile((3, 3, 2), INT8)
    x = net.qlinear(net.conv(net.input, 2, (2, 2)))
    graph = net.graph(net.affine_add(net.conv(x, 2, (1, 1)), x))
    graph.name = HOSTILE[1]
    return graph


def test_text_of_the_model_stays_harmless(tmp_path: Path) -> None:
    plain = Net((3, 3, 2), INT8)
    x = plain.qlinear(plain.conv(plain.input, 2, (2, 2)))
    tame = design_of(plain.graph(plain.affine_add(plain.conv(x, 2, (1, 1)), x)))
    design = design_of(hostile_graph())
    write_hls(tame, tmp_path / "tame")
    write_hls(design, tmp_path / "hls")
    for name, content in contents(tmp_path / "hls").items():
        text = content.decode()
        assert text.isascii(), name
        for evil in ("system(", "evil;", "</etc", "??/", "{{", "*/"):
            assert evil not in text, name
        assert not re.search(r"\\\n", text) or name in contents(tmp_path / "tame"), name

    def pragmas(folder: str) -> int:
        return (tmp_path / folder / "top.cpp").read_text().count("#pragma")

    assert pragmas("hls") == pragmas("tame")
    csim.compile(tmp_path / "hls")


def test_vectors_hold_every_stream(tmp_path: Path) -> None:
    design = residual_design()
    words = random_words(graph_of("residual"))
    folder = write_vectors(design, words, tmp_path)
    beats = design.run(words)
    assert {path.stem for path in folder.iterdir()} == set(design.streams)
    np.testing.assert_array_equal(np.fromfile(folder / "m_axis.bin", np.uint8), beats["m_axis"].ravel())
    stored = np.fromfile(folder / "conv1_matvec_out.bin", "<i4")
    np.testing.assert_array_equal(stored, beats["conv1_matvec_out"].ravel())
    assert (folder / "conv1_requant_out.bin").stat().st_size == beats["conv1_requant_out"].size


def test_layer_of_an_instance_is_its_name_without_the_kernel() -> None:
    names = {layer_of(instance) for instance in residual_design().instances}
    assert {"input", "output", "conv1", "add13"} <= names
    assert all(not name.endswith(("_matvec", "_fork", "_width", "_2")) for name in names)


def test_simulates_with_the_headers_of_the_vendor(tmp_path: Path) -> None:
    """Vitis C simulation has AMD's streams in place of ours: outputs are compared, streams cannot be."""
    design = design_of(graph_of("single_conv"))
    write_hls(design, tmp_path / "hls")
    write_vectors(design, random_words(graph_of("single_conv")), tmp_path / "hls")
    program = tmp_path / "testbench"
    command = ["g++", "-std=c++14", "-O0", "-fwrapv", "-w", "-DHLSGEN_AP", "-I.", f"-I{AMD}"]
    command += ["-isystem", str(csim.ap_headers()), "top.cpp", "testbench.cpp", "-o", str(program)]
    subprocess.run(command, cwd=tmp_path / "hls", check=True)
    run = subprocess.run([program], cwd=tmp_path / "hls", capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "3 images agree\n"), run.stderr
    refused = subprocess.run([program, "--streams"], cwd=tmp_path / "hls", capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "cannot be observed" in refused.stderr


def test_compiles_without_a_warning(tmp_path: Path) -> None:
    write_hls(residual_design(), tmp_path / "hls")
    command = ["g++", "-std=c++14", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-I.", "-Isim"]
    for source in ("top.cpp", "testbench.cpp"):
        subprocess.run([*command, "-c", source, "-o", "/dev/null"], cwd=tmp_path / "hls", check=True)


def test_header_of_the_top_says_what_the_words_hold(tmp_path: Path) -> None:
    write_hls(residual_design(), tmp_path / "hls")
    text = (tmp_path / "hls" / "top.hpp").read_text()
    assert "s_axis: 14 words, m_axis: 5 words of 64 bits" in text
    assert "// in: 108 elements of int8, 8 bits each, least significant first" in text
    assert "typedef ap_axiu<64, 0, 0, 0> axi_word;" in text


def test_convolution_weights_are_integers(tmp_path: Path) -> None:
    net = Net((2, 2, 2), INT8)
    graph = net.graph(net.conv(net.input, 2, (2, 2), pads=SAME))
    write_hls(design_of(graph), tmp_path / "hls")
    text = (tmp_path / "hls" / "params" / "net_conv1.hpp").read_text()
    (op,) = graph.ops
    assert isinstance(op, Conv)
    for weight in op.weight.ravel().tolist():
        assert re.search(rf"(?<![\d-]){weight},", text)
