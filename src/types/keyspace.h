// The keyspace: which keys the databases hold, their types, expiry and modification indexes. The
// one place that knows the bytes of keys and meta records (grammar above the codec in keyspace.cc)
// and that keeps the counters and the expiry index in step with them.
//
// A collection is packed, all of it in the record, or spread: its elements then lie in other
// families under its id, not its key. So deleting a key never costs more than its record, whatever
// it holds: what is left of the elements is removed in the background (Reclaim).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/txn.h"
#include "engine/view.h"

namespace metastore::types {

// Stored: never renumber.
enum class Type : uint8_t {
  kString = 1,
  kList = 2,
  kSet = 3,
  kZset = 4,
  kHash = 5,
  kStream = 6,
};
std::string_view TypeName(Type type);  // as the command TYPE replies

// How a string came to be, which OBJECT ENCODING shows. Stored: never renumber.
enum class StringForm : uint8_t {
  kPlain = 0,      // int, embstr or raw, whichever the bytes allow
  kNoInteger = 1,  // embstr or raw: what INCRBYFLOAT leaves, even if it looks like an integer
  kRaw = 2,        // raw: what APPEND and SETRANGE leave
};

// The first byte of a collection's payload has this bit when the collection is spread; its id
// (be64) follows then. All else of the payload is types/collection.h's.
inline constexpr uint8_t kSpread = 0x01;

// What is known of a key before its payload.
struct Header {
  Type type = Type::kString;
  StringForm form = StringForm::kPlain;
  std::optional<int64_t> deadline_ms;  // none: the key stays
  uint64_t version = 0;  // modification index: differs after every write to the key; never 0
  // The earliest deadline of a hash's fields; none: they all stay.
  std::optional<int64_t> field_deadline_ms = {};
};

// A meta record. Of a string the payload is the value; of a collection see types/collection.h.
class Record {
 public:
  // CHECKs the form: bytes that make no sense are a broken node.
  explicit Record(std::string bytes);

  const Header& header() const { return header_; }
  std::string_view payload() const { return std::string_view(bytes_).substr(payload_offset_); }
  // Of a spread collection; else 0.
  uint64_t collection_id() const { return CollectionId(header_.type, payload()); }

  static std::string Encode(const Header& header, std::string_view payload);
  // Cuts the header off the front of *bytes; none where they make no sense.
  static std::optional<Header> ParseHeader(std::string_view* bytes);
  // The same, and CHECKs it.
  static Header TakeHeader(std::string_view* bytes);
  static uint64_t CollectionId(Type type, std::string_view payload);

 private:
  std::string bytes_;
  Header header_;
  size_t payload_offset_;
};

// The place of a key in the order of SCAN, and its Redis Cluster slot in the top 14 bits.
uint64_t KeyHash(std::string_view key);
std::string MetaKey(uint8_t prefix, std::string_view key);

// The rows of a spread collection's elements in a family; what follows is its type's.
//   Family::kData   id:be64 ...
//   Family::kIndex  'i' id:be64 ...
std::string ElementPrefix(engine::Family family, uint64_t collection_id);

// A key that has expired does not exist for any of these.
std::optional<Record> Find(const engine::View& view, int db, std::string_view key);
bool Exists(const engine::View& view, int db, std::string_view key);
// For WATCH: changes with every write to the key, its creation and its deletion; 0 when absent.
uint64_t VersionOf(const engine::View& view, int db, std::string_view key);

// A key open for writing. It looks the key up once and then keeps record, counters and expiry
// index in step. Only one may be open on a key at a time.
class WritableKey {
 public:
  // A key that has expired is deleted here and counts as absent.
  WritableKey(engine::Txn& txn, int db, std::string_view key);

  // What was found; null when absent. It does not follow later Puts, and goes with a Delete.
  const Record* found() const { return found_ ? &*found_ : nullptr; }

  // Replaces whatever is there. A deadline that has passed deletes the key instead.
  void Put(Type type, StringForm form, std::optional<int64_t> deadline_ms,
           std::string_view payload) {
    Put({type, form, deadline_ms}, payload);
  }
  // The header's version is not looked at: the record gets a new one.
  void Put(const Header& header, std::string_view payload);
  void PutString(std::string_view value, std::optional<int64_t> deadline_ms = std::nullopt) {
    Put(Type::kString, StringForm::kPlain, deadline_ms, value);
  }
  // Of a key that was found: all else stays. A deadline that has passed deletes the key.
  void SetDeadline(std::optional<int64_t> deadline_ms);
  // Nothing when absent.
  void Delete();
  // The same, but the key gets another value at once: subscribers hear of no new key.
  void Vacate();
  // The same, but the elements stay: another key has them now.
  void Release();

  engine::Txn& txn() const { return txn_; }

 private:
  friend bool DeleteIfExpired(engine::Txn& txn, std::string_view meta_key, int64_t deadline_ms);
  WritableKey(engine::Txn& txn, std::string meta_key, int db);
  void Load();
  void Tell();
  void Expire();
  void Follow(bool exists, const Header& header, uint64_t collection_id);

  engine::Txn& txn_;
  const int db_;
  const std::string meta_key_;
  std::optional<Record> found_;
  // What stands in the Txn now.
  bool exists_ = false;
  std::optional<int64_t> deadline_ms_;
  std::optional<int64_t> field_deadline_ms_;
  Type type_ = Type::kString;
  uint64_t collection_id_ = 0;
};

// Moves the record with its expiry to another name or database, in O(1), and replaces what is
// there. The source must be there and not be the target.
void Rename(engine::Txn& txn, int db, std::string_view from, int to_db, std::string_view to);
// The same, but the source stays, and the elements of a spread collection are copied.
void Copy(engine::Txn& txn, int db, std::string_view from, int to_db, std::string_view to);

// Exact, O(1); counts expired keys that are not deleted yet, as in Redis.
engine::KeyCounts DatabaseCounts(const engine::View& view, int db);

// Visits keys in the order of their hash from `cursor` on, at least `count` of them if there are
// as many (expired ones are counted and not shown), and returns the cursor to go on with; 0 is
// the start and the end. A cursor is a place in the order of hashes, so it means the same on every
// node and whatever was written meanwhile: a key that is there throughout is seen exactly once.
// Cursors fit into 53 bits, which is what clients that read numbers as doubles can carry.
uint64_t Scan(const engine::View& view, int db, uint64_t cursor, uint64_t count,
              const std::function<void(std::string_view key, const Header& header)>& visit);

// Of one slot of Redis Cluster (base/crc16.h), at the cost of its keys. As in Redis expired keys
// that are not deleted yet are among them.
uint64_t CountKeysInSlot(const engine::View& view, int db, int slot);
// At most `limit` of them, in the order of SCAN.
std::vector<std::string> KeysInSlot(const engine::View& view, int db, int slot, uint64_t limit);

// None when there is no key. Uniform among few keys, nearly so among many.
std::optional<std::string> RandomKey(const engine::View& view, int db, Random random);

void SwapDatabases(engine::Txn& txn, int a, int b);

// Removes all keys: in O(1) by giving the database another physical prefix and queueing the old
// one for Reclaim. A few keys are deleted one by one instead, so that a test suite that flushes
// before every test does not use prefixes up; so are many where every prefix is queued.
void FlushDatabase(engine::Txn& txn, int db);
inline constexpr int64_t kFlushOneByOneKeys = 64;

// Whether Reclaim has something to do.
bool NeedsReclaim(const engine::View& view);
// Removes some of what is left of flushed databases and deleted collections: bounded work a call.
// A prefix that was removed is free for use from the call after.
void Reclaim(engine::Txn& txn);

// What stands before the user key in a meta key: database prefix and hash.
inline constexpr size_t kMetaKeyHead = 1 + 8;

struct ExpiredKey {
  std::string meta_key;
  int64_t deadline_ms = 0;
};
// At most `limit` keys whose deadline is <= now_ms, the ones due longest first. The search begins
// at *floor_ms, since before the first deadline lie the remains of all that have been deleted
// lately, and would be stepped over one by one. The floor moves to the first deadline that there
// is, of a key that is due or not; the caller keeps it at or below the time of the last entry,
// which all deadlines of later ones are above.
std::vector<ExpiredKey> CollectExpired(const engine::View& view, int64_t now_ms, size_t limit,
                                       int64_t* floor_ms = nullptr);
// The same for hashes that have a field whose deadline has passed.
std::vector<ExpiredKey> CollectExpiredFields(const engine::View& view, int64_t now_ms, size_t limit,
                                             int64_t* floor_ms = nullptr);

// The database and name of a meta key; none where no database has its prefix any more, whose range
// must then not be touched, or where the bytes are no meta key.
struct KeyPlace {
  int db = 0;
  std::string_view key;  // within the meta key
};
std::optional<KeyPlace> FindPlace(const engine::View& view, std::string_view meta_key);

// Deletes the key if that is still its deadline and it has passed for this entry. True if so.
bool DeleteIfExpired(engine::Txn& txn, std::string_view meta_key, int64_t deadline_ms);

}  // namespace metastore::types
