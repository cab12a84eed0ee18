"""What is emulated: written by hlsgen as JSON, read in the board's environment."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "HLSGEN_EMULATED_BOARD"
"""Environment variable with the path of the description."""

BITSTREAM = "hlsgen emulated bitstream"
"""First words of the file that stands for a bitstream; the build id follows."""


@dataclass(frozen=True)
class Config:
    """A board with an accelerator.

    ``library``: the Verilated accelerator; ``memories``: folder of the files that it reads. ``arch``: of the CPU, as
    ``platform.machine()`` says it, "armv7l" or "aarch64". ``accelerator``, ``dma``: first byte of their registers,
    ``segment_bytes`` long; ``register_bytes``: of the accelerator's registers, after which they repeat.
    ``length_bits``, ``address_bits``, ``axi_bits``: widths of the DMA's length register, addresses and data.
    ``pll_mhz``, ``crystal_mhz``: the PLL behind the accelerator's clock, and what feeds it. ``quiet_cycles``: as long
    as no word moves in them, nothing will any more. ``memory_bytes``: for buffers, from physical address
    ``memory_base`` on. ``gaps``, ``stalls``: in how many of the cycles the DMA has nothing to send, takes nothing (0 to
    1, at random from ``seed``). ``faults``: names of ``faults.Fault``, with ":always" for one that does not go away.
    """

    name: str
    library: str
    memories: str
    build_id: str
    arch: str
    accelerator: int
    dma: int
    segment_bytes: int
    register_bytes: int
    length_bits: int
    address_bits: int
    axi_bits: int
    pll_mhz: float
    crystal_mhz: float
    quiet_cycles: int
    memory_base: int
    memory_bytes: int
    gaps: float = 0.0
    stalls: float = 0.0
    seed: int = 0
    faults: tuple[str, ...] = field(default=())

    @staticmethod
    def read(path: str | Path) -> Config:
        """The description in the file ``path``. Raises OSError when it cannot be read, ValueError when it is none."""
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        known = {entry.name for entry in dataclasses.fields(Config)}
        if not isinstance(values, dict) or not set(values) <= known:
            raise ValueError(f"{path} does not describe an emulated board")
        try:
            return Config(**{**values, "faults": tuple(values.get("faults", ()))})
        except TypeError as error:
            raise ValueError(f"{path} does not describe an emulated board: {error}") from error

    def text(self) -> str:
        """The description as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"
