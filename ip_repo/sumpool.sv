// Sum of the elements of each window, per channel, plus OFFSET (the zero points'). The division is requant's.
//
// Beats in:  (window, tap group, tile), a beat holds TAPS taps of LANES channels, element = tap * LANES + channel.
// Beats out: (window, tile), each ceil(log3 TAPS) + 1 cycles (2 for a single tap) after its window's last tap group has
//            brought its tile.
// Cycles:    TAP_GROUPS * TILES per window, without a gap between windows.
// Widths:    ACC_BITS hold every result that the input's range can reach. Partial sums may leave it; they are sums
//            modulo 2^ACC_BITS, so the final one is right all the same.
`default_nettype none

module hlsgen_sumpool #(
    parameter int TAP_GROUPS = 9,        // beats per window and tile
    parameter int TAPS = 1,              // taps of a beat
    parameter int TILES = 8,             // channels / LANES
    parameter int LANES = 1,             // channels of a beat
    parameter int INPUT_BITS = 8,        // bits of an element
    parameter bit INPUT_SIGNED = 1,      // 1: its highest bit is a sign
    parameter bit INPUT_BIPOLAR = 0,     // 1: its only bit stands for -1 and +1
    parameter int ACC_BITS = 12,         // bits of a sum
    parameter longint OFFSET = 0,        // added to each sum
    parameter RAM_STYLE = "distributed"  // memory of the sums
) (
    input  wire logic                             clk,
    input  wire logic                             rst,        // synchronous, active high
    input  wire logic [TAPS*LANES*INPUT_BITS-1:0] in_data,
    input  wire logic                             in_valid,
    output logic                                  in_ready,
    output logic [LANES*ACC_BITS-1:0]             out_data,
    output logic                                  out_valid,
    input  wire logic                             out_ready
);
  // Terms are unsigned: with its sign bit inverted, a signed element is 2^(INPUT_BITS-1) more; a bipolar one is 0 or 2,
  // which is 1 more. What all terms of a window are more in sum goes off the start.
  localparam int TERM_BITS = INPUT_BIPOLAR ? 2 : INPUT_BITS;
  localparam bit [ACC_BITS-1:0] EXCESS =
      INPUT_BIPOLAR ? ACC_BITS'(1) : INPUT_SIGNED ? ACC_BITS'(1) << (INPUT_BITS - 1) : '0;
  localparam bit [ACC_BITS-1:0] START = ACC_BITS'(OFFSET) - ACC_BITS'(TAP_GROUPS * TAPS) * EXCESS;

  logic [TAPS*LANES*TERM_BITS-1:0] terms;
  for (genvar i = 0; i < TAPS * LANES; ++i) begin : elements
    if (INPUT_BIPOLAR) begin : bipolar
      assign terms[i*TERM_BITS+:TERM_BITS] = {in_data[i], 1'b0};
    end else begin : number
      assign terms[i*TERM_BITS+:TERM_BITS] =
          in_data[i*INPUT_BITS+:INPUT_BITS] ^ (INPUT_BITS'(INPUT_SIGNED) << (INPUT_BITS - 1));
    end
  end

  hlsgen_pool #(
      .SUM(1), .TAP_GROUPS(TAP_GROUPS), .TAPS(TAPS), .TILES(TILES), .LANES(LANES), .TERM_BITS(TERM_BITS),
      .ACC_BITS(ACC_BITS), .START(START), .RAM_STYLE(RAM_STYLE)
  ) pool (.clk, .rst, .in_data(terms), .in_valid, .in_ready, .out_data, .out_valid, .out_ready);
endmodule

`default_nettype wire
