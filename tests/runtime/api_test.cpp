// The public API of the runtime, in C++ and C, over an artifact on disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lapis/executable.h>
#include <lapis/lapis_c.h>

#include <fstream>
#include <thread>

#include "tests/runtime/sample_program.h"

namespace {

using lapis::testing::kSampleSize;
using lapis::testing::sample_artifact;
using lapis::testing::sample_input;
using lapis::testing::sample_result;
using lapis::testing::temporary_file;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class Api : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }
  const std::string file_ = sample_artifact(::testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::array<uint8_t, kSampleSize> x_ = sample_input();
};

TEST_F(Api, LoadsRunsAndSaves) {
  const lapis::Executable executable = lapis::load(file_).value();
  EXPECT_EQ(executable.target(), "x86-64");
  ASSERT_EQ(executable.inputs().size(), 1U);
  EXPECT_EQ(executable.inputs()[0].name, "x");
  EXPECT_EQ(executable.inputs()[0].dtype, lapis::DType::UInt8);
  EXPECT_EQ(executable.outputs()[0].shape, (std::vector<int64_t>{1, kSampleSize}));
  lapis::Session session = executable.session({.threads = 2}).value();
  const lapis::Outputs outputs = session.run({{"x", {x_.data(), {1, kSampleSize}}}}).value();
  EXPECT_THAT(outputs.at("y").view<uint8_t>(), ElementsAreArray(sample_result(x_)));
  EXPECT_TRUE(outputs.at("y").view<float>().empty());

  const std::string copy = file_ + ".copy";
  ASSERT_TRUE(executable.save(copy).ok());
  EXPECT_TRUE(lapis::load(copy).ok());
  std::filesystem::remove(copy);
}

TEST_F(Api, FailuresHaveCodesAndMessages) {
  EXPECT_EQ(lapis::load("/nonexistent").error().code, lapis::ErrorCode::Input);
  const lapis::Executable executable = lapis::load(file_).value();
  EXPECT_EQ(executable.save("/nonexistent/folder/file").error().code, lapis::ErrorCode::Io);
  EXPECT_EQ(executable.session({.threads = -3}).error().code, lapis::ErrorCode::Usage);
  EXPECT_THROW(static_cast<void>(lapis::load("/nonexistent").value()), std::runtime_error);

  lapis::Session session = executable.session().value();
  const lapis::TensorView good(x_.data(), {1, kSampleSize}), flat(x_.data(), {kSampleSize});
  for (const auto& [inputs, messages] :
       {std::pair(lapis::Inputs{}, std::vector<std::string>{"input 'x' is missing"}),
        {lapis::Inputs{{"z", good}}, {"input 'x' is missing", "no input 'z'"}},
        {lapis::Inputs{{"x", flat}}, {"input 'x' must be uint8[1,64], got uint8[64]"}}}) {
    const auto outputs = session.run(inputs);
    ASSERT_FALSE(outputs.ok());
    EXPECT_EQ(outputs.error().code, lapis::ErrorCode::Mismatch);
    for (const std::string& message : messages) EXPECT_THAT(outputs.error().message, HasSubstr(message));
  }
}

TEST_F(Api, RunsFromC) {
  lapis_executable* executable = lapis_load(file_.c_str());
  ASSERT_NE(executable, nullptr) << lapis_last_error();
  ASSERT_EQ(lapis_input_count(executable), 1U);
  ASSERT_EQ(lapis_output_count(executable), 1U);
  const lapis_value_info info = lapis_output_info(executable, 0);
  EXPECT_STREQ(info.name, "y");
  EXPECT_EQ(info.dtype, 2);
  EXPECT_EQ(info.rank, 2U);
  EXPECT_EQ(info.shape[1], kSampleSize);
  EXPECT_EQ(info.bytes, static_cast<size_t>(kSampleSize));
  EXPECT_STREQ(lapis_input_info(executable, 0).name, "x");

  lapis_session* session = lapis_session_create(executable, 2);
  ASSERT_NE(session, nullptr) << lapis_last_error();
  lapis_executable_destroy(executable);  // the session keeps what it needs
  std::array<uint8_t, kSampleSize> y{};
  const void* inputs[] = {x_.data()};
  void* outputs[] = {y.data()};
  EXPECT_EQ(lapis_run(session, inputs, outputs), 0);
  EXPECT_EQ(y, sample_result(x_));
  lapis_session_destroy(session);
}

TEST_F(Api, CReportsTheLastErrorOfTheThread) {
  std::thread([] { EXPECT_STREQ(lapis_last_error(), ""); }).join();
  EXPECT_EQ(lapis_load("/nonexistent"), nullptr);
  EXPECT_THAT(lapis_last_error(), HasSubstr("/nonexistent"));
  std::ofstream(file_) << "no artifact";
  EXPECT_EQ(lapis_load(file_.c_str()), nullptr);
  EXPECT_THAT(lapis_last_error(), HasSubstr("hint: "));
  std::thread([] { EXPECT_STREQ(lapis_last_error(), ""); }).join();
}

TEST_F(Api, CRefusesThreadCountsAndReportsFaults) {
  const std::string faulting = sample_artifact("faulting", true);
  lapis_executable* executable = lapis_load(faulting.c_str());
  std::filesystem::remove(faulting);
  ASSERT_NE(executable, nullptr) << lapis_last_error();
  EXPECT_EQ(lapis_session_create(executable, -1), nullptr);
  EXPECT_THAT(lapis_last_error(), HasSubstr("-1 threads"));
  lapis_session* session = lapis_session_create(executable, 1);
  std::array<uint8_t, kSampleSize> y{};
  const void* inputs[] = {x_.data()};
  void* outputs[] = {y.data()};
  EXPECT_EQ(lapis_run(session, inputs, outputs), -1);
  EXPECT_THAT(lapis_last_error(), HasSubstr("index"));
  lapis_session_destroy(session);
  lapis_executable_destroy(executable);
  lapis_session_destroy(nullptr);
  lapis_executable_destroy(nullptr);
}

}  // namespace
