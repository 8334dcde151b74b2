#include "runtime/artifact.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "base/target.h"
#include "runtime/executable.h"
#include "tests/runtime/sample_program.h"

namespace lapis {
namespace {

using testing::sample_input;
using testing::sample_program;
using testing::sample_result;

class Artifact : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(save_artifact(sample_program(), file_).ok()); }
  void TearDown() override { std::filesystem::remove(file_); }
  void overwrite(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }
  const Path file_ = testing::temporary_file(::testing::UnitTest::GetInstance()->current_test_info()->name());
};

bool same(const IoInfo& a, const IoInfo& b) { return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape; }
bool same(const StepInfo& a, const StepInfo& b) {
  return a.name == b.name && a.op == b.op && a.precision == b.precision && a.kernel == b.kernel && a.nodes == b.nodes &&
         a.note == b.note && a.code_offset == b.code_offset && a.code_size == b.code_size && a.units == b.units &&
         a.macs == b.macs;
}
template <class T> bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) { return same(x, y); });
}
bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// Everything but the constants, which no checksum covers: reading all of them is what mapping the file avoids.
bool same_program(const Program& a, const Program& b) {
  return a.target == b.target && a.producer == b.producer && a.plan_hash == b.plan_hash &&
         a.source_hash == b.source_hash && a.arena_bytes == b.arena_bytes && same(a.inputs, b.inputs) &&
         same(a.outputs, b.outputs) && same(a.steps, b.steps) && same(a.code, b.code) &&
         a.constants.size() == b.constants.size();
}

TEST_F(Artifact, LoadsWhatWasSaved) {
  const auto program = load_artifact(file_);
  ASSERT_TRUE(program.ok()) << to_string(program.diagnostics());
  EXPECT_TRUE(same_program(*program, sample_program()));
  EXPECT_TRUE(same(program->constants, sample_program().constants));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(program->constants.data()) % 64, 0U);
  EXPECT_TRUE(is_artifact(file_));
}

TEST_F(Artifact, IsWrittenTheSameEveryTime) {
  const std::string first = *read_file(file_);
  ASSERT_TRUE(save_artifact(*load_artifact(file_), file_).ok());
  EXPECT_EQ(*read_file(file_), first);
}

TEST_F(Artifact, EveryTruncationIsRefused) {
  for (auto size = static_cast<int64_t>(std::filesystem::file_size(file_)) - 1; size >= 0; --size) {
    std::filesystem::resize_file(file_, static_cast<uintmax_t>(size));
    const auto program = load_artifact(file_);
    ASSERT_FALSE(program.ok()) << size << " bytes";
    ASSERT_EQ(program.diagnostics()[0].kind, ErrorKind::Input);
    ASSERT_FALSE(program.diagnostics()[0].hint.empty());
  }
}

// Every bit of the header and one bit of every other byte: the load fails, or the bit lay in padding or constants and the
// program is the same.
TEST_F(Artifact, EveryDamagedByteIsRefusedOrHarmless) {
  const Program original = sample_program();
  const std::string good = *read_file(file_);
  const size_t header = 96, constants = good.size() - original.constants.size();
  std::mt19937 random(1);
  std::fstream stream(file_, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](size_t at, char byte) {
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte).flush();
  };
  size_t refused = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < (at < header ? 8 : 1); ++bit) {
      put(at, static_cast<char>(good[at] ^ (1 << (at < header ? bit : random() % 8))));
      const auto program = load_artifact(file_);
      refused += !program.ok();
      if (!program.ok()) continue;
      ASSERT_TRUE(same_program(*program, original)) << "byte " << at;
      ASSERT_EQ(same(program->constants, original.constants), at < constants) << "byte " << at;
    }
    put(at, good[at]);
  }
  EXPECT_GT(refused, 1000U) << "the header alone has 640 bits";
}

// Several damaged bits at once, the whole way to a run where it loads.
TEST_F(Artifact, RandomDamageNeverCrashes) {
  const std::string good = *read_file(file_);
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    std::string bad = good;
    for (auto flips = 1 + random() % 4; flips > 0; --flips) {
      const size_t at = random() % 2 ? random() % 96 : random() % bad.size();
      bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    }
    overwrite(bad);
    auto executable = Executable::load(file_);
    if (!executable.ok()) continue;
    const auto session = executable->session();
    ASSERT_TRUE(session.ok());
  }
}

TEST_F(Artifact, OtherVersionsAreRefusedByName) {
  std::string bytes = *read_file(file_);
  bytes[8] = 77;
  overwrite(bytes);
  const auto program = load_artifact(file_);
  ASSERT_FALSE(program.ok());
  EXPECT_NE(program.diagnostics()[0].message.find("version 77"), std::string::npos) << program.diagnostics()[0].message;
  EXPECT_FALSE(program.diagnostics()[0].hint.empty());
}

TEST_F(Artifact, OtherFilesAreRefused) {
  for (const std::string& bytes :
       {std::string(), std::string("LAPIS"), std::string(200, '\0'), "\x89PNG\r\n\x1a\n" + std::string(300, 'x')}) {
    overwrite(bytes);
    EXPECT_FALSE(is_artifact(file_));
    EXPECT_FALSE(load_artifact(file_).ok()) << bytes.size();
  }
  EXPECT_FALSE(is_artifact("/nonexistent"));
  EXPECT_FALSE(load_artifact(std::filesystem::temp_directory_path()).ok());
}

TEST_F(Artifact, ManifestsThatMakeNoSenseAreRefused) {
  const auto refused = [&](auto&& change) {
    Program p = sample_program();
    change(p);
    EXPECT_TRUE(save_artifact(p, file_).ok());
    const auto loaded = load_artifact(file_);
    return !loaded.ok() && loaded.diagnostics()[0].kind == ErrorKind::Input;
  };
  EXPECT_FALSE(refused([](Program&) {}));
  EXPECT_TRUE(refused([](Program& p) { p.arena_bytes = -1; }));
  EXPECT_TRUE(refused([](Program& p) { p.arena_bytes = INT64_MAX; }));
  EXPECT_TRUE(refused([](Program& p) { p.inputs[0].shape = {-1}; }));
  EXPECT_TRUE(refused([](Program& p) { p.inputs[0].shape = {int64_t{1} << 39, int64_t{1} << 39}; }));
  EXPECT_TRUE(refused([](Program& p) { p.outputs[0].dtype = DType::Undefined; }));
  EXPECT_TRUE(refused([](Program& p) { p.outputs[0].dtype = DType::String; }));
  EXPECT_TRUE(refused([](Program& p) { p.outputs[0].dtype = static_cast<DType>(99); }));
  EXPECT_TRUE(refused([](Program& p) { p.steps[1].code_offset = p.code.size(); }));
  EXPECT_TRUE(refused([](Program& p) { p.steps[1].code_size = UINT64_MAX; }));
  EXPECT_TRUE(refused([](Program& p) { p.steps[0].units = -1; }));
}

TEST_F(Artifact, LoadedProgramsRun) {
  const auto executable = Executable::load(file_);
  ASSERT_TRUE(executable.ok()) << to_string(executable.diagnostics());
  auto session = executable->session();
  const auto x = sample_input();
  const auto y = session->run({Tensor::of<uint8_t>({1, 64}, {x.begin(), x.end()})});
  ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
  const auto wanted = sample_result(x);
  EXPECT_EQ((*y)[0], Tensor::of<uint8_t>({1, 64}, {wanted.begin(), wanted.end()}));
}

}  // namespace
}  // namespace lapis
