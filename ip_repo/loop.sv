// Counter of one loop of a loop nest: 0, 1, ..., COUNT - 1 and again, one further with every `step`.
//
// `last` is a register that says index == COUNT - 1, so the carry of a nest is an AND of registers:
// the next outer loop's step is `step && last`.
`default_nettype none

module hlsgen_loop #(
    parameter int COUNT = 3,                                 // turns of the loop
    localparam int BITS = COUNT > 1 ? $clog2(COUNT) : 1      // counts 0..COUNT-1
) (
    input  wire logic            clk,
    input  wire logic            rst,    // synchronous, active high
    input  wire logic            step,
    output logic      [BITS-1:0] index,
    output logic                 last
);
  if (COUNT < 1) begin : check_count
    $error("hlsgen_loop: COUNT=%0d is not positive", COUNT);
  end

  if (COUNT == 1) begin : single
    assign index = '0;
    assign last = 1'b1;
    wire logic unused = &{1'b0, clk, rst, step};
  end else begin : many
    always_ff @(posedge clk)
      if (rst) begin
        index <= '0;
        last <= 1'b0;
      end else if (step) begin
        index <= last ? '0 : index + 1'b1;
        last <= index == BITS'(COUNT - 2);
      end
  end
endmodule

`default_nettype wire
