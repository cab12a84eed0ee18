// sumpool: the sum over the taps of each window, per channel, plus OFFSET (minus the taps times the zero point).
//
// Beats in:  per window TAP_GROUPS * TILES beats, channel tile fastest; a beat holds TAPS taps of LANES channels, element =
//            tap * LANES + channel.
// Beats out: per window TILES beats of LANES accumulators, each as soon as its last tap is in.
// Cycles:    WINDOWS * TAP_GROUPS * TILES (II = 1).
// Widths:    acc_t holds every result; partial sums are sums modulo 2^W, so they may leave it.
#ifndef HLSGEN_SUMPOOL_HPP
#define HLSGEN_SUMPOOL_HPP

#include "types.hpp"

namespace hlsgen {

template <class Config>
void sumpool(hls::stream<vec<typename Config::input_t, Config::TAPS * Config::LANES> >& in,
             hls::stream<vec<typename Config::acc_t, Config::LANES> >& out) {
  CONSUMES(in, Config::WINDOWS * Config::TAP_GROUPS * Config::TILES);
  PRODUCES(out, Config::WINDOWS * Config::TILES);
  typedef typename Config::input_t input_t;
  typedef typename Config::acc_t acc_t;
  const int LANES = Config::LANES;
  acc_t acc[Config::TILES][LANES];  // sum of the window so far
#pragma HLS ARRAY_RESHAPE variable=acc complete dim=2

  for (int window = 0; window < Config::WINDOWS; ++window) {
    for (int group = 0; group < Config::TAP_GROUPS; ++group) {
      for (int tile = 0; tile < Config::TILES; ++tile) {
#pragma HLS PIPELINE II=1 style=flp
        const vec<input_t, Config::TAPS * Config::LANES> beat = in.read();
        vec<acc_t, LANES> result;
        for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
          acc_t sum = group == 0 ? acc_t(Config::OFFSET) : acc[tile][lane];
          for (int tap = 0; tap < Config::TAPS; ++tap) {
#pragma HLS UNROLL
            sum += operand<Config::INPUT_BIPOLAR>::of(beat[tap * LANES + lane]);
          }
          acc[tile][lane] = sum;
          result[lane] = sum;
        }
        if (group == Config::TAP_GROUPS - 1) out.write(result);
      }
    }
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_SUMPOOL_HPP
