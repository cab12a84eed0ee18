// Dot product without multipliers: chains of three products each (hlsgen_lut_chain), then hlsgen_adder_tree.
//
// Result:   sum of x * w up to constants of the weights, which hlsgen_lut_chain states.
// Latency:  DIGITS cycles + that of hlsgen_adder_tree for ceil(SIMD / 3) terms.
`default_nettype none

module hlsgen_dot_lut #(
    parameter int SIMD = 9,            // products
    parameter int INPUT_BITS = 8,      // of an element, which is signed
    parameter int WEIGHT_BITS = 8,     // of a weight: signed, or one bit for a bipolar one
    parameter int WEIGHT_BIPOLAR = 0,
    parameter int DIGITS = 4,          // (WEIGHT_BITS + 1) / 2
    parameter int SUM_BITS = 20
) (
    input  wire logic                              clk,
    input  wire logic [DIGITS*SIMD*INPUT_BITS-1:0] x,  // copy d is delayed by d cycles
    input  wire logic [SIMD*WEIGHT_BITS-1:0]       w,
    output logic [SUM_BITS-1:0]                    sum
);
  localparam int CHAINS = (SIMD + 2) / 3;
  localparam int LONGEST = SIMD < 3 ? SIMD : 3;
  // A digit's product is below 2^(INPUT_BITS+1), the sum of 4^d over the digits is below 4^DIGITS / 3.
  localparam int TERM_BITS = INPUT_BITS + 2 * DIGITS + (LONGEST > 1 ? 1 : 0);

  logic [CHAINS*TERM_BITS-1:0] terms;

  for (genvar c = 0; c < CHAINS; ++c) begin : chain
    localparam int N = SIMD - 3 * c < 3 ? SIMD - 3 * c : 3;
    logic [DIGITS*N*INPUT_BITS-1:0] elements;
    for (genvar d = 0; d < DIGITS; ++d) begin : digit
      assign elements[d*N*INPUT_BITS+:N*INPUT_BITS] = x[(d*SIMD+3*c)*INPUT_BITS+:N*INPUT_BITS];
    end
    hlsgen_lut_chain #(
        .N(N), .INPUT_BITS(INPUT_BITS), .WEIGHT_BITS(WEIGHT_BITS), .WEIGHT_BIPOLAR(WEIGHT_BIPOLAR), .DIGITS(DIGITS),
        .SUM_BITS(TERM_BITS)
    ) lut_chain (
        .clk, .x(elements), .w(w[3*c*WEIGHT_BITS+:N*WEIGHT_BITS]), .complement(terms[c*TERM_BITS+:TERM_BITS])
    );
  end

  hlsgen_adder_tree #(
      .N(CHAINS), .TERM_BITS(TERM_BITS), .OUT_BITS(SUM_BITS), .INVERTED(1)
  ) tree (
      .clk, .terms, .sum
  );
endmodule

`default_nettype wire
