// pack: beats of elements to AXI4-Stream words.
//
// Beats in:  output tensor i has BEATS<i> beats of LANES<i> elements per image; `last` has one bit per image.
// Beats out: WORDS words of AXI_BITS bits per image: the tensors one after another, each from a fresh word on; elements of
//            STORAGE_BITS<i> bits, least significant bits first, unused bits zero. TLAST is the bit from `last`, on the
//            image's last word. TKEEP and TSTRB are all ones: a DMA drops bytes whose TKEEP is 0.
// Cycles:    sum of STEPS<i> (II = 1): each step reads a beat while less than a word is held, and writes a word if one is
//            held or no beat remains.
// Widths:    before a read less than a word is held, so PER_WORD - 1 + LANES places are enough.
#ifndef HLSGEN_PACK_HPP
#define HLSGEN_PACK_HPP

#include "ap_axi_sdata.h"
#include "types.hpp"

namespace hlsgen {

template <int AXI_BITS, int STORAGE_BITS, int BEATS, int STEPS, bool FINAL, class T, int LANES>
void pack_tensor(hls::stream<vec<T, LANES> >& in, hls::stream<vec<uint<1>, 1> >& last,
                 hls::stream<ap_axiu<AXI_BITS, 0, 0, 0> >& out) {
#pragma HLS INLINE
  CONSUMES(in, BEATS);
  const int PER_WORD = AXI_BITS / STORAGE_BITS;
  const int PLACES = PER_WORD - 1 + LANES > PER_WORD ? PER_WORD - 1 + LANES : PER_WORD;
  T held[PLACES];
#pragma HLS ARRAY_PARTITION variable=held complete

  int count = 0;  // elements held
  int beats = 0;  // beats read
  for (int step = 0; step < STEPS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    if (count < PER_WORD && beats < BEATS) {
      const vec<T, LANES> beat = in.read();
      for (int i = 0; i < LANES; ++i) {
#pragma HLS UNROLL
        held[count + i] = beat[i];
      }
      count += LANES;
      ++beats;
    }
    if (count >= PER_WORD || beats == BEATS) {
      ap_axiu<AXI_BITS, 0, 0, 0> word;
      word.data = uint<AXI_BITS>(0);
      for (int i = 0; i < PER_WORD; ++i) {
#pragma HLS UNROLL
        if (i < count) place<STORAGE_BITS>(word.data, i * STORAGE_BITS, held[i]);
      }
      word.keep = uint<AXI_BITS / 8>(-1);
      word.strb = uint<AXI_BITS / 8>(-1);
      word.last = 0;
      if (FINAL && step == STEPS - 1) word.last = last.read()[0];
      out.write(word);
      for (int i = 0; i + PER_WORD < PLACES; ++i) {
#pragma HLS UNROLL
        held[i] = held[i + PER_WORD];
      }
      count = count > PER_WORD ? count - PER_WORD : 0;
    }
  }
}

template <class Config>
void pack(hls::stream<vec<typename Config::input0_t, Config::LANES0> >& in0, hls::stream<vec<uint<1>, 1> >& last,
          hls::stream<ap_axiu<Config::AXI_BITS, 0, 0, 0> >& out) {
  CONSUMES(last, 1);
  PRODUCES(out, Config::WORDS);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS0, Config::BEATS0, Config::STEPS0, true>(in0, last, out);
}

template <class Config>
void pack(hls::stream<vec<typename Config::input0_t, Config::LANES0> >& in0,
          hls::stream<vec<typename Config::input1_t, Config::LANES1> >& in1, hls::stream<vec<uint<1>, 1> >& last,
          hls::stream<ap_axiu<Config::AXI_BITS, 0, 0, 0> >& out) {
  CONSUMES(last, 1);
  PRODUCES(out, Config::WORDS);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS0, Config::BEATS0, Config::STEPS0, false>(in0, last, out);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS1, Config::BEATS1, Config::STEPS1, true>(in1, last, out);
}

template <class Config>
void pack(hls::stream<vec<typename Config::input0_t, Config::LANES0> >& in0,
          hls::stream<vec<typename Config::input1_t, Config::LANES1> >& in1,
          hls::stream<vec<typename Config::input2_t, Config::LANES2> >& in2, hls::stream<vec<uint<1>, 1> >& last,
          hls::stream<ap_axiu<Config::AXI_BITS, 0, 0, 0> >& out) {
  CONSUMES(last, 1);
  PRODUCES(out, Config::WORDS);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS0, Config::BEATS0, Config::STEPS0, false>(in0, last, out);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS1, Config::BEATS1, Config::STEPS1, false>(in1, last, out);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS2, Config::BEATS2, Config::STEPS2, true>(in2, last, out);
}

template <class Config>
void pack(hls::stream<vec<typename Config::input0_t, Config::LANES0> >& in0,
          hls::stream<vec<typename Config::input1_t, Config::LANES1> >& in1,
          hls::stream<vec<typename Config::input2_t, Config::LANES2> >& in2,
          hls::stream<vec<typename Config::input3_t, Config::LANES3> >& in3, hls::stream<vec<uint<1>, 1> >& last,
          hls::stream<ap_axiu<Config::AXI_BITS, 0, 0, 0> >& out) {
  CONSUMES(last, 1);
  PRODUCES(out, Config::WORDS);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS0, Config::BEATS0, Config::STEPS0, false>(in0, last, out);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS1, Config::BEATS1, Config::STEPS1, false>(in1, last, out);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS2, Config::BEATS2, Config::STEPS2, false>(in2, last, out);
  pack_tensor<Config::AXI_BITS, Config::STORAGE_BITS3, Config::BEATS3, Config::STEPS3, true>(in3, last, out);
}

}  // namespace hlsgen

#endif  // HLSGEN_PACK_HPP
