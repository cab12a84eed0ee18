"""The Design: *how* a graph is built. Kernel instances joined by streams."""

from __future__ import annotations

from dataclasses import dataclass, field

from hlsgen.graph.graph import Frame
from hlsgen.kernels.base import Beats, Kernel, StreamSpec


@dataclass
class Stream:
    """One FIFO: written by one instance, read by one. ``depth`` is in beats, set by the plan.

    ``rtl_depth``: the same in SystemVerilog, where kernels hold beats themselves, and take time (None: ``depth``).
    ``tensor`` names the graph tensor whose frame the stream carries (None for windows and AXI words), ``frame`` its
    (H, W, C). ``layer`` is the graph operator's name, for messages.
    """

    name: str
    spec: StreamSpec
    layer: str
    tensor: str | None = None
    frame: Frame | None = None
    depth: int = 2
    rtl_depth: int | None = None


@dataclass
class Instance:
    """A kernel in its place. ``name`` is an identifier (lower case, digits, underscores), safe in every language."""

    name: str
    kernel: Kernel
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layer: str


@dataclass
class Design:
    """Instances in dataflow order and the streams between them.

    ``input`` and ``output`` name the two AXI4-Stream boundary streams (bytes of an AXI word are the lanes).
    """

    name: str
    axi_bits: int
    instances: list[Instance] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)
    input: str = "s_axis"
    output: str = "m_axis"

    def run(self, words: Beats) -> dict[str, Beats]:
        """Every stream's beats (images, beats, lanes) for input AXI words, by the kernels' NumPy forms."""
        values = {self.input: words}
        for instance in self.instances:
            results = instance.kernel.golden(*(values[name] for name in instance.inputs))
            values.update(zip(instance.outputs, results, strict=True))
        return values

    def check(self) -> None:
        """Raise ValueError unless each stream has one writer and one reader of its specification, in dataflow order."""
        writers: dict[str, str] = {self.input: "the boundary"}
        readers: dict[str, str] = {self.output: "the boundary"}
        for instance in self.instances:
            for name, spec in zip(instance.inputs, instance.kernel.inputs, strict=True):
                if name not in writers or name in readers or self.streams[name].spec != spec:
                    raise ValueError(f"{instance.name} cannot read {name} ({spec})")
                readers[name] = instance.name
            for name, spec in zip(instance.outputs, instance.kernel.outputs, strict=True):
                if name in writers or self.streams[name].spec != spec:
                    raise ValueError(f"{instance.name} cannot write {name} ({spec})")
                writers[name] = instance.name
        if set(readers) != set(self.streams) or set(writers) != set(self.streams):
            raise ValueError("a stream lacks a reader or a writer")
