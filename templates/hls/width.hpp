// width: the same elements in beats of another number of lanes.
//
// Beats in:  BEATS_IN of LANES_IN elements per image. Beats out: BEATS_OUT of LANES_OUT, the elements in the same order.
//            One of LANES_IN and LANES_OUT divides the other.
// Cycles:    the larger of BEATS_IN and BEATS_OUT (II = 1).
#ifndef HLSGEN_WIDTH_HPP
#define HLSGEN_WIDTH_HPP

#include "types.hpp"

namespace hlsgen {

template <class Config>
void width(hls::stream<vec<typename Config::input_t, Config::LANES_IN> >& in,
           hls::stream<vec<typename Config::input_t, Config::LANES_OUT> >& out) {
  CONSUMES(in, Config::BEATS_IN);
  PRODUCES(out, Config::BEATS_OUT);
  const bool WIDEN = Config::LANES_OUT > Config::LANES_IN;
  const int RATIO = WIDEN ? Config::LANES_OUT / Config::LANES_IN : Config::LANES_IN / Config::LANES_OUT;
  const int SMALL = WIDEN ? Config::LANES_IN : Config::LANES_OUT;  // lanes that move per clock cycle
  typename Config::input_t large[RATIO][SMALL];
#pragma HLS ARRAY_PARTITION variable=large complete dim=0

  int part = 0;
  for (int step = 0; step < (WIDEN ? Config::BEATS_IN : Config::BEATS_OUT); ++step) {
#pragma HLS PIPELINE II=1 style=flp
    if (WIDEN || part == 0) {
      const vec<typename Config::input_t, Config::LANES_IN> beat = in.read();
      for (int i = 0; i < Config::LANES_IN; ++i) {
#pragma HLS UNROLL
        large[WIDEN ? part : i / SMALL][i % SMALL] = beat[i];
      }
    }
    if (!WIDEN || part == RATIO - 1) {
      vec<typename Config::input_t, Config::LANES_OUT> beat;
      for (int i = 0; i < Config::LANES_OUT; ++i) {
#pragma HLS UNROLL
        beat[i] = large[WIDEN ? i / SMALL : part][i % SMALL];
      }
      out.write(beat);
    }
    part = part == RATIO - 1 ? 0 : part + 1;
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_WIDTH_HPP
