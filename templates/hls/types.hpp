// Number types, beats and small helpers that every kernel uses.
//
// Kernels are written over aliases so that one source serves three compilers:
//   synthesis (__SYNTHESIS__)    sint<W>, uint<W> are ap_int<W>, ap_uint<W>; streams are AMD's
//   simulation with -DHLSGEN_AP  the same ap_int types, streams from sim/ (or AMD's): what synthesis will see, slowly
//   simulation                   the smallest native integers. The build has proved the range of every value, so
//                                nothing wraps that would not wrap in W bits, and the two simulations agree.
//                                Compile with -fwrapv: partial sums may wrap on the way to a result that does not
// Further switch: -DHLSGEN_BOUNDED gives every stream its planned depth (sim/hls_stream.h, sim/fibers.hpp).
//
// Everything lives in namespace hlsgen, because glibc already has a global `uint`: configuration structs and typedefs
// of streams belong into `namespace hlsgen { ... }` too.
#ifndef HLSGEN_TYPES_HPP
#define HLSGEN_TYPES_HPP

#if defined(__SYNTHESIS__) || defined(HLSGEN_AP)
#define HLSGEN_AP_TYPES
#include "ap_int.h"
#endif
#ifndef __SYNTHESIS__
#include <stdint.h>
#include <type_traits>
#endif

#include "hls_stream.h"

// One process of the dataflow region, `PROCESS(matvec<conv1_matvec>(s0, s1));`: a plain call, except in bounded
// simulation, where it becomes a fiber that sim::run_processes() starts at the end of the region.
#if defined(HLSGEN_BOUNDED) && defined(HLSGEN_SIM_HLS_STREAM_H)
#define PROCESS(...) ::hlsgen::sim::scheduler().spawn(#__VA_ARGS__, [&]() { __VA_ARGS__; })
#else
#define PROCESS(...) __VA_ARGS__
#endif

// A kernel's contract, stated before its loops: one call consumes from, or produces into, `stream` exactly `beats`
// beats. Checked with the streams of sim/ when the kernel returns. PRODUCES_ALL takes a parameter pack of streams.
#ifndef HLSGEN_SIM_HLS_STREAM_H
#define CONSUMES(stream, beats)
#define PRODUCES(stream, beats)
#define PRODUCES_ALL(streams, beats)
#else
#define CONSUMES(stream, beats) const ::hlsgen::sim::Due consumes_##stream(stream, ::hlsgen::sim::Due::READS, beats)
#define PRODUCES(stream, beats) const ::hlsgen::sim::Due produces_##stream(stream, ::hlsgen::sim::Due::WRITES, beats)
#define PRODUCES_ALL(streams, beats) \
  const ::hlsgen::sim::Due produces_##streams[] = {::hlsgen::sim::Due(streams, ::hlsgen::sim::Due::WRITES, beats)...}
#endif

namespace hlsgen {

constexpr unsigned gcd(unsigned a, unsigned b) { return b == 0 ? a : gcd(b, a % b); }

// One beat of a stream: LANES elements, lane 0 in the least significant bits.
template <class T, int LANES>
struct vec {
  T lane[LANES];
  T& operator[](int i) { return lane[i]; }
  const T& operator[](int i) const { return lane[i]; }
};

#ifndef __SYNTHESIS__
namespace native {

// Unsigned words of more than 128 bits, for wide AXI buses.
template <int W>
struct wide {
  uint64_t part[(W + 63) / 64];
  wide() : part() {}
  explicit wide(int value) : part() {  // only 0 and -1 (all ones) are ever meant
    for (int i = 0; i < (W + 63) / 64; ++i) part[i] = uint64_t(int64_t(value));
  }
};

// The number of bits of the smallest native integer with at least `bits` bits.
constexpr int rounded(int bits) {
  return bits <= 8 ? 8 : bits <= 16 ? 16 : bits <= 32 ? 32 : bits <= 64 ? 64 : bits <= 128 ? 128 : bits;
}

template <int BITS>
struct integer {
  typedef wide<BITS> unsigned_t;
};
template <>
struct integer<8> {
  typedef int8_t signed_t;
  typedef uint8_t unsigned_t;
};
template <>
struct integer<16> {
  typedef int16_t signed_t;
  typedef uint16_t unsigned_t;
};
template <>
struct integer<32> {
  typedef int32_t signed_t;
  typedef uint32_t unsigned_t;
};
template <>
struct integer<64> {
  typedef int64_t signed_t;
  typedef uint64_t unsigned_t;
};
template <>
struct integer<128> {
  typedef __int128 signed_t;
  typedef unsigned __int128 unsigned_t;
};

}  // namespace native
#endif

#ifdef HLSGEN_AP_TYPES

template <int W>
using sint = ap_int<W>;
template <int W>
using uint = ap_uint<W>;

// BITS bits of `word` from bit `lsb` on.
template <int BITS, class Word>
inline uint<BITS> slice(const Word& word, int lsb) {
#pragma HLS INLINE
  return word.range(lsb + BITS - 1, lsb);
}

// Write the low BITS bits of `bits` into `word` from bit `lsb` on.
template <int BITS, class Word, class Bits>
inline void place(Word& word, int lsb, const Bits& bits) {
#pragma HLS INLINE
  word.range(lsb + BITS - 1, lsb) = uint<BITS>(bits);
}

// The element of type T whose low BITS bits are those of `bits` (T has BITS bits).
template <class T, int BITS, class Bits>
inline T decode(const Bits& bits) {
#pragma HLS INLINE
  return T(uint<BITS>(bits));
}

// `a` as the first factor of an exact product with a B: widen<B>(a) * b.
template <class B, class A>
inline const A& widen(const A& a) {
#pragma HLS INLINE
  return a;
}

// Exact product of two elements.
template <class A, class B>
inline auto multiply(const A& a, const B& b) -> decltype(a * b) {
#pragma HLS INLINE
  return a * b;
}

#else

template <int W>
using sint = typename native::integer<native::rounded(W)>::signed_t;
template <int W>
using uint = typename native::integer<native::rounded(W)>::unsigned_t;

template <int BITS, class Word>
inline uint<BITS> slice(const Word& word, int lsb) {
  return uint<BITS>(uint64_t(word >> lsb) & (~uint64_t(0) >> (64 - BITS)));
}
template <int BITS, int W>
inline uint<BITS> slice(const native::wide<W>& word, int lsb) {
  return slice<BITS>(word.part[lsb / 64], lsb % 64);
}

// Places never straddle 64 bits: BITS is a power of two and lsb a multiple of it.
template <int BITS, class Word, class Bits>
inline void place(Word& word, int lsb, const Bits& bits) {
  const uint64_t mask = ~uint64_t(0) >> (64 - BITS);
  word = Word((word & ~(Word(mask) << lsb)) | (Word(uint64_t(bits) & mask) << lsb));
}
template <int BITS, int W, class Bits>
inline void place(native::wide<W>& word, int lsb, const Bits& bits) {
  place<BITS>(word.part[lsb / 64], lsb % 64, bits);
}

template <class T, int BITS, class Bits>
inline T decode(const Bits& bits) {
  const int unused = 64 - BITS;
  const uint64_t high = uint64_t(bits) << unused;
  return std::is_signed<T>::value ? T(int64_t(high) >> unused) : T(high >> unused);
}

// int holds every product but that of two unsigned 16-bit elements; anything longer goes to 64 bits.
template <class A, class B>
struct product {
  static const bool small = sizeof(A) + sizeof(B) <= 3 ||
                            (sizeof(A) + sizeof(B) == 4 && (std::is_signed<A>::value || std::is_signed<B>::value));
  typedef typename std::conditional<small, int32_t, int64_t>::type type;
};
template <class B, class A>
inline typename product<A, B>::type widen(A a) {
  return a;
}
template <class A, class B>
inline typename product<A, B>::type multiply(A a, B b) {
  return widen<B>(a) * b;
}

#endif  // HLSGEN_AP_TYPES

// How constants of element type T are stored: in simulation always as native integers, because tens of thousands of
// ap_int constructors would compile for minutes.
#if defined(HLSGEN_AP) && !defined(__SYNTHESIS__)
template <class T>
struct rom_storage;
template <int W>
struct rom_storage<ap_int<W> > {
  typedef typename native::integer<native::rounded(W)>::signed_t type;
};
template <int W>
struct rom_storage<ap_uint<W> > {
  typedef typename native::integer<native::rounded(W)>::unsigned_t type;
};
template <class T>
using rom = typename rom_storage<T>::type;
#else
template <class T>
using rom = T;
#endif

// Value of an operand: a bipolar wire (0 or 1) reads as -1 or +1, anything else as itself.
template <bool BIPOLAR>
struct operand {
  template <class T>
  static T of(const T& wire) {
#pragma HLS INLINE
    return wire;
  }
};
template <>
struct operand<true> {
  template <class T>
  static sint<2> of(const T& wire) {
#pragma HLS INLINE
    return sint<2>(wire != 0 ? 1 : -1);
  }
};

}  // namespace hlsgen

#ifdef HLSGEN_SIM_HLS_STREAM_H
namespace hlsgen {
namespace sim {

template <class T, int LANES>
struct elements<vec<T, LANES> > {
  static const int count = LANES;
  static int64_t get(const vec<T, LANES>& beat, int i) { return static_cast<int64_t>(beat.lane[i]); }
};

}  // namespace sim
}  // namespace hlsgen
#endif

#endif  // HLSGEN_TYPES_HPP
