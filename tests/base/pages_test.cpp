// Pages of mapped files can be let go and come back; other memory is left alone.
#include "base/pages.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/file.h"

namespace lapis {
namespace {

constexpr size_t kPage = 4096, kPages = 64;

Path temporary() { return std::filesystem::temp_directory_path() / ("lapis_pages_test_" + std::to_string(::getpid())); }

MappedFile file_of(char content) {
  EXPECT_TRUE(write_file(temporary(), std::string(kPages * kPage, content)).ok());
  MappedFile file = *map_file(temporary());
  std::filesystem::remove(temporary());
  return file;
}

bool holds_only(std::span<const std::byte> bytes, char content) {
  return std::ranges::all_of(bytes, [&](std::byte b) { return b == static_cast<std::byte>(content); });
}

// Bytes of the mapping that this process has in memory, as the kernel counts them.
size_t resident(const MappedFile& file) {
  const auto first = reinterpret_cast<uintptr_t>(file.data.get());
  std::ifstream smaps("/proc/self/smaps");
  for (std::string line; std::getline(smaps, line);) {
    if (line.find('-') == std::string::npos || std::stoull(line, nullptr, 16) != first) continue;
    while (std::getline(smaps, line))
      if (line.starts_with("Rss:")) return std::stoull(line.substr(4)) * 1024;
  }
  return 0;
}

TEST(Pages, OfFilesComeBack) {
  const MappedFile file = file_of('p');
  ASSERT_TRUE(holds_only(file.bytes(), 'p'));
  EXPECT_EQ(resident(file), kPages * kPage);
  let_go_of_pages(file.bytes().subspan(100));
  EXPECT_EQ(resident(file), kPage) << "the one that is let go only in part";
  EXPECT_TRUE(holds_only(file.bytes(), 'p'));
}

TEST(Pages, OfOtherMemoryStay) {
  const std::string text(kPages * kPage, 't');
  const auto bytes = std::as_bytes(std::span(text));
  EXPECT_FALSE(in_mapped_file(bytes.data()));
  let_go_of_pages(bytes);
  EXPECT_TRUE(holds_only(bytes, 't'));
  let_go_of_pages({});
}

TEST(Pages, AreAFilesAsLongAsItIsMapped) {
  const std::byte* first = nullptr;
  {
    const MappedFile file = file_of('m');
    first = file.data.get();
    EXPECT_TRUE(in_mapped_file(first));
    EXPECT_TRUE(in_mapped_file(first + file.size - 1));
    EXPECT_FALSE(in_mapped_file(first + file.size));
  }
  EXPECT_FALSE(in_mapped_file(first));
}

}  // namespace
}  // namespace lapis
