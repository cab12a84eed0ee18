// Depthwise convolution body: acc[c] = sum over taps of in[tap, c] * weights[c, tap] + bias[c], for every pixel.
//
// Beats in:  per pixel and tile of PE channels TAP_GROUPS beats of TAPS * PE elements, element = tap * PE + channel.
// Beats out: per pixel and tile one beat of PE accumulators.
// Cycles:    TILES * TAP_GROUPS per pixel, without a gap between pixels or images.
// Latency:   a step is an input beat's acceptance; hlsgen_dot_array's from a step to the output beat.
// Memories:  weights, one word per (tile, tap group), and start, one per tile, both as hlsgen_dot_array says; MAC,
//            PRODUCT_BITS and OFFSET too are explained there.
`default_nettype none

module hlsgen_depthwise #(
    parameter int TILES = 2,
    parameter int TAP_GROUPS = 3,
    parameter int PE = 2,                       // channels per beat
    parameter int TAPS = 3,                     // taps per beat
    parameter int MAC = 1,                      // 0 LUT, 1 DSP, 3 XNOR
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
    input  wire logic                          clk,
    input  wire logic                          rst,  // synchronous, active high
    input  wire logic [TAPS*PE*INPUT_BITS-1:0] in_data,
    input  wire logic                          in_valid,
    output logic                               in_ready,
    output logic [PE*ACC_BITS-1:0]             out_data,
    output logic                               out_valid,
    input  wire logic                          out_ready
);
  logic step, first, last, room;
  logic [TAPS-1:0][PE-1:0][INPUT_BITS-1:0] x;
  logic [PE-1:0][TAPS-1:0][INPUT_BITS-1:0] by_channel;

  for (genvar p = 0; p < PE; ++p) begin : channel
    for (genvar t = 0; t < TAPS; ++t) begin : tap
      assign by_channel[p][t] = x[t][p];
    end
  end

  hlsgen_replay #(
      .WIDTH(TAPS * PE * INPUT_BITS), .INPUT_FOLD(TAP_GROUPS), .OUTPUT_FOLD(1)
  ) replay (
      .clk, .rst, .in_data, .in_valid, .in_ready, .room, .step, .first, .last, .x
  );

  hlsgen_dot_array #(
      .PE(PE), .SIMD(TAPS), .SHARED(0), .INPUT_FOLD(TAP_GROUPS), .ROWS(TILES * TAP_GROUPS), .START_ROWS(TILES),
      .MAC(MAC), .INPUT_BITS(INPUT_BITS), .INPUT_SIGNED(INPUT_SIGNED), .INPUT_BIPOLAR(INPUT_BIPOLAR),
      .WEIGHT_BITS(WEIGHT_BITS), .WEIGHT_BIPOLAR(WEIGHT_BIPOLAR), .PRODUCT_BITS(PRODUCT_BITS), .OFFSET(OFFSET),
      .ACC_BITS(ACC_BITS), .RAM_STYLE(RAM_STYLE), .WEIGHTS_FILE(WEIGHTS_FILE), .START_FILE(START_FILE)
  ) dot_array (
      .clk, .rst, .step, .first, .last, .x(by_channel), .room, .out_data, .out_valid, .out_ready
  );
endmodule

`default_nettype wire
