// The explicit list of groups. It is a file of its own so that a test with commands of its own
// links none of these.
#include "server/command_table.h"
#include "server/copies.h"

namespace metastore::server {

const CommandTable& CommandTable::All() {
  static const CommandTable table({
      commands::StringCommands(),
      commands::BitmapCommands(),
      commands::HyperloglogCommands(),
      commands::HashCommands(),
      commands::ListCommands(),
      commands::SetCommands(),
      commands::SortedSetCommands(),
      commands::StreamCommands(),
      commands::GeoCommands(),
      commands::SortCommands(),
      commands::DumpCommands(),
      commands::GenericCommands(),
      commands::PublishCommands(),
      ConnectionCommands(),
      ServerCommands(),
      CopiesCommands(),
      TransactionCommands(),
      PubSubCommands(),
      RaftCommands(),
      ClusterCommands(),
      SentinelCommands(),
      CommandCommands(),
  });
  return table;
}

}  // namespace metastore::server
