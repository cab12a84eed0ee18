// What maxpool and sumpool share: reduces each window's unsigned terms, per channel, to their sum or their largest.
//
// Beats in:  (window, tap group, tile), a beat holds TAPS taps of LANES channels, term = tap * LANES + channel.
// Beats out: (window, tile), each STAGES + 1 cycles after the window's last tap group has brought its tile. STAGES is
//            the depth of the tree that reduces a beat's taps, but at least one.
// Cycles:    TAP_GROUPS * TILES per window, without a gap between windows.
// Widths:    a sum is START + terms modulo 2^ACC_BITS; partial ones may leave the range, the last one must not.
// Cost:      one accumulator per channel, TILES words of LANES * ACC_BITS bits, and a queue of STAGES + 2 beats.
`default_nettype none

module hlsgen_pool #(
    parameter bit SUM = 1,                   // 1: sums; 0: largest terms (ACC_BITS is TERM_BITS then, START unused)
    parameter int TAP_GROUPS = 9,            // beats per window and tile
    parameter int TAPS = 1,                  // taps of a beat
    parameter int TILES = 8,                 // channels / LANES
    parameter int LANES = 1,                 // channels of a beat
    parameter int TERM_BITS = 8,             // bits of a term
    parameter int ACC_BITS = 12,             // bits of a result
    parameter bit [ACC_BITS-1:0] START = '0, // added to each sum
    parameter RAM_STYLE = "distributed"      // memory of the accumulators, where there are several tiles
) (
    input  wire logic                            clk,
    input  wire logic                            rst,        // synchronous, active high
    input  wire logic [TAPS*LANES*TERM_BITS-1:0] in_data,
    input  wire logic                            in_valid,
    output logic                                 in_ready,
    output logic [LANES*ACC_BITS-1:0]            out_data,
    output logic                                 out_valid,
    input  wire logic                            out_ready
);
  // levels of hlsgen_adder_tree and hlsgen_max_tree
  function automatic int levels();
    levels = 0;
    for (int n = TAPS; n > 1; n = SUM ? (n + 2) / 3 : (n + 1) / 2) levels = levels + 1;
  endfunction

  localparam int STAGES = levels() > 0 ? levels() : 1;
  localparam int TILE_BITS = TILES > 1 ? $clog2(TILES) : 1;             // counts 0..TILES-1
  localparam int GROUP_BITS = TAP_GROUPS > 1 ? $clog2(TAP_GROUPS) : 1;  // counts 0..TAP_GROUPS-1
  // a tree of sums ends with all its bits, or those that ACC_BITS need
  localparam int SUM_BITS = TERM_BITS + $clog2(TAPS) < ACC_BITS ? TERM_BITS + $clog2(TAPS) : ACC_BITS;
  localparam int REDUCED_BITS = SUM ? SUM_BITS : TERM_BITS;
  if (TAP_GROUPS < 1 || TAPS < 1 || TILES < 1 || LANES < 1 || TERM_BITS < 1) begin : check_counts
    $error("hlsgen_pool: TAP_GROUPS=%0d, TAPS=%0d, TILES=%0d, LANES=%0d, TERM_BITS=%0d must be positive", TAP_GROUPS,
           TAPS, TILES, LANES, TERM_BITS);
  end
  if (!SUM && ACC_BITS != TERM_BITS) begin : check_bits
    $error("hlsgen_pool: the largest of terms of %0d bits has no ACC_BITS=%0d", TERM_BITS, ACC_BITS);
  end

  // What comes in: the position within the window. A window's last beats need a place in the queue.
  typedef struct packed {
    logic valid;
    logic first;  // tap group of the window
    logic last;   // tap group of the window
    logic [TILE_BITS-1:0] tile;
  } beat_t;
  logic [TILE_BITS-1:0] tile;
  logic [GROUP_BITS-1:0] group;
  logic first;
  logic last;
  logic room;
  beat_t incoming;
  beat_t [STAGES-1:0] delayed;  // delayed[i] came in i + 1 cycles ago
  beat_t now;                   // the one that is accumulated
  assign in_ready = room || !last;
  assign incoming = '{valid: in_valid && in_ready, first: first, last: last, tile: tile};
  assign now = delayed[STAGES-1];

  always_ff @(posedge clk) begin
    for (int i = 0; i < STAGES; ++i) delayed[i] <= i == 0 ? incoming : delayed[i-1];
    if (rst) begin
      for (int i = 0; i < STAGES; ++i) delayed[i].valid <= 1'b0;
      tile <= '0;
      group <= '0;
      first <= 1'b1;
      last <= TAP_GROUPS == 1;
    end else if (incoming.valid) begin
      tile <= tile == TILE_BITS'(TILES - 1) ? '0 : tile + 1'b1;
      if (tile == TILE_BITS'(TILES - 1)) begin
        group <= last ? '0 : group + 1'b1;
        first <= last;
        last <= TAP_GROUPS == 1 || int'(group) == TAP_GROUPS - 2;
      end
    end
  end

  // the taps of each channel reduced to one term, in STAGES cycles
  logic [LANES-1:0][REDUCED_BITS-1:0] reduced;
  for (genvar lane = 0; lane < LANES; ++lane) begin : lanes
    logic [TAPS*TERM_BITS-1:0] terms;
    logic [REDUCED_BITS-1:0] result;
    for (genvar tap = 0; tap < TAPS; ++tap) begin : taps
      assign terms[tap*TERM_BITS+:TERM_BITS] = in_data[(tap*LANES+lane)*TERM_BITS+:TERM_BITS];
    end
    if (SUM) begin : sum
      hlsgen_adder_tree #(.N(TAPS), .TERM_BITS(TERM_BITS), .OUT_BITS(REDUCED_BITS)) tree (.clk, .terms, .sum(result));
    end else begin : max
      hlsgen_max_tree #(.N(TAPS), .TERM_BITS(TERM_BITS)) tree (.clk, .terms, .largest(result));
    end
    if (TAPS > 1) begin : pipelined
      assign reduced[lane] = result;
    end else begin : single
      always_ff @(posedge clk) reduced[lane] <= result;
    end
  end

  // The accumulators. A tile's is read and written in the same cycle (block RAM: read the cycle before), and again
  // TILES cycles later at the earliest.
  logic [LANES-1:0][ACC_BITS-1:0] former;
  logic [LANES-1:0][ACC_BITS-1:0] after;
  for (genvar lane = 0; lane < LANES; ++lane) begin : accumulate
    if (SUM) begin : sum
      assign after[lane] = (now.first ? START : former[lane]) + ACC_BITS'(reduced[lane]);
    end else begin : max
      assign after[lane] = now.first || reduced[lane] > former[lane] ? reduced[lane] : former[lane];
    end
  end

  if (TAP_GROUPS == 1) begin : no_accumulator
    assign former = '0;
    wire logic unused = &{1'b0, now.tile};
  end else if (TILES == 1) begin : one_accumulator
    always_ff @(posedge clk) if (now.valid) former <= after;
    wire logic unused = &{1'b0, now.tile};
  end else begin : accumulators
    (* ram_style = RAM_STYLE *) logic [LANES*ACC_BITS-1:0] ram [TILES];
    always_ff @(posedge clk) if (now.valid) ram[now.tile] <= after;
    if (80'(RAM_STYLE) == 80'("block")) begin : block
      logic [TILE_BITS-1:0] next_tile;
      if (STAGES == 1) begin : at_once
        assign next_tile = tile;
      end else begin : later
        assign next_tile = delayed[STAGES-2].tile;
      end
      always_ff @(posedge clk) former <= ram[next_tile];
    end else begin : distributed
      assign former = ram[now.tile];
    end
  end

  hlsgen_queue #(.WIDTH(LANES * ACC_BITS), .DEPTH(STAGES + 2)) queue (
      .clk, .rst, .claim(incoming.valid && last), .room, .push_data(after), .push(now.valid && now.last),
      .out_data, .out_valid, .out_ready);
endmodule

`default_nettype wire
