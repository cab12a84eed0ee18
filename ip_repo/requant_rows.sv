// sum = x * factor + add in LUTs: one adder per two bits of the factor (Booth's radix-4 recoding), freely running.
//
// Row r adds digit_r * x * 4^r, where the digit, -2 to 2, follows from bits 2r + 1, 2r, 2r - 1 of the factor; choosing
// the multiple of x fits into the adder's own LUTs. Two rows per clock cycle.
// Latency: ceil(ceil(FACTOR_BITS / 2) / 2) cycles.
// Widths: modulo 2^SUM_BITS, which holds every result; row r touches the bits from 2r up only.
`default_nettype none

module hlsgen_requant_rows #(
    parameter int X_BITS = 8,       // signed
    parameter int FACTOR_BITS = 8,  // signed
    parameter int ADD_BITS = 8,     // signed
    parameter int SUM_BITS = 32     // signed
) (
    input  wire logic                          clk,
    input  wire logic signed [X_BITS-1:0]      x,
    input  wire logic signed [FACTOR_BITS-1:0] factor,
    input  wire logic signed [ADD_BITS-1:0]    add,
    output logic signed [SUM_BITS-1:0]         sum
);
  localparam int ROWS = (FACTOR_BITS + 1) / 2;
  localparam int STAGES = (ROWS + 1) / 2;
  localparam int DIGIT_BITS = 2 * ROWS + 1;  // the factor, sign-extended to whole digits, and a 0 below

  for (genvar s = 0; s < STAGES; s++) begin : stage
    logic signed [X_BITS-1:0] x_here;
    logic [DIGIT_BITS-1:0] digits;     // of this stage lowest
    logic signed [SUM_BITS-1:0] sum_in, sum_out;
    logic signed [SUM_BITS-1:0] between [3];

    if (s == 0) begin : begins
      assign x_here = x;
      assign digits = {(2 * ROWS)'(factor), 1'b0};
      assign sum_in = SUM_BITS'(add);
    end else begin : continues
      always_ff @(posedge clk) begin
        x_here <= stage[s-1].x_here;
        digits <= stage[s-1].digits >> 4;
      end
      assign sum_in = stage[s-1].sum_out;
    end

    assign between[0] = sum_in;
    for (genvar r = 0; r < 2; r++) begin : row
      localparam int AT = 2 * (2 * s + r);
      if (2 * s + r < ROWS && AT < SUM_BITS) begin : add_row
        localparam int ROW_BITS = SUM_BITS - AT;
        wire logic [2:0] digit = digits[2*r+:3];
        wire logic minus = digit[2];
        wire logic one = digit[1] != digit[0];
        wire logic two = (digit == 3'b100) || (digit == 3'b011);
        wire logic signed [X_BITS:0] multiple = two ? {x_here, 1'b0} : one ? (X_BITS + 1)'(x_here) : '0;
        wire logic signed [X_BITS:0] chosen = multiple ^ {(X_BITS + 1) {minus}};
        wire logic [ROW_BITS-1:0] addend = ROW_BITS'(chosen);
        // the carry into the lowest bit completes the negation
        wire logic [ROW_BITS:0] total = {between[r][SUM_BITS-1:AT], 1'b1} + {addend, minus};
        if (AT > 0) begin : upper
          assign between[r+1] = {total[ROW_BITS:1], between[r][AT-1:0]};
        end else begin : whole
          assign between[r+1] = total[ROW_BITS:1];
        end
        wire logic unused = &{1'b0, total[0], chosen};
      end else begin : none
        assign between[r+1] = between[r];
      end
    end
    always_ff @(posedge clk) sum_out <= between[2];
    wire logic unused = &{1'b0, digits};
  end
  assign sum = stage[STAGES-1].sum_out;
  wire logic unused = &{1'b0, add};  // its bits above SUM_BITS, if there are any
endmodule

`default_nettype wire
