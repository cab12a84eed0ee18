// Dot product with one DSP slice per product: sum of x * w + OFFSET over SIMD products.
//
// OFFSET = -(smallest product) makes the products unsigned, which shortens the adders behind them; the start values of
// the accumulators take SIMD * OFFSET off again. Operands beyond 25 x 18 bits take several slices.
// Latency: 3 (operands, product, sum with the offset) + that of hlsgen_adder_tree for SIMD terms.
`default_nettype none

module hlsgen_dot_dsp #(
    parameter int SIMD = 9,                       // products
    parameter int INPUT_BITS = 9,                 // of an activation, which is signed
    parameter int WEIGHT_BITS = 8,                // of a weight, which is signed
    parameter int PRODUCT_BITS = 16,              // of a product plus OFFSET
    parameter logic [63:0] OFFSET = 64'd32640,
    parameter int SUM_BITS = 20
) (
    input  wire logic                        clk,
    input  wire logic [SIMD*INPUT_BITS-1:0]  x,
    input  wire logic [SIMD*WEIGHT_BITS-1:0] w,
    output logic [SUM_BITS-1:0]              sum
);
  localparam int FULL_BITS = INPUT_BITS + WEIGHT_BITS;  // of a signed product
  if (PRODUCT_BITS > FULL_BITS || FULL_BITS > 64) begin : check
    $error("hlsgen_dot_dsp: products of %0d x %0d bits do not fit %0d (at most 64)",
           INPUT_BITS, WEIGHT_BITS, PRODUCT_BITS);
  end

  logic [SIMD*PRODUCT_BITS-1:0] products;

  for (genvar i = 0; i < SIMD; ++i) begin : mac
    logic signed [INPUT_BITS-1:0] a;
    logic signed [WEIGHT_BITS-1:0] b;
    (* use_dsp = "yes" *) logic signed [FULL_BITS-1:0] m;
    (* use_dsp = "yes" *) logic [PRODUCT_BITS-1:0] p;
    always_ff @(posedge clk) begin
      a <= x[i*INPUT_BITS+:INPUT_BITS];
      b <= w[i*WEIGHT_BITS+:WEIGHT_BITS];
      m <= a * b;
      p <= PRODUCT_BITS'(m) + OFFSET[PRODUCT_BITS-1:0];
    end
    assign products[i*PRODUCT_BITS+:PRODUCT_BITS] = p;
    wire logic unused = &{1'b0, m};
  end

  hlsgen_adder_tree #(
      .N(SIMD), .TERM_BITS(PRODUCT_BITS), .OUT_BITS(SUM_BITS)
  ) tree (
      .clk, .terms(products), .sum
  );
endmodule

`default_nettype wire
