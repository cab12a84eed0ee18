// Stands in for AMD's header of this name: the same class, but nothing of hlsgen's simulation (taps, bounds, counts).
// For synthesis it only declares, so that an object file shows everything the design itself would need.
#ifndef STAND_IN_HLS_STREAM_H
#define STAND_IN_HLS_STREAM_H

#ifdef __SYNTHESIS__

namespace hls {

template <class T>
class stream {
 public:
  stream();
  explicit stream(const char* name);
  T read();
  void read(T& value);
  void write(const T& value);
  bool empty() const;

 private:
  stream(const stream&);
};

}  // namespace hls

#else

#include <deque>
#include <stdexcept>
#include <string>

namespace hls {

template <class T>
class stream {
 public:
  stream() {}
  explicit stream(const char* name) : name_(name) {}
  T read() {
    if (values_.empty()) throw std::runtime_error("read from empty " + name_);
    const T value = values_.front();
    values_.pop_front();
    return value;
  }
  void read(T& value) { value = read(); }
  void write(const T& value) { values_.push_back(value); }
  bool empty() const { return values_.empty(); }

 private:
  stream(const stream&);
  std::string name_;
  std::deque<T> values_;
};

}  // namespace hls

#endif
#endif
