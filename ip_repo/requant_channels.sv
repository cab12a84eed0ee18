// Parameters of the channels in a beat: from a ROM with a row per channel tile, or constants where all channels agree.
//
// A lane's word is its FIELDS parameters side by side, field 0 lowest, BITS[f] bits each. A field that VARIES is a
// column of the ROM (columns of a lane in the order of the fields, lanes side by side, lane 0 lowest); another one is
// VALUE[f], the same for all channels. With PASSES = 2 a tile has two rows: those of all tiles' first
// cycles, as many as the next power of two, and then those of their second cycles.
// `step` is high in every cycle that reads a row: PASSES cycles for a beat, one after the other. The words are valid in
// the next cycle. Tiles follow one another in a circle, beginning with tile 0 after a reset.
`default_nettype none

module hlsgen_requant_channels #(
    parameter int TILES = 1,      // channel tiles with parameters of their own
    parameter int PASSES = 1,
    parameter int LANES = 1,
    parameter int FIELDS = 1,
    parameter int BITS [FIELDS] = '{default: 1},
    parameter int VARIES [FIELDS] = '{default: 0},
    parameter int VALUE [FIELDS] = '{default: 0},
    parameter int WORD_BITS = 1,  // sum of BITS
    parameter RAM_STYLE = "distributed",
    parameter CHANNELS_FILE = "channels.mem"
) (
    input  wire logic                        clk,
    input  wire logic                        rst,   // synchronous, active high
    input  wire logic                        step,
    output logic [LANES-1:0][WORD_BITS-1:0]  words
);
  // bits of the fields below `field`, all of them or only the varying ones
  function automatic int bits_below(int field, bit varying);
    int sum;
    sum = 0;
    for (int f = 0; f < field; f++) if (!varying || VARIES[f] != 0) sum += BITS[f];
    return sum;
  endfunction

  localparam int COLUMN_BITS = bits_below(FIELDS, 1'b1);
  localparam int TILE_BITS = TILES > 1 ? $clog2(TILES) : 1;
  localparam int ROWS = PASSES == 2 ? (1 << TILE_BITS) + TILES : TILES;
  localparam int ROW_BITS = ROWS > 1 ? $clog2(ROWS) : 1;

  if (WORD_BITS != bits_below(FIELDS, 1'b0)) begin : check_word
    $error("hlsgen_requant_channels: WORD_BITS=%0d is not the sum of BITS", WORD_BITS);
  end

  if (COLUMN_BITS > 0) begin : varying
    logic [TILE_BITS-1:0] tile;
    logic second;  // the tile's second row is next
    logic [LANES-1:0][COLUMN_BITS-1:0] columns;

    always_ff @(posedge clk)
      if (rst) begin
        tile <= '0;
        second <= 1'b0;
      end else if (step) begin
        second <= PASSES == 2 && !second;
        if (PASSES == 1 || second) tile <= tile == TILE_BITS'(TILES - 1) ? '0 : tile + 1'b1;
      end

    hlsgen_rom #(
        .WIDTH(LANES * COLUMN_BITS),
        .DEPTH(ROWS),
        .STYLE(RAM_STYLE),
        .FILE(CHANNELS_FILE)
    ) rom (
        .clk,
        .address(ROW_BITS'({second, tile})),
        .data(columns)
    );

    for (genvar lane = 0; lane < LANES; lane++) begin : lanes
      for (genvar f = 0; f < FIELDS; f++) begin : fields
        if (VARIES[f] != 0) begin : column
          assign words[lane][bits_below(f, 1'b0)+:BITS[f]] = columns[lane][bits_below(f, 1'b1)+:BITS[f]];
        end else begin : constant
          assign words[lane][bits_below(f, 1'b0)+:BITS[f]] = VALUE[f][BITS[f]-1:0];
        end
      end
    end
  end else begin : constant
    for (genvar lane = 0; lane < LANES; lane++) begin : lanes
      for (genvar f = 0; f < FIELDS; f++) begin : fields
        assign words[lane][bits_below(f, 1'b0)+:BITS[f]] = VALUE[f][BITS[f]-1:0];
      end
    end
    wire logic unused = &{1'b0, clk, rst, step};
  end
endmodule

`default_nettype wire
