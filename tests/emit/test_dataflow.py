"""The generated C++ keeps the rules of HLS dataflow, as a C++ parser sees it, and needs nothing but hardware."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import clang.cindex as cindex
import pytest
from clang.cindex import Cursor, CursorKind, TranslationUnit

from hlsgen.emit import write_hls
from hlsgen.emit.vitis import TOP
from hlsgen.lower import lower
from hlsgen.lower.design import Design
from hlsgen.lower.names import RESERVED
from hlsgen.plan import size_fifos, smallest
from hlsgen.resources import resource
from hlsgen.sim.csim import ap_headers
from tests.lower.graphs import graph_of, units_of

AMD = Path(__file__).parent / "amd"
NAMES = ("residual", "concatenation", "bipolar")

PRAGMA = re.compile(r"^\s*#pragma\s+HLS\s+(\w+)(.*)$")
KERNEL_KINDS = {path.stem for path in resource("ip_repo").glob("*.sv")} & {
    path.stem for path in resource("templates", "hls").glob("*.hpp")
}
NAMED = re.compile(r"\b(?:variable|port)=(\w+)")


def flags(folder: Path, *more: str) -> list[str]:
    return ["-std=c++14", *more, f"-I{folder}", f"-I{AMD}", "-isystem", str(ap_headers())]


@cache
def design_of(name: str) -> Design:
    graph, units = graph_of(name), units_of(name)
    design = lower(graph, units, smallest(graph, units), 64)
    size_fifos(design)
    return design


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("dataflow")
    for name in NAMES:
        write_hls(design_of(name), root / name)
    return {name: root / name for name in NAMES}


@cache
def parse(folder: Path) -> TranslationUnit:
    """top.cpp as a synthesis tool reads it. Raises AssertionError on any error of the parser."""
    options = TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD
    unit = cindex.Index.create().parse(
        str(folder / "top.cpp"), ["-xc++", *flags(folder, "-D__SYNTHESIS__", f"-I{_builtin_headers()}")], None, options
    )
    errors = [str(d) for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
    assert not errors, errors
    return unit


@cache
def _builtin_headers() -> str:
    """The compiler's own headers (stddef.h, ...), which libclang's wheel lacks."""
    output = subprocess.run(["g++", "-print-file-name=include"], capture_output=True, text=True, check=True).stdout
    return output.strip()


def ours(unit: TranslationUnit, folder: Path) -> Iterator[Cursor]:
    """Every node of the syntax tree that stands in the generated folder."""
    for child in unit.cursor.get_children():
        if child.location.file is not None and Path(child.location.file.name).is_relative_to(folder):
            yield from child.walk_preorder()


def top_of(unit: TranslationUnit) -> Cursor:
    (top,) = (
        cursor
        for cursor in unit.cursor.get_children()
        if cursor.kind == CursorKind.FUNCTION_DECL and cursor.spelling == TOP and cursor.is_definition()
    )
    return top


def body_of(function: Cursor) -> Cursor:
    return next(child for child in function.get_children() if child.kind == CursorKind.COMPOUND_STMT)


def calls_of(top: Cursor) -> list[tuple[str, list[str]]]:
    """Each process of the dataflow region: kernel and argument names."""
    return [
        (statement.spelling, [argument.spelling for argument in statement.get_arguments()])
        for statement in body_of(top).get_children()
        if statement.kind == CursorKind.CALL_EXPR
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_region_holds_only_declarations_and_calls(name: str, folders: dict[str, Path]) -> None:
    for statement in body_of(top_of(parse(folders[name]))).get_children():
        if statement.kind == CursorKind.DECL_STMT:
            (declaration,) = statement.get_children()
            if declaration.kind == CursorKind.USING_DECLARATION:
                continue
            assert declaration.kind == CursorKind.VAR_DECL
            assert declaration.type.spelling.startswith("hls::stream<")
            assert declaration.storage_class == cindex.StorageClass.NONE
        else:
            assert statement.kind == CursorKind.CALL_EXPR, statement.location
            assert statement.type.spelling == "void"


@pytest.mark.parametrize("name", NAMES)
def test_each_stream_has_one_writer_and_one_reader_in_order(name: str, folders: dict[str, Path]) -> None:
    top = top_of(parse(folders[name]))
    design = design_of(name)
    calls = calls_of(top)
    assert [kind for kind, _ in calls] == [instance.kernel.kind for instance in design.instances]
    written, read = ["s_axis"], []
    for (_, arguments), instance in zip(calls, design.instances, strict=True):
        inputs, outputs = arguments[: len(instance.inputs)], arguments[len(instance.inputs) :]
        assert set(inputs) <= set(written), "read before it is written"
        read += inputs
        written += outputs
    read.append("m_axis")
    assert set(Counter(written).values()) == set(Counter(read).values()) == {1}
    declared = {
        declaration.spelling
        for statement in body_of(top).get_children()
        if statement.kind == CursorKind.DECL_STMT
        for declaration in statement.get_children()
        if declaration.kind == CursorKind.VAR_DECL
    }
    assert set(written) == set(read) == declared | {"s_axis", "m_axis"}


@pytest.mark.parametrize("name", NAMES)
def test_each_stream_has_its_planned_depth(name: str, folders: dict[str, Path]) -> None:
    text = (folders[name] / "top.cpp").read_text()
    depths = {m[1]: int(m[2]) for m in re.finditer(r"#pragma HLS STREAM variable=(\w+) depth=(\d+)\n", text)}
    design = design_of(name)
    inner = {s.name: s.depth for s in design.streams.values() if s.name not in (design.input, design.output)}
    assert depths == inner
    assert max(depths.values()) > 2


@pytest.mark.parametrize("name", NAMES)
def test_every_pragma_names_a_variable_in_scope(name: str, folders: dict[str, Path]) -> None:
    folder = folders[name]
    unit = parse(folder)
    functions = [
        cursor
        for cursor in ours(unit, folder)
        if cursor.kind in (CursorKind.FUNCTION_DECL, CursorKind.FUNCTION_TEMPLATE, CursorKind.CXX_METHOD)
    ]
    checked = 0
    for file in sorted(folder.rglob("*.[ch]pp")):
        if file.name == "testbench.cpp" or file.parent.name == "sim":
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            pragma = PRAGMA.match(line)
            if pragma is None:
                continue
            enclosing = [f for f in functions if _contains(f, file, number)]
            assert enclosing, f"{file.name}:{number} stands in no function"
            for variable in NAMED.findall(pragma[2]):
                if variable != "return":
                    assert variable in _visible(enclosing[-1], number), f"{file.name}:{number}: {line.strip()}"
                    checked += 1
    assert checked > 10


def _contains(cursor: Cursor, file: Path, line: int) -> bool:
    start, end = cursor.extent.start, cursor.extent.end
    return start.file is not None and Path(start.file.name) == file and start.line <= line <= end.line


def _visible(cursor: Cursor, line: int) -> set[str]:
    """Names that a statement at ``line`` inside ``cursor`` can use: parameters and earlier variables of open blocks."""
    names = set()
    for child in cursor.get_children():
        if child.kind in (CursorKind.PARM_DECL, CursorKind.VAR_DECL):
            names.add(child.spelling)
        elif child.kind == CursorKind.DECL_STMT and child.extent.start.line <= line:
            names |= {declaration.spelling for declaration in child.get_children()}
        elif child.extent.start.line <= line <= child.extent.end.line:
            names |= _visible(child, line)
    return names


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_dynamic(name: str, folders: dict[str, Path]) -> None:
    forbidden = {
        CursorKind.CXX_NEW_EXPR,
        CursorKind.CXX_DELETE_EXPR,
        CursorKind.CXX_THROW_EXPR,
        CursorKind.CXX_TRY_STMT,
        CursorKind.LAMBDA_EXPR,
        CursorKind.GOTO_STMT,
        CursorKind.CXX_DYNAMIC_CAST_EXPR,
    }
    folder = folders[name]
    for cursor in ours(parse(folder), folder):
        place = f"{cursor.location.file}:{cursor.location.line}"
        assert cursor.kind not in forbidden, place
        if cursor.kind == CursorKind.CXX_METHOD:
            assert not cursor.is_virtual_method(), place
        if cursor.kind in (CursorKind.VAR_DECL, CursorKind.FIELD_DECL, CursorKind.PARM_DECL):
            assert not re.search(r"\bstd::(?!integral_constant|is_)", cursor.type.spelling), place


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_remembered_between_images(name: str, folders: dict[str, Path]) -> None:
    """A static variable would not be reset with the control logic (config_rtl -reset control)."""
    folder = folders[name]
    variables = [cursor for cursor in ours(parse(folder), folder) if cursor.kind == CursorKind.VAR_DECL]
    assert len(variables) > 50
    for variable in variables:
        if variable.storage_class == cindex.StorageClass.STATIC or variable.semantic_parent.kind.is_translation_unit():
            type, constant = variable.type, variable.type.is_const_qualified()
            while type.kind == cindex.TypeKind.CONSTANTARRAY:
                type = type.element_type
                constant |= type.is_const_qualified()
            assert constant, f"{variable.location.file}:{variable.location.line}"


@pytest.mark.parametrize("name", NAMES)
def test_beats_are_read_and_written_whole(name: str, folders: dict[str, Path]) -> None:
    """A part of a struct cannot be taken out of a stream ([HLS 214-244]); processes take streams by reference."""
    for file in [*folders[name].glob("*.hpp"), folders[name] / "top.cpp"]:
        text = file.read_text()
        assert not re.search(r"\.read\(\)\s*[.\[]", text), file
        assert not re.search(r"hls::stream<[^;(]*>\s+\w+\s*[,)]", text), file


def test_module_names_are_not_cut() -> None:
    """run_hls.tcl allows 128 characters: prefix, kernel, longest instance, and what a pipelined loop appends."""
    longest = max(len(kind) for kind in KERNEL_KINDS)
    assert len(f"{TOP}__") + longest + 63 + len("_s_Pipeline_VITIS_LOOP_1234_12") <= 128


def test_loops_have_constant_bounds_and_one_exit(folders: dict[str, Path]) -> None:
    folder = folders["residual"]
    loops = [cursor for cursor in ours(parse(folder), folder) if cursor.kind == CursorKind.FOR_STMT]
    assert len(loops) > 10
    for loop in loops:
        inside = {cursor.kind for cursor in loop.walk_preorder()}
        place = f"{loop.location.file}:{loop.location.line}"
        assert not inside & {CursorKind.BREAK_STMT, CursorKind.RETURN_STMT, CursorKind.WHILE_STMT}, place


@pytest.mark.parametrize("name", NAMES)
def test_ports_have_safe_names(name: str, folders: dict[str, Path]) -> None:
    top = top_of(parse(folders[name]))
    assert [argument.spelling for argument in top.get_arguments()] == ["s_axis", "m_axis"]
    assert not {"in", "out", "input", "output"} & {argument.spelling for argument in top.get_arguments()}
    for instance in design_of(name).instances:
        assert instance.name not in RESERVED
    for stream in design_of(name).streams:
        assert stream in ("s_axis", "m_axis") or stream not in RESERVED


def test_the_object_needs_no_runtime_and_nothing_recurses(folders: dict[str, Path], tmp_path: Path) -> None:
    """What is called, as the assembler sees it: no heap, no C++ runtime, no circle among the design's own functions."""
    folder = folders["bipolar"]
    command = ["g++", *flags(folder, "-D__SYNTHESIS__", "-w", "-O1", "-fno-inline"), "-S", str(folder / "top.cpp")]
    subprocess.run([*command, "-o", str(tmp_path / "top.s")], check=True)
    calls: dict[str, set[str]] = {}
    function = ""
    for line in (tmp_path / "top.s").read_text().splitlines():
        if label := re.match(r"(_Z\w+):", line):
            function = label[1]
        elif call := re.match(r"\s+(?:call|jmp)\s+(_Z\w+|[a-z]\w*)", line):
            calls.setdefault(function, set()).add(call[1])
    called = set().union(*calls.values())
    assert any("3hls6stream" in symbol for symbol in called)
    runtime = re.compile(r"_Zn[wa]|_Zd[la]|__cxa_(?!atexit)|malloc|calloc|free$")
    assert not {symbol for symbol in called if runtime.match(symbol)}
    # AP_INT_MAX_W is 1024, and would have to be raised before the first header where that is not enough
    widths = {int(width) for symbol in (*calls, *called) for width in re.findall(r"ap_u?intILi(\d+)E", symbol)}
    assert {64, 8} <= widths
    assert max(widths) <= 1024
    _assert_acyclic({name: callees for name, callees in calls.items() if re.match(r"_Z9accel_hls|.*6hlsgen", name)})


def _assert_acyclic(calls: dict[str, set[str]]) -> None:
    done: set[str] = set()

    def visit(function: str, path: tuple[str, ...]) -> None:
        assert function not in path, f"{function} calls itself"
        if function not in done:
            for callee in calls.get(function, ()):
                visit(callee, (*path, function))
            done.add(function)

    for function in calls:
        visit(function, ())
