// If, Loop, Scan, routines and calls into the reference: compiled, they give what the reference evaluator gives, at
// every level of this host, with 1 to 3 threads, from an artifact and in an object file.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "driver/compile.h"
#include "driver/runner.h"
#include "runtime/artifact.h"
#include "tests/driver/compare.h"
#include "tests/driver/example.h"
#include "tests/driver/object_runner.h"

namespace lapis {
namespace {

using testing::graph_from_text;
using ::testing::HasSubstr;
using testing::host_levels;

std::vector<Tensor> reference(const Graph& graph, const std::vector<Tensor>& inputs) {
  auto runner = open_graph(graph, {.backend = Backend::Reference});
  EXPECT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  auto outputs = (*runner)->run(inputs);
  EXPECT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
  return *std::move(outputs);
}

struct Case {
  std::unique_ptr<Graph> graph;
  std::vector<std::vector<Tensor>> inputs;
};

Compiled compiled(const Graph& graph, const Target& target, bool host_calls = false) {
  CompileOptions options;
  options.target = target;
  options.host_calls = host_calls;
  Result<Compiled> result = compile(graph, std::move(options));
  EXPECT_TRUE(result.ok()) << to_string(result.diagnostics());
  return *std::move(result);
}

void expect_equal(const Program& program, const Case& c) {
  for (const int threads : {1, 2, 3}) {
    const auto runner = open_program(program, {.threads = threads});
    ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
    for (int again = 0; again < 2; ++again)
      for (const auto& inputs : c.inputs) {
        const auto got = (*runner)->run(inputs);
        ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
        EXPECT_EQ(*got, reference(*c.graph, inputs)) << threads << " threads";
      }
  }
}

void expect_equal_object(const Compiled& made, const Case& c) {
  if (!testing::has_c_compiler()) return;
  testing::ObjectRunner object(made);
  for (const auto& inputs : c.inputs)
    for (const bool by_phases : {false, true})
      EXPECT_EQ(object.run(inputs, by_phases), reference(*c.graph, inputs)) << "in an object";
}

void expect_reference(const Case& c, bool host_calls = false) {
  for (const Target& target : host_levels()) {
    SCOPED_TRACE(target.to_string());
    const Compiled made = compiled(*c.graph, target, host_calls);
    expect_equal(made.program, c);
    if (!host_calls && target.to_string() == host_levels().back().to_string()) expect_equal_object(made, c);
  }
}

Tensor floats(Shape shape, float first = 0, float step = 1) {
  Tensor t(DType::Float32, std::move(shape));
  for (float& x : t.mutable_data<float>()) x = std::exchange(first, first + step);
  return t;
}

Case choice() {
  return {graph_from_text(R"((bool condition, float[2,3] x) => (float[2,3] y, float[2,3] z) {
    y, w = If (condition) <
      then_branch = yes () => (float[2,3] a, float[2,3] b) { a = Add (x, x)  b = Relu (x) },
      else_branch = no () => (float[2,3] c, float[2,3] d) { c = Neg (x)  d = Identity (x) }>
    z = Mul (w, y)
  })"),
          {{Tensor::scalar(true), floats({2, 3}, -2)}, {Tensor::scalar(false), floats({2, 3}, -2)}}};
}

TEST(ControlFlow, IfRunsTheBranchThatItsConditionNames) { expect_reference(choice()); }

TEST(ControlFlow, BranchesCanBeInsideOfBranches) {
  Case c;
  c.graph = graph_from_text(R"((bool p, bool q, float[4] x) => (float[4] y) {
    y = If (p) <
      then_branch = outer () => (float[4] a) {
        t = Add (x, x)
        a = If (q) <
          then_branch = inner () => (float[4] b) { b = Mul (t, x) },
          else_branch = other () => (float[4] e) { e = Sub (t, x) }>
      },
      else_branch = no () => (float[4] f) { f = Neg (x) }>
  })");
  for (const bool p : {false, true})
    for (const bool q : {false, true}) c.inputs.push_back({Tensor::scalar(p), Tensor::scalar(q), floats({4}, 1)});
  expect_reference(c);
}

// What exporters write for "squeeze the last axis if it can be": the branch that cannot work is known when shapes are.
TEST(ControlFlow, BranchesThatAreNeverTakenNeedNotWork) {
  constexpr std::string_view kSqueeze =
      R"(, float[4,N] x) => (float y) <int64 last = {1}, int64 one = {1}, int64[1] axes = {1}> {
    shape = Shape (x)
    size = Gather (shape, last)
    single = Equal (size, one)
    s = If (CONDITION) <
      then_branch = yes () => (float[4] a) { a = Squeeze (x, axes) },
      else_branch = no () => (float[4,N] b) { b = Identity (x) }>
    y = ReduceSum <keepdims = 0> (s)
  })";
  const auto squeeze = [&](const std::string& condition, int64_t n) {
    std::string text = "(bool given" + std::string(kSqueeze);
    text.replace(text.find("CONDITION"), 9, condition);
    auto graph = graph_from_text(text);
    EXPECT_TRUE(bind_model(*graph, {.dims = {{"N", n}}}).ok());
    return graph;
  };
  for (const int64_t n : {1, 3}) {
    Case c{squeeze("single", n), {}};
    c.inputs.push_back({Tensor::scalar(true), floats({4, n})});
    expect_reference(c);
  }
  const auto open = squeeze("given", 3);
  const auto refused = compile(*open, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(to_string(refused.diagnostics()).find("cannot squeeze axis 1 of [4,3]"), std::string::npos)
      << to_string(refused.diagnostics());
}

TEST(ControlFlow, BranchesThatDoNotFitTheirOperandsNeedNotWork) {
  Case c;
  c.graph = graph_from_text(R"((float[5] x) => (float y) <bool never = {0}, int64[2] pieces = {1, 1}> {
    s = If (never) <
      then_branch = yes () => (float[2] a) { p, q = Split (x, pieces)  a = Add (p, q) },
      else_branch = no () => (float[5] b) { b = Neg (x) }>
    y = ReduceSum <keepdims = 0> (s)
  })");
  ASSERT_TRUE(bind_model(*c.graph, {}).ok());
  c.inputs = {{floats({5}, 1)}};
  expect_reference(c);
}

// Only what the passes find out shows that the Squeeze cannot be:
// the model's fault, and no bug of the pass that found it.
TEST(ControlFlow, TakenBranchesThatCannotWorkAreRefused) {
  const auto graph = graph_from_text(
      R"((float[4,3] x) => (float[?] y) <bool yes = {1}, int64[1] axis = {1}> {
    no = Not(yes)  sure = Not(no)
    a = If (sure) <then_branch = p () => (float[?,?] p1) { p1 = Identity(x) },
                   else_branch = q () => (float[?,?] q1) { q1 = Concat<axis = 1>(x, x) }>
    y = If (sure) <then_branch = u () => (float[?] u1) { u1 = Squeeze(a, axis) },
                   else_branch = v () => (float[?] v1) { v1 = ReduceSum<keepdims = 0>(a, axis) }>
  })");
  const auto refused = compile(*graph, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(to_string(refused.diagnostics()).find("cannot squeeze axis 1 of [4,3]"), std::string::npos)
      << to_string(refused.diagnostics());
}

// Fibonacci: both states change at once.
Case fibonacci() {
  Case c;
  c.graph = graph_from_text(R"((int64 n, float[2] a, float[2] b) => (float[2] x, float[2] y) {
    x, y = Loop (n, , a, b) <
      body = step (int64 i, bool go, float[2] p, float[2] q) => (bool still, float[2] r, float[2] s) {
        still = Identity (go)
        r = Identity (q)
        s = Add (p, q)
      }>
  })");
  for (const int64_t n : {0, 1, 2, 7}) c.inputs.push_back({Tensor::scalar(n), floats({2}), floats({2}, 1)});
  return c;
}

TEST(ControlFlow, StatesOfALoopChangeAtOnce) { expect_reference(fibonacci()); }

TEST(ControlFlow, LoopsEndByTheirCondition) {
  Case c;
  c.graph = graph_from_text(
      R"((float limit, bool first) => (float sum, int64 count) <float zero = {0}, int64 none = {0}, int64 most = {50}> {
    sum, count = Loop (most, first, zero, none) <
      body = step (int64 i, bool go, float s, int64 n) => (bool more, float t, int64 m) {
        f = Cast <to = 1> (i)
        t = Add (s, f)
        more = Less (t, limit)
        one = Constant <value = int64 {1}> ()
        m = Add (n, one)
      }>
  })");
  for (const float limit : {-1.0f, 10.0f, 1e9f})
    for (const bool first : {true, false}) c.inputs.push_back({Tensor::scalar(limit), Tensor::scalar(first)});
  expect_reference(c);
}

// A graph that begins as `head` says, with n and x, and has the sums of x that n iterations give.
std::unique_ptr<Graph> collecting(const std::string& head) {
  return graph_from_text(head + R"( {
    last, all = Loop (n, , x) <
      body = step (int64 i, bool go, float[3] s) => (bool still, float[3] t, float[3] u) {
        still = Identity (go)
        t = Add (s, x)
        u = Neg (t)
      }>
  })");
}

TEST(ControlFlow, LoopsCollectWhatTheirIterationsGive) {
  Case c;
  c.graph = collecting("(float[3] x) => (float[3] last, float[5,3] all) <int64 n = {5}>");
  c.inputs = {{floats({3}, 1)}};
  expect_reference(c);
}

TEST(ControlFlow, ALengthThatIsOnlyDeclaredIsCounted) {
  Case c;
  c.graph = collecting("(int64 n, float[3] x) => (float[2,3] all)");
  c.inputs = {{Tensor::scalar<int64_t>(2), floats({3}, 1)}};
  const Compiled made = compiled(*c.graph, Target::host());
  expect_equal(made.program, c);
  for (const auto& [trips, said] : {std::pair(0, "runs 0 times"), {1, "runs 1 times"}, {3, "runs more than 2 times"}}) {
    const auto got = (*open_program(made.program, {}))->run({Tensor::scalar<int64_t>(trips), floats({3}, 1)});
    ASSERT_FALSE(got.ok()) << trips;
    EXPECT_THAT(to_string(got.diagnostics()), HasSubstr(said));
  }
  const auto object = write_object(made.plan, made.code, {"model", ::testing::TempDir()});
  ASSERT_FALSE(object.ok());
  EXPECT_THAT(to_string(object.diagnostics()), HasSubstr("which the model only declares"));
}

TEST(ControlFlow, LoopsInsideOfLoops) {
  Case c;
  c.graph = graph_from_text(R"((int64 n, float[2] x) => (float[2] y) {
    y = Loop (n, , x) <
      body = outer (int64 i, bool go, float[2] s) => (bool still, float[2] t) {
        still = Identity (go)
        doubled = Add (s, x)
        t = Loop (i, , doubled) <
          body = inner (int64 j, bool gone, float[2] u) => (bool on, float[2] v) {
            on = Identity (gone)
            v = Mul (u, doubled)
          }>
      }>
  })");
  for (const int64_t n : {0, 1, 4}) c.inputs.push_back({Tensor::scalar(n), floats({2}, 0.5f)});
  expect_reference(c);
}

// Axes, directions, states and captured values.
TEST(ControlFlow, ScanGoesThroughItsSequences) {
  Case c;
  c.graph = graph_from_text(
      R"((float[2] start, float[2,4] forth, float[4,2] back) => (float[2] final, float[2,4] all, float[4,2] reversed) {
    final, all, reversed = Scan <num_scan_inputs = 2, scan_input_axes = [1, 0], scan_input_directions = [0, 1],
                                 scan_output_axes = [1, 0], scan_output_directions = [0, 1],
      body = step (float[2] s, float[2] a, float[2] b) => (float[2] t, float[2] u, float[2] v) {
        w = Mul (a, b)
        t = Add (s, w)
        u = Identity (t)
        v = Sub (a, start)
      }> (start, forth, back)
  })");
  c.inputs = {{floats({2}), floats({2, 4}, 1), floats({4, 2}, -3)}};
  expect_reference(c);
}

// A convolution and a pool in a body: layouts, halos and packed weights of their own.
TEST(ControlFlow, BodiesHaveKernels) {
  Case c;
  c.graph =
      graph_from_text(R"((int64 n, float[1,2,6,5] x) => (float[1,2,6,5] y) <float[2,2,1,1] w = {0.5, 0.25, -0.5, 1}> {
    y = Loop (n, , x) <
      body = step (int64 i, bool go, float[1,2,6,5] s) => (bool still, float[1,2,6,5] t) {
        still = Identity (go)
        c = Conv (s, w)
        r = Relu (c)
        t = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r)
      }>
  })");
  for (const int64_t n : {1, 3}) c.inputs.push_back({Tensor::scalar(n), floats({1, 2, 6, 5}, -8, 0.5f)});
  expect_reference(c);
}

TEST(Routines, TopKAlongEveryAxisOfEveryType) {
  for (const DType type :
       {DType::Float32, DType::Float64, DType::Float16, DType::Int8, DType::UInt8, DType::Int64, DType::UInt64})
    for (const int axis : {0, 1, -1})
      for (const int largest : {0, 1}) {
        SCOPED_TRACE(std::string(name_of(type)) + " axis " + std::to_string(axis) +
                     (largest ? " largest" : " smallest"));
        Case c;
        c.graph = graph_from_text(
            "(float[3,4,5] f) => (" + std::string(name_of(type)) +
            "[?,?,?] v, int64[?,?,?] i) <int64[1] k = {3}> { x = Cast <to = " + std::to_string(static_cast<int>(type)) +
            "> (f) v, i = TopK <axis = " + std::to_string(axis) + ", largest = " + std::to_string(largest) +
            "> (x, k) }");
        Tensor x = floats({3, 4, 5});
        int i = 0;
        for (float& v : x.mutable_data<float>()) v = static_cast<float>((i++ * 37) % 11);  // with ties
        if (type == DType::Float32) x.mutable_data<float>()[7] = NAN;
        c.inputs = {{x}};
        expect_reference(c);
      }
}

// All results but the last of each line are rounded on the way, and those of halves once.
TEST(Routines, CumSumAlongEveryAxisOfEveryType) {
  for (const DType type : {DType::Float32, DType::Float64, DType::Float16, DType::BFloat16, DType::Int32, DType::UInt32,
                           DType::Int64, DType::UInt64}) {
    SCOPED_TRACE(std::string(name_of(type)));
    const std::string name(name_of(type));
    Case c;
    c.graph = graph_from_text(
        "(float[3,4,5] f) => (" + name + "[3,4,5] a, " + name + "[3,4,5] b, " + name +
        "[3,4,5] c) <int64 first = {0}, int64 middle = {1}, int64 last = {-1}> { x = Cast <to = " +
        std::to_string(static_cast<int>(type)) + "> (f) a = CumSum (x, first) b = CumSum <reverse = 1> (x, middle) " +
        "c = CumSum <exclusive = 1> (x, last) }");
    c.inputs = {{floats({3, 4, 5}, -3, 0.37f)}, {floats({3, 4, 5}, 3e9f, 1e7f)}};
    expect_reference(c);
  }
}

TEST(HostCalls, AreMadeOnlyIfAllowedAndCannotBeSaved) {
  Case c;
  c.graph = graph_from_text(R"((float[2,3] x) => (float[2,3] y) {
    a = Relu (x)
    b = Trilu (a)
    y = Neg (b)
  })");
  c.inputs = {{floats({2, 3}, -1)}};
  const auto refused = compile(*c.graph, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(to_string(refused.diagnostics()).find("Trilu"), std::string::npos);
  expect_reference(c, true);
  const Compiled made = compiled(*c.graph, Target::host(), true);
  const auto step = std::find_if(made.program.steps.begin(), made.program.steps.end(),
                                 [](const StepInfo& s) { return s.op == "Trilu"; });
  ASSERT_NE(step, made.program.steps.end());
  EXPECT_EQ(step->kernel, "call host");
  const Status saved = save_artifact(made.program, ::testing::TempDir() + "host.lapis");
  ASSERT_FALSE(saved.ok());
  EXPECT_NE(to_string(saved.diagnostics()).find("Trilu"), std::string::npos);
  const auto object = write_object(made.plan, made.code, {"model", ::testing::TempDir()});
  ASSERT_FALSE(object.ok());
  EXPECT_NE(to_string(object.diagnostics()).find("(Trilu) is computed by the reference evaluator"), std::string::npos);
}

TEST(ControlFlow, IsTheSameFromAnArtifact) {
  for (const Case& c : {choice(), fibonacci()}) {
    const std::string file = ::testing::TempDir() + "control_flow.lapis";
    ASSERT_TRUE(save_artifact(compiled(*c.graph, Target::host()).program, file).ok());
    auto loaded = load_artifact(file);
    ASSERT_TRUE(loaded.ok()) << to_string(loaded.diagnostics());
    expect_equal(*loaded, c);
  }
}

TEST(ControlFlow, ConditionsOfSeveralValuesAreRefused) {
  const auto graph = graph_from_text(R"((bool[2] p, float[4] x) => (float[4] y) {
    y = If (p) <
      then_branch = yes () => (float[4] a) { a = Add (x, x) },
      else_branch = no () => (float[4] b) { b = Neg (x) }>
  })");
  const auto result = compile(*graph, {});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(to_string(result.diagnostics()).find("is bool[2], not one value"), std::string::npos)
      << to_string(result.diagnostics());
}

TEST(ControlFlow, LoopsOfSeveralConditionsAreRefused) {
  const auto graph = graph_from_text(R"((int64 n, float[4] x) => (float[4] y) <bool go = {1}> {
    y = Loop (n, go, x) <
      body = step (int64 i, bool on, float[4] s) => (bool[4] still, float[4] t) {
        t = Add (s, x)
        still = Less (t, x)
      }>
  })");
  const auto result = compile(*graph, {});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(to_string(result.diagnostics()).find("is bool[4], not one value"), std::string::npos)
      << to_string(result.diagnostics());
}

// The shape of a state follows from what it begins with and from what an iteration makes of it;
// so does that of a state around it.
TEST(ControlFlow, StatesNeedNoDeclaredShapes) {
  Case c;
  c.graph = graph_from_text(R"((int64 n, float[2,3] x) => (float[?,?] y) {
    y = Loop (n, , x) <
      body = outer (int64 i, bool go, float[] s) => (bool still, float[] t) {
        still = Identity (go)
        doubled = Add (s, s)
        t = Loop (i, , doubled) <
          body = inner (int64 j, bool gone, float[] u) => (bool on, float[] v) {
            on = Identity (gone)
            v = Sub (u, x)
          }>
      }>
  })");
  for (const int64_t n : {0, 1, 3}) c.inputs.push_back({Tensor::scalar(n), floats({2, 3}, 1)});
  expect_reference(c);
}

TEST(ControlFlow, StatesThatGrowAreRefused) {
  const auto graph = graph_from_text(R"((int64 n, float[1] x) => (float[?] y) {
    y = Loop (n, , x) <
      body = step (int64 i, bool go, float[?] s) => (bool still, float[?] t) {
        still = Identity (go)
        t = Concat <axis = 0> (s, s)
      }>
  })");
  const auto result = compile(*graph, {});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(to_string(result.diagnostics()).find("code is generated for fixed shapes"), std::string::npos);
}

}  // namespace
}  // namespace lapis
