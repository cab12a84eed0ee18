// FIFO of a stream: holds exactly DEPTH beats, in the order in which they came.
//
// DEPTH = 0 is plain wires: no register, no latency, nothing held.
// DEPTH = 1 is a register: a beat taken in cycle t is offered in cycle t + 1, at most one beat in two cycles.
// RAM_STYLE "distributed": a beat taken in cycle t is offered in cycle t + 1.
// RAM_STYLE "block": a beat taken in cycle t is offered in cycle t + 2. The RAM's output register holds the beat that
//     is offered, one of the DEPTH.
// A place is free again in the cycle after its beat has left. With a DEPTH of 2 and more (block: 3), a beat can enter
// and another one leave in every cycle.
// Neither `in_ready` nor `out_valid` depends on any input in the same cycle (DEPTH = 0 excepted).
`default_nettype none

module hlsgen_fifo #(
    parameter int WIDTH = 8,              // bits of a beat
    parameter int DEPTH = 2,              // beats held; 0 for wires
    parameter RAM_STYLE = "distributed"   // memory of two and more beats: "distributed" or "block"
) (
    input  wire logic             clk,
    input  wire logic             rst,        // synchronous, active high
    // the writer's side
    input  wire logic [WIDTH-1:0] in_data,
    input  wire logic             in_valid,
    output logic                  in_ready,
    // the reader's side
    output logic [WIDTH-1:0]      out_data,
    output logic                  out_valid,
    input  wire logic             out_ready
);
  localparam bit BLOCK = 88'(RAM_STYLE) == 88'("block");
  if (WIDTH < 1) begin : check_width
    $error("hlsgen_fifo: WIDTH=%0d is not positive", WIDTH);
  end
  if (DEPTH < 0 || BLOCK && DEPTH < 3) begin : check_depth
    $error("hlsgen_fifo: DEPTH=%0d is negative or, with block RAM, less than 3", DEPTH);
  end
  if (!BLOCK && 88'(RAM_STYLE) != 88'("distributed")) begin : check_style
    $error("hlsgen_fifo: RAM_STYLE is neither \"distributed\" nor \"block\"");
  end

  if (DEPTH == 0) begin : wires
    assign out_data = in_data;
    assign out_valid = in_valid;
    assign in_ready = out_ready;
    wire logic unused = &{1'b0, clk, rst};
  end else if (DEPTH == 1) begin : register
    assign in_ready = !out_valid;
    always_ff @(posedge clk) begin
      if (!out_valid) out_data <= in_data;
      out_valid <= !rst && (out_valid ? !out_ready : in_valid);
    end
  end else begin : memory
    localparam int ADDRESS_BITS = $clog2(DEPTH);
    localparam int COUNT_BITS = $clog2(DEPTH + 1);  // counts 0..DEPTH
    // Words of a block RAM as wide as a beat. Where DEPTH needs several, their number need not be a power of two.
    localparam int GRAIN = WIDTH > 18 ? 512 : WIDTH > 9 ? 1024 : WIDTH > 4 ? 2048 : WIDTH > 2 ? 4096 : 8192;
    localparam int WORDS = BLOCK && DEPTH > GRAIN ? (DEPTH + GRAIN - 1) / GRAIN * GRAIN : 2 ** ADDRESS_BITS;

    logic [ADDRESS_BITS-1:0] write_address;
    logic [ADDRESS_BITS-1:0] read_address;
    logic [COUNT_BITS-1:0] held;  // beats taken and not yet handed over
    wire logic push = in_valid && in_ready;
    wire logic pop = out_valid && out_ready;
    wire logic advance;  // the word at read_address is read for the last time
    // of two places, the flags of both sides tell more cheaply than `held` how many are free
    wire logic one_free = DEPTH == 2 ? out_valid && in_ready : held == COUNT_BITS'(DEPTH - 1);

    function automatic logic [ADDRESS_BITS-1:0] following(input logic [ADDRESS_BITS-1:0] address);
      return WORDS != 2 ** ADDRESS_BITS && address == ADDRESS_BITS'(WORDS - 1) ? '0 : address + 1'b1;
    endfunction

    always_ff @(posedge clk) begin
      if (rst) begin
        write_address <= '0;
        read_address <= '0;
        held <= '0;
        in_ready <= 1'b1;
      end else begin
        if (push) write_address <= following(write_address);
        if (advance) read_address <= following(read_address);
        if (push != pop) begin
          held <= held + {{COUNT_BITS - 1{pop}}, 1'b1};  // 1 more or 1 less
          in_ready <= pop || !one_free;
        end
      end
    end

    if (BLOCK) begin : block
      (* ram_style = "block" *) logic [WIDTH-1:0] ram [WORDS];
      logic unread;  // the RAM holds beats besides the one offered
      wire logic fetch = !out_valid || out_ready;
      assign advance = fetch && unread;
      always_ff @(posedge clk) begin
        if (push) ram[write_address] <= in_data;
        if (fetch) out_data <= ram[read_address];
        if (rst) begin
          unread <= 1'b0;
          out_valid <= 1'b0;
        end else begin
          if (fetch) out_valid <= unread;
          // the RAM holds all beats but the one offered
          if (push) unread <= 1'b1;
          else if (advance) unread <= held != COUNT_BITS'(1) + COUNT_BITS'(out_valid);
        end
      end
    end else begin : distributed
      (* ram_style = "distributed" *) logic [WIDTH-1:0] ram [WORDS];
      wire logic one_held = DEPTH == 2 ? out_valid && in_ready : held == COUNT_BITS'(1);
      assign advance = pop;
      assign out_data = ram[read_address];
      always_ff @(posedge clk) begin
        if (push) ram[write_address] <= in_data;
        if (rst) out_valid <= 1'b0;
        else if (push != pop) out_valid <= push || !one_held;
      end
    end
  end
endmodule

`default_nettype wire
