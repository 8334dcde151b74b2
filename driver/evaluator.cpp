// The JIT as an Evaluator: the graph as it is, with the watched values as further outputs.
#include <algorithm>

#include "codegen/emit.h"
#include "driver/compile.h"
#include "passes/quantize/integer.h"
#include "runtime/executable.h"

namespace lapis {
namespace {

class JitEvaluator final : public Evaluator {
 public:
  explicit JitEvaluator(int threads) : threads_(threads) {}

  Status load(const Graph& graph, const std::vector<std::string>& watched) override {
    const std::unique_ptr<Graph> copy = graph.clone();
    std::vector<Value*> outputs = copy->outputs();
    for (const std::string& name : watched) {
      Value* value = copy->find_value(name);
      LAPIS_ASSERT(value != nullptr, "the watched value '" << name << "' is not in the graph");
      if (std::find(outputs.begin(), outputs.end(), value) == outputs.end()) outputs.push_back(value);
    }
    copy->set_outputs(outputs);
    // What the bound shapes fix becomes constant, and no pass does more;
    // watched values are outputs, so they stay and are computed as the graph says.
    LAPIS_CHECK(decide_branches(*copy));
    apply_rules(*copy, leftover_rules());  // weights in few bits are numbers here: for some there is no other code
    CompileOptions options;
    options.host_calls = true;
    options.pipeline = empty_pipeline();
    LAPIS_TRY(Compiled compiled, compile(*copy, std::move(options)));
    LAPIS_TRY(const Executable executable, Executable::from(std::move(compiled.program)));
    LAPIS_TRY(Session session, executable.session({.threads = threads_}));
    session_ = std::make_unique<Session>(std::move(session));
    graph_ = graph.clone();
    return ok();
  }

  Result<Feeds> run(const Feeds& feeds) override {
    LAPIS_ASSERT(session_ != nullptr, "run before load");
    Diagnostics findings = check_feeds(*graph_, feeds);
    if (has_errors(findings)) return findings;
    std::vector<Tensor> inputs;
    for (const IoInfo& input : session_->program().inputs) inputs.push_back(feeds.at(input.name));
    LAPIS_TRY(const std::vector<Tensor> outputs, session_->run(inputs));
    Feeds values;
    for (size_t i = 0; i < outputs.size(); ++i) values[session_->program().outputs[i].name] = outputs[i];
    return values;
  }

 private:
  const int threads_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<Evaluator> jit_evaluator(int threads) { return std::make_unique<JitEvaluator>(threads); }

}  // namespace lapis
