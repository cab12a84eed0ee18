// unpack: AXI4-Stream words to beats of elements, and TLAST to one bit per image.
//
// Beats in:  WORDS words of AXI_BITS bits per image; elements of STORAGE_BITS bits, least significant bits first. The tail
//            of the image's last word is ignored.
// Beats out: BEATS of LANES elements; `last` gets one bit per image: TLAST of its last word.
// Cycles:    the larger of WORDS and BEATS (II = 1): each step reads a word if less than a beat is held, and writes a beat
//            if one is held.
// Widths:    before a read at most LANES - 1 elements are held, so PER_WORD + LANES - 1 places are enough.
#ifndef HLSGEN_UNPACK_HPP
#define HLSGEN_UNPACK_HPP

#include "ap_axi_sdata.h"
#include "types.hpp"

namespace hlsgen {

template <class Config>
void unpack(hls::stream<ap_axiu<Config::AXI_BITS, 0, 0, 0> >& in,
            hls::stream<vec<typename Config::output_t, Config::LANES> >& out, hls::stream<vec<uint<1>, 1> >& last) {
  CONSUMES(in, Config::WORDS);
  PRODUCES(out, Config::BEATS);
  PRODUCES(last, 1);
  const int LANES = Config::LANES;
  const int PER_WORD = Config::AXI_BITS / Config::STORAGE_BITS;
  const int PLACES = PER_WORD + LANES - 1;
  const int STEPS = Config::WORDS > Config::BEATS ? Config::WORDS : Config::BEATS;
  typename Config::output_t held[PLACES];
#pragma HLS ARRAY_PARTITION variable=held complete

  int count = 0;  // elements held
  vec<uint<1>, 1> tlast;
  tlast[0] = 0;
  for (int step = 0; step < STEPS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    if (count < LANES) {
      const ap_axiu<Config::AXI_BITS, 0, 0, 0> word = in.read();
      tlast[0] = word.last;
      for (int i = 0; i < PER_WORD; ++i) {
#pragma HLS UNROLL
        held[count + i] = decode<typename Config::output_t, Config::BITS>(
            slice<Config::STORAGE_BITS>(word.data, i * Config::STORAGE_BITS));
      }
      count += PER_WORD;
    }
    if (count >= LANES) {
      vec<typename Config::output_t, LANES> beat;
      for (int i = 0; i < LANES; ++i) {
#pragma HLS UNROLL
        beat[i] = held[i];
      }
      out.write(beat);
      for (int i = 0; i + LANES < PLACES; ++i) {
#pragma HLS UNROLL
        held[i] = held[i + LANES];
      }
      count -= LANES;
    }
  }
  last.write(tlast);
}

}  // namespace hlsgen

#endif  // HLSGEN_UNPACK_HPP
