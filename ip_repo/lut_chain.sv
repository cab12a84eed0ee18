// Sum of x * w over up to three products in LUTs and carry chains, no multipliers, up to constants of the weights; it
// comes out complemented.
//
// A weight is a sum of digits -2..2 times powers of 4 (Booth), a digit's product one of 0, x, 2x, -x, -2x. Each bit of
// one is a function of two bits of x and three of w, and together with the running sum's bit that is one LUT in front
// of the carry chain: a row of INPUT_BITS + 1 LUTs makes the product and adds it. Per digit, lowest first, the products
// of all elements are added in one cycle, and then the sum's two lowest bits are final and leave the chain.
// A bipolar weight is a single digit, +1 or -1, and its row has INPUT_BITS LUTs.
//
// Offsets:  -x is made as ~x = -x - 1, and 2^INPUT_BITS (bipolar weights: 2^(INPUT_BITS-1)) is added to each digit's
//           product so that it is not negative. Both are constants of the weights: the accumulators' start values take
//           them off again.
// Timing:   digit d's product is made d cycles after digit 0's. `x` has a copy of the elements for each digit, copy d
//           delayed by d cycles; `w` is delayed here.
// Latency:  DIGITS cycles; a sum per cycle.
`default_nettype none

module hlsgen_lut_chain #(
    parameter int N = 3,               // products, at most 3
    parameter int INPUT_BITS = 8,      // of an element, which is signed
    parameter int WEIGHT_BITS = 8,     // of a weight: signed, or one bit for a bipolar one
    parameter int WEIGHT_BIPOLAR = 0,
    parameter int DIGITS = 4,          // (WEIGHT_BITS + 1) / 2
    parameter int SUM_BITS = 17        // at least the bits of the largest sum, see `largest`
) (
    input  wire logic                           clk,
    input  wire logic [DIGITS*N*INPUT_BITS-1:0] x,
    input  wire logic [N*WEIGHT_BITS-1:0]       w,
    output logic [SUM_BITS-1:0]                 complement  // ~sum
);
  if (N < 1 || N > 3 || DIGITS != (WEIGHT_BITS + 1) / 2 || (WEIGHT_BIPOLAR != 0 && WEIGHT_BITS != 1)) begin : check
    $error("hlsgen_lut_chain: N=%0d, DIGITS=%0d do not go with WEIGHT_BITS=%0d", N, DIGITS, WEIGHT_BITS);
  end

  localparam int PRODUCT_BITS = WEIGHT_BIPOLAR != 0 ? INPUT_BITS : INPUT_BITS + 1;  // of a digit's product, unsigned

  // The chain's largest value before row `row` of digit `digit`: so many products, and a quarter of what the digit
  // below has left.
  function automatic longint largest(int digit, int row);
    longint value;
    value = 0;
    for (int d = 0; d < digit; ++d) value = (value + N * ((longint'(1) << PRODUCT_BITS) - 1)) >> 2;
    return value + row * ((longint'(1) << PRODUCT_BITS) - 1);
  endfunction

  function automatic int bits(longint value);
    int n;
    n = 0;
    while ((value >> n) != 0) ++n;
    return n;
  endfunction

  localparam int TOTAL_BITS = bits(largest(DIGITS - 1, N)) + 2 * (DIGITS - 1);
  if (SUM_BITS < TOTAL_BITS) begin : check_sum
    $error("hlsgen_lut_chain: SUM_BITS=%0d are less than %0d", SUM_BITS, TOTAL_BITS);
  end

  for (genvar d = 0; d < DIGITS; ++d) begin : digit
    localparam int TOP_BITS = bits(largest(d, N));
    localparam int LOW_BITS = 2 * d;
    localparam int LATER_BITS = WEIGHT_BITS - LOW_BITS;  // weight bits of this digit and those above

    // the weights' bits from this digit on and the one below them
    (* shreg_extract = "no" *) logic [N-1:0][LATER_BITS:0] weights;
    if (d == 0) begin : now
      for (genvar i = 0; i < N; ++i) begin : element
        assign weights[i] = {w[i*WEIGHT_BITS+:WEIGHT_BITS], 1'b0};
      end
    end else begin : later
      for (genvar i = 0; i < N; ++i) begin : element
        always_ff @(posedge clk) weights[i] <= digit[d-1].weights[i][LATER_BITS+2:2];
      end
    end

    // The chain holds ~sum, so that a row is a subtraction, whose operands stay in their places: the sum goes to the
    // carry chain itself and the product only to the LUTs. Bits above those stated are ones.
    for (genvar i = 0; i < N; ++i) begin : row
      localparam int BEFORE_BITS = bits(largest(d, i));
      localparam int AFTER_BITS = bits(largest(d, i + 1));
      wire logic [INPUT_BITS-1:0] element = x[(d*N+i)*INPUT_BITS+:INPUT_BITS];
      wire logic [PRODUCT_BITS-1:0] product;
      (* keep = "true" *) wire logic [AFTER_BITS-1:0] not_sum;

      if (WEIGHT_BIPOLAR != 0) begin : sign
        wire logic [INPUT_BITS-1:0] value = weights[i][1] ? element : ~element;
        assign product = value ^ (PRODUCT_BITS'(1) << (PRODUCT_BITS - 1));
      end else begin : booth
        // an odd number of bits is one bit short of the last digit
        wire logic [2:0] code = {weights[i][LATER_BITS > 1 ? 2 : 1], weights[i][1:0]};
        wire logic negative = code[2] && code[1:0] != 2'b11;
        wire logic [INPUT_BITS:0] magnitude = code[1] != code[0] ? {element[INPUT_BITS-1], element}
            : code[2] != code[1] ? {element, 1'b0} : '0;
        wire logic [INPUT_BITS:0] value = magnitude ^ {INPUT_BITS + 1{negative}};
        assign product = value ^ (PRODUCT_BITS'(1) << (PRODUCT_BITS - 1));
      end

      if (BEFORE_BITS == 0) begin : start
        assign not_sum = ~product;
      end else begin : add
        wire logic [BEFORE_BITS-1:0] earlier;
        if (i > 0) begin : same_digit
          assign earlier = row[i-1].not_sum;
        end else begin : next_digit
          assign earlier = digit[d-1].total[LOW_BITS+:BEFORE_BITS];
        end
        if (AFTER_BITS > BEFORE_BITS) begin : grow
          assign not_sum = {{AFTER_BITS - BEFORE_BITS{1'b1}}, earlier} - AFTER_BITS'(product);
        end else begin : same
          assign not_sum = earlier - AFTER_BITS'(product);
        end
      end
    end

    // the chain's value and the final bits below it
    (* shreg_extract = "no" *) logic [TOP_BITS+LOW_BITS-1:0] total;
    always_ff @(posedge clk) total[LOW_BITS+:TOP_BITS] <= row[N-1].not_sum;
    if (d > 0) begin : low
      always_ff @(posedge clk) total[LOW_BITS-1:0] <= digit[d-1].total[LOW_BITS-1:0];
    end
  end

  if (SUM_BITS > TOTAL_BITS) begin : pad
    assign complement = {{SUM_BITS - TOTAL_BITS{1'b1}}, digit[DIGITS-1].total};
  end else begin : exact
    assign complement = digit[DIGITS-1].total;
  end
endmodule

`default_nettype wire
