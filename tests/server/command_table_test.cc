#include "server/command_table.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/local_commands.h"

namespace metastore::server {
namespace {

TEST(CommandTableTest, NamesAreFoundInAnyCaseAndNothingElseIs) {
  const CommandTable& table = test::TestCommands();
  for (const auto& command : table.commands()) {
    EXPECT_EQ(table.Find(command->full_name), command.get());
    std::string upper = command->full_name;
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(table.Find(upper), command.get());
    EXPECT_EQ(table.Find(upper + "_"), nullptr);
    EXPECT_EQ(table.Find(upper.substr(1)), table.Find(command->full_name.substr(1)));
  }
  EXPECT_EQ(table.Find(""), nullptr);
  EXPECT_EQ(table.Find(std::string(100000, 'g')), nullptr);
  EXPECT_EQ(table.Find(std::string_view("get\0", 4)), nullptr);
}

TEST(CommandTableTest, SubcommandsHaveFullNamesAndIndexesAreDense) {
  const CommandTable& table = test::TestCommands();
  const Command* box = table.Find("box");
  ASSERT_NE(box, nullptr);
  const Command* item = box->FindSubcommand("ITEM");
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(item->full_name, "box|item");
  EXPECT_EQ(item->parent, box);
  EXPECT_EQ(box->FindSubcommand("none"), nullptr);
  std::set<std::string> names;
  for (uint32_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(table.at(i).index, i);
    names.insert(table.at(i).full_name);
  }
  EXPECT_EQ(names.size(), table.size());
}

}  // namespace
}  // namespace metastore::server
