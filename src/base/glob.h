// Redis's glob patterns (KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET): * ? [abc] [^a-z] \x.
#pragma once

#include <string_view>

namespace metastore {

// Whether the whole text matches. As in Redis, an unterminated class ends with the pattern, and
// nothing but the empty pattern matches the empty text (not even "*"). Needs no memory and at most
// pattern × text steps, whatever the pattern.
bool GlobMatch(std::string_view pattern, std::string_view text, bool ignore_case = false);

}  // namespace metastore
