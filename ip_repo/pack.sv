// The beats of the output frames become the words of the AXI4-Stream output.
//
// Beats in:  input i, i < PARTS, has BEATS[i] beats of LANES[i] elements of BITS[i] bits per image; input PARTS has one
//            beat of one bit per image.
// Words out: the parts one after the other, each starting a new word: its elements in order, extended (with their sign
//            where SIGNED[i]) to STORAGE_BITS[i], least significant bits first, the tail of its last word zero. A word
//            is offered two cycles after its last element came in. TLAST (`out_last`) is set on an image's last word if
//            the image's bit of input PARTS, which is taken then, says so.
// Cycles:    per part as many as it has beats or words, whichever are more, plus one if its last beat also completes
//            the last word but one.
// Cost:      flip-flops for two words; no multiplexer where all lanes are powers of two and the words of an image come
//            at least two cycles apart, else a queue of two words.
`default_nettype none

module hlsgen_pack #(
    parameter int AXI_BITS = 64,                                       // bits of a word
    parameter int PARTS = 1,                                           // frames
    parameter bit [PARTS-1:0][31:0] LANES = {PARTS{32'd1}},            // elements of a beat of each
    parameter bit [PARTS-1:0][31:0] BITS = {PARTS{32'd8}},             // bits of an element
    parameter bit [PARTS-1:0][31:0] SIGNED = {PARTS{32'd1}},           // 1: its highest bit is a sign
    parameter bit [PARTS-1:0][31:0] STORAGE_BITS = {PARTS{32'd8}},     // bits of an element in a word: a power of two
    parameter bit [PARTS-1:0][31:0] BEATS = {PARTS{32'd8}},            // beats per image
    parameter int IN_BITS = 8                                          // sum of LANES * BITS
) (
    input  wire logic                clk,
    input  wire logic                rst,        // synchronous, active high
    input  wire logic [IN_BITS:0]    in_data,    // {TLAST of the image, part PARTS-1, ..., part 0}
    input  wire logic [PARTS:0]      in_valid,
    output logic [PARTS:0]           in_ready,
    output logic [AXI_BITS-1:0]      out_data,
    output logic                     out_last,
    output logic                     out_valid,
    input  wire logic                out_ready
);
  // Everything of a part is a multiple of grain() elements: positions() per beat, stride() per word. In `window` the
  // newest beat is at the top; a word begins at grain `position`, and is whole where that is less than positions().
  function automatic int gcd(input int a, input int b);
    return b == 0 ? a : gcd(b, a % b);
  endfunction
  function automatic int word_elements(input int part);
    return AXI_BITS / STORAGE_BITS[part];
  endfunction
  function automatic int grain(input int part);
    return gcd(word_elements(part), LANES[part]);
  endfunction
  function automatic int positions(input int part);
    return LANES[part] / grain(part);
  endfunction
  function automatic int stride(input int part);
    return word_elements(part) / grain(part);
  endfunction
  function automatic int words(input int part);
    return (BEATS[part] * LANES[part] + word_elements(part) - 1) / word_elements(part);
  endfunction
  // grains of the part's last word
  function automatic int last_grains(input int part);
    return (BEATS[part] * LANES[part] - (words(part) - 1) * word_elements(part)) / grain(part);
  endfunction
  // where the part's last word begins, when its last beat is in the window
  function automatic int last_position(input int part);
    return positions(part) - 1 + stride(part) - last_grains(part);
  endfunction
  // A position at which words begin, for one at which none does: the choice among so few is small.
  function automatic int likeness(input int part, input int position);
    likeness = position;
    while (likeness >= positions(part) && likeness != last_position(part))
      likeness -= 1 << ($clog2(likeness + 1) - 1);
  endfunction
  // the first bit of the part's beat in `in_data`
  function automatic int in_offset(input int part);
    in_offset = 0;
    for (int i = 0; i < part; ++i) in_offset += LANES[i] * BITS[i];
  endfunction
  // bits of the window below the one where the newest word begins at position 0
  function automatic int older_bits(input int part);
    return (LANES[part] - grain(part)) * STORAGE_BITS[part];
  endfunction
  function automatic int max_older_bits();
    max_older_bits = 0;
    for (int i = 0; i < PARTS; ++i) if (older_bits(i) > max_older_bits) max_older_bits = older_bits(i);
  endfunction
  function automatic int max_position();
    max_position = 0;
    for (int i = 0; i < PARTS; ++i)
      if (positions(i) + stride(i) > max_position) max_position = positions(i) + stride(i);
  endfunction
  function automatic int max_beats();
    max_beats = 0;
    for (int i = 0; i < PARTS; ++i) if (BEATS[i] > max_beats) max_beats = BEATS[i];
  endfunction
  // whether every word takes two beats and more
  function automatic bit spaced();
    spaced = 1'b1;
    for (int i = 0; i < PARTS; ++i) if (positions(i) > 1 || stride(i) < 2 || last_grains(i) < 2) spaced = 1'b0;
  endfunction

  if (IN_BITS != in_offset(PARTS)) begin : check_width
    $error("hlsgen_pack: IN_BITS=%0d, but the parts' beats have %0d bits", IN_BITS, in_offset(PARTS));
  end
  for (genvar i = 0; i < PARTS; ++i) begin : check
    if (AXI_BITS % STORAGE_BITS[i] != 0 || BITS[i] < 1 || BITS[i] > STORAGE_BITS[i]) begin : check_bits
      $error("hlsgen_pack: AXI_BITS=%0d, STORAGE_BITS=%0d and BITS=%0d do not fit each other", AXI_BITS,
             STORAGE_BITS[i], BITS[i]);
    end
    if (LANES[i] < 1 || BEATS[i] < 1) begin : check_counts
      $error("hlsgen_pack: LANES=%0d and BEATS=%0d must be positive", LANES[i], BEATS[i]);
    end
  end

  localparam int OLDER_BITS = max_older_bits();
  localparam int WINDOW_BITS = AXI_BITS + OLDER_BITS;
  localparam int POSITION_BITS = $clog2(max_position() + 1);
  localparam int BEAT_BITS = $clog2(max_beats() + 1);
  typedef logic [POSITION_BITS-1:0] position_t;
  typedef logic [BEAT_BITS-1:0] beat_t;

  logic [WINDOW_BITS-1:0] window;
  logic [PARTS-1:0] part;  // the one in the window; one bit is set
  beat_t beat;             // of the part, the next to be taken
  position_t position;
  logic complete;          // the window holds the part's last beat
  logic whole;             // a whole word, or the part's last one, begins at `position`
  logic room;

  // each part's share in these is zero unless it is the one
  logic [PARTS-1:0] at_end;     // the word is the part's last
  logic [PARTS-1:0] exhausted;  // the word is the last in the window
  logic [PARTS-1:0] next;       // the part whose beat comes in: the following one while the last word leaves
  logic [PARTS-1:0] last_beat;  // the beat that comes in is its part's last
  logic [PARTS-1:0][POSITION_BITS-1:0] shifted;  // `position` when it has come in
  logic [PARTS-1:0] shifted_whole;
  logic [PARTS-1:0][POSITION_BITS-1:0] steps;  // `position` advances by it when a word leaves
  logic [PARTS-1:0][WINDOW_BITS-1:0] shifted_window;
  logic [PARTS-1:0][AXI_BITS-1:0] words_out;

  wire logic image_end = at_end[PARTS-1];
  wire logic offer = whole && (!image_end || in_valid[PARTS]);
  wire logic issue = offer && room;
  wire logic take = |(in_valid[PARTS-1:0] & in_ready[PARTS-1:0]);
  assign in_ready = {whole && room && image_end, next & {PARTS{!whole || issue && exhausted != '0}}};

  for (genvar i = 0; i < PARTS; ++i) begin : parts
    localparam int BEAT_WIDTH = LANES[i] * STORAGE_BITS[i];
    localparam int BASE = OLDER_BITS - older_bits(i);
    localparam int KEPT = OLDER_BITS + last_grains(i) * BEAT_WIDTH;  // of the window, in a last word without `position`
    logic [BEAT_WIDTH-1:0] stored;
    for (genvar lane = 0; lane < LANES[i]; ++lane) begin : lanes
      wire logic [BITS[i]-1:0] element = in_data[in_offset(i)+lane*BITS[i]+:BITS[i]];
      if (SIGNED[i] != 0) begin : extend_sign
        assign stored[lane*STORAGE_BITS[i]+:STORAGE_BITS[i]] = STORAGE_BITS[i]'(signed'(element));
      end else begin : extend_zeros
        assign stored[lane*STORAGE_BITS[i]+:STORAGE_BITS[i]] = STORAGE_BITS[i]'(element);
      end
    end

    assign steps[i] = part[i] ? position_t'(stride(i)) : '0;
    assign at_end[i] = part[i] && complete && position == position_t'(last_position(i));
    assign exhausted[i] = complete ? at_end[i] : part[i] && int'(position) >= positions(i) - stride(i);
    assign next[i] = whole && at_end != '0 ? part[(i+PARTS-1)%PARTS] : part[i];
    assign last_beat[i] = next[i] && beat == beat_t'(BEATS[i] - 1);

    // A whole word leaves while the next beat comes in, where positions are positions() less. A part's first word
    // begins with its first beat.
    position_t moved;
    assign moved = beat == '0 ? position_t'(stride(i) - 1)
                              : position + position_t'((whole ? stride(i) : 0) - positions(i));
    assign shifted[i] = next[i] ? moved : '0;
    assign shifted_whole[i] = next[i] && moved < position_t'(positions(i));

    wire logic [WINDOW_BITS-1:0] shift_in = WINDOW_BITS'({stored, window} >> BEAT_WIDTH);
    if (positions(i) > 1) begin : variable_position
      wire logic [WINDOW_BITS+AXI_BITS-1:0] padded = {{AXI_BITS{1'b0}}, window};
      localparam int CHOICE_BITS = $clog2(last_position(i) < positions(i) ? positions(i) : last_position(i) + 1);
      logic [2**CHOICE_BITS-1:0][AXI_BITS-1:0] choices;  // by position
      for (genvar p = 0; p < 2 ** CHOICE_BITS; ++p) begin : choice
        assign choices[p] = padded[BASE+likeness(i, p)*grain(i)*STORAGE_BITS[i]+:AXI_BITS];
      end
      assign shifted_window[i] = next[i] ? shift_in : '0;
      assign words_out[i] = part[i] ? choices[position[CHOICE_BITS-1:0]] : '0;
    end else begin : fixed_position
      // The beats of a last word that is not filled come in further down.
      wire logic last_word = int'(beat) / stride(i) == words(i) - 1;
      wire logic [KEPT-1:0] shift_in_below = KEPT'({stored, window[KEPT-1:0]} >> BEAT_WIDTH);
      assign shifted_window[i] = !next[i] ? '0 : last_word ? WINDOW_BITS'(shift_in_below) : shift_in;
      assign words_out[i] = part[i] ? window[OLDER_BITS+:AXI_BITS] : '0;
    end
  end

  logic [WINDOW_BITS-1:0] next_window;
  logic [AXI_BITS-1:0] word_out;
  position_t next_position;
  position_t step;
  always_comb begin
    next_window = '0;
    word_out = '0;
    next_position = '0;
    step = '0;
    for (int i = 0; i < PARTS; ++i) begin
      next_window |= shifted_window[i];
      word_out |= words_out[i];
      next_position |= shifted[i];
      step |= steps[i];
    end
  end

  always_ff @(posedge clk) begin
    if (take) begin
      window <= next_window;
      position <= next_position;
    end else if (issue) position <= position + step;
    if (rst) begin
      part <= PARTS'(1);
      beat <= '0;
      complete <= 1'b0;
      whole <= 1'b0;
    end else begin
      if (issue) part <= next;
      if (take) begin
        beat <= last_beat != '0 ? '0 : beat + 1'b1;
        complete <= last_beat != '0;
        whole <= shifted_whole != '0 || last_beat != '0;
      end else if (issue) begin
        complete <= complete && at_end == '0;
        whole <= exhausted == '0;
      end
    end
  end

  hlsgen_fifo #(.WIDTH(AXI_BITS + 1), .DEPTH(spaced() ? 1 : 2)) fifo (
      .clk, .rst, .in_data({image_end && in_data[IN_BITS], word_out}), .in_valid(offer), .in_ready(room),
      .out_data({out_last, out_data}), .out_valid, .out_ready);
endmodule

`default_nettype wire
