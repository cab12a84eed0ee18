// Copies a stream to two or more readers.
//
// Beats in:  BEATS of LANES elements per image; the kernel need not know where images begin.
// Beats out: the same on each of COPIES outputs, offered in the cycle after they were taken in. Each reader takes its
//            copy when it likes, at most two beats ahead of the slowest one.
// Cycles:    BEATS.
// Cost:      two beats are stored, once for all copies; each copy has its own reading position.
`default_nettype none

module hlsgen_fork #(
    parameter int LANES = 1,      // elements of a beat
    parameter int TYPE_BITS = 8,  // bits of an element
    parameter int COPIES = 2      // outputs
) (
    input  wire logic                              clk,
    input  wire logic                              rst,        // synchronous, active high
    input  wire logic [LANES*TYPE_BITS-1:0]        in_data,
    input  wire logic                              in_valid,
    output logic                                   in_ready,
    output logic [COPIES*LANES*TYPE_BITS-1:0]      out_data,
    output logic [COPIES-1:0]                      out_valid,
    input  wire logic [COPIES-1:0]                 out_ready
);
  if (LANES < 1 || TYPE_BITS < 1) begin : check_width
    $error("hlsgen_fork: LANES=%0d and TYPE_BITS=%0d must be positive", LANES, TYPE_BITS);
  end
  if (COPIES < 2) begin : check_copies
    $error("hlsgen_fork: COPIES=%0d is less than 2", COPIES);
  end

  localparam int WIDTH = LANES * TYPE_BITS;

  logic [WIDTH-1:0] stored [2];
  logic write_position;
  logic [COPIES-1:0] read_position;
  logic [COPIES-1:0] full;  // both beats are still to be taken; at least one is where out_valid
  wire logic push = in_valid && in_ready;
  wire logic [COPIES-1:0] pop = out_valid & out_ready;

  assign in_ready = full == '0;

  for (genvar copy = 0; copy < COPIES; ++copy) begin : copies
    assign out_data[copy*WIDTH+:WIDTH] = stored[read_position[copy]];
  end

  always_ff @(posedge clk) begin
    if (push) stored[write_position] <= in_data;
    if (rst) begin
      write_position <= 1'b0;
      read_position <= '0;
      out_valid <= '0;
      full <= '0;
    end else begin
      write_position <= write_position ^ push;
      read_position <= read_position ^ pop;
      out_valid <= {COPIES{push}} | full | (out_valid & ~pop);
      full <= (full | {COPIES{push}} & out_valid) & ~pop;
    end
  end
endmodule

`default_nettype wire
