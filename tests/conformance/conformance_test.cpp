// ONNX's own test cases on the reference evaluator and on generated code. expected.txt lists what does not pass, one
// line a case and way; a listed case that passes fails the run as one that fails unlisted does.
//
//   LAPIS_BLESS=1 ./dev test -L conformance              writes what happens now into expected.txt
//   LAPIS_CASES=node/test_cast LAPIS_VERBOSE=1 build/bin/lapis_test_conformance    only cases whose name holds this
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "conformance/ways.h"
#include "conformance/workers.h"

namespace lapis::conformance {
namespace {

const Path kExpected = Path(LAPIS_SOURCE_DIR) / "tests/conformance/expected.txt";
constexpr double kSecondsPerItem = 600;

std::string key_of(const std::string& id, Way way) { return id + "  " + std::string(name_of(way)); }

struct Item {
  Case c;
  Way way;
  std::string key() const { return key_of(c.id, way); }
};

using Expectations = std::map<std::string, std::string>;  // "node/test_abs  compiled" -> "refused: why"

bool from_environment(const char* name) { return std::getenv(name) != nullptr; }

// The real nets first: they take longest.
std::vector<Item> all_items() {
  const char* part = std::getenv("LAPIS_CASES");
  std::vector<Item> items;
  for (const Case& c : list_cases(Path(LAPIS_BINARY_DIR) / "conformance"))
    if (!part || c.id.find(part) != std::string::npos)
      for (const Way way : kWays) items.push_back({c, way});
  std::stable_partition(items.begin(), items.end(), [](const Item& i) { return i.c.id.starts_with("real/"); });
  return items;
}

// A line is CASE  WAY  OUTCOME; the way "all" stands for each of them.
Expectations read_expectations() {
  Expectations expected;
  std::ifstream file(kExpected);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t way = line.find("  "), outcome = line.find("  ", way + 2);
    const std::string id = line.substr(0, way), which = line.substr(way + 2, outcome - way - 2);
    for (const Way w : kWays)
      if (which == "all" || which == name_of(w)) expected[key_of(id, w)] = line.substr(outcome + 2);
  }
  return expected;
}

std::string kind_of(const std::string& expectation) { return expectation.substr(0, expectation.find(':')); }

// "pass", or "refused: why" as in expected.txt.
std::string as_text(const Outcome& outcome) {
  std::string text(name_of(outcome.kind));
  return outcome.kind == Outcome::Pass ? text : text + ": " + outcome.reason;
}

Expectations run_all(const std::vector<Item>& items) {
  const auto work = [&](size_t i) { return as_text(run(items[i].c, items[i].way)); };
  const std::vector<ItemResult> results = run_in_children(items.size(), kSecondsPerItem, work);
  Expectations found;
  for (size_t i = 0; i < items.size(); ++i)
    found[items[i].key()] = results[i].ended ? results[i].text : "crash: " + results[i].text;
  return found;
}

// The lines of expected.txt about one case.
std::string lines_of(const std::string& id, const Expectations& all) {
  std::set<std::string> outcomes;
  std::string lines;
  for (const Way way : kWays) {
    const std::string& outcome = all.at(key_of(id, way));
    outcomes.insert(outcome);
    if (outcome != "pass") lines += key_of(id, way) + "  " + outcome + "\n";
  }
  const bool same = outcomes.size() == 1 && !outcomes.contains("pass");
  return same ? id + "  all  " + *outcomes.begin() + "\n" : lines;
}

void bless(const std::vector<Item>& items, const Expectations& found) {
  Expectations all = read_expectations();
  std::set<std::string> ids;
  for (const Item& item : items) all[item.key()] = found.at(item.key());
  for (const auto& [key, outcome] : all) ids.insert(key.substr(0, key.find(' ')));
  for (const std::string& id : ids)
    for (const Way way : kWays) all.emplace(key_of(id, way), "pass");
  std::ofstream file(kExpected);
  file << "# What of ONNX's own cases does not pass: case, way, what happens instead. "
          "tests/conformance/conformance_test.cpp\n"
          "# compares; LAPIS_BLESS=1 ./dev test -L conformance writes this file.\n";
  for (const std::string& id : ids) file << lines_of(id, all);
}

void compare(const Expectations& found, const Expectations& expected) {
  for (const auto& [key, outcome] : found) {
    const auto listed = expected.find(key);
    const std::string wanted = listed == expected.end() ? "pass" : listed->second;
    EXPECT_EQ(kind_of(outcome), kind_of(wanted)) << key << "\n  now: " << outcome << "\n  listed: " << wanted;
  }
}

void print_summary(const Expectations& found) {
  std::map<std::string, std::map<std::string, int>> counts;
  for (const auto& [key, outcome] : found) {
    const std::string kind = key.substr(0, key.find('/')), way = key.substr(key.rfind(' ') + 1);
    ++counts[kind + " " + way][kind_of(outcome)];
    if (from_environment("LAPIS_VERBOSE")) std::cout << key << "  " << outcome << "\n";
  }
  for (const auto& [row, outcomes] : counts) {
    std::cout << row << ":";
    for (const auto& [outcome, count] : outcomes) std::cout << " " << outcome << " " << count;
    std::cout << "\n";
  }
}

TEST(Conformance, CasesGiveWhatIsExpected) {
  const std::vector<Item> items = all_items();
  ASSERT_FALSE(items.empty()) << "no cases: build/venv/bin/python3 tests/conformance/generate.py " << LAPIS_BINARY_DIR
                              << "/conformance makes them";
  const Expectations found = run_all(items);
  print_summary(found);
  if (from_environment("LAPIS_BLESS")) return bless(items, found);
  compare(found, read_expectations());
}

TEST(Conformance, EveryExpectationIsAboutACase) {
  std::set<std::string> keys;
  for (const Item& item : all_items()) keys.insert(item.key());
  if (from_environment("LAPIS_CASES")) GTEST_SKIP() << "LAPIS_CASES leaves cases out";
  for (const auto& [key, outcome] : read_expectations()) EXPECT_TRUE(keys.contains(key)) << key;
}

// What the harness promises: a dead process costs one item.
TEST(Conformance, ADyingChildLosesOnlyItsItem) {
  const auto results = run_in_children(20, 60, [](size_t i) {
    if (i == 7) std::abort();
    if (i == 11) _exit(3);
    return "item " + std::to_string(i);
  });
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].ended, i != 7 && i != 11);
    EXPECT_EQ(results[i].text, i == 7 ? "SIGABRT" : i == 11 ? "exit code 3" : "item " + std::to_string(i));
  }
}

TEST(Conformance, AChildThatHangsIsEnded) {
  const auto results = run_in_children(3, 1, [](size_t i) {
    while (i == 1) sleep(60);
    return std::string("done");
  });
  EXPECT_TRUE(results[0].ended && results[2].ended);
  EXPECT_EQ(results[1].text, "no result after 1 s");
}

}  // namespace
}  // namespace lapis::conformance
