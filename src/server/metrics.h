// The text of /-/metrics, in Prometheus's exposition format 0.0.4.
#pragma once

#include <string>

#include "server/server.h"

namespace metastore::server {

std::string MetricsText(Server& server);

// One line of JSON for /-/health; *healthy says whether this node can serve commands.
std::string HealthLine(Server& server, bool* healthy);

}  // namespace metastore::server
