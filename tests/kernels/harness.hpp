// The C++ side of harness.py: feeds, drains and watches one kernel. Standard input holds the elements of all input
// streams of all cases, int64, in order; standard output gets, per case: every output stream's elements, TLAST of every
// AXI output beat, and per beat of output 0 how many beats of each input had been read.
#ifndef HLSGEN_TESTS_HARNESS_HPP
#define HLSGEN_TESTS_HARNESS_HPP

#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "ap_axi_sdata.h"
#include "types.hpp"

namespace hlsgen {
namespace harness {

typedef std::vector<int64_t> Values;

inline Values take(size_t count) {
  Values values(count);
  if (fread(values.data(), sizeof(int64_t), count, stdin) != count) throw sim::Error("harness: input is too short");
  return values;
}

inline void give(const Values& values) {
  if (values.empty()) return;  // fwrite must not be given a null pointer
  const size_t written = fwrite(values.data(), sizeof(int64_t), values.size(), stdout);
  if (written != values.size()) throw sim::Error("harness: output cannot be written");
}

template <class T, int LANES>
void set(vec<T, LANES>& beat, const int64_t* values, bool) {
  for (int i = 0; i < LANES; ++i) beat[i] = T(values[i]);
}
template <int WIDTH>
void set(ap_axiu<WIDTH, 0, 0, 0>& beat, const int64_t* values, bool last) {
  beat.data = uint<WIDTH>(0);
  for (int i = 0; i < WIDTH / 8; ++i) place<8>(beat.data, 8 * i, values[i]);
  beat.keep = uint<(WIDTH + 7) / 8>(-1);
  beat.strb = uint<(WIDTH + 7) / 8>(-1);
  beat.last = last ? 1 : 0;
}

template <class T, int LANES>
void inspect(const vec<T, LANES>&, Values&) {}
template <int WIDTH>
void inspect(const ap_axiu<WIDTH, 0, 0, 0>& beat, Values& last) {
  for (int i = 0; i < WIDTH / 8; ++i) {
    if (slice<1>(beat.keep, i) != 1) throw sim::Error("harness: TKEEP is not all ones");
    if (slice<1>(beat.strb, i) != 1) throw sim::Error("harness: TSTRB is not all ones");
  }
  last.push_back(int64_t(beat.last));
}

// Process: all beats of an input; TLAST on the very last one.
template <class T>
void feed(hls::stream<T>& stream, const Values& values) {
  const size_t lanes = sim::elements<T>::count;
  for (size_t i = 0; i < values.size(); i += lanes) {
    T beat;
    set(beat, &values[i], i + lanes == values.size());
    stream.write(beat);
  }
}

// Process: all beats of an output, whose elements the stream's tap has recorded already.
template <class T>
void drain(hls::stream<T>& stream, size_t beats, Values& last) {
  for (size_t i = 0; i < beats; ++i) inspect(stream.read(), last);
}

// Process: the kernel, once per image.
template <class Call>
void repeat(unsigned images, Call call) {
  for (unsigned image = 0; image < images; ++image) call();
}

}  // namespace harness
}  // namespace hlsgen

#endif  // HLSGEN_TESTS_HARNESS_HPP
