// Dense layer and convolution body: acc = weights * in + bias, for every pixel and group.
//
// Beats in:  per pixel and group INPUT_FOLD beats of SIMD elements.
// Beats out: per pixel and group OUTPUT_FOLD beats of PE accumulators.
// Cycles:    GROUPS * OUTPUT_FOLD * INPUT_FOLD per pixel, without a gap between pixels or images. With OUTPUT_FOLD > 1
//            a ring of two vectors takes beats while others are replayed.
// Latency:   hlsgen_replay's from an input beat to its step, hlsgen_dot_array's from a step to the output beat.
// Memories:  weights, one word per (group, output fold, input fold), and start, one per (group, output fold), both as
//            hlsgen_dot_array says; MAC, PRODUCT_BITS and OFFSET too are explained there.
`default_nettype none

module hlsgen_matvec #(
    parameter int GROUPS = 1,
    parameter int OUTPUT_FOLD = 2,
    parameter int INPUT_FOLD = 4,
    parameter int PE = 2,                       // outputs per beat
    parameter int SIMD = 3,                     // inputs per beat
    parameter int MAC = 1,                      // 0 LUT, 1 DSP, 2 DSP2, 3 XNOR
    parameter int INPUT_BITS = 8,
    parameter int INPUT_SIGNED = 1,
    parameter int INPUT_BIPOLAR = 0,
    parameter int WEIGHT_BITS = 8,
    parameter int WEIGHT_BIPOLAR = 0,
    parameter int PRODUCT_BITS = 15,
    parameter logic [63:0] OFFSET = 64'd16256,
    parameter int ACC_BITS = 20,
    parameter RAM_STYLE = "block",              // of the weights: block, distributed
    parameter WEIGHTS_FILE = "weights.mem",
    parameter START_FILE = "start.mem"
) (
    input  wire logic                       clk,
    input  wire logic                       rst,  // synchronous, active high
    input  wire logic [SIMD*INPUT_BITS-1:0] in_data,
    input  wire logic                       in_valid,
    output logic                            in_ready,
    output logic [PE*ACC_BITS-1:0]          out_data,
    output logic                            out_valid,
    input  wire logic                       out_ready
);
  if (GROUPS < 1) begin : check
    $error("hlsgen_matvec: GROUPS=%0d is not positive", GROUPS);
  end

  logic step, first, last, room;
  logic [SIMD*INPUT_BITS-1:0] x;

  hlsgen_replay #(
      .WIDTH(SIMD * INPUT_BITS), .INPUT_FOLD(INPUT_FOLD), .OUTPUT_FOLD(OUTPUT_FOLD)
  ) replay (
      .clk, .rst, .in_data, .in_valid, .in_ready, .room, .step, .first, .last, .x
  );

  hlsgen_dot_array #(
      .PE(PE), .SIMD(SIMD), .SHARED(1), .INPUT_FOLD(INPUT_FOLD), .ROWS(GROUPS * OUTPUT_FOLD * INPUT_FOLD),
      .START_ROWS(GROUPS * OUTPUT_FOLD), .MAC(MAC), .INPUT_BITS(INPUT_BITS), .INPUT_SIGNED(INPUT_SIGNED),
      .INPUT_BIPOLAR(INPUT_BIPOLAR), .WEIGHT_BITS(WEIGHT_BITS), .WEIGHT_BIPOLAR(WEIGHT_BIPOLAR),
      .PRODUCT_BITS(PRODUCT_BITS), .OFFSET(OFFSET), .ACC_BITS(ACC_BITS), .RAM_STYLE(RAM_STYLE),
      .WEIGHTS_FILE(WEIGHTS_FILE), .START_FILE(START_FILE)
  ) dot_array (
      .clk, .rst, .step, .first, .last, .x, .room, .out_data, .out_valid, .out_ready
  );
endmodule

`default_nettype wire
