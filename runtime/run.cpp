#include "runtime/run.h"

#include <algorithm>
#include <functional>

#include "base/guard.h"

namespace lapis {
namespace {

// The parts that one parallel() did: how many, and the sum of their numbers, in one word.
class Attendance {
 public:
  explicit Attendance(int most) : most_(most) {}

  // Notes a part. Its number, or -1 if there can be no such part.
  int note(int index, int count) {
    const bool possible = 0 <= index && index < count && count <= most_;
    seen_.fetch_add(word(1, possible ? static_cast<uint64_t>(index) : kImpossible), std::memory_order_relaxed);
    count_.store(count, std::memory_order_relaxed);
    return possible ? index : -1;
  }

  // All parts of some count, once each.
  bool complete() const {
    const auto count = static_cast<uint64_t>(count_.load(std::memory_order_relaxed));
    return count > 0 && seen_.load(std::memory_order_relaxed) == word(count, count * (count - 1) / 2);
  }

 private:
  static constexpr uint64_t kImpossible = 1 << 20;  // more than the sum of all numbers that can be
  static uint64_t word(uint64_t parts, uint64_t sum) { return parts << 40 | sum; }

  const int most_;
  std::atomic<int> count_{0};
  std::atomic<uint64_t> seen_{0};
};

Diagnostic broken(const std::string& what) {
  return error(ErrorKind::Usage, "the executor " + what)
      .help("parallel(most, work) must call work(i, n) once for every i from 0 to n - 1, with one n of at most `most`");
}

// An executor is the caller's code, so what it throws is the caller's.
Diagnostic thrown_by_executor() {
  Diagnostic d = current_exception_diagnostic();
  return d.kind == ErrorKind::Internal ? broken("threw an exception") : d;
}

// part(index, count), with an index of -1 where the executor asks for a part that there is not:
// it may be waited for all the same.
template <class Part> Status parallel(v1::Executor& executor, int most, const Part& part) {
  Attendance attendance(most);
  const auto noted = [&](int index, int count) { part(attendance.note(index, count), count); };
  try {
    executor.parallel(most, std::cref(noted));
  } catch (...) {
    return thrown_by_executor();
  }
  if (!attendance.complete()) return broken("did not do every part of the work once");
  return ok();
}

}  // namespace

Phases::Phases(std::span<const StepInfo> steps) {
  for (size_t s = 0; s < steps.size(); ++s) {
    const bool divided = steps[s].units > 1;
    if (divided || phases_.empty()) phases_.push_back({s, s + static_cast<size_t>(divided), s});
    phases_.back().end = s + 1;
    most_parts_ = std::max(most_parts_, steps[s].units);
  }
}

// Part i of n does units [units*i/n, units*(i+1)/n).
void Run::divided(const Phase& phase, int index, int count) {
  for (size_t s = phase.divided; s < phase.alone && index >= 0; ++s) {
    const int64_t units = steps_[s].units;
    const int64_t begin = units * index / count, end = units * (index + 1) / count;
    if (begin < end) calls_[s](begin, end);
  }
}

void Run::alone(const Phase& phase) {
  if (phase.divided < phase.alone) lap(phase.divided);
  for (size_t s = phase.alone; s < phase.end; ++s) {
    if (steps_[s].units > 0) calls_[s](0, steps_[s].units);
    lap(s);
  }
}

void Run::lap(size_t step) {
  if (profile_.empty()) return;
  const Clock::time_point now = Clock::now();
  profile_[step] += std::chrono::duration<double, std::nano>(now - last_lap_).count();
  last_lap_ = now;
}

Status Run::on(v1::Executor& executor, int threads) {
  if (!profile_.empty()) last_lap_ = Clock::now();
  threads = static_cast<int>(std::min<int64_t>(threads, phases_.most_parts()));
  std::span<const Phase> phases = phases_.all();
  while (!phases.empty() && (threads == 1 || phases[0].divided == phases[0].alone)) {
    divided(phases[0], 0, 1);
    alone(phases[0]);
    phases = phases.subspan(1);
  }
  if (phases.empty()) return ok();
  return executor.concurrent() ? all_at_once(executor, threads, phases) : phase_by_phase(executor, threads, phases);
}

// Every thread walks through all phases; whoever is last at the end of a divided step does those that follow it alone.
Status Run::all_at_once(v1::Executor& executor, int threads, std::span<const Phase> phases) {
  SpinBarrier barrier;
  return parallel(executor, threads, [&](int index, int count) {
    for (const Phase& phase : phases) {
      divided(phase, index, count);
      barrier.wait(count, [&] { alone(phase); });
    }
  });
}

Status Run::phase_by_phase(v1::Executor& executor, int threads, std::span<const Phase> phases) {
  for (const Phase& phase : phases) {
    const auto most = static_cast<int>(std::min<int64_t>(threads, steps_[phase.divided].units));
    LAPIS_CHECK(parallel(executor, most, [&](int index, int count) { divided(phase, index, count); }));
    alone(phase);
  }
  return ok();
}

}  // namespace lapis
