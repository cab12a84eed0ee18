"""Synthesis: what the tools make of the generated hardware, without a vendor licence (``yosys``)."""
