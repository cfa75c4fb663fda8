// Under ASan and TSan everything takes about ten times as long: tests whose length is a matter of
// depth, not of what they reach, are shorter there.
#pragma once

namespace metastore::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace metastore::test
