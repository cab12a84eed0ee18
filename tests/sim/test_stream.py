"""The streams of the C simulation: what AMD's hide must be reported, with names."""

from __future__ import annotations

import subprocess

import pytest

from tests.kernels.harness import compile_unit

PREAMBLE = """
#include <stdio.h>
#include "types.hpp"
using namespace hlsgen;
typedef vec<sint<8>, 2> beat_t;

beat_t beat(int a, int b) {
  beat_t result;
  result[0] = a;
  result[1] = b;
  return result;
}

// Copies `beats` beats.
void copy(hls::stream<beat_t>& in, hls::stream<beat_t>& out, int beats) {
  CONSUMES(in, beats);
  PRODUCES(out, beats);
  for (int i = 0; i < beats; ++i) out.write(in.read());
}

// Swaps pairs of beats: needs two before it writes one.
void swap(hls::stream<beat_t>& in, hls::stream<beat_t>& out, int beats) {
  for (int i = 0; i < beats; i += 2) {
    const beat_t first = in.read();
    const beat_t second = in.read();
    out.write(second);
    out.write(first);
  }
}

void duplicate(hls::stream<beat_t>& in, hls::stream<beat_t>& a, hls::stream<beat_t>& b, int beats) {
  for (int i = 0; i < beats; ++i) {
    const beat_t value = in.read();
    a.write(value);
    b.write(value);
  }
}

// Reads all of `first` before it reads `second`.
void join(hls::stream<beat_t>& first, hls::stream<beat_t>& second, hls::stream<beat_t>& out, int beats) {
  for (int i = 0; i < beats; ++i) out.write(first.read());
  for (int i = 0; i < beats; ++i) out.write(second.read());
}
"""

MAIN = """
int main() {
  try {
    %s
  } catch (const sim::Error& error) {
    printf("error: %%s", error.what());
  }
}
"""

UNBOUNDED = ()
BOUNDED = ("-DHLSGEN_BOUNDED",)
BOTH = pytest.mark.parametrize("flags", [UNBOUNDED, BOUNDED], ids=["unbounded", "bounded"])


def run(body: str, flags: tuple[str, ...] = UNBOUNDED) -> str:
    """Output of a program with ``body`` in main; an Error's text follows "error: "."""
    program = compile_unit(PREAMBLE + MAIN % body, flags)
    return subprocess.run([program], capture_output=True, text=True, check=True, timeout=60).stdout


@BOTH
def test_beats_arrive_in_order(flags: tuple[str, ...]) -> None:
    out = run(
        """
        hls::stream<beat_t> s;
        for (int round = 0; round < 50; ++round) {  // the buffer grows, is emptied, is moved
          for (int i = 0; i < 7 * round; ++i) s << beat(i % 100, round);
          const int kept = round % 3;
          for (int i = 0; i < 7 * round - kept; ++i) {
            const beat_t b = s.read();
            if (b[0] != i % 100 || b[1] != round) printf("wrong %d %d ", round, i);
          }
          beat_t b;
          while (!s.empty()) s >> b;
        }
        printf("%d %d %d", int(s.beats_written()), int(s.beats_read()), int(s.size()));
        """,
        flags,
    )
    assert out == f"{7 * 49 * 25} {7 * 49 * 25} 0"


@BOTH
def test_reading_an_empty_stream_names_it(flags: tuple[str, ...]) -> None:
    body = """
        hls::stream<beat_t> a("conv1_in");
        hls::stream<beat_t> b("conv1_out");
        PROCESS(copy(a, b, 1));
        sim::run_processes();
        """
    if flags:
        assert run(body, flags) == "error: deadlock: copy(a, b, 1) waits to read empty stream conv1_in"
    else:
        assert run(body, flags) == "error: read from empty stream conv1_in"


def test_a_wrong_number_of_beats_names_stream_and_counts() -> None:
    out = run(
        """
        hls::stream<beat_t> a("a");
        hls::stream<beat_t> b("b");
        for (int i = 0; i < 3; ++i) a.write(beat(i, i));
        PRODUCES(b, 4);
        copy(a, b, 3);
        """
    )
    assert out == "error: stream b: 3 beats written where 4 are due"


def test_leftover_beats_are_recorded() -> None:
    out = run(
        """
        {
          hls::stream<beat_t> a("a");
          hls::stream<beat_t> b("b");
          for (int i = 0; i < 5; ++i) a.write(beat(i, i));
          copy(a, b, 3);
          while (!b.empty()) b.read();
        }
        printf("%d %d %d", int(sim::tap("a").leftover), int(sim::tap("b").leftover), int(sim::tap("b").beats));
        """
    )
    assert out == "2 0 3"


def test_bounded_processes_take_turns_and_report_occupancy() -> None:
    out = run(
        """
        sim::tap("middle").depth = 3;
        sim::tap("a").depth = sim::tap("out").depth = 0;
        {
          hls::stream<beat_t> a("a");
          hls::stream<beat_t> middle("middle");
          hls::stream<beat_t> out("out");
          for (int i = 0; i < 8; ++i) a.write(beat(i, i));
          PROCESS(copy(a, middle, 8));
          PROCESS(swap(middle, out, 8));
          sim::run_processes();
          while (!out.empty()) printf("%d ", int(out.read()[0]));
        }
        printf("%d", int(sim::tap("middle").max_occupancy));
        """,
        BOUNDED,
    )
    assert out == "1 0 3 2 5 4 7 6 3"


RECONVERGENT = """
        sim::tap("in").depth = sim::tap("out").depth = 0;
        sim::tap("short").depth = %d;
        hls::stream<beat_t> in("in");
        hls::stream<beat_t> a("long");
        hls::stream<beat_t> b("short");
        hls::stream<beat_t> out("out");
        for (int i = 0; i < 8; ++i) in.write(beat(i, i));
        PROCESS(duplicate(in, a, b, 8));
        PROCESS(join(a, b, out, 8));
        sim::run_processes();
        printf("%%d beats", int(out.size()));
"""


def test_a_deadlock_names_what_each_process_waits_for() -> None:
    assert run(RECONVERGENT % 6, BOUNDED) == (
        "error: deadlock: duplicate(in, a, b, 8) waits to write full stream short (depth 6); "
        "join(a, b, out, 8) waits to read empty stream long"
    )
    assert run(RECONVERGENT % 7, BOUNDED) == "16 beats"
    assert run(RECONVERGENT % 6, UNBOUNDED) == "16 beats"  # which is why simulation must also be bounded


def test_images_overlap_in_bounded_simulation() -> None:
    out = run(
        """
        sim::tap("a").depth = sim::tap("out").depth = 0;
        sim::scheduler().images = 3;
        hls::stream<beat_t> a("a");
        hls::stream<beat_t> middle("middle");
        hls::stream<beat_t> out("out");
        for (int i = 0; i < 6; ++i) a.write(beat(i, i));
        PROCESS(copy(a, middle, 2));
        PROCESS(copy(middle, out, 2));
        sim::run_processes();
        printf("%d", int(out.size()));
        """,
        BOUNDED,
    )
    assert out == "6"


def test_an_error_inside_a_process_reaches_the_caller() -> None:
    out = run(
        """
        hls::stream<beat_t> a("a");
        hls::stream<beat_t> b("b");
        a.write(beat(1, 1));
        PROCESS(copy(a, b, 0));
        PROCESS({ PRODUCES(b, 2); copy(a, b, 1); });
        sim::run_processes();
        """,
        BOUNDED,
    )
    assert out == "error: stream b: 1 beats written where 2 are due"


@BOTH
def test_taps_compare_and_record(flags: tuple[str, ...]) -> None:
    out = run(
        """
        const signed char expected[] = {1, 2, 3, 4, -5, 6, 7, 8};
        sim::Tap& tap = sim::tap("b");
        tap.expect(expected, 8, 1);
        tap.record = true;
        for (int image = 0; image < 2; ++image) {  // streams are made anew for every image
          hls::stream<beat_t> b("b");
          b.write(image == 0 ? beat(1, 2) : beat(-5, 9));
          if (image == 0) b.write(beat(3, 4));
          while (!b.empty()) b.read();
        }
        printf("%d of %d beats, missing %d, ", int(tap.mismatches), int(tap.beats), int(tap.missing()));
        const sim::Mismatch first = tap.first;
        printf("beat %d lane %d got %d not %d:", int(first.beat), first.lane, int(first.got), int(first.expected));
        for (size_t i = 0; i < tap.recorded.size(); ++i) printf(" %d", int(tap.recorded[i]));
        """,
        flags,
    )
    assert out == "1 of 3 beats, missing 2, beat 2 lane 1 got 9 not 6: 1 2 3 4 -5 9"


@pytest.mark.parametrize(
    ("type", "bytes", "value"), [("short", 2, -300), ("int", 4, -70000), ("long long", 8, -(1 << 40))]
)
def test_expected_values_of_every_size(type: str, bytes: int, value: int) -> None:
    out = run(
        f"""
        const {type} expected[] = {{{value}}};
        sim::tap("wide").expect(expected, 1, {bytes});
        {{
          hls::stream<sint<64> > wide("wide");
          wide.write({value}LL);
          wide.write(1);
        }}
        const sim::Tap& tap = sim::tap("wide");
        printf("%d %d %d", int(tap.mismatches), int(tap.first.beat), int(tap.leftover));
        """
    )
    assert out == "1 1 2"  # only the surplus beat differs
