"""Quantized ONNX networks as streaming accelerators for AMD Zynq boards, bit for bit.

    import hlsgen

    graph = hlsgen.load("model.onnx")
    build = hlsgen.build("model.onnx", board="pynq-z2")
    result = build.run(images, engine="csim")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hlsgen.build import Build as Build
    from hlsgen.build import build as build
    from hlsgen.frontend import load as load

__version__ = "0.1.0"
__all__ = ["Build", "__version__", "build", "load"]
