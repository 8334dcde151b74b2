// Strategy: which configuration is tried next, given all results so far. Trials: what runs them, or answers from the history of an interrupted run.
//
//   class MyStrategy final : public Strategy {
//     Status search(Trials& trials) override {
//       Configuration c = trials.space().int8(0);
//       while (const Trial* trial = trials.run(c)) {
//         if (trial->passes) break;
//         c = ...;
//       }
//       return ok();
//     }
//   };
//
// A strategy decides by results and by trials.random() only, so that a run with the same seed tries the same, and one that goes on after an
// interruption walks through the recorded trials to where it was.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "tuning/search/workbench.h"
#include "tuning/search/workspace.h"

namespace lapis {

class Trials {
 public:
  Trials(Workbench& bench, const TuneConfig& config, const TuneObserver& observer, Workspace& workspace,
         History recorded);

  // The result for a configuration: measured now, or known. Null: the search is over, and the strategy returns.
  const Trial* run(const Configuration& configuration);
  bool known(const Configuration& configuration) const { return find(configuration) != nullptr; }
  bool over() const { return over_; }

  const SearchSpace& space() const { return bench_.space(); }
  const History& history() const { return history_; }
  const Attribution& attribution() const { return *history_.attribution; }
  const TuneConfig& config() const { return config_; }
  const Trial& baseline() const { return history_.trials.front(); }
  Workbench& bench() { return bench_; }
  std::mt19937_64& random() { return random_; }

  // ---- for tune() ----
  // Measures the fp32 model and what each unit does to it, as far as they are not recorded.
  Status begin();
  // Why the results could not be kept; ok: they are all in the workspace.
  const Status& status() const { return status_; }
  Status save();

 private:
  const Trial* find(const Configuration& configuration) const;
  bool spent() const;
  Trial measure(const Configuration& configuration);
  Status fill_in(Trial& trial);
  void judge(Trial& trial, Answer answer) const;
  const Trial* keep(Trial trial, bool is_new);

  Workbench& bench_;
  const TuneConfig& config_;
  const TuneObserver& observer_;
  Workspace& workspace_;
  History history_;
  std::unordered_map<std::string, Trial> recorded_;
  std::unordered_map<std::string, const Trial*> known_;
  std::mt19937_64 random_;
  bool over_ = false;
  Status status_ = ok();
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  virtual Status search(Trials& trials) = 0;
};

std::vector<std::string> strategy_names();
// What a strategy does, in one line.
std::string_view describe_strategy(std::string_view name);
std::unique_ptr<Strategy> make_strategy(std::string_view name);

}  // namespace lapis
