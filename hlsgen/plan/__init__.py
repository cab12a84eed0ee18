"""Folding and FIFO depths. Entries: ``Plan``, ``smallest``, ``load``, ``save``, ``size_fifos``, ``apply_depths``."""

from hlsgen.plan.fifos import size_fifos
from hlsgen.plan.plan import LayerPlan, Plan, apply_depths, check, load, save, smallest

__all__ = ["LayerPlan", "Plan", "apply_depths", "check", "load", "save", "size_fifos", "smallest"]
