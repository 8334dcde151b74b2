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
