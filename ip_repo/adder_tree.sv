// Sum of N unsigned terms in a pipelined tree of three-input adders.
//
// Latency:  LEVELS = ceil(log3 N) cycles, none for N = 1. Runs freely, a sum per cycle.
// Widths:   n terms below 2^b have a sum below n * 2^b <= 2^(b + ceil(log2 n)). Bits from OUT_BITS on are not computed:
//           sums are modulo 2^OUT_BITS.
`default_nettype none

module hlsgen_adder_tree #(
    parameter int N = 9,          // terms
    parameter int TERM_BITS = 8,  // bits of a term
    parameter int OUT_BITS = 12,  // bits of the sum; at most TERM_BITS + $clog2(N) are not constant
    parameter int INVERTED = 0    // 1: `terms` are the terms' complements
) (
    input  wire logic                   clk,
    input  wire logic [N*TERM_BITS-1:0] terms,  // term 0 lowest
    output logic [OUT_BITS-1:0]         sum
);
  if (N < 1 || TERM_BITS < 1 || OUT_BITS < 1) begin : check
    $error("hlsgen_adder_tree: N=%0d, TERM_BITS=%0d, OUT_BITS=%0d must be positive", N, TERM_BITS, OUT_BITS);
  end

  if (N == 1) begin : leaf
    wire logic [TERM_BITS-1:0] term = INVERTED != 0 ? ~terms : terms;
    if (OUT_BITS <= TERM_BITS) begin : cut
      assign sum = term[OUT_BITS-1:0];
    end else begin : padded
      assign sum = {{OUT_BITS - TERM_BITS{1'b0}}, term};
    end
    wire logic unused = &{1'b0, clk, term};
  end else begin : level
    localparam int GROUP = N < 3 ? N : 3;  // terms of the first sum
    localparam int SUMS = (N + 2) / 3;
    localparam int FULL_BITS = TERM_BITS + $clog2(GROUP);
    localparam int SUM_BITS = FULL_BITS < OUT_BITS ? FULL_BITS : OUT_BITS;
    localparam int ADDEND_BITS = TERM_BITS < OUT_BITS ? TERM_BITS : OUT_BITS;

    logic [SUMS*SUM_BITS-1:0] sums;
    for (genvar i = 0; i < SUMS; ++i) begin : add
      localparam int OPERANDS = N - 3 * i < 3 ? N - 3 * i : 3;
      wire logic [OPERANDS*TERM_BITS-1:0] group = terms[3*i*TERM_BITS+:OPERANDS*TERM_BITS];
      logic [SUM_BITS-1:0] total;
      if (OPERANDS == 3 || (OPERANDS == 2 && INVERTED != 0)) begin : three
        logic [2:0][ADDEND_BITS-1:0] addends;
        for (genvar j = 0; j < 3; ++j) begin : addend
          if (j < OPERANDS) begin : present
            assign addends[j] = group[j*TERM_BITS+:ADDEND_BITS];
          end else begin : absent
            assign addends[j] = '1;
          end
        end
        hlsgen_add3 #(
            .BITS(ADDEND_BITS), .SUM_BITS(SUM_BITS), .INVERTED(INVERTED)
        ) add3 (
            .a(addends[0]), .b(addends[1]), .c(addends[2]), .sum(total)
        );
      end else if (OPERANDS == 2) begin : two
        assign total = SUM_BITS'(group[0+:ADDEND_BITS]) + SUM_BITS'(group[TERM_BITS+:ADDEND_BITS]);
      end else begin : one
        assign total = SUM_BITS'(group[0+:ADDEND_BITS] ^ {ADDEND_BITS{INVERTED != 0}});
      end
      always_ff @(posedge clk) sums[i*SUM_BITS+:SUM_BITS] <= total;
    end

    hlsgen_adder_tree #(
        .N(SUMS), .TERM_BITS(SUM_BITS), .OUT_BITS(OUT_BITS)
    ) rest (
        .clk, .terms(sums), .sum
    );
  end
endmodule

`default_nettype wire
