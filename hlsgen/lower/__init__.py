"""Graph to Design. One entry: ``lower``."""

from hlsgen.lower.mapping import lower

__all__ = ["lower"]
