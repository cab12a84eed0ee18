"""Design to files. Entries: ``write_hls`` and ``write_vectors``."""

from hlsgen.emit.hls import write as write_hls
from hlsgen.emit.hls import write_vectors

__all__ = ["write_hls", "write_vectors"]
