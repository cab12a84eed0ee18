// Takes beats and writes them to a file with the cycle of each; with `stalls` only now and then.
module sink #(
    parameter LOG = "",
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
  logic waiting;
  logic [WIDTH-1:0] earlier;
  initial log = $fopen(LOG, "w");
  assign done = taken >= BEATS;
  always_ff @(posedge clk) begin
    waiting <= !rst && valid && !ready;
    earlier <= data;
    if (rst) begin
      taken <= 0;
      ready <= 1;
    end else begin
      if (waiting && (!valid || data !== earlier)) $fwrite(log, "%0d %0d withdrawn\n", phase, cycle);
      if (valid && ready) begin
        taken <= taken + 1;
        $fwrite(log, "%0d %0d %h\n", phase, cycle, data);
      end
      ready <= !stalls || ($urandom % 8) < (($urandom % 16) < 8 ? 2 : 6);
    end
  end
endmodule
