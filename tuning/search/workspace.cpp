#include "tuning/search/workspace.h"

#include <cstdio>

#include "frontends/onnx/export.h"
#include "tuning/search/report.h"

namespace lapis {

Result<Workspace> Workspace::open(const Path& folder, Begin begin) {
  Workspace workspace(folder, begin);
  std::error_code failed;
  if (begin == Begin::Fresh && std::filesystem::exists(workspace.history_file(), failed))
    return error(ErrorKind::Usage, "the workspace holds a tuning run already")
        .at(workspace.history_file().string())
        .help("--resume goes on with it, --restart begins anew, or choose another `tuning.workspace.path`");
  if (std::filesystem::exists(folder, failed)) LAPIS_CHECK(check_writable(workspace.history_file()));
  return workspace;
}

Result<History> Workspace::recorded(const SearchSpace& space, const std::string& fingerprint) const {
  std::error_code failed;
  if (begin_ != Begin::Resume || !std::filesystem::exists(history_file(), failed)) return History{fingerprint, {}, {}};
  LAPIS_TRY(const std::string text, read_file(history_file()));
  LAPIS_TRY(History history, parse_history(text, space, history_file().string()));
  if (history.fingerprint == fingerprint) return history;
  return error(ErrorKind::Usage, "the workspace is that of another model, data set or configuration")
      .at(history_file().string())
      .help(
          "only `exit_policy`, `workspace` and `performance` may change between a run and its continuation; --restart "
          "begins anew");
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

Status Workspace::save(const History& history, const Workbench& bench) {
  LAPIS_CHECK(make_folders());
  std::set<int> front;
  for (const Trial* t : history.front()) {
    front.insert(t->number);
    if (!front_.contains(t->number)) LAPIS_CHECK(save_model(*t, front_file(t->number), bench));
  }
  front_ = std::move(front);
  if (const Trial* best = history.best(); best && best->number != best_) {
    LAPIS_CHECK(save_model(*best, best_file(), bench));
    best_ = best->number;
  }
  LAPIS_CHECK(write_file(folder_ / "report.html", to_html(history, bench.space(), bench.title())));
  LAPIS_CHECK(write_file(history_file(), to_json(history, bench.space())));
  forget_others();
  return ok();
}

}  // namespace lapis
