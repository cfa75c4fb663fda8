// What clang's -Wthread-safety checks, as words: which lock or thread role guards a member, and
// which functions need it, take it or give it back. Nothing to other compilers.
#pragma once

#if defined(__clang__)
#define METASTORE_TSA(x) __attribute__((x))
#else
#define METASTORE_TSA(x)
#endif
#define CAPABILITY(name) METASTORE_TSA(capability(name))
#define SCOPED_CAPABILITY METASTORE_TSA(scoped_lockable)
#define GUARDED_BY(x) METASTORE_TSA(guarded_by(x))
#define REQUIRES(...) METASTORE_TSA(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) METASTORE_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) METASTORE_TSA(release_capability(__VA_ARGS__))
#define ASSERT_CAPABILITY(x) METASTORE_TSA(assert_capability(x))
