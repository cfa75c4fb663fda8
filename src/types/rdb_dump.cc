#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc64.h"
#include "base/format.h"
#include "base/parse.h"
#include "types/compact_forms.h"
#include "types/hash.h"
#include "types/inspect.h"
#include "types/list.h"
#include "types/rdb.h"
#include "types/rdb_format.h"
#include "types/set.h"
#include "types/sorted_set.h"

namespace metastore::types {
namespace {

using namespace rdb;  // NOLINT: all of it is of this file

void AppendLittle64(std::string* out, uint64_t value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

void AppendLength(std::string* out, uint64_t length) {
  if (length < 1 << 6) {
    out->push_back(static_cast<char>(length));
  } else if (length < 1 << 14) {
    out->push_back(static_cast<char>(0x40 | length >> 8));
    out->push_back(static_cast<char>(length));
  } else if (length <= UINT32_MAX) {
    out->push_back(static_cast<char>(kLength32));
    PutBig32(out, static_cast<uint32_t>(length));
  } else {
    out->push_back(static_cast<char>(kLength64));
    PutBig64(out, length);
  }
}

void AppendBytes(std::string* out, std::string_view bytes) {
  AppendLength(out, bytes.size());
  out->append(bytes);
}

// Small numbers take up to five bytes.
void AppendString(std::string* out, std::string_view bytes) {
  constexpr size_t kMaxInt32Chars = 11;
  int64_t value;
  if (bytes.size() > kMaxInt32Chars || !ParseInt64(bytes, &value) || value < INT32_MIN ||
      value > INT32_MAX || FormatInt64(value) != bytes) {
    return AppendBytes(out, bytes);
  }
  size_t width = 4;
  if (value >= INT8_MIN && value <= INT8_MAX) {
    width = 1;
  } else if (value >= INT16_MIN && value <= INT16_MAX) {
    width = 2;
  }
  out->push_back(static_cast<char>(width == 1 ? 0xc0 : width == 2 ? 0xc1 : 0xc2));
  out->append(reinterpret_cast<const char*>(&value), width);
}

void AppendId(std::string* out, StreamId id) {
  AppendLength(out, id.ms);
  AppendLength(out, id.seq);
}

std::string RawId(StreamId id) {
  std::string raw;
  PutBig64(&raw, id.ms);
  PutBig64(&raw, id.seq);
  return raw;
}

class Dumper {
 public:
  Dumper(const engine::View& view, int db, std::string_view key, uint64_t max_bytes)
      : view_(view), db_(db), key_(key), max_bytes_(max_bytes) {}

  Result<std::string> Dump(const Record& record, const EncodingLimits& limits) {
    const std::string_view encoding = EncodingName(record, limits);
    switch (record.header().type) {
      case Type::kString:
        Begin(kRdbString);
        AppendString(&out_, record.payload());
        break;
      case Type::kList:
        DumpList();
        break;
      case Type::kSet:
        DumpSet(encoding == "intset");
        break;
      case Type::kZset:
        DumpSortedSet(encoding == "listpack");
        break;
      case Type::kHash:
        DumpHash(record, encoding == "listpack");
        break;
      case Type::kStream:
        DumpStream();
        break;
    }
    if (!Fits()) return Status(Code::kStringTooLong);
    out_.append(reinterpret_cast<const char*>(&version_), sizeof version_);
    AppendLittle64(&out_, Crc64(out_));
    return std::move(out_);
  }

 private:
  void Begin(RdbType type) { out_.push_back(static_cast<char>(type)); }
  bool Fits() const { return out_.size() + held_ + kFooterBytes <= max_bytes_; }

  // Under configured limits a listpack may be of any size.
  bool Holds(const ListpackWriter& listpack) {
    held_ = listpack.bytes();
    return Fits();
  }
  void EndListpack(RdbType type, ListpackWriter* listpack) {
    if (!Fits()) return;
    held_ = 0;
    Begin(type);
    AppendBytes(&out_, listpack->Take());
  }

  template <class T>
  T Get() const {
    Result<T> found = T::Find(view_, db_, key_);
    CHECK_OK(found.status());
    return std::move(*found);
  }

  void DumpList() {
    const List list = Get<List>();
    std::vector<std::string> nodes;
    ListpackWriter node;
    const auto end_node = [&] {
      nodes.push_back(node.Take());
      held_ += nodes.back().size();
    };
    list.ForEach(0, list.size(), false, [&](std::string_view element) {
      if (node.count() > 0 && node.bytes() + element.size() > kListNodeBytes) end_node();
      node.Append(element);
      return Fits() && element.size() + node.bytes() + held_ <= max_bytes_;
    });
    if (node.count() > 0) end_node();
    Begin(kRdbListQuicklist2);
    AppendLength(&out_, nodes.size());
    for (std::string& bytes : nodes) {
      held_ -= bytes.size();
      AppendLength(&out_, kPackedNode);
      AppendBytes(&out_, bytes);
      std::string().swap(bytes);
    }
  }

  void DumpSet(bool as_intset) {
    const Set set = Get<Set>();
    if (as_intset) {
      std::vector<int64_t> numbers;
      set.ForEach([this, &numbers](std::string_view member) {
        int64_t number;
        CHECK(ParseInt64(member, &number));
        numbers.push_back(number);
        held_ += sizeof number;
        return Fits();
      });
      if (!Fits()) return;
      held_ = 0;
      std::sort(numbers.begin(), numbers.end());
      Begin(kRdbSetIntset);
      return AppendBytes(&out_, MakeIntset(numbers));
    }
    Begin(kRdbSet);
    AppendLength(&out_, set.size());
    set.ForEach([this](std::string_view member) {
      AppendString(&out_, member);
      return Fits();
    });
  }

  void DumpSortedSet(bool as_listpack) {
    const SortedSet set = Get<SortedSet>();
    if (as_listpack) {
      ListpackWriter listpack;
      set.ForEach([this, &listpack](std::string_view member, double score) {
        listpack.Append(member);
        listpack.Append(FormatDouble(score));
        return Holds(listpack);
      });
      return EndListpack(kRdbZsetListpack, &listpack);
    }
    Begin(kRdbZset2);
    AppendLength(&out_, set.size());
    set.Walk(RankRange(), Direction::kBackward, 0, [this](std::string_view member, double score) {
      AppendString(&out_, member);
      uint64_t bits;
      std::memcpy(&bits, &score, sizeof bits);
      AppendLittle64(&out_, bits);
      return Fits();
    });
  }

  void DumpHash(const Record& record, bool as_listpack) {
    const Hash hash = Get<Hash>();
    if (record.header().field_deadline_ms) return DumpHashWithDeadlines(hash);
    if (as_listpack) {
      ListpackWriter listpack;
      hash.ForEach([this, &listpack](std::string_view field, std::string_view value) {
        listpack.Append(field);
        listpack.Append(value);
        return Holds(listpack);
      });
      return EndListpack(kRdbHashListpack, &listpack);
    }
    Begin(kRdbHash);
    AppendLength(&out_, hash.size());
    hash.ForEach([this](std::string_view field, std::string_view value) {
      AppendString(&out_, field);
      AppendString(&out_, value);
      return Fits();
    });
  }

  // Deadlines are counted from the earliest, from 1 on. Fields that have expired are left out.
  void DumpHashWithDeadlines(const Hash& hash) {
    const auto deadline_of = [&hash](std::string_view field) {
      std::optional<int64_t> deadline_ms;
      CHECK(hash.GetDeadline(field, &deadline_ms));
      return deadline_ms;
    };
    uint64_t count = 0;
    std::optional<int64_t> earliest_ms;
    hash.ForEach([&](std::string_view field, std::string_view) {
      ++count;
      const std::optional<int64_t> deadline_ms = deadline_of(field);
      if (deadline_ms) earliest_ms = std::min(earliest_ms.value_or(*deadline_ms), *deadline_ms);
      return true;
    });
    version_ = kFieldDeadlinesVersion;
    Begin(kRdbHashDeadlines);
    AppendLittle64(&out_, static_cast<uint64_t>(earliest_ms.value_or(0)));
    AppendLength(&out_, count);
    hash.ForEach([&](std::string_view field, std::string_view value) {
      const std::optional<int64_t> deadline_ms = deadline_of(field);
      AppendLength(&out_, deadline_ms ? static_cast<uint64_t>(*deadline_ms - *earliest_ms + 1) : 0);
      AppendString(&out_, field);
      AppendString(&out_, value);
      return Fits();
    });
  }

  void DumpStream() {
    const Stream stream = Get<Stream>();
    std::string nodes;
    uint64_t node_count = 0;
    struct NodeEntry {
      StreamId id;
      std::vector<std::string> fields;
    };
    std::vector<NodeEntry> node;
    size_t node_bytes = 0;
    const auto end_node = [&] {
      if (node.empty()) return;
      const NodeEntry& master = node.front();
      const auto has_master_fields = [&master](const NodeEntry& entry) {
        if (entry.fields.size() != master.fields.size()) return false;
        for (size_t i = 0; i < entry.fields.size(); i += 2) {
          if (entry.fields[i] != master.fields[i]) return false;
        }
        return true;
      };
      ListpackWriter listpack;
      listpack.AppendInteger(static_cast<int64_t>(node.size()));
      listpack.AppendInteger(0);
      listpack.AppendInteger(static_cast<int64_t>(master.fields.size() / 2));
      for (size_t i = 0; i < master.fields.size(); i += 2) listpack.Append(master.fields[i]);
      listpack.AppendInteger(0);
      for (const NodeEntry& entry : node) {
        const bool same = has_master_fields(entry);
        const auto fields = static_cast<int64_t>(entry.fields.size() / 2);
        listpack.AppendInteger(same ? kEntrySameFields : 0);
        listpack.AppendInteger(static_cast<int64_t>(entry.id.ms - master.id.ms));
        listpack.AppendInteger(static_cast<int64_t>(entry.id.seq - master.id.seq));
        if (!same) listpack.AppendInteger(fields);
        for (size_t i = same ? 1 : 0; i < entry.fields.size(); i += same ? 2 : 1) {
          listpack.Append(entry.fields[i]);
        }
        listpack.AppendInteger(same ? fields + 3 : 2 * fields + 4);
      }
      AppendBytes(&nodes, RawId(master.id));
      AppendBytes(&nodes, listpack.Take());
      held_ = nodes.size();
      ++node_count;
      node.clear();
      node_bytes = 0;
    };
    stream.ForEach(kMinStreamId, kMaxStreamId, [&](StreamId id, StreamFields fields) {
      size_t bytes = 0;
      for (std::string_view field : fields) bytes += field.size();
      if (node_bytes + bytes >= kStreamNodeBytes || node.size() >= kStreamNodeEntries) end_node();
      node.push_back({id, {fields.begin(), fields.end()}});
      node_bytes += bytes;
      return Fits();
    });
    end_node();
    Begin(kRdbStream2);
    AppendLength(&out_, node_count);
    held_ = 0;
    out_ += nodes;
    AppendLength(&out_, stream.size());
    AppendId(&out_, stream.info().last_id);
    AppendId(&out_, stream.info().first_id);
    AppendId(&out_, stream.info().max_deleted_id);
    AppendLength(&out_, stream.info().entries_added);
    AppendLength(&out_, stream.info().groups);
    stream.ForEachGroup([&](std::string_view name, const StreamGroup& group) {
      DumpGroup(stream, name, group);
      return Fits();
    });
  }

  void DumpGroup(const Stream& stream, std::string_view name, const StreamGroup& group) {
    AppendString(&out_, name);
    AppendId(&out_, group.last_id);
    AppendLength(&out_, static_cast<uint64_t>(group.entries_read));
    AppendLength(&out_, group.pending);
    stream.ForEachPending(group, kMinStreamId, kMaxStreamId,
                          [this](StreamId id, const PendingEntry& pending) {
                            out_ += RawId(id);
                            AppendLittle64(&out_, static_cast<uint64_t>(pending.delivered_ms));
                            AppendLength(&out_, pending.deliveries);
                            return Fits();
                          });
    AppendLength(&out_, group.consumers);
    stream.ForEachConsumer(group, [&](const StreamConsumer& consumer) {
      AppendString(&out_, consumer.name);
      AppendLittle64(&out_, static_cast<uint64_t>(consumer.seen_ms));
      AppendLength(&out_, consumer.pending);
      stream.ForEachPendingOf(group, consumer.number, kMinStreamId, kMaxStreamId,
                              [this](StreamId id, const PendingEntry&) {
                                out_ += RawId(id);
                                return Fits();
                              });
      return Fits();
    });
  }

  const engine::View& view_;
  const int db_;
  const std::string_view key_;
  const uint64_t max_bytes_;
  std::string out_;
  size_t held_ = 0;  // bytes of nodes that are not in out_ yet
  uint16_t version_ = kUsualVersion;
};

}  // namespace

Result<std::string> DumpValue(const engine::View& view, int db, std::string_view key,
                              const Record& record, const EncodingLimits& limits,
                              uint64_t max_bytes) {
  return Dumper(view, db, key, max_bytes).Dump(record, limits);
}

}  // namespace metastore::types
