// fork: copies a stream to two or more readers.
//
// Beats in:  BEATS.
// Beats out: the same, on every output, each copy as soon as the beat is in. The slowest reader sets the pace.
// Cycles:    BEATS (II = 1).
// Widths:    elements are only moved.
#ifndef HLSGEN_FORK_HPP
#define HLSGEN_FORK_HPP

#include "types.hpp"

namespace hlsgen {

template <class Beat>
inline void write_all(const Beat& beat, hls::stream<Beat>& out) {
#pragma HLS INLINE
  out.write(beat);
}

template <class Beat, class... More>
inline void write_all(const Beat& beat, hls::stream<Beat>& out, More&... more) {
#pragma HLS INLINE
  out.write(beat);
  write_all(beat, more...);
}

template <class Config, class... Outputs>
void fork(hls::stream<vec<typename Config::type_t, Config::LANES> >& in, Outputs&... out) {
  CONSUMES(in, Config::BEATS);
  PRODUCES_ALL(out, Config::BEATS);
  for (int i = 0; i < Config::BEATS; ++i) {
#pragma HLS PIPELINE II=1 style=flp
    const vec<typename Config::type_t, Config::LANES> beat = in.read();
    write_all(beat, out...);
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_FORK_HPP
