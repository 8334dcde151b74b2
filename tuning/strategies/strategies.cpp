#include "tuning/strategies/strategies.h"

#include <algorithm>
#include <array>

namespace lapis {
namespace {

struct Row {
  std::string_view name, summary;
  Status (*search)(Trials& trials);
};

constexpr std::array kRows = {
    Row{"pareto", "the fastest within the target: units by measured sensitivity per measured gain", strategies::pareto},
    Row{"basic", "each unit alone in fp32, then those that helped, together", strategies::basic},
    Row{"mse", "units in the order of the error of their own values", strategies::mse},
    Row{"mse_v2", "units in the order of their effect on the model's outputs", strategies::mse_v2},
    Row{"hawq", "units in the order of their Hessian trace times the error of their weights", strategies::hawq},
    Row{"bayesian", "a Gaussian process and expected improvement", strategies::bayesian},
    Row{"tpe", "tree-structured Parzen estimators", strategies::tpe},
    Row{"random", "configurations drawn at random", strategies::random},
    Row{"exhaustive", "every configuration, those with few units in fp32 first", strategies::exhaustive},
};

class FunctionStrategy final : public Strategy {
 public:
  explicit FunctionStrategy(Status (*search)(Trials&)) : search_(search) {}
  Status search(Trials& trials) override { return search_(trials); }

 private:
  Status (*search_)(Trials&);
};

const Row& row_of(std::string_view name) {
  const auto it = std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.name == name; });
  LAPIS_ASSERT(it != kRows.end(), "there is no strategy '" << name << "'");
  return *it;
}

}  // namespace

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.name);
  return names;
}

std::string_view describe_strategy(std::string_view name) { return row_of(name).summary; }

std::unique_ptr<Strategy> make_strategy(std::string_view name) {
  return std::make_unique<FunctionStrategy>(row_of(name).search);
}

}  // namespace lapis
