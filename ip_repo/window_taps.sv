// Delay lines of `window`: the taps of a row of columns, of which only the newest is read, and the output register.
//
// Tap column k of the window of output column 0 is column k * DILATION - PAD of the frame, so column `phase` of word
// `offset`. The step that completes a window brings the word of the last tap column; tap k's word came by
// STEPS * (last offset - offset) steps ago. Taps of the same phase share a line. `shift`: the words of that many steps
// ago are replaced by the ones a step younger, the first one by the word at hand; its last bit is about all older ones,
// too. `load`: the output register takes the window that the step completes. Padding is set in that register, because a
// synchronous set or reset costs no LUTs.
`default_nettype none

module hlsgen_window_taps #(
    parameter int BITS = 8,         // of the beat of a pixel
    parameter int TAP_ROWS = 3,
    parameter int TAP_COLUMNS = 3,
    parameter int PHASES = 1,       // columns of a word
    parameter int DILATION = 1,
    parameter int PAD = 1,
    parameter int STEPS = 2,        // per word
    parameter int SHIFTS = 1,       // youngest words that shift by themselves, and one for the others
    parameter logic [BITS-1:0] PADDING = '0
) (
    input  wire logic                                           clk,
    input  wire logic [PHASES-1:0][TAP_ROWS-1:0][BITS-1:0]      word,
    input  wire logic [SHIFTS-1:0]                              shift,
    input  wire logic                                           load,
    input  wire logic [TAP_COLUMNS-1:0]                         outside,  // tap columns beyond the frame
    output logic      [TAP_ROWS-1:0][TAP_COLUMNS-1:0][BITS-1:0] taps
);
  function automatic int offset(input int k);  // rounded down
    return (k * DILATION - PAD + PAD * PHASES) / PHASES - PAD;
  endfunction
  function automatic int phase(input int k);
    return k * DILATION - PAD - offset(k) * PHASES;
  endfunction
  // the next tap column of the same phase; TAP_COLUMNS if there is none
  function automatic int later(input int k);
    for (int j = k + 1; j < TAP_COLUMNS; j++) if (phase(j) == phase(k)) return j;
    return TAP_COLUMNS;
  endfunction

  logic [TAP_COLUMNS-1:0][TAP_ROWS-1:0][BITS-1:0] columns;
  for (genvar k = 0; k < TAP_COLUMNS; k++) begin : tap
    localparam int LATER = later(k);
    localparam int SOURCE_OFFSET = offset(LATER < TAP_COLUMNS ? LATER : TAP_COLUMNS - 1);
    localparam int DELAY = STEPS * (SOURCE_OFFSET - offset(k));
    localparam int AGE = STEPS * (offset(TAP_COLUMNS - 1) - SOURCE_OFFSET);  // of the line's first words, in steps
    logic [TAP_ROWS-1:0][BITS-1:0] source;
    if (LATER < TAP_COLUMNS) begin : from_tap
      assign source = columns[LATER];
    end else begin : from_word
      assign source = word[phase(k)];
    end
    if (DELAY == 0) begin : now
      assign columns[k] = source;
    end else begin : line
      // of these words, so many shift by themselves
      localparam int APART = AGE >= SHIFTS - 1 ? 0 : SHIFTS - 1 - AGE < DELAY ? SHIFTS - 1 - AGE : DELAY;
      logic [APART:0][TAP_ROWS-1:0][BITS-1:0] young;
      assign young[0] = source;
      for (genvar i = 0; i < APART; i++) begin : apart
        always_ff @(posedge clk) if (shift[AGE+i]) young[i+1] <= young[i];
      end
      if (DELAY == APART) begin : short_line
        assign columns[k] = young[APART];
      end else begin : long_line
        logic [TAP_ROWS-1:0][BITS-1:0] delayed [DELAY-APART];
        always_ff @(posedge clk)
          if (shift[SHIFTS-1]) begin
            delayed[0] <= young[APART];
            for (int i = 1; i < DELAY - APART; i++) delayed[i] <= delayed[i-1];
          end
        assign columns[k] = delayed[DELAY-APART-1];
      end
    end
    for (genvar r = 0; r < TAP_ROWS; r++) begin : tap_row
      always_ff @(posedge clk)
        if (load) begin
          if (outside[k]) taps[r][k] <= PADDING;
          else taps[r][k] <= columns[k][r];
        end
    end
  end
  wire logic unused = &{1'b0, shift, word};  // one tap has no line; a column may hold no tap
endmodule

`default_nettype wire
