#include "runtime/executable.h"

#include <chrono>

#include "runtime/artifact.h"

namespace lapis {

Result<Executable> Executable::from(Program program) {
  const Result<Target> target = Target::parse(program.target);
  if (!target.ok())
    return error(ErrorKind::Target,
                 "the code is for '" + program.target + "', a machine that this runtime does not know")
        .help("compile the model again with this version of Lapis");
  if (!Target::host().contains(*target))
    return error(ErrorKind::Target,
                 "the code is for " + program.target + ", but this host is only " + Target::host().to_string())
        .help("compile for this host with --target=host, or run it where those instructions exist");
  Executable e;
  LAPIS_TRY(e.code_, CodeMemory::seal(program.code));
  e.program_ = std::make_shared<const Program>(std::move(program));
  return e;
}

Result<Executable> Executable::load(const Path& artifact) {
  LAPIS_TRY(Program program, load_artifact(artifact));
  return from(std::move(program));
}

Result<Session> Executable::session(const SessionOptions& options) const {
  if (options.threads < 0 || options.threads > 1024)
    return error(ErrorKind::Usage, "cannot run on " + std::to_string(options.threads) + " threads")
        .help("0 means one per available core");
  return Session(*this, options);
}

void Executable::write_perf_map() const {
  for (const StepInfo& step : program_->steps)
    write_perf_map_entry(code_.data() + step.code_offset, step.code_size, step.name);
}

Session::Session(Executable executable, const SessionOptions& options)
    : executable_(std::move(executable)),
      arena_(allocate_arena(executable_.program_->arena_bytes)),
      pool_(std::make_unique<ThreadPool>(options.threads == 0 ? available_cores() : options.threads)) {
  for (const StepInfo& step : program().steps)
    functions_.push_back(
        reinterpret_cast<abi::StepFn>(const_cast<std::byte*>(executable_.code_.data() + step.code_offset)));
  if (options.profile) profile_.assign(program().steps.size(), 0);
}

void Session::reset_profile() {
  profile_.assign(profile_.size(), 0);
  runs_ = 0;
}

// Thread t of n does units [units*t/n, units*(t+1)/n) of every step; the barrier makes a step's results visible to the next.
void Session::execute(const abi::Frame& frame, int thread) {
  using Clock = std::chrono::steady_clock;
  const int threads = pool_->size();
  const bool timed = thread == 0 && !profile_.empty();
  auto before = timed ? Clock::now() : Clock::time_point{};
  for (size_t s = 0; s < functions_.size(); ++s) {
    const int64_t units = program().steps[s].units;
    const int64_t begin = units * thread / threads, end = units * (thread + 1) / threads;
    if (begin < end) functions_[s](&frame, begin, end);
    if (threads > 1) pool_->barrier().wait();
    if (!timed) continue;
    const auto now = Clock::now();
    profile_[s] += std::chrono::duration<double, std::nano>(now - before).count();
    before = now;
  }
}

Status Session::run(void* const* io) {
  int32_t fault = abi::kNoFault;
  const abi::Frame frame{reinterpret_cast<const uint8_t*>(program().constants.data()),
                         reinterpret_cast<uint8_t*>(arena_.get()), io, &fault};
  pool_->run([&](int thread) { execute(frame, thread); });
  ++runs_;
  if (fault == abi::kIndexOutOfRange)
    return error(ErrorKind::Mismatch, "an index in the inputs lies outside of the tensor it selects from")
        .help("check index inputs (token ids, positions) against the model's tables");
  return ok();
}

Result<std::vector<Tensor>> Session::run(const std::vector<Tensor>& inputs) {
  Diagnostics findings = check_inputs(program(), inputs);
  if (has_errors(findings)) return findings;
  std::vector<Tensor> outputs;
  std::vector<void*> io;
  for (const Tensor& t : inputs) io.push_back(const_cast<std::byte*>(t.raw()));
  for (const IoInfo& o : program().outputs) io.push_back(outputs.emplace_back(o.dtype, o.shape).mutable_raw());
  LAPIS_CHECK(run(io.data()));
  return outputs;
}

Diagnostics check_inputs(const Program& program, const std::vector<Tensor>& inputs) {
  Diagnostics findings;
  if (inputs.size() != program.inputs.size())
    findings.push_back(error(ErrorKind::Mismatch, "the model takes " + std::to_string(program.inputs.size()) +
                                                      " inputs, got " + std::to_string(inputs.size()))
                           .help("give one tensor for each input, in the model's order"));
  for (size_t i = 0; i < std::min(inputs.size(), program.inputs.size()); ++i) {
    const IoInfo& wanted = program.inputs[i];
    const Tensor& got = inputs[i];
    if (got.dtype() == wanted.dtype && got.shape() == wanted.shape) continue;
    findings.push_back(error(ErrorKind::Mismatch, "input '" + wanted.name + "' must be " +
                                                      std::string(name_of(wanted.dtype)) + to_string(wanted.shape) +
                                                      ", got " + std::string(name_of(got.dtype())) +
                                                      to_string(got.shape()))
                           .help("convert or reshape the tensor, or compile the model for this shape"));
  }
  return findings;
}

}  // namespace lapis
