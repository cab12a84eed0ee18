// unpack: the words of the AXI4-Stream input become the beats of the input frame.
//
// Beats in:  WORDS of AXI_BITS. An image's elements stand in them one after the other, STORAGE_BITS bits each, least
//            significant bits first; the tail of the last word is ignored. Its low BITS bits are an element's value.
// Beats out: BEATS of LANES elements, each as soon as its last element is in; then, on `last`, one beat per image:
//            TLAST of the image's last word.
// Cycles:    max(WORDS, BEATS) (II = 1).
// Widths:    elements are only moved. `store` holds less than one beat when a word is read, so WORD_ELEMENTS + LANES
//            elements suffice.
#ifndef HLSGEN_UNPACK_HPP
#define HLSGEN_UNPACK_HPP

#include "ap_axi_sdata.h"
#include "types.hpp"

namespace hlsgen {

template <class Config>
void unpack(hls::stream<ap_axiu<Config::AXI_BITS, 0, 0, 0> >& in,
            hls::stream<vec<typename Config::type_t, Config::LANES> >& out, hls::stream<vec<uint<1>, 1> >& last) {
  typedef typename Config::type_t type_t;
  const unsigned LANES = Config::LANES;
  const unsigned WORD_ELEMENTS = Config::AXI_BITS / Config::STORAGE_BITS;
  const int STEPS = Config::WORDS > Config::BEATS ? Config::WORDS : Config::BEATS;
  const unsigned UNIT = gcd(WORD_ELEMENTS, LANES);  // level is a multiple of it
  const bool ALIGNED = WORD_ELEMENTS % LANES == 0;  // no beat crosses words, so words are read into an empty store
  CONSUMES(in, Config::WORDS);
  PRODUCES(out, Config::BEATS);
  PRODUCES(last, 1);

  type_t store[WORD_ELEMENTS + LANES];
#pragma HLS ARRAY_PARTITION variable=store complete
  for (unsigned i = 0; i < WORD_ELEMENTS + LANES; ++i) {
#pragma HLS UNROLL
    store[i] = 0;
  }

  unsigned level = 0;  // elements in store
  vec<uint<1>, 1> is_last;
  is_last[0] = 0;
  for (int step = 0; step < STEPS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    if (level < LANES) {
      const ap_axiu<Config::AXI_BITS, 0, 0, 0> word = in.read();
      is_last[0] = word.last;
      for (unsigned i = 0; i < WORD_ELEMENTS; ++i) {
#pragma HLS UNROLL
        const auto bits = slice<Config::STORAGE_BITS>(word.data, i * Config::STORAGE_BITS);
        store[(ALIGNED ? 0 : level / UNIT * UNIT) + i] = decode<type_t, Config::BITS>(bits);
      }
      level += WORD_ELEMENTS;
    }
    if (level >= LANES) {
      vec<type_t, LANES> beat;
      for (unsigned l = 0; l < LANES; ++l) {
#pragma HLS UNROLL
        beat[l] = store[l];
      }
      out.write(beat);
      for (unsigned i = 0; i < WORD_ELEMENTS; ++i) {
#pragma HLS UNROLL
        store[i] = store[i + LANES];
      }
      level -= LANES;
    }
  }
  last.write(is_last);
}

}  // namespace hlsgen

#endif  // HLSGEN_UNPACK_HPP
