// Arithmetic of matvec and depthwise: PE dot products of SIMD elements a step, accumulated over INPUT_FOLD steps, with
// the weights on chip. Follows hlsgen_replay, whose elements `x` come in the cycle after their step.
//
//   result[p] = start[p] + sum over the steps from `first` to `last` of sum over s of x[s] * w[p][s]   (mod 2^ACC_BITS)
//
// MAC:      0 LUT (hlsgen_dot_lut), 1 DSP (hlsgen_dot_dsp), 2 two products per DSP (hlsgen_dot_dsp2), 3 agreements of
//           bipolar operands (hlsgen_dot_xnor). Agreements count twice, and so do the sums of 0 when the elements are
//           bipolar: bit b of value 2b - 1 is multiplied as b - 1.
// Memories: weights, one word per step of ROWS, cyclically: output p, element s at bit (p * SIMD + s) * WEIGHT_BITS;
//           MAC = 2: pair p, element s at bit (p * SIMD + s) * (2 * WEIGHT_BITS + 1), packed as hlsgen_dot_dsp2 says;
//           start, one word per output beat of START_ROWS, cyclically, output p at bit p * ACC_BITS: the bias with the
//           corrections that the constants of the dot products need.
// Cycles:   a step per cycle; `room` is low when the first step of an output beat must wait.
// Latency:  DOT_LATENCY + 3 from the last step to the output beat's offer: operands 1, dot product, accumulator 1,
//           output 1. DOT_LATENCY is that of the hlsgen_dot_* in use.
// Output:   PLACES beats claimed and not yet taken, as many as the full rate needs.
`default_nettype none

module hlsgen_dot_array #(
    parameter int PE = 2,                       // outputs per beat
    parameter int SIMD = 3,                     // products of an output per step
    parameter int SHARED = 1,                   // 1: all outputs have the same elements, 0: each has its own
    parameter int INPUT_FOLD = 4,               // steps per output beat
    parameter int ROWS = 8,                     // words of weights
    parameter int START_ROWS = 2,               // words of start values
    parameter int MAC = 1,
    parameter int INPUT_BITS = 8,
    parameter int INPUT_SIGNED = 1,
    parameter int INPUT_BIPOLAR = 0,            // one bit, 0 means -1
    parameter int WEIGHT_BITS = 8,              // two's complement unless bipolar
    parameter int WEIGHT_BIPOLAR = 0,
    parameter int PRODUCT_BITS = 15,            // DSP: of a product plus OFFSET
    parameter logic [63:0] OFFSET = 64'd16256,  // DSP: minus the smallest product
    parameter int ACC_BITS = 20,
    parameter RAM_STYLE = "block",              // of the weights: block, distributed
    parameter WEIGHTS_FILE = "weights.mem",
    parameter START_FILE = "start.mem",
    localparam int UNITS = SHARED != 0 ? 1 : PE
) (
    input  wire logic                             clk,
    input  wire logic                             rst,   // synchronous, active high
    input  wire logic                             step,
    input  wire logic                             first,
    input  wire logic                             last,
    input  wire logic [UNITS*SIMD*INPUT_BITS-1:0] x,     // SHARED = 0: those of output p from p * SIMD * INPUT_BITS on
    output logic                                  room,
    output logic [PE*ACC_BITS-1:0]                out_data,
    output logic                                  out_valid,
    input  wire logic                             out_ready
);
  localparam int LUT = 0, DSP = 1, DSP2 = 2, XNOR = 3;

  if (PE < 1 || SIMD < 1 || INPUT_FOLD < 1 || ROWS < 1 || START_ROWS < 1) begin : check_sizes
    $error("hlsgen_dot_array: PE=%0d, SIMD=%0d, INPUT_FOLD=%0d, ROWS=%0d, START_ROWS=%0d must be positive",
           PE, SIMD, INPUT_FOLD, ROWS, START_ROWS);
  end
  if (MAC < LUT || MAC > XNOR) begin : check_mac
    $error("hlsgen_dot_array: MAC=%0d is not 0 (LUT), 1 (DSP), 2 (DSP2) or 3 (XNOR)", MAC);
  end
  if (MAC == DSP2 && (PE % 2 != 0 || SHARED == 0)) begin : check_pairs
    $error("hlsgen_dot_array: MAC=2 (DSP2) needs shared elements and an even number of outputs, not PE=%0d", PE);
  end

  // ceil(log3 n): levels of hlsgen_adder_tree
  function automatic int tree_levels(int n);
    int levels;
    levels = 0;
    for (int left = n; left > 1; left = (left + 2) / 3) ++levels;
    return levels;
  endfunction

  localparam int DIGITS = MAC == LUT ? (WEIGHT_BITS + 1) / 2 : 1;
  localparam int DOT_LATENCY = MAC == LUT ? DIGITS + tree_levels((SIMD + 2) / 3)
      : MAC == XNOR ? 1 + tree_levels((SIMD + 8) / 9)
      : 3 + tree_levels(SIMD);
  localparam int LATENCY = DOT_LATENCY + 3;

  // Products are unsigned in here, those of LUTs below 2^(INPUT_BITS+1) * (1 + 4 + ... + 4^(DIGITS-1)), see
  // hlsgen_lut_chain, hence below 2^(INPUT_BITS + 2 * DIGITS). n terms below 2^b have a sum below n * 2^b. Bits from
  // ACC_BITS on do not count.
  localparam int FULL_BITS = MAC == XNOR ? $clog2(SIMD + 1)
      : (MAC == LUT ? INPUT_BITS + 2 * DIGITS : PRODUCT_BITS) + $clog2(SIMD);
  localparam int SUM_BITS = FULL_BITS < ACC_BITS ? FULL_BITS : ACC_BITS;
  localparam int TWICE = MAC == XNOR || (MAC == LUT && INPUT_BIPOLAR != 0) ? 1 : 0;

  // -- weights --------------------------------------------------------------------------------------------------------

  localparam int OUTPUT_BITS = MAC == DSP2 ? SIMD * (2 * WEIGHT_BITS + 1) : SIMD * WEIGHT_BITS;  // of an output or pair
  localparam int WORD_BITS = (MAC == DSP2 ? PE / 2 : PE) * OUTPUT_BITS;
  localparam int ROW_BITS = ROWS > 1 ? $clog2(ROWS) : 1;

  logic [ROW_BITS-1:0] row;
  logic [WORD_BITS-1:0] w;

  hlsgen_rom #(
      .WIDTH(WORD_BITS), .DEPTH(ROWS), .STYLE(RAM_STYLE), .FILE(WEIGHTS_FILE)
  ) weights (
      .clk, .address(row), .data(w)
  );

  always_ff @(posedge clk)
    if (rst) row <= '0;
    else if (step) row <= row == ROW_BITS'(ROWS - 1) ? '0 : row + 1'b1;

  // -- dot products ---------------------------------------------------------------------------------------------------

  logic [PE-1:0][SUM_BITS-1:0] sums;

  if (MAC == DSP2) begin : dsp2
    for (genvar p = 0; p < PE / 2; ++p) begin : pair
      hlsgen_dot_dsp2 #(
          .SIMD(SIMD), .INPUT_BITS(INPUT_BITS), .INPUT_SIGNED(INPUT_SIGNED), .WEIGHT_BITS(WEIGHT_BITS),
          .PRODUCT_BITS(PRODUCT_BITS), .OFFSET(int'(OFFSET)), .SUM_BITS(SUM_BITS)
      ) dot (
          .clk, .x, .w(w[p*OUTPUT_BITS+:OUTPUT_BITS]), .sum(sums[2*p+:2])
      );
    end
  end else if (MAC == DSP) begin : dsp
    localparam int SIGNED_BITS = INPUT_BIPOLAR != 0 ? 2 : INPUT_SIGNED != 0 ? INPUT_BITS : INPUT_BITS + 1;
    logic [UNITS*SIMD-1:0][SIGNED_BITS-1:0] elements;
    for (genvar i = 0; i < UNITS * SIMD; ++i) begin : element
      if (INPUT_BIPOLAR != 0) begin : bipolar
        assign elements[i] = {!x[i], 1'b1};
      end else begin : number
        assign elements[i] = SIGNED_BITS'(x[i*INPUT_BITS+:INPUT_BITS]);
      end
    end
    for (genvar p = 0; p < PE; ++p) begin : output_
      hlsgen_dot_dsp #(
          .SIMD(SIMD), .INPUT_BITS(SIGNED_BITS), .WEIGHT_BITS(WEIGHT_BITS), .PRODUCT_BITS(PRODUCT_BITS),
          .OFFSET(OFFSET), .SUM_BITS(SUM_BITS)
      ) dot (
          .clk, .x(elements[(SHARED != 0 ? 0 : p)*SIMD+:SIMD]), .w(w[p*OUTPUT_BITS+:OUTPUT_BITS]), .sum(sums[p])
      );
    end
  end else if (MAC == LUT) begin : lut
    // an unsigned element minus 2^(INPUT_BITS-1), a bipolar one's bit minus 1: the top bit is inverted
    localparam logic [INPUT_BITS-1:0] FLIP = INPUT_SIGNED != 0 ? '0 : INPUT_BITS'(1) << (INPUT_BITS - 1);
    for (genvar u = 0; u < UNITS; ++u) begin : unit
      logic [DIGITS-1:0][SIMD-1:0][INPUT_BITS-1:0] elements;  // delayed by 0, 1, ... cycles
      for (genvar s = 0; s < SIMD; ++s) begin : element
        assign elements[0][s] = x[(u*SIMD+s)*INPUT_BITS+:INPUT_BITS] ^ FLIP;
      end
      for (genvar d = 1; d < DIGITS; ++d) begin : later
        always_ff @(posedge clk) elements[d] <= elements[d-1];
      end
    end
    for (genvar p = 0; p < PE; ++p) begin : output_
      hlsgen_dot_lut #(
          .SIMD(SIMD), .INPUT_BITS(INPUT_BITS), .WEIGHT_BITS(WEIGHT_BITS), .WEIGHT_BIPOLAR(WEIGHT_BIPOLAR),
          .DIGITS(DIGITS), .SUM_BITS(SUM_BITS)
      ) dot (
          .clk, .x(unit[SHARED != 0 ? 0 : p].elements), .w(w[p*OUTPUT_BITS+:OUTPUT_BITS]), .sum(sums[p])
      );
    end
  end else begin : xnor_
    for (genvar p = 0; p < PE; ++p) begin : output_
      hlsgen_dot_xnor #(
          .SIMD(SIMD), .SUM_BITS(SUM_BITS)
      ) dot (
          .clk, .x(x[(SHARED != 0 ? 0 : p)*SIMD+:SIMD]), .w(w[p*SIMD+:SIMD]), .sum(sums[p])
      );
    end
  end

  // -- accumulators ---------------------------------------------------------------------------------------------------

  // index k: of the step k cycles ago; the sums are those of the step DOT_LATENCY + 1 cycles ago
  logic [DOT_LATENCY:0] valid, ending;
  assign valid[0] = step;
  assign ending[0] = last;
  logic sums_valid;
  logic sums_last;  // the sums are the last of an output beat: a register, from which longer paths begin
  always_ff @(posedge clk) begin
    ending[DOT_LATENCY:1] <= ending[DOT_LATENCY-1:0];
    if (rst) begin
      valid[DOT_LATENCY:1] <= '0;
      sums_valid <= 1'b0;
      sums_last <= 1'b0;
    end else begin
      valid[DOT_LATENCY:1] <= valid[DOT_LATENCY-1:0];
      sums_valid <= valid[DOT_LATENCY];
      sums_last <= valid[DOT_LATENCY] && ending[DOT_LATENCY];
    end
  end

  // Up to 8 start values are looked up in the LUTs that add them, more come from a memory, which is read a cycle ahead.
  localparam int AHEAD = START_ROWS > 8 ? 1 : 0;
  localparam int START_ROW_BITS = START_ROWS > 1 ? $clog2(START_ROWS) : 1;

  logic [START_ROW_BITS-1:0] start_row;
  logic [PE-1:0][ACC_BITS-1:0] start;

  if (START_ROWS == 1) begin : one_row
    assign start_row = '0;
  end else begin : rows
    wire logic next = AHEAD != 0 ? valid[DOT_LATENCY] && ending[DOT_LATENCY] : sums_last;
    always_ff @(posedge clk)
      if (rst) start_row <= '0;
      else if (next) start_row <= start_row == START_ROW_BITS'(START_ROWS - 1) ? '0 : start_row + 1'b1;
  end

  if (AHEAD == 0) begin : few
    logic [PE*ACC_BITS-1:0] starts [START_ROWS];
    initial $readmemh(START_FILE, starts);
    assign start = starts[start_row];
  end else if (START_ROWS <= 64) begin : shallow  // a LUT per bit
    hlsgen_rom #(
        .WIDTH(PE * ACC_BITS), .DEPTH(START_ROWS), .STYLE("distributed"), .FILE(START_FILE)
    ) starts (
        .clk, .address(start_row), .data(start)
    );
  end else begin : deep
    hlsgen_rom #(
        .WIDTH(PE * ACC_BITS), .DEPTH(START_ROWS), .STYLE(RAM_STYLE), .FILE(START_FILE)
    ) starts (
        .clk, .address(start_row), .data(start)
    );
  end

  logic [PE-1:0][ACC_BITS-1:0] acc;
  logic done;  // acc is an output beat
  logic beginning;  // the next sums are the first of an output beat

  for (genvar p = 0; p < PE; ++p) begin : accumulate
    wire logic [ACC_BITS-1:0] addend = ACC_BITS'(sums[p]) << TWICE;
    if (INPUT_FOLD == 1) begin : single
      always_ff @(posedge clk) acc[p] <= addend + start[p];
    end else begin : many
      always_ff @(posedge clk) if (sums_valid) acc[p] <= addend + (beginning ? start[p] : acc[p]);
    end
  end

  always_ff @(posedge clk)
    if (rst) begin
      done <= 1'b0;
      beginning <= 1'b1;
    end else begin
      done <= sums_last;
      if (sums_valid) beginning <= sums_last;
    end
  if (INPUT_FOLD == 1) begin : no_accumulation
    wire logic unused = &{1'b0, beginning};
  end

  // -- output ---------------------------------------------------------------------------------------------------------

  // A place is taken from an output beat's first step until the cycle after its handover, for INPUT_FOLD + LATENCY
  // cycles at least, and every INPUT_FOLD cycles another one is.
  localparam int PLACES = 1 + (LATENCY + INPUT_FOLD - 1) / INPUT_FOLD;
  wire logic claim = step && first;

  if (PLACES == 2) begin : hold
    hlsgen_hold #(
        .WIDTH(PE * ACC_BITS)
    ) hold (
        .clk, .rst, .claim, .room, .push_data(acc), .push(done), .out_data, .out_valid, .out_ready
    );
  end else begin : queue
    hlsgen_queue #(
        .WIDTH(PE * ACC_BITS), .DEPTH(PLACES)
    ) queue (
        .clk, .rst, .claim, .room, .push_data(acc), .push(done), .out_data, .out_valid, .out_ready
    );
  end
endmodule

`default_nettype wire
