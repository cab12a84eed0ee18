// Changes the number of lanes of a stream by an integer ratio; the order of elements stays.
//
// Beats in:  beats of LANES_IN elements.
// Beats out: as many elements in beats of LANES_OUT. A wider beat is offered two cycles after its last part was taken
//            in, the first of the narrower ones in the cycle after their beat was taken in.
// Cycles:    one per beat of the narrower stream.
// Cost:      flip-flops for two (wider: output) beats, and a multiplexer where beats become narrower.
`default_nettype none

module hlsgen_width #(
    parameter int LANES_IN = 8,   // elements of a beat taken in
    parameter int LANES_OUT = 1,  // elements of a beat given out
    parameter int TYPE_BITS = 8   // bits of an element
) (
    input  wire logic                           clk,
    input  wire logic                           rst,        // synchronous, active high
    input  wire logic [LANES_IN*TYPE_BITS-1:0]  in_data,
    input  wire logic                           in_valid,
    output logic                                in_ready,
    output logic [LANES_OUT*TYPE_BITS-1:0]      out_data,
    output logic                                out_valid,
    input  wire logic                           out_ready
);
  if (LANES_IN < 1 || LANES_OUT < 1 || TYPE_BITS < 1) begin : check_width
    $error("hlsgen_width: LANES_IN=%0d, LANES_OUT=%0d and TYPE_BITS=%0d must be positive", LANES_IN, LANES_OUT,
           TYPE_BITS);
  end
  if (LANES_IN % LANES_OUT != 0 && LANES_OUT % LANES_IN != 0) begin : check_ratio
    $error("hlsgen_width: lanes %0d -> %0d are no integer ratio", LANES_IN, LANES_OUT);
  end

  localparam int IN_BITS = LANES_IN * TYPE_BITS;
  localparam int OUT_BITS = LANES_OUT * TYPE_BITS;
  wire logic push = in_valid && in_ready;
  wire logic pop = out_valid && out_ready;

  if (LANES_IN == LANES_OUT) begin : same
    hlsgen_fifo #(.WIDTH(IN_BITS), .DEPTH(2)) buffer (.*);
    wire logic unused = &{1'b0, push, pop};

  end else if (LANES_IN < LANES_OUT) begin : wider
    localparam int RATIO = LANES_OUT / LANES_IN;
    localparam int PART_BITS = $clog2(RATIO);  // counts 0..RATIO-1
    logic [OUT_BITS-1:0] gathered;  // the newest part is at the top
    logic [PART_BITS-1:0] part;
    logic complete;  // a whole beat is gathered
    wire logic last = part == PART_BITS'(RATIO - 1);
    wire logic move = complete && (!out_valid || out_ready);
    // Parts follow one another without a gap: the beat gathered before has left when the second part of this one comes.
    assign in_ready = !(complete && out_valid);
    always_ff @(posedge clk) begin
      if (push) gathered <= {in_data, gathered[OUT_BITS-1:IN_BITS]};
      if (move) out_data <= gathered;
      if (rst) begin
        part <= '0;
        complete <= 1'b0;
        out_valid <= 1'b0;
      end else begin
        if (push) part <= last ? '0 : part + 1'b1;
        complete <= push && last || complete && !move;
        out_valid <= complete || out_valid && !out_ready;
      end
    end
    wire logic unused = pop;

  end else begin : narrower
    localparam int RATIO = LANES_IN / LANES_OUT;
    localparam int PART_BITS = $clog2(RATIO);  // counts 0..RATIO-1
    // A beat's last part has a register of its own, filled while earlier parts leave. So its beat's register is free,
    // and known to be, when the last part is still to be taken.
    logic [IN_BITS-1:0] held;
    logic [OUT_BITS-1:0] held_last;
    logic full;  // parts of the beat in `held` are still to leave from there
    logic [PART_BITS-1:0] part;
    logic last;  // part == RATIO - 1; it is in held_last
    hlsgen_multiplexer #(
        .WIDTH(OUT_BITS), .COUNT(RATIO)
    ) choose (
        .data({held_last, held[IN_BITS-OUT_BITS-1:0]}), .index(part), .word(out_data)
    );
    assign out_valid = full || last;
    assign in_ready = !full;
    always_ff @(posedge clk) begin
      if (push) held <= in_data;
      if (!last) held_last <= held[IN_BITS-1-:OUT_BITS];
      if (rst) begin
        full <= 1'b0;
        part <= '0;
        last <= 1'b0;
      end else begin
        full <= push || full && !(pop && part == PART_BITS'(RATIO - 2));
        if (pop) begin
          part <= last ? '0 : part + 1'b1;
          last <= part == PART_BITS'(RATIO - 2);
        end
      end
    end
  end
endmodule

`default_nettype wire
