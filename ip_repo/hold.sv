// Output of a slow free-running pipeline: hlsgen_queue with two places, one of them the pipeline's own last register.
//
// Same rules as hlsgen_queue: `claim` in the cycle in which a beat is started, only while `room` is high; `push` when
// it arrives. `push_data` must then stay until the next claimed beat can have come down the pipeline, which takes two
// cycles at least: there are never more than two claimed beats, so the first has left the register behind this one
// before a third is started. A beat pushed in cycle t is offered in cycle t + 1 at the earliest.
`default_nettype none

module hlsgen_hold #(
    parameter int WIDTH = 8  // bits of a beat
) (
    input  wire logic             clk,
    input  wire logic             rst,        // synchronous, active high
    // the pipeline's side
    input  wire logic             claim,
    output logic                  room,
    input  wire logic [WIDTH-1:0] push_data,
    input  wire logic             push,
    // the reader's side
    output logic [WIDTH-1:0]      out_data,
    output logic                  out_valid,
    input  wire logic             out_ready
);
  if (WIDTH < 1) begin : check_width
    $error("hlsgen_hold: WIDTH=%0d is not positive", WIDTH);
  end

  logic one;      // one beat is claimed and not yet taken; two are when neither `one` nor `room`
  logic waiting;  // push_data was pushed and is still there
  wire logic pop = out_valid && out_ready;
  wire logic move = (push || waiting) && (!out_valid || out_ready);

  always_ff @(posedge clk) begin
    if (move) out_data <= push_data;
    if (rst) begin
      one <= 1'b0;
      room <= 1'b1;
      waiting <= 1'b0;
      out_valid <= 1'b0;
    end else begin
      // claimed beats: 0 is (room, !one), 1 is (room, one), 2 is (!room, !one)
      if (claim != pop) begin
        one <= !one;
        room <= pop || !one;
      end
      waiting <= (push || waiting) && !move;
      out_valid <= move || (out_valid && !out_ready);
    end
  end
endmodule

`default_nettype wire
