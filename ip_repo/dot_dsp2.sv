// Two dot products that share their activations, two 8-bit products from each DSP slice:
//
//   (w1 * 2^16 + w0) * x + OFFSET * (2^16 + 1)  =  (w1*x + OFFSET) * 2^16 + (w0*x + OFFSET)
//
// OFFSET = -(smallest product) makes both products unsigned numbers below 2^16, so the halves of the result do not
// disturb each other, at any depth: they are separated before anything is added. The sums are too large by
// SIMD * OFFSET, which the start values of the accumulators take off again.
//
// Weights:  pre-packed pairs of 2 * WEIGHT_BITS + 1 bits, {w1 - (w0 < 0), w0}: widening w0 to 16 bits by its sign then
//           is the borrow that the difference has paid.
// Latency:  3 (operands, product, sum with the offset) + that of hlsgen_adder_tree for SIMD terms.
`default_nettype none

module hlsgen_dot_dsp2 #(
    parameter int SIMD = 9,           // products of each sum
    parameter int INPUT_BITS = 8,     // of an activation, at most 8
    parameter int INPUT_SIGNED = 1,
    parameter int WEIGHT_BITS = 8,    // of a weight, which is signed; at most 8
    parameter int PRODUCT_BITS = 15,  // of a product plus OFFSET; at most 16
    parameter int OFFSET = 16256,
    parameter int SUM_BITS = 19
) (
    input  wire logic                              clk,
    input  wire logic [SIMD*INPUT_BITS-1:0]        x,
    input  wire logic [SIMD*(2*WEIGHT_BITS+1)-1:0] w,
    output logic [2*SUM_BITS-1:0]                  sum  // that of w0 lowest
);
  if (INPUT_BITS > 8 || WEIGHT_BITS > 8 || PRODUCT_BITS > 16) begin : check
    $error("hlsgen_dot_dsp2: INPUT_BITS=%0d, WEIGHT_BITS=%0d, PRODUCT_BITS=%0d are more than 8, 8, 16",
           INPUT_BITS, WEIGHT_BITS, PRODUCT_BITS);
  end

  localparam int PAIR_BITS = 2 * WEIGHT_BITS + 1;

  logic [SIMD*PRODUCT_BITS-1:0] low, high;

  for (genvar i = 0; i < SIMD; ++i) begin : mac
    wire logic [PAIR_BITS-1:0] pair = w[i*PAIR_BITS+:PAIR_BITS];
    wire logic [INPUT_BITS-1:0] activation = x[i*INPUT_BITS+:INPUT_BITS];
    wire logic input_sign = INPUT_SIGNED != 0 && activation[INPUT_BITS-1];
    wire logic signed [8:0] upper = 9'(signed'(pair[PAIR_BITS-1:WEIGHT_BITS]));
    wire logic signed [15:0] lower = 16'(signed'(pair[WEIGHT_BITS-1:0]));
    logic signed [24:0] a;
    logic signed [17:0] b;
    (* use_dsp = "yes" *) logic signed [42:0] m;
    (* use_dsp = "yes" *) logic signed [47:0] p;
    always_ff @(posedge clk) begin
      a <= {upper, lower};
      b <= {{18 - INPUT_BITS{input_sign}}, activation};
      m <= a * b;
      p <= 48'(m) + {16'b0, 16'(OFFSET), 16'(OFFSET)};
    end
    assign low[i*PRODUCT_BITS+:PRODUCT_BITS] = p[PRODUCT_BITS-1:0];
    assign high[i*PRODUCT_BITS+:PRODUCT_BITS] = p[16+:PRODUCT_BITS];
    wire logic unused = &{1'b0, p};
  end

  hlsgen_adder_tree #(
      .N(SIMD), .TERM_BITS(PRODUCT_BITS), .OUT_BITS(SUM_BITS)
  ) low_tree (
      .clk, .terms(low), .sum(sum[SUM_BITS-1:0])
  );
  hlsgen_adder_tree #(
      .N(SIMD), .TERM_BITS(PRODUCT_BITS), .OUT_BITS(SUM_BITS)
  ) high_tree (
      .clk, .terms(high), .sum(sum[2*SUM_BITS-1:SUM_BITS])
  );
endmodule

`default_nettype wire
