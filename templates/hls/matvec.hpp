// matvec: dense layer and convolution body, out = weights * in + bias, for every pixel and group.
//
// Beats in:  per pixel and group INPUT_FOLD beats of SIMD elements. They are read while the group's first PE outputs
//            are computed and replayed from a buffer for the others.
// Beats out: per pixel and group OUTPUT_FOLD beats of PE accumulators, each as soon as its last input beat is in.
// Cycles:    PIXELS * GROUPS * OUTPUT_FOLD * INPUT_FOLD (II = 1).
// Memories:  weights, one row per (group, output fold, input fold), column = simd * PE + pe;
//            start, one row per (group, output fold): the bias, for xnor the bias minus the number of products.
// Widths:    acc_t holds every result that the actual weights, bias and input range can reach. Partial sums may leave
//            it; they are sums modulo 2^W, so the final one is right all the same.
#ifndef HLSGEN_MATVEC_HPP
#define HLSGEN_MATVEC_HPP

#include "mac.hpp"
#include "types.hpp"

namespace hlsgen {

template <class Config>
void matvec_rows(hls::stream<vec<typename Config::input_t, Config::SIMD> >& in,
                 hls::stream<vec<typename Config::acc_t, Config::PE> >& out,
                 const rom<typename Config::weight_t> weights[Config::ROWS][Config::SIMD * Config::PE],
                 const rom<typename Config::acc_t> start[Config::GROUPS * Config::OUTPUT_FOLD][Config::PE]) {
#pragma HLS INLINE
#pragma HLS ARRAY_RESHAPE variable=weights complete dim=2
#pragma HLS ARRAY_RESHAPE variable=start complete dim=2
  typedef typename Config::input_t input_t;
  typedef typename Config::weight_t weight_t;
  typedef typename Config::acc_t acc_t;
  const int PE = Config::PE;
  const int SIMD = Config::SIMD;
  const int INPUT_FOLD = Config::INPUT_FOLD;
#ifdef HLSGEN_AP_TYPES
  const int BLOCK = 1;  // input folds per iteration: one, that is one beat per clock cycle
#else
  const int BLOCK = INPUT_FOLD;  // the same loop body over a whole row of weights, which the compiler vectorises
#endif

  input_t buffer[INPUT_FOLD][SIMD];
#pragma HLS ARRAY_RESHAPE variable=buffer complete dim=2
  acc_t acc[PE];
#pragma HLS ARRAY_PARTITION variable=acc complete

  for (int pixel = 0; pixel < Config::PIXELS; ++pixel) {
    int fold = 0;         // input fold
    int output_fold = 0;  // output fold inside the group
    int output_row = 0;   // row of start
    for (int row = 0; row < Config::ROWS; row += BLOCK) {
#pragma HLS PIPELINE II=1 style=flp
      input_t x[BLOCK][SIMD];
#pragma HLS ARRAY_PARTITION variable=x complete dim=0
      for (int b = 0; b < BLOCK; ++b) {
        if (output_fold == 0) {
          const vec<input_t, SIMD> beat = in.read();
          for (int s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
            x[b][s] = beat[s];
            buffer[fold + b][s] = beat[s];
          }
        } else {
          for (int s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
            x[b][s] = buffer[fold + b][s];
          }
        }
      }

      acc_t sum[PE];
#pragma HLS ARRAY_PARTITION variable=sum complete
      for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        sum[p] = 0;
      }
      for (int b = 0; b < BLOCK; ++b) {
        for (int s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
          if (Config::MAC == MAC_DSP2) {
            for (int p = 0; p + 1 < PE; p += 2) {
#pragma HLS UNROLL
              add_pair(sum[p], sum[p + 1], x[b][s], weight_t(weights[row + b][s * PE + p]),
                       weight_t(weights[row + b][s * PE + p + 1]));
            }
          } else {
            for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
              mac<Config::MAC, Config::INPUT_BIPOLAR, Config::WEIGHT_BIPOLAR>::add(
                  sum[p], x[b][s], weight_t(weights[row + b][s * PE + p]));
            }
          }
        }
      }

      const bool last = fold + BLOCK == INPUT_FOLD;
      vec<acc_t, PE> result;
      for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        const acc_t before = fold == 0 ? acc_t(start[output_row][p]) : acc[p];
        acc[p] = before + finish<Config::MAC>(sum[p]);
        result[p] = acc[p];
      }
      if (last) {
        out.write(result);
        fold = 0;
        ++output_row;
        output_fold = output_fold + 1 == Config::OUTPUT_FOLD ? 0 : output_fold + 1;
      } else {
        fold += BLOCK;
      }
    }
  }
}

template <class Config>
void matvec(hls::stream<vec<typename Config::input_t, Config::SIMD> >& in,
            hls::stream<vec<typename Config::acc_t, Config::PE> >& out) {
  CONSUMES(in, Config::PIXELS * Config::GROUPS * Config::INPUT_FOLD);
  PRODUCES(out, Config::PIXELS * Config::GROUPS * Config::OUTPUT_FOLD);
  matvec_rows<Config>(in, out, Config::weights, Config::start);
}

}  // namespace hlsgen

#endif  // HLSGEN_MATVEC_HPP
