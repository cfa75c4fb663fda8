#include "server/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

// jemalloc's control function, where it is linked in.
extern "C" __attribute__((weak)) int mallctl(const char* name, void* old_value, size_t* old_size,
                                             void* new_value, size_t new_size);

namespace metastore::server {
namespace {

uint64_t ReadJemalloc(const char* name) {
  size_t value = 0;
  size_t size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

MemoryInfo ReadMemoryInfo() {
  MemoryInfo info;
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  info.system_bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * page;
  if (FILE* statm = std::fopen("/proc/self/statm", "r")) {
    unsigned long long total = 0, resident = 0;
    if (std::fscanf(statm, "%llu %llu", &total, &resident) == 2) {
      info.resident_bytes = resident * page;
    }
    std::fclose(statm);
  }
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  info.peak_resident_bytes =
      std::max(info.resident_bytes, static_cast<uint64_t>(usage.ru_maxrss) * 1024);
  info.allocated_bytes = info.resident_bytes;
  info.active_bytes = info.resident_bytes;
  if (mallctl != nullptr) {
    // Its statistics are a snapshot that a write to "epoch" renews.
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    mallctl("epoch", &epoch, &size, &epoch, size);
    if (uint64_t allocated = ReadJemalloc("stats.allocated")) info.allocated_bytes = allocated;
    if (uint64_t active = ReadJemalloc("stats.active")) info.active_bytes = active;
  }
  return info;
}

std::string_view AllocatorName() { return mallctl != nullptr ? "jemalloc" : "libc"; }

void PurgeMemory() {
  // 4096 is MALLCTL_ARENAS_ALL.
  if (mallctl != nullptr) mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
}

}  // namespace metastore::server
