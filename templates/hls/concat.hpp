// concat: channels of two or more frames side by side.
//
// Beats in:  per pixel, input i has END[i] - END[i - 1] beats of LANES channels (END[-1] = 0).
// Beats out: per pixel BEATS = END[last] beats: those of input 0, then those of input 1, and so on.
// Cycles:    PIXELS * BEATS (II = 1).
// The last argument is the output.
#ifndef HLSGEN_CONCAT_HPP
#define HLSGEN_CONCAT_HPP

#include "types.hpp"

namespace hlsgen {

// One beat of the input whose turn it is: the first whose END lies beyond `beat`.
template <class Config, int INPUT, class Beat>
Beat read_part(int, hls::stream<Beat>& in) {
#pragma HLS INLINE
  return in.read();
}
template <class Config, int INPUT, class Beat, class... Rest>
Beat read_part(int beat, hls::stream<Beat>& in, Rest&... rest) {
#pragma HLS INLINE
  if (beat < Config::END[INPUT]) return in.read();
  return read_part<Config, INPUT + 1, Beat>(beat, rest...);
}

template <class Config, class Beat, class... Inputs>
void concat_to(hls::stream<Beat>& out, Inputs&... in) {
#pragma HLS INLINE
  PRODUCES(out, Config::PIXELS * Config::BEATS);
  for (int pixel = 0; pixel < Config::PIXELS; ++pixel) {
    for (int beat = 0; beat < Config::BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
      out.write(read_part<Config, 0, Beat>(beat, in...));
    }
  }
}

// Brings the output to the front.
template <class Config, class Beat>
void concat(hls::stream<Beat>& a, hls::stream<Beat>& b, hls::stream<Beat>& out) {
  CONSUMES(a, Config::PIXELS * Config::END[0]);
  CONSUMES(b, Config::PIXELS * (Config::END[1] - Config::END[0]));
  concat_to<Config, Beat>(out, a, b);
}
template <class Config, class Beat>
void concat(hls::stream<Beat>& a, hls::stream<Beat>& b, hls::stream<Beat>& c, hls::stream<Beat>& out) {
  CONSUMES(a, Config::PIXELS * Config::END[0]);
  CONSUMES(b, Config::PIXELS * (Config::END[1] - Config::END[0]));
  CONSUMES(c, Config::PIXELS * (Config::END[2] - Config::END[1]));
  concat_to<Config, Beat>(out, a, b, c);
}
template <class Config, class Beat>
void concat(hls::stream<Beat>& a, hls::stream<Beat>& b, hls::stream<Beat>& c, hls::stream<Beat>& d,
            hls::stream<Beat>& out) {
  CONSUMES(a, Config::PIXELS * Config::END[0]);
  CONSUMES(b, Config::PIXELS * (Config::END[1] - Config::END[0]));
  CONSUMES(c, Config::PIXELS * (Config::END[2] - Config::END[1]));
  CONSUMES(d, Config::PIXELS * (Config::END[3] - Config::END[2]));
  concat_to<Config, Beat>(out, a, b, c, d);
}

}  // namespace hlsgen

#endif  // HLSGEN_CONCAT_HPP
