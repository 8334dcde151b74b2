// Strategy: which configuration is tried next, given all results so far.
// Trials: what runs them, or answers from the history of an interrupted run.
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
// A strategy decides by results and by trials.random() only, so that a run with the same seed tries the same, and one
// that goes on after an interruption walks through the recorded trials to where it was.
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
  // `seconds_before`: what it took to come so far.
  Trials(Workbench& bench, const TuneConfig& config, const TuneObserver& observer, Workspace& workspace,
         History recorded, double seconds_before);

  // The result for a configuration: measured now, or known. Null: the search is over, and the strategy returns.
  const Trial* run(const Configuration& configuration);
  // Says what is to be run next, as far as no result changes that, so that several ranks measure side by side;
  // alone, nothing happens.
  void run_ahead(const std::vector<Configuration>& configurations);
  // How many configurations it is worth to say that of.
  size_t width() const { return static_cast<size_t>(bench_.team().size()); }
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
  // Measures the best trial on all samples if its answer came early,
  // and the next best one if it is that no more, before it is declared.
  Status confirm_best();
  // Why the results could not be kept; ok: they are all in the workspace.
  const Status& status() const { return status_; }
  Status save();
  Status save_last();  // once all ranks have come to the end

 private:
  const Trial* find(const Configuration& configuration) const;
  double seconds() const;
  bool spent() const;
  enum class By { ThisRank, AllRanks };
  struct Opened {  // what a trial is measured with
    Built built;
    Runners runners;
    Answer answer = Answer::Passes;
  };
  Trial measure(const Configuration& configuration);
  Trial measured(const Configuration& configuration, By by);
  Status open(const Trial& trial, Opened& opened);
  Status evaluate(Trial& trial, Opened& opened, const std::string& name);
  Status weigh(Trial& trial, Opened& opened);
  Trial agreed(const std::string& name, const std::function<Trial()>& measure);
  void judge(Trial& trial, Answer answer) const;
  const Trial* keep(Trial trial, bool is_new);
  Trial measure_whole(const Trial& trial);
  const Trial& confirm(const Trial& trial);

  Workbench& bench_;
  const TuneConfig& config_;
  const TuneObserver& observer_;
  Workspace& workspace_;
  History history_;
  std::unordered_map<std::string, Trial> recorded_, recorded_whole_;
  std::unordered_map<std::string, const Trial*> known_;
  const double seconds_before_;
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
