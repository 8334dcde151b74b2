#include "runtime/executable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/host.h"
#include "runtime/thread_pool.h"
#include "tests/runtime/sample_program.h"
#include "tests/sanitized.h"

namespace lapis {
namespace {

using testing::faulting_program;
using ::testing::HasSubstr;
using testing::kSanitized;
using testing::sample_input;
using testing::sample_program;
using testing::sample_result;

Tensor tensor_of(const std::array<uint8_t, testing::kSampleSize>& bytes) {
  return Tensor::of<uint8_t>({1, testing::kSampleSize}, {bytes.begin(), bytes.end()});
}

Session session_of(Program program, const SessionOptions& options = {}) {
  auto executable = Executable::from(std::move(program));
  EXPECT_TRUE(executable.ok()) << to_string(executable.diagnostics());
  auto session = executable->session(options);
  EXPECT_TRUE(session.ok()) << to_string(session.diagnostics());
  return *std::move(session);
}

TEST(Session, GivesTheSameWithAnyNumberOfThreads) {
  for (int threads = 1; threads <= 8; ++threads) {
    Session session = session_of(sample_program(), {.threads = threads});
    EXPECT_EQ(session.threads(), threads);
    auto x = sample_input();
    for (int round = 0; round < 200; ++round) {
      x[static_cast<size_t>(round) % x.size()] ^= 0x55;
      const auto y = session.run({tensor_of(x)});
      ASSERT_TRUE(y.ok());
      ASSERT_EQ((*y)[0], tensor_of(sample_result(x))) << threads << " threads, round " << round;
    }
  }
}

TEST(Session, OutlivesItsExecutableAndSharesIt) {
  std::vector<Session> sessions;
  {
    const auto executable = Executable::from(sample_program());
    for (int i = 0; i < 4; ++i) sessions.push_back(*executable->session());
  }
  std::vector<std::thread> threads;
  for (Session& session : sessions)
    threads.emplace_back([&session] {
      for (int i = 0; i < 100; ++i)
        EXPECT_EQ((*session.run({tensor_of(sample_input())}))[0], tensor_of(sample_result(sample_input())));
    });
  for (std::thread& t : threads) t.join();
}

TEST(Session, ZeroThreadsMeansOnePerCore) {
  EXPECT_EQ(session_of(sample_program(), {.threads = 0}).threads(), available_cores());
  for (const int threads : {-1, 1025}) {
    const auto session = Executable::from(sample_program())->session({.threads = threads});
    ASSERT_FALSE(session.ok());
    EXPECT_EQ(session.diagnostics()[0].kind, ErrorKind::Usage);
  }
}

TEST(Session, ProfilesOnRequest) {
  Session session = session_of(sample_program(), {.threads = 2, .profile = true});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(session.run({tensor_of(sample_input())}).ok());
  EXPECT_EQ(session.runs(), 3);
  ASSERT_EQ(session.step_nanoseconds().size(), 2U);
  for (const double ns : session.step_nanoseconds()) EXPECT_GT(ns, 0);
  session.reset_profile();
  EXPECT_EQ(session.runs(), 0);
  EXPECT_EQ(session.step_nanoseconds(), std::vector<double>(2, 0));
  EXPECT_TRUE(session_of(sample_program()).step_nanoseconds().empty());
}

TEST(Session, ReportsFaultsOfGeneratedCode) {
  Session session = session_of(faulting_program(), {.threads = 2});
  for (int i = 0; i < 2; ++i) {
    const auto y = session.run({tensor_of(sample_input())});
    ASSERT_FALSE(y.ok());
    EXPECT_EQ(y.diagnostics()[0].kind, ErrorKind::Mismatch);
    EXPECT_THAT(y.diagnostics()[0].message, HasSubstr("index"));
  }
}

TEST(Session, RefusesBuffersThatCannotBeRight) {
  Program program;
  program.target = "x86-64";
  for (auto* list : {&program.inputs, &program.outputs})
    for (const char* name : {"a", "b"}) list->push_back({name, DType::Float32, {4}});
  program.outputs.push_back({"none", DType::Float32, {0}});
  Session session = session_of(program);
  alignas(64) std::array<std::byte, 256> memory{};
  const auto message_for = [&](std::vector<int> at) {  // offsets of the five buffers in `memory`, -1: null
    std::vector<void*> io;
    for (const int offset : at) io.push_back(offset < 0 ? nullptr : memory.data() + offset);
    const Status status = session.run(io.data());
    if (status.ok()) return std::string();
    EXPECT_EQ(status.diagnostics()[0].kind, ErrorKind::Mismatch);
    return to_string(status.diagnostics());
  };
  EXPECT_EQ(message_for({0, 16, 32, 48, -1}), "") << "an empty tensor needs no memory";
  EXPECT_EQ(message_for({0, 0, 32, 48, 0}), "") << "inputs may be the same";
  EXPECT_THAT(message_for({0, -1, 32, 48, 0}), HasSubstr("input 'b' is null"));
  EXPECT_THAT(message_for({0, 16, -1, 48, 0}), HasSubstr("output 'a' is null"));
  EXPECT_THAT(message_for({2, 20, 36, 52, 0}), HasSubstr("input 'a' is not aligned"));
  EXPECT_THAT(message_for({0, 16, 28, 48, 0}), HasSubstr("output 'a' overlaps that of input 'b'"));
  EXPECT_THAT(message_for({0, 16, 32, 44, 0}), HasSubstr("output 'b' overlaps that of output 'a'"));
}

TEST(Session, CopiesInputsThatLieUnaligned) {
  Program program;
  program.target = "x86-64";
  program.inputs = {{"a", DType::Float32, {4}}};
  const auto bytes = std::make_shared<std::array<std::byte, 32>>();
  const Tensor odd(DType::Float32, {4}, std::shared_ptr<const std::byte>(bytes, bytes->data() + 1));
  EXPECT_TRUE(session_of(program).run({odd}).ok());
}

// A session in the middle of a run, on a thread of its own, until it is released.
class WaitingRun {
 public:
  WaitingRun() : thread_([this] { EXPECT_TRUE(session_.run(io_).ok()); }) {
    while (y_[0] == 0) std::this_thread::yield();
  }
  Status run_again() { return session_.run(other_); }
  void release() { x_[0] = 1; }
  void end() {
    release();
    thread_.join();
  }

 private:
  Session session_ = session_of(testing::waiting_program());
  std::array<std::atomic<uint8_t>, testing::kSampleSize> x_{}, y_{}, z_{};
  void* io_[2] = {x_.data(), y_.data()};
  void* other_[2] = {x_.data(), z_.data()};
  std::thread thread_;
};

TEST(Session, RefusesASecondRunWhileOneLasts) {
  WaitingRun first;
  const Status second = first.run_again();
  first.end();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.diagnostics()[0].kind, ErrorKind::Usage);
  EXPECT_THAT(second.diagnostics()[0].message, HasSubstr("another thread"));
  EXPECT_TRUE(first.run_again().ok()) << "afterwards it is free again";
}

// ---- what needs a process of its own --------------------------------------------------------------------------------

// Runs `test` in a child; true if it returned true.
bool in_child(const std::function<bool()>& test) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(test() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Leaves `more` bytes of address space to be had.
void limit_memory(rlim_t more) {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t bytes = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + more;
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_AS, &limit);
}

template <class T> bool lacks(const Result<T>& result, const std::string& what) {
  return !result.ok() && result.diagnostics()[0].kind == ErrorKind::Resource && !result.diagnostics()[0].hint.empty() &&
         result.diagnostics()[0].message.find(what) != std::string::npos;
}

TEST(Session, WithoutMemoryIsAResult) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need unlimited address space";
  Program program = sample_program();
  program.arena_bytes = int64_t{1} << 30;
  const auto executable = Executable::from(std::move(program));
  ASSERT_TRUE(executable.ok());
  EXPECT_TRUE(in_child([&] {
    limit_memory(256 << 20);
    return lacks(executable->session(), "1073741824 bytes");
  }));
  EXPECT_FALSE(allocate_arena(INT64_MAX).ok());
}

TEST(Session, WithoutThreadsIsAResultAndNoneStays) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need unlimited address space";
  const auto executable = Executable::from(sample_program());
  EXPECT_TRUE(in_child([&] {
    limit_memory(16 << 20);  // some of the stacks
    for (int i = 0; i < 3; ++i)
      if (!lacks(executable->session({.threads = 64}), "64 threads")) return false;
    return executable->session({.threads = 4})->run({tensor_of(sample_input())}).ok();
  }));
}

TEST(Session, WithoutProcessesIsAResult) {
  const auto executable = Executable::from(sample_program());
  EXPECT_TRUE(in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return false;  // root has no such limit
    const rlimit limit{1, 1};
    ::setrlimit(RLIMIT_NPROC, &limit);
    return lacks(executable->session({.threads = 3}), "3 threads") &&
           executable->session()->run({tensor_of(sample_input())}).ok();
  }));
}

TEST(Session, RunsInAForkedChildOnThreadsOfItsOwn) {
  if (testing::kThreadSanitized) GTEST_SKIP() << "the thread sanitizer has no threads after a fork";
  auto session = std::make_unique<Session>(session_of(sample_program(), {.threads = 3}));
  const auto right = [&] {
    const auto y = session->run({tensor_of(sample_input())});
    return y.ok() && (*y)[0] == tensor_of(sample_result(sample_input()));
  };
  ASSERT_TRUE(right());
  EXPECT_TRUE(in_child([&] {
    const bool result = right() && right() && in_child(right) && session->threads() == 3;
    session.reset();
    return result;
  }));
  EXPECT_TRUE(in_child([&] {  // without a run there
    session.reset();
    return true;
  }));
  EXPECT_TRUE(right());
}

TEST(Session, IsFreeInAChildForkedDuringARun) {
  WaitingRun first;
  EXPECT_TRUE(in_child([&] {
    first.release();
    return first.run_again().ok() && first.run_again().ok();
  }));
  first.end();
}

TEST(CheckInputs, NamesEveryFinding) {
  const Program program = sample_program();
  struct Case {
    std::vector<Tensor> inputs;
    std::vector<std::string> messages;
  };
  const Tensor good(DType::UInt8, {1, 64});
  for (const Case& c : {Case{{good}, {}},
                        {{}, {"takes 1 inputs, got 0"}},
                        {{good, good}, {"takes 1 inputs, got 2"}},
                        {{Tensor(DType::Int8, {1, 64})}, {"input 'x' must be uint8[1,64], got int8[1,64]"}},
                        {{Tensor(DType::UInt8, {64})}, {"input 'x' must be uint8[1,64], got uint8[64]"}},
                        {{Tensor(DType::Float32, {2}), good}, {"takes 1 inputs, got 2", "got float[2]"}}}) {
    const Diagnostics findings = check_inputs(program, c.inputs);
    ASSERT_EQ(findings.size(), c.messages.size());
    for (size_t i = 0; i < findings.size(); ++i) {
      EXPECT_EQ(findings[i].kind, ErrorKind::Mismatch);
      EXPECT_THAT(findings[i].message, HasSubstr(c.messages[i]));
    }
    EXPECT_EQ(session_of(sample_program()).run(c.inputs).ok(), findings.empty());
  }
}

TEST(Executable, RefusesCodeForOtherMachines) {
  const Target host = Target::host();
  int tried = 0;
  for (const IsaRow& row : kIsas) {
    const Target target = Target().with(row.isa);
    if (host.contains(target)) continue;
    ++tried;
    Program program = sample_program();
    program.target = target.to_string();
    const auto executable = Executable::from(std::move(program));
    ASSERT_FALSE(executable.ok());
    EXPECT_EQ(executable.diagnostics()[0].kind, ErrorKind::Target);
    EXPECT_THAT(executable.diagnostics()[0].message, HasSubstr(target.to_string()));
    EXPECT_THAT(executable.diagnostics()[0].message, HasSubstr("it lacks " + what_lacks(target)));
    EXPECT_FALSE(executable.diagnostics()[0].hint.empty());
  }
  if (tried == 0) GTEST_SKIP() << "this host has every feature there is";
}

TEST(Executable, RefusesTargetsItDoesNotKnow) {
  for (const char* target : {"x86-64+avx9000", "arm64", ""}) {
    Program program = sample_program();
    program.target = target;
    const auto executable = Executable::from(std::move(program));
    ASSERT_FALSE(executable.ok());
    EXPECT_EQ(executable.diagnostics()[0].kind, ErrorKind::Target) << "the file is at fault, not an argument";
  }
}

TEST(Executable, RefusesSizesThatNoMemoryCanHold) {
  for (const Shape& shape : {Shape{int64_t{1} << 62, 4}, {-1}, {int64_t{1} << 41}}) {
    Program program = sample_program();
    program.outputs[0].shape = shape;
    EXPECT_TRUE(lacks(Executable::from(std::move(program)), "'y'")) << to_string(shape);
  }
}

TEST(Executable, RunsAProgramWithoutSteps) {
  Program program;
  program.target = "x86-64";
  const auto outputs = session_of(program, {.threads = 3}).run(std::vector<Tensor>{});
  ASSERT_TRUE(outputs.ok());
  EXPECT_TRUE(outputs->empty());
}

// Code pages are never writable and executable at once.
TEST(Executable, SealsItsCode) {
  const auto executable = Executable::from(sample_program());
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) EXPECT_EQ(line.find(" rwx"), std::string::npos) << line;
}

TEST(Executable, NamesItsFunctionsForPerf) {
  const Path file = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  std::filesystem::remove(file);
  Executable::from(sample_program())->write_perf_map();
  const auto text = read_file(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, HasSubstr(" 22 lapis:add\n"));
  EXPECT_THAT(*text, HasSubstr(" 21 lapis:reverse\n"));
}

}  // namespace
}  // namespace lapis
