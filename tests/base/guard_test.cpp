#include "base/guard.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <system_error>

namespace lapis {
namespace {

ErrorKind kind_of(const Status& status) { return status.diagnostics().at(0).kind; }

TEST(Guarded, HandsOnWhatDoesNotThrow) {
  EXPECT_EQ(*guarded([]() -> Result<int> { return 7; }), 7);
  EXPECT_EQ(kind_of(guarded([]() -> Status { return error(ErrorKind::Io, "full"); })), ErrorKind::Io);
}

TEST(Guarded, ABrokenInvariantIsInternalAndSaysWhere) {
  const Status status = guarded([]() -> Status {
    LAPIS_ASSERT(1 == 2, "got " << 3);
    return ok();
  });
  EXPECT_EQ(kind_of(status), ErrorKind::Internal);
  EXPECT_NE(to_string(status.diagnostics()).find("guard_test.cpp:"), std::string::npos);
  EXPECT_NE(to_string(status.diagnostics()).find("1 == 2: got 3"), std::string::npos);
}

TEST(Guarded, MemoryAndThreadsThatCannotBeHadAreResources) {
  EXPECT_EQ(kind_of(guarded([]() -> Status { throw std::bad_alloc(); })), ErrorKind::Resource);
  EXPECT_EQ(kind_of(guarded([]() -> Status { throw std::length_error("vector"); })), ErrorKind::Resource);
  EXPECT_EQ(kind_of(guarded([]() -> Status {
              throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again), "thread");
            })),
            ErrorKind::Resource);
}

TEST(Guarded, AnyOtherExceptionIsABug) {
  EXPECT_EQ(kind_of(guarded([]() -> Status { throw std::runtime_error("odd"); })), ErrorKind::Internal);
  EXPECT_EQ(kind_of(guarded([]() -> Status { throw 1; })), ErrorKind::Internal);
}

}  // namespace
}  // namespace lapis
