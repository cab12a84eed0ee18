// Reading side of `window`: walks over the windows and says for each step which word is read and what becomes of it.
//
// Rows and columns are those that the writing side keeps; windows begin at -PAD_TOP, -PAD_LEFT and then every STRIDE.
// Order:     for every output row, for every position along the row, for every group, tap group and tile: one step.
//            When a beat has all tap columns (TAP_GROUP_COLUMNS = 1), positions are words of PHASES columns, and delay
//            lines remember the earlier ones; `emit` marks the steps that complete a window. Otherwise positions are
//            output columns, a step reads one tap, and each of them emits.
// Edges:     windows reach RIGHT_WORDS positions beyond the last column. If FLUSH is that many, not 0, these are the
//            first positions of the next row, which complete no window of their own row. An image's last windows do not
//            wait for the next image, whose first positions complete none (`refill`): with MERGE, hlsgen_window_flush
//            completes them after the image's last step (`last`); without, as many positions are walked over after the
//            image's last row, which wait for nothing (`flush`).
// Waiting:   `level` is the number of beats written less the number that the step at hand needs. A row of windows needs
//            all rows before its last one at its first position, and then the last one's beats as they are read (with
//            TAP_GROUP_COLUMNS > 1: all of a window's). A beat written in cycle t can be used in cycle t + 1.
// Release:   the slots of rows that no later row of windows needs, with a row's last step.
`default_nettype none

module hlsgen_window_walk #(
    parameter int HEIGHT = 8,           // rows of the frame
    parameter int WIDTH = 8,            // columns of the frame
    parameter int GROUPS = 1,           // groups of channels
    parameter int TILES = 2,            // beats of a pixel of a group
    parameter int OUTPUT_ROWS = 8,
    parameter int OUTPUT_COLUMNS = 8,
    parameter int TAP_ROWS = 3,         // taps of a beat: 1 or all
    parameter int TAP_COLUMNS = 3,
    parameter int TAP_GROUP_ROWS = 1,   // beats of a window
    parameter int TAP_GROUP_COLUMNS = 1,
    parameter int STRIDE_ROWS = 1,
    parameter int STRIDE_COLUMNS = 1,
    parameter int DILATION_ROWS = 1,
    parameter int DILATION_COLUMNS = 1,
    parameter int PAD_TOP = 1,
    parameter int PAD_LEFT = 1,
    parameter int ROWS = 4,             // row slots
    parameter int SLOTS = 4,            // side by side: ROWS or 1
    parameter int PHASES = 1,           // columns of a word
    parameter int FLUSH = 1,            // positions, see above
    parameter int MERGE = 1,            // see above
    localparam int PIXEL_BEATS = GROUPS * TILES,
    localparam int WORDS = (WIDTH + PHASES - 1) / PHASES,
    localparam int ROW_WORDS = WORDS * PIXEL_BEATS,
    localparam int DEPTH = ROW_WORDS * (SLOTS > 1 ? 1 : ROWS),
    localparam int ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1,
    localparam int SLOT_BITS = ROWS > 1 ? $clog2(ROWS) : 1,  // slots 0..ROWS-1
    localparam int COUNT_BITS = $clog2(ROWS + 1)             // rows released at once: 0..ROWS
) (
    input  wire logic                    clk,
    input  wire logic                    rst,             // synchronous, active high
    input  wire logic                    write,           // a beat is written
    input  wire logic                    enable,          // a step may be taken
    output logic                         step,            // a step is taken
    output logic      [ADDRESS_BITS-1:0] address,         // what it reads
    output logic      [SLOT_BITS-1:0]    slot,            // slot of the first tap row
    output logic      [TAP_ROWS-1:0]     row_outside,     // tap rows beyond the frame
    output logic      [TAP_COLUMNS-1:0]  column_outside,  // the window's tap columns beyond the frame
    output logic                         emit,            // the step completes a beat
    output logic                         last,            // it is the image's last one
    output logic      [COUNT_BITS-1:0]   release_rows     // slots it releases
);
  localparam bit WALK = TAP_GROUP_COLUMNS == 1;
  localparam int KERNEL_ROWS = TAP_ROWS * TAP_GROUP_ROWS;
  localparam int KERNEL_COLUMNS = TAP_COLUMNS * TAP_GROUP_COLUMNS;
  localparam int EXTENT_ROWS = (KERNEL_ROWS - 1) * DILATION_ROWS + 1;
  localparam int EXTENT_COLUMNS = (KERNEL_COLUMNS - 1) * DILATION_COLUMNS + 1;
  localparam int ROW_BEATS = WIDTH * PIXEL_BEATS;

  function automatic int clip(input int value, input int low, input int high);
    return value < low ? low : value > high ? high : value;
  endfunction

  // ---- rows of windows -------------------------------------------------------------------------------------------
  // rows of the frame up to the last one that windows of row r need; the last row of windows needs them all
  function automatic int rows_needed(input int r);
    return r < 0 ? 0 : clip(r * STRIDE_ROWS + EXTENT_ROWS - PAD_TOP, 1, HEIGHT);
  endfunction
  // new rows for row r; OUTPUT_ROWS is the next image's row 0
  function automatic int rows_new(input int r);
    return r == OUTPUT_ROWS ? rows_needed(0) : rows_needed(r) - rows_needed(r - 1);
  endfunction
  // rows that windows of row r and all later ones do not need
  function automatic int rows_over(input int r);
    return r == OUTPUT_ROWS ? HEIGHT : clip(r * STRIDE_ROWS - PAD_TOP, 0, HEIGHT);
  endfunction
  function automatic bit is_row(input int r, input int tap);
    return r * STRIDE_ROWS + tap * DILATION_ROWS >= PAD_TOP && r * STRIDE_ROWS + tap * DILATION_ROWS < PAD_TOP + HEIGHT;
  endfunction
  // From REGULAR_ROW to LATE_ROW - 1 all functions of the row are the same: there are STRIDE_ROWS new rows, none is
  // outside, and so it is in the rows before and after.
  localparam int REGULAR_ROW = clip((PAD_TOP + STRIDE_ROWS - 1) / STRIDE_ROWS + 1, 0, OUTPUT_ROWS);
  localparam int WHOLE_ROWS = HEIGHT + PAD_TOP < EXTENT_ROWS ? 0 : (HEIGHT + PAD_TOP - EXTENT_ROWS) / STRIDE_ROWS + 1;
  localparam int LATE_ROW = clip(WHOLE_ROWS - 1, REGULAR_ROW, OUTPUT_ROWS);

  // ---- positions along a row -------------------------------------------------------------------------------------
  // word of tap column k in the window of output column 0, rounded down
  function automatic int offset(input int k);
    return (k * DILATION_COLUMNS - PAD_LEFT + PAD_LEFT * PHASES) / PHASES - PAD_LEFT;
  endfunction
  localparam int LAST_OFFSET = WALK ? offset(TAP_COLUMNS - 1) : 0;
  localparam int WORD_STRIDE = WALK ? STRIDE_COLUMNS / PHASES : 1;
  localparam int LEFT_WORDS = LAST_OFFSET < 0 ? -LAST_OFFSET : 0;  // positions before the first word
  localparam int END_WORD = (OUTPUT_COLUMNS - 1) * WORD_STRIDE + LAST_OFFSET + 1;  // at least WORDS
  localparam int RIGHT_WORDS = WALK ? END_WORD - WORDS : 0;  // positions after the last word
  localparam int POSITIONS = WALK ? LEFT_WORDS + WORDS + RIGHT_WORDS - FLUSH : OUTPUT_COLUMNS;
  // distance from output column 0's position to position i, on which the window emitted there depends
  function automatic int distance(input int i);
    return !WALK ? i : i - LEFT_WORDS - LAST_OFFSET + (i < FLUSH ? WORDS : 0);
  endfunction
  function automatic bit emits(input int i);
    return distance(i) >= 0 && distance(i) % WORD_STRIDE == 0 && distance(i) / WORD_STRIDE < OUTPUT_COLUMNS;
  endfunction
  function automatic int tap_column(input int i, input int k);
    return distance(i) * (WALK ? PHASES : STRIDE_COLUMNS) + k * DILATION_COLUMNS - PAD_LEFT;
  endfunction
  function automatic bit is_column(input int i, input int k);
    return tap_column(i, k) >= 0 && tap_column(i, k) < WIDTH;
  endfunction
  function automatic bit is_word(input int i);
    return i >= LEFT_WORDS && i < LEFT_WORDS + WORDS;
  endfunction
  // beats of the last row needed up to the last step of position i; even padding waits for the image's first beat
  function automatic int needed(input int i);
    return clip(PIXEL_BEATS * (WALK ? (i - LEFT_WORDS + 1) * PHASES : i * STRIDE_COLUMNS - PAD_LEFT + EXTENT_COLUMNS),
                1, ROW_BEATS);
  endfunction
  // and up to its first one: words are waited for beat by beat
  function automatic int needed_first(input int i);
    return WALK && is_word(i) ? needed(i) - PIXEL_BEATS + 1 : needed(i);
  endfunction
  localparam int REGULAR_TAKE = WALK ? (PHASES - 1) * PIXEL_BEATS + 1 : STRIDE_COLUMNS * PIXEL_BEATS;
  // From REGULAR to LATE - 1 all functions of the position are the same, but for the stride of `emits`.
  localparam int WHOLE_COLUMNS =
      WIDTH + PAD_LEFT < EXTENT_COLUMNS ? 0 : (WIDTH + PAD_LEFT - EXTENT_COLUMNS) / STRIDE_COLUMNS + 1;
  localparam int REGULAR = clip(
      (PAD_LEFT + STRIDE_COLUMNS - 1) / STRIDE_COLUMNS * WORD_STRIDE + LAST_OFFSET + LEFT_WORDS, 0, POSITIONS);
  localparam int LATE = clip((WHOLE_COLUMNS - 1) * WORD_STRIDE + LAST_OFFSET + LEFT_WORDS - 1, REGULAR, POSITIONS);

  // ---- the loops -------------------------------------------------------------------------------------------------
  localparam bit LINEAR = TAP_GROUP_ROWS * TAP_GROUP_COLUMNS == 1;  // a pixel's beats are read in their order
  localparam int TILE_TURNS = LINEAR ? PIXEL_BEATS : TILES;
  localparam int POSITION_BITS = POSITIONS > 1 ? $clog2(POSITIONS) : 1;
  localparam int ROW_BITS = OUTPUT_ROWS > 1 ? $clog2(OUTPUT_ROWS) : 1;
  localparam int H_BITS = TAP_GROUP_COLUMNS > 1 ? $clog2(TAP_GROUP_COLUMNS) : 1;
  localparam int V_BITS = TAP_GROUP_ROWS > 1 ? $clog2(TAP_GROUP_ROWS) : 1;

  logic tile_last, h_last, v_last, group_last, position_last, row_last;
  logic [H_BITS-1:0] h;
  logic [V_BITS-1:0] v;
  logic [POSITION_BITS-1:0] position;
  logic [ROW_BITS-1:0] row;
  logic flush;      // positions after an image's last row
  logic refill;     // an image's first positions
  logic edge_last;  // of either, the last one
  wire logic h_step = step && tile_last;
  wire logic v_step = h_step && h_last;
  wire logic group_step = v_step && v_last;
  wire logic pixel_step = group_step && group_last;
  wire logic flush_end = pixel_step && flush && edge_last;
  wire logic row_step = pixel_step && position_last;  // flush is shorter than a row

  logic [(TILE_TURNS > 1 ? $clog2(TILE_TURNS) : 1)-1:0] tile;
  logic [(!LINEAR && GROUPS > 1 ? $clog2(GROUPS) : 1)-1:0] group;
  hlsgen_loop #(.COUNT(TILE_TURNS)) tiles (.clk, .rst, .step, .index(tile), .last(tile_last));
  hlsgen_loop #(.COUNT(TAP_GROUP_COLUMNS)) columns (.clk, .rst, .step(h_step), .index(h), .last(h_last));
  hlsgen_loop #(.COUNT(TAP_GROUP_ROWS)) rows (.clk, .rst, .step(v_step), .index(v), .last(v_last));
  hlsgen_loop #(.COUNT(LINEAR ? 1 : GROUPS)) groups (.clk, .rst, .step(group_step), .index(group), .last(group_last));
  hlsgen_loop #(.COUNT(POSITIONS)) positions (
      .clk, .rst(rst || flush_end), .step(pixel_step), .index(position), .last(position_last)
  );
  hlsgen_loop #(.COUNT(OUTPUT_ROWS)) output_rows (.clk, .rst, .step(row_step), .index(row), .last(row_last));
  wire logic unused = &{1'b0, tile, h, v, group};
  assign last = tile_last && h_last && v_last && group_last && position_last && row_last;

  // ---- what depends on the row of windows ------------------------------------------------------------------------
  logic [KERNEL_ROWS-1:0] rows_outside;
  logic advances;       // this row of windows needs new rows
  logic [COUNT_BITS-1:0] rows_released;
  always_comb begin
    rows_outside = '0;
    advances = 1'b1;
    rows_released = COUNT_BITS'(STRIDE_ROWS);
    for (int r = 0; r < OUTPUT_ROWS; r++)
      if ((r < REGULAR_ROW || r >= LATE_ROW) && row == ROW_BITS'(r)) begin
        for (int tap = 0; tap < KERNEL_ROWS; tap++) rows_outside[tap] = !is_row(r, tap);
        advances = rows_new(r) > 0;
        rows_released = COUNT_BITS'(rows_over(r + 1) - rows_over(r));
      end
  end
  assign release_rows = row_step ? rows_released : '0;

  // ---- what depends on the position ------------------------------------------------------------------------------
  // level: at most the beats of all slots and of the row before them, at least less than the rows of a window below 0
  localparam int LEVEL_BITS = $clog2((ROWS + 1) * ROW_BEATS + 1) + 1;
  logic [LEVEL_BITS-1:0] level;
  logic [KERNEL_COLUMNS-1:0] columns_outside;
  logic regular;                   // position is regular
  logic emits_here;                // if it is not
  logic reads;                     // the position is a word
  logic [LEVEL_BITS-1:0] take;     // beats needed more at the next position
  always_comb begin
    columns_outside = '0;
    regular = 1'b1;
    emits_here = 1'b0;
    reads = 1'b1;
    take = LEVEL_BITS'(REGULAR_TAKE);
    for (int i = 0; i < POSITIONS; i++)
      if ((i < REGULAR || i >= LATE) && position == POSITION_BITS'(i)) begin
        for (int k = 0; k < KERNEL_COLUMNS; k++) columns_outside[k] = !is_column(i, k);
        regular = 1'b0;
        emits_here = emits(i);
        reads = is_word(i);
        take = LEVEL_BITS'(i + 1 < POSITIONS ? needed_first(i + 1) - needed(i) : 0);
      end
  end

  logic [LEVEL_BITS-1:0] take_row;  // beats needed more at the first position of the next row of windows
  always_comb begin
    take_row = LEVEL_BITS'((STRIDE_ROWS - 1) * ROW_BEATS + needed_first(0));
    for (int r = 0; r < OUTPUT_ROWS; r++)
      if ((r < REGULAR_ROW || r >= LATE_ROW) && row == ROW_BITS'(r)) begin
        take_row = LEVEL_BITS'(rows_new(r + 1) > 0 ? (rows_new(r + 1) - 1) * ROW_BEATS + needed_first(0) : 0);
      end
  end

  if (WORD_STRIDE == 1) begin : every
    assign emit = (regular || emits_here) && !refill;
  end else begin : some
    localparam int PHASE_BITS = $clog2(WORD_STRIDE);
    localparam int FIRST = (LEFT_WORDS + LAST_OFFSET) % WORD_STRIDE;  // position 0 to the first one that emits
    localparam int START = (WORD_STRIDE - FIRST) % WORD_STRIDE;
    logic [PHASE_BITS-1:0] phase;  // position - FIRST modulo WORD_STRIDE
    always_ff @(posedge clk)
      if (rst) phase <= PHASE_BITS'(START);
      else if (pixel_step) begin
        if (position_last) phase <= PHASE_BITS'(START);
        else phase <= phase == PHASE_BITS'(WORD_STRIDE - 1) ? '0 : phase + 1'b1;
      end
    assign emit = (regular ? phase == '0 : emits_here) && !refill;
  end

  if (TAP_GROUP_ROWS == 1) begin : all_rows
    assign row_outside = rows_outside;
  end else begin : one_row
    assign row_outside = rows_outside[v];
  end
  if (WALK) begin : all_columns
    assign column_outside = columns_outside;
  end else begin : one_column
    assign column_outside = columns_outside[h];
  end

  // ---- between images --------------------------------------------------------------------------------------------
  if (FLUSH > 0) begin : refilling
    wire logic image_end = MERGE != 0 ? row_step && row_last : flush_end;
    assign edge_last = position == POSITION_BITS'(FLUSH - 1);
    always_ff @(posedge clk)
      if (rst) refill <= 1'b1;
      else if (pixel_step) refill <= (refill && !edge_last) || image_end;
  end else begin : no_refilling
    assign edge_last = 1'b0;
    assign refill = 1'b0;
  end
  if (FLUSH > 0 && MERGE == 0) begin : flushing
    always_ff @(posedge clk)
      if (rst) flush <= 1'b0;
      else if (pixel_step) flush <= (flush && !edge_last) || (row_step && row_last);
  end else begin : no_flushing
    assign flush = 1'b0;
  end

  // ---- waiting ---------------------------------------------------------------------------------------------------
  localparam int START_LEVEL = -((rows_needed(0) - 1) * ROW_BEATS + needed_first(0));
  logic [LEVEL_BITS-1:0] consumed;
  always_comb begin
    consumed = '0;
    if (flush) begin
      consumed = '0;  // the level is that of the next image's first step
    end else if (!pixel_step) begin
      // inside a word: each beat of a group's first tap group is a new one
      if (WALK && advances && reads && (tile_last ? v_last : v == '0)) consumed = LEVEL_BITS'(1);
    end else if (position_last) begin
      consumed = take_row;
    end else if (advances) begin
      consumed = take;
    end
  end
  assign step = enable && (!level[LEVEL_BITS-1] || flush);
  always_ff @(posedge clk)
    if (rst) level <= LEVEL_BITS'(START_LEVEL);
    else level <= level + LEVEL_BITS'(write) - (step ? consumed : '0);

  // ---- addresses -------------------------------------------------------------------------------------------------
  // word inside the slot, modulo 2^ADDRESS_BITS: meaningless where the tap is outside
  localparam int COLUMN_WORDS = DILATION_COLUMNS * PIXEL_BEATS;                 // from tap to tap
  localparam int BACK = (TAP_GROUP_COLUMNS - 1) * COLUMN_WORDS;                 // from the last tap to the first
  localparam int START_WORD = -(WALK ? LEFT_WORDS : PAD_LEFT) * PIXEL_BEATS;    // of position 0
  localparam int PIXEL_WORDS = (WALK ? 1 : STRIDE_COLUMNS) * PIXEL_BEATS;       // from position to position
  logic [ADDRESS_BITS-1:0] word, stride;
  always_comb begin
    stride = ADDRESS_BITS'(1);
    if (!LINEAR && tile_last) begin
      if (!h_last) stride = ADDRESS_BITS'(COLUMN_WORDS - TILE_TURNS + 1);
      else if (!v_last) stride = ADDRESS_BITS'(-BACK - TILE_TURNS + 1);
      else if (!group_last) stride = ADDRESS_BITS'(1 - BACK);
      else stride = ADDRESS_BITS'(PIXEL_WORDS - BACK - PIXEL_BEATS + 1);
    end
  end
  always_ff @(posedge clk)
    if (rst || flush_end || row_step) word <= ADDRESS_BITS'(START_WORD);
    else if (step) word <= word + stride;

  // slots of the windows' first row, and of the tap row at hand
  function automatic logic [SLOT_BITS-1:0] slot_after(input logic [SLOT_BITS-1:0] from, input int rows_on);
    logic [SLOT_BITS-1:0] result;
    result = '0;
    for (int i = 0; i < ROWS; i++) if (from == SLOT_BITS'(i)) result = SLOT_BITS'((i + rows_on) % ROWS);
    return result;
  endfunction
  localparam int FIRST_SLOT = (ROWS - PAD_TOP % ROWS) % ROWS;
  localparam int IMAGE_ROWS = HEIGHT - (OUTPUT_ROWS - 1) * STRIDE_ROWS;  // from an image's last windows to the next's
  localparam int IMAGE_SLOTS = (IMAGE_ROWS % ROWS + ROWS) % ROWS;
  logic [SLOT_BITS-1:0] row_slot, next_row_slot;
  assign next_row_slot = row_last ? slot_after(row_slot, IMAGE_SLOTS) : slot_after(row_slot, STRIDE_ROWS);
  always_ff @(posedge clk)
    if (rst) row_slot <= SLOT_BITS'(FIRST_SLOT);
    else if (row_step) row_slot <= next_row_slot;
  if (TAP_GROUP_ROWS == 1) begin : window_slot
    assign slot = row_slot;
  end else begin : tap_slot
    always_ff @(posedge clk)
      if (rst) slot <= SLOT_BITS'(FIRST_SLOT);
      else if (row_step) slot <= next_row_slot;
      else if (v_step) slot <= v_last ? row_slot : slot_after(slot, DILATION_ROWS);
  end

  if (SLOTS > 1) begin : side_by_side
    assign address = word;
  end else begin : one_after_the_other
    logic [ADDRESS_BITS-1:0] base;
    always_comb begin
      base = '0;
      for (int i = 0; i < ROWS; i++) if (slot == SLOT_BITS'(i)) base = ADDRESS_BITS'(i * ROW_WORDS);
    end
    assign address = base + word;
  end
endmodule

`default_nettype wire
