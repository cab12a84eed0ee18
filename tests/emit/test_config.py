from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from hlsgen.emit.config import config_struct, cpp_beat, cpp_type
from hlsgen.graph.types import BIPOLAR, INT8, QuantType
from hlsgen.kernels.base import Beats, Kernel, Memory, StreamSpec, Timing


@dataclass(frozen=True, eq=False)
class Sample(Kernel):
    """Stands for any kernel."""

    kind = "sample"
    values: dict[str, int]
    roms: tuple[Memory, ...] = ()

    inputs: tuple[StreamSpec, ...] = ()
    outputs: tuple[StreamSpec, ...] = ()
    cycles: int = 1

    def reads(self) -> tuple[npt.NDArray[np.int64], ...]:
        return ()

    def timing(self) -> Timing:
        return Timing(0, (), ())

    def golden(self, *inputs: Beats) -> tuple[Beats, ...]:
        return inputs

    def constants(self) -> dict[str, int]:
        return self.values

    def types(self) -> dict[str, QuantType]:
        return {"input_t": INT8}

    def memories(self) -> Sequence[Memory]:
        return self.roms


def test_types() -> None:
    assert cpp_type(INT8) == "sint<8>"
    assert cpp_type(QuantType(3, False)) == "uint<3>"
    assert cpp_type(BIPOLAR) == "uint<1>"
    assert cpp_beat(StreamSpec(INT8, 4, 10)) == "vec<sint<8>, 4>"


def test_a_struct_is_meant_to_be_read() -> None:
    weights = Memory("weights", INT8, np.arange(-3, 21).reshape(6, 4))
    signs = Memory("signs", BIPOLAR, np.array([[-1, 1, 1]]))
    text = config_struct("conv1", Sample({"PE": 4, "TILES[0]": 2, "TILES[1]": 3}, (weights, signs)))
    assert text == (
        "struct conv1 {\n"
        "  static const int PE = 4;\n"
        "  static constexpr int TILES[2] = {2, 3};\n"
        "  typedef sint<8> input_t;\n"
        "  static const rom<sint<8> > weights[6][4];\n"
        "  static const rom<uint<1> > signs[1][3];\n"
        "};\n"
        "constexpr int conv1::TILES[2];\n"
        "const rom<sint<8> > conv1::weights[6][4] = {\n"
        "  -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,\n"
        "  17, 18, 19, 20,\n"
        "};\n"
        "const rom<uint<1> > conv1::signs[1][3] = {\n"
        "  0, 1, 1,\n"
        "};\n"
    )


def test_wide_constants_have_wide_literals() -> None:
    text = config_struct("a", Sample({"LOW": -(1 << 63), "HIGH": 1 << 40, "INT": -(1 << 31)}))
    assert "static const long long LOW = -9223372036854775807LL - 1;" in text
    assert "static const long long HIGH = 1099511627776LL;" in text
    assert "static const int INT = -2147483648;" in text


@pytest.mark.parametrize("name", ["conv 1", "x; }", "1st", "", "_private"])
def test_names_must_be_identifiers(name: str) -> None:
    with pytest.raises(ValueError, match="is no C\\+\\+ identifier"):
        config_struct(name, Sample({}))


def test_tables_are_given_in_order() -> None:
    with pytest.raises(ValueError, match=r"TILES\[1\]: entries of a table are given in ascending order from 0"):
        config_struct("a", Sample({"TILES[1]": 1}))
