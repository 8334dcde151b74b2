// Pictures of every kind that is read, against what Pillow makes of them (tests/tuning/data/generate.py),
// and damaged ones.
#include <gtest/gtest.h>

#include <random>

#include "base/file.h"
#include "tuning/data/image.h"
#include "tuning/data/npy.h"

namespace lapis {
namespace {

const Path kData = Path(LAPIS_SOURCE_DIR) / "tests/tuning/data";

class Decode : public ::testing::TestWithParam<const char*> {
 protected:
  std::string file() const { return (kData / GetParam()).string(); }
};

TEST_P(Decode, GivesWhatPillowGives) {
  const auto got = decode_image(file());
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  const auto wanted = read_npy(Path(file() + ".npy"));
  ASSERT_TRUE(wanted.ok()) << to_string(wanted.diagnostics());
  ASSERT_EQ(got->shape(), wanted->shape());
  for (int64_t i = 0; i < got->size(); ++i) ASSERT_EQ(got->as_int(i), wanted->as_int(i)) << "byte " << i;
}

TEST_P(Decode, RefusesWhatIsCutOff) {
  const std::string bytes = *read_file(Path(file()));
  for (const size_t keep : {bytes.size() / 2, size_t{30}, size_t{3}}) {
    const auto got = decode_image(std::as_bytes(std::span(bytes).first(keep)), "cut");
    ASSERT_FALSE(got.ok()) << keep << " of " << bytes.size() << " bytes";
    EXPECT_EQ(got.diagnostics()[0].location, "cut");
  }
}

TEST_P(Decode, SurvivesDamage) {
  const std::string whole = *read_file(Path(file()));
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    char& byte = damaged[random() % damaged.size()];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1u << random() % 8));
    const auto got = decode_image(std::as_bytes(std::span(damaged)), "damaged");
    if (got.ok()) EXPECT_EQ(got->rank(), 3);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Decode,
                         ::testing::Values("color.jpg", "progressive.jpg", "gray.jpg", "ink.jpg", "palette.png",
                                           "alpha.png", "deep.png", "bits.png", "lossless.webp", "lossy.webp"));

TEST(Decode, NamesWhatIsRead) {
  const auto got = decode_image(std::as_bytes(std::span("BM bitmap", 9)), "a.bmp");
  ASSERT_FALSE(got.ok());
  EXPECT_NE(to_string(got.diagnostics()).find("JPEG, PNG and WebP are"), std::string::npos);
}

}  // namespace
}  // namespace lapis
