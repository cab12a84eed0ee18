// data[index], of COUNT words: a tree of multiplexers of four, one LUT6 per bit each. An index beyond gives any word.
//
// Vivado is expected to need no more LUTs by itself. Yosys takes up to twice as many, so for its front end (slang) the
// primitives are named. Purely combinational.
`default_nettype none

`ifdef SYNTHESIS
`ifdef __slang__
`define HLSGEN_MULTIPLEXER_PRIMITIVES

// the front end wants to see the primitive; Yosys knows what is in it
(* blackbox *)
module LUT6 #(
    parameter logic [63:0] INIT = 64'h0
) (
    input  wire logic I0, I1, I2, I3, I4, I5,
    output wire logic O
);
endmodule
`endif
`endif

module hlsgen_multiplexer #(
    parameter int WIDTH = 8,  // bits of a word
    parameter int COUNT = 5,  // words
    localparam int INDEX_BITS = COUNT > 1 ? $clog2(COUNT) : 1
) (
    input  wire logic [COUNT-1:0][WIDTH-1:0] data,
    input  wire logic [INDEX_BITS-1:0]       index,
    output logic [WIDTH-1:0]                 word
);
  if (WIDTH < 1 || COUNT < 1) begin : check
    $error("hlsgen_multiplexer: WIDTH=%0d and COUNT=%0d must be positive", WIDTH, COUNT);
  end

`ifdef HLSGEN_MULTIPLEXER_PRIMITIVES
  localparam int LEVELS = (INDEX_BITS + 1) / 2;
  wire logic [2*LEVELS-1:0] digits = (2 * LEVELS)'(index);  // each chooses among four

  for (genvar n = 0; n <= LEVELS; ++n) begin : level
    localparam int LEFT = (COUNT - 1) / 4 ** n + 1;  // words among which digits n and above choose
    wire logic [LEFT-1:0][WIDTH-1:0] words;
    if (n == 0) begin : all
      assign words = data;
    end else begin : chosen
      localparam int BEFORE = (COUNT - 1) / 4 ** (n - 1) + 1;
      for (genvar i = 0; i < LEFT; ++i) begin : four
        localparam int LAST = BEFORE - 1 < 4 * i + 3 ? BEFORE - 1 : 4 * i + 3;  // there may be fewer
        if (LAST == 4 * i) begin : alone
          assign words[i] = level[n-1].words[LAST];
        end else begin : among
          localparam int THIRD = LAST < 4 * i + 2 ? LAST : 4 * i + 2;
          for (genvar b = 0; b < WIDTH; ++b) begin : bit_
            LUT6 #(
                .INIT(64'hff00f0f0_ccccaaaa)
            ) lut (
                .I0(level[n-1].words[4*i][b]), .I1(level[n-1].words[4*i+1][b]), .I2(level[n-1].words[THIRD][b]),
                .I3(level[n-1].words[LAST][b]), .I4(digits[2*n-2]), .I5(digits[2*n-1]), .O(words[i][b])
            );
          end
        end
      end
    end
  end
  assign word = level[LEVELS].words[0];
`else
  assign word = data[index];
`endif
endmodule

`default_nettype wire
