// The channels of several frames side by side, pixel by pixel.
//
// Beats in:  input i, i < PARTS, has TILES[i] beats of LANES channels per pixel.
// Beats out: per pixel all beats of input 0, then all of input 1, ...; each in the cycle after it was taken in.
// Cycles:    sum of TILES per pixel.
// Cost:      a multiplexer of the inputs and a queue of two beats.
`default_nettype none

module hlsgen_concat #(
    parameter int PARTS = 2,                                 // inputs
    parameter bit [PARTS-1:0][31:0] TILES = {PARTS{32'd1}},  // beats per pixel of each
    parameter int LANES = 1,                                 // channels of a beat
    parameter int TYPE_BITS = 8                              // bits of an element
) (
    input  wire logic                             clk,
    input  wire logic                             rst,        // synchronous, active high
    input  wire logic [PARTS*LANES*TYPE_BITS-1:0] in_data,    // {part PARTS-1, ..., part 0}
    input  wire logic [PARTS-1:0]                 in_valid,
    output logic [PARTS-1:0]                      in_ready,
    output logic [LANES*TYPE_BITS-1:0]            out_data,
    output logic                                  out_valid,
    input  wire logic                             out_ready
);
  if (PARTS < 2 || LANES < 1 || TYPE_BITS < 1) begin : check
    $error("hlsgen_concat: PARTS=%0d (at least 2), LANES=%0d and TYPE_BITS=%0d must be positive", PARTS, LANES,
           TYPE_BITS);
  end

  function automatic int max_tiles();
    max_tiles = 0;
    for (int i = 0; i < PARTS; ++i) if (int'(TILES[i]) > max_tiles) max_tiles = int'(TILES[i]);
  endfunction

  localparam int WIDTH = LANES * TYPE_BITS;
  localparam int TILE_BITS = $clog2(max_tiles() + 1);

  logic [PARTS-1:0] part;  // whose turn it is; one bit is set
  logic [TILE_BITS-1:0] tile;
  logic [PARTS-1:0] last;  // tile of the part whose turn it is
  logic [PARTS-1:0][WIDTH-1:0] chosen;
  logic room;
  logic [WIDTH-1:0] beat;
  wire logic offer = |(in_valid & part);
  assign in_ready = part & {PARTS{room}};

  for (genvar i = 0; i < PARTS; ++i) begin : parts
    if (int'(TILES[i]) < 1) begin : check_tiles
      $error("hlsgen_concat: TILES=%0d is not positive", TILES[i]);
    end
    assign last[i] = part[i] && tile == TILE_BITS'(TILES[i] - 1);
    assign chosen[i] = part[i] ? in_data[i*WIDTH+:WIDTH] : '0;
  end
  always_comb begin
    beat = '0;
    for (int i = 0; i < PARTS; ++i) beat |= chosen[i];
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      part <= PARTS'(1);
      tile <= '0;
    end else if (offer && room) begin
      tile <= last != '0 ? '0 : tile + 1'b1;
      if (last != '0) part <= {part[PARTS-2:0], part[PARTS-1]};
    end
  end

  hlsgen_fifo #(.WIDTH(WIDTH), .DEPTH(2)) fifo (
      .clk, .rst, .in_data(beat), .in_valid(offer), .in_ready(room), .out_data, .out_valid, .out_ready);
endmodule

`default_nettype wire
