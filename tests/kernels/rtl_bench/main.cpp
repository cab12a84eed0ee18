// Runs the bench through its phases: free running, gaps, stalls, both, a reset in mid-frame and then a whole run.
#include <cstdio>
#include <cstdlib>

#include "Vbench.h"
#include "verilated.h"

static Vbench* bench;

static void tick() {
  bench->clk = 0;
  bench->eval();
  bench->clk = 1;
  bench->eval();
}

static void reset(int phase, bool gaps, bool stalls) {
  bench->rst = 1;
  bench->phase = phase;
  bench->gaps = gaps;
  bench->stalls = stalls;
  for (int i = 0; i < 4; ++i) tick();
  bench->rst = 0;
}

int main(int argc, char** argv) {
  const long limit = atol(argv[1]);
  Verilated::commandArgs(argc, argv);
  bench = new Vbench;
  for (int phase = 0; phase < 5; ++phase) {
    const bool gaps = phase & 1, stalls = phase & 2;
    long cycles = 0;
    if (phase == 4) {
      reset(-1, true, true);
      for (long i = 0; i < limit / 60; ++i) tick();
    }
    reset(phase, gaps, stalls);
    // beats beyond the expected ones show in the cycles after the last
    for (long rest = 64; rest > 0; ++cycles) {
      tick();
      if (bench->done) --rest;
      if (cycles > limit) {
        fprintf(stderr, "phase %d has not finished in %ld cycles\n", phase, limit);
        break;
      }
    }
  }
  bench->final();
  delete bench;
  return 0;
}
