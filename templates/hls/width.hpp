// width: changes the number of lanes of a stream by an integer ratio; the order of elements stays.
//
// Beats in:  BEATS_IN of LANES_IN elements.
// Beats out: as many elements in beats of LANES_OUT. A wider beat is written with its last part, narrower ones one per
//            step, beginning with the step in which their beat is read.
// Cycles:    max(beats in, beats out) (II = 1).
// Widths:    elements are only moved.
#ifndef HLSGEN_WIDTH_HPP
#define HLSGEN_WIDTH_HPP

#include "types.hpp"

namespace hlsgen {

template <class Config>
void width(hls::stream<vec<typename Config::type_t, Config::LANES_IN> >& in,
           hls::stream<vec<typename Config::type_t, Config::LANES_OUT> >& out) {
  typedef typename Config::type_t type_t;
  const int LANES_IN = Config::LANES_IN;
  const int LANES_OUT = Config::LANES_OUT;
  const bool WIDEN = LANES_OUT > LANES_IN;
  const int PARTS = WIDEN ? LANES_OUT / LANES_IN : LANES_IN / LANES_OUT;
  const int STEPS = WIDEN ? Config::BEATS_IN : Config::BEATS_IN * PARTS;
  CONSUMES(in, Config::BEATS_IN);
  PRODUCES(out, Config::BEATS_IN * LANES_IN / LANES_OUT);

  type_t wide[WIDEN ? LANES_OUT : LANES_IN];  // the beat of the wider stream
#pragma HLS ARRAY_PARTITION variable=wide complete

  int part = 0;
  for (int step = 0; step < STEPS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    if (WIDEN || part == 0) {
      const vec<type_t, LANES_IN> beat = in.read();
      for (int l = 0; l < LANES_IN; ++l) {
#pragma HLS UNROLL
        wide[(WIDEN ? part * LANES_IN : 0) + l] = beat[l];
      }
    }
    if (!WIDEN || part == PARTS - 1) {
      vec<type_t, LANES_OUT> beat;
      for (int l = 0; l < LANES_OUT; ++l) {
#pragma HLS UNROLL
        beat[l] = wide[(WIDEN ? 0 : part * LANES_OUT) + l];
      }
      out.write(beat);
    }
    part = part == PARTS - 1 ? 0 : part + 1;
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_WIDTH_HPP
