"""Sliding windows: window."""

from __future__ import annotations

from hlsgen.board import Family
from hlsgen.kernels.base import RamStyle
from hlsgen.kernels.window import Window
from hlsgen.plan.features.parts import Features, bank_luts, counter, queue
from hlsgen.plan.primitives import bits_for, block_ram, lut_ram, multiplexer, shift_register


def _axis(features: Features, name: str, size: int, stride: int, span: int) -> None:
    """Add ``hlsgen_window_axis``: a counter, and a second one where positions between windows are left out."""
    counter(features, size, f"{name} counter")
    if span < stride:
        features.add(f"{name} gaps", lut=bits_for(stride), ff=bits_for(stride))


def window(kernel: Window, family: Family) -> Features:
    """``hlsgen_window``."""
    (height, width, _), (out_rows, out_columns) = kernel.frame, kernel.output
    (tap_rows, tap_columns), (kernel_rows, kernel_columns) = kernel.tap_shape, kernel.geometry.kernel
    (stride_rows, stride_columns), extent = kernel.geometry.strides, kernel.geometry.extent
    bits = kernel.lanes * kernel.type.bits
    spans = min(stride_rows, extent[0]), min(stride_columns, extent[1])
    if kernel.filters:
        features = Features("window.pixels")
        counter(features, kernel.pixel_beats)
        _axis(features, "axis", width, stride_columns, spans[1])
        _axis(features, "axis", height, stride_rows, spans[0])
        queue(features, bits, 2, family)
        return features

    slots = kernel.rows_held if tap_rows > 1 else 1
    ram_width, words = kernel.ram_shape
    by_columns = kernel.tap_groups[1] == 1
    features = Features("window")
    kind = "all taps" if slots > 1 else "rows of taps" if by_columns else "single taps"
    features.add(kind, lut=20, ff=5)
    if stride_columns > 1:
        features.add(f"strides of columns, {kind}", lut=5)
        features.add("strides of columns", ff=1)
    phases = kernel.rtl_parameters()["PHASES"]
    assert isinstance(phases, int)
    banks = slots * phases
    if kernel.memory is RamStyle.BLOCK:
        use, stacked = block_ram(ram_width // banks, words, banks)
        features.take(use)
        if stacked > 1:
            features.add("stacked blocks", lut=ram_width * -(-(stacked - 1) // 3) + stacked, ff=bits_for(stacked))
    else:
        for _ in range(banks):
            features.take(lut_ram(bits, words, family))
        features.add("words", lut=banks * bits * bank_luts(words), ff=banks * bits)
    for line_bits, cycles in kernel.delay_lines:
        features.take(shift_register(line_bits, cycles))
    features.add("padded word", ff=phases * tap_rows * bits)
    features.add("taps", ff=kernel.taps * bits)
    if slots > 1:
        name = "slot multiplexers" if slots <= 4 else "slot multiplexers of two LUTs"
        features.add(name, lut=tap_rows * bits * multiplexer(slots))
        features.add("slots", lut=slots, ff=slots)
    # control: reading
    row_beats, address = width * kernel.pixel_beats, max(1, bits_for(words))
    level = bits_for((kernel.rows_held + 1) * row_beats + 1) + 1
    features.add("level", lut=level, ff=level)
    features.add("addresses", lut=2 * address, ff=2 * address)
    positions = width // phases if by_columns else out_columns
    for count in (positions, out_rows):
        counter(features, count, "walk counters")
    turns: tuple[int, ...] = (kernel.pixel_beats // kernel.groups, *kernel.tap_groups, kernel.groups)
    if kernel.tap_groups == (1, 1):
        turns = (kernel.pixel_beats,)
    for count in turns:
        if count > 1:
            counter(features, count, "inner counters")
            features.add("inner loops", lut=1, ff=1)
            features.add("strides", lut=address if kernel.tap_groups != (1, 1) else 0)
    features.add(f"edges of {kind}", lut=kernel_rows + kernel_columns)
    features.add("edges", ff=2 * (tap_rows + 2 * tap_columns))
    if kernel.last_windows:  # a place for each that may be without its word, and the clock enables up to it
        features.add("last windows", lut=kernel.last_windows, ff=2 * kernel.last_windows)
    slot_bits = max(1, bits_for(kernel.rows_held))
    features.add("row slot", lut=slot_bits, ff=slot_bits)
    if kernel.rows_held & (kernel.rows_held - 1):
        features.add("row slots that are no power of two", lut=3)
    if slots == 1 and kernel.rows_held > 1:
        features.add("base", lut=address)
    # control: writing
    features.add("free slots", lut=bits_for(kernel.rows_held + 1) + 1, ff=bits_for(kernel.rows_held + 1) + 1)
    _axis(features, "row", height, stride_rows, spans[0])
    if not (phases == 1 and slots > 1 and spans[1] == stride_columns):
        counter(features, kernel.pixel_beats, "pixel counter")
        _axis(features, "column", width, stride_columns, spans[1])
    if phases > 1:
        features.add("phases", lut=phases + address, ff=phases)
    return features
