#include "runtime/interpreter.h"

#include <chrono>
#include <cstring>
#include <set>

#include "runtime/routines.h"

namespace lapis {

std::vector<Segment> segments_of(std::span<const StepInfo> steps) {
  std::set<size_t> ends = {steps.size()};
  for (size_t s = 0; s < steps.size(); ++s) {
    if (!steps[s].is_code()) ends.insert(s);
    if (const auto* branch = std::get_if<BranchInfo>(&steps[s].action)) ends.insert({branch->otherwise, branch->end});
    if (const auto* repeat = std::get_if<RepeatInfo>(&steps[s].action)) ends.insert(repeat->end);
  }
  std::vector<Segment> segments(steps.size());
  for (size_t s = 0; s < steps.size();) {
    const size_t end = steps[s].is_code() ? *ends.upper_bound(s) : s + 1;
    segments[s] = {s, end};
    s = end;
  }
  return segments;
}

std::byte* Interpreter::address(const Place& place) const {
  const auto at = [&](const void* base) {
    return const_cast<std::byte*>(static_cast<const std::byte*>(base)) + place.offset;
  };
  switch (place.base) {
    case Place::Base::Constants: return at(frame_.constants);
    case Place::Base::Weights: return const_cast<std::byte*>(frame_.weights->at(place.offset));
    case Place::Base::Arena: return at(frame_.arena);
    case Place::Base::Io: return at(frame_.io[place.io]);
  }
  LAPIS_UNREACHABLE("a place that is nowhere");
}

Status Interpreter::steps(size_t first, size_t end) {
  for (size_t s = first; s < end; s = next_) {
    next_ = segments_[s].end;
    LAPIS_CHECK(std::visit([&](const auto& action) { return act(s, action); }, steps_[s].action));
  }
  return ok();
}

Status Interpreter::act(size_t step, const std::monostate&) { return run_code_(segments_[step]); }

Status Interpreter::act(size_t step, const CallInfo& call) {
  using Clock = std::chrono::steady_clock;
  const auto before = profile_.empty() ? Clock::time_point{} : Clock::now();
  if (call.host) {
    LAPIS_CHECK(call_host(step, call));
  } else {
    std::vector<void*> operands;
    for (const TensorPlace& t : call.inputs) operands.push_back(address(t.place));
    for (const TensorPlace& t : call.outputs) operands.push_back(address(t.place));
    find_routine(call.routine)(operands.data(), call.parameters.data());
  }
  if (!profile_.empty()) profile_[step] += std::chrono::duration<double, std::nano>(Clock::now() - before).count();
  return ok();
}

Status Interpreter::call_host(size_t step, const CallInfo& call) {
  std::vector<Tensor> inputs;
  for (const TensorPlace& t : call.inputs) {
    Tensor& copy = inputs.emplace_back(t.dtype, t.shape);
    std::memcpy(copy.mutable_raw(), address(t.place), static_cast<size_t>(copy.bytes()));
  }
  LAPIS_TRY(const std::vector<Tensor> results, call.host(inputs));
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].dtype() != call.outputs[i].dtype || results[i].shape() != call.outputs[i].shape)
      return error(ErrorKind::Mismatch, "'" + steps_[step].name + "' gives " + to_string(results[i].shape()) +
                                            " where " + to_string(call.outputs[i].shape) + " was expected");
    std::memcpy(address(call.outputs[i].place), results[i].raw(), static_cast<size_t>(results[i].bytes()));
  }
  return ok();
}

Status Interpreter::act(size_t step, const BranchInfo& branch) {
  const bool then = holds(branch.condition);
  LAPIS_CHECK(then ? steps(step + 1, branch.otherwise) : steps(branch.otherwise, branch.end));
  next_ = branch.end;
  return ok();
}

Status Interpreter::act(size_t step, const RepeatInfo& repeat) {
  int64_t trips = INT64_MAX;
  if (repeat.trips) std::memcpy(&trips, address(*repeat.trips), sizeof trips);
  int64_t i = 0;
  for (; i < trips && (!repeat.condition || holds(*repeat.condition)); ++i) {
    std::memcpy(address(repeat.counter), &i, sizeof i);
    LAPIS_CHECK(steps(step + 1, repeat.end));
    for (const RepeatInfo::Collection& c : repeat.collections) {
      if (i >= c.count) return miscounted(step, "more than " + std::to_string(i), c.count);
      std::memcpy(address(c.all) + c.bytes * (c.backwards ? c.count - 1 - i : i), address(c.part),
                  static_cast<size_t>(c.bytes));
    }
  }
  for (const RepeatInfo::Collection& c : repeat.collections)
    if (i < c.count) return miscounted(step, std::to_string(i), c.count);
  next_ = repeat.end;
  return ok();
}

Diagnostic Interpreter::miscounted(size_t step, const std::string& iterations, int64_t declared) const {
  return error(ErrorKind::Mismatch, "'" + steps_[step].name + "' runs " + iterations +
                                        " times, and what it collects has a declared length of " +
                                        std::to_string(declared))
      .help("give inputs that make it run so often, or compile the model without that declaration");
}

}  // namespace lapis
