"""All exact units for one Requantize operator."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hlsgen.exact.multiply import dyadic_unit, scale_units
from hlsgen.exact.proof import is_exact
from hlsgen.exact.steps import StepFunction
from hlsgen.exact.units import (
    MANTISSA_BITS,
    Float24Unit,
    RequantUnit,
    ShiftUnit,
    TableUnit,
    ThresholdUnit,
    collapse,
    round_to_float32,
)
from hlsgen.graph.reference import AffineReference, QLinearReference, Reference, Rounding, TableReference
from hlsgen.graph.types import Int64Array

_TABLE_BITS = 12
_THRESHOLD_LEVELS = 10
_LAST_RESORT_LEVELS = 16
_ROM_ENTRIES = 1 << 20
_MOST_STEPS = 1 << 24


def requant_units(reference: Reference, lo: Int64Array, hi: Int64Array) -> tuple[RequantUnit, ...]:
    """Every exact unit, cheapest first; empty if there is none. ``lo``, ``hi``: each channel's range, int64 (C,)."""
    if parameter_sets(reference) == 1:
        lo, hi = lo.min(keepdims=True), hi.max(keepdims=True)
    if isinstance(reference, AffineReference) and _most_steps(reference, lo, hi) > _MOST_STEPS:
        unit = dyadic_unit(reference, lo, hi)
        return () if unit is None else (unit,)
    steps = StepFunction.of(reference, lo, hi)
    units: list[RequantUnit | None] = [_table_unit(reference, steps, lo, hi)]
    if steps is None:
        assert isinstance(reference, TableReference)
        units.append(_run_threshold_unit(reference, lo, hi, _THRESHOLD_LEVELS))
    else:
        units += [_shift_unit(steps, reference), *scale_units(steps, reference), _float24_unit(steps, reference)]
        units.append(_threshold_unit(steps, _THRESHOLD_LEVELS))
        if not any(units):
            units.append(_threshold_unit(steps, _LAST_RESORT_LEVELS))
    return tuple(sorted((unit for unit in units if unit is not None), key=lambda unit: unit.cost.weight))


def parameter_sets(reference: Reference) -> int:
    """How many channels a reference distinguishes; 1 if all share one function."""
    if isinstance(reference, QLinearReference):
        return len(reference.multiplier)
    if isinstance(reference, AffineReference):
        return max(len(reference.scale), len(reference.offset), len(reference.lo), len(reference.hi))
    return len(reference.values)


def _most_steps(reference: AffineReference, lo: Int64Array, hi: Int64Array) -> int:
    """How many thresholds the step function would hold."""
    ends = [reference.value(int(x), c) for bound in (lo, hi) for c, x in enumerate(bound)]
    return (max(ends) - min(ends)) * len(lo)


def _table_unit(reference: Reference, steps: StepFunction | None, lo: Int64Array, hi: Int64Array) -> TableUnit | None:
    """Exact by construction: the function itself on every value of its domain."""
    first, last = int(lo.min()), int(hi.max())
    count = last - first + 1
    if count > 1 << _TABLE_BITS or count * len(lo) > _ROM_ENTRIES:
        return None
    # a channel whose own range is smaller never reads the rest of its row
    x = np.clip(np.arange(first, last + 1)[:, None], lo, hi)
    values = steps.evaluate(x) if steps is not None else reference.evaluate(x).astype(np.int64)
    return TableUnit((first, last), _collapse_rows(values.T))


def _shift_unit(steps: StepFunction, reference: Reference) -> ShiftUnit | None:
    """For scales that are powers of two (channels with a single result apart)."""
    if isinstance(reference, TableReference):
        return None
    if isinstance(reference, QLinearReference):
        scales = [Fraction(float(m)) for m in reference.multiplier]
        offsets, rounding = [Fraction(0)], Rounding.HALF_EVEN
        clip_lo, clip_hi = [reference.lo], [reference.hi]
    else:
        scales, offsets, rounding = list(reference.scale), list(reference.offset), reference.rounding
        clip_lo, clip_hi = list(reference.lo), list(reference.hi)
    channels, constant = steps.channels, steps.constant.tolist()
    varying = [c for c in range(channels) if not constant[c]]
    powers = {c: _power_of_two(scales[c % len(scales)]) for c in varying}
    if rounding is Rounding.SIGN or not varying or any(power is None for power in powers.values()):
        return None
    shift = max(0, *(-power for power in powers.values() if power is not None))
    fractions = {c: offsets[c % len(offsets)] * (1 << shift) for c in varying}
    if any(f.denominator > 1 for f in fractions.values()):
        # 2 * floor(f) + 1 at twice the resolution is on the same side of every multiple of 1/2 as f: no tie arises
        extra = 2 if shift == 0 else 1
        shift += extra
        fractions = {c: f * (1 << (extra - 1)) for c, f in fractions.items()}
        fractions = {c: Fraction(2 * f.__floor__() + (f.denominator > 1)) for c, f in fractions.items()}
    sign, left, add = np.ones(channels, np.int64), np.zeros(channels, np.int64), [0] * channels
    for c, power in powers.items():
        sign[c] = steps.direction[c]
        left[c] = shift + power if power is not None else 0
        add[c] = int(fractions[c])
    lo = np.where(steps.constant, steps.smallest, np.resize(np.array(clip_lo, np.int64), channels))
    hi = np.where(steps.constant, steps.largest, np.resize(np.array(clip_hi, np.int64), channels))
    for form, addend, zero_point in _rounding_forms(rounding, shift, reference.zero_point):
        try:
            unit = ShiftUnit(
                domain=(int(steps.lo.min()), int(steps.hi.max())),
                sign=collapse(sign),
                left=collapse(left),
                add=collapse([a + addend for a in add]),
                shift=shift,
                rounding=form,
                zero_point=zero_point,
                lo=collapse(lo),
                hi=collapse(hi),
            )
        except (ValueError, OverflowError):  # more than 63 bits
            return None
        if is_exact(unit, steps):
            return unit
    return None


def _rounding_forms(rounding: Rounding, shift: int, zero_point: int) -> list[tuple[Rounding, int, int]]:
    """(rounding, addend, zero point) to try in turn: plain shifts first, which suffice where no tie or sign decides."""
    outside = zero_point << shift
    half = (1 << shift) >> 1
    halves = (Rounding.HALF_EVEN, Rounding.HALF_UP, Rounding.HALF_DOWN)
    addends = [half, max(half - 1, 0)] if rounding in halves else [0, (1 << shift) - 1]
    return [*((Rounding.FLOOR, addend + outside, 0) for addend in addends), (rounding, 0, zero_point)]


def _power_of_two(value: Fraction) -> int | None:
    """e where |value| = 2**e, else None."""
    numerator, denominator = abs(value.numerator), value.denominator
    if numerator & (numerator - 1) or denominator & (denominator - 1) or not numerator:
        return None
    return numerator.bit_length() - denominator.bit_length()


def _float24_unit(steps: StepFunction, reference: Reference) -> Float24Unit | None:
    """For float32 multiplies; the binary point is that of the smallest multiplier among channels with any step."""
    if not isinstance(reference, QLinearReference):
        return None
    channels = steps.channels
    mantissas, exponents = np.frexp(np.broadcast_to(reference.multiplier.astype(np.float64), channels))
    varying = ~steps.constant
    if not varying.any():
        return None
    mantissa = np.where(varying, (mantissas * (1 << MANTISSA_BITS)).astype(np.int64), 0)
    shifts = MANTISSA_BITS - exponents.astype(np.int64)
    shift = int(shifts[varying].max())
    left = np.where(varying, shift - shifts, 0)
    if left.max() > 62 or shift > 62:
        return None
    # each channel's values beside its first and last step, as float32 sees them, at the common binary point
    first, last = (u[varying] for u in steps.first_and_last)
    operand = (
        int((round_to_float32(first - 1) << left[varying]).min()),
        int((round_to_float32(last) << left[varying]).max()),
    )
    product = max(map(abs, operand)) * int(mantissa.max())
    active = max(map(abs, steps.active))
    # a constant channel multiplies by 0, which gives the zero point; any other constant needs a clamp of its own
    resting = min(max(reference.zero_point, reference.lo), reference.hi)
    lo = np.where(varying | (steps.smallest == resting), reference.lo, steps.smallest)
    hi = np.where(varying | (steps.smallest == resting), reference.hi, steps.smallest)
    try:
        unit = Float24Unit(
            domain=(int(steps.lo.min()), int(steps.hi.max())),
            operand=operand,
            left=collapse(left),
            mantissa=collapse(mantissa),
            shift=shift,
            binades=max(0, product.bit_length() - shift),
            pre_round=active > 1 << MANTISSA_BITS,
            zero_point=reference.zero_point,
            lo=collapse(lo),
            hi=collapse(hi),
        )
    except ValueError:  # more than 63 bits, or products beyond the tie window's reach
        return None
    return unit if is_exact(unit, steps) else None


def _threshold_unit(steps: StepFunction, levels: int) -> ThresholdUnit | None:
    """A counter of steps or, where results jump (bipolar ones do), a memory of each run's value: the smaller one."""
    results = [steps.base + np.searchsorted(row, row, side="right") for row in steps.thresholds]
    rows, values = [], []
    for c in range(steps.channels):
        inside = (steps.thresholds[c] > steps.u_lo[c]) & (steps.thresholds[c] <= steps.u_hi[c])
        starts, first = np.unique(steps.thresholds[c][inside], return_index=True)
        ys = np.concatenate([[steps.smallest[c]], results[c][inside][first]])
        # ascending in x: a step at u for a falling function takes effect at x = -u + 1, in reverse
        rows.append(starts if steps.direction[c] > 0 else 1 - starts[::-1])
        values.append(ys if steps.direction[c] > 0 else ys[::-1])
    if all((np.abs(np.diff(ys)) == 1).all() for ys in values):
        return _counter_unit(steps, rows, values, levels)
    return _run_unit((int(steps.lo.min()), int(steps.hi.max())), rows, values, levels)


def _counter_unit(
    steps: StepFunction, rows: list[Int64Array], values: list[Int64Array], levels: int
) -> ThresholdUnit | None:
    domain = int(steps.lo.min()), int(steps.hi.max())
    thresholds = _padded(rows, domain[0], levels)
    if thresholds is None:
        return None
    padding = np.array([thresholds.shape[1] - len(row) for row in rows])
    first = np.array([ys[0] for ys in values])
    unit = ThresholdUnit(
        domain=domain,
        thresholds=thresholds,
        base=collapse(first - steps.direction * padding),
        direction=collapse(steps.direction),
        values=None,
    )
    return unit if is_exact(unit, steps) else None


def _run_threshold_unit(reference: TableReference, lo: Int64Array, hi: Int64Array, levels: int) -> ThresholdUnit | None:
    """Runs of equal values of any function, proved on every value of its domain."""
    rows, values = [], []
    for c in range(len(lo)):
        x = np.arange(lo[c], hi[c] + 1)
        y = reference.values[c % len(reference.values)][x - reference.first].astype(np.int64)
        starts = np.flatnonzero(np.diff(y)) + 1
        rows.append(x[starts])
        values.append(y[np.concatenate([[0], starts])])
    unit = _run_unit((int(lo.min()), int(hi.max())), rows, values, levels)
    if unit is None:
        return None
    x = np.clip(np.arange(unit.domain[0], unit.domain[1] + 1)[:, None], lo, hi)
    return unit if np.array_equal(unit.evaluate(x), reference.evaluate(x)) else None


def _run_unit(
    domain: tuple[int, int], rows: list[Int64Array], values: list[Int64Array], levels: int
) -> ThresholdUnit | None:
    thresholds = _padded(rows, domain[0], levels)
    if thresholds is None:
        return None
    count = thresholds.shape[1] + 1
    padded = np.stack([np.concatenate([np.full(count - len(ys), ys[0]), ys]) for ys in values])
    zero, one = np.zeros(1, np.int64), np.ones(1, np.int64)
    return ThresholdUnit(domain, thresholds, zero, one, _collapse_rows(padded))


def _padded(rows: Sequence[Int64Array], lowest: int, levels: int) -> Int64Array | None:
    """Rows of 2**n - 1 thresholds, each begun with ``lowest`` as often as needed; None beyond ``levels``."""
    needed = max(1, max(len(row) for row in rows).bit_length())
    if needed > levels:
        return None
    count = (1 << needed) - 1
    return _collapse_rows(np.stack([np.concatenate([np.full(count - len(row), lowest), row]) for row in rows]))


def _collapse_rows(rows: npt.NDArray[np.integer]) -> Int64Array:
    array = np.ascontiguousarray(rows, np.int64)
    return array[:1] if (array == array[0]).all() else array
