// The input, DELAY clock cycles later; plain wires for 0. Not reset: what it carries is valid or not by other signals.
`default_nettype none

module hlsgen_requant_delay #(
    parameter int WIDTH = 8,
    parameter int DELAY = 1
) (
    input  wire logic             clk,
    input  wire logic [WIDTH-1:0] data,
    output logic [WIDTH-1:0]      delayed
);
  if (WIDTH < 1 || DELAY < 0) begin : check
    $error("hlsgen_requant_delay: WIDTH=%0d, DELAY=%0d", WIDTH, DELAY);
  end

  if (DELAY == 0) begin : wires
    assign delayed = data;
    wire logic unused = clk;
  end else begin : registers
    logic [DELAY-1:0][WIDTH-1:0] line;
    assign delayed = line[DELAY-1];
    always_ff @(posedge clk) begin
      line[0] <= data;
      for (int i = 1; i < DELAY; i++) line[i] <= line[i-1];
    end
  end
endmodule

`default_nettype wire
