// Takes beats and writes them to a file with the cycle of each; with `stalls` only now and then. To another file it
// writes, per phase, a line with a digit for every cycle from 0 on: whether it was ready.
module sink #(
    parameter LOG = "",
    parameter READY = "",
    parameter int WIDTH = 1,
    parameter int BEATS = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             stalls,
    input  logic [31:0]      phase,
    input  logic [31:0]      cycle,
    input  logic [WIDTH-1:0] data,
    input  logic             valid,
    output logic             ready,
    output logic             done
);
  int taken;
  int log;
  int pattern;
  logic [1:0] pace;  // of a burst or a lull
  logic waiting;
  logic [WIDTH-1:0] earlier;
  initial begin
    log = $fopen(LOG, "w");
    pattern = $fopen(READY, "w");
  end
  assign done = taken >= BEATS;
  always_ff @(posedge clk) begin
    waiting <= !rst && valid && !ready;
    earlier <= data;
    if (rst) begin
      taken <= 0;
      ready <= 1;
      $fwrite(pattern, "\n%0d ", phase);
    end else begin
      $fwrite(pattern, "%b", ready);
      if (waiting && (!valid || data !== earlier)) $fwrite(log, "%0d %0d withdrawn\n", phase, cycle);
      if (valid && ready) begin
        taken <= taken + 1;
        $fwrite(log, "%0d %0d %h\n", phase, cycle, data);
      end
      if ($urandom % 16 == 0) pace <= 2'($urandom);
      ready <= !stalls || $urandom % 8 <= 2 * 32'(pace) + 1;
    end
  end
endmodule
