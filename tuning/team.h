// Ranks: processes that tune together, as `mpirun -n N lapis tune config.yaml` starts them. All of them run the same
// search; what has to be measured is cut into pieces, each of which one of them makes and all of them read. They meet
// in a folder of the workspace, so that they need a file system in common and nothing else:
//
//   ranks/JOB/NAME        the result of a piece, complete when it appears, never replaced
//   ranks/JOB/NAME.lock   locked (flock) by who is making it, and by nobody as soon as that process has ended
//
//   LAPIS_TRY(Team team, Team::from_environment(workspace));
//   LAPIS_TRY(const std::string text, team.once("costs 7", [&] { return measure(); }));   // by one rank, for all
//
// Locks only keep two ranks from doing the same:
// should two make a piece after all, the first result is that of both (docs/adr/0031).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"

namespace lapis {

class Team {
 public:
  // Alone, unless a launcher says otherwise: OMPI_COMM_WORLD_RANK and _SIZE of Open MPI, and PMIX_NAMESPACE,
  // the name of the job.
  static Result<Team> from_environment(const Path& workspace);
  Team() = default;
  Team(Team&& other) noexcept { swap(other); }
  Team& operator=(Team&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Team();

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool alone() const { return size_ == 1; }

  // What one rank makes of this piece, for all. A failure is not shared: it is that of every rank, each of which tries.
  Result<std::string> once(const std::string& name, const std::function<Result<std::string>()>& work);
  // What the first rank to come here found, for all.
  Result<double> agreed(const std::string& name, double found);
  // One of several pieces; while another rank makes it, this one works on those behind it, one for each rank at most.
  Result<std::string> piece(const std::vector<std::string>& names, size_t index,
                            const std::function<Result<std::string>(size_t index)>& work);
  bool has(const std::string& name) const { return !alone() && result_of(name); }

  // Whether this rank writes and prints for all: one of them does, and another one if that has ended.
  bool speaks();
  // Folders that earlier runs left, of which a rank had died.
  void forget_others() const;
  // At the end: the rank that speaks does `last`; the others wait until it has.
  Status conclude(const std::function<Status()>& last);

 private:
  Path result_file(const std::string& name) const;
  std::optional<std::string> result_of(const std::string& name) const;
  Result<bool> make(const std::string& name, const std::function<Result<std::string>()>& work);
  Status publish(const std::string& name, const std::string& result) const;
  void leave();
  void swap(Team& other) noexcept;

  int rank_ = 0, size_ = 1;
  Path folder_;
  int speaker_ = -1;  // the lock, if this rank has it
};

// Numbers as text that gives the same numbers again.
std::string text_of(const std::vector<double>& numbers);
std::vector<double> numbers_of(const std::string& text);

}  // namespace lapis
