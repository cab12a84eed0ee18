// sum = start + f_0(bits 0..) + f_1(...) + ...: any function that is a sum over groups of input bits, from tables in LUTs.
//
// Multiplying by a constant is one: a group's table holds what its bits contribute, so signed, unsigned and bipolar
// operands are all the same. The first group has FIRST input bits, every other one 5, for a LUT6 of an adder looks up
// five bits and adds them to the sum before: per bit of the sum, a LUT for each group.
// The memory: 2^FIRST words of group 0, then 32 for each other group (the last one's own 2^n are repeated).
// Latency: one cycle per group. Widths: modulo 2^SUM_BITS, which holds every result.
`default_nettype none

module hlsgen_requant_tables #(
    parameter int X_BITS = 16,
    parameter int FIRST = 6,      // a power of two is 2^5 or more: 5, 6 or more
    parameter int SUM_BITS = 32,  // signed
    parameter TABLES_FILE = "tables.mem"
) (
    input  wire logic                       clk,
    input  wire logic [X_BITS-1:0]          x,
    input  wire logic signed [SUM_BITS-1:0] start,
    output logic signed [SUM_BITS-1:0]      sum
);
  localparam int GROUPS = X_BITS <= FIRST ? 1 : 1 + (X_BITS - FIRST + 4) / 5;
  localparam int PADDED = FIRST + 5 * (GROUPS - 1);
  localparam int WORDS = (1 << FIRST) + 32 * (GROUPS - 1);
  localparam int ADDRESS_BITS = $clog2(WORDS);

  if (FIRST < 5) begin : check
    $error("hlsgen_requant_tables: FIRST=%0d is less than 5", FIRST);
  end

  // Vivado reads rom_style; Yosys looks at ram_style first, and its distributed memories can not be read-only
  (* rom_style = "distributed", ram_style = "registers" *) logic [SUM_BITS-1:0] rom [WORDS];
  initial $readmemh(TABLES_FILE, rom);

  wire logic [PADDED-1:0] padded = PADDED'(x);
  for (genvar g = 0; g < GROUPS; g++) begin : group
    localparam int HERE = g == 0 ? FIRST : 5;
    localparam int AT = g == 0 ? 0 : FIRST + 5 * (g - 1);
    localparam int ORIGIN = g == 0 ? 0 : (1 << FIRST) + 32 * (g - 1);  // a multiple of 32
    logic [HERE-1:0] index;
    logic signed [SUM_BITS-1:0] sum_in, sum_out;

    hlsgen_requant_delay #(.WIDTH(HERE), .DELAY(g)) delay (.clk, .data(padded[AT+:HERE]), .delayed(index));
    if (g == 0) begin : begins
      assign sum_in = start;
    end else begin : continues
      assign sum_in = group[g-1].sum_out;
    end
    always_ff @(posedge clk) sum_out <= sum_in + rom[ADDRESS_BITS'(ORIGIN) | ADDRESS_BITS'(index)];
  end
  assign sum = group[GROUPS-1].sum_out;
endmodule

`default_nettype wire
