// Simulation only: writes down what passes on every stream, without a line in the design (see the `bind`s below).
//
// Of each stream, under the hierarchical name of its probe:
//   <name>.beats  with +hlsgen_trace: per beat written, 32-bit words: the cycle, then the data, lowest bits first
//   <name>.taken  with +hlsgen_trace: per beat read, the cycle as a 32-bit word
//   streams.txt   at the end a line per stream: name, beats written, beats read, most beats ever held, and then the
//                 wires as they stand: in_valid, in_ready, out_valid, out_ready
// Cycles are times divided by CYCLE; words are in the byte order of the machine. Nothing is written down in a reset.
`default_nettype none

package hlsgen_probes;
  localparam longint unsigned CYCLE = 10;  // time units of a clock cycle
  longint unsigned last_beat = 0;          // time when a beat was last written or read anywhere
endpackage

module hlsgen_stream_probe #(
    parameter int WIDTH = 1,
    parameter bit ALWAYS = 0  // write beats down without +hlsgen_trace, too
) (
    input wire logic             clk,
    input wire logic             rst,
    input wire logic [WIDTH-1:0] in_data,
    input wire logic             in_valid,
    input wire logic             in_ready,
    input wire logic             out_valid,
    input wire logic             out_ready
);
  localparam int PADDED = (WIDTH + 31) / 32 * 32;

  bit tracing;
  bit started = 0;  // before the first reset the wires mean nothing
  int beats, taken, summary;  // files
  int unsigned written = 0, read = 0;
  int unsigned held = 0, most = 0;
  int unsigned cycle;

  initial begin
    tracing = ALWAYS || $test$plusargs("hlsgen_trace") != 0;
    if (tracing) begin
      beats = $fopen($sformatf("%m.beats"), "wb");
      taken = $fopen($sformatf("%m.taken"), "wb");
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      started = 1;
      held = 0;
    end else if (started && (in_valid && in_ready || out_valid && out_ready)) begin
      cycle = 32'($time / hlsgen_probes::CYCLE);
      hlsgen_probes::last_beat = $time;
      if (in_valid && in_ready) begin
        written = written + 1;
        held = held + 1;
        if (tracing) $fwrite(beats, "%u", {PADDED'(in_data), cycle});
      end
      if (out_valid && out_ready) begin
        read = read + 1;
        held = held - 1;
        if (tracing) $fwrite(taken, "%u", cycle);
      end
      if (held > most) most = held;
    end
  end

  final begin
    summary = $fopen("streams.txt", "a");
    $fwrite(summary, "%m %0d %0d %0d %0d %0d %0d %0d\n", written, read, most, in_valid, in_ready, out_valid, out_ready);
    $fclose(summary);
    if (tracing) begin
      $fclose(beats);
      $fclose(taken);
    end
  end
endmodule

// Cycles since anything moved, for whoever waits.
module hlsgen_watchdog (
    input wire logic clk
);
  logic [31:0] quiet  /*verilator public_flat_rd*/;
  always @(posedge clk) quiet <= 32'(($time - hlsgen_probes::last_beat) / hlsgen_probes::CYCLE);
endmodule

bind accel hlsgen_watchdog watchdog (.clk(ap_clk));

bind hlsgen_fifo hlsgen_stream_probe #(.WIDTH(WIDTH)) probe (
    .clk, .rst, .in_data, .in_valid, .in_ready, .out_valid, .out_ready
);

// The boundary has no FIFO; what matters there is the word and, above it, TLAST.
bind accel hlsgen_stream_probe #(.WIDTH($bits(s_axis_tdata) + 1), .ALWAYS(1)) s_axis_probe (
    .clk(ap_clk), .rst(core_rst), .in_data({s_axis_tlast, s_axis_tdata}), .in_valid(s_axis_tvalid),
    .in_ready(s_axis_tready), .out_valid(s_axis_tvalid), .out_ready(s_axis_tready)
);

bind accel hlsgen_stream_probe #(.WIDTH($bits(m_axis_tdata) + 1), .ALWAYS(1)) m_axis_probe (
    .clk(ap_clk), .rst(core_rst), .in_data({m_axis_tlast, m_axis_tdata}), .in_valid(m_axis_tvalid),
    .in_ready(m_axis_tready), .out_valid(m_axis_tvalid), .out_ready(m_axis_tready)
);

`default_nettype wire
