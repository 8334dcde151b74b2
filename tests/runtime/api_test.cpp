// The public API of the runtime, in C++ and C, over an artifact on disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lapis/executable.h>
#include <lapis/lapis_c.h>

#include <fstream>
#include <thread>

#include "tests/runtime/executors.h"
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

TEST_F(Api, RunsOnTheCallersThreads) {
  const lapis::Executable executable = lapis::load(file_).value();
  for (const auto& executor : lapis::testing::test_executors(3)) {
    lapis::Session session = executable.session({.executor = executor}).value();
    const lapis::Outputs outputs = session.run({{"x", {x_.data(), {1, kSampleSize}}}}).value();
    EXPECT_THAT(outputs.at("y").view<uint8_t>(), ElementsAreArray(sample_result(x_)));
    EXPECT_GT(executor->calls, 0);
  }
  class Broken final : public lapis::Executor {
    int threads() const override { return 2; }
    void parallel(int, const Work&) override { throw 1; }
  };
  lapis::Session session = executable.session({.executor = std::make_shared<Broken>()}).value();
  EXPECT_EQ(session.run({{"x", {x_.data(), {1, kSampleSize}}}}).error().code, lapis::ErrorCode::Usage);
}

TEST_F(Api, SharesAThreadPool) {
  const lapis::Executable executable = lapis::load(file_).value();
  std::vector<lapis::Session> sessions;
  {
    const std::shared_ptr<lapis::Executor> pool = lapis::thread_pool(3).value();
    EXPECT_EQ(pool->threads(), 3);
    for (int threads = 0; threads < 4; ++threads)
      sessions.push_back(executable.session({.threads = threads, .executor = pool}).value());
  }
  for (lapis::Session& session : sessions)
    EXPECT_THAT(session.run({{"x", {x_.data(), {1, kSampleSize}}}}).value().at("y").view<uint8_t>(),
                ElementsAreArray(sample_result(x_)));
  EXPECT_EQ(lapis::thread_pool(-1).error().code, lapis::ErrorCode::Usage);
}

// The caller's threads in C: as many as `most`, made for the occasion.
struct CThreads {
  int calls = 0, parts = 0;
  lapis_executor executor{this, [](void*) { return 3; }, parallel, 0};

  static void parallel(void* context, int most, lapis_part part, void* work) {
    auto* const self = static_cast<CThreads*>(context);
    ++self->calls;
    self->parts += most;
    std::vector<std::thread> threads;
    for (int i = 1; i < most; ++i) threads.emplace_back(part, work, i, most);
    part(work, 0, most);
    for (std::thread& t : threads) t.join();
  }
};

TEST_F(Api, CRunsOnTheCallersThreads) {
  lapis_executable* executable = lapis_load(file_.c_str());
  for (const int concurrent : {0, 1})
    for (const int threads : {0, 1, 2, 3, 9}) {
      CThreads own;
      own.executor.concurrent = concurrent;
      lapis_session* session = lapis_session_create_on(executable, &own.executor, threads);
      std::array<uint8_t, kSampleSize> y{};
      const void* inputs[] = {x_.data()};
      void* outputs[] = {y.data()};
      EXPECT_EQ(lapis_run(session, inputs, outputs), 0);
      EXPECT_EQ(y, sample_result(x_));
      EXPECT_EQ(own.calls, threads == 1 ? 0 : concurrent ? 1 : 2);
      EXPECT_EQ(own.parts, own.calls * (threads == 2 ? 2 : 3));
      lapis_session_destroy(session);
    }
  EXPECT_EQ(lapis_session_create_on(executable, nullptr, 0), nullptr);
  EXPECT_THAT(lapis_last_error(), HasSubstr("executor"));
  const lapis_executor empty{};
  EXPECT_EQ(lapis_session_create_on(executable, &empty, 0), nullptr);
  const CThreads own;
  EXPECT_EQ(lapis_session_create_on(executable, &own.executor, -1), nullptr);
  EXPECT_EQ(lapis_session_create_on(nullptr, &own.executor, 0), nullptr);
  lapis_executable_destroy(executable);
}

TEST_F(Api, CSharesAThreadPool) {
  lapis_executable* executable = lapis_load(file_.c_str());
  lapis_thread_pool* pool = lapis_thread_pool_create(2);
  lapis_session* sessions[] = {lapis_session_create_on_pool(executable, pool, 0),
                               lapis_session_create_on_pool(executable, pool, 1)};
  lapis_thread_pool_destroy(pool);
  for (lapis_session* session : sessions) {
    std::array<uint8_t, kSampleSize> y{};
    const void* inputs[] = {x_.data()};
    void* outputs[] = {y.data()};
    EXPECT_EQ(lapis_run(session, inputs, outputs), 0);
    EXPECT_EQ(y, sample_result(x_));
    lapis_session_destroy(session);
  }
  EXPECT_EQ(lapis_session_create_on_pool(executable, nullptr, 1), nullptr);
  EXPECT_THAT(lapis_last_error(), HasSubstr("thread pool is NULL"));
  EXPECT_EQ(lapis_thread_pool_create(-1), nullptr);
  EXPECT_THAT(lapis_last_error(), HasSubstr("-1 threads"));
  lapis_thread_pool_destroy(nullptr);
  lapis_executable_destroy(executable);
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

TEST_F(Api, EveryElementTypeHasACppType) {
  using lapis::DType;
  using lapis::dtype_of;
  for (const auto& [dtype, number] : {std::pair(dtype_of<float>, 1),
                                      {dtype_of<uint8_t>, 2},
                                      {dtype_of<int8_t>, 3},
                                      {dtype_of<uint16_t>, 4},
                                      {dtype_of<int16_t>, 5},
                                      {dtype_of<int32_t>, 6},
                                      {dtype_of<int64_t>, 7},
                                      {dtype_of<bool>, 9},
                                      {dtype_of<lapis::Float16>, 10},
                                      {dtype_of<double>, 11},
                                      {dtype_of<uint32_t>, 12},
                                      {dtype_of<uint64_t>, 13},
                                      {dtype_of<long long>, 7},
                                      {dtype_of<unsigned long long>, 13},
                                      {dtype_of<lapis::BFloat16>, 16}})
    EXPECT_EQ(static_cast<int>(dtype), number);
  static_assert(!lapis::Element<char*> && !lapis::Element<std::string> && !lapis::Element<void>);
  static_assert(std::is_constructible_v<lapis::TensorView, const uint16_t*, std::vector<int64_t>>);
  static_assert(!std::is_constructible_v<lapis::TensorView, const std::string*, std::vector<int64_t>>);
}

TEST_F(Api, ViewsThatHoldNothingAreRefused) {
  lapis::Session session = lapis::load(file_).value().session().value();
  const uint8_t* none = nullptr;
  for (const lapis::TensorView& view :
       {lapis::TensorView(), lapis::TensorView(none, {1, kSampleSize}),
        lapis::TensorView(x_.data(), {-1, -kSampleSize}),
        lapis::TensorView(x_.data(), {int64_t{1} << 62, int64_t{1} << 62}),
        lapis::TensorView(x_.data(), static_cast<lapis::DType>(200), {1, kSampleSize})}) {
    const auto outputs = session.run({{"x", view}});
    ASSERT_FALSE(outputs.ok());
    EXPECT_EQ(outputs.error().code, lapis::ErrorCode::Mismatch);
    EXPECT_THAT(outputs.error().message, HasSubstr("'x'"));
  }
}

TEST_F(Api, WhatWasMovedFromIsAnError) {
  lapis::Executable executable = lapis::load(file_).value();
  lapis::Session session = executable.session().value();
  const lapis::Session moved_session = std::move(session);
  const lapis::Executable moved = std::move(executable);
  EXPECT_EQ(session.run({}).error().code, lapis::ErrorCode::Usage);
  EXPECT_EQ(executable.session().error().code, lapis::ErrorCode::Usage);
  EXPECT_EQ(executable.save(file_).error().code, lapis::ErrorCode::Usage);
  EXPECT_TRUE(executable.inputs().empty());
  EXPECT_EQ(executable.target(), "");
  EXPECT_THROW(static_cast<void>(*session.run({})), std::runtime_error);
}

TEST_F(Api, VerifiesOnRequest) {
  EXPECT_TRUE(lapis::load(file_, {.verify = true}).ok());
  std::fstream(file_, std::ios::binary | std::ios::in | std::ios::out).seekp(-1, std::ios::end).put('x');
  EXPECT_TRUE(lapis::load(file_).ok());
  EXPECT_EQ(lapis::load(file_, {.verify = true}).error().code, lapis::ErrorCode::Input);
  lapis_executable* executable = lapis_load(file_.c_str());
  EXPECT_NE(executable, nullptr);
  EXPECT_EQ(lapis_load_checked(file_.c_str()), nullptr);
  EXPECT_THAT(lapis_last_error(), HasSubstr("damaged"));
  lapis_executable_destroy(executable);
}

TEST_F(Api, CSurvivesNullAndWrongIndices) {
  const auto says = [](const std::string& what) { EXPECT_THAT(lapis_last_error(), HasSubstr(what)); };
  EXPECT_EQ(lapis_load(nullptr), nullptr);
  says("file name is NULL");
  EXPECT_EQ(lapis_load_checked(nullptr), nullptr);
  EXPECT_EQ(lapis_input_count(nullptr) + lapis_output_count(nullptr), 0U);
  says("executable is NULL");
  EXPECT_EQ(lapis_session_create(nullptr, 1), nullptr);
  lapis_executable* executable = lapis_load(file_.c_str());
  for (const auto& info :
       {lapis_input_info(nullptr, 0), lapis_input_info(executable, 1), lapis_output_info(executable, SIZE_MAX)}) {
    EXPECT_STREQ(info.name, "");
    EXPECT_EQ(info.dtype, 0);
    EXPECT_EQ(info.bytes + info.rank, 0U);
  }
  says("of 1 values");
  lapis_session* session = lapis_session_create(executable, 1);
  std::array<uint8_t, kSampleSize> y{};
  const void *inputs[] = {x_.data()}, *no_input[] = {nullptr};
  void *outputs[] = {y.data()}, *no_output[] = {nullptr};
  EXPECT_EQ(lapis_run(nullptr, inputs, outputs), -1);
  says("session is NULL");
  EXPECT_EQ(lapis_run(session, nullptr, outputs), -1);
  says("array of inputs is NULL");
  EXPECT_EQ(lapis_run(session, inputs, nullptr), -1);
  says("array of outputs is NULL");
  EXPECT_EQ(lapis_run(session, no_input, outputs), -1);
  says("input 'x' is null");
  EXPECT_EQ(lapis_run(session, inputs, no_output), -1);
  says("output 'y' is null");
  EXPECT_EQ(lapis_run(session, inputs, outputs), 0);
  EXPECT_EQ(y, sample_result(x_));
  lapis_session_destroy(session);
  lapis_executable_destroy(executable);
}

TEST_F(Api, CComparesSizesWhenAsked) {
  lapis_executable* executable = lapis_load(file_.c_str());
  lapis_session* session = lapis_session_create(executable, 1);
  std::array<uint8_t, kSampleSize> y{};
  const lapis_input_buffer x = {x_.data(), x_.size()}, short_x = {x_.data(), 63}, no_x = {nullptr, x_.size()};
  const lapis_output_buffer out = {y.data(), y.size()}, long_out = {y.data(), SIZE_MAX};
  const auto fails = [&](const lapis_input_buffer* in, size_t ins, const lapis_output_buffer* outs, size_t count,
                         const std::string& what) {
    EXPECT_EQ(lapis_run_checked(session, in, ins, outs, count), -1) << what;
    EXPECT_THAT(lapis_last_error(), HasSubstr(what));
  };
  fails(&short_x, 1, &out, 1, "input 'x' has 64 bytes, got 63");
  fails(&x, 1, &long_out, 1, "output 'y' has 64 bytes");
  fails(&x, 0, &out, 1, "1 inputs, got 0");
  fails(&x, 1, &out, 2, "1 outputs, got 2");
  fails(nullptr, 1, &out, 1, "array of inputs is NULL");
  fails(&x, 1, nullptr, 1, "array of outputs is NULL");
  fails(&no_x, 1, &out, 1, "input 'x' is null");
  EXPECT_EQ(lapis_run_checked(nullptr, &x, 1, &out, 1), -1);
  EXPECT_EQ(lapis_run_checked(session, &x, 1, &out, 1), 0);
  EXPECT_EQ(y, sample_result(x_));
  lapis_session_destroy(session);
  lapis_executable_destroy(executable);
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
