#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>

namespace lapis {
namespace {

namespace fs = std::filesystem;

class File : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.insert(entry.path().filename());
    return names;
  }
  const Path folder_ = fs::temp_directory_path() / ("lapis_file_test_" + std::to_string(::getpid()));
};

TEST_F(File, WhatIsWrittenIsReadAndMapped) {
  for (const std::string& text : {std::string(), std::string("a\0b", 3), std::string(100000, 'x')}) {
    ASSERT_TRUE(write_file(folder_ / "f", std::string_view(text)).ok());
    EXPECT_EQ(*read_file(folder_ / "f"), text);
    const auto mapped = map_file(folder_ / "f");
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped->data.get()), mapped->size), text);
  }
  EXPECT_EQ(names(), (std::set<std::string>{"f"}));
}

TEST_F(File, WhatIsNoRegularFileIsRefusedWithoutOpeningIt) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  fs::create_symlink("pipe", folder_ / "link");
  const std::pair<Path, std::string> cases[] = {{folder_, "is a folder"},
                                                {folder_ / "pipe", "is a named pipe"},
                                                {folder_ / "link", "is a named pipe"},
                                                {"/dev/zero", "is a device"},
                                                {folder_ / "none", "cannot open the file"}};
  for (const auto& [path, message] : cases) {
    const auto mapped = map_file(path);  // of a pipe that nobody writes to, open() would never return
    ASSERT_FALSE(mapped.ok()) << path;
    EXPECT_NE(mapped.diagnostics()[0].message.find(message), std::string::npos) << mapped.diagnostics()[0].message;
    EXPECT_FALSE(check_regular(path).ok());
  }
}

TEST_F(File, PartsAreJoined) {
  const std::string a = "one ", b, c = "two";
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(a)), std::as_bytes(std::span(b)),
                                              std::as_bytes(std::span(c))};
  ASSERT_TRUE(write_file(folder_ / "f", parts).ok());
  EXPECT_EQ(*read_file(folder_ / "f"), "one two");
}

TEST_F(File, MappingOutlivesReplacement) {
  ASSERT_TRUE(write_file(folder_ / "f", "old").ok());
  const auto mapped = map_file(folder_ / "f");
  ASSERT_TRUE(write_file(folder_ / "f", "newer").ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped->data.get()), mapped->size), "old");
}

TEST_F(File, FailedRenameLeavesTargetAndNoTemporary) {
  fs::create_directories(folder_ / "taken" / "inside");
  const Status status = write_file(folder_ / "taken", "text");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.diagnostics()[0].location.find("taken"), std::string::npos);
  EXPECT_EQ(names(), (std::set<std::string>{"taken"}));
  EXPECT_TRUE(fs::is_directory(folder_ / "taken" / "inside"));
}

// A file size limit makes write() fail in the middle, as a full disk does.
TEST_F(File, FailedWriteLeavesTargetAndNoTemporary) {
  ASSERT_TRUE(write_file(folder_ / "f", "precious").ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{4096, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = write_file(folder_ / "f", std::string(10000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.diagnostics()[0].kind, ErrorKind::Io);
  EXPECT_EQ(*read_file(folder_ / "f"), "precious");
  EXPECT_EQ(names(), (std::set<std::string>{"f"}));
}

TEST_F(File, LinksStayAndTheirTargetsAreReplaced) {
  ASSERT_TRUE(write_file(folder_ / "real", "old").ok());
  fs::create_directory(folder_ / "sub");
  fs::create_symlink("real", folder_ / "link");
  fs::create_symlink("../link", folder_ / "sub/far");
  fs::create_symlink("sub/later", folder_ / "dangling");
  ASSERT_TRUE(write_file(folder_ / "sub/far", "new").ok());
  ASSERT_TRUE(write_file(folder_ / "dangling", "made").ok());
  for (const char* link : {"link", "sub/far", "dangling"}) EXPECT_TRUE(fs::is_symlink(folder_ / link)) << link;
  EXPECT_EQ(*read_file(folder_ / "real"), "new");
  EXPECT_EQ(*read_file(folder_ / "sub/later"), "made");
  fs::create_symlink("round", folder_ / "round");
  EXPECT_FALSE(write_file(folder_ / "round", "x").ok());
}

TEST_F(File, ModesAreKeptAndNewFilesFollowTheUmask) {
  const mode_t umask_before = ::umask(027);
  ASSERT_TRUE(write_file(folder_ / "new", "x").ok());
  EXPECT_EQ(fs::status(folder_ / "new").permissions(), fs::perms(0640));
  for (const int mode : {0600, 0666, 0751}) {
    fs::permissions(folder_ / "new", fs::perms(mode));
    ASSERT_TRUE(write_file(folder_ / "new", "y").ok());
    EXPECT_EQ(fs::status(folder_ / "new").permissions(), fs::perms(mode));
  }
  ::umask(umask_before);
}

TEST_F(File, OnlyRegularFilesAreReplaced) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  fs::create_symlink("/dev/null", folder_ / "null");
  fs::create_directory(folder_ / "folder");
  const std::set<std::string> before = names();
  for (const auto& [path, what] : {std::pair(folder_ / "pipe", "a pipe"),
                                   {folder_ / "null", "a device"},
                                   {Path("/dev/null"), "a device"},
                                   {folder_ / "folder", "a folder"}}) {
    for (const Status& status : {check_writable(path), write_file(path, "x")}) {
      ASSERT_FALSE(status.ok()) << path;
      EXPECT_EQ(status.diagnostics()[0].kind, ErrorKind::Io);
      EXPECT_NE(status.diagnostics()[0].message.find(what), std::string::npos) << status.diagnostics()[0].message;
    }
  }
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(names(), before);
}

TEST_F(File, PipesAreNotWaitedFor) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_FALSE(map_file(folder_ / "pipe").ok());
}

TEST_F(File, RemembersWhatWasRead) {
  for (const char* name : {"a", "b"}) ASSERT_TRUE(write_file(folder_ / name, name).ok());
  fs::create_symlink("a", folder_ / "link");
  remember_reads();
  ASSERT_TRUE(map_file(folder_ / "link").ok());
  EXPECT_TRUE(was_read(folder_ / "a") && was_read(folder_ / "link"));
  EXPECT_FALSE(was_read(folder_ / "b") || was_read(folder_ / "missing"));
  ASSERT_TRUE(write_file(folder_ / "a", "another file").ok());
  EXPECT_FALSE(was_read(folder_ / "a"));
}

TEST_F(File, SetsOfFilesAppearTogetherOrNotAtAll) {
  const std::string one = "one", two(10000, '2');
  const auto pair = [&](const Path& first, const Path& second) {
    const FileContent files[] = {{first, {std::as_bytes(std::span(one))}}, {second, {std::as_bytes(std::span(two))}}};
    return write_files(files);
  };
  ASSERT_TRUE(write_file(folder_ / "a", "old").ok());
  EXPECT_FALSE(pair(folder_ / "a", folder_ / "missing" / "b").ok());
  EXPECT_FALSE(pair(folder_ / "b", folder_).ok());
  const auto small = [](rlim_t bytes, auto&& write) {
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{bytes, before.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    const Status status = write();
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    return status.ok();
  };
  EXPECT_FALSE(small(4096, [&] { return pair(folder_ / "a", folder_ / "b"); }));
  EXPECT_EQ(*read_file(folder_ / "a"), "old");
  EXPECT_EQ(names(), (std::set<std::string>{"a"}));
  ASSERT_TRUE(pair(folder_ / "a", folder_ / "b").ok());
  EXPECT_EQ(*read_file(folder_ / "a"), one);
  EXPECT_EQ(*read_file(folder_ / "b"), two);
  EXPECT_EQ(names(), (std::set<std::string>{"a", "b"}));
}

TEST_F(File, TwoResultsNeverBecomeOneFile) {
  fs::create_symlink("a", folder_ / "link");
  fs::create_symlink(".", folder_ / "same");
  const std::string text = "x";
  for (const Path& other :
       {folder_ / "a", folder_ / "link", folder_ / "same" / "a", folder_ / "same" / ".." / folder_.filename() / "a"}) {
    const FileContent files[] = {{folder_ / "a", {std::as_bytes(std::span(text))}},
                                 {other, {std::as_bytes(std::span(text))}}};
    const Status status = write_files(files);
    ASSERT_FALSE(status.ok()) << other;
    EXPECT_NE(status.diagnostics()[0].message.find("same file"), std::string::npos);
  }
  EXPECT_EQ(names(), (std::set<std::string>{"link", "same"}));
}

TEST_F(File, WhatCannotBeWrittenIsKnownBefore) {
  EXPECT_TRUE(check_writable(folder_ / "f").ok());
  for (const Path& path : {folder_ / "no" / "f", folder_ / "", Path(), folder_ / ".."})
    EXPECT_FALSE(check_writable(path).ok()) << path;
  EXPECT_TRUE(names().empty());
  if (::geteuid() == 0) return;  // whom permissions do not stop
  ASSERT_TRUE(write_file(folder_ / "f", "x").ok());
  fs::permissions(folder_ / "f", fs::perms(0444));
  EXPECT_FALSE(check_writable(folder_ / "f").ok());
  fs::permissions(folder_, fs::perms(0555));
  EXPECT_FALSE(check_writable(folder_ / "g").ok());
  fs::permissions(folder_, fs::perms(0755));
}

// In a process of its own, for which nothing can be written afterwards.
TEST_F(File, AbandonedWritesLeaveNoTemporary) {
  ASSERT_TRUE(write_file(folder_ / "done", "x").ok());
  EXPECT_EXIT(
      {
        static_cast<void>(write_file(folder_ / "done", "y"));
        const std::vector<std::string> finished = abandon_writes();
        ::_exit(!finished.empty() && finished.back() == (folder_ / "done").string() ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(names(), (std::set<std::string>{"done"}));
}

TEST_F(File, RefusesWhatIsNoFile) {
  std::ofstream(folder_ / "plain") << "x";
  for (const Path& path : {folder_ / "missing", folder_, folder_ / "plain" / "below", Path("/dev/null"), Path()}) {
    EXPECT_FALSE(map_file(path).ok()) << path;
    EXPECT_FALSE(read_file(path).ok()) << path;
  }
  EXPECT_EQ(map_file(folder_ / "missing").diagnostics()[0].kind, ErrorKind::Input);
  const Status written = write_file(folder_ / "no" / "folder", "x");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.diagnostics()[0].kind, ErrorKind::Io);
  EXPECT_EQ(names(), (std::set<std::string>{"plain"}));
}

}  // namespace
}  // namespace lapis
