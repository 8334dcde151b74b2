// One model at every shape that its symbols allow: passes run once on the symbolic graph; a shape is bound, lowered and
// emitted when it is first asked for, with the weights and the code that other shapes have left. Shared by sessions on
// any threads.
//
//   LAPIS_TRY(auto family, ModelFamily::make(*graph, {{"S", {1, 512}}}));
//   LAPIS_TRY(auto session, FlexibleSession::make(family, {}));
//   LAPIS_TRY(auto outputs, session.run({ids, mask}));
#pragma once

#include <functional>
#include <future>
#include <limits>
#include <tuple>

#include "codegen/forms.h"
#include "driver/compile.h"
#include "runtime/flexible.h"

namespace lapis {

struct ExtentRange {
  int64_t lowest = 1, highest = std::numeric_limits<int32_t>::max();
  bool operator==(const ExtentRange&) const = default;
};
using ExtentRanges = std::map<std::string, ExtentRange>;  // by symbol

class ModelFamily final : public ExecutableFamily {
 public:
  // The graph's free symbols may be anything within their ranges. Errors: those of the passes; ErrorKind::Usage for a
  // range without a symbol or without numbers in it.
  static Result<std::shared_ptr<ModelFamily>> make(const Graph& graph, ExtentRanges ranges,
                                                   CompileOptions options = {});

  const std::vector<IoInfo>& inputs() const override { return inputs_; }
  const std::vector<IoInfo>& outputs() const override { return outputs_; }
  Result<Executable> at(const std::vector<Shape>& shapes) override;
  // Programs made so far and still kept.
  size_t programs() const;
  const Target& target() const { return options_.target; }

 private:
  static constexpr size_t kMostPrograms = 128;
  using Promise = std::promise<Result<Executable>>;
  using Made = std::shared_future<Result<Executable>>;
  struct Entry {
    std::vector<Shape> shapes;
    Made made;
  };
  ModelFamily(std::unique_ptr<Graph> graph, ExtentRanges ranges, CompileOptions options);
  std::optional<Made> find_or_claim(const std::vector<Shape>& shapes, Promise& promise);
  Status check(const std::vector<Shape>& shapes) const;
  using Extents = std::map<std::string, int64_t>;
  Extents extents_of(const std::vector<Shape>& shapes) const;
  // Two shapes that a model of this kind may well have: what differs between them varies.
  struct Pair {
    Extents nominal, other;
    bool operator<(const Pair& b) const { return std::tie(nominal, other) < std::tie(b.nominal, b.other); }
  };
  using Like = std::function<codegen::AlikeExtents(int64_t extent)>;
  struct Nominal {
    std::once_flag made;   // by who asks first; the others wait, those of other shapes do not
    codegen::Forms forms;  // none where the model cannot have these shapes
    // What shapes decide is constants: once they are folded, simplifying more makes no other plan.
    bool only_folds = false;
  };
  Pair pair_like(const Extents& extents, const Like& like) const;
  const Nominal& nominal_at(const Pair& pair, const std::function<void(Nominal&)>& make);
  void make_nominal(Nominal& nominal, const Pair& pair, bool only_folds);
  void make_general(Nominal& nominal, const Pair& pair, const Extents& extents);
  void add_uneven(Nominal& general, const Pair& pair);
  const Nominal& general_nominal(const Extents& extents);
  void attach_forms(Plan& plan, const Extents& extents);
  void keep_weights(const Plan& plan);
  void forget_weights();
  Result<std::unique_ptr<Graph>> bound_to(const Extents& extents) const;
  Result<Plan> plan_at(const Extents& extents, bool only_folds) const;
  bool is_of_folded(const Plan& plan, const Extents& extents) const;
  Result<Compiled> compile_at(const std::vector<Shape>& shapes, const CompileOptions& options) const;
  Result<Executable> compile_for(const std::vector<Shape>& shapes);
  void forget(const std::vector<Shape>& shapes);

  const std::unique_ptr<const Graph> graph_;  // after the passes
  const ExtentRanges ranges_;
  CompileOptions options_;
  Pipeline folded_;  // what is left to do where all that shapes decide is constants
  kernels::TensorHashes hashes_;
  std::vector<IoInfo> inputs_, outputs_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the one that was asked for last in front
  std::mutex nominal_mutex_;
  std::map<Pair, Nominal> nominal_;     // they stay where they are
  std::vector<Parts> nominal_weights_;  // so that the first program finds them
};

}  // namespace lapis
