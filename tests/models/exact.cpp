#include "tests/models/exact.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_set>

#include "driver/runner.h"
#include "ir/op.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "runtime/artifact.h"
#include "tests/codegen/amx_emulator.h"
#include "tests/driver/compare.h"
#include "tests/driver/object_runner.h"

namespace lapis::testing {
namespace {

// ---- the exact part -------------------------------------------------------------------------------------------------

bool is_exact(const Node& node) {
  static const std::unordered_set<const OpDef*> kRounded = {&ops::Add,
                                                            &ops::Sub,
                                                            &ops::Mul,
                                                            &ops::Div,
                                                            &ops::Relu,
                                                            &ops::Clip,
                                                            &ops::Min,
                                                            &ops::Max,
                                                            &ops::Neg,
                                                            &ops::Abs,
                                                            &ops::Cast,
                                                            &ops::Where,
                                                            &ops::DequantizeLinear};
  if (!node.subgraphs().empty()) return false;
  if (node.is(ops::Pad) && node.attrs<ops::PadAttrs>().mode != "constant") return false;  // has no code yet
  if (node.op().has(Trait::ValuePreserving) || kRounded.contains(&node.op())) return true;
  return std::ranges::none_of(node.outputs(), [](const Value* v) { return v && is_float(v->dtype()); });
}

// Takes the node out of the graph. What others read of it becomes inputs; what it has read is added to `read`.
void cut(Graph& graph, Node* node, std::vector<Value*>& read) {
  for (Value* operand : node->inputs())
    if (operand && operand->producer()) read.push_back(operand);
  for (Value* output : node->outputs())
    if (output && !output->unused())
      graph.replace_all_uses(output, graph.add_input(output->name() + ".given", output->type()));
  graph.erase(node);
}

}  // namespace

std::unique_ptr<Graph> exact_part(const Graph& prepared) {
  std::unique_ptr<Graph> graph = prepared.clone();
  std::vector<Value*> read, outputs;
  for (Node* node : graph->nodes())
    if (!is_exact(*node)) cut(*graph, node, read);
  read.insert(read.end(), graph->outputs().begin(), graph->outputs().end());
  for (Value* v : read)
    if (v->producer() && std::ranges::find(outputs, v) == outputs.end()) outputs.push_back(v);
  graph->set_outputs(outputs);
  return graph;
}

// ---- every path -----------------------------------------------------------------------------------------------------

namespace {

using Runs = std::vector<std::vector<Tensor>>;

class Paths {
 public:
  Paths(const Compiled& compiled, const Runs& runs, const Runs& wanted, std::string target)
      : compiled_(compiled), runs_(runs), wanted_(wanted), target_(std::move(target)) {}

  void from_memory(int threads) const { expect(compiled_.program, threads, "from memory"); }
  void from_an_artifact(int threads) const {
    const Path file = std::filesystem::temp_directory_path() / ("lapis_exact_" + std::to_string(::getpid()) + ".lapis");
    ASSERT_TRUE(save_artifact({compiled_.program}, file).ok());
    const auto program = load_artifact(file);
    std::filesystem::remove(file);
    ASSERT_TRUE(program.ok()) << to_string(program.diagnostics());
    expect(*program, threads, "from an artifact");
  }
  void from_an_object() const {
    if (!has_c_compiler()) return;
    ObjectRunner object(compiled_);
    for (size_t r = 0; r < runs_.size(); ++r)
      for (const bool by_phases : {false, true})
        EXPECT_TRUE(object.run(runs_[r], by_phases) == wanted_[r]) << target_ << ", from an object";
  }
  void on_emulated_tiles() const {
    const auto runner = open_program(compiled_.program);
    ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
    for (size_t r = 0; r < runs_.size(); ++r) {
      std::vector<Tensor> got;
      EXPECT_EQ(run_with_amx([&] { got = *(*runner)->run(runs_[r]); }), "");
      EXPECT_TRUE(got == wanted_[r]) << target_;
    }
  }

 private:
  void expect(const Program& program, int threads, const std::string& how) const {
    const auto runner = open_program(program, {.threads = threads});
    ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
    for (size_t r = 0; r < runs_.size(); ++r)
      EXPECT_TRUE(*(*runner)->run(runs_[r]) == wanted_[r]) << target_ << ", " << threads << " threads, " << how;
  }

  const Compiled& compiled_;
  const Runs& runs_;
  const Runs& wanted_;
  const std::string target_;
};

Result<Compiled> compiled_for(const Graph& graph, const Target& target) {
  CompileOptions options;
  options.target = target;
  return compile(graph, std::move(options));
}

}  // namespace

void expect_reference_bytes(const Graph& graph, const Runs& runs) {
  const auto reference = open_graph(graph, {.backend = Backend::ReferenceAfterPasses});
  ASSERT_TRUE(reference.ok()) << to_string(reference.diagnostics());
  Runs wanted;
  for (const std::vector<Tensor>& inputs : runs) wanted.push_back(*(*reference)->run(inputs));
  for (const Target& target : host_levels()) {
    const auto compiled = compiled_for(graph, target);
    ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
    const Paths paths(*compiled, runs, wanted, target.to_string());
    for (const int threads : {1, 2, 3}) paths.from_memory(threads);
    for (const int threads : {1, 3}) paths.from_an_artifact(threads);
    paths.from_an_object();
  }
  const Target vnni = *Target::parse("x86-64+avx512vnni");
  if (!Target::host().contains(vnni)) return;
  auto amx = compiled_for(graph, *Target::parse("x86-64+amxint8"));
  ASSERT_TRUE(amx.ok()) << to_string(amx.diagnostics());
  amx->program.target = vnni.to_string();  // else it is refused, as it should be
  Paths(*amx, runs, wanted, "x86-64+amxint8").on_emulated_tiles();
}

}  // namespace lapis::testing
