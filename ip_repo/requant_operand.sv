// The operand of a multiplication: x rounded to a float32's 24 bits, shifted left, clipped, each only where asked for.
//
// EXTRA > 0: x of up to 24 + EXTRA bits becomes the nearest integer with 24 significant bits, half to even (2 cycles).
// LEFT_MOST > 0: times 2^left, left <= LEFT_MOST (1 cycle).
// CLIP: 0 none; 1 to the range of OPERAND_BITS signed bits; 2 to OPERAND_LO..OPERAND_HI (1 cycle).
// Latency: the sum of these. Widths: X_BITS + (EXTRA > 0) + LEFT_MOST bits hold the value before the clip, for rounding
// to 24 bits may reach the next power of two.
`default_nettype none

module hlsgen_requant_operand #(
    parameter int X_BITS = 20,  // signed
    parameter int EXTRA = 0,
    parameter int LEFT_MOST = 0,
    parameter int LEFT_BITS = 1,
    parameter int CLIP = 0,
    parameter OPERAND_LO = 0,
    parameter OPERAND_HI = 0,
    parameter int OPERAND_BITS = 20  // signed
) (
    input  wire logic                            clk,
    input  wire logic signed [X_BITS-1:0]        x,
    input  wire logic [LEFT_BITS-1:0]            left,  // of the value that is shifted: 2 cycles after x if EXTRA > 0
    output logic signed [OPERAND_BITS-1:0]       operand
);
  localparam int MANTISSA = 24;
  localparam int VALUE_BITS = X_BITS + (EXTRA > 0 ? 1 : 0);
  localparam int SHIFTED_BITS = VALUE_BITS + LEFT_MOST;
  logic signed [VALUE_BITS-1:0] value;
  logic signed [SHIFTED_BITS-1:0] shifted;

  if (EXTRA > 0) begin : pre_round
    // bits[e]: |x| has at least 24 + e bits, so that its lowest e bits are rounded away
    wire logic [X_BITS-1:0] magnitude = x < 0 ? X_BITS'(-x) : X_BITS'(x);
    logic [EXTRA:1] bits;
    logic signed [X_BITS-1:0] x_1;
    always_ff @(posedge clk) begin
      x_1 <= x;
      for (int e = 1; e <= EXTRA; e++) bits[e] <= (magnitude >> (MANTISSA + e - 1)) != '0;
    end
    // below the unit 2^e: the half, what is under it, and the unit's own bit, which decides a tie
    logic up;
    logic [EXTRA-1:0] kept;  // which of the low bits stay
    always_comb begin
      up = 1'b0;
      kept = '1;
      for (int e = 1; e <= EXTRA; e++)
        if (bits[e]) begin
          up = x_1[e-1] && (x_1[e] || (x_1 & ((X_BITS'(1) << (e - 1)) - X_BITS'(1))) != '0);
          kept = '1 << e;
        end
    end
    // adding 2^e to a number whose bits below e are 0 is adding 1 with ones below
    wire logic [VALUE_BITS-1:0] base = {x_1[X_BITS-1], x_1[X_BITS-1:EXTRA], x_1[EXTRA-1:0] & kept};
    wire logic [EXTRA-1:0] ones = ~kept;
    always_ff @(posedge clk) value <= up ? (base | VALUE_BITS'(ones)) + 1'b1 : base;
  end else begin : plain
    assign value = x;
  end

  if (LEFT_MOST > 0) begin : shift
    always_ff @(posedge clk) shifted <= SHIFTED_BITS'(value) << left;
  end else begin : no_shift
    assign shifted = value;
    wire logic unused = &{1'b0, left};
  end

  if (CLIP == 1) begin : saturate
    wire logic fits = shifted[SHIFTED_BITS-1:OPERAND_BITS-1] == {(SHIFTED_BITS - OPERAND_BITS + 1) {shifted[SHIFTED_BITS-1]}};
    wire logic sign = shifted[SHIFTED_BITS-1];
    always_ff @(posedge clk) operand <= fits ? shifted[OPERAND_BITS-1:0] : {sign, {(OPERAND_BITS - 1) {!sign}}};
  end else if (CLIP == 2) begin : clip
    localparam logic signed [SHIFTED_BITS-1:0] LO = SHIFTED_BITS'(OPERAND_LO);
    localparam logic signed [SHIFTED_BITS-1:0] HI = SHIFTED_BITS'(OPERAND_HI);
    wire logic signed [SHIFTED_BITS-1:0] clipped = shifted < LO ? LO : shifted > HI ? HI : shifted;
    always_ff @(posedge clk) operand <= OPERAND_BITS'(clipped);
    wire logic unused = &{1'b0, clipped};
  end else begin : no_clip
    assign operand = OPERAND_BITS'(shifted);
  end
  wire logic unused = clk;
endmodule

`default_nettype wire
