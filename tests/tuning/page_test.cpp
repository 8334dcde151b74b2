// docs/datasets.md: its tables are those of the code (LAPIS_BLESS=1 writes them), and its configurations parse.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "tuning/data/config.h"

namespace lapis {
namespace {

const Path kPage = Path(LAPIS_SOURCE_DIR) / "docs/datasets.md";

std::string described(const std::vector<Option>& options) {
  std::string text;
  for (const Option& o : options) text += "; `" + o.name + "`" + (o.required ? " (required)" : "") + ": " + o.doc;
  return text;
}

template <class Row> std::string table_of(const std::string& title, const std::vector<Row>& rows) {
  std::string text = "| " + title + " | |\n|---|---|\n";
  for (const Row& row : rows) text += "| `" + row.name + "` | " + row.doc + described(row.options) + " |\n";
  return text;
}

// "| metric | labels | |" in place of two columns.
std::string table_of_metrics() {
  const auto label = [](LabelKind kind) -> std::string {
    switch (kind) {
      case LabelKind::None: return "none";
      case LabelKind::Optional: return "any or none";
      case LabelKind::Class: return "a class from 0";
      case LabelKind::Numbers: return "numbers";
      case LabelKind::Text: return "text";
      case LabelKind::Pairs: return "`scores`";
      case LabelKind::Reference: return "a reference model";
    }
    return "";
  };
  std::string text = "| metric | labels | |\n|---|---|---|\n";
  for (const MetricRow& row : metrics())
    text += "| `" + row.name + "` | " + label(row.label) + " | " + row.doc +
            (row.higher_is_better ? "" : " (lower is better)") + described(row.options) + " |\n";
  return text;
}

TEST(DatasetsPage, HasTheTablesOfTheCode) {
  std::string page = *read_file(kPage);
  for (const auto& [name, table] : {std::pair<std::string, std::string>{"formats", table_of("format", formats())},
                                    {"transforms", table_of("transform", transforms())},
                                    {"metrics", table_of_metrics()}}) {
    const std::string begin = "<!-- " + name + " -->\n";
    const size_t from = page.find(begin), to = page.find("<!-- end -->", from);
    ASSERT_NE(from, std::string::npos);
    ASSERT_NE(to, std::string::npos);
    if (std::getenv("LAPIS_BLESS"))
      page.replace(from + begin.size(), to - from - begin.size(), table);
    else
      EXPECT_EQ(page.substr(from + begin.size(), to - from - begin.size()), table) << "LAPIS_BLESS=1 writes the table";
  }
  if (std::getenv("LAPIS_BLESS")) ASSERT_TRUE(write_file(kPage, std::string_view(page)).ok());
}

TEST(DatasetsPage, ItsConfigurationsParse) {
  const std::string page = *read_file(kPage), begin = "```yaml\n";
  int blocks = 0;
  for (size_t at = page.find(begin); at != std::string::npos; at = page.find(begin, at), ++blocks) {
    at += begin.size();
    const std::string yaml = page.substr(at, page.find("```", at) - at);
    const auto config = parse_dataset_config(yaml, "docs/datasets.md");
    EXPECT_TRUE(config.ok()) << yaml << to_string(config.diagnostics());
  }
  EXPECT_GE(blocks, 5);
}

TEST(ZooConfigurations, Parse) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Path(LAPIS_SOURCE_DIR) / "benchmarks/zoo")) {
    if (entry.path().extension() != ".yaml") continue;
    const auto config = parse_dataset_config(*read_file(entry.path()), entry.path());
    EXPECT_TRUE(config.ok()) << to_string(config.diagnostics());
    ++files;
  }
  EXPECT_GE(files, 15);
}

template <class Row> void expect_words(const std::vector<Row>& rows) {
  std::set<std::string> names;
  for (const Row& row : rows) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " stands twice";
    EXPECT_FALSE(row.doc.empty()) << row.name;
    for (const Option& o : row.options) EXPECT_FALSE(o.doc.empty()) << row.name << " " << o.name;
  }
}

TEST(Tables, HaveNamesAndWords) {
  expect_words(formats());
  expect_words(transforms());
  expect_words(metrics());
  for (const Format& row : formats()) EXPECT_TRUE(row.open) << row.name;
  for (const Transform& row : transforms()) EXPECT_TRUE(row.make) << row.name;
  for (const MetricRow& row : metrics()) EXPECT_TRUE(row.make && !row.outputs.empty()) << row.name;
}

}  // namespace
}  // namespace lapis
