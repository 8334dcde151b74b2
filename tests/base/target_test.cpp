#include "base/target.h"

#include <gtest/gtest.h>

namespace lapis {
namespace {

TEST(Target, ParsesAndPrintsWhatIsNotImplied) {
  for (const auto& [text, printed] : {std::pair("x86-64", "x86-64"),
                                      {"x86-64+avx2", "x86-64+avx2"},
                                      {"x86-64+avx2+avx512", "x86-64+avx512"},
                                      {"x86-64+avx512+avxvnni", "x86-64+avxvnni+avx512"},
                                      {"x86-64+amxint8+avx512vnni", "x86-64+amxint8"},
                                      {"x86-64+avx512bf16+avx512vbmi", "x86-64+avx512vbmi+avx512bf16"},
                                      {"x86-64+avx2+avx2", "x86-64+avx2"}}) {
    const auto target = Target::parse(text);
    ASSERT_TRUE(target.ok()) << text;
    EXPECT_EQ(target->to_string(), printed);
    EXPECT_EQ(*Target::parse(printed), *target);
  }
}

TEST(Target, FeaturesImplyThoseBelow) {
  EXPECT_EQ(Target().with(Isa::AmxBf16).bits(),
            bit(Isa::AmxBf16) | bit(Isa::Avx512Bf16) | bit(Isa::Avx512Vnni) | bit(Isa::Avx512) | bit(Isa::Avx2))
      << "and so for every row in isa_test.cpp";
  EXPECT_EQ(Target().with(Isa::Avx2).vector_bytes(), 32);
  EXPECT_EQ(Target().with(Isa::Avx512Vbmi).vector_bytes(), 64);
}

TEST(Target, LevelsAreDistinctAscendingAndRoundTrip) {
  const std::vector<Target> levels = Target::levels();
  for (size_t i = 0; i < levels.size(); ++i) {
    EXPECT_EQ(*Target::parse(levels[i].to_string()), levels[i]);
    if (i == 0) continue;
    EXPECT_TRUE(levels[i].contains(levels[i - 1])) << levels[i].to_string();
    EXPECT_FALSE(levels[i - 1].contains(levels[i])) << levels[i].to_string();
  }
}

TEST(Target, HostContainsItselfAndRoundTrips) {
  EXPECT_EQ(*Target::parse("host"), Target::host());
  EXPECT_EQ(*Target::parse(Target::host().to_string()), Target::host());
  EXPECT_TRUE(Target::host().contains(Target()));
}

TEST(Target, RefusesBadStringsNamingTheBadPart) {
  for (const auto& [text, named] : {std::pair("", "''"),
                                    {"x86", "'x86'"},
                                    {"X86-64+avx2", "'X86-64'"},
                                    {"arm64+neon", "'arm64'"},
                                    {"x86-64+", "''"},
                                    {"x86-64+avx3", "'avx3'"},
                                    {"x86-64+avx2+", "''"},
                                    {"x86-64++avx2", "''"},
                                    {"x86-64+avx2,avx512", "'avx2,avx512'"},
                                    {"x86-64 +avx2", "'x86-64 '"},
                                    {"host+avx2", "'host'"}}) {
    const auto target = Target::parse(text);
    ASSERT_FALSE(target.ok()) << text;
    const Diagnostic& d = target.diagnostics()[0];
    EXPECT_EQ(d.kind, ErrorKind::Usage) << text;
    EXPECT_NE(d.message.find(named), std::string::npos) << d.message;
    EXPECT_NE(d.hint.find("avx512vnni"), std::string::npos) << d.hint;
  }
}

}  // namespace
}  // namespace lapis
