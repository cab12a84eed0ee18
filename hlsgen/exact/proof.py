"""Proofs that a unit computes a function exactly."""

from __future__ import annotations

import numpy as np

from hlsgen.exact.steps import StepFunction
from hlsgen.exact.units import RequantUnit


def is_exact(unit: RequantUnit, steps: StepFunction) -> bool:
    """Whether a *monotone* unit agrees with ``steps`` at every step, beside it and at the ends, hence everywhere.

    Units that are monotone by construction: ``shift`` and ``scale`` (a product, a sum, shifts, a rounding that never
    decreases and a clamp, each monotone), ``float24`` (one float32 multiply), ``threshold`` with sorted thresholds.
    """
    x, y = steps.points
    return bool(np.array_equal(unit.evaluate(x), y))
