#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace metastore {
namespace {

TEST(StatusTest, AStatusIsOkUntilItIsNot) {
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(Status::Ok().ok());
  Status status = Status::Corruption("log record 7");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kCorruption);
  EXPECT_EQ(status.message(), "log record 7");
  EXPECT_NE(status.ToString().find("log record 7"), std::string::npos);
}

TEST(StatusTest, AResultHoldsAValueOrTheReasonWhyNot) {
  Result<std::unique_ptr<int>> value = std::make_unique<int>(3);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(**value, 3);
  Result<int> none = Status::NotFound();
  EXPECT_FALSE(none.ok());
  EXPECT_EQ(none.code(), Code::kNotFound);
}

TEST(StatusTest, ReturnIfErrorLeavesWithTheFirstError) {
  int calls = 0;
  auto run = [&calls](Status first) -> Status {
    RETURN_IF_ERROR(first);
    ++calls;
    return Status::Ok();
  };
  EXPECT_EQ(run(Status(Code::kSyntax)).code(), Code::kSyntax);
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(run(Status::Ok()).ok());
  EXPECT_EQ(calls, 1);
}

TEST(CheckDeathTest, AFailedCheckNamesTheFactAndItsValues) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int one = 1;
  EXPECT_DEATH(CHECK_EQ(one, 2), "status_test.cc:.*CHECK failed: one == 2.*1 vs. 2");
  EXPECT_DEATH(CHECK(one == 2), "one == 2");
  EXPECT_DEATH(CHECK_OK(Status::IoError("wal: no such file")), "wal: no such file");
  EXPECT_DEATH(*Result<int>(Status::NotFound()), "CHECK failed");
  EXPECT_DEATH((void)Result<int>{Status()}, "CHECK failed");
}

}  // namespace
}  // namespace metastore
