"""Fits the coefficients of ``hlsgen/plan/resources.json`` to what Yosys makes of a set of kernels, designed and drawn.

    python scripts/calibrate_resources.py [--family xc7|xcup] [--kinds elementwise,window] [--processes N] [--keep]

Syntheses are cached, so the script can be stopped and started again. It prints, per kind of kernel, the median and the
worst relative error on instances that the fit has not seen, and of how many the DSP blocks and block RAMs and the LUTs
used as memory are exact (``--keep`` leaves the table as it is and only prints).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hlsgen.board import Family
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.fifo import Fifo
from hlsgen.plan import resources
from hlsgen.plan.features import FEATURES, Features, fifo
from hlsgen.plan.primitives import Use
from hlsgen.synth.yosys import fifo_job, is_cached, kernel_job, run
from tests.plan.resource_cases import CASES

Case = Kernel | Fifo

FLOOR = 40
"""LUTs or flip-flops below which an error counts as if there were so many: a kernel of 10 LUTs cannot be 5 % exact."""

UNKNOWN, GUESSED = ({"lut": trust, "ff": trust} for trust in (0.1, 0.5))
"""How far a coefficient of 1 is trusted, and one of another family's."""

COUNTED = {
    "elementwise": {"lut": 0.5, "ff": 20.0},
    **{name: {"lut": 0.5, "ff": 0.2} for name in ("pack.one", "unpack.parts", "unpack.words")},
}
"""Variants whose features are counted as Yosys makes them, so that the coefficients are known to be about 1."""


def features_of(case: Case, family: Family) -> Features:
    """The features of a kernel or FIFO."""
    return fifo(case, family) if isinstance(case, Fifo) else FEATURES[type(case)](case, family)


def measure(cases: Sequence[Case], family: Family, processes: int, cached: bool) -> list[tuple[Case, Use]]:
    """What Yosys makes of each; with ``cached``, of those only that it has made already."""
    jobs = [fifo_job(case, family) if isinstance(case, Fifo) else kernel_job(case, family) for case in cases]
    pairs = list(zip(cases, jobs, strict=True))
    if cached:
        pairs = [(case, job) for case, job in pairs if is_cached(job)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(processes) as pool:
        uses = pool.map(lambda pair: run(pair[1], Path(folder) / f"{pair[1].key}.log").use, pairs)
        return [(case, use) for (case, _), use in zip(pairs, uses, strict=True)]


def fit(rows: Sequence[tuple[Features, Use]], kind: str, guess: dict[str, float], trust: float) -> dict[str, float]:
    """Coefficients of LUTs or flip-flops, none negative, of least squared relative error.

    ``guess``: what they may be if that is known better than 1. For this speak ``trust``**2 observations.
    """
    names = sorted({name for features, _ in rows for name in getattr(features, kind)})
    if not names:
        return {}
    matrix = np.array([[getattr(features, kind).get(name, 0.0) for name in names] for features, _ in rows])
    target = np.array([getattr(use, kind) - getattr(features.exact, kind) for features, use in rows], float)
    weight = 1 / np.maximum([getattr(use, kind) for _, use in rows], FLOOR)
    share = np.linalg.norm(matrix * weight[:, None], axis=0) / np.sqrt(np.maximum(1, np.count_nonzero(matrix, axis=0)))
    pull = trust * np.diag(share)
    guesses = pull @ np.array([guess.get(name, 1.0) for name in names])
    solution, _ = nnls(np.vstack([matrix * weight[:, None], pull]), np.concatenate([target * weight, guesses]))
    return {name: round(float(value), 4) for name, value in zip(names, solution, strict=True)}


def errors(rows: Sequence[tuple[Case, Use]], family: Family, kind: str) -> list[float]:
    """Relative errors of the estimates with the present table."""
    found = []
    for case, use in rows:
        estimate = resources.weigh(features_of(case, family), family)
        found.append(abs(getattr(estimate, kind) - getattr(use, kind)) / max(getattr(use, kind), FLOOR))
    return found


def calibrate(
    kind: str, train: Sequence[Case], held_out: Sequence[Case], family: Family, options: argparse.Namespace
) -> None:
    """Fit one kind of kernel, update the table, print the errors."""
    measured, checked = (measure(cases, family, options.processes, options.cached) for cases in (train, held_out))
    table = json.loads(resources.TABLE.read_text(encoding="utf-8"))
    ours = table.setdefault(family.value, {})
    by_variant: dict[str, list[tuple[Features, Use]]] = {}
    for case, use in measured:
        features = features_of(case, family)
        by_variant.setdefault(features.variant, []).append((features, use))
    for variant, rows in sorted(by_variant.items()):
        # UltraScale+ is much like the 7 series, from which it starts
        guess = table[Family.ZYNQ_7000.value].get(variant, {}) if family is not Family.ZYNQ_7000 else {}
        trust = COUNTED.get(variant, GUESSED if guess else UNKNOWN)
        ours[variant] = {kind: fit(rows, kind, guess.get(kind, {}), trust[kind]) for kind in ("lut", "ff")}
    if not options.keep:
        known = {features_of(case, family).variant for cases in CASES.values() for case in cases[0]()}
        table[family.value] = {variant: values for variant, values in ours.items() if variant in known}
        text = json.dumps({name: dict(sorted(table[name].items())) for name in sorted(table)}, indent=1)
        resources.TABLE.write_text(text + "\n", encoding="utf-8")
        resources.coefficients.cache_clear()
    for name, pairs in (("fitted", measured), ("held out", checked)):
        if pairs:
            lut, ff = errors(pairs, family, "lut"), errors(pairs, family, "ff")
            blocks, memory = (sum(as_known(case, family, use, names) for case, use in pairs) for names in EXACT)
            print(
                f"{kind:12} {family.value:5} {name:9} {len(pairs):3}  LUT {np.median(lut):5.1%} {max(lut):6.1%}"
                f"  FF {np.median(ff):5.1%} {max(ff):6.1%}  exact: DSP, RAM {blocks}, LUTRAM {memory}",
                flush=True,
            )
    if options.show:
        for case, use in [*measured, *checked]:
            print("   ", describe(case, family), "| Yosys", use)


EXACT = (("dsp", "ramb18", "ramb36"), ("lutram",))
"""Primitives that follow from formulas."""


def as_known(case: Case, family: Family, use: Use, names: Sequence[str]) -> bool:
    """Whether the estimate of these primitives is what Yosys finds."""
    estimate = resources.weigh(features_of(case, family), family)
    return all(getattr(estimate, name) == getattr(use, name) for name in names)


def describe(case: Case, family: Family) -> str:
    """A case in one line: parameters, estimate."""
    parameters = {name: value for name, value in case.rtl_parameters().items() if not str(name).endswith("FILE")}
    return f"{parameters} {resources.weigh(features_of(case, family), family)}"


def main() -> None:
    """Calibrate what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=[family.value for family in Family])
    parser.add_argument("--kinds", help="comma-separated, all by default")
    parser.add_argument("--processes", type=int, default=1, help="of Yosys at a time")
    parser.add_argument("--cached", action="store_true", help="only what has been synthesised already")
    parser.add_argument("--keep", action="store_true", help="do not fit: check the table as it is")
    parser.add_argument("--show", action="store_true", help="print every instance")
    arguments = parser.parse_args()
    families = [Family(arguments.family)] if arguments.family else list(Family)
    kinds: Sequence[str] = arguments.kinds.split(",") if arguments.kinds else list(CASES)
    for family in families:
        for kind in kinds:
            train, held_out = CASES[kind]
            calibrate(kind, [] if arguments.keep else train(), held_out(), family, arguments)


if __name__ == "__main__":
    main()
