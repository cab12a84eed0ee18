// Processes of a dataflow region as fibers: they run one at a time and change over only where a stream is empty or
// full. Simulation with -DHLSGEN_BOUNDED only.
//
//   hlsgen::sim::scheduler().images = 2;   // each process runs this often, so that images overlap as in hardware
//   accel(s_axis, m_axis);                 // PROCESS(...) spawns, run_processes() at the end of the region runs
//
// A deadlock or an error inside a process becomes an Error thrown by run_processes().
#ifndef HLSGEN_SIM_FIBERS_HPP
#define HLSGEN_SIM_FIBERS_HPP

#include <stddef.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tap.hpp"

namespace hlsgen {
namespace sim {

class Scheduler {
 public:
  // Times that every process is run by one call of the design's function. Its streams must hold that many images.
  unsigned images = 1;

  // Add a process; it starts in run(). `title` is the call's text.
  void spawn(const char* title, const std::function<void()>& body) {
    fibers_.emplace_back(new Fiber(title, body));
  }

  // Run all processes to their end, then forget them. Throws Error on deadlock, or what a process threw.
  void run() {
    std::exception_ptr failure;
    bool moved = true;
    while (moved && !failure) {
      moved = false;
      for (size_t i = 0; i < fibers_.size() && !failure; ++i) {
        Fiber& fiber = *fibers_[i];
        if (fiber.finished || (fiber.ready && !fiber.ready())) continue;
        moved = true;
        resume(fiber);
        failure = fiber.failure;
      }
    }
    const std::string waiting = unfinished();
    fibers_.clear();
    if (failure) std::rethrow_exception(failure);
    if (!waiting.empty()) throw Error("deadlock: " + waiting);
  }

  // Whether the caller is a process.
  bool inside() const { return current_ != nullptr; }

  // Let other processes run until ready() holds; `reason` completes the sentence "... waits".
  void wait(const std::function<bool()>& ready, const std::string& reason) {
    Fiber& fiber = *current_;
    fiber.ready = ready;
    fiber.reason = reason;
    swapcontext(&fiber.context, &home_);
    fiber.ready = nullptr;
  }

 private:
  // Line buffers of large frames live on the stack. Pages that are never touched cost nothing.
  static const size_t STACK_BYTES = size_t(64) << 20;

  struct Fiber {
    Fiber(const char* call, const std::function<void()>& process) : title(call), body(process) {
      stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (stack == MAP_FAILED) throw Error("no memory for the stack of process " + title);
    }
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;
    ~Fiber() { munmap(stack, STACK_BYTES); }

    std::string title;
    std::function<void()> body;
    std::function<bool()> ready;  // empty: may run
    std::string reason;
    ucontext_t context;
    void* stack;
    bool started = false;
    bool finished = false;
    std::exception_ptr failure;
  };

  void resume(Fiber& fiber) {
    current_ = &fiber;
    if (!fiber.started) {
      fiber.started = true;
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack;
      fiber.context.uc_stack.ss_size = STACK_BYTES;
      fiber.context.uc_link = &home_;
      makecontext(&fiber.context, &Scheduler::enter, 0);
    }
    swapcontext(&home_, &fiber.context);
    current_ = nullptr;
  }

  static void enter();

  std::string unfinished() const {
    std::string text;
    for (size_t i = 0; i < fibers_.size(); ++i) {
      const Fiber& fiber = *fibers_[i];
      if (!fiber.finished) text += (text.empty() ? "" : "; ") + fiber.title + " waits " + fiber.reason;
    }
    return text;
  }

  std::vector<std::unique_ptr<Fiber> > fibers_;
  Fiber* current_ = nullptr;
  ucontext_t home_;
};

inline Scheduler& scheduler() {
  static Scheduler only;
  return only;
}

// First function on a fiber's stack. No exception may leave it.
inline void Scheduler::enter() {
  Fiber& fiber = *scheduler().current_;
  try {
    for (unsigned image = 0; image < scheduler().images; ++image) fiber.body();
  } catch (...) {
    fiber.failure = std::current_exception();
  }
  fiber.finished = true;
}

}  // namespace sim
}  // namespace hlsgen

#endif  // HLSGEN_SIM_FIBERS_HPP
