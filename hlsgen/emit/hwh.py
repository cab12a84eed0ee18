"""The hardware handoff file (.hwh) of the block design, as far as pynq reads it: for the emulated board.

Vivado writes the real one, of the same ``System``, beside the bitstream.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from hlsgen.emit.ip import BUILD_ID
from hlsgen.emit.registers import REGISTERS
from hlsgen.system import ACCEL, DESIGN, DMA, IP, IP_VERSION, LENGTH_BITS, LIBRARY, PS, SEGMENT_BYTES, VENDOR, System

AXI = "xilinx.com:interface:aximm:1.0"

CLOCKS = 4
"""PL clocks of a processing system; the accelerator has the first."""

_SPARE_DIVIDERS = (20, 1)
"""Of the other clocks, which are off: pynq wants to know all the same."""


def write(system: System, build_id: str, path: Path) -> None:
    """Write the .hwh of ``system`` to ``path``. The first 16 digits of ``build_id`` are the accelerator's parameter."""
    root = Element("EDKSYSTEM", EDWVERSION="1.2")
    SubElement(root, "SYSTEMINFO", NAME=DESIGN, PART=system.board.part)
    SubElement(root, "EXTERNALPORTS")
    SubElement(root, "EXTERNALINTERFACES")
    modules = SubElement(root, "MODULES")
    _processing_system(modules, system)
    _dma(modules, system)
    _accelerator(modules, build_id[:16])
    indent(root)
    ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)


def _module(modules: Element, name: str, vlnv: str, in_pl: bool = True) -> Element:
    return SubElement(
        modules,
        "MODULE",
        INSTANCE=name,
        FULLNAME=f"/{name}",
        MODTYPE=vlnv.split(":")[2],
        VLNV=vlnv,
        HWVERSION=vlnv.split(":")[3],
        IPTYPE="PERIPHERAL" if in_pl else "PROCESSOR",
        IS_ENABLE="1",
        MODCLASS="PERIPHERAL" if in_pl else "PROCESSOR",
        IS_PL="TRUE" if in_pl else "FALSE",
    )


def _parameters(module: Element, values: dict[str, object]) -> None:
    parameters = SubElement(module, "PARAMETERS")
    for name, value in values.items():
        SubElement(parameters, "PARAMETER", NAME=name, VALUE=str(value))


def _interfaces(module: Element, interfaces: dict[str, str]) -> None:
    """``interfaces``: memory-mapped ones by name, MASTER or SLAVE."""
    element = SubElement(module, "BUSINTERFACES")
    for name, kind in interfaces.items():
        interface = SubElement(element, "BUSINTERFACE", NAME=name, TYPE=kind, VLNV=AXI)
        SubElement(interface, "PORTMAPS")


def _processing_system(modules: Element, system: System) -> None:
    """The PS: what it reaches, and its clocks."""
    module = _module(modules, PS, f"{system.ps_vlnv}:{'5.5' if system.zynq7 else '3.5'}", in_pl=False)
    SubElement(module, "PORTS")
    _parameters(module, _clock_parameters(system))
    _interfaces(module, {system.control_port: "MASTER", system.memory_port: "SLAVE"})
    memory_map = SubElement(module, "MEMORYMAP")
    for name, block, interface in ((ACCEL, "Reg", "s_axi_control"), (DMA, "Reg", "S_AXI_LITE")):
        base = system.addresses[name]
        SubElement(
            memory_map,
            "MEMRANGE",
            ADDRESSBLOCK=block,
            BASENAME="C_BASEADDR",
            BASEVALUE=f"{base:#010X}".replace("X", "x"),
            HIGHNAME="C_HIGHADDR",
            HIGHVALUE=f"{base + SEGMENT_BYTES - 1:#010X}".replace("X", "x"),
            INSTANCE=name,
            IS_DATA="TRUE",
            IS_INSTRUCTION="TRUE",
            MASTERBUSINTERFACE=system.control_port,
            MEMTYPE="REGISTER",
            SLAVEBUSINTERFACE=interface,
        )


def _clock_parameters(system: System) -> dict[str, object]:
    """Enables, dividers, sources and frequencies of the PL's clocks, by the names of the PS' IP."""
    values: dict[str, object] = {}
    for index in range(CLOCKS):
        used = index == 0
        first, second = system.clock.dividers if used else _SPARE_DIVIDERS
        mhz = system.board.pll_mhz / (first * second)
        if system.zynq7:
            values |= {
                f"PCW_FPGA_FCLK{index}_ENABLE": int(used),
                f"PCW_FCLK{index}_PERIPHERAL_DIVISOR0": first,
                f"PCW_FCLK{index}_PERIPHERAL_DIVISOR1": second,
                f"PCW_FCLK{index}_PERIPHERAL_CLKSRC": "IO PLL",
                f"PCW_ACT_FPGA{index}_PERIPHERAL_FREQMHZ": f"{mhz:.6f}",
            }
        else:
            control = f"PSU__CRL_APB__PL{index}_REF_CTRL"
            values |= {
                f"PSU__FPGA_PL{index}_ENABLE": int(used),
                f"{control}__DIVISOR0": first,
                f"{control}__DIVISOR1": second,
                f"{control}__SRCSEL": "IOPLL",
                f"{control}__ACT_FREQMHZ": f"{mhz:.6f}",
            }
    return values


def _dma(modules: Element, system: System) -> None:
    """The AXI DMA, direct register mode; parameter names are lower-case, as its IP has them."""
    module = _module(modules, DMA, "xilinx.com:ip:axi_dma:7.1")
    SubElement(module, "PORTS")
    bits = system.board.axi_bits
    values: dict[str, object] = {
        "c_include_sg": 0,
        "c_micro_dma": 0,
        "c_sg_length_width": LENGTH_BITS,
        "c_addr_width": system.address_bits,
    }
    for side in ("mm2s", "s2mm"):
        values |= {
            f"c_include_{side}": 1,
            f"c_include_{side}_dre": 0,
            f"c_m_axi_{side}_data_width": bits,
            f"c_{side}_burst_size": 16,
        }
    values |= {"c_m_axis_mm2s_tdata_width": bits, "c_s_axis_s2mm_tdata_width": bits}
    _parameters(module, values)
    _interfaces(module, {"S_AXI_LITE": "SLAVE", "M_AXI_MM2S": "MASTER", "M_AXI_S2MM": "MASTER"})


def _accelerator(modules: Element, build_id: str) -> None:
    """The accelerator with its registers, from which pynq makes ``register_map``."""
    module = _module(modules, ACCEL, f"{VENDOR}:{LIBRARY}:{IP}:{IP_VERSION}")
    blocks = SubElement(module, "ADDRESSBLOCKS")
    block = SubElement(
        blocks,
        "ADDRESSBLOCK",
        ACCESS="read-write",
        INTERFACE="s_axi_control",
        NAME="Reg",
        RANGE=str(SEGMENT_BYTES),
        USAGE="register",
    )
    registers = SubElement(block, "REGISTERS")
    for register in REGISTERS:
        element = SubElement(registers, "REGISTER", NAME=register.name)
        values: dict[str, object] = {
            "DESCRIPTION": register.description,
            "ADDRESS_OFFSET": f"{register.offset:#x}",
            "SIZE": register.bits,
            "ACCESS": register.access.value,
            "IS_ENABLED": "true",
        }
        _properties(element, values)
        fields = SubElement(element, "FIELDS")
        for field in register.fields:
            _properties(
                SubElement(fields, "FIELD", NAME=field.name),
                {
                    "DESCRIPTION": field.description,
                    "ADDRESS_OFFSET": f"{register.offset:#x}",
                    "ACCESS": field.access.value,
                    "BIT_OFFSET": field.first,
                    "BIT_WIDTH": field.bits,
                },
            )
    SubElement(module, "PORTS")
    _parameters(module, {"Component_Name": f"{DESIGN}_{ACCEL}", BUILD_ID: build_id})
    _interfaces(module, {"s_axi_control": "SLAVE"})


def _properties(element: Element, values: dict[str, object]) -> None:
    for name, value in values.items():
        SubElement(element, "PROPERTY", NAME=name, VALUE=str(value))
