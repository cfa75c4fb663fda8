#include "replica/proposal.h"

#include "base/coding.h"

namespace metastore::replica {
namespace {

Status Bad(const char* what) { return Status::Corruption(std::string("proposal: ") + what); }

bool TakeHeader(std::string_view* in, BatchHeader* header) {
  uint64_t lane, count;
  if (!TakeVarint(in, &header->node) || !TakeVarint(in, &header->incarnation) ||
      !TakeVarint(in, &header->seq) || !TakeVarint(in, &lane) || !TakeVarint(in, &header->ticket) ||
      !TakeVarint(in, &count)) {
    return false;
  }
  if (lane > UINT32_MAX || count > UINT32_MAX) return false;
  header->lane = static_cast<Lane>(lane);
  header->count = static_cast<uint32_t>(count);
  return true;
}

}  // namespace

void BatchBuilder::Add(ItemKind kind, int protocol, int db, commands::Args args) {
  body_.push_back(static_cast<char>(kind));
  body_.push_back(static_cast<char>(protocol));
  body_.push_back(static_cast<char>(db));
  PutVarint(&body_, args.size());
  for (std::string_view arg : args) PutBytes(&body_, arg);
  ++count_;
}

void BatchBuilder::AddTransaction(int protocol, const std::vector<WatchedKey>& watched,
                                  BatchBuilder* commands) {
  std::string keys;
  for (const WatchedKey& key : watched) {
    keys.push_back(static_cast<char>(key.db));
    PutBig64(&keys, key.version);
    PutBytes(&keys, key.key);
  }
  const std::string items = commands->Take();
  const std::string_view args[] = {keys, items};
  Add(ItemKind::kTransaction, protocol, 0, args);
}

std::string BatchBuilder::Take() {
  count_ = 0;
  std::string body = std::move(body_);
  body_.clear();
  return body;
}

std::string EncodeBatch(const BatchHeader& header, std::string_view body) {
  std::string fields;
  PutVarint(&fields, header.node);
  PutVarint(&fields, header.incarnation);
  PutVarint(&fields, header.seq);
  PutVarint(&fields, header.lane);
  PutVarint(&fields, header.ticket);
  PutVarint(&fields, header.count);
  std::string batch;
  batch.reserve(fields.size() + body.size() + 10);
  PutVarint(&batch, fields.size() + body.size());
  batch.append(fields);
  batch.append(body);
  return batch;
}

void BeginEntry(int64_t now_ms, uint64_t seed, std::string* entry) {
  entry->push_back(static_cast<char>(kProposalVersion));
  PutBig64(entry, static_cast<uint64_t>(now_ms));
  PutBig64(entry, seed);
}

Status EntryReader::ReadHeader() {
  uint8_t version;
  uint64_t now_ms;
  if (!TakeByte(&rest_, &version)) return Bad("empty");
  if (version != kProposalVersion) {
    return Bad("written by a newer version; upgrade this node");
  }
  if (!TakeBig64(&rest_, &now_ms) || !TakeBig64(&rest_, &seed_)) return Bad("short header");
  now_ms_ = static_cast<int64_t>(now_ms);
  return Status::Ok();
}

Status EntryReader::NextBatch(BatchHeader* header) {
  if (rest_.empty()) return Status::NotFound();
  if (!TakeBytes(&rest_, &items_) || !TakeHeader(&items_, header)) return Bad("short batch");
  return Status::Ok();
}

Status EntryReader::NextItem(Item* item) { return TakeItem(&items_, item); }

Status TakeItem(std::string_view* in, Item* item) {
  if (in->empty()) return Status::NotFound();
  uint8_t kind, protocol, db;
  uint64_t argc;
  if (!TakeByte(in, &kind) || !TakeByte(in, &protocol) || !TakeByte(in, &db) ||
      !TakeVarint(in, &argc)) {
    return Bad("short item");
  }
  if (kind > static_cast<uint8_t>(ItemKind::kTopology)) return Bad("unknown kind of item");
  if (protocol != 2 && protocol != 3) return Bad("unknown protocol");
  if (db >= engine::kDatabases) return Bad("database out of range");
  if (argc > in->size()) return Bad("more arguments than bytes");
  item->kind = static_cast<ItemKind>(kind);
  item->protocol = protocol;
  item->db = db;
  item->args.resize(argc);
  for (std::string_view& arg : item->args) {
    if (!TakeBytes(in, &arg)) return Bad("short argument");
  }
  return Status::Ok();
}

Status TakeWatchedKey(std::string_view* in, WatchedKeyView* watched) {
  if (in->empty()) return Status::NotFound();
  uint8_t db;
  if (!TakeByte(in, &db) || !TakeBig64(in, &watched->version) || !TakeBytes(in, &watched->key)) {
    return Bad("short watched key");
  }
  if (db >= engine::kDatabases) return Bad("watched key in no database");
  watched->db = db;
  return Status::Ok();
}

Status ReadBatch(std::string_view batch, BatchHeader* header) {
  std::string_view fields;
  if (!TakeBytes(&batch, &fields) || !TakeHeader(&fields, header)) return Bad("short batch");
  if (!batch.empty()) return Bad("bytes behind the batch");
  return Status::Ok();
}

}  // namespace metastore::replica
