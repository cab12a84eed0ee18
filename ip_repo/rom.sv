// Read-only memory with a registered output: `data` is the word at the address of the cycle before.
`default_nettype none

module hlsgen_rom #(
    parameter int WIDTH = 8,        // bits of a word
    parameter int DEPTH = 16,       // words
    parameter STYLE = "block",      // block, distributed
    parameter FILE = "rom.mem",     // one hexadecimal word per line, address 0 first
    localparam int ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  wire logic                    clk,
    input  wire logic [ADDRESS_BITS-1:0] address,  // below DEPTH
    output logic [WIDTH-1:0]             data
);
  if (WIDTH < 1 || DEPTH < 1) begin : check
    $error("hlsgen_rom: WIDTH=%0d and DEPTH=%0d must be positive", WIDTH, DEPTH);
  end
  localparam bit BLOCK = 88'(STYLE) == 88'("block");
  if (!BLOCK && 88'(STYLE) != 88'("distributed")) begin : check_style
    $error("hlsgen_rom: STYLE is neither \"block\" nor \"distributed\"");
  end

  if (BLOCK) begin : block
    (* rom_style = "block", ram_style = "block" *) logic [WIDTH-1:0] words [DEPTH];
    initial $readmemh(FILE, words);
    always_ff @(posedge clk) data <= words[address];
  end else begin : distributed
    // Vivado reads rom_style; Yosys looks at ram_style first, and its distributed memories can not be read-only
    (* rom_style = "distributed", ram_style = "registers" *) logic [WIDTH-1:0] words [DEPTH];
    initial $readmemh(FILE, words);
    always_ff @(posedge clk) data <= words[address];
  end
endmodule

`default_nettype wire
