from pathlib import Path

import numpy as np
import pytest

from hlsgen import frontend, samples
from hlsgen.errors import OptionError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.host import Array
from tests.conftest import EXAMPLES


@pytest.fixture(scope="module")
def graph() -> Graph:
    return frontend.load(EXAMPLES / "digits_qdq.onnx")


@pytest.mark.parametrize("name", ["x.npy", "named.npz", "single.npz"])
def test_reads_arrays_of_every_kind(graph: Graph, tmp_path: Path, name: str) -> None:
    images = np.random.default_rng(1).random((3, 1, 8, 8))
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "named.npz", image=images, labels=np.arange(3))
    np.savez(tmp_path / "single.npz", anything=images)
    feeds = samples.read(tmp_path / name, graph)
    assert feeds.keys() == {"image"}
    assert feeds["image"].dtype == np.float32
    np.testing.assert_array_equal(feeds["image"], images.astype(np.float32))


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((2, 8, 8), np.float32), r"shape \(2, 8, 8\), but .* needs float32 of shape \(images, 1, 8, 8\)"),
        (np.zeros((0, 1, 8, 8), np.float32), "shape"),
        (np.float32(3), "shape"),
        (np.zeros((1, 1, 8, 8), np.complex64), "type complex64"),
        (np.full((1, 1, 8, 8), np.nan, np.float32), "NaN"),
        (np.full((1, 1, 8, 8), "text"), "type <U4"),
    ],
)
def test_refuses_what_does_not_fit(graph: Graph, tmp_path: Path, array: Array, complaint: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(OptionError, match=complaint):
        samples.read(tmp_path / "x.npy", graph)


def test_refuses_what_is_no_array_file(graph: Graph, tmp_path: Path) -> None:
    for contents in (b"", b"text", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00\xff\xff"):
        (tmp_path / "x.npz").write_bytes(contents)
        with pytest.raises(OptionError, match=r"not a \.npy or \.npz file"):
            samples.read(tmp_path / "x.npz", graph)
    with pytest.raises(OptionError, match="There is no file"):
        samples.read(tmp_path / "none.npy", graph)
    np.savez(tmp_path / "x.npz", a=np.zeros(3), b=np.zeros(3))
    with pytest.raises(OptionError, match="no array called 'image', the model's input; it holds 'a', 'b'"):
        samples.read(tmp_path / "x.npz", graph)


def test_never_unpickles(graph: Graph, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(OptionError):
        samples.read(tmp_path / "x.npy", graph)


def test_writes_any_name_and_the_same_bytes(tmp_path: Path) -> None:
    arrays: dict[str, Array] = {
        "file": np.arange(3),
        "int//a/b": np.zeros((2, 2), np.int8),
        "名前\n": np.array([1.5], np.float32),
    }
    for name in ("one.npz", "two.npz"):
        samples.write(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as loaded:
        assert set(loaded.files) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array)
            assert loaded[name].dtype == array.dtype


def test_writes_only_npz(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"ends in \.npz"):
        samples.write(tmp_path / "x.npy", {})


def test_made_up_images_are_reproducible_and_cover_the_input(graph: Graph) -> None:
    feeds = samples.made_up(graph)
    np.testing.assert_array_equal(feeds["image"], samples.made_up(graph)["image"])
    assert feeds["image"].shape == (10, 1, 8, 8)
    frames = golden.input_frames(graph, feeds)
    tensor = graph.tensors[graph.input]
    assert {tensor.lo, tensor.hi} <= set(np.unique(frames))
    assert len(np.unique(frames)) > 180, "of 256 input codes"
