#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/hash.h"

#include "tests/internal_error.h"

namespace lapis {
namespace {

Diagnostic sample() {
  return error(ErrorKind::Mismatch, "bad").at("m.onnx: node 'n'").note("first").note("second").help("do this");
}

TEST(Diagnostic, PrintsWhereWhatAndWhatToDo) {
  EXPECT_EQ(to_string(sample()), "m.onnx: node 'n': error: bad\n  note: first\n  note: second\n  hint: do this\n");
  EXPECT_EQ(to_string(warning("odd")), "warning: odd\n");
  EXPECT_EQ(to_string(Diagnostics{warning("a"), error(ErrorKind::Io, "b")}), "warning: a\nerror: b\n");
}

TEST(Diagnostic, OnlyErrorsFail) {
  EXPECT_FALSE(has_errors({}));
  EXPECT_FALSE(has_errors({warning("odd")}));
  EXPECT_TRUE(has_errors({warning("odd"), sample()}));
  EXPECT_TRUE(status_of({warning("odd")}).ok());
  EXPECT_EQ(status_of({warning("odd"), sample()}).diagnostics().size(), 2U);
}

Result<int> half_of(int x) {
  if (x % 2) return error(ErrorKind::Input, "odd");
  return x / 2;
}
Result<int> quarter_of(int x) {
  LAPIS_TRY(const int half, half_of(x));
  LAPIS_CHECK(half < 100 ? ok() : Status(error(ErrorKind::Usage, "large")));
  return half_of(half);
}

TEST(Result, CarriesTheValueOrTheFirstFailure) {
  EXPECT_EQ(*quarter_of(8), 2);
  for (const auto& [x, message] : {std::pair(3, "odd"), {6, "odd"}, {200, "large"}}) {
    const auto result = quarter_of(x);
    ASSERT_FALSE(result.ok()) << x;
    EXPECT_EQ(result.diagnostics()[0].message, message);
  }
}

TEST(Result, HoldsWhatOnlyMoves) {
  Result<std::unique_ptr<int>> r(std::make_unique<int>(4));
  const std::unique_ptr<int> p = *std::move(r);
  EXPECT_EQ(*p, 4);
}

TEST(Result, MisuseIsAnInternalError) {
  const auto failed = half_of(1);
  EXPECT_INTERNAL_ERROR(static_cast<void>(*failed), "value of a failed Result was used: error: odd");
  EXPECT_INTERNAL_ERROR(static_cast<void>(Result<int>(Diagnostics{})), "at least one diagnostic");
}

uint64_t hash_of(const std::string& bytes) {
  Hasher h;
  h.add_bytes(bytes.data(), bytes.size());
  return h.value();
}

TEST(Hasher, TellsSimilarInputsApart) {
  std::set<uint64_t> seen;
  size_t count = 0;
  for (size_t size = 0; size < 40; ++size, ++count) seen.insert(hash_of(std::string(size, '\0')));
  std::string text(33, 'a');
  for (size_t bit = 0; bit < 8 * text.size(); ++bit, ++count) {
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    seen.insert(hash_of(flipped));
  }
  EXPECT_EQ(seen.size(), count);
}

TEST(Hasher, DependsOnOrderAndBoundaries) {
  const auto of = [](std::vector<std::string> parts) {
    Hasher h;
    for (const std::string& part : parts) h.add(std::string_view(part));
    return h.value();
  };
  EXPECT_EQ(of({"ab", "c"}), of({"ab", "c"}));
  EXPECT_NE(of({"ab", "c"}), of({"a", "bc"}));
  EXPECT_NE(of({"ab", "c"}), of({"c", "ab"}));
  EXPECT_NE(of({}), of({""}));
}

// Artifacts and caches store hashes: a change of the function must be noticed.
TEST(Hasher, IsStableAcrossBuilds) {
  EXPECT_EQ(hex(hash_of("lapis lazuli")), "3706a469ffcba103");
  EXPECT_EQ(hex(0x0123456789ABCDEF), "0123456789abcdef");
}

}  // namespace
}  // namespace lapis
