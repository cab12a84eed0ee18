// sum = (x << left) + add, or add - (x << left) where `negative`. Latency: 2 cycles.
// Widths: modulo 2^SUM_BITS, which holds every result.
`default_nettype none

module hlsgen_requant_shift #(
    parameter int X_BITS = 20,   // signed
    parameter int LEFT_BITS = 1,
    parameter int ADD_BITS = 8,  // signed
    parameter int SUM_BITS = 24  // signed
) (
    input  wire logic                       clk,
    input  wire logic signed [X_BITS-1:0]   x,
    input  wire logic                       negative,
    input  wire logic [LEFT_BITS-1:0]       left,
    input  wire logic signed [ADD_BITS-1:0] add,
    output logic signed [SUM_BITS-1:0]      sum
);
  logic signed [SUM_BITS-1:0] shifted;  // its complement where `negative`; the carry below makes it the negative
  logic signed [ADD_BITS-1:0] add_1;
  logic negative_1;
  wire logic [SUM_BITS:0] total = {SUM_BITS'(add_1), 1'b1} + {shifted, negative_1};

  always_ff @(posedge clk) begin
    shifted <= (SUM_BITS'(x) << left) ^ {SUM_BITS{negative}};
    add_1 <= add;
    negative_1 <= negative;
    sum <= total[SUM_BITS:1];
  end
  wire logic unused = total[0];
endmodule

`default_nettype wire
