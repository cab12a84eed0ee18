// table: any function of one element, as a ROM of all results: y = values[x - FIRST].
//
// Beats in, out: the frame's PIXELS * TILES beats of LANES channels; each is written as soon as it is read.
// Cycles:    PIXELS * TILES (II = 1).
// Memories:  values, SIZE rows per channel tile, or SIZE rows in all if the channels share a table; column = lane.
#ifndef HLSGEN_TABLE_HPP
#define HLSGEN_TABLE_HPP

#include "rounding.hpp"
#include "types.hpp"

namespace hlsgen {

template <class Config>
void table(hls::stream<vec<typename Config::input_t, Config::LANES> >& in,
           hls::stream<vec<typename Config::output_t, Config::LANES> >& out) {
  CONSUMES(in, Config::PIXELS * Config::TILES);
  PRODUCES(out, Config::PIXELS * Config::TILES);
  int tile = 0;
  for (int beat = 0; beat < Config::PIXELS * Config::TILES; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const vec<typename Config::input_t, Config::LANES> wires = in.read();
    vec<int, Config::LANES> index;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      index[lane] = int(operand<Config::INPUT_BIPOLAR>::of(wires[lane])) - Config::FIRST;
    }
    const auto value = look_up<Config::SIZE>(Config::values, tile, index);
    vec<typename Config::output_t, Config::LANES> y;
    for (int lane = 0; lane < Config::LANES; ++lane) {
#pragma HLS UNROLL
      y[lane] = to_wire<Config::OUTPUT_BIPOLAR, typename Config::output_t>(value[lane]);
    }
    out.write(y);
    tile = tile + 1 == Config::TILES ? 0 : tile + 1;
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_TABLE_HPP
