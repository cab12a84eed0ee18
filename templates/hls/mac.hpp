// Multiply-accumulate steps of matvec and depthwise, by the kind of multiplier (Config::MAC, class Mac in Python).
#ifndef HLSGEN_MAC_HPP
#define HLSGEN_MAC_HPP

#include "types.hpp"

namespace hlsgen {

const int MAC_LUT = 0;
const int MAC_DSP = 1;
const int MAC_DSP2 = 2;
const int MAC_XNOR = 3;

// Contribution of one operand pair to a sum. Both operands are as on the wire.
template <int MAC, bool INPUT_BIPOLAR, bool WEIGHT_BIPOLAR>
struct mac {
  template <class Acc, class X, class W>
  static void add(Acc& sum, const X& x, const W& w) {
#pragma HLS INLINE
    const auto factor = operand<WEIGHT_BIPOLAR>::of(w);
    const auto product = widen<decltype(factor)>(operand<INPUT_BIPOLAR>::of(x)) * factor;
#pragma HLS BIND_OP variable=product op=mul impl=dsp
    sum += product;
  }
};

template <bool INPUT_BIPOLAR, bool WEIGHT_BIPOLAR>
struct mac<MAC_LUT, INPUT_BIPOLAR, WEIGHT_BIPOLAR> {
  template <class Acc, class X, class W>
  static void add(Acc& sum, const X& x, const W& w) {
#pragma HLS INLINE
    const auto factor = operand<WEIGHT_BIPOLAR>::of(w);
    const auto product = widen<decltype(factor)>(operand<INPUT_BIPOLAR>::of(x)) * factor;
#pragma HLS BIND_OP variable=product op=mul impl=fabric
    sum += product;
  }
};

// The product of two values out of {-1, +1} is +1 where the wires agree: XNOR. The sum of n products is twice the
// number of agreements (popcount) minus n, so agreements are counted here, `finish` doubles the count and -n is in
// `start`.
template <>
struct mac<MAC_XNOR, true, true> {
  template <class Acc, class X, class W>
  static void add(Acc& sum, const X& x, const W& w) {
#pragma HLS INLINE
    sum += int(x) ^ int(w) ^ 1;  // not x == w: g++ 12 vectorises that to 0 and -1 for bytes
  }
};

template <int MAC, class Acc>
inline Acc finish(const Acc& sum) {
#pragma HLS INLINE
  return MAC == MAC_XNOR ? Acc(sum + sum) : sum;
}

// Two 8-bit products that share x, from one multiplier of 25 x 18 bits: (w1 * 2^16 + w0) * x = w1*x * 2^16 + w0*x.
// Both products lie in -32640..32385 (uint8 x) or -16256..16384 (int8 x), hence in 16 bits: the low one is the
// sign-extended low half, and the high half is one too small where the low one is negative. Native simulation
// multiplies plainly, ap simulation like this.
template <class Acc, class X, class W>
inline void add_pair(Acc& sum0, Acc& sum1, const X& x, const W& w0, const W& w1) {
#pragma HLS INLINE
#ifdef HLSGEN_AP_TYPES
  const sint<25> packed = (sint<25>(w1) << 16) + sint<25>(w0);
  const sint<34> product = packed * sint<9>(x);
#pragma HLS BIND_OP variable=product op=mul impl=dsp
  const sint<16> low = decode<sint<16>, 16>(slice<16>(product, 0));
  const sint<16> high = decode<sint<16>, 16>(slice<16>(product, 16));
  sum0 += low;
  sum1 += high + (low < 0 ? 1 : 0);
#else
  sum0 += multiply(x, w0);
  sum1 += multiply(x, w1);
#endif
}

}  // namespace hlsgen

#endif  // HLSGEN_MAC_HPP
