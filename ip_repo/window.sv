// Sliding window over a frame: padding, stride, dilation; LANES channels and TAP_ROWS * TAP_COLUMNS taps per beat.
//
// Beats in:  the frame, HEIGHT x WIDTH pixels of GROUPS * TILES beats of LANES channels.
// Beats out: (output row, output column, group, tap group, tile); a beat holds TAP_ROWS * TAP_COLUMNS taps of LANES
//            channels, element = tap * LANES + channel. Taps outside the frame have the value PAD_VALUE.
// Cycles:    max(beats in, beats out, steps) per image at steady state. A step reads one word and, when a beat is a row
//            of taps (TAP_GROUP_COLUMNS = 1), completes a window or not: hlsgen_window_walk. With MERGE an image's last
//            windows are completed beside the next image's first steps, which complete none: hlsgen_window_flush.
// Memory:    ROWS row slots: side by side in one word, with write enables, when a beat has several tap rows; else one
//            after the other, maybe with PHASES neighbouring columns in a word. Earlier columns come from shift
//            registers. A 1 x 1 kernel without padding only leaves beats out: no memory, a queue of 2 beats.
// Waiting:   in_ready comes from registers. out_ready reaches, in the same cycle, the clock enables of the three stages
//            behind the memory (its read port, shift registers, output register) and the step: 3 beats are held.
// Latency:   a step comes in the cycle after the acceptance of the beat it waits for, at the earliest; its beat is
//            offered 3 cycles after it. 1 x 1: a beat is offered in the cycle after its acceptance.
`default_nettype none

module hlsgen_window #(
    parameter int HEIGHT = 5,             // rows of the frame
    parameter int WIDTH = 6,              // columns of the frame
    parameter int GROUPS = 1,             // groups of channels
    parameter int TILES = 4,              // beats of a pixel of a group
    parameter int LANES = 1,              // channels of a beat
    parameter int TYPE_BITS = 8,          // bits of an element
    parameter int OUTPUT_ROWS = 5,
    parameter int OUTPUT_COLUMNS = 6,
    parameter int TAP_ROWS = 3,           // taps of a beat: 1 x 1, 1 x all columns, or all
    parameter int TAP_COLUMNS = 3,
    parameter int TAP_GROUP_ROWS = 1,     // beats of a window, for one channel tile
    parameter int TAP_GROUP_COLUMNS = 1,
    parameter int STRIDE_ROWS = 1,
    parameter int STRIDE_COLUMNS = 1,
    parameter int DILATION_ROWS = 1,
    parameter int DILATION_COLUMNS = 1,
    parameter int PAD_TOP = 1,            // rows of padding above; those below follow from OUTPUT_ROWS
    parameter int PAD_LEFT = 1,
    parameter longint PAD_VALUE = 0,      // of taps outside the frame; its lowest TYPE_BITS are used
    parameter int ROWS = 4,               // row slots, at least what a window covers of the frame
    parameter int PHASES = 1,             // columns of a word: 1, or STRIDE_COLUMNS if a beat is one row of taps
    parameter int OVERLAP = 1,            // 1: a row's last windows are completed at the next row's first columns
    parameter int MERGE = 1,              // 1: and an image's while the next image's are read; 0: before that
    parameter RAM_STYLE = "block"         // of the row slots: "block" or "distributed"
) (
    input  wire logic clk,
    input  wire logic rst,  // synchronous, active high
    input  wire logic [LANES*TYPE_BITS-1:0] in_data,
    input  wire logic                       in_valid,
    output logic                            in_ready,
    output logic      [TAP_ROWS*TAP_COLUMNS*LANES*TYPE_BITS-1:0] out_data,
    output logic                                                 out_valid,
    input  wire logic                                            out_ready
);
  localparam int BITS = LANES * TYPE_BITS;
  localparam int PIXEL_BEATS = GROUPS * TILES;
  localparam int EXTENT_ROWS = (TAP_ROWS * TAP_GROUP_ROWS - 1) * DILATION_ROWS + 1;
  localparam int EXTENT_COLUMNS = (TAP_COLUMNS * TAP_GROUP_COLUMNS - 1) * DILATION_COLUMNS + 1;

  // What no window needs is left out: of every stride what its window does not cover, and what lies beyond the last
  // window. The frame that remains is walked over with strides that are no longer than a window.
  function automatic int smaller(input int a, input int b);
    return a < b ? a : b;
  endfunction
  // of so many positions from the first position of a window on
  function automatic int kept(input int positions, input int stride, input int span);
    return positions / stride * span + smaller(positions % stride, span);
  endfunction
  localparam int SPAN_ROWS = smaller(STRIDE_ROWS, EXTENT_ROWS);
  localparam int SPAN_COLUMNS = smaller(STRIDE_COLUMNS, EXTENT_COLUMNS);
  localparam int LIMIT_ROWS = (OUTPUT_ROWS - 1) * STRIDE_ROWS + EXTENT_ROWS - PAD_TOP;
  localparam int LIMIT_COLUMNS = (OUTPUT_COLUMNS - 1) * STRIDE_COLUMNS + EXTENT_COLUMNS - PAD_LEFT;
  localparam int KEPT_TOP = kept(PAD_TOP, STRIDE_ROWS, SPAN_ROWS);
  localparam int KEPT_LEFT = kept(PAD_LEFT, STRIDE_COLUMNS, SPAN_COLUMNS);
  localparam int KEPT_ROWS = kept(smaller(HEIGHT, LIMIT_ROWS) + PAD_TOP, STRIDE_ROWS, SPAN_ROWS) - KEPT_TOP;
  localparam int KEPT_COLUMNS =
      kept(smaller(WIDTH, LIMIT_COLUMNS) + PAD_LEFT, STRIDE_COLUMNS, SPAN_COLUMNS) - KEPT_LEFT;

  if (HEIGHT < 1 || WIDTH < 1 || GROUPS < 1 || TILES < 1 || LANES < 1 || TYPE_BITS < 1) begin : check_frame
    $error("hlsgen_window: frame of %0d x %0d pixels, GROUPS=%0d, TILES=%0d, LANES=%0d, TYPE_BITS=%0d must be positive",
           HEIGHT, WIDTH, GROUPS, TILES, LANES, TYPE_BITS);
  end
  if (KEPT_ROWS < 1 || KEPT_COLUMNS < 1) begin : check_geometry
    $error("hlsgen_window: no window lies on the frame of %0d x %0d", HEIGHT, WIDTH);
  end
  if (TAP_GROUP_COLUMNS > 1 && TAP_COLUMNS > 1 ||
      TAP_ROWS > 1 && (TAP_GROUP_ROWS > 1 || TAP_GROUP_COLUMNS > 1)) begin : check_taps
    $error("hlsgen_window: TAP_ROWS=%0d x TAP_COLUMNS=%0d taps of a window are neither one, a row nor all",
           TAP_ROWS, TAP_COLUMNS);
  end
  if (ROWS < smaller(EXTENT_ROWS, KEPT_ROWS)) begin : check_rows
    $error("hlsgen_window: ROWS=%0d cannot hold the %0d rows of a window", ROWS, smaller(EXTENT_ROWS, KEPT_ROWS));
  end
  if (PHASES != 1 && (TAP_ROWS > 1 || TAP_GROUP_COLUMNS > 1 || PHASES != STRIDE_COLUMNS ||
                      SPAN_COLUMNS != STRIDE_COLUMNS)) begin : check_phases
    $error("hlsgen_window: PHASES=%0d is neither 1 nor a stride that fits these taps", PHASES);
  end
  if (MERGE != 0 && OVERLAP == 0) begin : check_merge
    $error("hlsgen_window: MERGE=%0d without OVERLAP", MERGE);
  end
  localparam bit BLOCK = 88'(RAM_STYLE) == 88'("block");
  if (!BLOCK && 88'(RAM_STYLE) != 88'("distributed")) begin : check_style
    $error("hlsgen_window: RAM_STYLE is neither block nor distributed");
  end

  if (EXTENT_ROWS == 1 && EXTENT_COLUMNS == 1 && KEPT_TOP == 0 && KEPT_LEFT == 0 && KEPT_ROWS == OUTPUT_ROWS &&
      KEPT_COLUMNS == OUTPUT_COLUMNS) begin : pixels
    // the kept beats are the windows, in their order
    logic pixel_end, row_end, keep_row, keep_column, room;
    logic [(PIXEL_BEATS > 1 ? $clog2(PIXEL_BEATS) : 1)-1:0] beat_index;
    logic keep_next_row, keep_next_column, row_last;
    wire logic unused = &{1'b0, beat_index, keep_next_row, keep_next_column, row_last};
    wire logic accept = in_valid && in_ready;
    wire logic keep = keep_row && keep_column;
    assign in_ready = room || !keep;
    hlsgen_loop #(.COUNT(PIXEL_BEATS)) beat (.clk, .rst, .step(accept), .index(beat_index), .last(pixel_end));
    hlsgen_window_axis #(
        .SIZE(WIDTH), .STRIDE(STRIDE_COLUMNS), .SPAN(SPAN_COLUMNS), .PAD(PAD_LEFT), .LIMIT(LIMIT_COLUMNS)
    ) column (
        .clk, .rst, .step(accept && pixel_end), .keep(keep_column), .keep_next(keep_next_column), .last(row_end)
    );
    hlsgen_window_axis #(
        .SIZE(HEIGHT), .STRIDE(STRIDE_ROWS), .SPAN(SPAN_ROWS), .PAD(PAD_TOP), .LIMIT(LIMIT_ROWS)
    ) row (
        .clk, .rst, .step(accept && pixel_end && row_end), .keep(keep_row), .keep_next(keep_next_row), .last(row_last)
    );
    hlsgen_queue #(.WIDTH(BITS), .DEPTH(2)) queue (
        .clk, .rst, .claim(accept && keep), .room, .push_data(in_data), .push(accept && keep), .out_data, .out_valid,
        .out_ready
    );
  end else begin : windows
    localparam int WORDS = (KEPT_COLUMNS + PHASES - 1) / PHASES;  // of a row, per beat of a pixel
    localparam int SLOTS = TAP_ROWS > 1 ? ROWS : 1;
    localparam int BANKS = SLOTS * PHASES;
    localparam int ROW_WORDS = WORDS * PIXEL_BEATS;
    localparam int DEPTH = ROW_WORDS * (SLOTS > 1 ? 1 : ROWS);
    localparam int ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam int SLOT_BITS = ROWS > 1 ? $clog2(ROWS) : 1;
    localparam int COUNT_BITS = $clog2(ROWS + 1);
    // the word of output column 0's last tap, rounded down; positions after a row's last word; steps of a position
    localparam int LAST_OFFSET = (EXTENT_COLUMNS - 1 - KEPT_LEFT + KEPT_LEFT * PHASES) / PHASES - KEPT_LEFT;
    localparam int FLUSH =
        OVERLAP == 0 ? 0 : (OUTPUT_COLUMNS - 1) * (SPAN_COLUMNS / PHASES) + LAST_OFFSET + 1 - WORDS;
    localparam int STEPS = PIXEL_BEATS * TAP_GROUP_ROWS;
    localparam int SHIFTS = MERGE != 0 ? FLUSH * STEPS : 1;

    // ---- writing and reading -----------------------------------------------------------------------------------
    logic write;
    logic [ADDRESS_BITS-1:0] write_address, read_address;
    logic [BANKS-1:0] bank;
    logic [COUNT_BITS-1:0] release_rows;
    hlsgen_window_fill #(
        .HEIGHT(HEIGHT), .WIDTH(WIDTH), .PIXEL_BEATS(PIXEL_BEATS),
        .STRIDE_ROWS(STRIDE_ROWS), .STRIDE_COLUMNS(STRIDE_COLUMNS), .SPAN_ROWS(SPAN_ROWS), .SPAN_COLUMNS(SPAN_COLUMNS),
        .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT), .LIMIT_ROWS(LIMIT_ROWS), .LIMIT_COLUMNS(LIMIT_COLUMNS),
        .KEPT_COLUMNS(KEPT_COLUMNS), .ROWS(ROWS), .SLOTS(SLOTS), .PHASES(PHASES)
    ) fill (.clk, .rst, .in_valid, .in_ready, .write, .address(write_address), .bank, .release_rows);

    logic enable, step, emit, last;
    logic [SLOT_BITS-1:0] slot;
    logic [TAP_ROWS-1:0] row_outside;
    logic [TAP_COLUMNS-1:0] column_outside;
    hlsgen_window_walk #(
        .HEIGHT(KEPT_ROWS), .WIDTH(KEPT_COLUMNS), .GROUPS(GROUPS), .TILES(TILES),
        .OUTPUT_ROWS(OUTPUT_ROWS), .OUTPUT_COLUMNS(OUTPUT_COLUMNS), .TAP_ROWS(TAP_ROWS), .TAP_COLUMNS(TAP_COLUMNS),
        .TAP_GROUP_ROWS(TAP_GROUP_ROWS), .TAP_GROUP_COLUMNS(TAP_GROUP_COLUMNS),
        .STRIDE_ROWS(SPAN_ROWS), .STRIDE_COLUMNS(SPAN_COLUMNS),
        .DILATION_ROWS(DILATION_ROWS), .DILATION_COLUMNS(DILATION_COLUMNS), .PAD_TOP(KEPT_TOP), .PAD_LEFT(KEPT_LEFT),
        .ROWS(ROWS), .SLOTS(SLOTS), .PHASES(PHASES), .FLUSH(FLUSH), .MERGE(MERGE)
    ) walk (
        .clk, .rst, .write, .enable, .step, .address(read_address), .slot, .row_outside, .column_outside, .emit, .last,
        .release_rows
    );

    // ---- the stages: 1 the word read, 2 the column of taps, 3 the output register ------------------------------
    logic valid_1, valid_2, emit_1, last_1, last_2;
    logic hold_2;             // the step in stage 2 leaves it with a window
    logic flush, flush_next;  // this cycle, next cycle: there is a window that leaves without its step
    logic behind;             // there was one, and its step, which comes now, leaves without a window
    logic [SLOT_BITS-1:0] slot_1;
    logic [TAP_ROWS-1:0] row_outside_1;
    logic [TAP_COLUMNS-1:0] column_outside_1, column_outside_2, column_outside_3;
    logic [SHIFTS-1:0] shift;
    wire logic enable_3 = !out_valid || out_ready;
    wire logic enable_2 = !hold_2 || behind || enable_3;
    wire logic leave = valid_2 && enable_2;
    assign enable = !valid_1 || enable_2;
    always_ff @(posedge clk)
      if (rst) begin
        valid_1 <= 1'b0;
        valid_2 <= 1'b0;
        hold_2 <= 1'b0;
        out_valid <= 1'b0;
      end else begin
        if (enable) valid_1 <= step;
        if (enable_2) begin
          valid_2 <= valid_1;
          hold_2 <= valid_1 && (emit_1 || flush_next);
        end
        if (enable_3) out_valid <= flush || hold_2;
      end

    // bytes of a wide block RAM have write enables; so do whole LUT RAMs
    localparam int BANK_BITS = BANKS > 1 && BLOCK ? (BITS + 7) / 8 * 8 : BITS;
    (* ram_style = RAM_STYLE *) logic [BANKS*BANK_BITS-1:0] ram [DEPTH];
    logic [BANKS-1:0][BANK_BITS-1:0] word_1;
    always_ff @(posedge clk) begin
      for (int b = 0; b < BANKS; b++)
        if (write && bank[b]) ram[write_address][b*BANK_BITS+:BANK_BITS] <= BANK_BITS'(in_data);
      if (enable) word_1 <= ram[read_address];
    end
    always_ff @(posedge clk)
      if (enable) begin
        slot_1 <= slot;
        row_outside_1 <= row_outside;
        column_outside_1 <= column_outside;
        emit_1 <= emit;
        last_1 <= last;
      end

    localparam logic [BITS-1:0] PADDING = {LANES{TYPE_BITS'(PAD_VALUE)}};
    logic [PHASES-1:0][TAP_ROWS-1:0][BITS-1:0] word_2;
    if (SLOTS > 1) begin : rows
      for (genvar tap = 0; tap < TAP_ROWS; tap++) begin : row
        logic [BITS-1:0] chosen;
        always_comb begin
          chosen = word_1[0][BITS-1:0];
          for (int s = 0; s < ROWS; s++)
            if (slot_1 == SLOT_BITS'(s)) chosen = word_1[(s+tap*DILATION_ROWS)%ROWS][BITS-1:0];
        end
        always_ff @(posedge clk)
          if (enable_2) begin
            if (row_outside_1[tap]) word_2[0][tap] <= PADDING;
            else word_2[0][tap] <= chosen;
          end
      end
    end else begin : columns
      for (genvar phase = 0; phase < PHASES; phase++) begin : column
        always_ff @(posedge clk)
          if (enable_2) begin
            if (row_outside_1[0]) word_2[phase][0] <= PADDING;
            else word_2[phase][0] <= word_1[phase][BITS-1:0];
          end
      end
    end
    if (SLOTS == 1) begin : no_choice
      wire logic unused = &{1'b0, slot_1};
    end
    if (BANK_BITS > BITS) begin : bytes
      wire logic unused = &{1'b0, word_1};
    end
    always_ff @(posedge clk)
      if (enable_2) begin
        column_outside_2 <= column_outside_1;
        last_2 <= last_1;
      end

    if (MERGE != 0) begin : merge
      logic [TAP_COLUMNS-1:0] outside;
      hlsgen_window_flush #(
          .WIDTH(KEPT_COLUMNS), .TAP_COLUMNS(TAP_COLUMNS), .PHASES(PHASES), .DILATION(DILATION_COLUMNS),
          .PAD(KEPT_LEFT), .POSITION(WORDS - LAST_OFFSET), .POSITIONS(FLUSH), .STEPS(STEPS)
      ) edges (
          .clk, .rst, .start(leave && last_2), .leave, .take(enable_3), .flush, .flush_next, .behind, .shift, .outside
      );
      assign column_outside_3 = flush ? outside : column_outside_2;
    end else begin : apart
      assign flush = 1'b0;
      assign flush_next = 1'b0;
      assign behind = 1'b0;
      assign shift = leave;
      assign column_outside_3 = column_outside_2;
      wire logic unused = &{1'b0, last_2};
    end

    hlsgen_window_taps #(
        .BITS(BITS), .TAP_ROWS(TAP_ROWS), .TAP_COLUMNS(TAP_COLUMNS), .PHASES(PHASES), .DILATION(DILATION_COLUMNS),
        .PAD(KEPT_LEFT), .STEPS(STEPS), .SHIFTS(SHIFTS), .PADDING(PADDING)
    ) lines (
        .clk, .word(word_2), .shift, .load(enable_3), .outside(column_outside_3), .taps(out_data)
    );
  end
endmodule

`default_nettype wire
