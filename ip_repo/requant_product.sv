// sum = x * factor + add in DSP blocks (25x18 signed multipliers with a 48-bit adder behind them), freely running.
//
// A factor of more bits than one multiplier takes is cut into PARTS of 17 bits, the last one signed:
//     sum_0 = x * part_0 + add,   sum_i = x * part_i + (sum_(i-1) >> 17);   the low 17 bits of each are the result's.
// SHARED = 0: one multiplier per part, one result per cycle, PARTS + 1 cycles after x, factor and add.
// SHARED = 1: one multiplier for two parts. In the cycle marked `first`, `factor` is the lower part (17 bits, its top
//     bit 0) and `add` is valid; in the next cycle x stays and `factor` is the upper part. The result is valid 3
//     cycles after `first`; a new pair may begin every second cycle.
// Widths: modulo 2^SUM_BITS throughout, which holds every result; sum_i is needed modulo 2^(SUM_BITS - 17 i) only.
`default_nettype none

module hlsgen_requant_product #(
    parameter int X_BITS = 8,        // signed
    parameter int FACTOR_BITS = 18,  // signed: the whole factor or, if SHARED, a part
    parameter int ADD_BITS = 8,      // signed
    parameter int SUM_BITS = 32,     // signed
    parameter int PARTS = 1,
    parameter int SHARED = 0
) (
    input  wire logic                          clk,
    input  wire logic                          first,
    input  wire logic signed [X_BITS-1:0]      x,
    input  wire logic signed [FACTOR_BITS-1:0] factor,
    input  wire logic signed [ADD_BITS-1:0]    add,
    output logic signed [SUM_BITS-1:0]         sum
);
  localparam int PART = 17;  // unsigned bits of a part: the multiplier's narrower port but its sign
  localparam int PRODUCT_BITS = X_BITS + (PARTS > 1 ? PART + 1 : FACTOR_BITS);

  if (SHARED != 0 && PARTS != 2) begin : check_shared
    $error("hlsgen_requant_product: SHARED with PARTS=%0d", PARTS);
  end
  if (PARTS > 1 && SHARED == 0 && (FACTOR_BITS <= PART * (PARTS - 1) || FACTOR_BITS > PART * PARTS + 1))
  begin : check_parts
    $error("hlsgen_requant_product: PARTS=%0d for a factor of %0d bits", PARTS, FACTOR_BITS);
  end
  if (PARTS > 1 && SUM_BITS <= PART * (PARTS - 1)) begin : check_sum
    $error("hlsgen_requant_product: SUM_BITS=%0d with PARTS=%0d", SUM_BITS, PARTS);
  end

  if (SHARED != 0) begin : shared
    localparam int UPPER_BITS = SUM_BITS - PART;
    logic signed [PRODUCT_BITS-1:0] multiplied;
    logic signed [ADD_BITS-1:0] add_1;
    logic first_1;
    logic signed [SUM_BITS-1:0] part_sum;  // the lower part's, then the upper one's (modulo 2^UPPER_BITS)
    logic [PART-1:0] low;

    always_ff @(posedge clk) begin
      first_1 <= first;
      multiplied <= PRODUCT_BITS'(x) * PRODUCT_BITS'(factor);
      add_1 <= add;
      part_sum <= SUM_BITS'(multiplied) + (first_1 ? SUM_BITS'(add_1) : SUM_BITS'(signed'(part_sum[SUM_BITS-1:PART])));
      low <= part_sum[PART-1:0];
    end
    assign sum = {part_sum[UPPER_BITS-1:0], low};
    wire logic unused = &{1'b0, multiplied};
  end else if (PARTS == 1) begin : single
    logic signed [PRODUCT_BITS-1:0] multiplied;
    logic signed [ADD_BITS-1:0] add_1;

    always_ff @(posedge clk) begin
      multiplied <= PRODUCT_BITS'(x) * PRODUCT_BITS'(factor);
      add_1 <= add;
      sum <= SUM_BITS'(multiplied) + SUM_BITS'(add_1);
    end
    wire logic unused = &{1'b0, first, multiplied};
  end else begin : cascade
    for (genvar i = 0; i < PARTS; i++) begin : part
      localparam int HERE_BITS = SUM_BITS - PART * i;       // of sum_i
      localparam int LOW = i == PARTS - 1 ? HERE_BITS : PART;  // of sum_i in the result
      logic signed [X_BITS-1:0] x_here;
      logic signed [PART:0] factor_in, factor_here;
      logic signed [PRODUCT_BITS-1:0] multiplied;
      logic signed [HERE_BITS-1:0] addend, part_sum;

      if (i == PARTS - 1) begin : last
        assign factor_in = (PART + 1)'(signed'(factor[FACTOR_BITS-1:PART*i]));
      end else begin : lower
        assign factor_in = {1'b0, factor[PART*i+:PART]};
      end
      hlsgen_requant_delay #(.WIDTH(X_BITS), .DELAY(i)) x_delay (.clk, .data(x), .delayed(x_here));
      hlsgen_requant_delay #(.WIDTH(PART + 1), .DELAY(i)) factor_delay (.clk, .data(factor_in), .delayed(factor_here));

      if (i == 0) begin : begins
        always_ff @(posedge clk) addend <= HERE_BITS'(add);
      end else begin : continues
        assign addend = part[i-1].part_sum[HERE_BITS+PART-1:PART];
      end
      always_ff @(posedge clk) begin
        multiplied <= PRODUCT_BITS'(x_here) * PRODUCT_BITS'(factor_here);
        part_sum <= HERE_BITS'(multiplied) + addend;
      end
      wire logic unused = &{1'b0, multiplied};
      hlsgen_requant_delay #(
          .WIDTH(LOW),
          .DELAY(PARTS - 1 - i)
      ) low_delay (
          .clk,
          .data(part_sum[LOW-1:0]),
          .delayed(sum[PART*i+:LOW])
      );
    end
    wire logic unused = first;
  end
endmodule

`default_nettype wire
