// An image's last windows in `window`, completed while the next image's first words are read.
//
// These windows need no more words, and as many words (COUNT = POSITIONS * STEPS) that follow complete no window. So in
// each cycle one of the windows could leave the delay lines and a word enter them; but windows must not wait for words
// that may never come.
// Windows:   each leaves as soon as the output register takes it, whether a word is there or not. The lines shift from
//            one window to the next; where no word comes in, that leaves a hole. What these windows have there lies
//            outside the frame.
// Words:     one that comes after its window fills a hole: what is younger than the oldest hole shifts, the rest stays.
//            One that comes before its window waits for it.
// Cycles:    window k leaves once window k - 1 has left and the output register is free; word k once it is there, word
//            k - 1 has left, and window k leaves or has left. These are maxima of sums, whoever comes first.
`default_nettype none

module hlsgen_window_flush #(
    parameter int WIDTH = 8,        // columns of the frame
    parameter int TAP_COLUMNS = 3,
    parameter int PHASES = 1,       // columns of a word
    parameter int DILATION = 1,
    parameter int PAD = 1,          // columns of padding to the left
    parameter int POSITION = 7,     // first of those windows: words from the row's first window to it
    parameter int POSITIONS = 1,    // positions of those windows
    parameter int STEPS = 2,        // of a position
    localparam int COUNT = POSITIONS * STEPS
) (
    input  wire logic                   clk,
    input  wire logic                   rst,         // synchronous, active high
    input  wire logic                   start,       // the image's last step leaves
    input  wire logic                   leave,       // a step leaves, its word goes into the lines
    input  wire logic                   take,        // the output register takes a window, if there is one
    output logic                        flush,       // there is one of the image's last
    output logic                        flush_next,  // in the next cycle there is one
    output logic                        behind,      // there are holes
    output logic      [COUNT-1:0]       shift,       // words move in the lines, see hlsgen_window_taps
    output logic      [TAP_COLUMNS-1:0] outside      // tap columns of that window beyond the frame
);
  localparam int COUNT_BITS = COUNT > 1 ? $clog2(COUNT) : 1;
  logic [COUNT_BITS-1:0] window;
  logic window_last;
  hlsgen_loop #(.COUNT(COUNT)) windows (.clk, .rst, .step(flush && take), .index(window), .last(window_last));
  assign flush_next = start || (flush && !(take && window_last));
  always_ff @(posedge clk)
    if (rst) flush <= 1'b0;
    else flush <= flush_next;

  function automatic bit is_column(input int position, input int k);
    return (POSITION + position) * PHASES + k * DILATION >= PAD &&
           (POSITION + position) * PHASES + k * DILATION - PAD < WIDTH;
  endfunction
  always_comb begin
    outside = '0;
    for (int i = 0; i < COUNT; i++)
      if (window == COUNT_BITS'(i)) for (int k = 0; k < TAP_COLUMNS; k++) outside[k] = !is_column(i / STEPS, k);
  end

  // by age: so many steps ago there should have been a word. There is a window more than there are holes at a time.
  logic [COUNT-1:0] hole;
  logic [COUNT-1:0] deeper;  // there is a hole of this age or older, or none at all
  wire logic move = flush && take && !window_last;  // on to the next window
  wire logic [COUNT:0] younger = {hole, !leave};
  assign hole[COUNT-1] = 1'b0;
  for (genvar i = 0; i < COUNT; i++) begin : age
    assign deeper[i] = i == 0 || !behind || |hole[COUNT-1:i];
    assign shift[i] = move || (leave && deeper[i]);
  end
  for (genvar i = 0; i < COUNT - 1; i++) begin : ages
    always_ff @(posedge clk)
      if (rst) hole[i] <= 1'b0;
      else if (shift[i]) hole[i] <= younger[i];
  end

  // how many there are, for whether there are any decides what may leave: that has to come out of a register
  logic [COUNT_BITS-1:0] holes;
  wire logic more = move && !leave;
  wire logic fewer = leave && !move && behind;
  always_ff @(posedge clk)
    if (rst) begin
      holes <= '0;
      behind <= 1'b0;
    end else begin
      if (more) holes <= holes + 1'b1;
      else if (fewer) holes <= holes - 1'b1;
      behind <= more || (behind && !(fewer && holes == COUNT_BITS'(1)));
    end
  wire logic unused = &{1'b0, younger[COUNT:COUNT-1]};
endmodule

`default_nettype wire
