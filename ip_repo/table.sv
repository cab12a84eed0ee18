// table: any function of one element, as a ROM of all results.
//
// Beats in, out: a frame's, LANES channels each, channel tiles fastest; tile 0 is the first after a reset.
// Cycles:  1 per beat. Latency: 2 cycles from acceptance to offer (the ROM's register, the output queue).
// Memory:  TILES tiles (1 if all channels share a table) of 2^INDEX_BITS rows; a row has one result per lane, lane 0
//          lowest, or a single one for all lanes (COLUMNS = 1). The row is the lowest INDEX_BITS bits of the element, which
//          differ for all inputs in the table's domain: no more than 2^INDEX_BITS consecutive numbers.
`default_nettype none

module hlsgen_table #(
    parameter int LANES = 1,
    parameter int INPUT_BITS = 8,
    parameter int OUTPUT_BITS = 8,
    parameter int INDEX_BITS = 8,
    parameter int TILES = 1,
    parameter int COLUMNS = 1,
    parameter RAM_STYLE = "distributed",
    parameter VALUES_FILE = "values.mem"
) (
    input  wire logic                         clk,
    input  wire logic                         rst,        // synchronous, active high
    input  wire logic [LANES*INPUT_BITS-1:0]  in_data,
    input  wire logic                         in_valid,
    output logic                              in_ready,
    output logic [LANES*OUTPUT_BITS-1:0]      out_data,
    output logic                              out_valid,
    input  wire logic                         out_ready
);
  if (INDEX_BITS < 1 || INDEX_BITS > INPUT_BITS) begin : check_index
    $error("hlsgen_table: INDEX_BITS=%0d of INPUT_BITS=%0d", INDEX_BITS, INPUT_BITS);
  end
  if (COLUMNS != 1 && COLUMNS != LANES) begin : check_columns
    $error("hlsgen_table: COLUMNS=%0d is neither 1 nor LANES=%0d", COLUMNS, LANES);
  end

  localparam int LATENCY = 2;
  localparam int QUEUE = LATENCY + 1;  // a place is free again LATENCY + 1 cycles after it was claimed
  localparam int TILE_BITS = TILES > 1 ? $clog2(TILES) : 1;
  localparam int ADDRESS_BITS = TILES > 1 ? TILE_BITS + INDEX_BITS : INDEX_BITS;

  wire logic issue = in_valid && in_ready;
  logic [TILE_BITS-1:0] tile;
  logic looked_up;
  always_ff @(posedge clk) begin
    if (rst) begin
      tile <= '0;
      looked_up <= 1'b0;
    end else begin
      if (issue) tile <= tile == TILE_BITS'(TILES - 1) ? '0 : tile + 1'b1;
      looked_up <= issue;
    end
  end

  logic [LANES-1:0][OUTPUT_BITS-1:0] results;
  for (genvar lane = 0; lane < LANES; lane++) begin : lanes
    wire logic [INDEX_BITS-1:0] index = in_data[lane*INPUT_BITS+:INDEX_BITS];
    logic [COLUMNS-1:0][OUTPUT_BITS-1:0] row;
    hlsgen_rom #(
        .WIDTH(COLUMNS * OUTPUT_BITS),
        .DEPTH(TILES << INDEX_BITS),
        .STYLE(RAM_STYLE),
        .FILE(VALUES_FILE)
    ) rom (
        .clk,
        .address(ADDRESS_BITS'({tile, index})),
        .data(row)
    );
    assign results[lane] = row[COLUMNS == 1 ? 0 : lane];
    wire logic unused = &{1'b0, row};  // of the other lanes
  end
  wire logic unused = &{1'b0, in_data};

  hlsgen_queue #(
      .WIDTH(LANES * OUTPUT_BITS),
      .DEPTH(QUEUE)
  ) queue (
      .clk,
      .rst,
      .claim(issue),
      .room(in_ready),
      .push_data(results),
      .push(looked_up),
      .out_data,
      .out_valid,
      .out_ready
  );
endmodule

`default_nettype wire
