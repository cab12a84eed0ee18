"""Every failure a user may meet, as an exception whose text is one paragraph: what, where, what to do."""

from __future__ import annotations


class HlsgenError(Exception):
    """Base of all errors shown to the user; the command line prints ``str(error)`` and leaves with exit code 2."""


class ModelError(HlsgenError):
    """The model file cannot be read, or is not a model that hlsgen can take."""


class UnsupportedError(ModelError):
    """The model is valid, but a node of it has no counterpart in hardware."""


class BoardError(HlsgenError):
    """Unknown board, or a board description that does not validate."""


class OptionError(HlsgenError):
    """A command's option or argument has a value that makes no sense."""


class PlanError(HlsgenError):
    """A plan file that cannot be read or names a folding that is not legal."""


class FolderError(HlsgenError):
    """The output folder is not ours, or a build folder is incomplete."""


class ToolError(HlsgenError):
    """An external tool (g++, ...) is missing or failed."""


class VerificationError(HlsgenError):
    """Two forms of the same design disagree: the build is not delivered."""
