// pack: the beats of the output frames become the words of the AXI4-Stream output.
//
// Beats in:  part i, i = 0, 1, ..., has BEATS[i] beats of LANES[i] elements; `last` one beat per image.
// Beats out: the parts one after the other, part i in WORDS[i] words of AXI_BITS: its elements in order,
//            STORAGE_BITS[i] bits each, least significant bits first, the tail of its last word zero. A word is written
//            as soon as its last element is in. TLAST is set on an image's last word if the image's beat of `last`,
//            read just before, says so.
// Cycles:    sum of max(BEATS[i], WORDS[i]), at most one more per part for a last word that shares its beat (II = 1).
// Widths:    elements are sign-extended to STORAGE_BITS. `store` holds less than one word when a beat is read, so
//            WORD_ELEMENTS + LANES elements suffice.
#ifndef HLSGEN_PACK_HPP
#define HLSGEN_PACK_HPP

#include "ap_axi_sdata.h"
#include "types.hpp"

namespace hlsgen {

// Packs part number PART.
template <class Config, int PART, class T, int LANES>
void pack_part(hls::stream<vec<T, LANES> >& in, hls::stream<vec<uint<1>, 1> >& last,
               hls::stream<ap_axiu<Config::AXI_BITS, 0, 0, 0> >& out) {
#pragma HLS INLINE
  const int STORAGE_BITS = Config::STORAGE_BITS[PART];
  const unsigned WORD_ELEMENTS = Config::AXI_BITS / STORAGE_BITS;
  const int BEATS = Config::BEATS[PART];
  const int WORDS = Config::WORDS[PART];
  const unsigned UNIT = gcd(WORD_ELEMENTS, LANES);  // level is a multiple of it
  CONSUMES(in, BEATS);
  PRODUCES(out, WORDS);

  T store[WORD_ELEMENTS + LANES];
#pragma HLS ARRAY_PARTITION variable=store complete
  for (unsigned i = 0; i < WORD_ELEMENTS + LANES; ++i) {
#pragma HLS UNROLL
    store[i] = 0;
  }

  unsigned level = 0;  // elements in store
  int beats = 0;
  int words = 0;
  for (int step = 0; step < Config::STEPS[PART]; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    if (level < WORD_ELEMENTS && beats < BEATS) {
      const vec<T, LANES> beat = in.read();
      ++beats;
      for (int l = 0; l < LANES; ++l) {
#pragma HLS UNROLL
        store[level / UNIT * UNIT + l] = beat[l];
      }
      level += LANES;
    }
    if (level >= WORD_ELEMENTS || beats == BEATS) {
      ap_axiu<Config::AXI_BITS, 0, 0, 0> word;
      word.data = uint<Config::AXI_BITS>(0);
      word.keep = uint<Config::AXI_BITS / 8>(-1);  // a byte that is not kept would be dropped by the DMA
      word.strb = uint<Config::AXI_BITS / 8>(-1);
      word.last = 0;
      for (unsigned i = 0; i < WORD_ELEMENTS; ++i) {
#pragma HLS UNROLL
        if (i < level) place<STORAGE_BITS>(word.data, i * STORAGE_BITS, store[i]);
      }
      ++words;
      if (PART == Config::PARTS - 1 && words == WORDS) {
        const vec<uint<1>, 1> flag = last.read();
        word.last = flag[0];
      }
      out.write(word);
      for (int i = 0; i < LANES; ++i) {
#pragma HLS UNROLL
        store[i] = store[i + WORD_ELEMENTS];
      }
      level = level > WORD_ELEMENTS ? level - WORD_ELEMENTS : 0;
    }
  }
}

// The same with other parts' streams between the part's own and `last`.
template <class Config, int PART, class T, int LANES, class Other, class... More>
void pack_part(hls::stream<vec<T, LANES> >& in, hls::stream<Other>&, More&... more) {
#pragma HLS INLINE
  pack_part<Config, PART>(in, more...);
}

// All parts from number PART on.
template <class Config, int PART>
struct pack_from {
  template <class First, class... More>
  static void run(hls::stream<First>& first, More&... more) {
#pragma HLS INLINE
    pack_part<Config, PART>(first, more...);
    pack_from<Config, PART + 1 == Config::PARTS ? -1 : PART + 1>::run(more...);
  }
};
template <class Config>
struct pack_from<Config, -1> {
  template <class Last, class Axi>
  static void run(hls::stream<Last>&, hls::stream<Axi>&) {}
};

// Arguments: the parts' streams in order, `last`, the AXI4-Stream output.
template <class Config, class... Streams>
void pack(Streams&... streams) {
  pack_from<Config, 0>::run(streams...);
}

}  // namespace hlsgen

#endif  // HLSGEN_PACK_HPP
