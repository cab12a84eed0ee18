// Position along one axis of a frame that is read in order, and which positions some window needs.
//
// Windows begin at -PAD, STRIDE - PAD, 2 * STRIDE - PAD, ... and cover at least SPAN positions each; SPAN <= STRIDE, so
// what lies between two windows is not needed, nor is anything from LIMIT on. `keep` and `last` are about the position
// at hand, `keep_next` is about the one after it (after the last one: the first).
`default_nettype none

module hlsgen_window_axis #(
    parameter int SIZE = 8,    // positions
    parameter int STRIDE = 3,  // from window to window
    parameter int SPAN = 2,    // positions kept of each STRIDE
    parameter int PAD = 1,     // positions of the first window that lie before position 0
    parameter int LIMIT = 8    // end of the last window
) (
    input  wire logic clk,
    input  wire logic rst,       // synchronous, active high
    input  wire logic step,      // to the next position
    output logic      keep,
    output logic      keep_next,
    output logic      last
);
  localparam int BITS = SIZE > 1 ? $clog2(SIZE) : 1;  // counts 0..SIZE-1
  logic [BITS-1:0] position;
  hlsgen_loop #(.COUNT(SIZE)) count (.clk, .rst, .step, .index(position), .last);

  // phase = (position + PAD) modulo STRIDE
  logic wanted, wanted_next;
  if (SPAN == STRIDE) begin : no_gaps
    assign wanted = 1'b1;
    assign wanted_next = 1'b1;
  end else begin : gaps
    localparam int PHASE_BITS = $clog2(STRIDE);  // counts 0..STRIDE-1
    logic [PHASE_BITS-1:0] phase, phase_next;
    always_comb begin
      phase_next = phase == PHASE_BITS'(STRIDE - 1) ? '0 : phase + 1'b1;
      if (last) phase_next = PHASE_BITS'(PAD % STRIDE);
    end
    always_ff @(posedge clk)
      if (rst) phase <= PHASE_BITS'(PAD % STRIDE);
      else if (step) phase <= phase_next;
    assign wanted = phase < PHASE_BITS'(SPAN);
    assign wanted_next = phase_next < PHASE_BITS'(SPAN);
  end

  if (LIMIT >= SIZE) begin : to_the_end
    assign keep = wanted;
    assign keep_next = wanted_next;
    wire logic unused = &{1'b0, position};
  end else begin : limited
    assign keep = wanted && position < BITS'(LIMIT);
    assign keep_next = wanted_next && (last || position < BITS'(LIMIT - 1));
  end
endmodule

`default_nettype wire
