// sumpool: sum of the elements of each window, per channel, plus OFFSET (the zero points'). The division is requant's.
//
// Beats in:  (window, tap group, tile), a beat holds TAPS taps of LANES channels, element = tap * LANES + channel.
// Beats out: (window, tile), each as soon as the window's last tap group has brought its tile.
// Cycles:    WINDOWS * TAP_GROUPS * TILES (II = 1).
// Widths:    acc_t holds every sum that the input's range can reach. Partial sums may leave it; they are sums modulo
//            2^W, so the final one is right all the same.
#ifndef HLSGEN_SUMPOOL_HPP
#define HLSGEN_SUMPOOL_HPP

#include "types.hpp"

namespace hlsgen {

template <class Config>
void sumpool(hls::stream<vec<typename Config::input_t, Config::TAPS * Config::LANES> >& in,
             hls::stream<vec<typename Config::acc_t, Config::LANES> >& out) {
  typedef typename Config::input_t input_t;
  typedef typename Config::acc_t acc_t;
  const int LANES = Config::LANES;
  const int TILES = Config::TILES;
  CONSUMES(in, Config::WINDOWS * Config::TAP_GROUPS * Config::TILES);
  PRODUCES(out, Config::WINDOWS * Config::TILES);

  acc_t acc[TILES][LANES];  // of each tile so far
#pragma HLS ARRAY_RESHAPE variable=acc complete dim=2

  for (int window = 0; window < Config::WINDOWS; ++window) {
    int tap_group = 0;
    int tile = 0;
    for (int step = 0; step < Config::TAP_GROUPS * TILES; ++step) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=acc inter RAW distance=TILES true
      const vec<input_t, Config::TAPS * LANES> beat = in.read();
      vec<acc_t, LANES> result;
      for (int l = 0; l < LANES; ++l) {
#pragma HLS UNROLL
        acc_t sum = 0;
        for (int t = 0; t < Config::TAPS; ++t) {
#pragma HLS UNROLL
          sum += operand<Config::INPUT_BIPOLAR>::of(beat[t * LANES + l]);
        }
        const acc_t before = tap_group == 0 ? acc_t(Config::OFFSET) : acc[tile][l];
        result[l] = before + sum;
        acc[tile][l] = result[l];
      }
      if (tap_group == Config::TAP_GROUPS - 1) out.write(result);
      if (++tile == TILES) {
        tile = 0;
        ++tap_group;
      }
    }
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_SUMPOOL_HPP
