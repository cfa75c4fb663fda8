// `metaStore check`: every kind of damage is planted, and exactly that is found.
#include "replica/check.h"

#include <gtest/gtest.h>

#include "base/coding.h"
#include "engine/engine.h"
#include "engine/log_store.h"
#include "engine/system_keys.h"
#include "replica/proposal.h"
#include "tests/engine/scratch.h"
#include "types/hash.h"
#include "types/keyspace.h"
#include "types/set.h"
#include "types/list.h"

namespace metastore::replica {
namespace {

using engine::Family;
using engine::Txn;
using Lines = std::vector<std::string>;

constexpr uint64_t kEntries = 20;
constexpr int64_t kDeadlineMs = 5'000'000;

std::string Proposal() {
  BatchBuilder builder;
  const std::vector<std::string_view> args = {"SET", "k", "v"};
  builder.Add(ItemKind::kWrite, 2, 0, args);
  BatchHeader header;
  header.node = 1;
  header.incarnation = 1;
  header.seq = 1;
  header.count = 1;
  std::string entry;
  BeginEntry(1000, 7, &entry);
  return entry + EncodeBatch(header, builder.Take());
}

raft::Entry MakeEntry(raft::Index index, raft::Term term, std::string data) {
  return {term, index, raft::EntryType::kNormal, std::make_shared<const std::string>(data)};
}

// A node with 20 entries in its log, all applied: keys k1..k20 in database 0, of which each third
// expires, and one key in database 3.
class CheckTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(engine::DataDirectory::Open(dir(), "one", 1).ok());
    ChangeLog([](engine::LogStore* log) {
      CHECK_OK(log->Bootstrap({.voters = {1}, .voters_outgoing = {}, .learners = {}}));
      engine::LogWrite write;
      write.hard_state = raft::HardState{2, 1, kEntries};
      for (uint64_t i = 1; i <= kEntries; ++i) {
        write.entries.push_back(MakeEntry(i, i < 10 ? 1 : 2, Proposal()));
      }
      CHECK_OK(log->Append(write));
    });
    ChangeState([](Txn& txn) {
      for (uint64_t i = 1; i <= kEntries; ++i) {
        txn.BeginEntry(i, 1000, i);
        std::optional<int64_t> deadline;
        if (i % 3 == 0) deadline = kDeadlineMs + static_cast<int64_t>(i);
        types::WritableKey(txn, 0, "k" + std::to_string(i)).PutString("value", deadline);
      }
      types::WritableKey(txn, 3, "other").PutString("value");
      txn.Put(Family::kSystem, engine::kAppliedKey, engine::EncodeApplied({kEntries, 2, 1000, 0}));
      std::string session;
      PutBig64(&session, 1);
      PutBig64(&session, 1);
      txn.Put(Family::kSystem, engine::SessionKey(1), session);
    });
  }

  const std::string& dir() const { return scratch_.path(); }
  void ChangeLog(const std::function<void(engine::LogStore*)>& change) {
    Result<std::unique_ptr<engine::LogStore>> log = engine::LogStore::Open({.directory = dir()});
    ASSERT_TRUE(log.ok()) << log.ToString();
    change(log->get());
  }
  void ChangeState(const std::function<void(Txn&)>& change) {
    Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::Open({.directory = dir()});
    ASSERT_TRUE(engine.ok()) << engine.ToString();
    change((*engine)->txn());
    (*engine)->Commit();
    ASSERT_TRUE((*engine)->Flush().ok());
  }
  // The lines without the summary.
  Lines Check(int expected = kCheckDamaged, uint64_t per_kind = 10) {
    Lines lines;
    int code = CheckDataDirectory(
        {.data_dir = dir(), .findings_per_kind = per_kind},
        [&lines](const std::string& line) { lines.push_back(line); }, [](const std::string&) {});
    EXPECT_EQ(code, expected);
    EXPECT_FALSE(lines.empty());
    if (code != kCheckNotDone && !lines.empty()) {
      summary_ = lines.back();
      lines.pop_back();
    }
    return lines;
  }
  // The one finding, with the directory's name taken out.
  std::string Finding() {
    Lines lines = Check();
    if (lines.size() != 1) return testing::PrintToString(lines);
    std::string line = lines[0];
    for (size_t at; (at = line.find(dir())) != std::string::npos;)
      line.replace(at, dir().size(), "D");
    return line;
  }
  void Flip(const std::string& path, size_t byte) { engine::FlipBit(path, byte, 0); }
  std::string Largest(const std::string& where, const std::string& suffix) {
    std::string largest;
    for (const std::string& file : engine::FilesEndingIn(dir() + "/" + where, suffix)) {
      if (largest.empty() ||
          std::filesystem::file_size(file) > std::filesystem::file_size(largest)) {
        largest = file;
      }
    }
    return largest;
  }

  engine::ScratchDirectory scratch_;
  std::string summary_;
};

TEST_F(CheckTest, AWholeDirectoryIsCleanAndStaysAsItIs) {
  const std::string before = engine::Listing(dir());
  EXPECT_EQ(Check(kCheckClean), Lines());
  const std::string known =
      dir() + ": node 1, run 1; log 1..20, term 2, commit 20; applied 20, 21 keys, state ";
  ASSERT_EQ(summary_.substr(0, known.size()), known);
  EXPECT_EQ(summary_.substr(known.size() + 16), ": clean");
  EXPECT_EQ(engine::Listing(dir()), before);
}

TEST_F(CheckTest, FlushedDatabasesAreCleanWhileTheirKeysWaitToBeRemovedAndAfter) {
  ChangeState([](Txn& txn) {
    txn.BeginEntry(kEntries, 1000, 1);
    for (int i = 0; i < types::kFlushOneByOneKeys; ++i) {
      types::WritableKey(txn, 0, "more" + std::to_string(i)).PutString("v", kDeadlineMs);
    }
  });
  ChangeState([](Txn& txn) {
    txn.BeginEntry(kEntries, 1000, 1);
    types::FlushDatabase(txn, 0);
    types::SwapDatabases(txn, 1, 3);
  });
  EXPECT_EQ(Check(kCheckClean), Lines());
  ChangeState([](Txn& txn) {
    txn.BeginEntry(kEntries + 1, 1000, 1);
    types::Reclaim(txn);
  });
  EXPECT_EQ(Check(kCheckClean), Lines());
}

TEST_F(CheckTest, ARunningNodeIsRefused) {
  Result<std::unique_ptr<engine::DataDirectory>> running =
      engine::DataDirectory::Open(dir(), "one", 1);
  ASSERT_TRUE(running.ok());
  EXPECT_EQ(Check(kCheckNotDone), Lines{"metaStore check: data directory " + dir() +
                                        " is in use by another process; stop that one first"});
}

TEST_F(CheckTest, ADirectoryThatIsNoNodesIsRefusedAndNothingIsCreatedThere) {
  engine::ScratchDirectory empty;
  Lines lines;
  const auto print = [&lines](const std::string& line) { lines.push_back(line); };
  EXPECT_EQ(CheckDataDirectory({.data_dir = empty.path()}, print, print), kCheckNotDone);
  EXPECT_EQ(CheckDataDirectory({.data_dir = empty / "none"}, print, print), kCheckNotDone);
  EXPECT_EQ(lines, (Lines{"metaStore check: " + empty.path() + " is not a node's data directory",
                          "metaStore check: there is no directory " + (empty / "none")}));
  EXPECT_TRUE(std::filesystem::is_empty(empty.path()));
}

TEST_F(CheckTest, OfManyFindingsOfAKindTheFirstAreShownAndTheRestCounted) {
  ChangeState([](Txn& txn) {
    for (int i = 1; i <= 5; ++i) {
      txn.Put(Family::kMeta, types::MetaKey(0, "k" + std::to_string(i * 3)), "\x0f");
    }
  });
  Lines lines = Check(kCheckDamaged, 2);
  std::erase_if(lines, [](const std::string& line) { return !line.starts_with("damage: record"); });
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[2], "damage: record: 3 more");
}

// --- the state machine ---------------------------------------------------------------------------

TEST_F(CheckTest, AKeyUnderAWrongHash) {
  ChangeState([](Txn& txn) {
    std::string key = types::MetaKey(0, "k1"), record;
    CHECK(txn.Get(Family::kMeta, key, &record));
    txn.Delete(Family::kMeta, key);
    key[5] = static_cast<char>(key[5] ^ 1);
    txn.Put(Family::kMeta, key, record);
  });
  EXPECT_EQ(Finding(), "damage: key: the key \"k1\" (prefix 0) lies under the hash of another");
}

TEST_F(CheckTest, ARecordThatDoesNotDecode) {
  for (const std::string& record :
       {std::string(), std::string("\0\1", 2), std::string("\x81\1", 2), std::string("\x61\1", 2),
        std::string("\x07\1", 2), std::string("\x01\x80", 2), std::string("\x11\0\1", 3),
        std::string("\x01\x81\0", 3)}) {
    ChangeState([&record](Txn& txn) { txn.Put(Family::kMeta, types::MetaKey(0, "k1"), record); });
    EXPECT_EQ(Finding(),
              "damage: record: the key \"k1\" (prefix 0) has a record that does not decode");
  }
}

TEST_F(CheckTest, ARecordOfTheFuture) {
  ChangeState([](Txn& txn) {
    txn.BeginEntry(kEntries + 5, 1000, 1);
    types::WritableKey(txn, 0, "k1").PutString("v");
  });
  EXPECT_EQ(Finding(),
            "damage: record: the key \"k1\" (prefix 0) was written by entry 25, and the last entry "
            "applied is 20");
}

TEST_F(CheckTest, ADeadlineThatTheExpiryIndexHasNot) {
  ChangeState([](Txn& txn) {
    std::unique_ptr<engine::Iterator> it = txn.NewIterator(Family::kIndex, "e", "f");
    it->Seek("e");
    std::string key(it->key());
    it.reset();
    txn.Delete(Family::kIndex, key);
  });
  EXPECT_EQ(Finding(),
            "damage: expiry: the key \"k3\" (prefix 0) expires at 5000003 and is not in the expiry "
            "index");
}

TEST_F(CheckTest, AnEntryOfTheExpiryIndexThatNoRecordHas) {
  ChangeState([](Txn& txn) {
    std::string key("e\0", 2);
    PutBig64(&key, 77);
    txn.Put(Family::kIndex, key + types::MetaKey(0, "k1").substr(1), "");
  });
  EXPECT_EQ(Finding(),
            "damage: expiry: the expiry index has the key \"k1\" (prefix 0) at 77, which is not in "
            "its record");
}

// One packed, one dense, one counted.
void AddLists(Txn& txn) {
  txn.BeginEntry(kEntries, 1000, 1);
  for (const char* key : {"packed", "dense", "counted"}) {
    Result<types::WritableList> list = types::WritableList::Open(txn, 0, key);
    for (int i = 0; i < (key[0] == 'p' ? 3 : 300); ++i) list->PushBack("element");
    list->Save();
  }
  Result<types::WritableList> list = types::WritableList::Open(txn, 0, "counted");
  list->Insert(150, "middle");
  list->Save();
}

TEST_F(CheckTest, ListsThatAreWhole) {
  ChangeState(AddLists);
  EXPECT_EQ(Check(kCheckClean), Lines());
}

TEST_F(CheckTest, AListWhoseRowsDoNotFit) {
  std::string first, counts;
  ChangeState([&](Txn& txn) {
    AddLists(txn);
    const auto elements = [&txn](std::string_view key) {
      return types::ElementPrefix(Family::kData, types::Find(txn, 0, key)->collection_id());
    };
    first = elements("dense").append(1, '\0');
    PutBig64(&first, types::kListStart);
    counts = elements("counted").append("\1\1");  // the last block
    txn.Delete(Family::kData, first);
  });
  EXPECT_EQ(Finding(),
            "damage: collection: the key \"dense\" (prefix 0) has a row out of place behind 0 "
            "others");
  ChangeState([&](Txn& txn) {
    txn.Put(Family::kData, first, "element");
    txn.Put(Family::kData, counts, "\x05");
  });
  EXPECT_EQ(Finding(),
            "damage: collection: the key \"counted\" (prefix 0) has a count of 5 rows where "
            "44 are");
}

// One packed, one spread, each with a field that expires.
void AddHashesAt(uint64_t index, Txn& txn) {
  txn.BeginEntry(index, 1000, 1);
  for (const char* key : {"packed", "spread"}) {
    Result<types::WritableHash> hash = types::WritableHash::Open(txn, 0, key);
    hash->Set("f", key[0] == 's' ? std::string(5000, 'x') : "v");
    hash->Set("g", "v");
    hash->Expire("g", kDeadlineMs, types::FieldExpiryCondition::kAlways);
    hash->Save();
  }
}

void AddHashes(Txn& txn) { AddHashesAt(kEntries, txn); }

TEST_F(CheckTest, HashesThatAreWhole) {
  ChangeState(AddHashes);
  EXPECT_EQ(Check(kCheckClean), Lines());
}

TEST_F(CheckTest, AHashWhoseElementsDoNotFit) {
  uint64_t id = 0;
  ChangeState([&](Txn& txn) {
    AddHashes(txn);
    id = types::Find(txn, 0, "spread")->collection_id();
    txn.Delete(Family::kData, types::ElementRow(id, "g"));
  });
  EXPECT_EQ(Finding(),
            "damage: collection: the key \"spread\" (prefix 0) has 1 elements, and its record says "
            "2");
  ChangeState([&](Txn& txn) { txn.Put(Family::kData, types::ElementRow(id, "g"), ""); });
  EXPECT_EQ(Finding(),
            "damage: collection: the key \"spread\" (prefix 0) has a field that does not decode");
  ChangeState(
      [&](Txn& txn) { txn.Put(Family::kData, types::ElementRow(id, "g"), std::string("\0v", 2)); });
  EXPECT_EQ(Finding(),
            "damage: collection: the key \"spread\" (prefix 0) has deadlines of fields that its "
            "due rows have not");
}

// They are queued for removal, and their keys go later.
TEST_F(CheckTest, CollectionsThatWereDeletedOrFlushed) {
  ChangeState([](Txn& txn) {
    AddHashesAt(10, txn);
    types::WritableKey(txn, 0, "spread").Delete();
    AddHashesAt(11, txn);
    for (int i = 0; i < 20; ++i) types::Copy(txn, 0, "spread", 0, "copy" + std::to_string(i));
    // More than a call of Reclaim looks at.
    for (int i = 0; i < 5000; ++i) {
      types::WritableKey(txn, 0, "more" + std::to_string(i)).PutString("v");
    }
    types::FlushDatabase(txn, 0);
    AddHashesAt(12, txn);
  });
  EXPECT_EQ(Check(kCheckClean), Lines());
  for (uint64_t i = 0; i < 5; ++i) {
    ChangeState([i](Txn& txn) {
      txn.BeginEntry(13 + i, 1000, 1);
      types::Reclaim(txn);
    });
    EXPECT_EQ(Check(kCheckClean), Lines());
  }
}

TEST_F(CheckTest, ElementsThatNoKeyHas) {
  const std::string finding =
      "damage: collection: elements of a collection that no key has, or that two keys have";
  ChangeState(AddHashes);
  for (Family family : {Family::kData, Family::kIndex}) {
    const std::string row = types::ElementPrefix(family, 77) + "row";
    ChangeState([&](Txn& txn) { txn.Put(family, row, ""); });
    EXPECT_EQ(Finding(), finding);
    ChangeState([&](Txn& txn) { txn.Delete(family, row); });
    EXPECT_EQ(Check(kCheckClean), Lines());
  }
  ChangeState([&](Txn& txn) {
    txn.BeginEntry(kEntries, 1000, 2);
    const types::Record record = *types::Find(txn, 0, "spread");
    types::WritableKey(txn, 0, "double").Put(record.header(), record.payload());
  });
  EXPECT_EQ(Finding(), finding);
}

TEST_F(CheckTest, AFieldDeadlineThatTheExpiryIndexHasNot) {
  ChangeState([&](Txn& txn) {
    AddHashes(txn);
    std::string key("h\0", 2);
    PutBig64(&key, kDeadlineMs);
    txn.Delete(Family::kIndex, key + types::MetaKey(0, "packed").substr(1));
  });
  EXPECT_EQ(Finding(),
            "damage: expiry: the key \"packed\" (prefix 0) has a field until 5000000 and is not in "
            "the expiry index");
}

TEST_F(CheckTest, SetsAreLookedInto) {
  ChangeState([](Txn& txn) {
    txn.BeginEntry(kEntries, 1000, 1);
    for (const char* key : {"packed", "spread"}) {
      Result<types::WritableSet> set = types::WritableSet::Open(txn, 0, key);
      const std::string first = key[0] == 's' ? std::string(5000, 'x') : "1";
      set->Add(first);
      set->Add("2");
      set->Save();
    }
  });
  EXPECT_EQ(Check(kCheckClean), Lines());
  ChangeState([](Txn& txn) {
    const uint64_t id = types::Find(txn, 0, "spread")->collection_id();
    txn.Put(Family::kData, types::ElementRow(id, "2"), "v");
  });
  EXPECT_EQ(Finding(),
            "damage: collection: the key \"spread\" (prefix 0) has a member with a value");
}

TEST_F(CheckTest, CountersThatDifferFromTheContents) {
  ChangeState([](Txn& txn) { txn.AddCounts(0, {.keys = 1}); });
  EXPECT_EQ(Finding(), "damage: count: prefix 0 holds 20 keys, and its counter says 21");
  ChangeState([](Txn& txn) { txn.AddCounts(0, {.keys = -1, .expiring = 2}); });
  EXPECT_EQ(Finding(), "damage: count: prefix 0 holds 6 expiring keys, and its counter says 8");
}

TEST_F(CheckTest, AKeyOfNoDatabase) {
  ChangeState([](Txn& txn) {
    txn.BeginEntry(1, 1000, 1);
    txn.Put(Family::kMeta, types::MetaKey(99, "stray"),
            types::Record::Encode(
                {types::Type::kString, types::StringForm::kPlain, std::nullopt, 1 << 24}, "v"));
  });
  EXPECT_EQ(Finding(), "damage: database: the key \"stray\" (prefix 99) belongs to no database");
}

TEST_F(CheckTest, TwoDatabasesWithOnePrefix) {
  ChangeState([](Txn& txn) {
    engine::DatabaseMap map = txn.databases();
    map.prefix[9] = 3;
    txn.SetDatabases(map);
  });
  EXPECT_EQ(Finding(), "damage: database: database 9 has prefix 3, which is not its own");
}

TEST_F(CheckTest, SystemRecordsThatMakeNoSense) {
  const auto finding_with = [this](const std::string& key, const std::string& value) {
    ChangeState([&](Txn& txn) { txn.Put(Family::kSystem, key, value); });
    std::string finding = Finding();
    ChangeState([&](Txn& txn) { txn.Delete(Family::kSystem, key); });
    return finding;
  };
  EXPECT_EQ(finding_with("zz", "v"), "damage: system: a record has the unknown name \"zz\"");
  EXPECT_EQ(finding_with("c12", "v"),
            "damage: system: the name of a dead collection does not decode");
  EXPECT_EQ(finding_with("d\x40", "v"), "damage: system: the dead database \"d@\" does not decode");
  EXPECT_EQ(finding_with("v", "v"), "damage: system: the membership does not decode");
  EXPECT_EQ(finding_with("v", std::string("\0\0\0\0\0\0\0\x15", 8) + raft::EncodeMembership({})),
            "damage: system: the membership is of entry 21, and the last entry applied is 20");
  EXPECT_EQ(finding_with("sx", "v"), "damage: system: the session \"sx\" does not decode");
  std::string session;
  PutBig64(&session, UINT64_MAX);
  PutBig64(&session, 1);
  EXPECT_EQ(finding_with(engine::SessionKey(1), session),
            "damage: system: the session of this node is of a run that this disk has not had");
  EXPECT_TRUE(finding_with(engine::SessionKey(1), session + '\2').ends_with("does not decode"));
  // That of an earlier member of this id, on a disk of its own, is no damage.
  ChangeState([&](Txn& txn) { txn.Put(Family::kSystem, engine::SessionKey(1), session + '\1'); });
  EXPECT_EQ(Check(0), Lines());
}

// --- the log -------------------------------------------------------------------------------------

TEST_F(CheckTest, EntriesThatDoNotDecode) {
  ChangeLog([](engine::LogStore* log) {
    engine::LogWrite write;
    std::string proposal = Proposal();
    proposal.pop_back();
    write.entries.push_back(MakeEntry(21, 2, proposal));
    CHECK_OK(log->Append(write));
  });
  EXPECT_EQ(Finding(), "damage: log: entry 21 does not decode: proposal: short batch");
  ChangeLog([](engine::LogStore* log) {
    engine::LogWrite write;
    write.entries.push_back(MakeEntry(21, 2, "x"));
    write.entries[0].type = raft::EntryType::kConfChange;
    CHECK_OK(log->Append(write));
  });
  EXPECT_EQ(Finding(),
            "damage: log: entry 21 does not decode: membership change of an unknown version");
}

TEST_F(CheckTest, AHardStateThatDoesNotFitTheLog) {
  ChangeLog([](engine::LogStore* log) {
    engine::LogWrite write;
    write.hard_state = raft::HardState{3, 1, kEntries + 1};
    CHECK_OK(log->Append(write));
  });
  EXPECT_EQ(Finding(), "damage: log: the commit index is 21, and the last entry is entry 20");
  ChangeLog([](engine::LogStore* log) {
    engine::LogWrite write;
    write.hard_state = raft::HardState{3, 1, kEntries};
    write.entries.push_back(MakeEntry(21, 4, ""));
    CHECK_OK(log->Append(write));
  });
  EXPECT_EQ(Finding(), "damage: log: the term is 3, and the last entry has term 4");
}

TEST_F(CheckTest, TermsThatGoBack) {
  ChangeLog([](engine::LogStore* log) {
    engine::LogWrite write;
    write.entries.push_back(MakeEntry(21, 1, ""));
    CHECK_OK(log->Append(write));
  });
  EXPECT_EQ(Finding(), "damage: log: entry 21 has term 1, less than the term before it, 2");
}

TEST_F(CheckTest, ALogThatBeginsBehindTheStateMachine) {
  ChangeLog([](engine::LogStore* log) {
    engine::LogWrite write;
    write.entries.push_back(MakeEntry(21, 2, ""));
    write.entries.push_back(MakeEntry(22, 2, ""));
    CHECK_OK(log->Append(write));
    CHECK_OK(log->Compact({2, 21}, log->start_membership()));
  });
  EXPECT_EQ(Finding(),
            "damage: log: the state machine ends at index 20 and the log begins behind index 21");
}

TEST_F(CheckTest, ALogThatIsLost) {
  std::filesystem::remove_all(dir() + "/raft");
  EXPECT_EQ(
      Finding(),
      "damage: log: the Raft log is lost: the state machine ends at index 20, and the log has "
      "no term");
}

// --- files ---------------------------------------------------------------------------------------

TEST_F(CheckTest, FlippedBitsInFilesAreFoundAndNamed) {
  std::string file = Largest("raft", ".log");
  ASSERT_FALSE(file.empty());
  Flip(file, 100);
  EXPECT_TRUE(Finding().starts_with("damage: file: ")) << Finding();
  Flip(file, 100);
  file = Largest("db", ".sst");
  ASSERT_FALSE(file.empty());
  Flip(file, 10);
  EXPECT_TRUE(Finding().starts_with("damage: file: D/db/000001/")) << Finding();
  Flip(file, 10);
  Flip(dir() + "/IDENTITY", 30);
  EXPECT_EQ(Finding(), "damage: identity: D/IDENTITY is damaged: its checksum does not match");
  Flip(dir() + "/IDENTITY", 30);
  Flip(dir() + "/db/CURRENT", 4);
  EXPECT_EQ(Finding(),
            "damage: file: D/db/CURRENT names the generation 000011, which is not there");
  Flip(dir() + "/db/CURRENT", 4);
  for (const char* part : {"raft", "db/000001"}) {
    for (const auto& entry : std::filesystem::directory_iterator(dir() + "/" + part)) {
      if (!entry.path().filename().string().starts_with("MANIFEST-")) continue;
      const std::string manifest = entry.path().string();
      for (size_t byte = 0; byte < entry.file_size(); byte += 5) {
        Flip(manifest, byte);
        EXPECT_TRUE(Finding().starts_with("damage: file: ")) << manifest << " byte " << byte;
        Flip(manifest, byte);
      }
    }
  }
  EXPECT_EQ(Check(kCheckClean), Lines());
}

TEST_F(CheckTest, MissingFilesAreFound) {
  const std::string table = Largest("db", ".sst");
  std::filesystem::rename(table, dir() + "/kept");
  EXPECT_TRUE(Finding().starts_with("damage: file: ")) << Finding();
  std::filesystem::rename(dir() + "/kept", table);
  std::filesystem::rename(dir() + "/db/CURRENT", dir() + "/kept");
  EXPECT_EQ(Finding(), "damage: file: D/db/CURRENT is missing, but D/db/000001 holds data");
  std::filesystem::rename(dir() + "/kept", dir() + "/db/CURRENT");
  std::filesystem::rename(dir() + "/raft/CURRENT", dir() + "/kept");
  EXPECT_TRUE(Finding().starts_with("damage: file: D/raft/CURRENT is missing, but")) << Finding();
  EXPECT_EQ(engine::LogStore::Open({.directory = dir()}).code(), Code::kCorruption);
  std::filesystem::rename(dir() + "/kept", dir() + "/raft/CURRENT");
  std::filesystem::rename(dir() + "/db/CURRENT", dir() + "/kept");
  engine::WriteWhole(dir() + "/db/CURRENT", "000002\n");
  EXPECT_EQ(engine::Engine::Open({.directory = dir()}).code(), Code::kCorruption);
  std::filesystem::rename(dir() + "/kept", dir() + "/db/CURRENT");
  EXPECT_EQ(Check(kCheckClean), Lines());
  std::filesystem::remove(dir() + "/IDENTITY");
  EXPECT_EQ(Finding(), "damage: identity: D/IDENTITY is missing");
}

}  // namespace
}  // namespace metastore::replica
