// hls::stream for C simulation: the part of AMD's interface that the kernels use, plus what AMD's hides.
//
// - Unbounded (default): a contiguous buffer, fast. Reading an empty stream is an error that names it.
// - Bounded (-DHLSGEN_BOUNDED): a stream holds at most its depth in beats. Whoever would read an empty or write a full
//   one lets another process run (fibers.hpp). When none can go on, that is a deadlock: streams' names are reported.
// - Beats are counted; what is left in a stream when it is destroyed is recorded; elements can be compared or recorded
//   (tap.hpp).
// For synthesis AMD's header of the same name takes this one's place.
#ifndef HLSGEN_SIM_HLS_STREAM_H
#define HLSGEN_SIM_HLS_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <exception>
#include <memory>
#include <string>

#include "tap.hpp"
#ifdef HLSGEN_BOUNDED
#include "fibers.hpp"
#endif

namespace hlsgen {
namespace sim {

// The part of a stream that does not depend on its type.
class Channel {
 public:
  // `name` empty: an anonymous stream, neither bounded nor tapped.
  explicit Channel(const std::string& name) : name_(name), tap_(name.empty() ? nullptr : &tap(name)) {
    watched_ = tap_ != nullptr && tap_->active();
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    if (tap_ == nullptr) return;
    tap_->beats += beats_written();
    if (!std::uncaught_exception()) tap_->leftover += held();
  }

  std::string title() const { return name_.empty() ? "an unnamed stream" : "stream " + name_; }
  uint64_t beats_read() const { return discarded_ + read_; }
  uint64_t beats_written() const { return discarded_ + written_; }
  size_t held() const { return written_ - read_; }
  size_t depth() const { return tap_ == nullptr ? 0 : tap_->depth; }
  bool readable() const { return read_ != written_; }
  bool writable() const { return depth() == 0 || held() < depth(); }

 protected:
  // Called before a read of an empty stream. Returns only when there is something to read.
  void await_readable() {
#ifdef HLSGEN_BOUNDED
    if (scheduler().inside()) {
      scheduler().wait([this]() { return readable(); }, "to read empty " + title());
      return;
    }
#endif
    throw Error("read from empty " + title());
  }

#ifdef HLSGEN_BOUNDED
  // Called before every write. Returns only when there is room.
  void await_writable() {
    if (!writable()) {
      const std::string full = "full " + title() + " (depth " + std::to_string(depth()) + ")";
      if (!scheduler().inside()) throw Error("write to " + full);
      scheduler().wait([this]() { return writable(); }, "to write " + full);
    }
    if (tap_ != nullptr && held() + 1 > tap_->max_occupancy) tap_->max_occupancy = held() + 1;
  }
#endif

  std::string name_;
  Tap* tap_;
  bool watched_;
  size_t read_ = 0;         // position in the buffer of the next beat to read
  size_t written_ = 0;      // position in the buffer after the last beat written
  size_t capacity_ = 0;     // beats the buffer has room for
  uint64_t discarded_ = 0;  // beats read and no longer in the buffer
};

// The number of beats one call of a kernel owes a stream, checked when the kernel returns.
class Due {
 public:
  enum Direction { READS, WRITES };
  Due(const Channel& channel, Direction direction, uint64_t beats)
      : channel_(channel), direction_(direction), beats_(beats), before_(count()) {}
  ~Due() noexcept(false) {
    const uint64_t done = count() - before_;
    if (done == beats_ || std::uncaught_exception()) return;
    throw Error(channel_.title() + ": " + std::to_string(done) + " beats " +
                (direction_ == READS ? "read" : "written") + " where " + std::to_string(beats_) + " are due");
  }

 private:
  uint64_t count() const { return direction_ == READS ? channel_.beats_read() : channel_.beats_written(); }
  const Channel& channel_;
  Direction direction_;
  uint64_t beats_;
  uint64_t before_;
};

// End of a dataflow region: run its processes to completion (they have already run unless simulation is bounded).
inline void run_processes() {
#ifdef HLSGEN_BOUNDED
  scheduler().run();
#endif
}

}  // namespace sim
}  // namespace hlsgen

namespace hls {

template <class T>
class stream : public hlsgen::sim::Channel {
 public:
  stream() : Channel("") {}
  explicit stream(const char* name) : Channel(name) {}

  bool empty() const { return !readable(); }
  bool full() const { return !writable(); }
  size_t size() const { return held(); }

  T read() {
    if (__builtin_expect(read_ == written_, 0)) await_readable();
    return buffer_[read_++];
  }
  void read(T& beat) { beat = read(); }

  void write(const T& beat) {
#ifdef HLSGEN_BOUNDED
    await_writable();
#endif
    if (__builtin_expect(watched_, 0)) tap_->observe(beat);
    if (__builtin_expect(written_ == capacity_, 0)) make_room();
    buffer_[written_++] = beat;
  }

  void operator>>(T& beat) { beat = read(); }
  void operator<<(const T& beat) { write(beat); }

 private:
  // Drops what has been read, or doubles the buffer when that would not free half of it (so that moving stays cheap).
  void make_room() {
    const size_t kept = held();
    const size_t capacity = 2 * kept > capacity_ || capacity_ == 0 ? (capacity_ == 0 ? 64 : 2 * capacity_) : capacity_;
    if (capacity == capacity_) {
      for (size_t i = 0; i < kept; ++i) buffer_[i] = buffer_[read_ + i];
    } else {
      std::unique_ptr<T[]> larger(new T[capacity]);
      for (size_t i = 0; i < kept; ++i) larger[i] = buffer_[read_ + i];
      buffer_.swap(larger);
    }
    discarded_ += read_;
    read_ = 0;
    written_ = kept;
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> buffer_;
};

}  // namespace hls

#endif  // HLSGEN_SIM_HLS_STREAM_H
