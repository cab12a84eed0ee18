// requant: every element through the exact integer unit of its channel.
//
// UNIT 0, shift:     clamp(round((+-x << left) + add, >> SHIFT) + ZERO_POINT)
// UNIT 1, threshold: binary search for the run of equal results in which x lies (requant_threshold.sv)
// UNIT 2, scale:     clamp(round((clip(x) * factor + add) >> DROP, >> SHIFT) + ZERO_POINT)
// UNIT 3, float24:   clamp(round to float32, then half to even (clip(x << left) * factor, >> SHIFT) + ZERO_POINT)
// Beats in, out: a frame's, LANES channels each, channel tiles fastest; tile 0 is the first after a reset.
// Cycles:  PASSES per beat. With PASSES = 2 a beat is taken every second cycle at most, and where PARTS is 2 one
//          multiplier serves both parts of the factor.
// Latency: LATENCY cycles from acceptance to offer, see below: input register, unit, output queue.
// The pipeline runs freely; a beat enters only if the queue behind it has room for it.
//
// Parameters of the channels: five fields (requant_channels.sv): left, factor (shift: 1 to negate x; threshold: 1 to
// count down), add (threshold: the base), lo, hi.
`default_nettype none

module hlsgen_requant #(
    parameter int UNIT = 0,
    parameter int PASSES = 1,
    parameter int LANES = 1,
    parameter int INPUT_BITS = 8,
    parameter int INPUT_BIPOLAR = 0,
    parameter int OUTPUT_BITS = 8,
    parameter int OUTPUT_BIPOLAR = 0,
    parameter int X_BITS = 8,       // signed, of every x in the proved domain
    parameter RAM_STYLE = "distributed",       // of the search's memories
    parameter CHANNELS_STYLE = "distributed",  // of the parameters of the channels
    // parameters of the channels
    parameter int TILES = 1,
    parameter int BITS [5] = '{default: 1},
    parameter int VARIES [5] = '{default: 0},
    parameter int VALUE [5] = '{default: 0},
    parameter CHANNELS_FILE = "channels.mem",
    // the operand (requant_operand.sv)
    parameter int EXTRA = 0,
    parameter int LEFT_MOST = 0,
    parameter int CLIP = 0,
    parameter OPERAND_LO = 0,
    parameter OPERAND_HI = 0,
    parameter int OPERAND_BITS = 8,
    // the product: METHOD 0 DSP blocks in PARTS, 1 adders in LUTs, 2 tables in LUTs that hold factor and add, too
    parameter int METHOD = 0,
    parameter int PARTS = 1,
    parameter TABLES_FILE = "tables.mem",
    // rounding and clamp (requant_round.sv)
    parameter int SUM_BITS = 16,
    parameter int DROP = 0,
    parameter int SHIFT = 0,
    parameter int ROUNDING = 4,
    parameter int ZERO_POINT = 0,
    parameter int NEAR_BITS = 10,
    // the search (requant_threshold.sv)
    parameter int LEVELS = 1,
    parameter int LEVEL_TILES = 1,
    parameter int COUNTS = 1,
    parameter int RESULT_BITS = 8,
    parameter int VALUE_TILES = 1,
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
    input  wire logic                         clk,
    input  wire logic                         rst,        // synchronous, active high
    input  wire logic [LANES*INPUT_BITS-1:0]  in_data,
    input  wire logic                         in_valid,
    output logic                              in_ready,
    output logic [LANES*OUTPUT_BITS-1:0]      out_data,
    output logic                              out_valid,
    input  wire logic                         out_ready
);
  localparam int UNIT_SHIFT = 0, UNIT_THRESHOLD = 1, UNIT_FLOAT24 = 3;  // 2: scale
  localparam int FLOAT_ROUNDING = 8;

  if (UNIT < UNIT_SHIFT || UNIT > UNIT_FLOAT24) begin : check_unit
    $error("hlsgen_requant: UNIT=%0d", UNIT);
  end
  if (PASSES < 1 || PASSES > 2) begin : check_passes
    $error("hlsgen_requant: PASSES=%0d is neither 1 nor 2", PASSES);
  end
  if (PASSES == 2 && (UNIT <= UNIT_THRESHOLD || METHOD != 0)) begin : check_shared
    $error("hlsgen_requant: PASSES=2, but UNIT=%0d with METHOD=%0d has no multipliers to share", UNIT, METHOD);
  end

  localparam int SHARED = PASSES == 2 && PARTS == 2 && METHOD == 0 ? 1 : 0;

  // cycles from x to the clamped result
  localparam int OPERAND_LATENCY = (EXTRA > 0 ? 2 : 0) + (LEFT_MOST > 0 ? 1 : 0) + (CLIP > 0 ? 1 : 0);
  localparam int ROWS_LATENCY = (BITS[1] + 3) / 4;
  localparam int TABLES_LATENCY = OPERAND_BITS <= 6 ? 1 : 1 + (OPERAND_BITS - 2) / 5;
  localparam int PRODUCT_LATENCY = METHOD == 2 ? TABLES_LATENCY : METHOD == 1 ? ROWS_LATENCY : SHARED != 0 ? 3 : PARTS + 1;
  localparam int SUM_LATENCY = UNIT == UNIT_SHIFT ? 2 : OPERAND_LATENCY + PRODUCT_LATENCY;
  localparam int UNIT_LATENCY = UNIT == UNIT_THRESHOLD ? LEVELS + 1 : SUM_LATENCY + 3;
  localparam int LATENCY = UNIT_LATENCY + 2;
  // enough for a beat every PASSES cycles: its place is free again LATENCY + 1 cycles after it was claimed
  localparam int QUEUE = (LATENCY + PASSES) / PASSES;

  // -- control --------------------------------------------------------------------------------------------------------

  logic room;
  logic second;  // the cycle after a beat was accepted, if it takes two
  logic [UNIT_LATENCY:0] valid;  // valid[i]: a beat was accepted i + 1 cycles ago
  wire logic issue = in_valid && in_ready;
  assign in_ready = room && !second;

  always_ff @(posedge clk) begin
    if (rst) begin
      second <= 1'b0;
      valid <= '0;
    end else begin
      second <= issue && PASSES == 2;
      valid <= {valid[UNIT_LATENCY-1:0], issue};
    end
  end

  // -- the beat and its parameters, one cycle after acceptance --------------------------------------------------------

  localparam int WORD_BITS = BITS[0] + BITS[1] + BITS[2] + BITS[3] + BITS[4];
  logic [LANES-1:0][WORD_BITS-1:0] words;
  logic [LANES-1:0][INPUT_BITS-1:0] wires;
  logic [LANES-1:0][OUTPUT_BITS-1:0] results;

  hlsgen_requant_channels #(
      .TILES(TILES),
      .PASSES(PASSES),
      .LANES(LANES),
      .FIELDS(5),
      .BITS(BITS),
      .VARIES(VARIES),
      .VALUE(VALUE),
      .WORD_BITS(WORD_BITS),
      .RAM_STYLE(CHANNELS_STYLE),
      .CHANNELS_FILE(CHANNELS_FILE)
  ) channels (
      .clk,
      .rst,
      .step(issue || second),
      .words
  );

  always_ff @(posedge clk) if (PASSES == 1 || issue) wires <= in_data;  // stays for both passes

  logic [LANES-1:0][X_BITS-1:0] x;
  for (genvar lane = 0; lane < LANES; lane++) begin : decode
    if (INPUT_BIPOLAR != 0) begin : bipolar
      assign x[lane] = X_BITS'({!wires[lane][0], 1'b1});  // -1 or +1
    end else begin : number
      assign x[lane] = X_BITS'(wires[lane]);  // one bit more only if the type is unsigned
    end
  end
  wire logic unused_wires = &{1'b0, wires};

  // -- the unit -------------------------------------------------------------------------------------------------------

  if (UNIT == UNIT_THRESHOLD) begin : threshold
    logic [LANES-1:0][BITS[2]-1:0] base;
    logic [LANES-1:0] falling;
    for (genvar lane = 0; lane < LANES; lane++) begin : parameters
      assign falling[lane] = words[lane][BITS[0]];
      assign base[lane] = words[lane][BITS[0]+BITS[1]+:BITS[2]];
    end
    hlsgen_requant_threshold #(
        .LANES(LANES),
        .X_BITS(X_BITS),
        .LEVELS(LEVELS),
        .LEVEL_TILES(LEVEL_TILES),
        .COUNTS(COUNTS),
        .BASE_BITS(BITS[2]),
        .RESULT_BITS(RESULT_BITS),
        .VALUE_TILES(VALUE_TILES),
        .OUTPUT_BITS(OUTPUT_BITS),
        .OUTPUT_BIPOLAR(OUTPUT_BIPOLAR),
        .RAM_STYLE(RAM_STYLE),
        .LEVEL0_FILE(LEVEL0_FILE),
        .LEVEL1_FILE(LEVEL1_FILE),
        .LEVEL2_FILE(LEVEL2_FILE),
        .LEVEL3_FILE(LEVEL3_FILE),
        .LEVEL4_FILE(LEVEL4_FILE),
        .LEVEL5_FILE(LEVEL5_FILE),
        .LEVEL6_FILE(LEVEL6_FILE),
        .LEVEL7_FILE(LEVEL7_FILE),
        .LEVEL8_FILE(LEVEL8_FILE),
        .LEVEL9_FILE(LEVEL9_FILE),
        .LEVEL10_FILE(LEVEL10_FILE),
        .LEVEL11_FILE(LEVEL11_FILE),
        .LEVEL12_FILE(LEVEL12_FILE),
        .LEVEL13_FILE(LEVEL13_FILE),
        .LEVEL14_FILE(LEVEL14_FILE),
        .LEVEL15_FILE(LEVEL15_FILE),
        .VALUES_FILE(VALUES_FILE)
    ) search (
        .clk,
        .rst,
        .step(issue),
        .x,
        .base,
        .falling,
        .y(results)
    );
    wire logic unused = &{1'b0, words};
  end else begin : arithmetic
    for (genvar lane = 0; lane < LANES; lane++) begin : lanes
      // fields of the word; the factor and what is added are needed with the operand, the clamp's ends with the result
      wire logic [BITS[0]-1:0] left_0 = words[lane][0+:BITS[0]];
      logic [BITS[0]-1:0] left;
      logic signed [BITS[1]-1:0] factor;
      logic signed [BITS[2]-1:0] add;
      logic signed [BITS[3]-1:0] lo;
      logic signed [BITS[4]-1:0] hi;
      logic signed [SUM_BITS-1:0] sum;

      hlsgen_requant_delay #(
          .WIDTH(BITS[1] + BITS[2]),
          .DELAY(UNIT == UNIT_SHIFT ? 0 : OPERAND_LATENCY)
      ) factor_delay (
          .clk,
          .data(words[lane][BITS[0]+:BITS[1]+BITS[2]]),
          .delayed({add, factor})
      );
      hlsgen_requant_delay #(
          .WIDTH(BITS[3] + BITS[4]),
          .DELAY(SUM_LATENCY + 2)
      ) clamp_delay (
          .clk,
          .data(words[lane][BITS[0]+BITS[1]+BITS[2]+:BITS[3]+BITS[4]]),
          .delayed({hi, lo})
      );
      hlsgen_requant_delay #(
          .WIDTH(BITS[0]),
          .DELAY(EXTRA > 0 ? 2 : 0)
      ) left_delay (
          .clk,
          .data(left_0),
          .delayed(left)
      );

      if (UNIT == UNIT_SHIFT) begin : shift
        hlsgen_requant_shift #(
            .X_BITS(X_BITS),
            .LEFT_BITS(BITS[0]),
            .ADD_BITS(BITS[2]),
            .SUM_BITS(SUM_BITS)
        ) shifter (
            .clk,
            .x(x[lane]),
            .negative(factor[0]),
            .left,
            .add,
            .sum
        );
        wire logic unused = &{1'b0, factor};
      end else begin : multiply
        // float24 lifts the product by half a unit, as its rounding wants it
        localparam int ADD_BITS = UNIT == UNIT_FLOAT24 ? SHIFT + 1 : BITS[2];
        wire logic signed [ADD_BITS-1:0] addend;
        if (UNIT == UNIT_FLOAT24) begin : half
          assign addend = ADD_BITS'(1) << (SHIFT - 1);
          wire logic unused = &{1'b0, add};
        end else begin : given
          assign addend = add;
        end

        logic signed [OPERAND_BITS-1:0] operand;
        hlsgen_requant_operand #(
            .X_BITS(X_BITS),
            .EXTRA(EXTRA),
            .LEFT_MOST(LEFT_MOST),
            .LEFT_BITS(BITS[0]),
            .CLIP(CLIP),
            .OPERAND_LO(OPERAND_LO),
            .OPERAND_HI(OPERAND_HI),
            .OPERAND_BITS(OPERAND_BITS)
        ) prepare (
            .clk,
            .x(x[lane]),
            .left,
            .operand
        );
        if (METHOD == 2) begin : tables
          hlsgen_requant_tables #(
              .X_BITS(OPERAND_BITS),
              .SUM_BITS(SUM_BITS),
              .TABLES_FILE(TABLES_FILE)
          ) product (
              .clk,
              .x(operand),
              .start('0),
              .sum
          );
          wire logic unused = &{1'b0, factor, addend};
        end else if (METHOD == 1) begin : rows
          hlsgen_requant_rows #(
              .X_BITS(OPERAND_BITS),
              .FACTOR_BITS(BITS[1]),
              .ADD_BITS(ADD_BITS),
              .SUM_BITS(SUM_BITS)
          ) product (
              .clk,
              .x(operand),
              .factor,
              .add(addend),
              .sum
          );
        end else begin : dsp
          hlsgen_requant_product #(
              .X_BITS(OPERAND_BITS),
              .FACTOR_BITS(BITS[1]),
              .ADD_BITS(ADD_BITS),
              .SUM_BITS(SUM_BITS),
              .PARTS(PARTS),
              .SHARED(SHARED)
          ) product (
              .clk,
              .first(valid[OPERAND_LATENCY]),
              .x(operand),
              .factor,
              .add(addend),
              .sum
          );
        end
      end

      hlsgen_requant_round #(
          .SUM_BITS(SUM_BITS),
          .DROP(DROP),
          .SHIFT(SHIFT),
          .ROUNDING(UNIT == UNIT_FLOAT24 ? FLOAT_ROUNDING : ROUNDING),
          .ZERO_POINT(ZERO_POINT),
          .NEAR_BITS(NEAR_BITS),
          .LO_BITS(BITS[3]),
          .HI_BITS(BITS[4]),
          .OUTPUT_BITS(OUTPUT_BITS),
          .OUTPUT_BIPOLAR(OUTPUT_BIPOLAR)
      ) round (
          .clk,
          .sum,
          .lo,
          .hi,
          .y(results[lane])
      );
    end
  end

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
