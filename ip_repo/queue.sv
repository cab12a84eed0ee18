// Output queue of a free-running pipeline: beats under way are counted, so the pipeline never has to stop.
//
// Whoever starts a beat that will come out of the pipeline raises `claim` in that cycle, which is allowed only while
// `room` is high; the beat itself arrives later with `push`, in the order of the claims, and always finds its place.
// A place is free again in the cycle after the beat has left (`out_valid` and `out_ready`).
// A beat pushed in cycle t is offered in cycle t + 1 at the earliest. Neither `room` nor `out_valid` depends on any
// input in the same cycle, so the queue cuts the ready path.
`default_nettype none

module hlsgen_queue #(
    parameter int WIDTH = 8,   // bits of a beat
    parameter int DEPTH = 16   // beats claimed and not yet taken, at most
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
    $error("hlsgen_queue: WIDTH=%0d is not positive", WIDTH);
  end
  if (DEPTH < 2) begin : check_depth
    $error("hlsgen_queue: DEPTH=%0d is less than 2", DEPTH);
  end

  localparam int ADDRESS_BITS = $clog2(DEPTH);
  localparam int COUNT_BITS = $clog2(DEPTH + 1);  // counts 0..DEPTH

  (* ram_style = "distributed" *) logic [WIDTH-1:0] ram [2**ADDRESS_BITS];
  logic [ADDRESS_BITS-1:0] write_address;
  logic [ADDRESS_BITS-1:0] read_address;
  logic [COUNT_BITS-1:0] claimed;  // beats claimed and not yet taken
  logic [COUNT_BITS-1:0] stored;   // beats pushed and not yet taken; at most `claimed`
  wire logic pop = out_valid && out_ready;

  assign out_data = ram[read_address];

  always_ff @(posedge clk) begin
    if (push) ram[write_address] <= push_data;
    if (rst) begin
      write_address <= '0;
      read_address <= '0;
      claimed <= '0;
      stored <= '0;
      room <= 1'b1;
      out_valid <= 1'b0;
    end else begin
      // addresses run through the whole power of two, which is never less than DEPTH
      if (push) write_address <= write_address + 1'b1;
      if (pop) read_address <= read_address + 1'b1;
      if (claim != pop) begin
        claimed <= claim ? claimed + 1'b1 : claimed - 1'b1;
        room <= pop || claimed != COUNT_BITS'(DEPTH - 1);
      end
      if (push != pop) begin
        stored <= push ? stored + 1'b1 : stored - 1'b1;
        out_valid <= push || stored != COUNT_BITS'(1);
      end
    end
  end
endmodule

`default_nettype wire
