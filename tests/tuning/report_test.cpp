// What people look at: the report, and event files for TensorBoard.
#include "tuning/reports/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "tuning/reports/events.h"

namespace lapis {
namespace {

const SearchSpace kSpace{{{"c", {}}}, {{"a<b>", "Conv", {"a<b>"}}}};

History three_trials() {
  History history{"f", Attribution{0, 0.5, {{0.1, 2, 3}}}, {}, {}};
  for (int number = 0; number < 3; ++number) {
    Trial t;
    t.number = number;
    t.configuration = {0, {number == 0}};
    t.accuracy = 0.9 - number;
    t.improvement = 1 + number;
    t.precisions["Conv"] = {1, 0};
    history.trials.push_back(t);
  }
  return history;
}

Seen seen(std::vector<float> values) {
  Seen s;
  const auto count = static_cast<int64_t>(values.size());
  s.add(Tensor::of<float>({count}, std::move(values)));
  return s;
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(Report, IsOneFileThatNamesEverything) {
  const std::string html = to_html(three_trials(), kSpace, {"m & n.onnx", "top1"});
  for (const char* wanted : {"m &amp; n.onnx", "a&lt;b&gt;", "<svg", "class='front'", "Conv"})
    EXPECT_NE(html.find(wanted), std::string::npos) << wanted;
  for (const char* unwanted : {"<script", "http", "a<b>", "nan", "Time by node"})
    EXPECT_EQ(html.find(unwanted), std::string::npos) << unwanted;
  EXPECT_EQ(to_html({}, kSpace, {}).find("nan"), std::string::npos);
}

TEST(Report, ShowsTimesAndDistributionsOfTheBestModel) {
  Insight insight;
  insight.trial = 2;
  insight.values.push_back({"a<b>", seen({0, 0, 0, 1, 2, -5}), seen({0, 0, 0, 1.1F, 2.2F, -4})});
  insight.times = {{"Conv a<b>", 1.5, 0.5}, {"Softmax s", 0.25, 0.25}};
  const std::string html = to_html(three_trials(), kSpace, {"m.onnx", "top1"}, insight);
  EXPECT_EQ(count(html, "<polyline class='fp32'"), 1u);
  EXPECT_EQ(count(html, "<polyline class='trial'"), 1u);
  EXPECT_EQ(count(html, "<rect class='fp32'"), 2u);
  EXPECT_EQ(count(html, "<rect class='trial'"), 2u);
  for (const char* wanted : {"1.5 ms", "0.25 ms", "Softmax s", "in trial 2"})
    EXPECT_NE(html.find(wanted), std::string::npos) << wanted;
  EXPECT_EQ(html.find("nan"), std::string::npos);
  // A value that is the same everywhere, and one that was never seen in int8.
  insight.values[0] = {"a<b>", seen({3, 3}), {}};
  EXPECT_EQ(to_html(three_trials(), kSpace, {"m.onnx", "top1"}, insight).find("nan"), std::string::npos);
  insight.problem = "no such <kernel>";
  EXPECT_NE(to_html(three_trials(), kSpace, {}, insight).find("no such &lt;kernel&gt;"), std::string::npos);
}

// Of a long name the end is shown, and no character of it in part.
TEST(Report, CutsNamesBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 30; ++i) name += "\xE5\xB1\x82";  // 90 bytes, three a character
  const SearchSpace space{{{"c", {}}}, {{name, "Conv", {name}}}};
  const std::string html = to_html(three_trials(), space, {"m.onnx", "top1"});
  EXPECT_NE(html.find("...\xE5\xB1\x82\xE5"), std::string::npos);
  EXPECT_EQ(html.find("\\x"), std::string::npos) << "bytes that are no characters";
}

TEST(Seen, CountsWhatIsFinite) {
  const Seen s = seen({1, 2, INFINITY, NAN, -4});
  EXPECT_EQ(s.histogram.count(), 3);
  EXPECT_EQ(s.sum, -1);
  EXPECT_EQ(s.squares, 21);
  Seen other;
  other.add(Tensor::vector<int64_t>({1, 2}));
  EXPECT_TRUE(other.empty());
}

// The check value of CRC-32C in the catalogue of parametrised CRC algorithms, and RFC 3720, B.4.
TEST(Events, SumsAreCrc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(""), 0U);
}

// Length, its masked sum, the event, its masked sum. tests/tools/tune_test.py reads whole files.
TEST(Events, AreRecords) {
  Events events(Events::Begin::Append);
  EXPECT_EQ(events.bytes(), "");
  events.scalar(7, "a/b", 0.5);
  const std::string one = events.bytes();
  uint64_t length = 0;
  std::memcpy(&length, one.data(), 8);
  EXPECT_EQ(one.size(), 8 + 4 + length + 4);
  EXPECT_NE(one.find(std::string("\x10\x07", 2)), std::string::npos) << "the step";
  EXPECT_NE(one.find(std::string("\x0a\x03"
                                 "a/b\x15\0\0\0\x3f",
                                 10)),
            std::string::npos)
      << "tag and value";
  events.histogram(0, "nothing", Seen());
  EXPECT_EQ(events.bytes(), one);
}

TEST(Events, NamesInAGraphAreUniqueAndSimple) {
  Graph graph("g");
  Value* x = graph.add_input("x:0", Type::tensor(DType::Float32, Dims{Dim::symbol("N"), Dim(4)}));
  Node* relu = graph.add_node(ops::Relu, {x}, {}, {"y"});
  relu->set_name("x:0");
  ASSERT_TRUE(infer_types(*relu).ok());
  graph.set_outputs({relu->output()});
  Events events(Events::Begin::Append);
  events.graph(graph, {"x:0"});
  for (const char* wanted : {"\x0a\x03x_0", "\x0a\x05x_0_1", "Placeholder", "Relu", "int8", "_output_shapes"})
    EXPECT_NE(events.bytes().find(wanted), std::string::npos) << wanted;
  EXPECT_EQ(events.bytes().find("x:0"), std::string::npos);
}

}  // namespace
}  // namespace lapis
