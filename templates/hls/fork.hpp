// fork: copies a stream to two or more outputs.
//
// Beats in:  BEATS beats of LANES elements per image.
// Beats out: each beat to every output, in the order of the arguments, before the next one is read.
// Cycles:    BEATS (II = 1).
#ifndef HLSGEN_FORK_HPP
#define HLSGEN_FORK_HPP

#include "types.hpp"

namespace hlsgen {

template <class Beat>
void write_all(const Beat&) {
#pragma HLS INLINE
}
template <class Beat, class... Rest>
void write_all(const Beat& beat, hls::stream<Beat>& out, Rest&... rest) {
#pragma HLS INLINE
  out.write(beat);
  write_all(beat, rest...);
}

template <class Config, class... Outputs>
void fork(hls::stream<vec<typename Config::input_t, Config::LANES> >& in, Outputs&... out) {
  CONSUMES(in, Config::BEATS);
  for (int beat = 0; beat < Config::BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const vec<typename Config::input_t, Config::LANES> elements = in.read();
    write_all(elements, out...);
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_FORK_HPP
