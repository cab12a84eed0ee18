// window: sliding window over a frame, with padding, stride and dilation.
//
// Beats in:  the frame, HEIGHT x WIDTH pixels of GROUPS * TILES beats of LANES channels.
// Beats out: (output row, output column, group, tap group, tile); a beat holds TAP_ROWS * TAP_COLUMNS taps of LANES
//            channels, element = tap * LANES + channel. Taps outside the frame have the value PAD_VALUE.
// Steps:     one input beat and one output beat at most per step (II = 1). While output row r is written, rows are read
//            up to the last one its windows touch; so reading runs ahead within these rows only. An output beat is
//            written when all its pixels have been read in earlier steps. The last output row also reads what is left
//            of the frame. STEPS is the exact number of steps: max(beats in, beats out) and a few per output row.
// Memory:    a ring of the EXTENT_ROWS rows that a window covers. Rows are banks when a beat holds taps of several
//            rows, columns when it holds taps of several columns: each bank is read at one address per step.
//            What windows still need is never overwritten: a row's place in the ring is taken by the row EXTENT_ROWS
//            further down, which is not read before the next output row has begun.
// Widths:    elements are only moved.
#ifndef HLSGEN_WINDOW_HPP
#define HLSGEN_WINDOW_HPP

#include "types.hpp"

namespace hlsgen {

// a modulo N for 0 <= a < 2N.
template <int N>
inline int wrap(int a) {
#pragma HLS INLINE
  return a >= N ? a - N : a;
}

template <class Config>
void window(hls::stream<vec<typename Config::type_t, Config::LANES> >& in,
            hls::stream<vec<typename Config::type_t, Config::TAP_ROWS * Config::TAP_COLUMNS * Config::LANES> >& out) {
  typedef typename Config::type_t type_t;
  const int LANES = Config::LANES;
  const int TAP_ROWS = Config::TAP_ROWS;
  const int TAP_COLUMNS = Config::TAP_COLUMNS;
  const int PIXEL_BEATS = Config::GROUPS * Config::TILES;
  const int RING = Config::EXTENT_ROWS;
  const int ROW_BANKS = TAP_ROWS > 1 ? RING : 1;
  const int COLUMN_BANKS = TAP_COLUMNS > 1 ? Config::EXTENT_COLUMNS : 1;
  const int BANK_COLUMNS = (Config::WIDTH + COLUMN_BANKS - 1) / COLUMN_BANKS;
  const int ROW_BEATS = BANK_COLUMNS * PIXEL_BEATS;  // beats of one row in one bank
  const int DEPTH = RING / ROW_BANKS * ROW_BEATS;
  const int FIRST_SLOT = (RING - Config::PAD_TOP % RING) % RING;
  const int FIRST_BANK = (COLUMN_BANKS - Config::PAD_LEFT % COLUMN_BANKS) % COLUMN_BANKS;
  const int FIRST_QUOTIENT = -((Config::PAD_LEFT + COLUMN_BANKS - 1) / COLUMN_BANKS);
  CONSUMES(in, Config::HEIGHT * Config::WIDTH * PIXEL_BEATS);
  PRODUCES(out, Config::OUTPUT_ROWS * Config::OUTPUT_COLUMNS * PIXEL_BEATS *
                    Config::TAP_GROUP_ROWS * Config::TAP_GROUP_COLUMNS);

  type_t ring[ROW_BANKS][COLUMN_BANKS][DEPTH][LANES];
#pragma HLS ARRAY_PARTITION variable=ring complete dim=1
#pragma HLS ARRAY_PARTITION variable=ring complete dim=2
#pragma HLS ARRAY_RESHAPE variable=ring complete dim=4

  // The next beat to read: row, column, beat inside the pixel; and its place in the ring.
  int in_row = 0;
  int in_column = 0;
  int in_beat = 0;
  int in_slot = 0;  // row modulo RING
  int in_bank = 0;  // column modulo COLUMN_BANKS
  int in_base = 0;  // (column / COLUMN_BANKS) * PIXEL_BEATS

  // The next beat to write: upper left corner of its window, first tap, group and tile.
  int row = 0;  // output row
  int top = -Config::PAD_TOP;
  int top_slot = FIRST_SLOT;  // top modulo RING
  int column = 0;             // output column
  int left = -Config::PAD_LEFT;
  int left_bank = FIRST_BANK;          // left modulo COLUMN_BANKS
  int left_quotient = FIRST_QUOTIENT;  // left / COLUMN_BANKS, rounded down
  int group = 0;
  int tap_group_row = 0;
  int tap_group_column = 0;
  int tile = 0;
  int beat_in_pixel = 0;  // group * TILES + tile
  int tap_row = 0;        // first tap's row inside the window: tap_group_row * DILATION_ROWS
  int tap_column = 0;     // first tap's column inside the window
  bool row_written = false;

  for (int step = 0; step < Config::STEPS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    const bool last_row = row == Config::OUTPUT_ROWS - 1;
    const int window_end = top + Config::EXTENT_ROWS;
    const int row_limit = last_row || window_end > Config::HEIGHT ? Config::HEIGHT : window_end;

    // The last pixel that the next output beat needs has been read when the position to read lies beyond it.
    const int last_tap_row = top + tap_row + (TAP_ROWS - 1) * Config::DILATION_ROWS;
    const int last_tap_column = left + tap_column + (TAP_COLUMNS - 1) * Config::DILATION_COLUMNS;
    const int need_row = last_tap_row < Config::HEIGHT ? last_tap_row : Config::HEIGHT - 1;
    const int need_column = last_tap_column < Config::WIDTH ? last_tap_column : Config::WIDTH - 1;
    const bool none_needed = need_row < 0 || need_column < 0;
    const bool pixel_read = in_column > need_column || (in_column == need_column && in_beat > beat_in_pixel);
    const bool ready = none_needed || in_row > need_row || (in_row == need_row && pixel_read);
    const bool write = ready && !row_written;
    const bool read = in_row < row_limit;

    vec<type_t, TAP_ROWS * TAP_COLUMNS * LANES> result;
    if (write) {
      type_t word[ROW_BANKS][COLUMN_BANKS][LANES];
#pragma HLS ARRAY_PARTITION variable=word complete dim=0
      const int slot = ROW_BANKS > 1 ? 0 : wrap<RING>(top_slot + tap_row);
      for (int b = 0; b < COLUMN_BANKS; ++b) {
#pragma HLS UNROLL
        const int quotient = left_quotient + (b < left_bank ? 1 : 0) + (COLUMN_BANKS > 1 ? 0 : tap_column);
        const bool inside = quotient >= 0 && quotient < BANK_COLUMNS;
        const int address = inside ? slot * ROW_BEATS + quotient * PIXEL_BEATS + beat_in_pixel : 0;
        for (int r = 0; r < ROW_BANKS; ++r) {
#pragma HLS UNROLL
          for (int l = 0; l < LANES; ++l) {
#pragma HLS UNROLL
            word[r][b][l] = ring[r][b][address][l];
          }
        }
      }
      for (int i = 0; i < TAP_ROWS; ++i) {
#pragma HLS UNROLL
        const int y = top + tap_row + i * Config::DILATION_ROWS;
        const int r = ROW_BANKS > 1 ? wrap<RING>(top_slot + i * Config::DILATION_ROWS) : 0;
        for (int j = 0; j < TAP_COLUMNS; ++j) {
#pragma HLS UNROLL
          const int x = left + tap_column + j * Config::DILATION_COLUMNS;
          const int b = COLUMN_BANKS > 1 ? wrap<COLUMN_BANKS>(left_bank + j * Config::DILATION_COLUMNS) : 0;
          const bool inside = y >= 0 && y < Config::HEIGHT && x >= 0 && x < Config::WIDTH;
          for (int l = 0; l < LANES; ++l) {
#pragma HLS UNROLL
            result[(i * TAP_COLUMNS + j) * LANES + l] = inside ? word[r][b][l] : type_t(Config::PAD_VALUE);
          }
        }
      }
    }

    if (read) {
      const vec<type_t, LANES> beat = in.read();
      if (in_row < window_end) {  // below it lie rows that no window needs
        const int r = ROW_BANKS > 1 ? in_slot : 0;
        const int address = (ROW_BANKS > 1 ? 0 : in_slot * ROW_BEATS) + in_base + in_beat;
        for (int l = 0; l < LANES; ++l) {
#pragma HLS UNROLL
          ring[r][in_bank][address][l] = beat[l];
        }
      }
      if (++in_beat == PIXEL_BEATS) {
        in_beat = 0;
        if (++in_bank == COLUMN_BANKS) {
          in_bank = 0;
          in_base += PIXEL_BEATS;
        }
        if (++in_column == Config::WIDTH) {
          in_column = 0;
          in_bank = 0;
          in_base = 0;
          ++in_row;
          in_slot = wrap<RING>(in_slot + 1);
        }
      }
    }

    if (write) {
      out.write(result);
      ++beat_in_pixel;
      if (++tile == Config::TILES) {
        tile = 0;
        beat_in_pixel -= Config::TILES;
        tap_column += Config::DILATION_COLUMNS;
        if (++tap_group_column == Config::TAP_GROUP_COLUMNS) {
          tap_group_column = 0;
          tap_column = 0;
          tap_row += Config::DILATION_ROWS;
          if (++tap_group_row == Config::TAP_GROUP_ROWS) {
            tap_group_row = 0;
            tap_row = 0;
            beat_in_pixel += Config::TILES;
            if (++group == Config::GROUPS) {
              group = 0;
              beat_in_pixel = 0;
              left += Config::STRIDE_COLUMNS;
              left_quotient += Config::STRIDE_COLUMNS / COLUMN_BANKS;
              left_bank += Config::STRIDE_COLUMNS % COLUMN_BANKS;
              if (left_bank >= COLUMN_BANKS) {
                left_bank -= COLUMN_BANKS;
                ++left_quotient;
              }
              if (++column == Config::OUTPUT_COLUMNS) {
                column = 0;
                left = -Config::PAD_LEFT;
                left_bank = FIRST_BANK;
                left_quotient = FIRST_QUOTIENT;
                row_written = true;
              }
            }
          }
        }
      }
    }

    if (row_written && in_row >= row_limit) {
      row_written = false;
      ++row;
      top += Config::STRIDE_ROWS;
      top_slot = wrap<RING>(top_slot + Config::STRIDE_ROWS % RING);
    }
  }
}

}  // namespace hlsgen

#endif  // HLSGEN_WINDOW_HPP
