// y = clamp(round(sum >> DROP, >> SHIFT) + ZERO_POINT, lo, hi) in wire form: a bipolar -1 or +1 becomes 0 or 1.
//
// ROUNDING 0 to 7: the modes of hlsgen's class Rounding. ROUNDING 8: what a float32 multiply followed by
// round-half-even gives; `sum` then is the product plus 2^(SHIFT - 1), DROP is 0.
// With k = sum >> SHIFT and f = the bits below, every mode gives k or k + 1, decided by f's top bit, by whether the rest
// of it is 0, by k's lowest bit and the sign. float32 gives k - 1, k or k + 1, see below.
// Latency: 3 cycles from `sum` to `y`; `lo` and `hi` are those of the sum two cycles earlier.
// NEAR_BITS: signed bits of every k that may not clamp, one more on either side; a k beyond is lo or hi by its sign.
`default_nettype none

module hlsgen_requant_round #(
    parameter int SUM_BITS = 24,  // signed
    parameter int DROP = 0,
    parameter int SHIFT = 8,
    parameter int ROUNDING = 0,
    parameter int ZERO_POINT = 0,
    parameter int NEAR_BITS = 10,
    parameter int LO_BITS = 8,    // signed
    parameter int HI_BITS = 8,    // signed
    parameter int OUTPUT_BITS = 8,
    parameter int OUTPUT_BIPOLAR = 0
) (
    input  wire logic                       clk,
    input  wire logic signed [SUM_BITS-1:0] sum,
    input  wire logic signed [LO_BITS-1:0]  lo,
    input  wire logic signed [HI_BITS-1:0]  hi,
    output logic [OUTPUT_BITS-1:0]          y
);
  localparam int HALF_EVEN = 0, HALF_UP = 1, HALF_DOWN = 2, CEIL = 3, FLOOR = 4, UP = 5, DOWN = 6, SIGN = 7, FLOAT = 8;

  if (ROUNDING < HALF_EVEN || ROUNDING > FLOAT) begin : check_rounding
    $error("hlsgen_requant_round: ROUNDING=%0d", ROUNDING);
  end
  if (ROUNDING == FLOAT && (SHIFT < 1 || DROP != 0 || NEAR_BITS > 24)) begin : check_float
    $error("hlsgen_requant_round: SHIFT=%0d, DROP=%0d, NEAR_BITS=%0d with float32 rounding", SHIFT, DROP, NEAR_BITS);
  end

  // -- cycle 0: k and what decides about rounding ---------------------------------------------------------------------

  localparam int POINT = DROP + SHIFT;
  localparam int K_BITS = SUM_BITS > POINT ? SUM_BITS - POINT : 1;
  localparam int N = NEAR_BITS < K_BITS ? NEAR_BITS : K_BITS;

  wire logic signed [K_BITS-1:0] k_in = K_BITS'(sum >>> POINT);
  wire logic negative_in = sum[SUM_BITS-1];

  logic signed [N-1:0] k;
  logic far, negative;  // k is beyond NEAR_BITS; below 0

  always_ff @(posedge clk) begin
    k <= k_in[N-1:0];
    far <= k_in[K_BITS-1:N-1] != {(K_BITS - N + 1) {k_in[K_BITS-1]}};
    negative <= negative_in;
  end

  logic down, up;  // take one away from k, add one to it (never both)

  if (ROUNDING == FLOAT) begin : float32
    // A float32 has 24 significant bits, so the product moves onto a tie (f = 0 or f = 2^SHIFT) when it lies within
    // w = 2^(SHIFT + b - 25) of it, where 2^(b-1) <= |product| / 2^SHIFT < 2^b; the tie goes to the even one of its
    // neighbours. So an odd k becomes k - 1 where f <= w and k + 1 where 2^SHIFT - f <= w. For odd |k| of 3 and more, b
    // is the number of bits of |k|; around |k| = 1 it is 0 towards zero and 1 away from it.
    // |k| < 2^22 wherever the result does not clamp: b <= B <= 22.
    localparam int B = N - 1 < 22 ? (N > 1 ? N - 1 : 1) : 22;
    // f with 25 zeros below: w is bit SHIFT + b of it
    localparam int F_BITS = SHIFT + 25;
    wire logic [F_BITS-1:0] f = {sum[SHIFT-1:0], 25'b0};

    logic above_zero, above_ones, below_zero;  // the bits of f above those where w may lie, and below
    logic [B:0] window;                        // those where w may lie
    always_ff @(posedge clk) begin
      above_zero <= f[F_BITS-1:SHIFT+B+1] == '0;
      above_ones <= f[F_BITS-1:SHIFT+B+1] == '1;
      below_zero <= f[SHIFT-1:0] == '0;
      window <= f[SHIFT+:B+1];
    end

    // |k| for an odd k; its lowest bit is 1 (and is not looked at)
    wire logic [N-1:0] magnitude = k ^ {N{negative}};
    logic [B:0] under;  // bit i of `window` is below w: i < b, for |k| >= 3
    for (genvar i = 0; i <= B; i++) begin : binade
      if (i == 0 || i > N - 1) begin : fixed
        assign under[i] = i == 0;
      end else begin : compared
        assign under[i] = magnitude[N-1:i] != '0;
      end
    end
    wire logic one = !under[1];  // k is 1 or -1
    wire logic [B:0] under_down = {under[B:1], !(one && !negative)};
    wire logic [B:0] under_up = {under[B:1], !(one && negative)};
    wire logic [B:0] place_down = ~under_down & {under_down[B-1:0], 1'b1};  // w itself, for f <= w
    wire logic inside_down = (window & ~under_down) == '0 || (window == place_down && below_zero);
    wire logic inside_up = (~window & ~under_up) == '0;

    assign down = k[0] && above_zero && inside_down;
    assign up = k[0] && above_ones && inside_up;
    wire logic unused = &{1'b0, magnitude, under};
  end else if (SHIFT == 0 || ROUNDING == FLOOR || ROUNDING == SIGN) begin : floor
    assign down = 1'b0;
    assign up = 1'b0;
  end else begin : integer_modes
    wire logic [SHIFT-1:0] f = sum[DROP+:SHIFT];
    wire logic top_in = f[SHIFT-1];
    logic top, rest;
    always_ff @(posedge clk) begin
      top <= top_in;
      rest <= (f & ~(SHIFT'(1) << (SHIFT - 1))) != '0;
    end
    assign down = 1'b0;
    always_comb begin
      case (ROUNDING)
        HALF_EVEN: up = top && (rest || k[0]);
        HALF_UP: up = top && (rest || !negative);    // ties away from zero
        HALF_DOWN: up = top && (rest || negative);   // ties towards zero
        CEIL: up = top || rest;
        UP: up = (top || rest) && !negative;         // away from zero
        DOWN: up = (top || rest) && negative;        // towards zero
        default: up = 1'b0;
      endcase
    end
  end

  // -- cycle 1: the zero point ----------------------------------------------------------------------------------------

  // |k| + 1 + |ZERO_POINT|
  localparam int ZERO_BITS = $clog2(ZERO_POINT < 0 ? 1 - ZERO_POINT : ZERO_POINT + 1) + 1;
  localparam int R_BITS = (N > ZERO_BITS ? N : ZERO_BITS) + 2;
  logic signed [R_BITS-1:0] rounded;
  logic far_1, negative_1;

  if (ROUNDING == SIGN) begin : sign
    always_ff @(posedge clk) rounded <= (negative ? -R_BITS'(1) : R_BITS'(1)) + R_BITS'(ZERO_POINT);
    always_ff @(posedge clk) far_1 <= 1'b0;
    wire logic unused = &{1'b0, k, far, up, down};
  end else begin : number
    // an odd k is lowered by clearing its lowest bit
    wire logic signed [N-1:0] lowered = k & ~N'(down);
    wire logic [R_BITS:0] total = {R_BITS'(lowered), 1'b1} + {R_BITS'(ZERO_POINT), up};
    always_ff @(posedge clk) rounded <= total[R_BITS:1];
    always_ff @(posedge clk) far_1 <= far;
    wire logic unused = total[0];
  end
  always_ff @(posedge clk) negative_1 <= negative;

  // -- cycle 2: the clamp ---------------------------------------------------------------------------------------------

  localparam int C_BITS_LO = R_BITS > LO_BITS ? R_BITS : LO_BITS;
  localparam int C_BITS_HI = C_BITS_LO > HI_BITS ? C_BITS_LO : HI_BITS;
  localparam int C_BITS = C_BITS_HI > OUTPUT_BITS ? C_BITS_HI : OUTPUT_BITS;
  wire logic low = far_1 ? negative_1 : C_BITS'(rounded) < C_BITS'(lo);
  wire logic high = far_1 ? !negative_1 : C_BITS'(rounded) > C_BITS'(hi);
  wire logic signed [C_BITS-1:0] clamped = low ? C_BITS'(lo) : high ? C_BITS'(hi) : C_BITS'(rounded);

  if (OUTPUT_BIPOLAR != 0) begin : bipolar
    always_ff @(posedge clk) y <= OUTPUT_BITS'(clamped > 0);
  end else begin : plain
    always_ff @(posedge clk) y <= clamped[OUTPUT_BITS-1:0];
  end
  wire logic unused = &{1'b0, sum, clamped, negative_1};
endmodule

`default_nettype wire
