// Offers the beats of a file, one after the other; with `gaps` only now and then.
module source #(
    parameter FILE = "",
    parameter LOG = "",
    parameter int WIDTH = 1,
    parameter int BEATS = 1
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             gaps,
    input  logic [31:0]      phase,
    input  logic [31:0]      cycle,
    output logic [WIDTH-1:0] data,
    output logic             valid,
    input  logic             ready
);
  logic [WIDTH-1:0] beats [BEATS];
  int next;
  logic offered;
  int log;
  initial begin
    $readmemh(FILE, beats);
    log = $fopen(LOG, "w");
  end
  assign valid = !rst && next < BEATS && offered;
  assign data = valid ? beats[next] : {WIDTH{1'bx}};
  always_ff @(posedge clk)
    if (rst) begin
      next <= 0;
      offered <= 1;
    end else begin
      if (valid && ready) begin
        next <= next + 1;
        $fwrite(log, "%0d %0d\n", phase, cycle);
      end
      if (!valid || ready) offered <= !gaps || ($urandom % 8) < (($urandom % 16) < 8 ? 2 : 6);
    end
endmodule
