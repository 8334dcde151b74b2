// EXPECT_INTERNAL_ERROR(statement, "regex"): the statement breaks an invariant, and the message says so.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"

#define EXPECT_INTERNAL_ERROR(statement, regex) \
  EXPECT_THAT([&] { statement; }, testing::ThrowsMessage<lapis::InternalError>(testing::ContainsRegex(regex)))
