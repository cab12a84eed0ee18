// A FIFO beside a model of it, compared in every cycle: capacity, latency, order, reset.
module fifo_check #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 2,
    parameter RAM_STYLE = "distributed",
    parameter int LATENCY = 1,
    parameter int CYCLES = 1000
) (
    input  logic clk,
    input  logic rst,
    input  logic gaps,
    input  logic stalls,
    output logic done
);
  logic [WIDTH-1:0] in_data, out_data;
  logic in_valid, in_ready, out_valid, out_ready;
  hlsgen_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH), .RAM_STYLE(RAM_STYLE)) fifo (.*);

  typedef struct packed {
    int taken;  // the cycle
    logic [WIDTH-1:0] data;
  } beat_t;
  beat_t beats [$];
  int now;
  int handed;  // the cycle of the last handover
  int shown;   // problems reported
  bit full;    // DEPTH beats were reached
  logic expected_valid;
  assign done = now > CYCLES;

  function automatic void report(input string what);
    if (shown < 3) $display("%m: %s in cycle %0d with %0d of %0d beats", what, now, beats.size(), DEPTH);
    shown++;
  endfunction

  always_ff @(posedge clk) begin
    now <= rst ? 0 : now + 1;
    if (rst) begin
      beats.delete();
      handed <= -1;
      full <= 0;
      in_valid <= 0;
      out_ready <= 0;
    end else begin
      expected_valid = beats.size() > 0 && now > handed && now >= beats[0].taken + LATENCY;
      if (in_ready != (beats.size() < DEPTH)) report(in_ready ? "one beat too many" : "no place");
      if (out_valid != expected_valid) report(out_valid ? "early" : "late");
      if (out_valid && expected_valid && out_data != beats[0].data) report("wrong data");
      if (beats.size() == DEPTH) full <= 1;
      if (now == CYCLES && stalls && !full) report("never full");
      if (out_valid && out_ready) begin
        void'(beats.pop_front());
        handed <= now;
      end
      if (in_valid && in_ready) beats.push_back('{now, in_data});
      // long phases of mostly reading and of mostly writing fill and empty the FIFO
      in_valid <= gaps ? $urandom % 16 < ((now / (2 * DEPTH)) % 2 == 0 ? 15 : 3) : 1;
      out_ready <= stalls ? $urandom % 16 < ((now / (2 * DEPTH)) % 2 == 0 ? 2 : 15) : 1;
      for (int i = 0; i < WIDTH; i += 32) in_data <= {in_data, $urandom};
    end
  end
endmodule
