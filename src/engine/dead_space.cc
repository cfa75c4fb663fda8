#include "engine/dead_space.h"

#include <rocksdb/experimental.h>
#include <rocksdb/table_properties.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/database.h"
#include "engine/rocks.h"

namespace metastore::engine {

void DeadSpace::Find(const Database& database) {
  std::vector<rocksdb::LiveFileMetaData> files;
  database.db()->GetLiveFilesMetaData(&files);
  for (int i = 0; i < kFamilyCount; ++i) {
    const Family family = static_cast<Family>(i);
    rocksdb::TablePropertiesCollection tables;
    // At worst the space comes back later.
    database.db()
        ->GetPropertiesOfAllTables(database.family(family), &tables)
        .PermitUncheckedError();
    for (const rocksdb::LiveFileMetaData& file : files) {
      if (file.column_family_name != database.family(family)->GetName()) continue;
      const auto table = tables.find(file.db_path + file.name);
      if (table == tables.end() || table->second->num_range_deletions == 0) continue;
      if (ranges_.size() == kMaxRanges) return;
      ranges_.push_back({family, file.smallestkey, file.largestkey, true, kTriesOfFound});
    }
  }
}

void DeadSpace::Add(Family family, std::string_view from, std::string_view to) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (ranges_.size() < kMaxRanges) ranges_.push_back({family, std::string(from), std::string(to)});
}

namespace {

bool IsCompacting(Database* database) {
  for (int i = 0; i < kFamilyCount; ++i) {
    for (const std::string& property : {rocksdb::DB::Properties::kNumRunningCompactions,
                                        rocksdb::DB::Properties::kCompactionPending}) {
      uint64_t value = 0;
      if (database->db()->GetIntProperty(database->family(static_cast<Family>(i)), property,
                                         &value) &&
          value > 0) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

Status DeadSpace::Reclaim(Database* database) {
  // What was marked is compacted first: one level can take longer than the time between two calls.
  // A busy database, though, never rests.
  if (IsCompacting(database) && ++waits_ < kMaxWaits) return Status::Ok();
  waits_ = 0;
  rocksdb::SizeApproximationOptions files_only;
  files_only.files_size_error_margin = 0.1;
  std::vector<Range> ranges;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ranges.swap(ranges_);
  }
  std::erase_if(ranges, [&](Range& range) {
    const rocksdb::Range bounds(range.from, range.to);
    uint64_t bytes = 0;
    rocksdb::Status status = database->db()->GetApproximateSizes(
        files_only, database->family(range.family), &bounds, 1, &bytes);
    return !status.ok() || bytes < kLeastBytes || range.tries_left-- == 0;
  });
  const bool flush =
      std::any_of(ranges.begin(), ranges.end(), [](const Range& range) { return !range.flushed; });
  if (flush) RETURN_IF_ERROR(database->Flush());
  for (Range& range : ranges) {
    range.flushed = true;
    const rocksdb::Slice from = range.from, to = range.to;
    // Refused only while the database closes.
    rocksdb::experimental::SuggestCompactRange(database->db(), database->family(range.family),
                                               &from, &to)
        .PermitUncheckedError();
  }
  std::lock_guard<std::mutex> lock(mutex_);
  std::move(ranges_.begin(), ranges_.end(), std::back_inserter(ranges));
  ranges_ = std::move(ranges);
  return Status::Ok();
}

}  // namespace metastore::engine
