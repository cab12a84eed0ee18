// maxpool: largest element of each window, per channel.
//
// Beats in:  (window, tap group, tile), a beat holds TAPS taps of LANES channels, element = tap * LANES + channel.
// Beats out: (window, tile), each as soon as the window's last tap group has brought its tile.
// Cycles:    WINDOWS * TAP_GROUPS * TILES (II = 1).
// Widths:    elements are only compared and moved. A bipolar element is 0 or 1 on the wire, in the order of -1 and +1.
#ifndef HLSGEN_MAXPOOL_HPP
#define HLSGEN_MAXPOOL_HPP

#include "types.hpp"

namespace hlsgen {

template <class Config>
void maxpool(hls::stream<vec<typename Config::type_t, Config::TAPS * Config::LANES> >& in,
             hls::stream<vec<typename Config::type_t, Config::LANES> >& out) {
  typedef typename Config::type_t type_t;
  const int LANES = Config::LANES;
  const int TILES = Config::TILES;
  CONSUMES(in, Config::WINDOWS * Config::TAP_GROUPS * Config::TILES);
  PRODUCES(out, Config::WINDOWS * Config::TILES);

  type_t largest[TILES][LANES];  // of each tile so far
#pragma HLS ARRAY_RESHAPE variable=largest complete dim=2

  for (int window = 0; window < Config::WINDOWS; ++window) {
    int tap_group = 0;
    int tile = 0;
    for (int step = 0; step < Config::TAP_GROUPS * TILES; ++step) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=largest inter RAW distance=TILES true
      const vec<type_t, Config::TAPS * LANES> beat = in.read();
      vec<type_t, LANES> result;
      for (int l = 0; l < LANES; ++l) {
#pragma HLS UNROLL
        type_t best = beat[l];
        for (int t = 1; t < Config::TAPS; ++t) {
#pragma HLS UNROLL
          const type_t other = beat[t * LANES + l];
          best = other > best ? other : best;
        }
        if (tap_group != 0) {
          const type_t before = largest[tile][l];
          best = before > best ? before : best;
        }
        largest[tile][l] = best;
        result[l] = best;
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

#endif  // HLSGEN_MAXPOOL_HPP
