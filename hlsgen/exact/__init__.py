"""Exact integer hardware for every function between two quantizers. One entry: ``solve``."""

from hlsgen.exact.solve import solve

__all__ = ["solve"]
