// Writing side of `window`: takes the frame's beats, leaves out what no window needs, says where the rest is stored.
//
// Places:    row slots are used in turn, also from image to image. A slot has WORDS * PIXEL_BEATS words, in the order
//            (group of PHASES neighbouring columns, beat of the pixel); the column inside the group is the bank. Slots
//            lie one after the other (SLOTS = 1), or side by side at the same addresses: then the bank is the slot.
// Waiting:   a row that is kept waits for a free slot; `in_ready` is the sign bit of a register. A beat is written in
//            the cycle in which it is accepted; a slot released in cycle t takes a beat in cycle t + 1 at the earliest.
`default_nettype none

module hlsgen_window_fill #(
    parameter int HEIGHT = 8,          // rows of the frame
    parameter int WIDTH = 8,           // columns of the frame
    parameter int PIXEL_BEATS = 2,     // beats of a pixel
    parameter int STRIDE_ROWS = 1,     // of windows
    parameter int STRIDE_COLUMNS = 1,
    parameter int SPAN_ROWS = 1,       // rows kept of each STRIDE_ROWS
    parameter int SPAN_COLUMNS = 1,    // columns kept of each STRIDE_COLUMNS
    parameter int PAD_TOP = 1,         // rows of padding above
    parameter int PAD_LEFT = 1,        // columns of padding to the left
    parameter int LIMIT_ROWS = 8,      // end of the last window
    parameter int LIMIT_COLUMNS = 8,
    parameter int KEPT_COLUMNS = 8,    // columns that are kept
    parameter int ROWS = 4,            // row slots
    parameter int SLOTS = 4,           // side by side: ROWS or 1
    parameter int PHASES = 1,          // columns side by side; 1 if SLOTS > 1
    localparam int WORDS = (KEPT_COLUMNS + PHASES - 1) / PHASES,
    localparam int DEPTH = WORDS * PIXEL_BEATS * (SLOTS > 1 ? 1 : ROWS),  // words
    localparam int ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1,
    localparam int BANKS = SLOTS * PHASES,
    localparam int COUNT_BITS = $clog2(ROWS + 1)  // rows released at once: 0..ROWS
) (
    input  wire logic                    clk,
    input  wire logic                    rst,       // synchronous, active high
    input  wire logic                    in_valid,
    output logic                         in_ready,
    output logic                         write,     // this beat is kept
    output logic      [ADDRESS_BITS-1:0] address,
    output logic      [BANKS-1:0]        bank,      // one-hot
    input  wire logic [COUNT_BITS-1:0]   release_rows
);
  wire logic accept = in_valid && in_ready;
  logic keep_row, keep_column, keep_next_row, row_last, row_end;
  logic address_last;
  assign write = accept && keep_row && keep_column;

  hlsgen_window_axis #(
      .SIZE(HEIGHT), .STRIDE(STRIDE_ROWS), .SPAN(SPAN_ROWS), .PAD(PAD_TOP), .LIMIT(LIMIT_ROWS)
  ) row (.clk, .rst, .step(accept && row_end), .keep(keep_row), .keep_next(keep_next_row), .last(row_last));
  wire logic unused = &{1'b0, row_last};

  if (KEPT_COLUMNS == WIDTH && PHASES == 1 && SLOTS > 1) begin : address_is_position
    // every beat of the row is stored where the row is counted; rows that are left out are counted there, too
    assign keep_column = 1'b1;
    assign row_end = address_last;
    hlsgen_loop #(.COUNT(DEPTH)) place (.clk, .rst, .step(accept), .index(address), .last(address_last));
  end else begin : address_apart
    logic pixel_end, column_last, keep_next_column;
    logic [(PIXEL_BEATS > 1 ? $clog2(PIXEL_BEATS) : 1)-1:0] beat_index;
    hlsgen_loop #(.COUNT(PIXEL_BEATS)) beat (.clk, .rst, .step(accept), .index(beat_index), .last(pixel_end));
    hlsgen_window_axis #(
        .SIZE(WIDTH), .STRIDE(STRIDE_COLUMNS), .SPAN(SPAN_COLUMNS), .PAD(PAD_LEFT), .LIMIT(LIMIT_COLUMNS)
    ) column (
        .clk, .rst, .step(accept && pixel_end), .keep(keep_column), .keep_next(keep_next_column), .last(column_last)
    );
    wire logic unused_here = &{1'b0, beat_index, keep_next_column};
    assign row_end = pixel_end && column_last;

    if (PHASES == 1) begin : one_column
      hlsgen_loop #(.COUNT(DEPTH)) place (.clk, .rst, .step(write), .index(address), .last(address_last));
    end else begin : columns
      // PHASES = STRIDE_COLUMNS and columns are left out only at the end, so the phase is the one of the column
      localparam int COLUMN_BITS = $clog2(WIDTH);
      logic [PHASES-1:0] phase;          // one-hot
      logic [COLUMN_BITS-1:0] position;  // column, up to the last one that is kept
      wire logic last_kept = position == COLUMN_BITS'(KEPT_COLUMNS - 1);
      wire logic pixel_kept = write && pixel_end;
      wire logic back = pixel_end && !phase[PHASES-1] && !last_kept;  // the next column has the same words
      assign address_last = address == ADDRESS_BITS'(DEPTH - 1);
      always_ff @(posedge clk)
        if (rst) begin
          phase <= PHASES'(1);
          position <= '0;
          address <= '0;
        end else if (write) begin
          if (pixel_kept) begin
            position <= last_kept ? '0 : position + 1'b1;
            phase <= last_kept ? PHASES'(1) : {phase[PHASES-2:0], phase[PHASES-1]};
          end
          if (back) address <= address - ADDRESS_BITS'(PIXEL_BEATS - 1);
          else address <= address_last ? '0 : address + 1'b1;
        end
      assign bank = phase;
    end
  end

  if (PHASES == 1 && SLOTS == 1) begin : one_bank
    assign bank = 1'b1;
    wire logic unused_here = &{1'b0, address_last};
  end
  if (SLOTS > 1) begin : slots
    always_ff @(posedge clk)
      if (rst) bank <= BANKS'(1);
      else if (write && address_last) bank <= {bank[BANKS-2:0], bank[BANKS-1]};
  end

  // Slots not claimed: -1..ROWS. A kept row claims its slot when the row before it ends; -1: it has to wait for it.
  localparam int FREE_BITS = $clog2(ROWS + 1) + 1;
  localparam bit KEEP_FIRST = PAD_TOP % STRIDE_ROWS < SPAN_ROWS && LIMIT_ROWS > 0;
  logic [FREE_BITS-1:0] free;
  assign in_ready = !free[FREE_BITS-1];
  always_ff @(posedge clk)
    if (rst) free <= FREE_BITS'(ROWS) - FREE_BITS'(KEEP_FIRST);
    else free <= free + FREE_BITS'(release_rows) - FREE_BITS'(accept && row_end && keep_next_row);
endmodule

`default_nettype wire
