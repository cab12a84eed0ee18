// maxpool: the maximum over the taps of each window, per channel.
//
// Beats in:  per window TAP_GROUPS * TILES beats, channel tile fastest; a beat holds TAPS taps of LANES channels, element =
//            tap * LANES + channel.
// Beats out: per window TILES beats of LANES channels, each as soon as its last tap is in.
// Cycles:    WINDOWS * TAP_GROUPS * TILES (II = 1).
#ifndef HLSGEN_MAXPOOL_HPP
#define HLSGEN_MAXPOOL_HPP

#include "types.hpp"

namespace hlsgen {

template <class Config>
void maxpool(hls::stream<vec<typename Config::input_t, Config::TAPS * Config::LANES> >& in,
             hls::stream<vec<typename Config::input_t, Config::LANES> >& out) {
  CONSUMES(in, Config::WINDOWS * Config::TAP_GROUPS * Config::TILES);
  PRODUCES(out, Config::WINDOWS * Config::TILES);
  typedef typename Config::input_t input_t;
  const int LANES = Config::LANES;
  input_t best[Config::TILES][LANES];  // maximum of the window so far
#pragma HLS ARRAY_RESHAPE variable=best complete dim=2

  for (int window = 0; window < Config::WINDOWS; ++window) {
    for (int group = 0; group < Config::TAP_GROUPS; ++group) {
      for (int tile = 0; tile < Config::TILES; ++tile) {
#pragma HLS PIPELINE II=1 style=flp
        const vec<input_t, Config::TAPS * Config::LANES> beat = in.read();
        vec<input_t, LANES> result;
        for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
          input_t value = beat[lane];
          for (int tap = 1; tap < Config::TAPS; ++tap) {
#pragma HLS UNROLL
            if (beat[tap * LANES + lane] > value) value = beat[tap * LANES + lane];
          }
          if (group != 0 && best[tile][lane] > value) value = best[tile][lane];
          best[tile][lane] = value;
          result[lane] = value;
        }
        if (group == Config::TAP_GROUPS - 1) out.write(result);
      }
    }
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_MAXPOOL_HPP
