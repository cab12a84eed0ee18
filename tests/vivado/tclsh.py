"""A tclsh of Python's own Tcl, for machines without one: ``python tclsh.py SCRIPT [ARGUMENT ...]``."""

from __future__ import annotations

import sys
import tkinter


def main(script: str, *arguments: str) -> int:
    """Run ``script`` with ``argv``; exit code 1 for an error."""
    tcl = tkinter.Tcl()
    tcl.call("set", "argv", arguments)
    code: list[int] = []
    tcl.createcommand("exit", lambda value="0": code.append(int(value)))
    try:
        tcl.evalfile(script)
    except tkinter.TclError as error:
        print(error, file=sys.stderr)
        return 1
    return code[0] if code else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
