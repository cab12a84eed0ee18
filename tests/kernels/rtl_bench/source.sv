// Offers the beats of a file, one after the other; with `gaps` only now and then. Writes to another file the cycles in
// which each beat is accepted and first offered.
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
  logic waiting;            // the beat was offered before
  logic [31:0] since;       // when it was first
  logic [1:0] pace;         // of a burst or a lull
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
      waiting <= 0;
    end else begin
      if (valid && ready) begin
        next <= next + 1;
        $fwrite(log, "%0d %0d %0d\n", phase, cycle, waiting ? since : cycle);
      end
      waiting <= valid && !ready;
      if (!waiting) since <= cycle;
      if ($urandom % 16 == 0) pace <= 2'($urandom);
      if (!valid || ready) offered <= !gaps || $urandom % 8 <= 2 * 32'(pace) + 1;
    end
endmodule
