#include "runtime/executable.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "base/host.h"
#include "runtime/thread_pool.h"

namespace lapis {

Result<Executable> Executable::from(Program program) {
  const Result<Target> target = Target::parse(program.target);
  if (!target.ok())
    return error(ErrorKind::Target,
                 "the code is for '" + program.target + "', a machine that this runtime does not know")
        .help("compile the model again with this version of Lapis");
  if (!Target::host().contains(*target))
    return error(ErrorKind::Target, "the code is for " + program.target + ", but this host is only " +
                                        Target::host().to_string() + ": it lacks " + what_lacks(*target))
        .help("compile for this host with --target=host, or run it where those instructions exist");
  if (auto flaw = flaw_of(program))
    return error(ErrorKind::Resource, "the compiled model cannot run anywhere: " + *flaw)
        .help("compile the model for smaller shapes");
  Executable e;
  e.verification_ = std::make_shared<Verification>();
  LAPIS_TRY(e.code_, CodeMemory::seal(program.code));
  e.program_ = std::make_shared<const Program>(std::move(program));
  return e;
}

Result<Executable> Executable::load(const Path& artifact, const LoadOptions& options) {
  LAPIS_TRY(Program program, load_artifact(artifact, options));
  LAPIS_TRY(Executable executable, from(std::move(program)));
  if (options.verify) std::call_once(executable.verification_->once, [] {});
  return executable;
}

Status Executable::verify() const {
  std::call_once(verification_->once, [&] {
    Status status = verify_constants(*program_);
    if (!status.ok()) verification_->findings = std::move(status).diagnostics();
  });
  return status_of(verification_->findings);
}

Result<SessionOptions> with_threads(SessionOptions options) {
  const int threads = options.threads.value_or(options.executor ? 0 : 1);
  if (threads < 0 || threads > kMostThreads)
    return error(ErrorKind::Usage, "cannot run on " + std::to_string(threads) + " threads")
        .help("0 means one per available core");
  if (!options.executor) {
    LAPIS_TRY(options.executor, ThreadPool::create(threads));
  }
  options.threads = threads == 0 ? kMostThreads : threads;
  return options;
}

Result<Session> Executable::session(const SessionOptions& options) const {
  LAPIS_TRY(const SessionOptions complete, with_threads(options));
  LAPIS_TRY(auto arena,
            options.arena ? options.arena->at_least(program_->arena_bytes) : allocate_arena(program_->arena_bytes));
  return Session(*this, std::move(arena), complete);
}

void Executable::write_perf_map() const {
  std::unordered_set<uint64_t> named;  // by the first step that they are the code of
  for (const StepInfo& step : program_->steps)
    if (step.code_size > 0 && named.insert(step.code_offset).second)
      write_perf_map_entry(code_.data() + step.code_offset, step.code_size, step.name);
}

Session::Session(Executable executable, std::shared_ptr<std::byte> arena, const SessionOptions& options)
    : executable_(std::move(executable)),
      arena_(std::move(arena)),
      occupancy_(std::make_unique<Occupancy>()),
      executor_(options.executor),
      most_threads_(*options.threads),
      segments_(segments_of(program().steps)),
      status_(std::make_unique<int32_t>(abi::kNoFault)) {
  const std::span<const StepInfo> steps = program().steps;
  for (const Segment& s : segments_) phases_.emplace_back(steps.subspan(s.first, s.end - s.first));
  build_blocks();
  for (const auto* list : {&program().inputs, &program().outputs})
    for (const IoInfo& io : *list) io_.push_back({io.bytes(), std::min(bit_width(io.dtype) / 8, 8)});
  if (options.profile) profile_.assign(program().steps.size(), 0);
}

// Everything but the addresses of inputs and outputs, which are others in every run.
void Session::build_blocks() {
  size_t count = 0;
  for (const StepInfo& step : program().steps) count += step.arguments.size();
  words_.reserve(count);  // blocks stay where they are
  const abi::Frame memory = frame(nullptr);
  for (const StepInfo& step : program().steps) {
    std::byte* const code = const_cast<std::byte*>(executable_.code_.data() + step.code_offset);
    calls_.push_back({reinterpret_cast<abi::StepFn>(code), words_.data() + words_.size()});
    for (const abi::Argument& a : step.arguments) {
      const bool in_io = a.kind == abi::Argument::Kind::Io;
      if (in_io) io_words_.push_back({words_.size(), &a});
      words_.push_back(in_io ? 0 : abi::word_of(a, memory));
    }
  }
}

abi::Frame Session::frame(void* const* io) {
  return {reinterpret_cast<const uint8_t*>(program().constants.data()), &program().weights,
          reinterpret_cast<uint8_t*>(arena_.get()), io, status_.get()};
}

void Session::place_io(void* const* io) {
  const abi::Frame memory = frame(io);
  for (const IoWord& w : io_words_) words_[w.word] = abi::word_of(*w.argument, memory);
}

void Session::reset_profile() {
  profile_.assign(profile_.size(), 0);
  runs_ = 0;
}

int Session::threads() const { return std::clamp(executor_->threads(), 1, most_threads_); }

Diagnostic session_is_running() {
  return error(ErrorKind::Usage, "the session is running on another thread")
      .help("make one session for each thread; they share the model");
}

Status Session::run(void* const* io) {
  const Occupancy::Stay stay(*occupancy_);
  if (!stay) return session_is_running();
  return run_alone(io);
}

Status Session::run_segment(const Segment& s) {
  const size_t count = s.end - s.first;
  const std::span<const StepInfo> steps = program().steps;
  const std::span<const StepCall> calls = calls_;
  const auto profile = profile_.empty() ? std::span<double>() : std::span(profile_).subspan(s.first, count);
  return Run(calls.subspan(s.first, count), steps.subspan(s.first, count), phases_[s.first], profile)
      .on(*executor_, threads());
}

Status Session::run_alone(void* const* io) {
  Diagnostics findings = check_buffers(io);
  if (!findings.empty()) return findings;
  LAPIS_CHECK(executable_.verify());
  place_io(io);
  const abi::Frame memory = frame(io);
  *status_ = abi::kNoFault;
  const auto run_code = [&](const Segment& s) { return run_segment(s); };
  LAPIS_CHECK(Interpreter(program(), segments_, memory, run_code, profile_).run());
  ++runs_;
  if (*status_ == abi::kIndexOutOfRange)
    return error(ErrorKind::Mismatch,
                 "an index in the inputs lies outside of the tensor it selects from, or sizes contradict a "
                 "shape that the model declares")
        .help("check index inputs (token ids, positions) against the model's tables, sizes against its shapes");
  if (*status_ == abi::kLibraryFailed)
    return error(ErrorKind::Resource, "a library that computes a step of the model has no memory for it")
        .help("free memory, or use fewer threads");
  return ok();
}

// An output that shares bytes with an input or another output would be overwritten while it is still needed.
Diagnostics Session::check_buffers(void* const* io) const {
  Diagnostics findings;
  const size_t inputs = program().inputs.size();
  const auto name = [&](size_t i) {
    return i < inputs ? "input '" + program().inputs[i].name + "'"
                      : "output '" + program().outputs[i - inputs].name + "'";
  };
  const auto refuse = [&](size_t i, const std::string& what) {
    findings.push_back(error(ErrorKind::Mismatch, "the buffer of " + name(i) + what)
                           .help("give every tensor memory of its own, aligned to its element type"));
  };
  const auto address = [&](size_t i) { return reinterpret_cast<uintptr_t>(io[i]); };
  const auto end = [&](size_t i) { return address(i) + static_cast<uintptr_t>(io_[i].bytes); };
  for (size_t i = 0; i < io_.size(); ++i) {
    if (io_[i].bytes == 0) continue;
    if (!io[i]) refuse(i, " is null");
    if (address(i) % static_cast<uintptr_t>(io_[i].alignment) != 0) refuse(i, " is not aligned to its element type");
    for (size_t j = 0; i >= inputs && j < i; ++j)
      if (address(i) < end(j) && address(j) < end(i)) refuse(i, " overlaps that of " + name(j));
  }
  return findings;
}

static Tensor copy_of(const Tensor& tensor) {
  Tensor copy(tensor.dtype(), tensor.shape());
  std::memcpy(copy.mutable_raw(), tensor.raw(), static_cast<size_t>(tensor.bytes()));
  return copy;
}

Result<std::vector<Tensor>> Session::run(const std::vector<Tensor>& inputs) {
  Diagnostics findings = check_inputs(program(), inputs);
  if (has_errors(findings)) return findings;
  std::vector<Tensor> outputs;
  std::vector<void*> io;
  std::vector<Tensor> aligned;
  aligned.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool fits = reinterpret_cast<uintptr_t>(inputs[i].raw()) % static_cast<uintptr_t>(io_[i].alignment) == 0;
    aligned.push_back(fits ? inputs[i] : copy_of(inputs[i]));  // elements borrowed from a file may lie anywhere
    io.push_back(const_cast<std::byte*>(aligned.back().raw()));
  }
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
