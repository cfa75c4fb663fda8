// What clients are sent unasked, when it is known only at the client which form it takes.
#pragma once

#include <memory>
#include <string>

namespace metastore::server {

struct Push {
  std::shared_ptr<const std::string> resp3;
  // For clients that take this for no reply: subscribers and monitors.
  std::shared_ptr<const std::string> resp2;
};

}  // namespace metastore::server
