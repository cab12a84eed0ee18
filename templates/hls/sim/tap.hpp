// What a testbench may ask of a stream, by the stream's name, and what it learns about it. Simulation only.
//
//   hlsgen::sim::Tap& tap = hlsgen::sim::tap("conv1_out");   // before the design's function is called
//   tap.depth = 64;                  // beats it holds in bounded simulation (2 unless set, as in HLS; 0: no limit)
//   tap.expect(values, count, 1);    // compare every element written with these signed integers of 1, 2, 4 or 8 bytes
//   tap.record = true;               // append every element written to tap.recorded
//   tap.on_write = [&]() { ... };    // called before each write
//   accel(s_axis, m_axis);
//   tap.beats, tap.max_occupancy, tap.leftover, tap.mismatches, tap.first, tap.missing()
//
// Taps live until sim::clear_taps() and go on counting when the design's function is called again and makes its streams
// anew, so expected values of several images are one array. Elements are compared as the C++ type holds them: a bipolar
// element is 0 or 1, one of an AXI beat is a byte of its data. A stream that is not tapped pays one untaken branch per
// write. Requests are read when a stream is constructed: set them before. Results are final when it is destroyed.
#ifndef HLSGEN_SIM_TAP_HPP
#define HLSGEN_SIM_TAP_HPP

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace hlsgen {
namespace sim {

// Every failure of a simulation: what() is one line that names the stream or the process.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

// How a beat reads as integers; specialised for vec and for AXI beats.
template <class T>
struct elements {
  static const int count = 1;
  static int64_t get(const T& beat, int) { return static_cast<int64_t>(beat); }
};

struct Mismatch {
  uint64_t beat;  // counted from the first beat after clear_taps()
  int lane;
  int64_t got;
  int64_t expected;
};

class Tap {
 public:
  // Requests.
  size_t depth = 2;
  bool record = false;
  std::function<void()> on_write;

  // Compare with `count` elements at `values`, signed little-endian integers of `bytes` bytes. The memory stays the
  // caller's.
  void expect(const void* values, size_t count, int bytes) {
    expected_ = static_cast<const unsigned char*>(values);
    expected_count_ = count;
    expected_bytes_ = bytes;
  }

  // Results.
  std::vector<int64_t> recorded;
  uint64_t beats = 0;        // beats written
  size_t max_occupancy = 0;  // beats held at most (bounded simulation only)
  size_t leftover = 0;       // beats still in the stream when it was destroyed
  uint64_t mismatches = 0;   // elements that differ from the expected ones, or came after the last of them
  Mismatch first = Mismatch();

  // Expected elements that were never written.
  size_t missing() const { return compared_ < expected_count_ ? expected_count_ - compared_ : 0; }

  bool active() const { return expected_ != nullptr || record || on_write; }

  template <class T>
  void observe(const T& beat) {
    if (on_write) on_write();
    for (int i = 0; i < elements<T>::count; ++i) {
      const int64_t got = elements<T>::get(beat, i);
      if (record) recorded.push_back(got);
      if (expected_ != nullptr) compare(got, i);
    }
    ++observed_;
  }

 private:
  void compare(int64_t got, int lane) {
    const bool surplus = compared_ >= expected_count_;
    const int64_t expected = surplus ? 0 : expected_at(compared_);
    ++compared_;
    if (!surplus && got == expected) return;
    if (mismatches++ == 0) first = Mismatch{observed_, lane, got, expected};
  }

  int64_t expected_at(size_t index) const {
    const unsigned char* at = expected_ + index * size_t(expected_bytes_);
    uint64_t bits = 0;
    for (int i = 0; i < expected_bytes_; ++i) bits |= uint64_t(at[i]) << (8 * i);
    const int unused = 64 - 8 * expected_bytes_;
    return int64_t(bits << unused) >> unused;
  }

  const unsigned char* expected_ = nullptr;
  size_t expected_count_ = 0;
  int expected_bytes_ = 0;
  size_t compared_ = 0;
  uint64_t observed_ = 0;
};

inline std::map<std::string, Tap>& taps() {
  static std::map<std::string, Tap> all;
  return all;
}

// The tap of the streams called `name`, made on first use.
inline Tap& tap(const std::string& name) { return taps()[name]; }

// Forget every request and result; no tapped stream may exist.
inline void clear_taps() { taps().clear(); }

}  // namespace sim
}  // namespace hlsgen

#endif  // HLSGEN_SIM_TAP_HPP
