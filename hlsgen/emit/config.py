"""The C++ configuration struct of a kernel instance: what ``matvec<conv1_matvec>`` is instantiated with."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from hlsgen.graph.types import QuantType
from hlsgen.kernels.base import Kernel, Memory, StreamSpec

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TABLE_ENTRY = re.compile(r"([A-Z][A-Z0-9_]*)\[([0-9]+)\]")
_PER_LINE = 20


def cpp_type(type: QuantType) -> str:
    """C++ element type of ``type``: an alias of templates/hls/types.hpp. Bipolar is ``uint<1>``, where 0 means -1."""
    if type.bipolar:
        return "uint<1>"
    return f"{'sint' if type.signed else 'uint'}<{type.bits}>"


def cpp_beat(spec: StreamSpec) -> str:
    """C++ type of one beat of a stream inside the accelerator."""
    return f"vec<{cpp_type(spec.type)}, {spec.lanes}>"


def config_struct(name: str, kernel: Kernel) -> str:
    """C++ text of ``struct <name>``: the kernel's constants, element types and memories.

    It belongs into ``namespace hlsgen``. Constants called ``NAME[0]``, ``NAME[1]``, ... become one constexpr array
    ``NAME``. A memory becomes a ROM ``static const rom<...> <memory>[ADDRESSES][COLUMNS]``, defined after the struct
    (C++14: include it in one translation unit only); its elements are in wire form, that is, bipolar ones are 0 and 1.
    Raises ValueError if a name is no identifier.
    """
    scalars, tables = split_tables(kernel.constants())
    types = kernel.types()
    memories = kernel.memories()
    for identifier in (name, *scalars, *types, *(memory.name for memory in memories)):
        if not _IDENTIFIER.fullmatch(identifier):
            raise ValueError(f"{identifier!r} is no C++ identifier")

    lines = [f"struct {name} {{"]
    lines += [f"  static const {_constant_type(value)} {key} = {_literal(value)};" for key, value in scalars.items()]
    for key, entries in tables.items():
        values = ", ".join(map(_literal, entries))
        lines.append(f"  static constexpr {_table_type(entries)} {key}[{len(entries)}] = {{{values}}};")
    lines += [f"  typedef {cpp_type(type)} {key};" for key, type in types.items()]
    lines += [f"  static const {_rom_type(memory)} {_rom_declarator(memory.name, memory)};" for memory in memories]
    lines.append("};")
    for key, entries in tables.items():
        lines.append(f"constexpr {_table_type(entries)} {name}::{key}[{len(entries)}];")
    for memory in memories:
        lines.append(f"const {_rom_type(memory)} {_rom_declarator(f'{name}::{memory.name}', memory)} = {{")
        lines += _rows(memory)
        lines.append("};")
    return "\n".join(lines) + "\n"


def split_tables(constants: dict[str, int]) -> tuple[dict[str, int], dict[str, list[int]]]:
    """A kernel's constants as (numbers, tables): ``NAME[0]``, ``NAME[1]``, ... become the table ``NAME``.

    Raises ValueError when a table's entries are not in ascending order from 0.
    """
    scalars: dict[str, int] = {}
    tables: dict[str, list[int]] = {}
    for key, value in constants.items():
        entry = _TABLE_ENTRY.fullmatch(key)
        if entry is None:
            scalars[key] = value
            continue
        table = tables.setdefault(entry[1], [])
        if int(entry[2]) != len(table):
            raise ValueError(f"{key}: entries of a table are given in ascending order from 0")
        table.append(value)
    return scalars, tables


def _constant_type(value: int) -> str:
    return "int" if -(1 << 31) <= value < 1 << 31 else "long long"


def _table_type(values: Iterable[int]) -> str:
    return "int" if all(_constant_type(value) == "int" for value in values) else "long long"


def _literal(value: int) -> str:
    """Decimal literal; the most negative 64-bit integer has none in C++ and is written as a difference."""
    if value == -(1 << 63):
        return f"{value + 1}LL - 1"
    return str(value) if _constant_type(value) == "int" else f"{value}LL"


def _rom_type(memory: Memory) -> str:
    return f"rom<{cpp_type(memory.type)} >"


def _rom_declarator(name: str, memory: Memory) -> str:
    return name + "".join(f"[{size}]" for size in memory.values.shape)


def _rows(memory: Memory) -> list[str]:
    flat = memory.values.ravel()
    if memory.type.bipolar:
        flat = (flat > 0).astype(np.int8)
    texts = [_literal(value) for value in flat.tolist()]
    return ["  " + ", ".join(texts[i : i + _PER_LINE]) + "," for i in range(0, len(texts), _PER_LINE)]
