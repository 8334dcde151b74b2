#include "tuning/search/workspace.h"

#include <cstdio>

#include "frontends/onnx/export.h"
#include "tuning/reports/report.h"

namespace lapis {

Status Workspace::check_free() const {
  std::error_code failed;
  if (begin_ == Begin::Fresh && std::filesystem::exists(history_file(), failed))
    return error(ErrorKind::Usage, "the workspace holds a tuning run already")
        .at(history_file().string())
        .help("--resume goes on with it, --restart begins anew, or choose another `tuning.workspace.path`");
  return std::filesystem::exists(folder_, failed) ? check_writable(history_file()) : ok();
}

// Whether it is free is asked before one of the ranks writes there, once for all of them.
Result<Workspace> Workspace::open(const Path& folder, Begin begin, const Path& tensorboard, Team& team) {
  Workspace workspace(folder, begin, tensorboard);
  LAPIS_CHECK(team.once("workspace", [&]() -> Result<std::string> {
    LAPIS_CHECK(workspace.check_free());
    team.forget_others();
    return std::string();
  }));
  return workspace;
}

// Empty where there is nothing to go on with.
Result<std::string> Workspace::history_text() const {
  std::error_code failed;
  if (begin_ != Begin::Resume || !std::filesystem::exists(history_file(), failed)) return std::string();
  return read_file(history_file());
}

Result<History> Workspace::recorded(const SearchSpace& space, const std::string& fingerprint, Team& team) const {
  LAPIS_TRY(const std::string begun, team.once("fingerprint", [&]() -> Result<std::string> { return fingerprint; }));
  if (begun != fingerprint)
    return error(ErrorKind::Usage, "another rank tunes another model, data set or configuration")
        .at("rank " + std::to_string(team.rank()))
        .help("give all ranks the same files, and where machines differ, a `device.target` that all of them have");
  LAPIS_TRY(const std::string text, team.once("history", [&] { return history_text(); }));
  if (text.empty()) return History{fingerprint, {}, {}, {}};
  LAPIS_TRY(History history, parse_history(text, space, history_file().string()));
  if (history.fingerprint == fingerprint) return history;
  return error(ErrorKind::Usage, "the workspace is that of another model, data set or configuration")
      .at(history_file().string())
      .help(
          "only `exit_policy`, `workspace`, `tensorboard` and `performance` may change between a run and its "
          "continuation; --restart begins anew");
}

Path Workspace::front_file(int trial) const {
  char name[32];
  std::snprintf(name, sizeof name, "%03d.onnx", trial);
  return folder_ / "front" / name;
}

static Path recipe_beside(Path model) { return model.replace_extension(".yaml"); }

Status Workspace::save_model(const Trial& trial, const Path& file, const Workbench& bench) const {
  LAPIS_TRY(const Built built, bench.build(trial.configuration));
  std::unordered_map<std::string, std::string> comments;
  for (const NodeDecision& d : built.report.decisions) comments[d.node] = d.op + ": " + d.note;
  LAPIS_CHECK(export_onnx(*built.graph, file));
  return write_file(recipe_beside(file), to_yaml(built.report.recipe, comments));
}

// Models that are not of the front any more. Not to be able to remove them costs room, no result.
void Workspace::forget_others() const {
  std::error_code ignored;
  std::set<std::string> keep;
  for (const int trial : front_) keep.insert(front_file(trial).stem().string());
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "front", ignored))
    if (!keep.contains(entry.path().stem().stem().string()) && !entry.path().filename().string().starts_with("."))
      std::filesystem::remove(entry.path(), ignored);
}

Status Workspace::make_folders() const {
  std::error_code failed;
  std::filesystem::create_directories(folder_ / "front", failed);
  if (!failed) return ok();
  return error(ErrorKind::Io, "cannot create the workspace: " + failed.message())
      .at(folder_.string())
      .help("name a folder where you may write in `tuning.workspace.path`");
}

// Where the best model is fp32, the quantized one that is nearest to it has something to tell.
Status Workspace::diagnose(const History& history, Workbench& bench, const Insight& of_best) {
  const Trial* trial = history.best_quantized();
  if (!bench.diagnoses() || !history.attribution || !trial) return ok();
  const Insight& insight = trial->number == of_best.trial ? of_best : insights_of_quantized_.of(*trial, bench);
  diagnosis_ = diagnosis_of(insight, *history.attribution, bench.space(), bench.nodes_to_diagnose());
  return write_file(diagnosis_file(), to_json(*diagnosis_));
}

Status Workspace::save(const History& history, Workbench& bench) {
  LAPIS_CHECK(make_folders());
  std::set<int> front;
  for (const Trial* t : history.front()) {
    front.insert(t->number);
    if (!front_.contains(t->number)) LAPIS_CHECK(save_model(*t, front_file(t->number), bench));
  }
  front_ = std::move(front);
  const Trial* best = history.best();
  if (best && best->number != best_) {
    LAPIS_CHECK(save_model(*best, best_file(), bench));
    best_ = best->number;
  }
  const Insight nothing, &insight = best && history.attribution ? insights_.of(*best, bench) : nothing;
  LAPIS_CHECK(diagnose(history, bench, insight));
  const Diagnosis* const diagnosis = diagnosis_ ? &*diagnosis_ : nullptr;
  LAPIS_CHECK(write_file(folder_ / "report.html", to_html(history, bench.space(), bench.title(), insight, diagnosis)));
  LAPIS_CHECK(tensorboard_.write(history, bench.title().metric, bench.graph(), insight));
  LAPIS_CHECK(write_file(history_file(), to_json(history, bench.space())));
  forget_others();
  return ok();
}

}  // namespace lapis
