// The words of the AXI4-Stream input become the beats of the input frame.
//
// Words in:  WORDS of AXI_BITS per image. An image's elements stand in them one after the other, STORAGE_BITS bits
//            each, least significant bits first; the low BITS bits are an element's value. The tail of an image's last
//            word is ignored. `error` is high for the cycle after a word with TLAST (`in_last`) that is not an image's
//            last.
// Beats out: output 0 has BEATS of LANES elements per image, each offered two cycles after its last element came in;
//            output 1 has one beat per image, TLAST of its last word.
// Cycles:    max(WORDS, BEATS): a word enters in the same cycle in which the last beat of the former one leaves.
// Cost:      flip-flops for a word (and what of former words belongs to its first beat), a multiplexer with as many
//            inputs as there are positions at which a beat can begin, and a queue of two beats.
`default_nettype none

module hlsgen_unpack #(
    parameter int AXI_BITS = 64,     // bits of a word
    parameter int STORAGE_BITS = 8,  // bits of an element in a word: a power of two
    parameter int BITS = 8,          // of these, the bits that count
    parameter int WORDS = 1,         // words per image
    parameter int BEATS = 8,         // beats per image
    parameter int LANES = 1          // elements of a beat
) (
    input  wire logic                  clk,
    input  wire logic                  rst,        // synchronous, active high
    input  wire logic [AXI_BITS-1:0]   in_data,
    input  wire logic                  in_last,
    input  wire logic                  in_valid,
    output logic                       in_ready,
    output logic                       error,
    output logic [LANES*BITS:0]        out_data,   // {TLAST, beat}
    output logic [1:0]                 out_valid,
    input  wire logic [1:0]            out_ready
);
  function automatic int gcd(input int a, input int b);
    return b == 0 ? a : gcd(b, a % b);
  endfunction

  localparam int WORD_ELEMENTS = AXI_BITS / STORAGE_BITS;
  localparam int ELEMENTS = BEATS * LANES;
  if (AXI_BITS % STORAGE_BITS != 0 || BITS < 1 || BITS > STORAGE_BITS) begin : check_bits
    $error("hlsgen_unpack: AXI_BITS=%0d, STORAGE_BITS=%0d and BITS=%0d do not fit each other", AXI_BITS, STORAGE_BITS,
           BITS);
  end
  if (BEATS < 1 || LANES < 1 || WORDS != (ELEMENTS + WORD_ELEMENTS - 1) / WORD_ELEMENTS) begin : check_counts
    $error("hlsgen_unpack: BEATS=%0d of LANES=%0d elements are not WORDS=%0d", BEATS, LANES, WORDS);
  end

  localparam int WORD_BITS = $clog2(WORDS + 1);  // counts 0..WORDS-1
  logic [WORD_BITS-1:0] word;  // words of the image taken so far
  wire logic last_word = word == WORD_BITS'(WORDS - 1);
  wire logic take = in_valid && in_ready;
  wire logic [WORD_ELEMENTS*BITS-1:0] elements;  // of the word, without what fills STORAGE_BITS
  for (genvar i = 0; i < WORD_ELEMENTS; ++i) begin : strip
    assign elements[i*BITS+:BITS] = in_data[i*STORAGE_BITS+:BITS];
  end
  if (STORAGE_BITS > BITS) begin : filling
    wire logic unused = &{1'b0, in_data};
  end

  always_ff @(posedge clk) begin
    error <= !rst && take && in_last && !last_word;
    if (rst) word <= '0;
    else if (take) word <= last_word ? '0 : word + 1'b1;
  end

  logic flag;        // TLAST of the image's last word
  logic flag_push;
  logic flag_room;
  hlsgen_fifo #(.WIDTH(1), .DEPTH(2)) flags (
      .clk, .rst, .in_data(flag), .in_valid(flag_push), .in_ready(flag_room),
      .out_data(out_data[LANES*BITS]), .out_valid(out_valid[1]), .out_ready(out_ready[1]));

  if (LANES % WORD_ELEMENTS == 0) begin : whole_words
    logic width_ready;
    wire logic open = !last_word || flag_room;
    assign in_ready = width_ready && open;
    assign flag = in_last;
    assign flag_push = take && last_word;
    hlsgen_width #(.LANES_IN(WORD_ELEMENTS), .LANES_OUT(LANES), .TYPE_BITS(BITS)) width (
        .clk, .rst, .in_data(elements), .in_valid(in_valid && open), .in_ready(width_ready),
        .out_data(out_data[LANES*BITS-1:0]), .out_valid(out_valid[0]), .out_ready(out_ready[0]));

  end else begin : parts_of_words
    // Everything is a multiple of GRAIN elements: POSITIONS per word, STRIDE per beat. In `window` the newest word is
    // at the top; a beat begins at grain `position`, and is whole where that is less than POSITIONS.
    localparam int GRAIN = gcd(WORD_ELEMENTS, LANES);
    localparam int POSITIONS = WORD_ELEMENTS / GRAIN;
    localparam int STRIDE = LANES / GRAIN;
    localparam int OLDER_BITS = (LANES - GRAIN) * BITS;  // of the words before the newest
    localparam int WINDOW_BITS = WORD_ELEMENTS * BITS + OLDER_BITS;
    // of an image's last beat; it ends with the image's elements in the newest word
    localparam int LAST_POSITION = (ELEMENTS - (WORDS - 1) * WORD_ELEMENTS) / GRAIN - 1;
    localparam int POSITION_BITS = $clog2(POSITIONS + STRIDE);  // counts 0..POSITIONS+STRIDE-1
    typedef logic [POSITION_BITS-1:0] position_t;

    logic [WINDOW_BITS-1:0] window;
    position_t position;
    logic whole;        // a whole beat begins at `position`
    logic is_last;      // the newest word is its image's last
    wire logic last_beat = is_last && position == position_t'(LAST_POSITION);  // of the image
    wire logic final_beat = is_last ? last_beat : int'(position) >= POSITIONS - STRIDE;  // of the word
    logic room;
    wire logic issue = whole && room && (!last_beat || flag_room);
    // A whole beat leaves while the next word comes in, where positions are POSITIONS less. An image's first beat
    // begins with its first word.
    position_t shifted;
    assign shifted = word == '0 ? position_t'(STRIDE - 1)
                                : position + (whole ? position_t'(STRIDE - POSITIONS) : position_t'(-POSITIONS));

    assign in_ready = !whole || issue && final_beat;
    assign flag_push = issue && last_beat;

    always_ff @(posedge clk) begin
      if (take) begin
        window <= WINDOW_BITS'({elements, window} >> (WORD_ELEMENTS * BITS));
        flag <= in_last;
        is_last <= last_word;
        position <= shifted;
      end else if (issue) position <= position + position_t'(STRIDE);
      if (rst) whole <= 1'b0;
      else if (take) whole <= shifted < position_t'(POSITIONS);
      else if (issue && final_beat) whole <= 1'b0;
    end

    // POSITIONS is a power of two, and where no beat begins it does not matter what is chosen.
    wire logic [$clog2(POSITIONS)-1:0] beginning = position[$clog2(POSITIONS)-1:0];
    localparam int BEAT_BITS = LANES * BITS, GRAIN_BITS = GRAIN * BITS;
    wire logic [BEAT_BITS-1:0] beat;
    if (POSITIONS > (STRIDE > 1 ? 4 : 8)) begin : two_steps
      // by fours, then the rest: most multiplexers of the first step serve several grains of the beat
      localparam int FOURS = POSITIONS / 4, NEAR_BITS = BEAT_BITS + 3 * GRAIN_BITS;
      wire logic [FOURS-1:0][NEAR_BITS-1:0] fours;
      wire logic [NEAR_BITS-1:0] near;
      wire logic [3:0][BEAT_BITS-1:0] beats_near;
      for (genvar i = 0; i < FOURS; ++i) begin : four
        assign fours[i] = window[4*i*GRAIN_BITS+:NEAR_BITS];
      end
      for (genvar i = 0; i < 4; ++i) begin : one
        assign beats_near[i] = near[i*GRAIN_BITS+:BEAT_BITS];
      end
      hlsgen_multiplexer #(
          .WIDTH(NEAR_BITS), .COUNT(FOURS)
      ) choose_four (
          .data(fours), .index(beginning[$clog2(POSITIONS)-1:2]), .word(near)
      );
      hlsgen_multiplexer #(
          .WIDTH(BEAT_BITS), .COUNT(4)
      ) choose (
          .data(beats_near), .index(beginning[1:0]), .word(beat)
      );
    end else begin : one_step
      wire logic [POSITIONS-1:0][BEAT_BITS-1:0] beats_in_window;
      for (genvar i = 0; i < POSITIONS; ++i) begin : one
        assign beats_in_window[i] = window[i*GRAIN_BITS+:BEAT_BITS];
      end
      hlsgen_multiplexer #(
          .WIDTH(BEAT_BITS), .COUNT(POSITIONS)
      ) choose (
          .data(beats_in_window), .index(beginning), .word(beat)
      );
    end

    hlsgen_fifo #(.WIDTH(LANES * BITS), .DEPTH(2)) beats (
        .clk, .rst, .in_data(beat),
        .in_valid(whole && (!last_beat || flag_room)), .in_ready(room),
        .out_data(out_data[LANES*BITS-1:0]), .out_valid(out_valid[0]), .out_ready(out_ready[0]));
  end
endmodule

`default_nettype wire
