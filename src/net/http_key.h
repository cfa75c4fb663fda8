// The key that an HTTP request target names: what follows the first slash of the path,
// percent-decoded, the query string included.
#pragma once

#include <string>
#include <string_view>

namespace metastore::net {

// `target` as it stood in the request line: "/key", or absolute, "http://host/key". False when it
// has no path or a "%" is not followed by two hexadecimal digits.
bool KeyOfTarget(std::string_view target, std::string* key);

}  // namespace metastore::net
