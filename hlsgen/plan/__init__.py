"""Folding and FIFO depths.

Entries: ``make.make`` does all of it. ``fold`` chooses foldings (``explain.explain`` tells why they are no faster);
``smallest`` is the plan with nothing in parallel; ``load``, ``save`` and ``check`` are for plan files; ``size_fifos``
and ``apply_depths`` for FIFOs.
"""

from hlsgen.plan.fifos import size_fifos
from hlsgen.plan.folding import Folded, fold
from hlsgen.plan.plan import LayerPlan, Plan, apply_depths, check, load, save, set_depths, smallest

__all__ = [
    "Folded",
    "LayerPlan",
    "Plan",
    "apply_depths",
    "check",
    "fold",
    "load",
    "save",
    "set_depths",
    "size_fifos",
    "smallest",
]
