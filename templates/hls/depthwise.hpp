// depthwise: depthwise convolution body, out[c] = sum over taps of weights[c] * in[c] + bias[c], for every pixel.
//
// Beats in:  per pixel and channel tile TAP_GROUPS beats of TAPS taps of PE channels, element = tap * PE + channel (window
//            with one group per channel tile).
// Beats out: per pixel TILES beats of PE accumulators, each as soon as its last tap is in.
// Cycles:    PIXELS * TILES * TAP_GROUPS (II = 1).
// Memories:  weights, one row per (channel tile, tap group), column = tap * PE + channel;
//            start, one row per channel tile: the bias, for xnor the bias minus the number of products.
// Widths:    acc_t holds every result; partial sums are sums modulo 2^W, so they may leave it.
#ifndef HLSGEN_DEPTHWISE_HPP
#define HLSGEN_DEPTHWISE_HPP

#include "mac.hpp"
#include "types.hpp"

namespace hlsgen {

template <class Config>
void depthwise_rows(hls::stream<vec<typename Config::input_t, Config::TAPS * Config::PE> >& in,
                    hls::stream<vec<typename Config::acc_t, Config::PE> >& out,
                    const rom<typename Config::weight_t> weights[Config::TILES * Config::TAP_GROUPS]
                                                                [Config::TAPS * Config::PE],
                    const rom<typename Config::acc_t> start[Config::TILES][Config::PE]) {
#pragma HLS INLINE
#pragma HLS ARRAY_RESHAPE variable=weights complete dim=2
#pragma HLS ARRAY_RESHAPE variable=start complete dim=2
  typedef typename Config::input_t input_t;
  typedef typename Config::weight_t weight_t;
  typedef typename Config::acc_t acc_t;
  const int PE = Config::PE;
  acc_t acc[PE];
#pragma HLS ARRAY_PARTITION variable=acc complete

  for (int pixel = 0; pixel < Config::PIXELS; ++pixel) {
    for (int tile = 0; tile < Config::TILES; ++tile) {
      for (int group = 0; group < Config::TAP_GROUPS; ++group) {
#pragma HLS PIPELINE II=1 style=flp
        const vec<input_t, Config::TAPS * PE> beat = in.read();
        const int row = tile * Config::TAP_GROUPS + group;
        vec<acc_t, PE> result;
        for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
          acc_t sum = 0;
          for (int tap = 0; tap < Config::TAPS; ++tap) {
#pragma HLS UNROLL
            mac<Config::MAC, Config::INPUT_BIPOLAR, Config::WEIGHT_BIPOLAR>::add(
                sum, beat[tap * PE + p], weight_t(weights[row][tap * PE + p]));
          }
          const acc_t before = group == 0 ? acc_t(start[tile][p]) : acc[p];
          acc[p] = before + finish<Config::MAC>(sum);
          result[p] = acc[p];
        }
        if (group == Config::TAP_GROUPS - 1) out.write(result);
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
