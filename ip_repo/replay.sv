// Steps of a dot product: takes vectors of INPUT_FOLD beats and presents each of them OUTPUT_FOLD times, a beat a step.
//
// Order:     for every vector, for every output beat, for every input beat: one step. `first` and `last` mark the
//            first and the last input beat of an output beat.
// Cycles:    one step per cycle; the next vector is loaded while this one is replayed, so there is no gap between them.
// Waiting:   the first step of an output beat needs `room` for it (hlsgen_queue, hlsgen_hold), any step its beat.
// Latency:   `step`, `first` and `last` are up in the cycle of the step, `x` is the step's beat in the cycle after.
//            With OUTPUT_FOLD > 1 a step comes at least one cycle after its beat's acceptance, and a place is free
//            again in the cycle after its last step; with OUTPUT_FOLD = 1 there is no buffer: a step is an acceptance.
`default_nettype none

module hlsgen_replay #(
    parameter int WIDTH = 8,       // bits of an input beat
    parameter int INPUT_FOLD = 4,  // beats of a vector
    parameter int OUTPUT_FOLD = 2  // times each vector is presented
) (
    input  wire logic             clk,
    input  wire logic             rst,       // synchronous, active high
    input  wire logic [WIDTH-1:0] in_data,
    input  wire logic             in_valid,
    output logic                  in_ready,
    input  wire logic             room,
    output logic                  step,
    output logic                  first,
    output logic                  last,
    output logic [WIDTH-1:0]      x
);
  if (WIDTH < 1 || INPUT_FOLD < 1 || OUTPUT_FOLD < 1) begin : check
    $error("hlsgen_replay: WIDTH=%0d, INPUT_FOLD=%0d, OUTPUT_FOLD=%0d must be positive",
           WIDTH, INPUT_FOLD, OUTPUT_FOLD);
  end

  localparam int FOLD_BITS = INPUT_FOLD > 1 ? $clog2(INPUT_FOLD) : 1;  // counts 0..INPUT_FOLD-1
  logic [FOLD_BITS-1:0] fold;  // input beat of the next step

  if (INPUT_FOLD == 1) begin : single
    assign fold = '0;
    assign first = 1'b1;
    assign last = 1'b1;
    wire logic unused = rst;
  end else begin : many
    always_ff @(posedge clk)
      if (rst) begin
        fold <= '0;
        first <= 1'b1;
        last <= 1'b0;
      end else if (step) begin
        fold <= last ? '0 : fold + 1'b1;
        first <= last;
        last <= fold == FOLD_BITS'(INPUT_FOLD - 2);
      end
  end

  if (OUTPUT_FOLD == 1) begin : direct
    assign in_ready = room || !first;
    assign step = in_valid && in_ready;
    always_ff @(posedge clk) x <= in_data;
    wire logic unused = &{1'b0, fold};
  end else begin : ring
    // two vectors: one is loaded while the other is replayed
    localparam int PLACES = 2 * INPUT_FOLD;
    localparam int COUNT_BITS = $clog2(PLACES + 1);  // counts 0..PLACES
    localparam int OUTPUT_BITS = $clog2(OUTPUT_FOLD);

    (* ram_style = "distributed" *) logic [WIDTH-1:0] beats [2**(FOLD_BITS+1)];
    logic write_half, read_half;          // which vector's places
    logic [FOLD_BITS-1:0] write_fold;
    logic [OUTPUT_BITS-1:0] output_fold;  // output beat of the next step
    logic replaying;                      // output_fold > 0: the whole vector is here
    logic final_fold;                     // output_fold = OUTPUT_FOLD - 1: a step frees its place
    logic [COUNT_BITS-1:0] held;          // places taken
    logic [COUNT_BITS-1:0] fresh;         // beats that no step has used yet
    logic some_fresh;                     // fresh > 0

    wire logic write = in_valid && in_ready;
    wire logic use_fresh = step && !replaying;
    wire logic free = step && final_fold;
    wire logic write_last = write_fold == FOLD_BITS'(INPUT_FOLD - 1);

    assign step = (some_fresh || replaying) && (room || !first);

    always_ff @(posedge clk) begin
      if (write) beats[{write_half, write_fold}] <= in_data;
      x <= beats[{read_half, fold}];
    end

    always_ff @(posedge clk)
      if (rst) begin
        in_ready <= 1'b1;
        write_half <= 1'b0;
        read_half <= 1'b0;
        write_fold <= '0;
        output_fold <= '0;
        replaying <= 1'b0;
        final_fold <= 1'b0;
        held <= '0;
        fresh <= '0;
        some_fresh <= 1'b0;
      end else begin
        if (write) begin
          write_fold <= write_last ? '0 : write_fold + 1'b1;
          write_half <= write_half ^ write_last;
        end
        if (step && last) begin
          output_fold <= final_fold ? '0 : output_fold + 1'b1;
          replaying <= !final_fold;
          final_fold <= output_fold == OUTPUT_BITS'(OUTPUT_FOLD - 2);
          read_half <= read_half ^ final_fold;
        end
        if (write != use_fresh) begin
          fresh <= write ? fresh + 1'b1 : fresh - 1'b1;
          some_fresh <= write || fresh != COUNT_BITS'(1);
        end
        if (write != free) begin
          held <= write ? held + 1'b1 : held - 1'b1;
          in_ready <= free || held != COUNT_BITS'(PLACES - 1);
        end
      end
  end
endmodule

`default_nettype wire
