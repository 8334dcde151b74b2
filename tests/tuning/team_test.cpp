// Ranks that share work, as processes of their own.
#include "tuning/team.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

namespace lapis {
namespace {

class Ranks : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "lapis_team_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    ::setenv("PMIX_NAMESPACE", "job", 1);
  }
  void TearDown() override {
    for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE"}) ::unsetenv(name);
    std::filesystem::remove_all(folder_);
  }

  Result<Team> rank(int rank, int size) const {
    ::setenv("OMPI_COMM_WORLD_RANK", std::to_string(rank).c_str(), 1);
    ::setenv("OMPI_COMM_WORLD_SIZE", std::to_string(size).c_str(), 1);
    return Team::from_environment(folder_);
  }

  // A process that is this rank; its exit code is what `work` gives.
  pid_t start(int number, int size, const std::function<int(Team&)>& work) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    Result<Team> team = rank(number, size);
    int code = 99;
    if (team.ok()) {
      Team own = *std::move(team);
      code = work(own);
    }
    ::_exit(code);
  }
  static int end_of(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // One line each time that something is done.
  void note(const std::string& what) const { std::ofstream(folder_ / "notes", std::ios::app) << what + "\n"; }
  std::vector<std::string> notes() const {
    std::ifstream file(folder_ / "notes");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  Path folder_;
};

std::vector<std::string> numbered(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back("piece " + std::to_string(i));
  return names;
}

TEST_F(Ranks, OneIsAlone) {
  ::unsetenv("PMIX_NAMESPACE");
  Result<Team> team = Team::from_environment(folder_);
  ASSERT_TRUE(team.ok());
  EXPECT_TRUE(team->alone());
  EXPECT_TRUE(team->speaks());
  EXPECT_EQ(*team->once("a", []() -> Result<std::string> { return std::string("b"); }), "b");
  EXPECT_FALSE(team->has("a"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  team = rank(0, 2);
  ASSERT_FALSE(team.ok());
  EXPECT_THAT(to_string(team.diagnostics()), ::testing::HasSubstr("mpirun"));
}

TEST_F(Ranks, EachPieceIsMadeOnceAndReadByAll) {
  const auto work = [&](Team& team) {
    const std::vector<std::string> names = numbered(20);
    for (size_t i = 0; i < names.size(); ++i) {
      const auto made = team.piece(names, i, [&](size_t k) -> Result<std::string> {
        note(std::to_string(k));
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        return std::to_string(team.rank()) + " made " + std::to_string(k);
      });
      if (!made.ok() || made->find(" made " + std::to_string(i)) != 1) return 1;
    }
    return team.conclude([&]() -> Status {
                 note("spoke");
                 return ok();
               }).ok()
               ? 0
               : 2;
  };
  const pid_t children[] = {start(0, 3, work), start(1, 3, work), start(2, 3, work)};
  for (const pid_t child : children) EXPECT_EQ(end_of(child), 0);
  std::vector<std::string> once = {"spoke"};
  for (int i = 0; i < 20; ++i) once.push_back(std::to_string(i));
  std::sort(once.begin(), once.end());
  EXPECT_EQ(notes(), once);
}

TEST_F(Ranks, WorkOfADeadRankIsDoneAgain) {
  const pid_t dies = start(0, 2, [&](Team& team) {
    static_cast<void>(team.speaks());
    static_cast<void>(team.once("a", [&]() -> Result<std::string> {
      note("begun");
      std::this_thread::sleep_for(std::chrono::minutes(5));
      return std::string("never");
    }));
    return 0;
  });
  while (notes().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const pid_t lives = start(1, 2, [&](Team& team) {
    if (team.speaks()) return 1;  // the other one does
    const auto made = team.once("a", []() -> Result<std::string> { return std::string("done"); });
    if (!made.ok() || *made != "done") return 2;
    return team.conclude([] { return ok(); }).ok() && team.speaks() ? 0 : 3;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(::waitpid(lives, nullptr, WNOHANG), 0) << "it waits for the one that has begun";
  ::kill(dies, SIGKILL);
  EXPECT_EQ(end_of(dies), -SIGKILL);
  EXPECT_EQ(end_of(lives), 0);
}

TEST_F(Ranks, AFailureIsThatOfEachRank) {
  const auto work = [&](Team& team) {
    const auto made = team.once("a", [&]() -> Result<std::string> {
      note("tried");
      return error(ErrorKind::Input, "no");
    });
    return made.ok() ? 0 : 5;
  };
  const pid_t children[] = {start(0, 2, work), start(1, 2, work)};
  for (const pid_t child : children) EXPECT_EQ(end_of(child), 5);
  EXPECT_EQ(notes(), (std::vector<std::string>{"tried", "tried"}));
}

TEST_F(Ranks, AFolderThatCannotBeWrittenIsSaid) {
  folder_ = "/proc/nowhere";
  const Result<Team> team = rank(0, 2);
  ASSERT_FALSE(team.ok());
  EXPECT_THAT(team.diagnostics()[0].location, ::testing::StartsWith("/proc/nowhere/ranks"));
}

TEST(Numbers, AreTheSameAgain) {
  const std::vector<double> numbers = {0, -1.0 / 3, 1e-300, INFINITY, 12345678.9};
  EXPECT_EQ(numbers_of(text_of(numbers)), numbers);
  EXPECT_TRUE(numbers_of("").empty());
}

}  // namespace
}  // namespace lapis
