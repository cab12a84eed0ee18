// Rounding in integers, as hlsgen/exact/units.py defines it: the same function for the same numbers.
#ifndef HLSGEN_ROUNDING_HPP
#define HLSGEN_ROUNDING_HPP

#include "types.hpp"

namespace hlsgen {

// Config::ROUNDING, class Rounding in Python.
const int ROUND_HALF_EVEN = 0;
const int ROUND_HALF_UP = 1;    // ties away from zero
const int ROUND_HALF_DOWN = 2;  // ties towards zero
const int ROUND_CEIL = 3;
const int ROUND_FLOOR = 4;
const int ROUND_UP = 5;    // away from zero
const int ROUND_DOWN = 6;  // towards zero
const int ROUND_SIGN = 7;  // +1 for 0 and more, else -1

// value / 2^SHIFT, rounded. T is signed and holds |value| + 2^SHIFT.
template <int ROUNDING, int SHIFT, class T>
inline T round_shift(const T& value) {
#pragma HLS INLINE
  if (ROUNDING == ROUND_SIGN) return T(value >= 0 ? 1 : -1);
  if (SHIFT == 0) return value;
  const T one = 1;
  const T half = one << (SHIFT > 0 ? SHIFT - 1 : 0);
  const T ones = (one << SHIFT) - 1;
  T addend = 0;
  switch (ROUNDING) {
    case ROUND_HALF_EVEN: addend = half - 1 + ((value >> SHIFT) & 1); break;
    case ROUND_HALF_UP: addend = half - (value < 0 ? 1 : 0); break;
    case ROUND_HALF_DOWN: addend = half - (value > 0 ? 1 : 0); break;
    case ROUND_CEIL: addend = ones; break;
    case ROUND_UP: addend = value > 0 ? ones : T(0); break;
    case ROUND_DOWN: addend = value < 0 ? ones : T(0); break;
    default: break;
  }
  return T(value + addend) >> SHIFT;
}

const int MANTISSA_BITS = 24;  // significant bits of a float32

// rint(float32(product / 2^SHIFT)) for |product| < 2^(SHIFT + BINADES): the float32 moves onto a tie when the product
// lies within `window` of one, and ties go to the even neighbour. T is signed and holds |product| + 2^(SHIFT - 1).
template <int SHIFT, int BINADES, class T>
inline T round_float32_product(const T& product) {
#pragma HLS INLINE
  const T one = 1;
  const T lifted = product + (one << (SHIFT - 1));
  const T nearest = lifted >> SHIFT;
  const T fraction = lifted & T((one << SHIFT) - 1);  // above nearest - 1/2, in units of 2^-SHIFT
  const T magnitude = product < 0 ? T(-product) : product;
  T window = 0;
#ifdef HLSGEN_AP_TYPES
  for (int binade = 0; binade <= BINADES; ++binade) {
#pragma HLS UNROLL
    const int bits = SHIFT + binade;
    if (bits > MANTISSA_BITS && magnitude >= T(one << (bits - 1))) window = one << (bits - MANTISSA_BITS - 1);
  }
#else
  // where the product has fewer bits than the loop above looks at, `nearest` is 0, which is even
  const int bits = 64 - __builtin_clzll(uint64_t(magnitude) | 1);
  if (bits > MANTISSA_BITS) window = one << (bits - MANTISSA_BITS - 1);
#endif
  const bool odd = (nearest & 1) != 0;
  const bool down = odd & (fraction <= window);
  const bool up = odd & (T(one << SHIFT) - fraction <= window);
  return T(nearest + (up ? 1 : 0) - (down ? 1 : 0));
}

// The integer nearest to `value` that a float32 can hold, half to even, for values of up to 24 + EXTRA bits.
template <int EXTRA, class T>
inline T round_to_float32(const T& value) {
#pragma HLS INLINE
  const T one = 1;
  const T magnitude = value < 0 ? T(-value) : value;
  T rounded = value;
  for (int extra = 1; extra <= EXTRA; ++extra) {
#pragma HLS UNROLL
    const T unit = one << extra;
    const T sum = value + (one << (extra - 1)) - 1 + ((value >> extra) & 1);
    if (magnitude >= T(one << (MANTISSA_BITS + extra - 1))) rounded = sum & T(-unit);
  }
  return rounded;
}

template <class T>
inline T clamp(const T& value, const T& lo, const T& hi) {
#pragma HLS INLINE
  const T raised = value < lo ? lo : value;  // two steps, which compilers turn into selects rather than jumps
  return raised > hi ? hi : raised;
}

// Wire form of a result: a bipolar -1 or +1 becomes 0 or 1.
template <bool BIPOLAR, class Wire, class T>
inline Wire to_wire(const T& value) {
#pragma HLS INLINE
  return BIPOLAR ? Wire(value > 0 ? 1 : 0) : Wire(value);
}

// Row `row` of a memory with one column per lane; a memory of a single row serves all.
template <class T, int ROWS, int LANES>
inline vec<T, LANES> row_of(const T (&memory)[ROWS][LANES], int row) {
#pragma HLS INLINE
#pragma HLS ARRAY_RESHAPE variable=memory complete dim=2
  vec<T, LANES> result;
  for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
    result[lane] = memory[ROWS == 1 ? 0 : row][lane];
  }
  return result;
}

// One element per lane, each from its own row: `index` within the SIZE rows of channel tile `tile`, or within the only
// SIZE rows if all channels share them.
template <int SIZE, class T, int ROWS, int LANES, class Index>
inline vec<T, LANES> look_up(const T (&memory)[ROWS][LANES], int tile, const vec<Index, LANES>& index) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=memory complete dim=2
  vec<T, LANES> result;
  for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
    result[lane] = memory[(ROWS == SIZE ? 0 : tile * SIZE) + int(index[lane])][lane];
  }
  return result;
}

}  // namespace hlsgen

#endif  // HLSGEN_ROUNDING_HPP
