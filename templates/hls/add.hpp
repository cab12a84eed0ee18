// add: the sum of two frames, scaled and rounded by an exact integer unit (Config::UNIT; hlsgen/exact/units.py).
//
// Beats in:  PIXELS * TILES beats of LANES channels from each input, one of each per output beat.
// Beats out: PIXELS * TILES, each as soon as its two input beats are read.
// Cycles:    PIXELS * TILES (II = 1).
// Memories:  linear: mul_a, mul_b, add, one row per channel tile or a single row, column = lane.
//            float: b_term, one row per value of b, column = lane (the same contents for each).
// Widths:    every type holds its signal's interval over all inputs in the proved domains (`signals()` in units.py).
#ifndef HLSGEN_ADD_HPP
#define HLSGEN_ADD_HPP

#include "rounding.hpp"
#include "types.hpp"

namespace hlsgen {

const int ADD_LINEAR = 0;
const int ADD_FLOAT = 1;

template <int UNIT>
struct add_unit;

// round((a * mul_a + b * mul_b + add) >> DROP, >> SHIFT) + ZERO_POINT
template <>
struct add_unit<ADD_LINEAR> {
  template <class Config>
  static vec<typename Config::rounded_t, Config::LANES> of(const vec<typename Config::a_t, Config::LANES>& a,
                                                           const vec<typename Config::b_t, Config::LANES>& b,
                                                           int tile) {
#pragma HLS INLINE
    typedef typename Config::sum_t sum_t;
    typedef typename Config::rounded_t rounded_t;
    const auto mul_a = row_of(Config::mul_a, tile);
    const auto mul_b = row_of(Config::mul_b, tile);
    const auto add = row_of(Config::add, tile);
    vec<rounded_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      const auto value_a = operand<Config::A_BIPOLAR>::of(a[lane]);
      const auto value_b = operand<Config::B_BIPOLAR>::of(b[lane]);
      const sum_t product_a = sum_t(multiply(value_a, typename Config::mul_a_t(mul_a[lane])));
      const sum_t product_b = sum_t(multiply(value_b, typename Config::mul_b_t(mul_b[lane])));
      const sum_t kept = sum_t(product_a + product_b + sum_t(add[lane])) >> Config::DROP;
      y[lane] = rounded_t(round_shift<Config::ROUNDING, Config::SHIFT>(kept)) + Config::ZERO_POINT;
    }
    return y;
  }
};

// rint(float32(a * MUL_A + b_term[b]))
template <>
struct add_unit<ADD_FLOAT> {
  template <class Config>
  static vec<typename Config::rounded_t, Config::LANES> of(const vec<typename Config::a_t, Config::LANES>& a,
                                                           const vec<typename Config::b_t, Config::LANES>& b, int) {
#pragma HLS INLINE
    typedef typename Config::sum_t sum_t;
    typedef typename Config::rounded_t rounded_t;
    vec<int, Config::LANES> index;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      index[lane] = int(operand<Config::B_BIPOLAR>::of(b[lane])) - Config::B_FIRST;
    }
    const auto b_term = look_up<Config::B_SIZE>(Config::b_term, 0, index);
    vec<rounded_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      const auto value_a = operand<Config::A_BIPOLAR>::of(a[lane]);
      const sum_t product = sum_t(multiply(value_a, typename Config::mul_a_t(Config::MUL_A))) + sum_t(b_term[lane]);
      y[lane] = rounded_t(round_float32_product<Config::SHIFT, Config::BINADES>(product));
    }
    return y;
  }
};

template <class Config>
void add(hls::stream<vec<typename Config::a_t, Config::LANES> >& in_a,
         hls::stream<vec<typename Config::b_t, Config::LANES> >& in_b,
         hls::stream<vec<typename Config::output_t, Config::LANES> >& out) {
  CONSUMES(in_a, Config::PIXELS * Config::TILES);
  CONSUMES(in_b, Config::PIXELS * Config::TILES);
  PRODUCES(out, Config::PIXELS * Config::TILES);
  typedef typename Config::rounded_t rounded_t;
  int tile = 0;
  for (int beat = 0; beat < Config::PIXELS * Config::TILES; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const vec<typename Config::a_t, Config::LANES> a = in_a.read();
    const vec<typename Config::b_t, Config::LANES> b = in_b.read();
    const auto rounded = add_unit<Config::UNIT>::template of<Config>(a, b, tile);
    vec<typename Config::output_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      const rounded_t clamped = clamp(rounded[lane], rounded_t(Config::LO), rounded_t(Config::HI));
      y[lane] = to_wire<Config::OUTPUT_BIPOLAR, typename Config::output_t>(clamped);
    }
    out.write(y);
    tile = tile + 1 == Config::TILES ? 0 : tile + 1;
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_ADD_HPP
