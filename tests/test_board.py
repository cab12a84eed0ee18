from pathlib import Path

import pytest
import yaml

from hlsgen import board
from hlsgen.board import DspKind, Family
from hlsgen.errors import BoardError, OptionError
from hlsgen.resources import resource

EXPECTED = [
    "arty-z7-20",
    "aup-zu3",
    "kv260",
    "pynq-z1",
    "pynq-z2",
    "pynq-zu",
    "rfsoc4x2",
    "ultra96v2",
    "zcu102",
    "zcu104",
    "zybo-z7-20",
]


def test_names() -> None:
    assert board.names() == EXPECTED


@pytest.mark.parametrize("name", EXPECTED)
def test_every_board_is_consistent(name: str) -> None:
    b = board.load(name)
    assert b.name == name
    seven = b.family is Family.ZYNQ_7000
    assert b.part.startswith("xc7z") == seven
    assert b.dsp_kind is (DspKind.DSP48E1 if seven else DspKind.DSP48E2)
    assert b.axi_bits == (64 if seven else 128)
    assert b.resources.ff == 2 * b.resources.lut, "a slice of either family has two flip-flops per LUT"
    assert b.clock().mhz == pytest.approx(b.clock_mhz)


def test_the_field_of_the_7020() -> None:
    z2 = board.load("pynq-z2")
    assert (z2.part, z2.board_part) == ("xc7z020clg400-1", "tul.com.tw:pynq-z2:part0:1.0")
    r = z2.resources
    assert (r.lut, r.ff, r.bram36, r.uram, r.dsp) == (53200, 106400, 140, 0, 220)
    assert z2.ddr.megabytes_per_second == 2100


@pytest.mark.parametrize(
    ("name", "asked", "given", "dividers"),
    [
        ("pynq-z2", 150, 1000 / 7, (7, 1)),
        ("pynq-z2", 142.85, 1000 / 7, (7, 1)),
        ("pynq-z2", 142.8, 125, (8, 1)),
        ("pynq-z2", 200, 200, (5, 1)),
        ("pynq-z2", 0.999, 1000 / 1003, (59, 17)),
        ("zcu104", 150, 150, (10, 1)),
        ("kv260", 299, 250, (4, 1)),
    ],
)
def test_a_clock_is_rounded_down_to_one_that_exists(
    name: str, asked: float, given: float, dividers: tuple[int, int]
) -> None:
    clock = board.load(name).clock(asked)
    assert clock.mhz == pytest.approx(given)
    assert clock.dividers == dividers
    assert clock.mhz * dividers[0] * dividers[1] == pytest.approx(board.load(name).pll_mhz)


@pytest.mark.parametrize("asked", [0.0, -5.0, 0.2, float("nan"), float("inf")])
def test_an_impossible_clock(asked: float) -> None:
    with pytest.raises(OptionError, match=r"--clock .* cannot be made on pynq-z2"):
        board.load("pynq-z2").clock(asked)


def test_an_unknown_board_names_the_closest_one() -> None:
    with pytest.raises(BoardError) as caught:
        board.load("PYNQ_Z2")
    expected = "There is no board 'PYNQ_Z2'. Did you mean pynq-z2? Known boards: arty-z7-20, aup-zu3, kv260,"
    assert str(caught.value).startswith(expected)
    with pytest.raises(BoardError, match=r"There is no board 'x'\. Known boards"):
        board.load("x")


def own_board(folder: Path, **changes: object) -> Path:
    data = yaml.safe_load(resource("boards", "kv260.yaml").read_text())
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**data, **changes}))
    return path


def test_a_board_of_ones_own(tmp_path: Path) -> None:
    mine = board.load(str(own_board(tmp_path, part="xck24-ubva530-2LV-c")))
    assert (mine.name, mine.part) == ("mine", "xck24-ubva530-2LV-c")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"axi_bits": 48}, "axi_bits is 48"),
        ({"clock_mhz": 150}, "clock_mhz 150 is not pll_mhz 1000 divided by two integers"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"family": "xc6"}, "family: Input should be 'xc7' or 'xcup'"),
        ({"resources": {"lut": 0, "ff": 1, "bram36": 1, "uram": 1, "dsp": 1}}, r"resources\.lut: .*greater than 0"),
    ],
)
def test_a_board_file_with_a_fault(tmp_path: Path, changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(BoardError, match=complaint) as caught:
        board.load(str(own_board(tmp_path, **changes)))
    assert "mine.yaml does not describe a board" in str(caught.value)


@pytest.mark.parametrize(("text", "complaint"), [("a: [1", "is not YAML"), ("just text", "holds no fields")])
def test_a_file_that_is_no_board(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(text)
    with pytest.raises(BoardError, match=complaint):
        board.load(str(path))


def test_a_board_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"none\.yaml cannot be read: No such file"):
        board.load(str(tmp_path / "none.yaml"))
