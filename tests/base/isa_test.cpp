// Every row of base/isa.h on machines that are made up, and the page that describes the rows.
#include "base/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/host.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;

// A machine that reports what is written into it.
struct FakeMachine {
  std::map<std::pair<uint32_t, uint32_t>, CpuidRegisters> leaves;
  uint64_t xcr0 = 0;
  bool permits_tiles = true;
  bool xcr0_was_read_without_osxsave = false;

  uint32_t& word(const CpuidBit& b) { return leaves[{b.leaf, b.subleaf}][static_cast<size_t>(b.reg)]; }
  void set(const CpuidBit& b) { word(b) |= 1U << b.position; }
  void clear(const CpuidBit& b) { word(b) &= ~(1U << b.position); }

  Machine machine() {
    return {[this](uint32_t leaf, uint32_t subleaf) {
              return leaves[{leaf, subleaf}];
            },
            [this] {
              xcr0_was_read_without_osxsave |= (leaves[{1, 0}][2] >> 27 & 1) == 0;
              return xcr0;
            },
            [this] { return permits_tiles; }};
  }
  Target target() { return target_of(machine()); }
};

template <class Function> void for_each_bit(const IsaRow& row, Function&& function) {
  for (const CpuidBit& b : row.cpuid)
    if (b.leaf != 0) function(b);
}

std::vector<IsaRow> rows_of(const Target& target) {
  std::vector<IsaRow> rows;
  for (const IsaRow& row : kIsas)
    if (target.has(row.isa)) rows.push_back(row);
  return rows;
}

// A machine that has just what some feature and those that it implies need.
FakeMachine machine_for(Isa isa) {
  FakeMachine m;
  for (const IsaRow& row : rows_of(Target().with(isa))) {
    for_each_bit(row, [&](const CpuidBit& b) { m.set(b); });
    m.xcr0 |= row.xcr0;
    if (row.tiles) m.leaves[{kTilePaletteLeaf, 0}][0] = 1;
  }
  return m;
}

// Features that the others of the row imply, however far down, without the closure of Target.
uint32_t implied_by(const IsaRow& row) {
  uint32_t bits = 0;
  for (const IsaRow& below : kIsas)
    if (row.implies & bit(below.isa)) bits |= bit(below.isa) | implied_by(below);
  return bits;
}

TEST(Isa, EveryRowIsWhole) {
  std::set<std::string_view> names;
  uint32_t seen = 0;
  for (const IsaRow& row : kIsas) {
    EXPECT_EQ(std::popcount(bit(row.isa)), 1) << row.name;
    EXPECT_EQ(seen & bit(row.isa), 0U) << row.name << " has two rows";
    EXPECT_EQ(row.implies & ~seen, 0U) << row.name << " implies what comes after it";
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(row.name.find_first_of("+, "), std::string_view::npos) << row.name;
    EXPECT_FALSE(row.title.empty()) << row.name;
    EXPECT_NE(row.cpuid[0].leaf, 0U) << row.name << " cannot be detected";
    EXPECT_TRUE(row.vector_bytes == 32 || row.vector_bytes == 64) << row.name;
    for (const Peak& p : {row.fp32, row.int8, row.bf16})
      EXPECT_EQ(p.instruction == Multiply::None, p.macs == 0) << row.name;
    seen |= bit(row.isa);
  }
  EXPECT_EQ(seen, (1U << kIsas.size()) - 1) << "an enumerator has no row";
}

TEST(Isa, EachFeatureHasWhatItImplies) {
  for (const IsaRow& row : kIsas) {
    const Target target = Target().with(row.isa);
    EXPECT_EQ(target.bits(), bit(row.isa) | implied_by(row)) << row.name;
    EXPECT_EQ(target, *Target::parse("x86-64+" + std::string(row.name)));
    EXPECT_EQ(target.to_string(), "x86-64+" + std::string(row.name)) << "what is implied is not printed";
    for (const IsaRow& below : rows_of(target)) {
      EXPECT_TRUE(target.contains(Target().with(below.isa))) << row.name << " without " << below.name;
      EXPECT_GE(target.vector_bytes(), below.vector_bytes);
    }
  }
}

TEST(Isa, EachIsFoundByWhatItsRowSaysAndNothingLess) {
  EXPECT_EQ(FakeMachine().target(), Target());
  for (const IsaRow& row : kIsas) {
    FakeMachine m = machine_for(row.isa);
    ASSERT_TRUE(m.target().contains(Target().with(row.isa))) << row.name;
    EXPECT_EQ(what_lacks(Target().with(row.isa), m.machine()), "");
    for_each_bit(row, [&](const CpuidBit& b) {
      FakeMachine less = machine_for(row.isa);
      less.clear(b);
      EXPECT_FALSE(less.target().has(row.isa)) << row.name << " without a bit of leaf " << b.leaf;
      EXPECT_THAT(what_lacks(Target().with(row.isa), less.machine()), HasSubstr("the processor does not have"));
      EXPECT_FALSE(less.xcr0_was_read_without_osxsave);
    });
  }
}

TEST(Isa, NoneIsFoundWithoutWhatItImplies) {
  for (const IsaRow& row : kIsas)
    for (const IsaRow& below : rows_of(Target().with(row.isa))) {
      FakeMachine m = machine_for(row.isa);
      m.clear(below.cpuid[0]);
      EXPECT_FALSE(m.target().has(row.isa)) << row.name << " without " << below.name;
      EXPECT_THAT(what_lacks(Target().with(row.isa), m.machine()), HasSubstr(std::string(below.name) + " ("));
    }
}

TEST(Isa, RegistersThatTheSystemDoesNotSaveAreNotUsed) {
  for (const IsaRow& row : kIsas)
    for (uint64_t state = row.xcr0; state != 0; state &= state - 1) {
      FakeMachine m = machine_for(row.isa);
      m.xcr0 &= ~(state & -state);
      EXPECT_FALSE(m.target().has(row.isa)) << row.name;
      EXPECT_THAT(what_lacks(Target().with(row.isa), m.machine()),
                  HasSubstr(std::string(row.name) + " (the operating system does not save its registers)"));
    }
}

TEST(Isa, TilesNeedAPaletteAndPermission) {
  for (const IsaRow& row : kIsas) {
    FakeMachine forbidden = machine_for(row.isa), empty = machine_for(row.isa);
    forbidden.permits_tiles = false;
    empty.leaves[{kTilePaletteLeaf, 0}][0] = 0;
    EXPECT_EQ(forbidden.target().has(row.isa), !row.tiles) << row.name;
    EXPECT_EQ(empty.target().has(row.isa), !row.tiles) << row.name;
    if (row.tiles)
      EXPECT_THAT(what_lacks(Target().with(row.isa), forbidden.machine()), HasSubstr("the kernel does not permit"));
  }
}

TEST(Isa, RequirementsAreTheBitsOfAllRows) {
  for (const IsaRow& row : kIsas) {
    FakeMachine m = machine_for(row.isa), required;
    const Requirements r = requirements_of(Target().with(row.isa));
    for (const CpuidMask& mask : r.cpuid)
      required.leaves[{mask.leaf, mask.subleaf}][static_cast<size_t>(mask.reg)] |= mask.bits;
    if (r.tiles) required.leaves[{kTilePaletteLeaf, 0}][0] = 1;
    EXPECT_EQ(required.leaves, m.leaves) << row.name;
    EXPECT_EQ(r.xcr0, m.xcr0) << row.name;
    EXPECT_EQ(r.cpuid.front().leaf, 1U) << "the leaf that says whether XCR0 can be read is asked first";
  }
}

TEST(Isa, ThisMachineLacksNothingThatItHas) {
  EXPECT_EQ(what_lacks(Target::host()), "");
  for (const IsaRow& row : kIsas)
    if (!Target::host().has(row.isa)) EXPECT_NE(what_lacks(Target().with(row.isa)), "") << row.name;
}

// ---- docs/targets.md ------------------------------------------------------------------------------------------------

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string names_of(uint32_t bits) {
  std::string text;
  for (const IsaRow& row : kIsas)
    if (bits & bit(row.isa)) text += (text.empty() ? "`" : ", `") + std::string(row.name) + "`";
  return text;
}

std::string bits_of(const IsaRow& row) {
  std::string text;
  for_each_bit(row, [&](const CpuidBit& b) {
    constexpr std::string_view kRegisters[] = {"eax", "ebx", "ecx", "edx"};
    text += (text.empty() ? "" : ", ") + std::to_string(b.leaf) + (b.subleaf ? "." + std::to_string(b.subleaf) : "") +
            " " + std::string(kRegisters[static_cast<size_t>(b.reg)]) + "." + std::to_string(b.position);
  });
  return text;
}

std::string state_of(const IsaRow& row) {
  std::ostringstream text;
  if (row.xcr0) text << "0x" << std::hex << row.xcr0;
  return text.str() + (row.tiles ? ", permission for tiles" : "");
}

std::string peak_of(const IsaRow& row) {
  constexpr std::string_view kNames[] = {"", "vfmadd231ps", "vpmaddwd", "vpdpbusd", "vdpbf16ps"};
  std::string text;
  for (const auto& [type, p] : {std::pair("fp32", row.fp32), {"int8", row.int8}, {"bf16", row.bf16}})
    if (p.macs)
      text += (text.empty() ? "" : ", ") + std::string(type) + " " + std::to_string(p.macs * row.vector_bytes / 4) +
              " (`" + std::string(kNames[static_cast<size_t>(p.instruction)]) + "`)";
  return text;
}

std::string table() {
  std::string text =
      "| feature | instructions | implies | code by | most multiply-accumulates an instruction | CPUID leaf and bit | "
      "XCR0 |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const IsaRow& row : kIsas)
    text += "| `" + std::string(row.name) + "` | " + std::string(row.title) + " | " + or_dash(names_of(row.implies)) +
            " | " + (row.used.empty() ? "nothing yet: the code of what it implies" : std::string(row.used)) + " | " +
            or_dash(peak_of(row)) + " | " + bits_of(row) + " | " + or_dash(state_of(row)) + " |\n";
  return text;
}

// LAPIS_BLESS=1 writes the table into the page.
TEST(Isa, IsDescribedInThePage) {
  const Path page = Path(LAPIS_SOURCE_DIR) / "docs/targets.md";
  std::string text = *read_file(page);
  const size_t begin = text.find("| feature |"), end = text.find("\n\n", begin) + 1;
  ASSERT_LT(begin, end);
  if (std::getenv("LAPIS_BLESS")) ASSERT_TRUE(write_file(page, text.replace(begin, end - begin, table())).ok());
  EXPECT_EQ(read_file(page)->substr(begin, table().size()), table())
      << "LAPIS_BLESS=1 ./dev test -L base writes the table of base/isa.h into the page";
}

}  // namespace
}  // namespace lapis
