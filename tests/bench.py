"""Figures of a build: `make bench`. Set HLSGEN_MODELS to a folder of models to have these measured, too.

Prints, per model: multiply-accumulates per image, seconds for the whole build with verification, cycles per image of
the slowest kernel, and images per second of the NumPy reference and of the C simulation (native types, one core).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import hlsgen
from hlsgen import samples
from hlsgen.errors import HlsgenError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SECONDS = 1.0
"""At least so long is measured."""


def models() -> list[Path]:
    """The examples, then the real models."""
    folder = os.environ.get("HLSGEN_MODELS")
    real = sorted(Path(folder).glob("*.onnx")) if folder else []
    return [*sorted(EXAMPLES.glob("*.onnx")), *real]


def images_per_second(run: Callable[[int], object]) -> float:
    """Rate of ``run(images)`` over enough images to be worth timing; the first call warms up."""
    run(1)
    count = 1
    while True:
        started = time.perf_counter()
        run(count)
        seconds = time.perf_counter() - started
        if seconds >= SECONDS:
            return count / seconds
        count = max(2 * count, int(1.2 * SECONDS * count / max(seconds, 1e-3)))


def main() -> None:
    """Measure every model and print the table."""
    table = Table("model", "MACs", "build s", "cycles", "golden im/s", "csim im/s", box=None)
    for path in models():
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            try:
                build = hlsgen.build(path, board="pynq-z2", output=Path(folder) / "out")
            except HlsgenError as error:
                table.add_row(path.stem, str(error)[:80])
                continue
            seconds = time.perf_counter() - started
            (name,) = build.graph.prefix.inputs
            feed = samples.made_up(build.graph)[name]

            def rate(engine: str, build: hlsgen.Build = build, feed: np.ndarray = feed) -> float:  # type: ignore[type-arg]
                return images_per_second(lambda n: build.run(np.resize(feed, (n, *feed.shape[1:])), engine))

            cycles = build.manifest["predicted"]["timing"]["interval_cycles"]
            rates = (f"{rate('golden'):,.0f}", f"{rate('csim'):,.0f}")
            table.add_row(path.stem, f"{build.graph.macs():,}", f"{seconds:.1f}", f"{cycles:,}", *rates)
    console = Console()
    console.print(table)


if __name__ == "__main__":
    main()
