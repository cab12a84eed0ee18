// requant: every element through the exact integer unit of its channel (Config::UNIT; see hlsgen/exact/units.py).
//
// Beats in, out: the frame's PIXELS * TILES beats of LANES channels; each is written as soon as it is read.
// Cycles:    PIXELS * TILES (II = 1).
// Memories:  parameters, one row per channel tile or a single row for all, column = lane. Thresholds: per level of the
//            search one memory with 2^level rows per tile; level N is addressed by the N comparisons before it.
// Widths:    every type holds its signal's interval over all inputs in the proved domain (`signals()` in units.py).
#ifndef HLSGEN_REQUANT_HPP
#define HLSGEN_REQUANT_HPP

#include "rounding.hpp"
#include "types.hpp"

namespace hlsgen {

const int REQUANT_SHIFT = 0;
const int REQUANT_THRESHOLD = 1;
const int REQUANT_SCALE = 2;
const int REQUANT_FLOAT24 = 3;

template <int UNIT>
struct requant_unit;

// clamp(round((+-x << left) + add, >> SHIFT) + ZERO_POINT)
template <>
struct requant_unit<REQUANT_SHIFT> {
  template <class Config>
  static vec<typename Config::output_t, Config::LANES> of(const vec<typename Config::x_t, Config::LANES>& x, int tile) {
#pragma HLS INLINE
    typedef typename Config::sum_t sum_t;
    typedef typename Config::rounded_t rounded_t;
    const auto negative = row_of(Config::negative, tile);
    const auto left = row_of(Config::left, tile);
    const auto add = row_of(Config::add, tile);
    const auto lo = row_of(Config::lo, tile);
    const auto hi = row_of(Config::hi, tile);
    vec<typename Config::output_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      const sum_t positive = sum_t(x[lane]) << int(left[lane]);
      const sum_t sum = (negative[lane] != 0 ? sum_t(-positive) : positive) + sum_t(add[lane]);
      const rounded_t rounded = rounded_t(round_shift<Config::ROUNDING, Config::SHIFT>(sum)) + Config::ZERO_POINT;
      const rounded_t clamped = clamp(rounded, rounded_t(lo[lane]), rounded_t(hi[lane]));
      y[lane] = to_wire<Config::OUTPUT_BIPOLAR, typename Config::output_t>(clamped);
    }
    return y;
  }
};

// One step of the binary search, for each lane: run = 2 * run + (x >= the threshold at `run`).
template <int LEVEL, class X, class T, int ROWS, int LANES>
inline void search_level(const T (&thresholds)[ROWS][LANES], const vec<X, LANES>& x, int tile, vec<int, LANES>& run) {
#pragma HLS INLINE
  const auto threshold = look_up<(1 << LEVEL)>(thresholds, tile, run);
  for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
    run[lane] = 2 * run[lane] + (x[lane] >= X(threshold[lane]) ? 1 : 0);
  }
}

// The first LEVELS levels of the search.
template <int LEVELS>
struct search;

template <>
struct search<0> {
  template <class Config, class X>
  static void levels(const X&, int, vec<int, Config::LANES>&) {}
};

#define HLSGEN_SEARCH(LEVELS, LEVEL)                                         \
  template <>                                                                \
  struct search<LEVELS> {                                                    \
    template <class Config, class X>                                         \
    static void levels(const X& x, int tile, vec<int, Config::LANES>& run) { \
      _Pragma("HLS INLINE")                                                  \
      search<LEVEL>::template levels<Config>(x, tile, run);                  \
      search_level<LEVEL>(Config::level##LEVEL, x, tile, run);               \
    }                                                                        \
  }
HLSGEN_SEARCH(1, 0);
HLSGEN_SEARCH(2, 1);
HLSGEN_SEARCH(3, 2);
HLSGEN_SEARCH(4, 3);
HLSGEN_SEARCH(5, 4);
HLSGEN_SEARCH(6, 5);
HLSGEN_SEARCH(7, 6);
HLSGEN_SEARCH(8, 7);
HLSGEN_SEARCH(9, 8);
HLSGEN_SEARCH(10, 9);
HLSGEN_SEARCH(11, 10);
HLSGEN_SEARCH(12, 11);
HLSGEN_SEARCH(13, 12);
HLSGEN_SEARCH(14, 13);
HLSGEN_SEARCH(15, 14);
HLSGEN_SEARCH(16, 15);
#undef HLSGEN_SEARCH

// The result of a run of equal results: counted up or down from a base, or from a memory of all runs.
template <bool COUNTS>
struct run_result {
  template <class Config>
  static vec<typename Config::output_t, Config::LANES> of(const vec<int, Config::LANES>& run, int tile) {
#pragma HLS INLINE
    typedef typename Config::result_t result_t;
    const auto base = row_of(Config::base, tile);
    const auto falling = row_of(Config::falling, tile);
    vec<typename Config::output_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      const result_t count = falling[lane] != 0 ? result_t(-run[lane]) : result_t(run[lane]);
      const result_t result = result_t(base[lane]) + count;
      y[lane] = to_wire<Config::OUTPUT_BIPOLAR, typename Config::output_t>(result);
    }
    return y;
  }
};

template <>
struct run_result<false> {
  template <class Config>
  static vec<typename Config::output_t, Config::LANES> of(const vec<int, Config::LANES>& run, int tile) {
#pragma HLS INLINE
    const auto value = look_up<(1 << Config::LEVELS)>(Config::values, tile, run);
    vec<typename Config::output_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      y[lane] = to_wire<Config::OUTPUT_BIPOLAR, typename Config::output_t>(value[lane]);
    }
    return y;
  }
};

// The run in which x lies, by binary search, and its result.
template <>
struct requant_unit<REQUANT_THRESHOLD> {
  template <class Config>
  static vec<typename Config::output_t, Config::LANES> of(const vec<typename Config::x_t, Config::LANES>& x, int tile) {
#pragma HLS INLINE
    vec<int, Config::LANES> run;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      run[lane] = 0;
    }
    search<Config::LEVELS>::template levels<Config>(x, tile, run);
    return run_result<Config::COUNTS>::template of<Config>(run, tile);
  }
};

// clamp(round((clip(x) * mul + add) >> DROP, >> SHIFT) + ZERO_POINT). With LOW_BITS the product comes in two parts.
template <>
struct requant_unit<REQUANT_SCALE> {
  template <class Config>
  static vec<typename Config::output_t, Config::LANES> of(const vec<typename Config::x_t, Config::LANES>& x, int tile) {
#pragma HLS INLINE
    typedef typename Config::x_t x_t;
    typedef typename Config::operand_t operand_t;
    typedef typename Config::sum_t sum_t;
    typedef typename Config::low_t low_t;
    typedef typename Config::rounded_t rounded_t;
    const x_t lowest = Config::OPERAND_LO;
    const x_t highest = Config::OPERAND_HI;
    const auto mul = row_of(Config::mul, tile);
    const auto add = row_of(Config::add, tile);
    const auto mul_low = row_of(Config::mul_low, tile);
    const auto add_low = row_of(Config::add_low, tile);
    const auto lo = row_of(Config::lo, tile);
    const auto hi = row_of(Config::hi, tile);
    vec<typename Config::output_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      const x_t clipped = Config::CLIPS_OPERAND ? clamp(x[lane], lowest, highest) : x[lane];
      const operand_t operand = operand_t(clipped);
      sum_t sum = sum_t(multiply(operand, typename Config::mul_t(mul[lane]))) + sum_t(add[lane]);
      if (Config::LOW_BITS > 0) {
        const low_t low = low_t(multiply(operand, typename Config::mul_low_t(mul_low[lane]))) + low_t(add_low[lane]);
        sum += low >> Config::LOW_BITS;
      }
      const sum_t kept = sum >> Config::DROP;
      const rounded_t rounded = rounded_t(round_shift<Config::ROUNDING, Config::SHIFT>(kept)) + Config::ZERO_POINT;
      const rounded_t clamped = clamp(rounded, rounded_t(lo[lane]), rounded_t(hi[lane]));
      y[lane] = to_wire<Config::OUTPUT_BIPOLAR, typename Config::output_t>(clamped);
    }
    return y;
  }
};

// One float32 multiply and round-half-even: 24-bit mantissa, tie window by binade.
template <>
struct requant_unit<REQUANT_FLOAT24> {
  template <class Config>
  static vec<typename Config::output_t, Config::LANES> of(const vec<typename Config::x_t, Config::LANES>& x, int tile) {
#pragma HLS INLINE
    typedef typename Config::shifted_t shifted_t;
    typedef typename Config::operand_t operand_t;
    typedef typename Config::sum_t sum_t;
    typedef typename Config::rounded_t rounded_t;
    const shifted_t lowest = Config::OPERAND_LO;
    const shifted_t highest = Config::OPERAND_HI;
    const auto left = row_of(Config::left, tile);
    const auto mantissa = row_of(Config::mantissa, tile);
    const auto lo = row_of(Config::lo, tile);
    const auto hi = row_of(Config::hi, tile);
    vec<typename Config::output_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      const shifted_t value = round_to_float32<Config::PRE_ROUND>(shifted_t(x[lane]));
      const shifted_t shifted = value << int(left[lane]);
      const operand_t operand = operand_t(clamp(shifted, lowest, highest));
      const sum_t product = sum_t(multiply(operand, typename Config::mantissa_t(mantissa[lane])));
      const rounded_t rounded =
          rounded_t(round_float32_product<Config::SHIFT, Config::BINADES>(product)) + Config::ZERO_POINT;
      const rounded_t clamped = clamp(rounded, rounded_t(lo[lane]), rounded_t(hi[lane]));
      y[lane] = to_wire<Config::OUTPUT_BIPOLAR, typename Config::output_t>(clamped);
    }
    return y;
  }
};

template <class Config>
void requant(hls::stream<vec<typename Config::input_t, Config::LANES> >& in,
             hls::stream<vec<typename Config::output_t, Config::LANES> >& out) {
  CONSUMES(in, Config::PIXELS * Config::TILES);
  PRODUCES(out, Config::PIXELS * Config::TILES);
  int tile = 0;
  for (int beat = 0; beat < Config::PIXELS * Config::TILES; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const vec<typename Config::input_t, Config::LANES> wires = in.read();
    vec<typename Config::x_t, Config::LANES> x;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      x[lane] = operand<Config::INPUT_BIPOLAR>::of(wires[lane]);
    }
    out.write(requant_unit<Config::UNIT>::template of<Config>(x, tile));
    tile = tile + 1 == Config::TILES ? 0 : tile + 1;
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_REQUANT_HPP
