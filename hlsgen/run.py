"""Runs a design on images: host prefix, hardware (NumPy, C++, SystemVerilog, an emulated board), host suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.choices import Engine
from hlsgen.errors import OptionError
from hlsgen.graph import golden
from hlsgen.graph.graph import Graph
from hlsgen.graph.host import Array
from hlsgen.graph.types import IntArray
from hlsgen.kernels.axi import frames_from_words, words_from_frames, words_per_frame
from hlsgen.kernels.base import Beats, StreamSpec
from hlsgen.lower.design import Design
from hlsgen.sim import csim, emulated_board, rtlsim
from hlsgen.system import System


@dataclass
class Runner:
    """A network and its build. ``design`` is called when it is first needed."""

    graph: Graph
    design: Callable[[], Design]
    folder: Path
    manifest: Mapping[str, Any]
    system: System

    def run(
        self,
        x: Array | Mapping[str, Array],
        engine: Engine,
        trace: bool = False,
        types: csim.Types = "native",
        bounded: bool = False,
        waves: Path | None = None,
    ) -> dict[str, Array]:
        """See ``Build.run``."""
        if waves is not None and engine is not Engine.RTL:
            raise OptionError("--waves records the signals of the SystemVerilog; it goes with --engine rtl.")
        if trace and engine is Engine.BOARD:
            raise OptionError("--trace: from a board only its outputs come back. Take --engine rtl for every stream.")
        try:
            frames = golden.input_frames(self.graph, x if isinstance(x, Mapping) else self._named(x))
        except ValueError as error:
            raise OptionError(f"{error}.") from error
        streams: dict[str, Beats] = {}
        if engine is Engine.GOLDEN and not trace:
            leaving = golden.run(self.graph, frames, keep=self.graph.outputs)
        else:
            design = self.design()
            words = words_from_frames(frames, self.graph.tensors[self.graph.input].type, design.axi_bits)
            if engine is Engine.GOLDEN:
                streams = design.run(words)
            elif engine is Engine.RTL:
                played = rtlsim.run(design, self.folder / "rtl", words, trace=trace, waves=waves)
                streams = {**played.streams, design.input: words, design.output: played.words}
            elif engine is Engine.BOARD:
                received = emulated_board.run(self.folder, self.manifest, self.system, words)
                streams = {design.input: words, design.output: received}
            else:
                program = csim.compile(self.folder / "hls", types, bounded)
                simulated = csim.run(program, design, words, streams=trace)
                streams = {**simulated.streams, design.input: words, design.output: simulated.words}
            leaving = frames_leaving(self.graph, design, streams[design.output])
        results = golden.outputs(self.graph, leaving)
        results.update({f"int/{name}": array for name, array in leaving.items()})
        if trace:
            for name, stream in self.design().streams.items():
                results[f"stream/{name}"] = streams[name].astype(stream.spec.type.dtype)
        return results

    def _named(self, x: Array) -> dict[str, Array]:
        return dict.fromkeys(self.graph.prefix.inputs, np.asarray(x))


def frames_leaving(graph: Graph, design: Design, words: Beats) -> dict[str, IntArray]:
    """The tensors that leave the accelerator, frames (images, H, W, C), out of its AXI words (images, words, bytes).

    Each output of an image begins with a word of its own.
    """
    frames: dict[str, IntArray] = {}
    first = 0
    for name, spec in zip(graph.outputs, output_specs(design), strict=True):
        tensor = graph.tensors[name]
        last = first + words_per_frame(spec.elements, spec.type, design.axi_bits)
        frames[name] = frames_from_words(words[:, first:last], tensor.shape, spec.type).astype(tensor.type.dtype)
        first = last
    return frames


def output_specs(design: Design) -> list[StreamSpec]:
    """The data streams that ``pack`` reads, in order; its last input, the "last" bits, is not one."""
    pack = next(instance for instance in design.instances if design.output in instance.outputs)
    return [design.streams[name].spec for name in pack.inputs[:-1]]
