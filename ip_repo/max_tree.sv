// Largest of N unsigned terms in a pipelined tree.
//
// Latency:  $clog2(N) cycles, none for N = 1. Runs freely, a result per cycle.
`default_nettype none

module hlsgen_max_tree #(
    parameter int N = 9,         // terms
    parameter int TERM_BITS = 8  // bits of a term
) (
    input  wire logic                   clk,
    input  wire logic [N*TERM_BITS-1:0] terms,    // term 0 lowest
    output logic [TERM_BITS-1:0]        largest
);
  if (N < 1 || TERM_BITS < 1) begin : check
    $error("hlsgen_max_tree: N=%0d and TERM_BITS=%0d must be positive", N, TERM_BITS);
  end

  if (N == 1) begin : leaf
    assign largest = terms;
    wire logic unused = clk;
  end else begin : level
    localparam int PAIRS = (N + 1) / 2;  // the last term may be alone
    logic [PAIRS*TERM_BITS-1:0] winners;
    for (genvar i = 0; i < PAIRS; ++i) begin : pairs
      wire logic [TERM_BITS-1:0] a = terms[2*i*TERM_BITS+:TERM_BITS];
      if (2 * i + 1 < N) begin : pair
        wire logic [TERM_BITS-1:0] b = terms[(2*i+1)*TERM_BITS+:TERM_BITS];
        always_ff @(posedge clk) winners[i*TERM_BITS+:TERM_BITS] <= a > b ? a : b;
      end else begin : alone
        always_ff @(posedge clk) winners[i*TERM_BITS+:TERM_BITS] <= a;
      end
    end
    hlsgen_max_tree #(.N(PAIRS), .TERM_BITS(TERM_BITS)) rest (.clk, .terms(winners), .largest);
  end
endmodule

`default_nettype wire
