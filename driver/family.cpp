#include "driver/family.h"

#include <algorithm>

#include "base/guard.h"
#include "base/suggest.h"
#include "codegen/emit.h"
#include "ir/infer.h"
#include "ir/structure.h"
#include "passes/pipeline.h"

namespace lapis {
namespace {

constexpr int64_t kSomeExtent = 128;  // large enough for all that is done with large ones
// Lengths that leave a narrower panel, behind whole ones and alone. Nearly every length is like one of them.
constexpr int64_t kUnevenExtents[] = {165, 37};
// What is left to do once shapes are known: all was simplified as far as it could be. Mostly folding is enough.
constexpr std::string_view kBound = "expand,simplify", kFolded = "fold-constants",
                           kFoldedBranches = "fold-constants,inline-branches,fold-constants,dce";

bool has_bodies(const Graph& graph) { return total_node_count(graph) != graph.node_count(); }

Shape as_far_as_fixed(const Type& type) {
  Shape shape;
  for (const Dim& d : *type.dims) shape.push_back(d.constant().value_or(kFree));
  return shape;
}

std::vector<IoInfo> describe(const std::vector<Value*>& values) {
  std::vector<IoInfo> infos;
  infos.reserve(values.size());
  for (const Value* v : values)
    infos.push_back({v->name(), v->dtype(), v->type().ranked() ? as_far_as_fixed(v->type()) : Shape{}});
  return infos;
}

Status check_ranges(const Graph& graph, const ExtentRanges& ranges) {
  const std::vector<std::string> symbols = free_symbols(graph);
  Diagnostics found;
  for (const auto& [name, range] : ranges) {
    if (std::ranges::find(symbols, name) == symbols.end())
      found.push_back(error(ErrorKind::Usage, "the model has no symbolic dimension '" + name + "' to give a range")
                          .help(symbols.empty() ? "leave it out: its shapes are fixed" : suggestion(name, symbols)));
    if (range.lowest < 0 || range.lowest > range.highest)
      found.push_back(error(ErrorKind::Usage, "'" + name + "' cannot be from " + std::to_string(range.lowest) + " to " +
                                                  std::to_string(range.highest))
                          .help("give the lowest extent first, 0 or more"));
  }
  return status_of(std::move(found));
}

}  // namespace

ModelFamily::ModelFamily(std::unique_ptr<Graph> graph, ExtentRanges ranges, CompileOptions options)
    : graph_(std::move(graph)),
      ranges_(std::move(ranges)),
      options_(std::move(options)),
      inputs_(describe(graph_->inputs())),
      outputs_(describe(graph_->outputs())) {
  for (const Value* constant : graph_->constants()) hashes_.remember(constant->constant());
  options_.pipeline = *parse_pipeline(kBound);
  folded_ = *parse_pipeline(has_bodies(*graph_) ? kFoldedBranches : kFolded);
  options_.context.disabled_rules.insert("fold.parts");  // of embeddings, by length: all lengths share the whole
  options_.hashes = &hashes_;
  options_.identify = false;  // nobody saves these programs
}

Result<std::shared_ptr<ModelFamily>> ModelFamily::make(const Graph& graph, ExtentRanges ranges,
                                                       CompileOptions options) {
  LAPIS_CHECK(check_ranges(graph, ranges));
  LAPIS_TRY(Prepared prepared, run_symbolic_passes(graph, options));
  return std::shared_ptr<ModelFamily>(
      new ModelFamily(std::move(prepared.graph), std::move(ranges), std::move(options)));
}

// Extents of symbols that stand alone; bind_shapes finds whatever contradicts the model.
Status ModelFamily::check(const std::vector<Shape>& shapes) const {
  if (shapes.size() != graph_->inputs().size())
    return error(ErrorKind::Mismatch, "the model takes " + std::to_string(graph_->inputs().size()) + " inputs, got " +
                                          std::to_string(shapes.size()));
  Diagnostics found;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Value& input = *graph_->inputs()[i];
    const Dims& dims = *input.type().dims;
    for (size_t d = 0; d < std::min(dims.size(), shapes[i].size()); ++d) {
      const std::vector<std::string> symbols = dims[d].symbols();
      if (symbols.size() != 1 || !(dims[d] == Dim::symbol(symbols[0]))) continue;
      const auto known = ranges_.find(symbols[0]);
      const ExtentRange range = known == ranges_.end() ? ExtentRange{} : known->second;
      if (shapes[i][d] >= range.lowest && shapes[i][d] <= range.highest) continue;
      found.push_back(error(ErrorKind::Mismatch, "input '" + input.name() + "' is " + to_string(shapes[i]) +
                                                     ", where '" + symbols[0] + "' must be from " +
                                                     std::to_string(range.lowest) + " to " +
                                                     std::to_string(range.highest))
                          .help("give an input within the range, or compile the model for a larger one"));
    }
  }
  return status_of(std::move(found));
}

// Of symbols that stand alone somewhere.
ModelFamily::Extents ModelFamily::extents_of(const std::vector<Shape>& shapes) const {
  Extents extents;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Dims& dims = *graph_->inputs()[i]->type().dims;
    for (size_t d = 0; d < std::min(dims.size(), shapes[i].size()); ++d)
      if (const std::vector<std::string> symbols = dims[d].symbols();
          symbols.size() == 1 && dims[d] == Dim::symbol(symbols[0]))
        extents[symbols[0]] = shapes[i][d];
  }
  return extents;
}

Result<std::unique_ptr<Graph>> ModelFamily::bound_to(const Extents& extents) const {
  std::unique_ptr<Graph> bound = graph_->clone();
  LAPIS_CHECK(bind_symbols(*bound, extents));
  return bound;
}

Result<Plan> ModelFamily::plan_at(const Extents& extents, bool only_folds) const {
  LAPIS_TRY(const std::unique_ptr<Graph> bound, bound_to(extents));
  CompileOptions options = options_;
  if (only_folds) options.pipeline = folded_;
  return lower_model(*bound, options);
}

bool ModelFamily::is_of_folded(const Plan& plan, const Extents& extents) const {
  const Result<Plan> folded = plan_at(extents, true);
  return folded.ok() && folded->hash() == plan.hash();
}

// Like these in each symbol, within its range. What has an extent of 1 keeps it: then much is simpler.
ModelFamily::Pair ModelFamily::pair_like(const Extents& extents, const Like& like) const {
  Pair pair;
  for (const std::string& symbol : free_symbols(*graph_)) {
    const auto known = ranges_.find(symbol);
    const ExtentRange range = known == ranges_.end() ? ExtentRange{} : known->second;
    const int64_t extent = extents.contains(symbol) ? extents.at(symbol) : kSomeExtent;
    const codegen::AlikeExtents alike = extent == 1 ? codegen::AlikeExtents{1, 1} : like(extent);
    pair.nominal[symbol] = std::clamp(alike.nominal, range.lowest, range.highest);
    pair.other[symbol] = std::clamp(alike.other, range.lowest, range.highest);
  }
  return pair;
}

// Where a plan cannot be made, each shape has code of its own.
void ModelFamily::make_nominal(Nominal& made, const Pair& pair, bool only_folds) {
  made.only_folds = only_folds;
  const Result<Plan> a = plan_at(pair.nominal, only_folds), b = plan_at(pair.other, only_folds);
  if (!a.ok() || !b.ok()) return;
  keep_weights(*a);
  made.forms.add(*a, *b);
}

void ModelFamily::make_general(Nominal& made, const Pair& pair, const Extents& extents) {
  const Result<Plan> a = plan_at(pair.nominal, false), b = plan_at(pair.other, false);
  if (!a.ok() || !b.ok()) return;
  keep_weights(*a);
  made.only_folds = is_of_folded(*a, pair.nominal) && is_of_folded(*b, pair.other);
  made.forms.add(*a, *b);
  for (const int64_t uneven : kUnevenExtents)
    add_uneven(made, pair_like(extents, [&](int64_t) { return codegen::extents_like(uneven); }));
}

// The first shape waits for code that nearly every other one needs, so that these do not.
void ModelFamily::add_uneven(Nominal& general, const Pair& pair) {
  if (pair.nominal == pair.other) return;
  Result<Plan> a = plan_at(pair.nominal, general.only_folds);
  if (!a.ok() || general.forms.attach(*a)) return;
  const Result<Plan> b = plan_at(pair.other, general.only_folds);
  if (!b.ok()) return;
  general.forms.add(*a, *b);
  general.forms.attach(*a);
  static_cast<void>(codegen::emit_forms(*a, options_.caches->code));  // or it fails again where it is needed
}

const ModelFamily::Nominal& ModelFamily::nominal_at(const Pair& pair, const std::function<void(Nominal&)>& make) {
  std::unique_lock lock(nominal_mutex_);
  Nominal& nominal = nominal_[pair];
  lock.unlock();
  std::call_once(nominal.made, [&] { make(nominal); });
  return nominal;
}

const ModelFamily::Nominal& ModelFamily::general_nominal(const Extents& extents) {
  const Pair pair = pair_like(extents, [](int64_t) { return codegen::extents_like(kSomeExtent); });
  return nominal_at(pair, [&](Nominal& made) { make_general(made, pair, extents); });
}

void ModelFamily::attach_forms(Plan& plan, const Extents& extents) {
  const Nominal& general = general_nominal(extents);
  if (general.forms.attach(plan)) return;
  for (auto* like : {codegen::extents_like, codegen::short_extents_like}) {
    const Pair pair = pair_like(extents, like);
    const Nominal& known = nominal_at(pair, [&](Nominal& made) { make_nominal(made, pair, general.only_folds); });
    if (known.forms.attach(plan)) return;
  }
}

void ModelFamily::keep_weights(const Plan& plan) {
  const std::scoped_lock lock(nominal_mutex_);
  nominal_weights_.push_back(plan.weights);
}

// Programs have them now.
void ModelFamily::forget_weights() {
  const std::scoped_lock lock(nominal_mutex_);
  nominal_weights_.clear();
}

Result<Compiled> ModelFamily::compile_at(const std::vector<Shape>& shapes, const CompileOptions& options) const {
  std::unique_ptr<Graph> bound = graph_->clone();
  std::map<std::string, Shape> by_name;
  for (size_t i = 0; i < shapes.size(); ++i) by_name[bound->inputs()[i]->name()] = shapes[i];
  LAPIS_CHECK(bind_shapes(*bound, by_name));
  return compile(std::move(bound), options, graph_.get());
}

Result<Executable> ModelFamily::compile_for(const std::vector<Shape>& shapes) {
  LAPIS_CHECK(check(shapes));
  CompileOptions options = options_;
  const Extents extents = extents_of(shapes);
  const bool only_folds = general_nominal(extents).only_folds;
  options.forms = [&](Plan& plan) { attach_forms(plan, extents); };
  if (only_folds) {
    options.pipeline = folded_;
    options.passes.verify = has_bodies(*graph_);  // else what binding has inferred is all that there is to check
  }
  Result<Compiled> compiled = compile_at(shapes, options);
  if (!compiled.ok() && only_folds) compiled = compile_at(shapes, options_);  // it wants more than folding
  if (!compiled.ok()) return std::move(compiled).diagnostics();
  forget_weights();
  return Executable::from(std::move(compiled->program));
}

// Who finds an entry waits for it; who does not has to keep the promise.
std::optional<ModelFamily::Made> ModelFamily::find_or_claim(const std::vector<Shape>& shapes, Promise& promise) {
  const std::scoped_lock lock(mutex_);
  const auto known = std::ranges::find(entries_, shapes, &Entry::shapes);
  if (known != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, known);
    return known->made;
  }
  entries_.push_front({shapes, promise.get_future().share()});
  if (entries_.size() > kMostPrograms) entries_.pop_back();
  return std::nullopt;
}

Result<Executable> ModelFamily::at(const std::vector<Shape>& shapes) {
  Promise promise;
  if (const std::optional<Made> known = find_or_claim(shapes, promise)) return known->get();
  Result<Executable> made = guarded([&] { return compile_for(shapes); });
  if (!made.ok()) forget(shapes);
  promise.set_value(made);
  return made;
}

// A shape that failed is tried again: memory may have been short.
void ModelFamily::forget(const std::vector<Shape>& shapes) {
  const std::scoped_lock lock(mutex_);
  entries_.remove_if([&](const Entry& e) { return e.shapes == shapes; });
}

size_t ModelFamily::programs() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

}  // namespace lapis
