// Largest element of each window, per channel.
//
// Beats in:  (window, tap group, tile), a beat holds TAPS taps of LANES channels, element = tap * LANES + channel.
// Beats out: (window, tile), each $clog2(TAPS) + 1 cycles (2 for a single tap) after its window's last tap group has
//            brought its tile.
// Cycles:    TAP_GROUPS * TILES per window, without a gap between windows.
// Widths:    elements are only compared and moved. A bipolar element is 0 or 1 on the wire, in the order of -1 and +1.
`default_nettype none

module hlsgen_maxpool #(
    parameter int TAP_GROUPS = 9,        // beats per window and tile
    parameter int TAPS = 1,              // taps of a beat
    parameter int TILES = 8,             // channels / LANES
    parameter int LANES = 1,             // channels of a beat
    parameter int TYPE_BITS = 8,         // bits of an element
    parameter bit TYPE_SIGNED = 1,       // 1: its highest bit is a sign
    parameter RAM_STYLE = "distributed"  // memory of what each tile has come to
) (
    input  wire logic                            clk,
    input  wire logic                            rst,        // synchronous, active high
    input  wire logic [TAPS*LANES*TYPE_BITS-1:0] in_data,
    input  wire logic                            in_valid,
    output logic                                 in_ready,
    output logic [LANES*TYPE_BITS-1:0]           out_data,
    output logic                                 out_valid,
    input  wire logic                            out_ready
);
  // with its sign bit inverted, a signed number orders as an unsigned one
  localparam bit [TYPE_BITS-1:0] FLIP = TYPE_BITS'(TYPE_SIGNED) << (TYPE_BITS - 1);
  logic [LANES*TYPE_BITS-1:0] largest;
  assign out_data = largest ^ {LANES{FLIP}};

  hlsgen_pool #(
      .SUM(0), .TAP_GROUPS(TAP_GROUPS), .TAPS(TAPS), .TILES(TILES), .LANES(LANES), .TERM_BITS(TYPE_BITS),
      .ACC_BITS(TYPE_BITS), .RAM_STYLE(RAM_STYLE)
  ) pool (
      .clk, .rst, .in_data(in_data ^ {TAPS * LANES{FLIP}}), .in_valid, .in_ready, .out_data(largest), .out_valid,
      .out_ready);
endmodule

`default_nettype wire
