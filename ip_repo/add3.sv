// Sum of three unsigned numbers in one carry chain: a dual-output LUT per bit, where two adders would take two.
//
// Carry-save form: bit i of the numbers has the sum half[i] + 2 * majority[i], so the total is half + 2 * majority. The
// LUT of bit i makes majority[i] on one output and half[i] ^ majority[i-1] on the other, for the carry chain.
// Vivado is expected to make this of a sum of three numbers by itself. Yosys takes two adders, so for its front end
// (slang) the primitives are named. Purely combinational.
`default_nettype none

`ifdef SYNTHESIS
`ifdef __slang__
`define HLSGEN_ADD3_PRIMITIVES

// the front end wants to see the primitives; Yosys knows what is in them
(* blackbox *)
module LUT6_2 #(
    parameter logic [63:0] INIT = 64'h0
) (
    input  wire logic I0, I1, I2, I3, I4, I5,
    output wire logic O5, O6
);
endmodule

(* blackbox *)
module CARRY4 (
    input  wire logic       CI,
    input  wire logic       CYINIT,
    input  wire logic [3:0] DI,
    input  wire logic [3:0] S,
    output wire logic [3:0] O,
    output wire logic [3:0] CO
);
endmodule
`endif
`endif

module hlsgen_add3 #(
    parameter int BITS = 8,      // of each number
    parameter int SUM_BITS = 10, // of the sum, at least BITS; BITS + 2 hold all of it
    parameter int INVERTED = 0   // 1: the inputs are the numbers' complements
) (
    input  wire logic [BITS-1:0]     a,
    input  wire logic [BITS-1:0]     b,
    input  wire logic [BITS-1:0]     c,
    output logic [SUM_BITS-1:0]      sum
);
  if (BITS < 1 || SUM_BITS < BITS || SUM_BITS > BITS + 2) begin : check
    $error("hlsgen_add3: BITS=%0d, SUM_BITS=%0d: the sum has 0 to 2 bits more than the numbers", BITS, SUM_BITS);
  end

`ifdef HLSGEN_ADD3_PRIMITIVES
  localparam int BLOCKS = (SUM_BITS + 3) / 4;

  logic [4*BLOCKS-1:0] propagate, generate_, result;
  logic [4*BLOCKS-1:0] carry;
  logic [BITS:0] majority;  // index i: that of bit i - 1

  assign majority[0] = 1'b0;
  for (genvar i = 0; i < 4 * BLOCKS; ++i) begin : bit_
    if (i < BITS) begin : add
      // O6 = I0 ^ I1 ^ I2 ^ I3, O5 = majority of I0, I1, I2; or with I0, I1, I2 inverted
      LUT6_2 #(
          .INIT(INVERTED != 0 ? 64'h96699669_17171717 : 64'h69966996_e8e8e8e8)
      ) lut (
          .I0(a[i]), .I1(b[i]), .I2(c[i]), .I3(majority[i]), .I4(1'b0), .I5(1'b1), .O5(majority[i+1]), .O6(propagate[i])
      );
      assign generate_[i] = majority[i];
    end else if (i == BITS) begin : carry_out
      assign propagate[i] = majority[i];
      assign generate_[i] = majority[i];
    end else begin : zero
      assign propagate[i] = 1'b0;
      assign generate_[i] = 1'b0;
    end
  end

  for (genvar i = 0; i < BLOCKS; ++i) begin : block
    if (i == 0) begin : lowest
      CARRY4 chain (
          .CI(1'b0), .CYINIT(1'b0), .DI(generate_[3:0]), .S(propagate[3:0]), .O(result[3:0]), .CO(carry[3:0])
      );
    end else begin : next
      CARRY4 chain (
          .CI(carry[4*i-1]), .CYINIT(1'b0), .DI(generate_[4*i+:4]), .S(propagate[4*i+:4]), .O(result[4*i+:4]),
          .CO(carry[4*i+:4])
      );
    end
  end

  assign sum = result[SUM_BITS-1:0];
`else
  localparam logic [BITS-1:0] FLIP = INVERTED != 0 ? '1 : '0;
  assign sum = SUM_BITS'(a ^ FLIP) + SUM_BITS'(b ^ FLIP) + SUM_BITS'(c ^ FLIP);
`endif
endmodule

`default_nettype wire
