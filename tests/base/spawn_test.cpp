#include "base/spawn.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace lapis {
namespace {

int end_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Spawn, GivesStreamsAndTakesTheExitCode) {
  int to[2], from[2];
  ASSERT_EQ(::pipe2(to, 0), 0);
  ASSERT_EQ(::pipe2(from, 0), 0);
  const auto child = spawn({"sh", "-c", "read line; echo got $line; exit 3"}, {.in = to[0], .out = from[1]});
  ASSERT_TRUE(child.ok());
  ::close(from[1]);
  ASSERT_EQ(::write(to[1], "words\n", 6), 6);
  char text[64] = {};
  ASSERT_GT(::read(from[0], text, sizeof text - 1), 0);
  EXPECT_STREQ(text, "got words\n");
  EXPECT_EQ(end_of(*child), 3);
  for (const int fd : {to[0], to[1], from[0]}) ::close(fd);
}

TEST(Spawn, AProgramThatDoesNotExistEndsWith127) {
  const auto child = spawn({"/no/such/program"}, {});
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(end_of(*child), 127);
}

// Whatever this process ignores: a program that writes into a closed pipe is to end by it.
TEST(Spawn, SignalsAreAsProgramsExpectThem) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  const auto child = spawn({"sh", "-c", "kill -PIPE $$; exit 0"}, {});
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(end_of(*child), -SIGPIPE);
  std::signal(SIGPIPE, before);
}

TEST(Spawn, EndsWhatTheChildHasStarted) {
  int from[2];
  ASSERT_EQ(::pipe2(from, 0), 0);
  const auto child = spawn({"sh", "-c", "sleep 100 & echo ready; wait"}, {.out = from[1]});
  ASSERT_TRUE(child.ok());
  ::close(from[1]);
  char text[64];
  ASSERT_GT(::read(from[0], text, sizeof text), 0);
  end_group(*child);
  EXPECT_EQ(end_of(*child), -SIGKILL);
  EXPECT_EQ(::read(from[0], text, sizeof text), 0) << "nobody holds the pipe any more";
  ::close(from[0]);
}

}  // namespace
}  // namespace lapis
