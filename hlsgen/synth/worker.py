"""One synthesis in a process of its own: ``python -m hlsgen.synth.worker JOB RESULT``.

Yosys may end its process on an error, so the caller never loads it. JOB and RESULT are JSON files; Yosys' log goes to
standard output.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from hlsgen.board import Family
from hlsgen.synth.netlist import Netlist, count_cells
from hlsgen.synth.paths import longest_paths
from hlsgen.synth.roms import map_roms


def synthesise(job: dict[str, str | list[str]], result: Path) -> None:
    """Run Yosys on the job's ``sources`` (file names), ``top`` and ``family``; write cells and longest paths."""
    yosys = importlib.import_module("pyosys.libyosys")  # has no type stubs
    netlist = result.with_suffix(".netlist")
    design = yosys.Design()
    synthesis = f"synth_xilinx -family {job['family']} -flatten -noiopad -noclkbuf"
    for command in (
        f"read_slang --top {job['top']} {' '.join(job['sources'])}",
        f"{synthesis} -run begin:map_ffram",
    ):
        yosys.run_pass(command, design)
    map_roms(yosys, design)
    for command in (
        f"{synthesis} -run map_ffram:",
        f"select {job['top']}",
        f"write_json -selected {netlist.name}",
    ):
        yosys.run_pass(command, design)
    module = json.loads(netlist.read_text(encoding="utf-8"))["modules"][job["top"]]
    netlist.unlink()
    mapped = Netlist(module)
    paths = longest_paths(mapped, Family(job["family"]))
    answer = {"cells": count_cells(mapped), "paths": [asdict(path) for path in paths]}
    result.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    synthesise(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
