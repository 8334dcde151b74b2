#include "runtime/executable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/runtime/sample_program.h"

namespace lapis {
namespace {

using testing::faulting_program;
using ::testing::HasSubstr;
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
  for (const Isa isa : {Isa::Avx2, Isa::AvxVnni, Isa::Avx512, Isa::Avx512Vnni, Isa::Avx512Vbmi, Isa::Avx512Bf16,
                        Isa::AmxInt8, Isa::AmxBf16}) {
    if (host.has(isa)) continue;
    ++tried;
    Program program = sample_program();
    program.target = Target().with(isa).to_string();
    const auto executable = Executable::from(std::move(program));
    ASSERT_FALSE(executable.ok());
    EXPECT_EQ(executable.diagnostics()[0].kind, ErrorKind::Target);
    EXPECT_THAT(executable.diagnostics()[0].message, HasSubstr(Target().with(isa).to_string()));
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
  EXPECT_THAT(*text, HasSubstr(" 25 lapis:add\n"));
  EXPECT_THAT(*text, HasSubstr(" 26 lapis:reverse\n"));
}

}  // namespace
}  // namespace lapis
