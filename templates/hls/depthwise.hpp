// depthwise: depthwise convolution body, every channel has its own window and weights.
//
// Beats in:  per pixel and tile of PE channels TAP_GROUPS beats of TAPS * PE elements, element = tap * PE + channel.
// Beats out: per pixel and tile one beat of PE accumulators, as soon as its last input beat is in.
// Cycles:    PIXELS * TILES * TAP_GROUPS (II = 1).
// Memories:  weights, one row per (tile, tap group), column = tap * PE + channel;
//            start, one row per tile: the bias, for xnor the bias minus the number of taps.
// Widths:    acc_t holds every result that the actual weights, bias and input range can reach. Partial sums may leave
//            it; they are sums modulo 2^W, so the final one is right all the same.
#ifndef HLSGEN_DEPTHWISE_HPP
#define HLSGEN_DEPTHWISE_HPP

#include "mac.hpp"
#include "types.hpp"

namespace hlsgen {

template <class Config>
void depthwise_rows(hls::stream<vec<typename Config::input_t, Config::TAPS * Config::PE> >& in,
                    hls::stream<vec<typename Config::acc_t, Config::PE> >& out,
                    const rom<typename Config::weight_t> weights[Config::ROWS][Config::TAPS * Config::PE],
                    const rom<typename Config::acc_t> start[Config::TILES][Config::PE]) {
#pragma HLS INLINE
#pragma HLS ARRAY_RESHAPE variable=weights complete dim=2
#pragma HLS ARRAY_RESHAPE variable=start complete dim=2
  typedef typename Config::weight_t weight_t;
  typedef typename Config::acc_t acc_t;
  typedef vec<typename Config::input_t, Config::TAPS * Config::PE> beat_t;
  const int PE = Config::PE;

  acc_t acc[PE];
#pragma HLS ARRAY_PARTITION variable=acc complete

  for (int pixel = 0; pixel < Config::PIXELS; ++pixel) {
    int tap_group = 0;
    int tile = 0;
    for (int row = 0; row < Config::ROWS; ++row) {
#pragma HLS PIPELINE II=1 style=flp
      const beat_t beat = in.read();
      acc_t sum[PE];
#pragma HLS ARRAY_PARTITION variable=sum complete
      for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        sum[p] = 0;
      }
      for (int t = 0; t < Config::TAPS; ++t) {
#pragma HLS UNROLL
        for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
          mac<Config::MAC, Config::INPUT_BIPOLAR, Config::WEIGHT_BIPOLAR>::add(sum[p], beat[t * PE + p],
                                                                              weight_t(weights[row][t * PE + p]));
        }
      }
      vec<acc_t, PE> result;
      for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        const acc_t before = tap_group == 0 ? acc_t(start[tile][p]) : acc[p];
        acc[p] = before + finish<Config::MAC>(sum[p]);
        result[p] = acc[p];
      }
      if (++tap_group == Config::TAP_GROUPS) {
        out.write(result);
        tap_group = 0;
        ++tile;
      }
    }
  }
}

template <class Config>
void depthwise(hls::stream<vec<typename Config::input_t, Config::TAPS * Config::PE> >& in,
               hls::stream<vec<typename Config::acc_t, Config::PE> >& out) {
  CONSUMES(in, Config::PIXELS * Config::TILES * Config::TAP_GROUPS);
  PRODUCES(out, Config::PIXELS * Config::TILES);
  depthwise_rows<Config>(in, out, Config::weights, Config::start);
}

}  // namespace hlsgen

#endif  // HLSGEN_DEPTHWISE_HPP
