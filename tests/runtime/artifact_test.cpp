#include "runtime/artifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>

#include "base/target.h"
#include "runtime/executable.h"
#include "tests/runtime/sample_program.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;
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
         a.macs == b.macs && a.arguments == b.arguments;
}
bool same(const TableInfo& a, const TableInfo& b) {
  return a.offset == b.offset && a.rows == b.rows && a.limits == b.limits;
}
template <class T> bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) { return same(x, y); });
}
bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool same_program(const Program& a, const Program& b) {
  return a.target == b.target && a.producer == b.producer && a.plan_hash == b.plan_hash &&
         a.source_hash == b.source_hash && a.arena_bytes == b.arena_bytes && same(a.inputs, b.inputs) &&
         same(a.outputs, b.outputs) && same(a.steps, b.steps) && same(a.tables, b.tables) && same(a.code, b.code) &&
         same(a.constants, b.constants);
}

TEST_F(Artifact, LoadsWhatWasSaved) {
  const auto program = load_artifact(file_);
  ASSERT_TRUE(program.ok()) << to_string(program.diagnostics());
  EXPECT_TRUE(same_program(*program, sample_program()));
  EXPECT_TRUE(load_artifact(file_, {.verify = true}).ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(program->constants.data()) % 64, 0U);
  EXPECT_TRUE(is_artifact(file_));
}

TEST_F(Artifact, IsWrittenTheSameEveryTime) {
  const std::string first = *read_file(file_);
  ASSERT_TRUE(save_artifact(*load_artifact(file_), file_).ok());
  EXPECT_EQ(*read_file(file_), first);
}

// Variants for several machines, the last of which has constants that the others have not.
std::vector<Program> variants_for(std::initializer_list<const char*> targets) {
  static const std::vector<std::byte> more = [] {
    const Program p = sample_program();
    std::vector<std::byte> bytes(p.constants.begin(), p.constants.end());
    bytes.resize(100000, std::byte{7});
    return bytes;
  }();
  std::vector<Program> variants;
  for (const char* target : targets) {
    Program& p = variants.emplace_back(variants.size() % 2 ? testing::faulting_program() : sample_program());
    p.target = target;
    if (variants.size() == targets.size()) p.constants = more;
  }
  return variants;
}

TEST_F(Artifact, HoldsVariantsThatShareTheirConstants) {
  const std::vector<Program> saved = variants_for({"x86-64+avx2", "x86-64+avx512vnni", "x86-64+avx512"});
  ASSERT_TRUE(save_artifact(saved, file_).ok());
  EXPECT_LT(std::filesystem::file_size(file_), 100000 + 8 * 4096) << "the constants are there once";
  const auto loaded = load_variants(file_, {.verify = true});
  ASSERT_TRUE(loaded.ok()) << to_string(loaded.diagnostics());
  ASSERT_EQ(loaded->size(), 3U);
  for (size_t i = 0; i < saved.size(); ++i) {
    Program wanted = saved[i];
    wanted.constants = saved.back().constants;
    EXPECT_TRUE(same_program((*loaded)[i], wanted)) << i;
    EXPECT_EQ((*loaded)[i].constants.data(), loaded->front().constants.data());
  }
  const std::string first = *read_file(file_);
  ASSERT_TRUE(save_artifact(*loaded, file_).ok());
  EXPECT_EQ(*read_file(file_), first);
}

Machine machine_with(const Target& target) {
  const Requirements r = requirements_of(target);
  return {[r](uint32_t leaf, uint32_t subleaf) {
            CpuidRegisters registers{};
            for (const CpuidMask& m : r.cpuid)
              if (m.leaf == leaf && m.subleaf == subleaf) registers[static_cast<size_t>(m.reg)] = m.bits;
            if (r.tiles && leaf == kTilePaletteLeaf) registers[0] = 1;
            return registers;
          },
          [r] { return r.xcr0; }, [] { return true; }};
}

TEST_F(Artifact, ChoosesTheVariantThatAsksMostOfTheHost) {
  const auto chosen = [](const char* host) {
    const auto best =
        best_variant(variants_for({"x86-64+avx512vnni", "x86-64+avx2", "x86-64+avxvnni", "x86-64+avx9000"}),
                     machine_with(*Target::parse(host)));
    return best.ok() ? best->target : to_string(best.diagnostics());
  };
  EXPECT_EQ(chosen("x86-64+avx2"), "x86-64+avx2");
  EXPECT_EQ(chosen("x86-64+avx512"), "x86-64+avx2");
  EXPECT_EQ(chosen("x86-64+avxvnni"), "x86-64+avxvnni");
  EXPECT_EQ(chosen("x86-64+avx512+avxvnni"), "x86-64+avxvnni");
  EXPECT_EQ(chosen("x86-64+avx512vnni"), "x86-64+avx512vnni");
  EXPECT_EQ(chosen("x86-64+amxint8"), "x86-64+avx512vnni");
  const std::string refusal = chosen("x86-64");
  for (const char* part : {"this host (x86-64) can run none of the artifact's 4 variants",
                           "x86-64+avx2 needs avx2 (the processor does not have AVX2", "x86-64+avx512vnni needs avx2 (",
                           "avx512vnni (the processor does not have AVX-512 VNNI)",
                           "x86-64+avx9000 is unknown to this runtime", "--target x86-64,..."})
    EXPECT_NE(refusal.find(part), std::string::npos) << part << " in\n" << refusal;
}

TEST_F(Artifact, RunsTheVariantThatItChose) {
  ASSERT_TRUE(save_artifact(variants_for({"x86-64+amxbf16+avxvnni", "x86-64+amxint8+avxvnni", "x86-64"}), file_).ok());
  if (Target::host().contains(*Target::parse("x86-64+amxint8+avxvnni"))) GTEST_SKIP() << "this host has everything";
  EXPECT_EQ(load_artifact(file_)->target, "x86-64");
  EXPECT_EQ(Executable::load(file_)->program().target, "x86-64");
  ASSERT_TRUE(save_artifact(variants_for({"x86-64+amxbf16+avxvnni", "x86-64+amxint8+avxvnni"}), file_).ok());
  const auto none = Executable::load(file_);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.diagnostics()[0].kind, ErrorKind::Target);
  EXPECT_EQ(none.diagnostics()[0].location, file_);
  EXPECT_EQ(none.diagnostics()[0].notes.size(), 2U);
}

TEST_F(Artifact, EveryDamagedByteOfVariantsIsFound) {
  ASSERT_TRUE(save_artifact(variants_for({"x86-64", "x86-64+avx2", "x86-64+avx512"}), file_).ok());
  std::string bytes = *read_file(file_);
  const size_t constants = bytes.size() - 100000;
  for (size_t at = 0; at < constants; ++at) {
    if (bytes[at] == 0 && at % 16 != 0) continue;
    bytes[at] ^= 4;
    overwrite(bytes);
    ASSERT_FALSE(load_variants(file_).ok()) << "byte " << at;
    bytes[at] ^= 4;
  }
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

// Every bit of header, manifest, sums, code and constants, and one bit of every byte of the zeros between them. What
// loading does not see (constants that are no addresses) is seen by --check, and by the first run.
TEST_F(Artifact, EveryDamagedBitIsFound) {
  const std::string good = *read_file(file_);
  const size_t constants = good.size() - sample_program().constants.size();
  const auto table = [&](size_t at) { return at >= constants + 16 && at < constants + 32; };
  std::mt19937 random(1);
  std::fstream stream(file_, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](size_t at, char byte) {
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte).flush();
  };
  for (size_t at = 0; at < good.size(); ++at) {
    const bool zeros = good[at] == 0 && at > 256 && at < constants;
    for (int bit = 0; bit < (zeros ? 1 : 8); ++bit) {
      put(at, static_cast<char>(good[at] ^ (1 << (zeros ? random() % 8 : bit))));
      const bool loads = load_artifact(file_).ok();
      ASSERT_EQ(loads, at >= constants && !table(at)) << "byte " << at << ", bit " << bit;
      if (loads) ASSERT_FALSE(load_artifact(file_, {.verify = true}).ok()) << "byte " << at << ", bit " << bit;
    }
    put(at, good[at]);
  }
}

// Blocks of 64 KiB have sums of their own; the last one is shorter.
TEST_F(Artifact, EveryBlockOfTheConstantsIsSummed) {
  Program p = sample_program();
  std::vector<std::byte> constants(200001);
  std::mt19937 random(3);
  for (std::byte& b : constants) b = std::byte(random());
  std::fill_n(constants.begin(), 64, std::byte{0});  // the table
  p.constants = constants;
  ASSERT_TRUE(save_artifact(p, file_).ok());
  const std::string good = *read_file(file_);
  const size_t start = good.size() - constants.size();
  for (const size_t at : {size_t{0}, size_t{65535}, size_t{65536}, size_t{131072}, size_t{199999}, size_t{200000}}) {
    std::string bad = good;
    bad[start + at] ^= 1;
    overwrite(bad);
    ASSERT_TRUE(load_artifact(file_).ok());
    const auto verified = load_artifact(file_, {.verify = true});
    ASSERT_FALSE(verified.ok()) << at;
    EXPECT_EQ(verified.diagnostics()[0].kind, ErrorKind::Input);
    EXPECT_NE(verified.diagnostics()[0].message.find("byte " + std::to_string(at / 65536 * 65536)), std::string::npos);
  }
}

TEST_F(Artifact, DamagedConstantsAreFoundByTheFirstRun) {
  std::string bad = *read_file(file_);
  bad[bad.size() - 64] = 6;  // the addend
  overwrite(bad);
  EXPECT_FALSE(Executable::load(file_, {.verify = true}).ok());
  const auto executable = Executable::load(file_);
  ASSERT_TRUE(executable.ok()) << to_string(executable.diagnostics());
  for (int i = 0; i < 2; ++i) {
    auto session = executable->session();
    ASSERT_TRUE(session.ok());
    for (int run = 0; run < 2; ++run) {
      const auto y = session->run({Tensor(DType::UInt8, {1, 64})});
      ASSERT_FALSE(y.ok());
      EXPECT_EQ(y.diagnostics()[0].kind, ErrorKind::Input);
      EXPECT_NE(y.diagnostics()[0].location.find(file_.string()), std::string::npos);
    }
  }
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
    auto session = executable->session();
    ASSERT_TRUE(session.ok());
    static_cast<void>(session->run({Tensor(DType::UInt8, {1, 64})}));
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
  EXPECT_TRUE(refused([](Program& p) { p.steps[0].units = INT64_MAX; }));
  EXPECT_TRUE(refused([](Program& p) { p.inputs[0].shape = {int64_t{1} << 39, 0, -1}; }));
  EXPECT_TRUE(refused([](Program& p) {
    p.inputs[0].shape = p.outputs[0].shape = {int64_t{3} << 38};  // each can be, both cannot
  }));
  EXPECT_FALSE(refused([](Program& p) {
    p.inputs[0].shape = {7, 0, 9};
    p.steps[0].arguments[0].bytes = 0;  // of the input
  }));
}

// The words of a block become addresses: of regions inside of their memory, which code may write where it says so.
TEST_F(Artifact, ArgumentsThatAddressOtherMemoryAreRefused) {
  const auto refused = [&](size_t step, size_t word, auto&& change) {
    Program p = sample_program();
    change(p.steps[step].arguments[word]);
    EXPECT_TRUE(save_artifact(p, file_).ok());
    const auto loaded = load_artifact(file_);
    EXPECT_EQ(flaw_of(p).has_value(), !loaded.ok());
    return !loaded.ok() && loaded.diagnostics()[0].kind == ErrorKind::Input;
  };
  using abi::Argument;
  EXPECT_FALSE(refused(0, 0, [](Argument& a) { a.within = a.bytes; }));
  EXPECT_TRUE(refused(0, 0, [](Argument& a) { a.within = a.bytes + 1; }));
  EXPECT_TRUE(refused(0, 0, [](Argument& a) { a.bytes = 65; }));
  EXPECT_TRUE(refused(0, 0, [](Argument& a) { a.value = 1; }));
  EXPECT_TRUE(refused(0, 0, [](Argument& a) { a.value = UINT64_MAX; }));
  EXPECT_TRUE(refused(0, 0, [](Argument& a) { a.io = 2; }));
  EXPECT_TRUE(refused(0, 0, [](Argument& a) { a.written = true; }));  // an input
  EXPECT_TRUE(refused(0, 1, [](Argument& a) { a.bytes = 65; }));
  EXPECT_TRUE(refused(0, 2, [](Argument& a) { a.written = true; }));  // constants
  EXPECT_TRUE(refused(0, 2, [](Argument& a) { a.bytes = 65; }));
  EXPECT_TRUE(refused(0, 2, [](Argument& a) { a.kind = Argument::Kind::Weights; }));         // there are none
  EXPECT_TRUE(refused(0, 2, [](Argument& a) { a.kind = static_cast<Argument::Kind>(7); }));  // there is none
  EXPECT_FALSE(refused(1, 0, [](Argument& a) { a.written = false; }));
}

// Weights are parts in memory and one section of the file, of which several variants have the same or fewer.
TEST_F(Artifact, WeightsComeBack) {
  Program less = sample_program();
  const auto bytes = [](size_t count, int value) { return std::vector<std::byte>(count, std::byte(value)); };
  const std::vector<std::byte> a = bytes(100000, 1), b = bytes(3, 2);
  less.weights.append(a, nullptr);
  Program more = less;
  more.weights.append(b, nullptr);
  const std::vector<Program> variants = {less, more};
  ASSERT_TRUE(save_artifact(variants, file_).ok());
  const auto loaded = load_variants(file_, {.verify = true});
  ASSERT_TRUE(loaded.ok()) << to_string(loaded.diagnostics());
  for (const Program& p : *loaded) {
    EXPECT_EQ(p.weights.size(), more.weights.size());
    EXPECT_TRUE(std::equal(a.begin(), a.end(), p.weights.at(0)));
    EXPECT_TRUE(std::equal(b.begin(), b.end(), p.weights.at(more.weights.all()[1].offset)));
  }
  std::string file = *read_file(file_);
  const size_t constants = less.constants.size(), weights = (more.weights.size() + 4095) / 4096 * 4096;
  file[file.size() - constants - weights + 70000] ^= 1;
  overwrite(file);
  const auto damaged = load_variants(file_, {.verify = true});
  ASSERT_FALSE(damaged.ok());
  EXPECT_THAT(to_string(damaged.diagnostics()), HasSubstr("weights have changed in the 64 KiB from byte 65536"));
}

TEST_F(Artifact, TablesThatAddressOtherMemoryAreRefused) {
  const auto refused = [&](const TableInfo& table, int32_t value) {
    Program p = sample_program();
    std::vector<std::byte> constants(p.constants.begin(), p.constants.end());
    std::memcpy(&constants[60], &value, sizeof value);
    p.constants = constants;
    p.tables = {table};
    EXPECT_TRUE(save_artifact(p, file_).ok());
    return !load_artifact(file_).ok();
  };
  EXPECT_FALSE(refused({48, 2, {7, 9}}, 8));
  EXPECT_TRUE(refused({48, 2, {7, 9}}, 9));
  EXPECT_TRUE(refused({48, 2, {7, 9}}, -1));
  EXPECT_TRUE(refused({48, 2, {7, UINT64_MAX}}, INT32_MIN));
  for (size_t columns = 1; columns <= 8; ++columns) {  // the last entry is the one in question
    TableInfo table{64 - 4 * columns, 1, std::vector<uint64_t>(columns, 1000)};
    if (columns == 3) table = {64 - 24, 2, {1000, 1000, 1000}};
    EXPECT_FALSE(refused(table, 999)) << columns;
    EXPECT_TRUE(refused(table, 1000)) << columns;
  }
}

// What cannot be summed cannot be saved, so these are looked at as programs.
TEST_F(Artifact, TablesOutsideOfTheConstantsAreFlaws) {
  for (const TableInfo& table :
       {TableInfo{64, 1, {1}}, {60, 2, {1}}, {62, 1, {1}}, {0, UINT64_MAX, {1, 1}}, {0, 1, {}}, {UINT64_MAX, 0, {1}}}) {
    Program p = sample_program();
    p.tables = {table};
    EXPECT_TRUE(flaw_of(p).has_value()) << table.offset;
    EXPECT_FALSE(Executable::from(std::move(p)).ok());
  }
}

std::optional<std::string> flaw_with(Action action) {
  Program p = sample_program();
  StepInfo step;
  step.name = "action";
  step.units = 0;
  step.action = std::move(action);
  p.steps.insert(p.steps.begin(), step);
  return flaw_of(p);
}

// The sample has two steps behind it, 64 bytes of constants and of arena, x and y of 64 bytes.
TEST_F(Artifact, BlocksOutsideOfTheStepsAreFlaws) {
  const Place truth{Place::Base::Io, 0, 0};
  EXPECT_EQ(flaw_with(BranchInfo{truth, 2, 3}), std::nullopt);
  for (const BranchInfo& branch : {BranchInfo{truth, 0, 3},
                                   {truth, 2, 4},
                                   {truth, 3, 2},
                                   {truth, 2, UINT64_MAX},
                                   {{Place::Base::Io, 64, 0}, 2, 3},
                                   {{Place::Base::Io, 0, 2}, 2, 3},
                                   {{Place::Base::Arena, UINT64_MAX, 0}, 2, 3}})
    EXPECT_NE(flaw_with(branch), std::nullopt);
}

TEST_F(Artifact, RepetitionsOutsideOfMemoryAreFlaws) {
  const Place arena{Place::Base::Arena, 0, 0}, constants{Place::Base::Constants, 0, 0}, y{Place::Base::Io, 0, 1};
  const RepeatInfo good{constants, std::nullopt, arena, {{arena, y, 32, 2, false}}, 3};
  EXPECT_EQ(flaw_with(good), std::nullopt);
  std::vector<RepeatInfo> bad(7, good);
  bad[0].trips.reset();
  bad[1].counter = constants;
  bad[2].counter.offset = 60;
  bad[3].collections[0].count = 3;
  bad[4].collections[0].count = INT64_MAX;
  bad[5].end = 0;
  bad[6].collections[0].all = {Place::Base::Io, 0, 0};
  for (const RepeatInfo& repeat : bad) EXPECT_NE(flaw_with(repeat), std::nullopt);
}

TEST_F(Artifact, CallsThatDoNotFitTheirRoutineAreFlaws) {
  const Place arena{Place::Base::Arena, 0, 0}, x{Place::Base::Io, 0, 0}, y{Place::Base::Io, 0, 1};
  const CallInfo good{
      "topk", {{x, DType::UInt8, {8}}}, {{y, DType::UInt8, {2}}, {arena, DType::Int64, {2}}}, {2, 1, 8, 1, 2, 1}, {}};
  EXPECT_EQ(flaw_with(good), std::nullopt);
  std::vector<CallInfo> bad(9, good);
  bad[0].routine = "sort";
  bad[1].parameters = {2, 2, 8, 1, 2, 1};
  bad[2].parameters = {2, 1, 8, 1, 2};
  bad[3].outputs[0].shape = {9};
  bad[4].outputs[1].dtype = DType::Int32;
  bad[5].inputs[0].shape = {65};
  bad[6].outputs[1].place.offset = 4;
  bad[7].outputs.pop_back();
  bad[8].inputs[0].shape = {-8};
  for (const CallInfo& call : bad) EXPECT_NE(flaw_with(call), std::nullopt);
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
