"""Passes words through the driver in the current folder: ``python -m hlsgen.board_emulator.play INPUT OUTPUT``.

INPUT, OUTPUT: .npy files of bytes (images, bytes per image), uint8.
"""

from __future__ import annotations

import importlib
import sys

import numpy as np


def main(given: str, taken: str) -> int:
    """Returns the exit code; 1 with the driver's message on stderr."""
    sys.path.insert(0, ".")
    driver = importlib.import_module("driver")
    try:
        with driver.Accelerator() as accelerator:
            np.save(taken, accelerator.run_words(np.load(given)))
    except driver.DriverError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
