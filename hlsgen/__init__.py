"""Quantized ONNX networks as streaming accelerators for AMD Zynq boards, bit for bit.

    import hlsgen

    graph = hlsgen.load("model.onnx")
    build = hlsgen.build("model.onnx", board="pynq-z2")
    result = build.run(images, engine="csim")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hlsgen.frontend import load as load
    from hlsgen.pipeline import Build as Build
    from hlsgen.pipeline import build as build

__version__ = "0.1.0"
__all__ = ["Build", "__version__", "build", "load"]


def __getattr__(name: str) -> Any:
    # on first use: `hlsgen --help` and the parts of the package must not wait for ONNX Runtime
    if name in ("Build", "build"):
        from hlsgen import pipeline

        return getattr(pipeline, name)
    if name == "load":
        from hlsgen import frontend

        return frontend.load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
