// add: the sum of two frames, scaled and rounded by an exact integer unit.
//
// UNIT 0, join:       clamp(round((a * mul_a + b * mul_b + add) >> DROP, >> SHIFT) + ZERO_POINT, LO, HI)
// UNIT 1, float_join: clamp(round to float32, then half to even (a * mul_a + b_term[b], >> SHIFT), LO, HI)
// Beats in:  a frame's from each of two inputs (0: a, 1: b), LANES channels each, channel tiles fastest; tile 0 is the
//            first after a reset. A beat is taken from both at once.
// Beats out: one for each pair.
// Cycles:  1 per beat. Latency: LATENCY cycles from acceptance to offer, see below: input register, sum, rounding, queue.
// The pipeline runs freely; a pair enters only if the queue behind it has room for its result.
//
// METHOD of the products: 0 DSP blocks, in parts of 17 bits of a multiplier that is too wide; 1 adders in LUTs; 2 tables
// in LUTs, for multipliers that all channels share: the sum over groups of the inputs' bits of what they contribute.
// Parameters of the channels: three fields (requant_channels.sv): mul_a, mul_b, add.
`default_nettype none

module hlsgen_add #(
    parameter int UNIT = 0,
    parameter int LANES = 1,
    parameter int A_BITS = 8,        // wires of an element
    parameter int A_BIPOLAR = 0,
    parameter int A_X_BITS = 8,      // signed, of every a in the proved domain
    parameter int B_BITS = 8,
    parameter int B_BIPOLAR = 0,
    parameter int B_X_BITS = 8,
    parameter int OUTPUT_BITS = 8,
    parameter int OUTPUT_BIPOLAR = 0,
    parameter int METHOD = 0,
    parameter int A_PARTS = 1,       // METHOD 0: multipliers for a * mul_a
    parameter int B_PARTS = 1,
    // parameters of the channels
    parameter int TILES = 1,
    parameter int BITS [3] = '{default: 1},
    parameter int VARIES [3] = '{default: 0},
    parameter int VALUE [3] = '{default: 0},
    parameter CHANNELS_FILE = "channels.mem",
    // METHOD 2: bits of the first group; b's are the lowest
    parameter int FIRST = 6,
    parameter TABLES_FILE = "tables.mem",
    // float_join, METHOD 0: b_term plus half a unit by b's wires
    parameter int TERM_BITS = 8,     // signed
    parameter B_TERM_FILE = "b_term.mem",
    // rounding and clamp (requant_round.sv)
    parameter int SUM_BITS = 16,
    parameter int DROP = 0,
    parameter int SHIFT = 0,
    parameter int ROUNDING = 4,
    parameter int ZERO_POINT = 0,
    parameter int NEAR_BITS = 10,
    parameter int LO = 0,
    parameter int HI = 0
) (
    input  wire logic                               clk,
    input  wire logic                               rst,        // synchronous, active high
    input  wire logic [LANES*(A_BITS+B_BITS)-1:0]   in_data,
    input  wire logic [1:0]                         in_valid,
    output logic [1:0]                              in_ready,
    output logic [LANES*OUTPUT_BITS-1:0]            out_data,
    output logic                                    out_valid,
    input  wire logic                               out_ready
);
  if (UNIT < 0 || UNIT > 1 || METHOD < 0 || METHOD > 2 || (UNIT == 1 && METHOD == 1)) begin : check_unit
    $error("hlsgen_add: UNIT=%0d with METHOD=%0d", UNIT, METHOD);
  end

  // cycles from the inputs' registers to the sum
  localparam int PAIR_BITS = A_BITS + B_BITS;
  localparam int TABLES_LATENCY = PAIR_BITS <= FIRST ? 1 : 1 + (PAIR_BITS - FIRST + 4) / 5;
  localparam int A_LATENCY = METHOD == 1 ? (BITS[0] + 3) / 4 : A_PARTS + 1;
  localparam int B_LATENCY = UNIT == 1 ? 0 : METHOD == 1 ? (BITS[1] + 3) / 4 : B_PARTS + 1;
  localparam int SUM_LATENCY = METHOD == 2 ? TABLES_LATENCY : A_LATENCY + B_LATENCY;
  localparam int UNIT_LATENCY = SUM_LATENCY + 3;
  localparam int LATENCY = UNIT_LATENCY + 2;
  localparam int QUEUE = LATENCY + 1;  // a place is free again LATENCY + 1 cycles after it was claimed

  // -- control --------------------------------------------------------------------------------------------------------

  logic room;
  logic [UNIT_LATENCY:0] valid;  // valid[i]: a pair was accepted i + 1 cycles ago
  wire logic issue = room && in_valid == 2'b11;
  assign in_ready = {room && in_valid[0], room && in_valid[1]};

  always_ff @(posedge clk)
    if (rst) valid <= '0;
    else valid <= {valid[UNIT_LATENCY-1:0], issue};

  // -- the pair and its parameters, one cycle after acceptance --------------------------------------------------------

  localparam int WORD_BITS = BITS[0] + BITS[1] + BITS[2];
  logic [LANES-1:0][WORD_BITS-1:0] words;
  logic [LANES-1:0][A_BITS-1:0] a_wires;
  logic [LANES-1:0][B_BITS-1:0] b_wires;
  logic [LANES-1:0][OUTPUT_BITS-1:0] results;

  hlsgen_requant_channels #(
      .TILES(TILES),
      .LANES(LANES),
      .FIELDS(3),
      .BITS(BITS),
      .VARIES(VARIES),
      .VALUE(VALUE),
      .WORD_BITS(WORD_BITS),
      .CHANNELS_FILE(CHANNELS_FILE)
  ) channels (
      .clk,
      .rst,
      .step(issue),
      .words
  );

  always_ff @(posedge clk) {b_wires, a_wires} <= in_data;

  // -- the sum, rounded -----------------------------------------------------------------------------------------------

  for (genvar lane = 0; lane < LANES; lane++) begin : lanes
    wire logic signed [BITS[0]-1:0] mul_a = words[lane][0+:BITS[0]];
    wire logic signed [BITS[1]-1:0] mul_b = words[lane][BITS[0]+:BITS[1]];
    wire logic signed [BITS[2]-1:0] add = words[lane][BITS[0]+BITS[1]+:BITS[2]];
    logic signed [SUM_BITS-1:0] sum;

    if (METHOD == 2) begin : tables
      hlsgen_requant_tables #(
          .X_BITS(PAIR_BITS),
          .FIRST(FIRST),
          .SUM_BITS(SUM_BITS),
          .TABLES_FILE(TABLES_FILE)
      ) total (
          .clk,
          .x({a_wires[lane], b_wires[lane]}),
          .start(SUM_BITS'(add)),
          .sum
      );
      wire logic unused = &{1'b0, mul_a, mul_b};
    end else begin : products
      logic signed [A_X_BITS-1:0] a;
      if (A_BIPOLAR != 0) begin : a_bipolar
        assign a = A_X_BITS'({!a_wires[lane][0], 1'b1});  // -1 or +1
      end else begin : a_number
        assign a = A_X_BITS'(a_wires[lane]);  // one bit more only if the type is unsigned
      end

      if (UNIT == 1) begin : terms
        logic signed [TERM_BITS-1:0] term;
        hlsgen_rom #(
            .WIDTH(TERM_BITS),
            .DEPTH(1 << B_BITS),
            .STYLE("distributed"),
            .FILE(B_TERM_FILE)
        ) rom (
            .clk,
            .address(in_data[LANES*A_BITS+lane*B_BITS+:B_BITS]),
            .data(term)
        );
        hlsgen_requant_product #(
            .X_BITS(A_X_BITS),
            .FACTOR_BITS(BITS[0]),
            .ADD_BITS(TERM_BITS),
            .SUM_BITS(SUM_BITS),
            .PARTS(A_PARTS)
        ) total (
            .clk,
            .first(1'b1),
            .x(a),
            .factor(mul_a),
            .add(term),
            .sum
        );
        wire logic unused = &{1'b0, b_wires[lane], mul_b, add};
      end else begin : linear
        logic signed [B_X_BITS-1:0] b, b_later;
        logic signed [BITS[1]-1:0] mul_b_later;
        logic signed [SUM_BITS-1:0] sum_a;
        if (B_BIPOLAR != 0) begin : b_bipolar
          assign b = B_X_BITS'({!b_wires[lane][0], 1'b1});
        end else begin : b_number
          assign b = B_X_BITS'(b_wires[lane]);
        end
        hlsgen_requant_delay #(
            .WIDTH(B_X_BITS + BITS[1]),
            .DELAY(A_LATENCY)
        ) delay (
            .clk,
            .data({b, mul_b}),
            .delayed({b_later, mul_b_later})
        );

        if (METHOD == 1) begin : rows
          hlsgen_requant_rows #(
              .X_BITS(A_X_BITS),
              .FACTOR_BITS(BITS[0]),
              .ADD_BITS(BITS[2]),
              .SUM_BITS(SUM_BITS)
          ) of_a (
              .clk,
              .x(a),
              .factor(mul_a),
              .add,
              .sum(sum_a)
          );
          hlsgen_requant_rows #(
              .X_BITS(B_X_BITS),
              .FACTOR_BITS(BITS[1]),
              .ADD_BITS(SUM_BITS),
              .SUM_BITS(SUM_BITS)
          ) of_b (
              .clk,
              .x(b_later),
              .factor(mul_b_later),
              .add(sum_a),
              .sum
          );
        end else begin : dsp
          hlsgen_requant_product #(
              .X_BITS(A_X_BITS),
              .FACTOR_BITS(BITS[0]),
              .ADD_BITS(BITS[2]),
              .SUM_BITS(SUM_BITS),
              .PARTS(A_PARTS)
          ) of_a (
              .clk,
              .first(1'b1),
              .x(a),
              .factor(mul_a),
              .add,
              .sum(sum_a)
          );
          hlsgen_requant_product #(
              .X_BITS(B_X_BITS),
              .FACTOR_BITS(BITS[1]),
              .ADD_BITS(SUM_BITS),
              .SUM_BITS(SUM_BITS),
              .PARTS(B_PARTS)
          ) of_b (
              .clk,
              .first(1'b1),
              .x(b_later),
              .factor(mul_b_later),
              .add(sum_a),
              .sum
          );
        end
      end
    end

    hlsgen_requant_round #(
        .SUM_BITS(SUM_BITS),
        .DROP(DROP),
        .SHIFT(SHIFT),
        .ROUNDING(ROUNDING),
        .ZERO_POINT(ZERO_POINT),
        .NEAR_BITS(NEAR_BITS),
        .LO_BITS(32),
        .HI_BITS(32),
        .OUTPUT_BITS(OUTPUT_BITS),
        .OUTPUT_BIPOLAR(OUTPUT_BIPOLAR)
    ) round (
        .clk,
        .sum,
        .lo(LO),
        .hi(HI),
        .y(results[lane])
    );
  end
  wire logic unused = &{1'b0, a_wires, b_wires};

  // -- output ---------------------------------------------------------------------------------------------------------

  hlsgen_queue #(
      .WIDTH(LANES * OUTPUT_BITS),
      .DEPTH(QUEUE)
  ) queue (
      .clk,
      .rst,
      .claim(issue),
      .room,
      .push_data(results),
      .push(valid[UNIT_LATENCY]),
      .out_data,
      .out_valid,
      .out_ready
  );
endmodule

`default_nettype wire
