// AXI4-Stream beat for C simulation, with the fields of AMD's ap_axiu that the kernels use. For synthesis AMD's header
// of the same name takes this one's place.
#ifndef HLSGEN_SIM_AP_AXI_SDATA_H
#define HLSGEN_SIM_AP_AXI_SDATA_H

#include "types.hpp"

// WIDTH: bits of data, a multiple of 8 up to 1024. The side channels user, id and dest are not used (0 bits).
template <int WIDTH, int USER, int ID, int DEST>
struct ap_axiu {
  static_assert(WIDTH % 8 == 0 && WIDTH <= 1024, "AXI4-Stream data is 8 to 1024 bits in whole bytes");
  static_assert(USER == 0 && ID == 0 && DEST == 0, "side channels are not simulated");
  hlsgen::uint<WIDTH> data;
  hlsgen::uint<(WIDTH + 7) / 8> keep;
  hlsgen::uint<(WIDTH + 7) / 8> strb;
  hlsgen::uint<1> last;
};

namespace hlsgen {
namespace sim {

// An AXI beat is tapped as its bytes, least significant first.
template <int WIDTH, int USER, int ID, int DEST>
struct elements<ap_axiu<WIDTH, USER, ID, DEST> > {
  static const int count = WIDTH / 8;
  static int64_t get(const ap_axiu<WIDTH, USER, ID, DEST>& beat, int i) {
    return static_cast<int64_t>(slice<8>(beat.data, 8 * i));
  }
};

}  // namespace sim
}  // namespace hlsgen

#endif  // HLSGEN_SIM_AP_AXI_SDATA_H
