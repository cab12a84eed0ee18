// Agreements of two vectors of SIMD bits: their popcount after XNOR.
//
// Three pairs of bits are six inputs of a LUT; three such counts (0..3) again are six, which gives 0..9 for nine pairs
// in ten LUTs. The sums of nine go into hlsgen_adder_tree.
// Latency:  1 cycle + that of hlsgen_adder_tree for ceil(SIMD / 9) terms.
`default_nettype none

module hlsgen_dot_xnor #(
    parameter int SIMD = 9,     // pairs
    parameter int SUM_BITS = 4
) (
    input  wire logic                clk,
    input  wire logic [SIMD-1:0]     x,
    input  wire logic [SIMD-1:0]     w,
    output logic [SUM_BITS-1:0]      sum
);
  localparam int NINES = (SIMD + 8) / 9;

  wire logic [9*NINES-1:0] agree = (9 * NINES)'({~(x ^ w)});  // zeros above
  logic [4*NINES-1:0] terms;

  for (genvar i = 0; i < NINES; ++i) begin : nine
    logic [2:0] ones, twos;  // of the three counts
    for (genvar j = 0; j < 3; ++j) begin : three
      wire logic [2:0] bits = agree[9*i+3*j+:3];
      assign ones[j] = ^bits;
      assign twos[j] = (bits[0] & bits[1]) | (bits[0] & bits[2]) | (bits[1] & bits[2]);
    end
    wire logic ones_pair = (ones[0] & ones[1]) | (ones[0] & ones[2]) | (ones[1] & ones[2]);
    wire logic twos_pair = (twos[0] & twos[1]) | (twos[0] & twos[2]) | (twos[1] & twos[2]);
    wire logic fours = ones_pair & (^twos);
    always_ff @(posedge clk) terms[4*i+:4] <= {twos_pair & fours, twos_pair ^ fours, ones_pair ^ (^twos), ^ones};
  end

  hlsgen_adder_tree #(
      .N(NINES), .TERM_BITS(4), .OUT_BITS(SUM_BITS)
  ) tree (
      .clk, .terms, .sum
  );
endmodule

`default_nettype wire
