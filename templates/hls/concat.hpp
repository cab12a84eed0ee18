// concat: the channels of several frames side by side, pixel by pixel.
//
// Beats in:  input i has PIXELS * TILES[i] beats of LANES channels.
// Beats out: per pixel all beats of input 0, then all of input 1, ...; each as soon as it is in.
// Cycles:    PIXELS * PIXEL_BEATS, PIXEL_BEATS = sum of TILES (II = 1).
// Widths:    elements are only moved.
#ifndef HLSGEN_CONCAT_HPP
#define HLSGEN_CONCAT_HPP

#include "types.hpp"

namespace hlsgen {

// One beat from input number `part` of the streams given. The last of them is the output.
template <class Beat>
inline Beat read_part(int, hls::stream<Beat>& in, hls::stream<Beat>&) {
#pragma HLS INLINE
  return in.read();
}

template <class Beat, class... More>
inline Beat read_part(int part, hls::stream<Beat>& in, hls::stream<Beat>& next, More&... more) {
#pragma HLS INLINE
  return part == 0 ? in.read() : read_part(part - 1, next, more...);
}

// Writes to the last of the streams given.
template <class Beat>
inline void write_last(const Beat& beat, hls::stream<Beat>& out) {
#pragma HLS INLINE
  out.write(beat);
}

template <class Beat, class... More>
inline void write_last(const Beat& beat, hls::stream<Beat>&, More&... more) {
#pragma HLS INLINE
  write_last(beat, more...);
}

#ifdef HLSGEN_SIM_HLS_STREAM_H
// What stream number `index` of the kernel's arguments owes.
template <class Config>
inline sim::Due concat_due(const sim::Channel& channel, int index) {
  if (index == Config::PARTS) return sim::Due(channel, sim::Due::WRITES, Config::PIXELS * Config::PIXEL_BEATS);
  return sim::Due(channel, sim::Due::READS, Config::PIXELS * Config::TILES[index]);
}
#endif

// Arguments: the inputs in order, then the output.
template <class Config, class... Streams>
void concat(Streams&... streams) {
#ifdef HLSGEN_SIM_HLS_STREAM_H
  int index = 0;
  const sim::Due dues[] = {concat_due<Config>(streams, index++)...};
  (void)dues;
#endif
  for (int pixel = 0; pixel < Config::PIXELS; ++pixel) {
    int part = 0;
    int tile = 0;
    for (int step = 0; step < Config::PIXEL_BEATS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
      const vec<typename Config::type_t, Config::LANES> beat = read_part(part, streams...);
      write_last(beat, streams...);
      if (++tile == Config::TILES[part]) {
        tile = 0;
        ++part;
      }
    }
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_CONCAT_HPP
