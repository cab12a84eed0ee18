// Binary search, LANES at a time: run = the number of thresholds <= x, one level per clock cycle, most significant first.
//
// Level n compares x with one of its 2^n thresholds per channel, chosen by the n comparisons before. Its memory has
// LEVEL_TILES tiles (1 if all channels agree) of 2^n rows, lane 0 lowest. The result of a run is counted from `base`, up
// or, where `falling`, down (COUNTS = 1) or read from a memory of VALUE_TILES tiles of 2^LEVELS rows.
// RAM_STYLE is that of memories of more than SHALLOW rows; the others are in LUTs.
// `step` is high in the cycle in which a beat is accepted; its x is valid in the next one, `base` and `falling` with x.
// Latency: LEVELS + 1 cycles from x to y.
// Widths: thresholds lie in x's domain; `base` +- run has RESULT_BITS signed bits.
`default_nettype none

module hlsgen_requant_threshold #(
    parameter int LANES = 1,
    parameter int X_BITS = 20,       // signed, of thresholds too
    parameter int LEVELS = 4,        // 1 to 16
    parameter int LEVEL_TILES = 1,
    parameter int COUNTS = 1,
    parameter int BASE_BITS = 8,     // signed
    parameter int RESULT_BITS = 8,   // signed
    parameter int VALUE_TILES = 1,
    parameter int OUTPUT_BITS = 8,
    parameter int OUTPUT_BIPOLAR = 0,
    parameter RAM_STYLE = "distributed",
    parameter LEVEL0_FILE = "level0.mem",
    parameter LEVEL1_FILE = "level1.mem",
    parameter LEVEL2_FILE = "level2.mem",
    parameter LEVEL3_FILE = "level3.mem",
    parameter LEVEL4_FILE = "level4.mem",
    parameter LEVEL5_FILE = "level5.mem",
    parameter LEVEL6_FILE = "level6.mem",
    parameter LEVEL7_FILE = "level7.mem",
    parameter LEVEL8_FILE = "level8.mem",
    parameter LEVEL9_FILE = "level9.mem",
    parameter LEVEL10_FILE = "level10.mem",
    parameter LEVEL11_FILE = "level11.mem",
    parameter LEVEL12_FILE = "level12.mem",
    parameter LEVEL13_FILE = "level13.mem",
    parameter LEVEL14_FILE = "level14.mem",
    parameter LEVEL15_FILE = "level15.mem",
    parameter VALUES_FILE = "values.mem"
) (
    input  wire logic                              clk,
    input  wire logic                              rst,   // synchronous, active high
    input  wire logic                              step,
    input  wire logic [LANES-1:0][X_BITS-1:0]      x,
    input  wire logic [LANES-1:0][BASE_BITS-1:0]   base,
    input  wire logic [LANES-1:0]                  falling,
    output logic [LANES-1:0][OUTPUT_BITS-1:0]      y
);
  if (LEVELS < 1 || LEVELS > 16) begin : check_levels
    $error("hlsgen_requant_threshold: LEVELS=%0d is not 1 to 16", LEVELS);
  end

  localparam int SHALLOW = 64;
  localparam int TILES = LEVEL_TILES > VALUE_TILES ? LEVEL_TILES : VALUE_TILES;
  localparam int TILE_BITS = TILES > 1 ? $clog2(TILES) : 1;

  logic [TILE_BITS-1:0] tile;  // of the next beat
  always_ff @(posedge clk)
    if (rst) tile <= '0;
    else if (step) tile <= tile == TILE_BITS'(TILES - 1) ? '0 : tile + 1'b1;

  // level n works on a beat in cycle 1 + n; run[n] is complete up to level n - 1
  logic [LEVELS:0][TILE_BITS-1:0] tiles;           // tiles[n] belongs to run[n]
  logic [LEVELS:0][LANES-1:0][X_BITS-1:0] xs;
  logic [LEVELS:0][LANES-1:0][LEVELS-1:0] run;     // registers, from 1 on
  logic [LEVELS:0][LANES-1:0][LEVELS-1:0] run_next;  // what run[n] becomes at the end of the cycle
  assign run_next[0] = '0;
  assign run[0] = '0;
  assign xs[0] = x;

  always_ff @(posedge clk) begin
    tiles[0] <= tile;
    for (int n = 0; n < LEVELS; n++) begin
      tiles[n+1] <= tiles[n];
      xs[n+1] <= xs[n];
      run[n+1] <= run_next[n+1];
    end
  end

  for (genvar n = 0; n < LEVELS; n++) begin : level
    localparam int WIDTH = LANES * X_BITS;
    // a few rows cost fewer LUTs than a block RAM is worth
    localparam STYLE = (LEVEL_TILES << n) > SHALLOW ? 88'(RAM_STYLE) : 88'("distributed");
    localparam int ROWS = LEVEL_TILES << n;
    localparam int ROW_BITS = ROWS > 1 ? $clog2(ROWS) : 1;

    // the tile of the beat that is at this level in the next cycle
    wire logic [TILE_BITS-1:0] tile_next;
    if (n == 0) begin : begins
      assign tile_next = tile;
    end else begin : continues
      assign tile_next = tiles[n-1];
    end

    for (genvar lane = 0; lane < LANES; lane++) begin : lanes
      wire logic [ROW_BITS-1:0] row =
          ROW_BITS'(LEVEL_TILES > 1 ? 32'(tile_next) << n : 32'd0) | ROW_BITS'(run_next[n][lane]);
      logic [WIDTH-1:0] thresholds;
      // one by one, for a file's name has to remain a string parameter; level 0 is the same row for all lanes
      case (n)
        0: begin : rom_0
          if (lane > 0) begin : shared
            assign thresholds = level[0].lanes[0].thresholds;
          end else begin : own
            hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL0_FILE))
            rom (.clk, .address(row), .data(thresholds));
          end
        end
        1: begin : rom_1
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL1_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        2: begin : rom_2
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL2_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        3: begin : rom_3
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL3_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        4: begin : rom_4
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL4_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        5: begin : rom_5
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL5_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        6: begin : rom_6
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL6_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        7: begin : rom_7
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL7_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        8: begin : rom_8
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL8_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        9: begin : rom_9
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL9_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        10: begin : rom_10
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL10_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        11: begin : rom_11
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL11_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        12: begin : rom_12
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL12_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        13: begin : rom_13
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL13_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        14: begin : rom_14
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL14_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
        default: begin : rom_15
          hlsgen_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .STYLE(STYLE), .FILE(LEVEL15_FILE))
          rom (.clk, .address(row), .data(thresholds));
        end
      endcase
      wire logic above = signed'(xs[n][lane]) >= signed'(thresholds[lane*X_BITS+:X_BITS]);
      wire logic unused = &{1'b0, row, thresholds};  // each lane has its own column
      assign run_next[n+1][lane] = LEVELS'({run[n][lane], above});
    end
  end

  for (genvar lane = 0; lane < LANES; lane++) begin : result
    wire logic [LEVELS-1:0] last = run[LEVELS][lane];
    if (COUNTS != 0) begin : counts
      logic signed [BASE_BITS-1:0] base_last;
      logic falling_last;
      hlsgen_requant_delay #(
          .WIDTH(BASE_BITS + 1),
          .DELAY(LEVELS)
      ) delay (
          .clk,
          .data({base[lane], falling[lane]}),
          .delayed({base_last, falling_last})
      );
      wire logic [RESULT_BITS-1:0] count = RESULT_BITS'(last) ^ {RESULT_BITS{falling_last}};
      // the carry into the lowest bit completes the negation
      wire logic [RESULT_BITS:0] total = {RESULT_BITS'(base_last), 1'b1} + {count, falling_last};
      wire logic signed [RESULT_BITS-1:0] sum = total[RESULT_BITS:1];
      always_ff @(posedge clk) y[lane] <= OUTPUT_BIPOLAR != 0 ? OUTPUT_BITS'(sum > 0) : OUTPUT_BITS'(sum);
      wire logic unused = total[0];
    end else begin : values
      localparam int ROWS = VALUE_TILES << LEVELS;
      localparam int ROW_BITS = $clog2(ROWS);
      wire logic [ROW_BITS-1:0] row =
          ROW_BITS'(VALUE_TILES > 1 ? 32'(tiles[LEVELS]) << LEVELS : 32'd0) | ROW_BITS'(last);
      logic [LANES-1:0][OUTPUT_BITS-1:0] results;
      hlsgen_rom #(
          .WIDTH(LANES * OUTPUT_BITS),
          .DEPTH(ROWS),
          .STYLE(RAM_STYLE),
          .FILE(VALUES_FILE)
      ) rom (
          .clk,
          .address(row),
          .data(results)
      );
      assign y[lane] = results[lane];
      wire logic unused = &{1'b0, base[lane], falling[lane], results};
    end
  end
  wire logic unused = &{1'b0, tiles, xs[LEVELS]};
endmodule

`default_nettype wire
