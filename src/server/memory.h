// What the process knows of its own memory. The release build's allocator is jemalloc; other
// builds have the C library's, which is not asked.
#pragma once

#include <cstdint>
#include <string_view>

namespace metastore::server {

struct MemoryInfo {
  uint64_t resident_bytes = 0;
  uint64_t peak_resident_bytes = 0;
  uint64_t system_bytes = 0;     // of the machine
  uint64_t allocated_bytes = 0;  // by the program; resident_bytes where the allocator is not asked
  uint64_t active_bytes = 0;     // in pages that hold allocations
};
MemoryInfo ReadMemoryInfo();

std::string_view AllocatorName();  // "jemalloc", "libc"
// Gives free pages back to the system.
void PurgeMemory();

}  // namespace metastore::server
