"""The driver on a board of the tests' own: results, faults, memory, figures, command line."""

from __future__ import annotations

import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.errors import UnsupportedError
from hlsgen.files import write_arrays
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from tests.deploy.board import CYCLES_PER_IMAGE, FakeBoard, feeds_of, rewrite_json, write_folder
from tests.deploy.conftest import plug_in
from tests.networks import random_network


def expected(graph: Graph, feeds: dict[str, Any]) -> Any:
    return golden.predict(graph, feeds)[graph.suffix.outputs[0]]


def same(found: Any, wanted: Any) -> bool:
    return bool(found.dtype == wanted.dtype and found.shape == wanted.shape and found.tobytes() == wanted.tobytes())


# ---- results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 3, 50])
def test_predict_is_the_golden_model(accelerator: Any, graph: Graph, images: int) -> None:
    feeds = feeds_of(graph, images, seed=images)
    wanted = expected(graph, feeds)
    assert same(accelerator.predict(feeds), wanted)
    assert same(accelerator.predict(feeds[graph.prefix.inputs[0]]), wanted)


def test_integers_are_the_golden_model(accelerator: Any, graph: Graph) -> None:
    frames = golden.input_frames(graph, feeds_of(graph, 7))
    wanted = golden.run(graph, frames, keep=graph.outputs)[graph.outputs[0]]
    assert same(accelerator.run_integers(frames), wanted)
    assert same(accelerator.run_integers(frames.astype(np.int64)), wanted)


def test_other_float_types_are_taken_as_the_models(accelerator: Any, graph: Graph) -> None:
    feeds = feeds_of(graph, 3)
    (name,) = graph.prefix.inputs
    assert same(accelerator.predict(feeds[name].astype(np.float64)), expected(graph, feeds))


def test_random_networks(driver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Types of all widths, several outputs, images that do not end on a word."""
    seen: set[Any] = set()
    for seed in range(24):
        onnx.save(random_network(seed), tmp_path / "model.onnx")
        try:
            graph = hlsgen.load(tmp_path / "model.onnx")
        except UnsupportedError:
            continue
        folder = tmp_path / str(seed)
        board = FakeBoard(graph, write_folder(graph, folder, "kv260", images=1))
        plug_in(board, monkeypatch)
        accelerator = driver.Accelerator(folder / "accel.bit")
        feeds = feeds_of(graph, 3, seed)
        wanted = golden.predict(graph, feeds)
        results = accelerator.predict(feeds)
        results = results if isinstance(results, dict) else {graph.suffix.outputs[0]: results}
        assert list(results) == list(graph.suffix.outputs)
        assert all(same(array, wanted[name]) for name, array in results.items())
        assert not any(check.wrong for check in accelerator.self_test())
        ports = [accelerator.input, *accelerator.outputs]
        seen |= {port.storage_bits for port in ports}
        seen |= {"tail" for port in ports if port.bytes * 8 > port.elements * port.storage_bits}
    assert {"tail", 1, 2, 4, 8, 16} <= seen


def test_large_batches_go_in_parts(driver: Any, board: FakeBoard, folder: Path, graph: Graph) -> None:
    accelerator = driver.Accelerator(folder / "accel.bit", images_per_transfer=8)
    feeds = feeds_of(graph, 21)
    assert same(accelerator.predict(feeds), expected(graph, feeds))
    assert board.transfers == [8, 8, 5]
    frames = golden.input_frames(graph, feeds)
    assert same(accelerator.run_integers(frames), golden.run(graph, frames)[graph.outputs[0]])
    assert board.transfers == [8, 8, 5] * 2


def test_transfers_fit_the_length_register(driver: Any, folder: Path, graph: Graph, board: FakeBoard) -> None:
    system = board.manifest["system"]
    size = max(board.bytes)
    rewrite_json(folder / "manifest.json", system={**system, "length_bits": (3 * size).bit_length()})
    accelerator = driver.Accelerator(folder / "accel.bit", images_per_transfer=10**6)
    assert accelerator.images_per_transfer == ((1 << (3 * size).bit_length()) - 1) // size
    feeds = feeds_of(graph, 10)
    assert same(accelerator.predict(feeds), expected(graph, feeds))
    assert max(board.transfers) * size < 1 << (3 * size).bit_length()
    rewrite_json(folder / "manifest.json", system={**system, "length_bits": size.bit_length() - 1})
    with pytest.raises(driver.SetupError, match="more than the DMA's"):
        driver.Accelerator(folder / "accel.bit")


def test_the_driver_is_the_same_in_every_build(graph: Graph, tmp_path: Path, shipped: Path) -> None:
    write_folder(graph, tmp_path, board="kv260", images=1)
    for name in ("driver.py", "power.py", "host_ops.py", "notebook.ipynb", "README.md"):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()


def test_memory_stays_flat_over_a_thousand_images(accelerator: Any, board: FakeBoard, graph: Graph) -> None:
    (name,) = graph.prefix.inputs
    accelerator.images_per_transfer = 64

    def peak(images: int) -> int:
        feeds = {name: np.zeros((images, *graph.prefix.shapes[name]), np.float32)}
        accelerator.predict(feeds)  # buffers, caches
        tracemalloc.start()
        results = accelerator.predict(feeds)
        used = tracemalloc.get_traced_memory()[1] - results.nbytes
        tracemalloc.stop()
        return int(used)

    small, large = peak(64), peak(1000)
    assert large < 1.1 * small + 20_000
    assert board.allocated <= 2 * 64 * sum(board.bytes)


def test_buffers_are_used_again(accelerator: Any, board: FakeBoard, graph: Graph) -> None:
    for images in (1, 5, 8, 7, 6, 1):
        accelerator.predict(feeds_of(graph, images))
    assert sorted(accelerator._buffers) == [1, 8]
    assert board.allocated == 9 * sum(board.bytes)
    accelerator.close()
    assert sum(board.freed) == board.allocated


# ---- inputs ----------------------------------------------------------------------------------------------------------


def test_wrong_inputs(accelerator: Any, driver: Any, board: FakeBoard, graph: Graph) -> None:
    (name,) = graph.prefix.inputs
    shape = graph.prefix.shapes[name]
    good = feeds_of(graph, 2)[name]
    for x, message in [
        (good[0], "For one image add an axis"),
        (good[:, :, :-1] if good.ndim > 2 else good[:, :-1], "not an array of shape"),
        (np.float32(1), "not an array of shape"),
        (good[:0], "0 images"),
        (np.where(good == good.ravel()[0], np.nan, good), "NaN"),
        (good.astype(np.complex64), "complex64"),
        (np.full((1, *shape), "a"), "<U1"),
        ({"other": good}, "The model's inputs are"),
        ({}, "The model's inputs are"),
        ({name: good, "other": good}, "The model's inputs are"),
    ]:
        with pytest.raises(driver.InputError) as caught:
            accelerator.predict(x)
        assert message in str(caught.value)
    assert board.transfers == []
    assert same(accelerator.predict(good), expected(graph, {name: good}))


def test_integers_of_an_integer_model(driver: Any, shipped: Path) -> None:
    host = driver.Host(shipped)
    (name,) = host.prefix.inputs
    host.prefix.dtypes[name] = "uint8"
    shape = (1, *host.prefix.shapes[name])
    assert host.check(np.full(shape, 255, np.int64))[name].dtype == np.uint8
    with pytest.raises(driver.InputError, match="do not fit uint8"):
        host.check(np.full(shape, 256, np.int64))
    with pytest.raises(driver.InputError, match="Convert it first"):
        host.check(np.full(shape, 1.0))


def test_several_inputs(driver: Any, shipped: Path) -> None:
    host = driver.Host(shipped)
    (name,) = host.prefix.inputs
    host.prefix.inputs = [name, "mask"]
    host.prefix.shapes["mask"], host.prefix.dtypes["mask"] = (), "float32"
    image = np.zeros((2, *host.prefix.shapes[name]), np.float32)
    assert set(host.check({name: image, "mask": np.ones(2)})) == {name, "mask"}
    with pytest.raises(driver.InputError, match="2 inputs; give a dict"):
        host.check(image)
    with pytest.raises(driver.InputError, match="different numbers of images"):
        host.check({name: image, "mask": np.ones(3)})


def test_wrong_words(accelerator: Any, driver: Any, board: FakeBoard) -> None:
    for words in (np.zeros((1, 3), np.uint8), np.zeros((0, board.bytes[0]), np.uint8), np.zeros((1, board.bytes[0]))):
        with pytest.raises(driver.InputError, match=r"run_words\(\) takes uint8"):
            accelerator.run_words(words)


# ---- setting up ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["accel.bit", "accel.hwh", "manifest.json", "host.json", "host.npz"])
def test_a_missing_file(driver: Any, board: FakeBoard, folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(driver.SetupError, match=name):
        driver.Accelerator(folder / "accel.bit")


@pytest.mark.parametrize("name", ["manifest.json", "host.json", "host.npz"])
def test_a_damaged_file(driver: Any, board: FakeBoard, folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"{")
    with pytest.raises(driver.SetupError, match=f"{name} cannot be read"):
        driver.Accelerator(folder / "accel.bit")


@pytest.mark.parametrize("name", ["manifest.json", "host.json"])
def test_another_schema(driver: Any, board: FakeBoard, folder: Path, name: str) -> None:
    rewrite_json(folder / name, schema=2)
    with pytest.raises(driver.SetupError, match="has schema 2, this driver reads 1"):
        driver.Accelerator(folder / "accel.bit")


def test_numpy_2(modules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules.driver.np, "__version__", "2.1.0")
    with pytest.raises(modules.driver.SetupError, match=r"NumPy 2\.1\.0 .* below 2"):
        modules.driver.check_numpy()
    monkeypatch.setattr(modules.driver.np, "__version__", "1.26.4")
    modules.driver.check_numpy()


def test_no_pynq(driver: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(driver.SetupError, match="pynq cannot be imported"):
        driver.Accelerator(folder / "accel.bit")


def test_not_root(driver: Any, board: FakeBoard, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class EmbeddedDevice:
        pass

    monkeypatch.setattr(driver.os, "geteuid", lambda: 1000)
    driver.Accelerator(folder / "accel.bit")  # a device of another kind is anybody's
    sys.modules["pynq"].Device.active_device = EmbeddedDevice()
    with pytest.raises(driver.SetupError, match="Only root"):
        driver.Accelerator(folder / "accel.bit")


def test_no_device(driver: Any, board: FakeBoard, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoDevice(type):
        @property
        def active_device(cls) -> Any:
            raise RuntimeError("No Devices Found")

    monkeypatch.delenv("XILINX_XRT", raising=False)
    monkeypatch.setattr(sys.modules["pynq"], "Device", NoDevice("Device", (), {}))
    with pytest.raises(driver.SetupError, match=r"No Devices Found \(XILINX_XRT is not set\)"):
        driver.Accelerator(folder / "accel.bit")


def test_a_bitstream_that_pynq_refuses(
    driver: Any, board: FakeBoard, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError("fpga_manager: write error")

    monkeypatch.setattr(sys.modules["pynq"], "Overlay", refuse)
    with pytest.raises(driver.SetupError, match=r"cannot load accel\.bit: fpga_manager: write error.*TUL PYNQ-Z2"):
        driver.Accelerator(folder / "accel.bit")


def test_another_build(driver: Any, board: FakeBoard, folder: Path) -> None:
    board.registers[0x08] ^= 1
    with pytest.raises(driver.BuildMismatchError, match=r"is of build 0123456789abcdee.* of build 0123456789abcdef"):
        driver.Accelerator(folder / "accel.bit")
    board.registers[0x00] = 0
    with pytest.raises(driver.BuildMismatchError, match="first register reads 0x00000000"):
        driver.Accelerator(folder / "accel.bit")


@pytest.mark.parametrize("change", ["address", "name"])
def test_a_hwh_of_another_design(driver: Any, board: FakeBoard, folder: Path, change: str) -> None:
    system = json.loads((folder / "manifest.json").read_text())["system"]
    if change == "address":
        system["addresses"]["axi_dma_0"] += 0x1_0000
    else:
        system["cells"]["dma"] = "dma_7"
        system["addresses"]["dma_7"] = 0
    rewrite_json(folder / "manifest.json", system=system)
    with pytest.raises(
        driver.BuildMismatchError, match=r"^accel\.hwh has no .*: it is not of this build\. Copy accel\.bit"
    ):
        driver.Accelerator(folder / "accel.bit")
    assert board.downloads == 0


def test_a_hwh_of_another_build(driver: Any, board: FakeBoard, folder: Path) -> None:
    """Everything else in it is the same. What was downloaded with it, pynq would take from its memory next time."""
    board.hwh["BUILD_ID"] = "0123456789abcdee"
    stated = (
        "accel.hwh is of build 0123456789abcdee, but manifest.json is of build 0123456789abcdef. Copy accel.bit, "
        "accel.hwh and manifest.json from one and the same deploy/ folder."
    )
    with pytest.raises(driver.BuildMismatchError) as caught:
        driver.Accelerator(folder / "accel.bit")
    assert str(caught.value) == stated
    board.remembered = True
    with pytest.raises(driver.BuildMismatchError) as caught:
        driver.Accelerator(folder / "accel.bit")
    assert str(caught.value).startswith(f"{stated} If they are, pynq remembers another .hwh")
    assert "pynq.PL.reset()" in str(caught.value)
    assert board.downloads == 0
    board.hwh["BUILD_ID"] = "0123456789abcdef"
    driver.Accelerator(folder / "accel.bit")
    assert board.downloads == 1


def test_a_hwh_that_does_not_say_its_build(driver: Any, board: FakeBoard, folder: Path) -> None:
    del board.hwh["BUILD_ID"]
    with pytest.warns(UserWarning, match=r"accel\.hwh does not say .* Only the bitstream is checked"):
        driver.Accelerator(folder / "accel.bit")
    assert board.downloads == 1


# ---- clock -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("board_name", "pynq_mhz"), [("pynq-z2", 100.0), ("zybo-z7-20", 150.0), ("kv260", 100.0)])
def test_the_clock_with_the_boards_own_crystal(
    driver: Any, graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board_name: str, pynq_mhz: float
) -> None:
    manifest = write_folder(graph, tmp_path, board_name)
    plug_in(FakeBoard(graph, manifest), monkeypatch)
    accelerator = driver.Accelerator(tmp_path / "accel.bit")
    assert sys.modules["pynq.ps"].Clocks.fclk0_mhz == pytest.approx(pynq_mhz, rel=1e-4)
    assert accelerator.clock_mhz == pytest.approx(manifest["clock"]["mhz"], rel=1e-6)


def test_a_clock_that_is_not_the_builds(
    driver: Any, board: FakeBoard, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(board, monkeypatch, readback=1.25)
    with pytest.raises(driver.SetupError, match=r"the clock is 125\.000 MHz"):
        driver.Accelerator(folder / "accel.bit")
    assert driver.Accelerator(folder / "accel.bit", clock_mhz=120).clock_mhz == pytest.approx(150)
    plug_in(board, monkeypatch, readback=0.8)
    with pytest.warns(UserWarning, match=r"the clock is 80\.000 MHz"):
        accelerator = driver.Accelerator(folder / "accel.bit")
    assert accelerator.clock_mhz == pytest.approx(80)  # which all figures use
    assert accelerator.benchmark(0, 4).accelerator_fps == pytest.approx(80e6 / CYCLES_PER_IMAGE)


# ---- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("no tlast", "DmaTimeoutError", "3 of 3 images in and gave 3 out: it delivered everything, but no TLAST"),
        ("stuck", "DmaTimeoutError", "3 of 3 images in and gave 2 out. DMA and accelerator have been reset. If it"),
        ("short", "DmaError", "The DMA received"),
        ("lost", "DmaError", "took 3 of 3 images in and gave 2 out"),
        ("tlast", "DmaError", "TLAST"),
        ("internal", "DmaError", "receiving DMAIntErr"),
        ("slave", "DmaError", "receiving DMASlvErr"),
        ("decode", "DmaError", "receiving DMADecErr"),
    ],
)
def test_faults_are_named_and_recovered(
    accelerator: Any, driver: Any, board: FakeBoard, graph: Graph, fault: str, error: str, message: str
) -> None:
    feeds = feeds_of(graph, 3)
    resets = board.resets
    board.faults = [fault]
    with pytest.raises(getattr(driver, error)) as caught:
        accelerator.predict(feeds)
    assert message in str(caught.value)
    assert isinstance(caught.value, driver.DmaError)
    assert board.resets == resets + 1
    assert same(accelerator.predict(feeds), expected(graph, feeds))


def test_a_halted_dma(accelerator: Any, driver: Any, board: FakeBoard, graph: Graph) -> None:
    board.dma[0x34] |= 1
    with pytest.raises(driver.DmaError, match="does not start: DMA channel not started"):
        accelerator.predict(feeds_of(graph, 1))
    feeds = feeds_of(graph, 1)
    assert same(accelerator.predict(feeds), expected(graph, feeds))


def test_a_dma_that_does_not_come_back(accelerator: Any, driver: Any, board: FakeBoard, graph: Graph) -> None:
    driver.RESET_SECONDS = 0.01
    board.faults, board.dead = ["no tlast"], True
    with pytest.raises(driver.DmaError, match="the DMA does not come out of its reset"):
        accelerator.predict(feeds_of(graph, 1))


def test_time_granted(driver: Any, board: FakeBoard, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accelerator = driver.Accelerator(folder / "accel.bit")
    seconds = driver.SLACK * CYCLES_PER_IMAGE / 100e6
    assert accelerator.seconds_granted(1000) == pytest.approx(10 + 1002 * seconds)
    monkeypatch.setenv("HLSGEN_TIMEOUT", "300")
    assert driver.Accelerator(folder / "accel.bit").seconds_granted(1) == pytest.approx(300 + 3 * seconds)
    assert driver.Accelerator(folder / "accel.bit", timeout=1).seconds_granted(1) == pytest.approx(1 + 3 * seconds)
    for wrong in ("soon", "-1", "nan"):
        monkeypatch.setenv("HLSGEN_TIMEOUT", wrong)
        with pytest.raises(driver.SetupError, match=f"HLSGEN_TIMEOUT is '{wrong}'"):
            driver.Accelerator(folder / "accel.bit")


def test_no_contiguous_memory(driver: Any, board: FakeBoard, folder: Path, graph: Graph) -> None:
    board.cma_bytes = 10 * sum(board.bytes)
    accelerator = driver.Accelerator(folder / "accel.bit")
    feeds = feeds_of(graph, 8)
    wanted = expected(graph, feeds)
    accelerator.predict({name: array[:4] for name, array in feeds.items()})
    assert same(accelerator.predict(feeds), wanted)  # the smaller buffers made way
    with pytest.raises(driver.AllocationError, match=r"contiguous memory \(CMA\) left: BO allocation failed"):
        accelerator.predict(feeds_of(graph, 16))
    assert same(accelerator.predict(feeds), wanted)


# ---- figures ---------------------------------------------------------------------------------------------------------


def test_benchmark(accelerator: Any, board: FakeBoard) -> None:
    result = accelerator.benchmark(seconds=0.2, batch=16)
    assert result.accelerator_fps == pytest.approx(100e6 / CYCLES_PER_IMAGE)
    assert result.cycles_per_image == CYCLES_PER_IMAGE
    assert result.predicted_cycles == CYCLES_PER_IMAGE
    assert result.times.images % 16 == 0
    assert result.times.images > 0
    assert 0 < result.end_to_end_fps < result.accelerator_fps
    assert result.latency_ms["p50"] <= result.latency_ms["p90"] <= result.latency_ms["p99"]
    split = result.microseconds_per_image
    assert list(split) == ["prepare", "pack", "transfer", "compute", "unpack", "finish"]
    assert sum(split.values()) == pytest.approx(1e6 / result.end_to_end_fps, rel=0.3)
    assert split["compute"] == pytest.approx(CYCLES_PER_IMAGE / 100)
    text = str(result)
    assert "100.000 MHz" in text
    assert "p99" in text
    assert json.loads(json.dumps(result.as_dict()))["images"] == result.times.images


@pytest.mark.parametrize("after", [0, 3, 40])
def test_an_interrupted_benchmark(accelerator: Any, board: FakeBoard, graph: Graph, after: int) -> None:
    board.interrupt_after = after
    result = accelerator.benchmark(seconds=60, batch=4)
    assert result.interrupted
    assert "interrupted; the figures so far" in str(result)
    assert (after > 0) == bool(result.latencies)
    json.dumps(result.as_dict())
    feeds = feeds_of(graph, 3)
    assert same(accelerator.predict(feeds), expected(graph, feeds))


def test_an_interrupted_predict(accelerator: Any, board: FakeBoard, graph: Graph) -> None:
    board.interrupt_after, resets = 0, board.resets
    with pytest.raises(KeyboardInterrupt):
        accelerator.predict(feeds_of(graph, 1))
    assert board.resets == resets + 1
    feeds = feeds_of(graph, 1)
    assert same(accelerator.predict(feeds), expected(graph, feeds))


def test_benchmark_batches(accelerator: Any, driver: Any, graph: Graph) -> None:
    with pytest.raises(driver.InputError, match="The batch is 0"):
        accelerator.benchmark(batch=0)
    result = accelerator.benchmark(seconds=0, batch=5, x=feeds_of(graph, 2))
    assert result.times.images == 5
    assert len(result.latencies) == 1


# ---- the shipped vectors ---------------------------------------------------------------------------------------------


def test_self_test(driver: Any, board: FakeBoard, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert driver.main(["--bitstream", str(folder / "accel.bit"), "--self-test"]) == 0
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == "PASS"
    assert "DIFFER" not in output
    assert set(board.transfers) == {4, 2, 1}


@pytest.mark.parametrize("key", ["words/in", "words/out", "frames/in", "frames/0", "outputs/0"])
def test_self_test_sees_every_difference(
    driver: Any, board: FakeBoard, folder: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    arrays = dict(np.load(folder / "vectors.npz"))
    changed = arrays[key].copy()
    place = changed.reshape(-1)
    place[0] = place[0] + 1
    write_arrays(folder / "vectors.npz", {**arrays, key: changed})
    assert driver.main(["--bitstream", str(folder / "accel.bit"), "--self-test"]) == 1
    output = capsys.readouterr().out
    assert "1 DIFFER" in output
    assert output.splitlines()[-1].startswith("FAIL")


def test_comparing(driver: Any) -> None:
    x = np.array([1.0, np.nan, -3.0], np.float32)
    close = np.nextafter(x, np.float32(10))
    assert driver.compare("x", x.copy(), x).wrong == 0
    assert driver.compare("x", close, x).wrong == 2
    assert (driver.compare("x", close, x, 4).wrong, driver.compare("x", close, x, 4).ulps) == (0, 1)
    assert driver.compare("x", x * 2, x, 4).wrong == 2
    assert driver.compare("x", np.nan_to_num(x), x, 4).wrong == 1
    assert driver.compare("x", x.astype(np.float64), x).wrong == 3
    assert driver.compare("x", x[:2], x).wrong == 3
    assert driver.compare("x", np.arange(3), np.arange(1, 4), 4).wrong == 3


def test_command_line(driver: Any, board: FakeBoard, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bitstream = ["--bitstream", str(folder / "accel.bit")]
    assert driver.main(bitstream) == 2
    assert "--self-test" in capsys.readouterr().out
    assert driver.main([*bitstream, "--benchmark", "--seconds", "0.05", "--batch", "4"]) == 0
    assert "images/s" in capsys.readouterr().out
    board.registers[0x00] = 0
    assert driver.main([*bitstream, "--self-test"]) == 2
    assert capsys.readouterr().err.startswith("error: The bitstream is no accelerator")
    with pytest.raises(SystemExit) as caught:
        driver.main(["--help"])
    assert caught.value.code == 0
    helped = " ".join(capsys.readouterr().out.split())
    assert "on top of 20 times the predicted ones (default: 10)" in helped
    assert "Exit code: 0 well, 1 a wrong result, 2 an error." in helped
