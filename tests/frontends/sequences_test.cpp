// ONNX's sequences and optionals: what their operators become, against hand-worked results,
// and what of them is refused or wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontends/onnx/import.h"
#include "ir/evaluate.h"
#include "ir/verify.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Case {
  std::string_view body;
  std::string operators;
  Tensor y;
};

Tensor row(std::vector<float> values) { return Tensor::vector(std::move(values)); }
Tensor table(int64_t rows, int64_t columns, std::vector<float> values) {
  return Tensor::of<float>({rows, columns}, std::move(values));
}
Tensor number(int64_t value) { return Tensor::scalar(value); }

class Sequences : public testing::TestWithParam<Case> {};

// x is [[1, 2], [3, 4], [5, 6]], a is [7, 8], n is 2 and yes is true wherever they are inputs.
TEST_P(Sequences, AreResolvedToTensors) {
  const Case& c = GetParam();
  SCOPED_TRACE(c.body);
  const auto graph = graph_of(c.body);
  ASSERT_TRUE(graph);
  EXPECT_EQ(operators_of(*graph), c.operators);
  EXPECT_TRUE(verify(*graph).empty()) << to_string(verify(*graph));
  const Feeds all = {
      {"x", table(3, 2, {1, 2, 3, 4, 5, 6})}, {"a", row({7, 8})}, {"n", number(2)}, {"yes", Tensor::scalar(true)}};
  Feeds feeds;
  for (const Value* input : graph->inputs()) feeds[input->name()] = all.at(input->name());
  const auto results = evaluate(*graph, feeds);
  ASSERT_TRUE(results.ok()) << to_string(results.diagnostics());
  EXPECT_EQ(graph->outputs()[0]->name(), "y");
  EXPECT_EQ((*results)[0], c.y);
}

INSTANTIATE_TEST_SUITE_P(
    Lists, Sequences,
    testing::Values(
        Case{"(float[3,2] x, float[2] a) => (float[2] y) <int64 at = {-1}> { s = SequenceConstruct(a, a) "
             "b = Neg(a) t = SequenceInsert(s, b) y = SequenceAt(t, at) }",
             "Neg, Identity", row({-7, -8})},
        Case{"(float[2] a) => (float[2] y) <int64 first = {0}, int64 second = {1}> { b = Neg(a) s = "
             "SequenceConstruct(a) "
             "t = SequenceInsert(s, b, first) y = SequenceAt(t, second) }",
             "Neg, Identity", row({7, 8})},
        Case{"(float[2] a) => (float[2] y) <int64 last = {-1}> { b = Neg(a) s = SequenceConstruct(a, b) "
             "t = SequenceInsert(s, b, last) u = SequenceErase(t) y = ConcatFromSequence<axis = 0>(u) }",
             "Neg, Concat", row({7, 8, -7, -8})},
        Case{"(float[2] a) => (float[2,2] y) <int64 p = {-2}> { b = Neg(a) s = SequenceConstruct(a, b, a) "
             "t = SequenceErase(s, p) y = ConcatFromSequence<axis = -1, new_axis = 1>(t) }",
             "Neg, Unsqueeze, Unsqueeze, Concat", table(2, 2, {7, 7, 8, 8})},
        Case{"(float[2] a) => (int64 y) { e = SequenceEmpty<dtype = 1>() s = SequenceInsert(e, a) "
             "t = Identity(s) y = SequenceLength(t) }",
             "Identity", number(1)},
        Case{"(float[3,2] x) => (float[2] y) <int64 p = {1}> { s = SplitToSequence<keepdims = 0>(x) y = SequenceAt(s, "
             "p) }",
             "Split, Squeeze, Squeeze, Squeeze, Identity", row({3, 4})},
        Case{"(float[3,2] x) => (float[1,2] y) <int64 k = {2}, int64 p = {1}> { s = SplitToSequence(x, k) y = "
             "SequenceAt(s, p) }",
             "Split, Identity", table(1, 2, {5, 6})},
        Case{"(float[3,2] x) => (float[1,2] y) <int64[2] k = {1, 2}, int64 p = {0}> { s = SplitToSequence(x, k) "
             "y = SequenceAt(s, p) }",
             "Split, Identity", table(1, 2, {1, 2})},
        // Positions that follow from shapes are as good as constants.
        Case{"(float[3,2] x) => (float[2] y) { n = Size(x) six = Constant<value_int = 5>() p = Sub(six, n) "
             "s = SplitToSequence<keepdims = 0>(x) y = SequenceAt(s, p) }",
             "Size, Sub, Split, Squeeze, Squeeze, Squeeze, Identity", row({5, 6})},
        Case{"(float[2] a) => (float[4] y) { s = SequenceConstruct(a, a) t = SequenceMap(s, a) <body = b (float[2] p, "
             "float[2] q) => (float[2] r) { r = Sub(p, q) }> y = ConcatFromSequence<axis = 0>(t) }",
             "Sub, Sub, Concat", row({0, 0, 0, 0})}));

INSTANTIATE_TEST_SUITE_P(
    ComputedPositions, Sequences,
    testing::Values(
        Case{"(float[2] a, int64 n) => (float[2] y) { b = Neg(a) s = SequenceConstruct(b, b, a) y = SequenceAt(s, n) }",
             "Neg, Unsqueeze, Unsqueeze, Unsqueeze, Concat, Gather", row({7, 8})},
        // What was split needs not be put together again.
        Case{"(float[3,2] x, int64 n) => (float[2] y) { s = SplitToSequence<keepdims = 0>(x) y = SequenceAt(s, n) }",
             "Split, Squeeze, Squeeze, Squeeze, Gather", row({5, 6})},
        Case{"(float[N,2] x, int64 n) => (float[2] y) { s = SplitToSequence<keepdims = 0>(x) y = SequenceAt(s, n) }",
             "Gather", row({5, 6})},
        Case{"(float[3,M] x) => (float[K] y) { s = SplitToSequence<axis = 1, keepdims = 0>(x) y = "
             "ConcatFromSequence<axis = 0>(s) }",
             "Transpose, Shape, Shape, Mul, Shape, Concat, Reshape", row({1, 3, 5, 2, 4, 6})},
        Case{"(float[N,2] x, float[2] a) => (int64 y) { s = SplitToSequence<keepdims = 0>(x) t = SequenceInsert(s, a) "
             "y = SequenceLength(t) }",
             "Unsqueeze, Concat, Shape, Reshape", number(4)}));

constexpr std::string_view kGrow =
    "(int64 i, bool c, seq(float[2]) s, float[2] h) => (bool c_out, seq(float[2]) s_out, float[2] h_out) { "
    "c_out = Identity(c) h_out = Add(h, h) s_out = SequenceInsert(s, h_out) }> ";

std::string grown(const std::string& start, const std::string& end) {
  return "(float[2] a, int64 n) => (float[K] y) <bool go = {1}> { " + start + " t, h = Loop(n, go, s, a) <body = b " +
         std::string(kGrow) + end + " }";
}

TEST(Sequences, ThatALoopGrowsAreScanned) {
  const auto check = [](const std::string& body, const std::string& operators, const Tensor& y) {
    SCOPED_TRACE(body);
    const auto graph = graph_of(body);
    ASSERT_TRUE(graph);
    EXPECT_EQ(operators_of(*graph), operators);
    EXPECT_TRUE(verify(*graph).empty()) << to_string(verify(*graph));
    const auto results = evaluate(*graph, {{"a", row({7, 8})}, {"n", number(2)}});
    ASSERT_TRUE(results.ok()) << to_string(results.diagnostics());
    EXPECT_EQ((*results)[0], y);
  };
  check(grown("s = SequenceEmpty()", "y = ConcatFromSequence<axis = 0, new_axis = 1>(t)"), "Loop, Identity",
        table(2, 2, {14, 16, 28, 32}));
  check(grown("s = SequenceEmpty()", "y = ConcatFromSequence<axis = 1, new_axis = 1>(t)"), "Loop, Transpose, Identity",
        table(2, 2, {14, 28, 16, 32}));
  check(grown("s = SequenceEmpty()", "y = ConcatFromSequence<axis = 0>(t)"),
        "Loop, Shape, Shape, Mul, Shape, Concat, Reshape", row({14, 16, 28, 32}));
  check(grown("s = SequenceEmpty()", "y = SequenceAt(t, n_less) n_less = Constant<value_int = -1>()"), "Loop, Gather",
        row({28, 32}));
  check(grown("s = SequenceConstruct(a)", "y = ConcatFromSequence<axis = 0, new_axis = 1>(t)"),
        "Loop, Unsqueeze, Concat, Identity", table(3, 2, {7, 8, 14, 16, 28, 32}));
}

INSTANTIATE_TEST_SUITE_P(
    Subgraphs, Sequences,
    testing::Values(
        // Two elements an iteration.
        Case{"(float[2] a, int64 n) => (float[4,2] y) <bool go = {1}> { s = SequenceEmpty() t = Loop(n, go, s) <body = "
             "b "
             "(int64 i, bool c, seq(float[2]) s_in) => (bool c_out, seq(float[2]) s_out) { c_out = Identity(c) "
             "f = CastLike(i, a) p = Mul(a, f) q = Neg(p) s_1 = SequenceInsert(s_in, p) s_out = SequenceInsert(s_1, q) "
             "}> "
             "y = ConcatFromSequence<axis = 0, new_axis = 1>(t) }",
             "Loop, Unsqueeze, Unsqueeze, Concat, Shape, Shape, Mul, Shape, Concat, Reshape, Identity",
             table(4, 2, {0, 0, -0.0f, -0.0f, 7, 8, -7, -8})},
        // One that the loop only hands on, and reads by the number of the iteration.
        Case{"(float[2] a, int64 n) => (float[2,2] y) <bool go = {1}> { b = Neg(a) r = SequenceConstruct(a, b, b) "
             "s = SequenceEmpty() r_end, t = Loop(n, go, r, s) <body = b (int64 i, bool c, seq(float[2]) r_in, "
             "seq(float[2]) s_in) => (bool c_out, seq(float[2]) r_out, seq(float[2]) s_out) { c_out = Identity(c) "
             "r_out = Identity(r_in) e = SequenceAt(r_in, i) s_out = SequenceInsert(s_in, e) }> "
             "y = ConcatFromSequence<axis = 0, new_axis = 1>(t) }",
             "Neg, Loop, Identity", table(2, 2, {7, 8, -7, -8})},
        // Elements that change places are states.
        Case{"(float[2] a, int64 n) => (float[4] y) <bool go = {1}, int64 first = {0}> { b = Neg(a) "
             "s = SequenceConstruct(a, b) t = Loop(n, go, s) <body = b (int64 i, bool c, seq(float[2]) s_in) => "
             "(bool c_out, seq(float[2]) s_out) { c_out = Identity(c) e = SequenceAt(s_in, first) d = Add(e, e) "
             "s_1 = SequenceErase(s_in, first) s_out = SequenceInsert(s_1, d) }> y = ConcatFromSequence<axis = 0>(t) }",
             "Neg, Loop, Concat", row({14, 16, -14, -16})},
        Case{"(float[2] a, bool yes) => (float[4] y) { b = Neg(a) s = If(yes) <then_branch = t () => (seq(float[2]) p) "
             "{ "
             "p = SequenceConstruct(b, a) }, else_branch = e () => (seq(float[2]) q) { q = SequenceConstruct(a, a) }> "
             "y = ConcatFromSequence<axis = 0>(s) }",
             "Neg, If, Concat", row({-7, -8, 7, 8})},
        // The condition is known: the branches may differ in length.
        Case{"(float[2] a) => (float[2] y) <int64 none = {0}> { e = SequenceEmpty() n = SequenceLength(e) "
             "c = Equal(n, none) s = If(c) <then_branch = t () => (seq(float[2]) p) { p = SequenceInsert(e, a) }, "
             "else_branch = u () => (seq(float[2]) q) { q = Identity(e) }> y = ConcatFromSequence<axis = 0>(s) }",
             "Equal, Concat", row({7, 8})},
        // A map over a length that is not known is a loop.
        Case{"(float[N,2] x) => (float[N,2] y) { s = SplitToSequence<keepdims = 0>(x) t = SequenceMap(s) <body = b "
             "(float[2] p) "
             "=> (float[2] q) { q = Neg(p) }> y = ConcatFromSequence<axis = 0, new_axis = 1>(t) }",
             "Shape, Reshape, Loop, Identity", table(3, 2, {-1, -2, -3, -4, -5, -6})}));

INSTANTIATE_TEST_SUITE_P(
    Optionals, Sequences,
    testing::Values(
        Case{"(float[2] a) => (float[2] y) { o = Optional(a) y = OptionalGetElement(o) }", "Identity", row({7, 8})},
        Case{"(float[2] a) => (bool y) { o = Optional(a) y = OptionalHasElement(o) }", "Identity",
             Tensor::scalar(true)},
        Case{"(float[2] a) => (bool y) { y = OptionalHasElement() }", "Identity", Tensor::scalar(false)},
        Case{"(float[2] a) => (float[4] y) { s = SequenceConstruct(a, a) o = Optional(s) t = OptionalGetElement(o) "
             "y = ConcatFromSequence<axis = 0>(t) }",
             "Concat", row({7, 8, 7, 8})}));

TEST(Sequences, AreHandedToFunctionsAndBack) {
  const auto graph = parse_onnx_text(
      "<ir_version: 10, opset_import: [\"\" : 18, \"local\" : 1]> g (float[2] a) => (float[2] y) { "
      "s = SequenceConstruct(a, a) t = local.grow(s, a) y = local.last(t) } "
      "<domain: \"local\", opset_import: [\"\" : 18]> grow (q, e) => (r) { b = Neg(e) r = SequenceInsert(q, b) } "
      "<domain: \"local\", opset_import: [\"\" : 18]> last (q) => (e) { p = Constant<value_int = -1>() e = "
      "SequenceAt(q, p) }",
      "test");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto results = evaluate(**graph, {{"a", row({7, 8})}});
  ASSERT_TRUE(results.ok()) << to_string(results.diagnostics());
  EXPECT_EQ((*results)[0], row({-7, -8}));
}

struct Refusal {
  std::string_view body;
  std::string reason, advice;
};
class SequencesRefused : public testing::TestWithParam<Refusal> {};

TEST_P(SequencesRefused, WithTheReasonAndAdvice) {
  const Refusal& c = GetParam();
  EXPECT_THAT(errors_of(c.body), AllOf(HasSubstr(c.reason), HasSubstr(c.advice))) << c.body;
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, SequencesRefused,
    testing::Values(
        Refusal{
            "(seq(float[2]) s) => (float[2] y) <int64 p = {0}> { [n] y = SequenceAt(s, p) }",
            "operator SequenceAt is not supported: 's' is a sequence or an optional that the model gets as an input",
            "put them together by SequenceConstruct"},
        Refusal{"(float[2] a) => (seq(float[2]) y) { y = SequenceConstruct(a, a) }",
                "output 'y': error: is a sequence or an optional", "ConcatFromSequence"},
        Refusal{
            "(float[2] a, float[3] b, int64 n) => (float[K] y) { s = SequenceConstruct(a, b) y = SequenceAt(s, n) }",
            "the position is computed by the model, and the elements differ in shape: float[2] and float[3]", "Pad"},
        Refusal{"(float[2] a, int64 n) => (int64 y) { s = SequenceConstruct(a, a) t = SequenceErase(s, n) y = "
                "SequenceLength(t) }",
                "the position at which it erases is computed by the model", "make the position a constant"},
        Refusal{"(float[2] a, int64 n) => (int64 y) { s = SequenceConstruct(a, a) t = SequenceInsert(s, a, n) y = "
                "SequenceLength(t) }",
                "the position at which it inserts is computed by the model", "make the position a constant"},
        Refusal{"(float[N,2] x) => (int64 y) { s = SplitToSequence<keepdims = 0>(x) t = SequenceErase(s) y = "
                "SequenceLength(t) }",
                "how many elements its sequence has is not known", "--dim"},
        Refusal{"(float[N,2] x) => (int64 y) <int64 k = {2}> { s = SplitToSequence(x, k) y = SequenceLength(s) }",
                "how long axis 0 of its input is", "--dim"},
        Refusal{"(float[4,2] x, int64 n) => (int64 y) { s = SplitToSequence(x, n) y = SequenceLength(s) }",
                "the size of its pieces is computed by the model", "make 'split' a constant"},
        Refusal{
            "(float[2] a, bool c) => (int64 y) { s = If(c) <then_branch = t () => (seq(float[2]) p) { "
            "p = SequenceConstruct(a, a) }, else_branch = e () => (seq(float[2]) q) { q = SequenceConstruct(a) }> "
            "y = SequenceLength(s) }",
            "operator If is not supported: one of its branches gives a sequence of 2, the other one a sequence of 1",
            "make the condition a constant"},
        Refusal{"(float[2] a, int64 n) => (int64 y) <bool go = {1}> { s = SequenceConstruct(a) t = Loop(n, go, s) "
                "<body = b "
                "(int64 i, bool c, seq(float[2]) s_in) => (bool c_out, seq(float[2]) s_out) { c_out = Identity(c) "
                "e = SequenceAt(s_in, i) s_out = SequenceInsert(s_in, e) }> y = SequenceLength(t) }",
                "operator Loop is not supported: the loop also reads a sequence that it puts elements into",
                "as a tensor of its own"},
        Refusal{"(float[2] a, int64 n) => (int64 y) <bool go = {1}> { s = SequenceConstruct(a, a) t = Loop(n, go, s) "
                "<body = b "
                "(int64 i, bool c, seq(float[2]) s_in) => (bool c_out, seq(float[2]) s_out) { c_out = Identity(c) "
                "s_out = SequenceErase(s_in) }> y = SequenceLength(t) }",
                "the loop changes how many elements a sequence has",
                "let every iteration put as many elements at the end"},
        Refusal{"(float[3] a, float[2] h, int64 n) => (int64 y) <bool go = {1}> { s = SequenceConstruct(a) "
                "t = Loop(n, go, s) <body = b (int64 i, bool c, seq(float) s_in) => (bool c_out, seq(float) s_out) { "
                "c_out = Identity(c) d = Neg(h) s_out = SequenceInsert(s_in, d) }> y = SequenceLength(t) }",
                "the loop puts elements behind those that the sequence has, and these differ from them in shape",
                "Pad"}));

INSTANTIATE_TEST_SUITE_P(
    Mistakes, SequencesRefused,
    testing::Values(
        Refusal{"(float[2] a) => (float[2] y) <int64 p = {2}> { s = SequenceConstruct(a, a) [n] y = SequenceAt(s, p) }",
                "node 'n' (SequenceAt): error: position 2 is out of range for a sequence of 2 elements", ""},
        Refusal{
            "(float[2] a) => (int64 y) <int64 p = {-3}> { s = SequenceConstruct(a, a) [n] t = SequenceInsert(s, a, p) "
            "y = SequenceLength(t) }",
            "node 'n' (SequenceInsert): error: position -3 is out of range", ""},
        Refusal{"(float[2] a) => (int64 y) { e = SequenceEmpty() [n] t = SequenceErase(e) y = SequenceLength(t) }",
                "node 'n' (SequenceErase): error: position -1 is out of range for a sequence of 0 elements", ""},
        Refusal{"(float[2] a, int64 n) => (float[2] y) { e = SequenceEmpty() y = SequenceAt(e, n) }",
                "reads an element of a sequence that has none", ""},
        Refusal{"(float[2] a) => (float[2] y) { e = SequenceEmpty() y = ConcatFromSequence<axis = 0>(e) }",
                "concatenates a sequence that has no elements", ""},
        Refusal{"(float[2] a, int64[2] b) => (int64 y) { [n] s = SequenceConstruct(a, b) y = SequenceLength(s) }",
                "node 'n' (SequenceConstruct)", "they must be of one type"},
        Refusal{"(float[2] a) => (int64 y) { s = SequenceEmpty<dtype = 7>() [n] t = SequenceInsert(s, a) y = "
                "SequenceLength(t) }",
                "node 'n' (SequenceInsert): error: puts an element of type float into a sequence of int64", "Cast"},
        Refusal{"(float[2] a) => (float[2] y) { s = SequenceConstruct(a, a) [n] y = Relu(s) }",
                "node 'n' (Relu): error: is not valid ONNX: input 'X' is seq(tensor(float)), which is not allowed", ""},
        Refusal{"(float[2] a) => (int64 y) { [n] s = SplitToSequence<axis = 1>(a) y = SequenceLength(s) }",
                "node 'n' (SplitToSequence): error: axis 1 is out of range for 1 axes", ""},
        Refusal{"(float[2] a) => (int64 y) <int64 k = {0}> { s = SplitToSequence(a, k) y = SequenceLength(s) }",
                "the size of its pieces is 0", ""},
        Refusal{
            "(float[2] a) => (float[2] y) { s = SequenceConstruct(a, a) t = SequenceConstruct(a) u = SequenceMap(s, t) "
            "<body = b (float[2] p, float[2] q) => (float[2] r) { r = Add(p, q) }> y = ConcatFromSequence<axis = 0>(u) "
            "}",
            "its sequences have 2 and 1 elements", ""},
        Refusal{"(float[2] a, int64 n) => (int64 y) <bool go = {1}> { s = SequenceConstruct(a) t = Loop(n, go, s) "
                "<body = b "
                "(int64 i, bool c, seq(float[2]) s_in) => (bool c_out, seq(float[2]) p) { c_out = Identity(c) "
                "p = Identity(q) q = Identity(p) }> y = SequenceLength(t) }",
                "in a circle", ""},
        // A file of a few bytes that asks for a thousand million nodes.
        Refusal{"(float[1000000000] a) => (int64 y) { s = SplitToSequence(a) y = SequenceLength(s) }",
                "the sequences expand to more than", "out of proportion"}));

TEST(Sequences, OfOneValueAreReadInTimeThatGrowsWithThem) {
  std::string elements = "x", nodes, sum;
  for (int i = 1; i < 200; ++i) elements += ", x";
  for (int i = 0; i < 200; ++i) {
    const std::string y = "y" + std::to_string(i);
    nodes += y + " = ConcatFromSequence<axis = 0, new_axis = 1>(s) ";
    sum += (i == 0 ? "" : ", ") + y;
  }
  const auto graph = graph_of("(float[2] x) => (float[200,2] y) { s = SequenceConstruct(" + elements + ") " + nodes +
                              "y = Sum(" + sum + ") }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->outputs()[0]->type().to_string(), "float[200,2]");
}

TEST(Sequences, OfWhatIsRefusedAreNotRefusedAgain) {
  const std::string errors = errors_of(
      "(float[N,2] x, float[2] a, int64 n) => (float[K] y) <bool go = {1}> { r = SplitToSequence<keepdims = 0>(x) s = "
      "SequenceErase(r) "
      "t, h = Loop(n, go, s, a) <body = b " +
      std::string(kGrow) + "y = ConcatFromSequence<axis = 0>(t) }");
  EXPECT_THAT(errors, HasSubstr("operator SequenceErase is not supported"));
  EXPECT_THAT(errors, Not(HasSubstr("SequenceInsert")));
}

TEST(Sequences, ThatTheModelGetsDoNotGoThroughALoop) {
  EXPECT_THAT(
      errors_of("(seq(float[2]) s, int64 n) => (seq(float[2]) y) <bool go = {1}> { [l] y = Loop(n, go, s) <body = b "
                "(int64 i, bool c, seq(float[2]) p) => (bool c_out, seq(float[2]) q) { c_out = Identity(c) "
                "q = Identity(p) }> }"),
      HasSubstr("operator Loop is not supported: 's' is a sequence or an optional that the model gets"));
}

}  // namespace
}  // namespace lapis
