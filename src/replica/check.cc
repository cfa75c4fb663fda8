#include "replica/check.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "base/coding.h"
#include "engine/system_keys.h"
#include "raft/types.h"
#include "replica/proposal.h"
#include "types/collection.h"
#include "types/hash.h"
#include "types/keyspace.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"

namespace metastore::replica {
namespace {

using engine::Family;
using engine::Findings;
using engine::Printable;
using types::kMetaKeyHead;

constexpr size_t kExpiryKeyHead = 1 + 1 + 8;  // tag, prefix, deadline
constexpr char kExpiryTag = 'e';
constexpr char kFieldExpiryTag = 'h';
constexpr char kElementTag = 'i';
constexpr size_t kCollectionIdBytes = 8;
constexpr int kVersionCounterBits = 24;
constexpr int kPrefixes = 255;

// The header of a meta record, where types::Record would stop the process.
std::optional<types::Header> ParseHeader(std::string_view* record) {
  const std::string_view whole = *record;
  std::optional<types::Header> header = types::Record::ParseHeader(record);
  if (!header) return std::nullopt;
  // One header has one encoding.
  if (types::Record::Encode(*header, {}) != whole.substr(0, whole.size() - record->size())) {
    return std::nullopt;
  }
  return header;
}

std::string ExpiryKey(char tag, std::string_view meta_key, int64_t deadline_ms) {
  std::string key(1, tag);
  key.push_back(meta_key[0]);
  PutBig64(&key, static_cast<uint64_t>(deadline_ms));
  return key.append(meta_key.substr(1));
}

std::optional<int64_t> DeadlineOf(const types::Header& header, char tag) {
  return tag == kExpiryTag ? header.deadline_ms : header.field_deadline_ms;
}

bool IsExpiryTag(char tag) { return tag == kExpiryTag || tag == kFieldExpiryTag; }

std::string KeyName(uint8_t prefix, std::string_view user_key) {
  return "the key " + Printable(user_key) + " (prefix " + std::to_string(prefix) + ")";
}

// Everything of Family::kSystem, and what the other families must fit to.
class StateCheck {
 public:
  StateCheck(engine::StoppedNode* node, Findings* findings) : node_(node), findings_(findings) {}

  void Run(const std::optional<engine::Identity>& identity);
  const engine::Applied& applied() const { return applied_; }
  int64_t keys() const { return keys_; }
  uint64_t hash() const { return hash_; }

 private:
  enum class Use : uint8_t { kNone, kLive, kDead, kRemoved };

  void Hash(Family family, std::string_view key, std::string_view value);
  void CheckSystem(std::string_view key, std::string_view value,
                   const std::optional<engine::Identity>& identity);
  void CheckMeta(std::string_view key, std::string_view value);
  Status CheckCollection(const types::Header& header, const types::CollectionHeader& collection,
                         std::string_view rest) const;
  void CheckIndex(std::string_view key, std::string_view value);
  void CheckData(std::string_view key);
  void KnowCollection(uint64_t id);
  void SeeCollection(std::string_view prefix);
  void CheckCounts();
  void NameExpiryDifferences();

  engine::StoppedNode* const node_;
  Findings* const findings_;
  engine::Applied applied_;
  uint64_t membership_index_ = 0;
  engine::DatabaseMap databases_;
  std::array<Use, 256> use_{};
  std::array<engine::KeyCounts, 256> stored_{}, found_{};
  int64_t keys_ = 0;
  uint64_t hash_ = 0;
  // Sums over all expiry entries: as the records ask for them, and as the index has them. Equal
  // sums mean equal sets, without a look-up for each.
  uint64_t expiries_wanted_ = 0, expiries_there_ = 0;
  // Sums over the collections that have elements in a family: as keys and the queue of dead ones
  // know them, and as the rows show them.
  uint64_t collections_known_ = 0, collections_there_ = 0;
  std::string last_collection_;
  // Of flushed databases whose spread collections are being queued.
  std::array<std::string, 256> next_meta_key_;
};

// Of every record in its order but the applied index, so that two replicas that hold the same
// bytes show the same, whichever entries without effects they have applied since.
void StateCheck::Hash(Family family, std::string_view key, std::string_view value) {
  if (family == Family::kSystem && key == "a") return;
  const uint64_t parts[] = {hash_, static_cast<uint64_t>(family),
                            XXH3_64bits(key.data(), key.size()),
                            XXH3_64bits(value.data(), value.size())};
  hash_ = XXH3_64bits(parts, sizeof(parts));
}

void StateCheck::CheckSystem(std::string_view key, std::string_view value,
                             const std::optional<engine::Identity>& identity) {
  const auto bad = [&](const std::string& what) { findings_->Add("system", what); };
  if (key.empty()) return bad("a record has no name");
  const std::string_view rest = key.substr(1);
  const auto prefix = rest.size() == 1 ? static_cast<uint8_t>(rest[0]) : uint8_t{255};
  switch (key[0]) {
    case 'a': {
      std::optional<engine::Applied> applied = engine::DecodeApplied(value);
      if (!rest.empty() || !applied) return bad("the applied index does not decode");
      applied_ = *applied;
      return;
    }
    case 'c':
      if (rest.size() != kCollectionIdBytes) {
        return bad("the name of a dead collection does not decode");
      }
      KnowCollection(ReadBig64(rest.data()));
      if (value.size() != 1) bad("the dead collection " + Printable(key) + " does not decode");
      return;
    case 'd': {
      uint64_t version;
      uint8_t stage;
      if (prefix == 255 || !TakeByte(&value, &stage) || stage > 2 || !TakeBig64(&value, &version) ||
          value.empty() != (stage != 2)) {
        return bad("the dead database " + Printable(key) + " does not decode");
      }
      use_[prefix] = stage == 1 ? Use::kRemoved : Use::kDead;
      next_meta_key_[prefix] = value;
      return;
    }
    case 'f':
    case 'u':
      return;
    case 'm': {
      std::optional<engine::DatabaseMap> map = engine::DecodeDatabases(value);
      if (!rest.empty() || !map) return bad("the database map does not decode");
      databases_ = *map;
      return;
    }
    case 'n': {
      std::optional<engine::KeyCounts> counts = engine::DecodeCounts(value);
      if (prefix == 255 || !counts)
        return bad("the key count " + Printable(key) + " does not decode");
      stored_[prefix] = *counts;
      return;
    }
    case 's': {
      std::string_view id = rest;
      uint64_t node, incarnation, seq;
      if (!TakeBig64(&id, &node) || !id.empty() || !TakeBig64(&value, &incarnation) ||
          !TakeBig64(&value, &seq) || (!value.empty() && value != "\1")) {
        return bad("the session " + Printable(key) + " does not decode");
      }
      // One that ended is of the disk that this id had before its removal.
      if (identity && node == identity->node_id && value.empty() &&
          incarnation > engine::SessionOf(*identity)) {
        bad("the session of this node is of a run that this disk has not had");
      }
      return;
    }
    case 't':
      if (!rest.empty() || !DecodeTopology(value)) bad("the topology does not decode");
      return;
    case 'v':
      if (!rest.empty() || !TakeBig64(&value, &membership_index_) ||
          !raft::DecodeMembership(value).ok()) {
        bad("the membership does not decode");
      }
      return;
    default:
      bad("a record has the unknown name " + Printable(key));
  }
}

void StateCheck::CheckMeta(std::string_view key, std::string_view value) {
  if (key.size() < kMetaKeyHead) {
    return findings_->Add("key", "a key's name is too short: " + Printable(key));
  }
  const auto prefix = static_cast<uint8_t>(key[0]);
  const std::string_view user_key = key.substr(kMetaKeyHead);
  if (types::KeyHash(user_key) != ReadBig64(key.data() + 1)) {
    findings_->Add("key", KeyName(prefix, user_key) + " lies under the hash of another");
  }
  if (use_[prefix] == Use::kNone || use_[prefix] == Use::kRemoved) {
    findings_->Add("database", KeyName(prefix, user_key) + " belongs to no database");
  }
  ++found_[prefix].keys;
  std::string_view payload = value;
  std::optional<types::Header> header = ParseHeader(&payload);
  if (!header) {
    return findings_->Add("record",
                          KeyName(prefix, user_key) + " has a record that does not decode");
  }
  if (header->version == 0 || header->version >> kVersionCounterBits > applied_.index) {
    findings_->Add("record", KeyName(prefix, user_key) + " was written by entry " +
                                 std::to_string(header->version >> kVersionCounterBits) +
                                 ", and the last entry applied is " +
                                 std::to_string(applied_.index));
  }
  if (header->type != types::Type::kString) {
    std::optional<types::CollectionHeader> collection = types::CollectionHeader::Parse(&payload);
    if (!collection) {
      findings_->Add("record", KeyName(prefix, user_key) + " is a collection that does not decode");
    } else {
      if (collection->spread()) {
        ++found_[prefix].spread;
        // Below that place it is known as a dead one, or was removed.
        if (use_[prefix] == Use::kLive || key >= next_meta_key_[prefix]) {
          KnowCollection(collection->id);
        }
      }
      // Rows of a flushed database may be gone already.
      Status whole;
      if (use_[prefix] == Use::kLive) whole = CheckCollection(*header, *collection, payload);
      if (!whole.ok()) {
        findings_->Add("collection", KeyName(prefix, user_key) + " has " + whole.message());
      }
    }
  }
  if (header->deadline_ms) ++found_[prefix].expiring;
  for (char tag : {kExpiryTag, kFieldExpiryTag}) {
    const std::optional<int64_t> deadline_ms = DeadlineOf(*header, tag);
    if (!deadline_ms) continue;
    const std::string expiry = ExpiryKey(tag, key, *deadline_ms);
    expiries_wanted_ += XXH3_64bits(expiry.data(), expiry.size());
  }
}

// A type that does not stand here is not looked into.
Status StateCheck::CheckCollection(const types::Header& header,
                                   const types::CollectionHeader& collection,
                                   std::string_view rest) const {
  const engine::View& view = node_->view();
  switch (header.type) {
    case types::Type::kString:
      return Status::Corruption("elements, as no string has");
    case types::Type::kList:
      return types::CheckList(view, collection, rest);
    case types::Type::kSet:
      return types::CheckSet(view, collection, rest);
    case types::Type::kZset:
      return types::CheckSortedSet(view, collection, rest);
    case types::Type::kHash:
      return types::CheckHash(view, header, collection, rest);
    case types::Type::kStream:
      return types::CheckStream(view, collection, rest);
  }
  return Status::Corruption("an unknown type");
}

void StateCheck::CheckIndex(std::string_view key, std::string_view value) {
  if (key.size() > kCollectionIdBytes && key[0] == kElementTag) {
    return SeeCollection(key.substr(0, 1 + kCollectionIdBytes));
  }
  if (key.empty() || !IsExpiryTag(key[0])) {
    return findings_->Add("key", "a row of the index is of no kind: " + Printable(key));
  }
  if (key.size() < kExpiryKeyHead + 8 || !value.empty()) {
    return findings_->Add("expiry", "an expiry entry does not decode: " + Printable(key));
  }
  expiries_there_ += XXH3_64bits(key.data(), key.size());
}

void StateCheck::CheckData(std::string_view key) {
  if (key.size() < kCollectionIdBytes) {
    return findings_->Add("key", "an element belongs to no collection: " + Printable(key));
  }
  SeeCollection(key.substr(0, kCollectionIdBytes));
}

void StateCheck::KnowCollection(uint64_t id) {
  for (Family family : {Family::kData, Family::kIndex}) {
    const std::string prefix = types::ElementPrefix(family, id);
    auto it = node_->view().NewIterator(family, prefix, engine::PrefixEnd(prefix));
    it->Seek(prefix);
    if (it->Valid()) collections_known_ += XXH3_64bits(prefix.data(), prefix.size());
  }
}

void StateCheck::SeeCollection(std::string_view prefix) {
  if (prefix == last_collection_) return;
  last_collection_ = prefix;
  collections_there_ += XXH3_64bits(prefix.data(), prefix.size());
}

// The sums differ: now each entry is looked up, both ways.
void StateCheck::NameExpiryDifferences() {
  node_->ForEach(Family::kMeta, [this](std::string_view key, std::string_view value) {
    if (key.size() < kMetaKeyHead) return;
    std::optional<types::Header> header = ParseHeader(&value);
    if (!header) return;
    for (char tag : {kExpiryTag, kFieldExpiryTag}) {
      const std::optional<int64_t> deadline_ms = DeadlineOf(*header, tag);
      if (!deadline_ms || node_->Get(Family::kIndex, ExpiryKey(tag, key, *deadline_ms))) continue;
      findings_->Add("expiry", KeyName(static_cast<uint8_t>(key[0]), key.substr(kMetaKeyHead)) +
                                   (tag == kExpiryTag ? " expires at " : " has a field until ") +
                                   std::to_string(*deadline_ms) +
                                   " and is not in the expiry index");
    }
  });
  node_->ForEach(Family::kIndex, [this](std::string_view key, std::string_view) {
    if (key.size() < kExpiryKeyHead + 8 || !IsExpiryTag(key[0])) return;
    const std::string meta_key = std::string(1, key[1]).append(key.substr(kExpiryKeyHead));
    const uint64_t deadline_ms = ReadBig64(key.data() + 2);
    std::optional<std::string> record = node_->Get(Family::kMeta, meta_key);
    std::string_view bytes = record ? std::string_view(*record) : std::string_view();
    std::optional<types::Header> header = ParseHeader(&bytes);
    if (header && DeadlineOf(*header, key[0]) == static_cast<int64_t>(deadline_ms)) return;
    findings_->Add(
        "expiry",
        "the expiry index has " +
            KeyName(static_cast<uint8_t>(key[1]), std::string_view(meta_key).substr(kMetaKeyHead)) +
            " at " + std::to_string(deadline_ms) + ", which is not in its record");
  });
}

void StateCheck::CheckCounts() {
  for (int i = 0; i < kPrefixes; ++i) {
    const auto p = static_cast<size_t>(i);
    // The counts of a flushed database are 0 at once, its keys go later.
    if (use_[p] == Use::kLive) keys_ += found_[p].keys;
    if (use_[p] != Use::kLive) continue;
    const auto differs = [&](const char* what, int64_t stored, int64_t found) {
      if (stored == found) return;
      findings_->Add("count", "prefix " + std::to_string(i) + " holds " + std::to_string(found) +
                                  " " + what + ", and its counter says " + std::to_string(stored));
    };
    differs("keys", stored_[p].keys, found_[p].keys);
    differs("expiring keys", stored_[p].expiring, found_[p].expiring);
    differs("spread collections", stored_[p].spread, found_[p].spread);
  }
}

void StateCheck::Run(const std::optional<engine::Identity>& identity) {
  bool read = node_->ForEach(Family::kSystem, [&](std::string_view key, std::string_view value) {
    Hash(Family::kSystem, key, value);
    CheckSystem(key, value, identity);
  });
  if (!read) return;
  if (membership_index_ > applied_.index) {
    findings_->Add("system", "the membership is of entry " + std::to_string(membership_index_) +
                                 ", and the last entry applied is " +
                                 std::to_string(applied_.index));
  }
  for (int db = 0; db < engine::kDatabases; ++db) {
    const uint8_t prefix = databases_.prefix[static_cast<size_t>(db)];
    if (prefix == 255 || use_[prefix] != Use::kNone) {
      findings_->Add("database", "database " + std::to_string(db) + " has prefix " +
                                     std::to_string(prefix) + ", which is not its own");
      continue;
    }
    use_[prefix] = Use::kLive;
  }
  const auto meta = [this](std::string_view key, std::string_view value) {
    Hash(Family::kMeta, key, value);
    CheckMeta(key, value);
  };
  const auto data = [this](std::string_view key, std::string_view value) {
    Hash(Family::kData, key, value);
    CheckData(key);
  };
  const auto index = [this](std::string_view key, std::string_view value) {
    Hash(Family::kIndex, key, value);
    CheckIndex(key, value);
  };
  if (!node_->ForEach(Family::kMeta, meta) || !node_->ForEach(Family::kData, data) ||
      !node_->ForEach(Family::kIndex, index)) {
    return;
  }
  if (expiries_wanted_ != expiries_there_) NameExpiryDifferences();
  if (collections_known_ != collections_there_) {
    findings_->Add("collection", "elements of a collection that no key has, or that two keys have");
  }
  CheckCounts();
}

// Reads a proposal to its end.
Status CheckProposal(std::string_view data) {
  EntryReader reader(data);
  RETURN_IF_ERROR(reader.ReadHeader());
  Item item;
  for (;;) {
    BatchHeader header;
    Status status = reader.NextBatch(&header);
    if (status.code() == Code::kNotFound) return Status::Ok();
    RETURN_IF_ERROR(status);
    uint32_t count = 0;
    while ((status = reader.NextItem(&item)).ok()) ++count;
    if (status.code() != Code::kNotFound) return status;
    if (count != header.count) return Status::Corruption("a batch has not the items it announces");
  }
}

void CheckEntry(raft::Position at, raft::EntryType type, std::string_view data,
                Findings* findings) {
  Status status;
  if (type == raft::EntryType::kConfChange) {
    status = raft::DecodeMembership(data).status();
  } else if (!data.empty()) {
    status = CheckProposal(data);
  }
  if (!status.ok()) {
    findings->Add("log",
                  "entry " + std::to_string(at.index) + " does not decode: " + status.message());
  }
}

void CheckTogether(const engine::StoppedLog& log, const engine::Applied& applied,
                   Findings* findings) {
  const auto bad = [&](const std::string& what) { findings->Add("log", what); };
  const raft::HardState& hard = log.hard_state;
  if (hard.term < log.last.term) {
    bad("the term is " + std::to_string(hard.term) + ", and the last entry has term " +
        std::to_string(log.last.term));
  }
  if (hard.commit_index > std::max(log.last.index, applied.index)) {
    bad("the commit index is " + std::to_string(hard.commit_index) +
        ", and the last entry is entry " + std::to_string(log.last.index));
  }
  // A node that joins learns its members from the entries.
  if (log.start_membership.voters.empty() && log.start.index > 0) bad("the log has no membership");
  if (applied.index < log.start.index) {
    bad("the state machine ends at index " + std::to_string(applied.index) +
        " and the log begins behind index " + std::to_string(log.start.index));
  }
  if (applied.index > 0 && hard.term < applied.term && applied.index <= log.last.index) {
    bad("the term is " + std::to_string(hard.term) + ", and the last entry applied has term " +
        std::to_string(applied.term));
  }
}

}  // namespace

int CheckDataDirectory(const CheckOptions& options, const PrintLine& print,
                       const PrintLine& progress) {
  Findings findings(options.findings_per_kind, print);
  Result<std::unique_ptr<engine::StoppedNode>> opened =
      engine::StoppedNode::Open(options.data_dir, &findings, progress);
  if (!opened.ok()) {
    print("metaStore check: " + opened.status().message());
    return kCheckNotDone;
  }
  engine::StoppedNode& node = **opened;
  std::string summary = options.data_dir;
  std::optional<engine::Identity> identity = node.CheckIdentity();
  if (identity) {
    summary +=
        ": node " + std::to_string(identity->node_id) + ", run " + std::to_string(identity->run);
  }
  const uint64_t before_log = findings.total();
  std::optional<engine::StoppedLog> log =
      node.CheckLog([&](raft::Position at, raft::EntryType type, std::string_view data) {
        CheckEntry(at, type, data, &findings);
      });
  if (log) {
    summary += "; log " + std::to_string(log->start.index + 1) + ".." +
               std::to_string(log->last.index) + ", term " + std::to_string(log->hard_state.term) +
               ", commit " + std::to_string(log->hard_state.commit_index);
  }
  const bool log_missing = !log && findings.total() == before_log;
  StateCheck state(&node, &findings);
  const uint64_t before_state = findings.total();
  const bool readable = node.OpenDatabase();
  if (readable) {
    state.Run(identity);
    summary += "; applied " + std::to_string(state.applied().index) + ", " +
               std::to_string(state.keys()) + " keys, state " +
               fmt::format("{:016x}", state.hash());
  }
  const bool state_known = readable || findings.total() == before_state;
  if (log && state_known) CheckTogether(*log, state.applied(), &findings);
  if (state.applied().index > 0 && (log_missing || (log && log->hard_state.term == 0))) {
    findings.Add("log", "the Raft log is lost: the state machine ends at index " +
                            std::to_string(state.applied().index) + ", and the log has no term");
  }
  findings.Finish();
  print(summary + ": " +
        (findings.total() == 0 ? "clean" : std::to_string(findings.total()) + " findings"));
  return findings.total() == 0 ? kCheckClean : kCheckDamaged;
}

int64_t CheckState(engine::StoppedNode* node, engine::Findings* findings) {
  StateCheck state(node, findings);
  state.Run(std::nullopt);
  return state.keys();
}

int CheckMain(const std::vector<std::string>& args) {
  constexpr char kUsage[] =
      "Usage: metaStore check --data-dir DIR [--findings N]\n\n"
      "Verifies the directory of a stopped node without changing it: identity, log, checksums,\n"
      "records, expiry index and counters. At most N findings of each kind are shown (10).\n"
      "Replicas that hold the same bytes show the same state, whatever empty entries one of them "
      "has\n"
      "applied beyond.\n"
      "Exit code 0: clean. 1: damaged. 2: not checked.\n";
  CheckOptions options;
  // Pairs of name and value.
  for (size_t i = 0; i < args.size(); i += 2) {
    if (args[i] == "--help") {
      std::fputs(kUsage, stdout);
      return kCheckClean;
    }
    const std::string value = i + 1 < args.size() ? args[i + 1] : "";
    bool known = !value.empty();
    if (args[i] == "--data-dir") {
      options.data_dir = value;
    } else if (args[i] == "--findings") {
      const char* end = value.data() + value.size();
      known = known && std::from_chars(value.data(), end, options.findings_per_kind).ptr == end;
    } else {
      known = false;
    }
    if (!known) {
      std::fprintf(stderr, "metaStore check: bad option %s; see metaStore check --help\n",
                   args[i].c_str());
      return kCheckNotDone;
    }
  }
  if (options.data_dir.empty()) {
    std::fputs("metaStore check: --data-dir is missing; see metaStore check --help\n", stderr);
    return kCheckNotDone;
  }
  const auto print = [](const std::string& line) { std::fprintf(stdout, "%s\n", line.c_str()); };
  const auto progress = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  return CheckDataDirectory(options, print, progress);
}

}  // namespace metastore::replica
