"""Text in Tcl: whatever somebody wrote into a board's file stays text."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_./:+-]+")


def word(text: str) -> str:
    r"""``text`` as one word of a Tcl script, also inside a list.

    Letters, digits and ``_./:+-`` stay; any other character becomes ``\uXXXX`` between quotes, which neither
    substitution nor list parsing takes for anything but that character. Tcl 8.5 has no characters above U+FFFF: raises
    ValueError for one.
    """
    if _PLAIN.fullmatch(text):
        return text
    if any(ord(character) > 0xFFFF for character in text):
        raise ValueError(f"{text!r} has a character above U+FFFF, which Tcl 8.5 cannot hold")
    kept = (c if _PLAIN.fullmatch(c) or c == " " else f"\\u{ord(c):04x}" for c in text)
    return f'"{"".join(kept)}"'
