// AXI4-Lite registers of the accelerator: who it is, what it counted, and its reset. Knows the core by its streams only.
//
//   0x00  magic "HLSG", 0x48 in the highest byte
//   0x04  build id, first 32 bits          0x08  build id, second 32 bits
//   0x0c  control; write 1 to bit 0: counters (0x10 to 0x1c) become 0; to bit 1: soft reset. Reads as 0; as 2 in a reset
//   0x10  cycles, low 32 bits              0x14  cycles, high 32 bits, as they were when 0x10 was read last
//   0x18  images in                        0x1c  images out
//   0x20  errors, sticky until a reset: bit 0 TLAST off an image boundary
//   Other addresses read 0; writes to all but 0x0c change nothing. Every access is answered OKAY.
//
// Cycles are those from the first input word of a batch to its last output word, both included: 0 before the first
// batch, running during one. Batches that overlap are one measurement: it begins anew with the first word that finds
// the accelerator empty. An image counts with its last word.
// A soft reset holds `core_rst` for RESET_CYCLES cycles and clears counters and errors; no word passes meanwhile.
`default_nettype none

module hlsgen_registers #(
    parameter logic [63:0] BUILD_ID = 64'h0,
    parameter int WORDS_IN = 1,     // stream words per image
    parameter int WORDS_OUT = 1,
    parameter int ADDRESS_BITS = 12
) (
    input  wire logic                    clk,
    input  wire logic                    rst_n,      // synchronous, active low
    // AXI4-Lite slave: one write and one read at a time
    input  wire logic [ADDRESS_BITS-1:0] awaddr,
    input  wire logic                    awvalid,
    output logic                         awready,
    input  wire logic [31:0]             wdata,
    input  wire logic [3:0]              wstrb,
    input  wire logic                    wvalid,
    output logic                         wready,
    output logic [1:0]                   bresp,
    output logic                         bvalid,
    input  wire logic                    bready,
    input  wire logic [ADDRESS_BITS-1:0] araddr,
    input  wire logic                    arvalid,
    output logic                         arready,
    output logic [31:0]                  rdata,
    output logic [1:0]                   rresp,
    output logic                         rvalid,
    input  wire logic                    rready,
    // the streams, watched: a word passes; it is a batch's last. Counted a cycle later, for these come out of long paths
    input  wire logic                    in_beat,
    input  wire logic                    in_last,
    input  wire logic                    out_beat,
    input  wire logic                    out_last,
    input  wire logic                    error,      // TLAST off an image boundary
    output logic                         core_rst    // active high
);
  if (WORDS_IN < 1 || WORDS_OUT < 1) begin : check_words
    $error("hlsgen_registers: WORDS_IN=%0d and WORDS_OUT=%0d must be positive", WORDS_IN, WORDS_OUT);
  end
  if (ADDRESS_BITS < 6) begin : check_address
    $error("hlsgen_registers: ADDRESS_BITS=%0d is less than 6", ADDRESS_BITS);
  end

  localparam int INDEX_BITS = ADDRESS_BITS - 2;  // registers are words: the two lowest bits do not count
  localparam logic [INDEX_BITS-1:0] MAGIC = 0, ID_0 = 1, ID_1 = 2, CONTROL = 3, CYCLES_LOW = 4, CYCLES_HIGH = 5,
      IMAGES_IN = 6, IMAGES_OUT = 7, ERRORS = 8;
  localparam logic [3:0] RESET_CYCLES = 15;

  // -- counters -------------------------------------------------------------------------------------------------------

  // a batch's TLAST comes out at most a few images after it went in: 2^16 batches are never under way
  localparam int BATCH_BITS = 16;
  localparam int IN_BITS = WORDS_IN > 1 ? $clog2(WORDS_IN) : 1;
  localparam int OUT_BITS = WORDS_OUT > 1 ? $clog2(WORDS_OUT) : 1;

  logic clear;  // counters become 0
  logic came, came_last, went, went_last;  // in_beat, in_last, out_beat, out_last of the former cycle
  logic [IN_BITS-1:0] word_in;     // place of the next word in its image
  logic [OUT_BITS-1:0] word_out;
  logic in_batch;                  // a batch has begun to go in and not ended
  logic [BATCH_BITS-1:0] batches;  // gone in whole and not come out whole
  logic [63:0] cycles;
  logic [31:0] images_in, images_out;
  logic error_seen;

  wire logic idle = !in_batch && batches == '0;
  wire logic batch_in = came && came_last;
  wire logic batch_out = went && went_last;
  wire logic image_in = came && word_in == IN_BITS'(WORDS_IN - 1);
  wire logic image_out = went && word_out == OUT_BITS'(WORDS_OUT - 1);

  always_ff @(posedge clk) begin
    came_last <= in_last;
    went_last <= out_last;
    if (core_rst) begin
      came <= 1'b0;
      went <= 1'b0;
    end else begin
      came <= in_beat;
      went <= out_beat;
    end
  end

  always_ff @(posedge clk) begin
    if (core_rst) begin
      word_in <= '0;
      word_out <= '0;
      in_batch <= 1'b0;
      batches <= '0;
      error_seen <= 1'b0;
    end else begin
      if (came) begin
        word_in <= image_in ? '0 : word_in + 1'b1;
        in_batch <= !came_last;
      end
      if (went) word_out <= image_out ? '0 : word_out + 1'b1;
      if (batch_in != batch_out) batches <= batch_in ? batches + 1'b1 : batches - 1'b1;
      if (error) error_seen <= 1'b1;
    end
  end

  always_ff @(posedge clk) begin
    if (core_rst || clear) begin
      cycles <= '0;
      images_in <= '0;
      images_out <= '0;
    end else begin
      if (!idle) cycles <= cycles + 1'b1;
      else if (came) cycles <= 64'd1;
      if (image_in) images_in <= images_in + 1'b1;
      if (image_out) images_out <= images_out + 1'b1;
    end
  end

  // -- writes: address and data come in any order, each waits for the other -------------------------------------------

  logic [INDEX_BITS-1:0] write_index;
  logic [1:0] write_bits;  // what goes to the control register
  logic [3:0] reset_left;  // cycles of a soft reset to come

  wire logic write = !awready && !wready && !bvalid;
  wire logic control = write && write_index == CONTROL;

  assign bresp = 2'b00;

  always_ff @(posedge clk) begin
    if (awvalid && awready) write_index <= awaddr[ADDRESS_BITS-1:2];
    if (wvalid && wready) write_bits <= wdata[1:0] & {2{wstrb[0]}};
    if (!rst_n) begin
      awready <= 1'b1;
      wready <= 1'b1;
      bvalid <= 1'b0;
      clear <= 1'b0;
      reset_left <= RESET_CYCLES;
      core_rst <= 1'b1;
    end else begin
      if (awvalid) awready <= 1'b0;
      if (wvalid) wready <= 1'b0;
      if (write) bvalid <= 1'b1;
      if (bvalid && bready) begin
        bvalid <= 1'b0;
        awready <= 1'b1;
        wready <= 1'b1;
      end
      clear <= control && write_bits[0];
      if (control && write_bits[1]) reset_left <= RESET_CYCLES;
      else if (reset_left != '0) reset_left <= reset_left - 1'b1;
      core_rst <= (control && write_bits[1]) || reset_left != '0;
    end
  end

  // -- reads ----------------------------------------------------------------------------------------------------------

  logic [31:0] cycles_high;  // of the moment when the low half was read, so that both belong together

  wire logic [INDEX_BITS-1:0] read_index = araddr[ADDRESS_BITS-1:2];
  wire logic read = arvalid && arready;

  assign rresp = 2'b00;

  always_ff @(posedge clk) begin
    if (read) begin
      case (read_index)
        MAGIC: rdata <= 32'h484c5347;
        ID_0: rdata <= BUILD_ID[63:32];
        ID_1: rdata <= BUILD_ID[31:0];
        CONTROL: rdata <= {30'd0, core_rst, 1'b0};
        CYCLES_LOW: rdata <= cycles[31:0];
        CYCLES_HIGH: rdata <= cycles_high;
        IMAGES_IN: rdata <= images_in;
        IMAGES_OUT: rdata <= images_out;
        ERRORS: rdata <= {31'd0, error_seen};
        default: rdata <= '0;
      endcase
      if (read_index == CYCLES_LOW) cycles_high <= cycles[63:32];
    end
    if (!rst_n) begin
      arready <= 1'b1;
      rvalid <= 1'b0;
      cycles_high <= '0;
    end else if (read) begin
      arready <= 1'b0;
      rvalid <= 1'b1;
    end else if (rvalid && rready) begin
      arready <= 1'b1;
      rvalid <= 1'b0;
    end
  end

  wire logic unused = &{1'b0, awaddr[1:0], araddr[1:0], wdata[31:2], wstrb[3:1]};
endmodule

`default_nettype wire
