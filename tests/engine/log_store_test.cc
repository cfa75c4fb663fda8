#include "engine/log_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "base/random.h"
#include "tests/engine/scratch.h"
#include "tests/support/seed.h"

namespace metastore::engine {
namespace {

using raft::Entry;
using raft::EntryType;
using raft::HardState;
using raft::Index;
using raft::Membership;
using raft::Position;
using raft::SnapshotMetadata;
using raft::Term;

Entry MakeEntry(Index index, Term term, std::string data) {
  Entry entry;
  entry.index = index;
  entry.term = term;
  if (!data.empty()) entry.data = std::make_shared<const std::string>(std::move(data));
  return entry;
}

std::vector<Entry> MakeEntries(Index from, Index to, Term term, const std::string& prefix = "e") {
  std::vector<Entry> entries;
  for (Index i = from; i <= to; ++i) {
    entries.push_back(MakeEntry(i, term, prefix + std::to_string(i)));
  }
  return entries;
}

const Membership kThree{{1, 2, 3}, {}, {}};

class LogStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open(size_t write_buffer_bytes = 32 << 20) {
    Result<std::unique_ptr<LogStore>> opened =
        LogStore::Open({.directory = scratch_.path(), .write_buffer_bytes = write_buffer_bytes});
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    log_ = std::move(*opened);
  }
  void Reopen() {
    log_.reset();
    Open();
  }
  void Append(std::vector<Entry> entries) {
    LogWrite write;
    write.entries = std::move(entries);
    Status status = log_->Append(write);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  Status ApplySnapshot(Index index, Term term, const Membership& membership = kThree) {
    LogWrite write;
    write.snapshot = SnapshotMetadata{index, term, membership};
    return log_->Append(write);
  }
  // "index/term=data" for every entry kept.
  std::vector<std::string> Contents() const { return ContentsOf(*log_); }
  static std::vector<std::string> ContentsOf(const LogStore& log) {
    std::vector<std::string> out;
    Index first = log.start().index + 1, end = log.last_index() + 1;
    if (first == end) return out;
    Result<std::vector<Entry>> entries = log.Read(first, end, SIZE_MAX);
    EXPECT_TRUE(entries.ok()) << entries.ToString();
    if (!entries.ok()) return out;
    for (const Entry& e : *entries) {
      EXPECT_EQ(*log.TermAt(e.index), e.term);
      out.push_back(std::to_string(e.index) + "/" + std::to_string(e.term) + "=" +
                    std::string(e.Data()));
    }
    return out;
  }

  using Strings = std::vector<std::string>;
  ScratchDirectory scratch_;
  std::unique_ptr<LogStore> log_;
};

TEST_F(LogStoreTest, BasicOperations) {
  EXPECT_EQ(log_->start(), Position());
  EXPECT_EQ(log_->last_index(), 0u);
  EXPECT_EQ(log_->hard_state(), HardState());
  EXPECT_EQ(log_->start_membership(), Membership());
  EXPECT_EQ(log_->Read(1, 2, SIZE_MAX).code(), Code::kNotFound);

  ASSERT_TRUE(log_->Bootstrap(kThree).ok());
  EXPECT_EQ(log_->start_membership(), kThree);
  Append({MakeEntry(1, 1, "a"), MakeEntry(2, 1, "")});
  EXPECT_EQ(log_->last_index(), 2u);
  EXPECT_EQ(Contents(), (Strings{"1/1=a", "2/1="}));

  EXPECT_EQ(log_->GetRecord("name"), std::nullopt);
  ASSERT_TRUE(log_->PutRecord("name", "one").ok());
  ASSERT_TRUE(log_->PutRecord("name", "two").ok());
  EXPECT_EQ(log_->GetRecord("name"), "two");
  EXPECT_GT(log_->DiskBytes(), 0u);
}

TEST_F(LogStoreTest, AppendEntries) {
  Append(MakeEntries(1, 5, 1));
  EXPECT_EQ(log_->last_index(), 5u);
  // A longer suffix replaces from its first index on.
  Append(MakeEntries(4, 6, 2, "f"));
  EXPECT_EQ(Contents(), (Strings{"1/1=e1", "2/1=e2", "3/1=e3", "4/2=f4", "5/2=f5", "6/2=f6"}));
  // A shorter one cuts off what was behind it.
  Append({MakeEntry(2, 3, "g2")});
  EXPECT_EQ(Contents(), (Strings{"1/1=e1", "2/3=g2"}));
  EXPECT_EQ(log_->TermAt(3).code(), Code::kNotFound);
  // What was cut does not come back when the log grows over it.
  Append({MakeEntry(3, 3, "g3")});
  Reopen();
  EXPECT_EQ(Contents(), (Strings{"1/1=e1", "2/3=g2", "3/3=g3"}));
  // Everything may be replaced.
  Append({MakeEntry(1, 4, "h1")});
  EXPECT_EQ(Contents(), (Strings{"1/4=h1"}));
}

TEST_F(LogStoreTest, AppendOfAnEntryBehindAGapIsABrokenInvariant) {
  Append(MakeEntries(1, 2, 1));
  LogWrite write;
  write.entries = MakeEntries(4, 4, 1);
  EXPECT_DEATH((void)log_->Append(write), "first <= last \\+ 1");
}

TEST_F(LogStoreTest, Term) {
  // The position before the first entry of an empty log has term 0.
  EXPECT_EQ(*log_->TermAt(0), 0u);
  EXPECT_EQ(log_->TermAt(1).code(), Code::kNotFound);
  Append(MakeEntries(1, 3, 1));
  Append(MakeEntries(4, 6, 5));
  EXPECT_EQ(*log_->TermAt(0), 0u);
  EXPECT_EQ(*log_->TermAt(1), 1u);
  EXPECT_EQ(*log_->TermAt(3), 1u);
  EXPECT_EQ(*log_->TermAt(4), 5u);
  EXPECT_EQ(*log_->TermAt(6), 5u);
  EXPECT_EQ(log_->TermAt(7).code(), Code::kNotFound);
  ASSERT_TRUE(log_->Compact({5, 4}, kThree).ok());
  EXPECT_EQ(log_->TermAt(3).code(), Code::kNotFound);
  EXPECT_EQ(*log_->TermAt(4), 5u);
  EXPECT_EQ(*log_->TermAt(5), 5u);
  Reopen();
  EXPECT_EQ(log_->TermAt(3).code(), Code::kNotFound);
  EXPECT_EQ(*log_->TermAt(4), 5u);
  EXPECT_EQ(*log_->TermAt(6), 5u);
}

TEST_F(LogStoreTest, HardState) {
  LogWrite write;
  write.hard_state = raft::HardState{7, 2, 0};
  ASSERT_TRUE(log_->Append(write).ok());
  EXPECT_EQ(log_->hard_state(), (raft::HardState{7, 2, 0}));
  // An append without one leaves it.
  Append(MakeEntries(1, 2, 7));
  EXPECT_EQ(log_->hard_state(), (raft::HardState{7, 2, 0}));
  write.hard_state = raft::HardState{UINT64_MAX, 3, 2};
  ASSERT_TRUE(log_->Append(write).ok());
  Reopen();
  EXPECT_EQ(log_->hard_state(), (raft::HardState{UINT64_MAX, 3, 2}));
}

TEST_F(LogStoreTest, Snapshot) {
  // The start of the log is where the snapshot ends, with the membership of that moment.
  Membership joint{{1, 2, 4}, {1, 2, 3}, {5, 6}};
  ASSERT_TRUE(ApplySnapshot(100, 9, joint).ok());
  EXPECT_EQ(log_->start(), (Position{9, 100}));
  EXPECT_EQ(log_->last_index(), 100u);
  EXPECT_EQ(log_->start_membership(), joint);
  Reopen();
  EXPECT_EQ(log_->start(), (Position{9, 100}));
  EXPECT_EQ(log_->last_index(), 100u);
  EXPECT_EQ(log_->start_membership(), joint);
  EXPECT_EQ(*log_->TermAt(100), 9u);
  Append(MakeEntries(101, 102, 9));
  EXPECT_EQ(Contents(), (Strings{"101/9=e101", "102/9=e102"}));
}

TEST_F(LogStoreTest, ApplySnapshot) {
  Append(MakeEntries(1, 10, 1));
  // One without an index is none.
  ASSERT_TRUE(ApplySnapshot(0, 0).ok());
  EXPECT_EQ(log_->last_index(), 10u);
  EXPECT_EQ(log_->start(), Position());

  // The log restarts after it, whatever lay behind.
  ASSERT_TRUE(ApplySnapshot(5, 2).ok());
  EXPECT_EQ(log_->start(), (Position{2, 5}));
  EXPECT_EQ(log_->last_index(), 5u);
  EXPECT_EQ(log_->Read(6, 7, SIZE_MAX).code(), Code::kNotFound);
  Append({MakeEntry(6, 3, "new6")});
  Reopen();
  EXPECT_EQ(Contents(), (Strings{"6/3=new6"}));

  // One that is not newer than the start is refused and changes nothing.
  for (Index old : {Index{3}, Index{5}}) {
    EXPECT_EQ(ApplySnapshot(old, 2).code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(Contents(), (Strings{"6/3=new6"}));

  // Snapshot, hard state and the entries after it in one write.
  LogWrite write;
  write.hard_state = raft::HardState{8, 1, 20};
  write.snapshot = SnapshotMetadata{20, 7, kThree};
  write.entries = MakeEntries(21, 22, 8, "s");
  ASSERT_TRUE(log_->Append(write).ok());
  Reopen();
  EXPECT_EQ(log_->start(), (Position{7, 20}));
  EXPECT_EQ(log_->hard_state(), (raft::HardState{8, 1, 20}));
  EXPECT_EQ(Contents(), (Strings{"21/8=s21", "22/8=s22"}));
}

TEST_F(LogStoreTest, Compact) {
  Append(MakeEntries(1, 10, 1));
  ASSERT_TRUE(log_->Compact({1, 4}, kThree).ok());
  EXPECT_EQ(log_->start(), (Position{1, 4}));
  EXPECT_EQ(log_->start_membership(), kThree);
  EXPECT_EQ(log_->Read(4, 6, SIZE_MAX).code(), Code::kNotFound);
  EXPECT_EQ(log_->Read(5, 6, SIZE_MAX)->at(0).Data(), "e5");
  // Going back is no change.
  ASSERT_TRUE(log_->Compact({1, 2}, Membership()).ok());
  EXPECT_EQ(log_->start(), (Position{1, 4}));
  EXPECT_EQ(log_->start_membership(), kThree);
  // Everything may be cut; the log goes on behind it.
  ASSERT_TRUE(log_->Compact({1, 10}, kThree).ok());
  EXPECT_EQ(log_->last_index(), 10u);
  EXPECT_EQ(*log_->TermAt(10), 1u);
  Append(MakeEntries(11, 12, 2));
  Reopen();
  EXPECT_EQ(log_->start(), (Position{1, 10}));
  EXPECT_EQ(Contents(), (Strings{"11/2=e11", "12/2=e12"}));
}

TEST_F(LogStoreTest, CompactGivesTheSpaceBack) {
  log_.reset();
  Open(1 << 20);
  Random random(1);
  std::string data(16 << 10, '\0');
  constexpr Index kEntries = 4000;  // 64 MB through a 1 MB write buffer
  uint64_t largest = 0;
  for (Index i = 1; i <= kEntries; ++i) {
    for (size_t at = 0; at < data.size(); at += 8) {
      uint64_t word = random.Next();
      std::memcpy(data.data() + at, &word, sizeof word);
    }
    Append({MakeEntry(i, 1, data)});
    // The last 64 entries (1 MB) stay, as log-retain would have it.
    if (i % 64 == 0 && i > 64) {
      ASSERT_TRUE(log_->Compact({1, i - 64}, kThree).ok());
      largest = std::max(largest, log_->DiskBytes());
    }
  }
  EXPECT_LT(largest, 16u << 20);
  EXPECT_EQ(log_->last_index(), kEntries);
}

TEST_F(LogStoreTest, Persistence) {
  LogWrite write;
  write.hard_state = raft::HardState{3, 1, 2};
  write.entries = MakeEntries(1, 3, 3);
  write.entries[1].type = EntryType::kConfChange;
  ASSERT_TRUE(log_->Bootstrap(kThree).ok());
  ASSERT_TRUE(log_->Append(write).ok());
  ASSERT_TRUE(log_->PutRecord("incarnation", std::string("\0x", 2)).ok());
  // An orderly restart, and the one after a kill.
  for (bool kill : {false, true}) {
    if (kill) {
      ScratchDirectory copy;
      CopyAsAfterKill(scratch_ / "raft", copy / "raft");
      Result<std::unique_ptr<LogStore>> killed = LogStore::Open({.directory = copy.path()});
      ASSERT_TRUE(killed.ok()) << killed.ToString();
      log_ = std::move(*killed);
    } else {
      Reopen();
    }
    EXPECT_EQ(log_->hard_state(), (raft::HardState{3, 1, 2}));
    EXPECT_EQ(log_->start_membership(), kThree);
    EXPECT_EQ(Contents(), (Strings{"1/3=e1", "2/3=e2", "3/3=e3"}));
    EXPECT_EQ(log_->Read(2, 3, SIZE_MAX)->at(0).type, EntryType::kConfChange);
    EXPECT_EQ(log_->GetRecord("incarnation"), std::string("\0x", 2));
  }
}

TEST_F(LogStoreTest, ReadStopsAtTheByteLimitButReturnsAtLeastOneEntry) {
  Append({MakeEntry(1, 1, std::string(1000, 'a')), MakeEntry(2, 1, std::string(1000, 'b')),
          MakeEntry(3, 1, std::string(1000, 'c'))});
  EXPECT_EQ(log_->Read(1, 4, 1)->size(), 1u);
  EXPECT_EQ(log_->Read(1, 4, 2 * 1024)->size(), 2u);
  EXPECT_EQ(log_->Read(1, 4, 2 * 1024 - 1)->size(), 1u);
  EXPECT_EQ(log_->Read(2, 3, SIZE_MAX)->size(), 1u);
  EXPECT_EQ(log_->Read(3, 5, SIZE_MAX).code(), Code::kNotFound);
}

TEST_F(LogStoreTest, AnEntryOf40MegabytesSurvives) {
  std::string large(40 << 20, 'x');
  Append({MakeEntry(1, 1, large), MakeEntry(2, 1, "small")});
  Reopen();
  EXPECT_EQ(log_->Read(1, 2, 1)->at(0).Data(), large);
  EXPECT_EQ(log_->Read(2, 3, 1)->at(0).Data(), "small");
}

// The model is a vector; after each step a copy of the files, as a kill would leave them, must
// hold exactly what was acknowledged.
TEST_F(LogStoreTest, RandomOperationsAgreeWithAModelAfterEveryKill) {
  Random random(test::Seed());
  std::vector<Entry> model;
  Position start;
  Term term = 1;
  HardState hard;
  ASSERT_TRUE(log_->Bootstrap(kThree).ok());
  for (int step = 0; step < 150; ++step) {
    Index last = start.index + model.size();
    uint64_t what = random.Uniform(10);
    if (what < 7) {
      LogWrite write;
      if (random.OneIn(4)) ++term;
      Index first = random.OneIn(4) && last > start.index
                        ? start.index + 1 + random.Uniform(last - start.index)
                        : last + 1;
      write.entries = MakeEntries(first, first + random.Uniform(20), term,
                                  std::string(random.Uniform(2000), 'p'));
      if (random.OneIn(2)) write.hard_state = hard = HardState{term, random.Uniform(4), last};
      ASSERT_TRUE(log_->Append(write).ok());
      model.resize(first - start.index - 1);
      model.insert(model.end(), write.entries.begin(), write.entries.end());
    } else if (what == 7 && !model.empty()) {
      Index upto = start.index + 1 + random.Uniform(model.size());
      Term at = model[upto - start.index - 1].term;
      ASSERT_TRUE(log_->Compact({at, upto}, kThree).ok());
      model.erase(model.begin(), model.begin() + static_cast<ptrdiff_t>(upto - start.index));
      start = {at, upto};
    } else if (what == 8 && random.OneIn(4)) {
      start = {++term, start.index + 1 + random.Uniform(40)};
      ASSERT_TRUE(ApplySnapshot(start.index, start.term).ok());
      model.clear();
    } else if (what == 9 && random.OneIn(4)) {
      Reopen();
    }
    Strings expected;
    for (const Entry& e : model) {
      expected.push_back(std::to_string(e.index) + "/" + std::to_string(e.term) + "=" +
                         std::string(e.Data()));
    }
    ASSERT_EQ(Contents(), expected);
    if (!random.OneIn(8)) continue;
    ScratchDirectory copy;
    CopyAsAfterKill(scratch_ / "raft", copy / "raft");
    Result<std::unique_ptr<LogStore>> killed = LogStore::Open({.directory = copy.path()});
    ASSERT_TRUE(killed.ok()) << killed.ToString();
    EXPECT_EQ((*killed)->hard_state(), hard);
    EXPECT_EQ((*killed)->start(), start);
    ASSERT_EQ(ContentsOf(**killed), expected);
  }
}

TEST_F(LogStoreTest, ReadersRunBesideAppendAndCompact) {
  log_.reset();
  Open(256 << 10);
  Append(MakeEntries(1, 1, 1));
  std::atomic<bool> stop = false;
  std::thread reader([this, &stop] {
    Random random(7);
    while (!stop) {
      Index start = log_->start().index, last = log_->last_index();
      if (last <= start) continue;
      Index from = start + 1 + random.Uniform(last - start);
      Result<std::vector<Entry>> entries = log_->Read(from, last + 1, 8 << 10);
      if (!entries.ok()) {
        // It was cut meanwhile; anything else is an error.
        EXPECT_EQ(entries.code(), Code::kNotFound) << entries.ToString();
        EXPECT_GE(log_->start().index, from);
        continue;
      }
      for (const Entry& e : *entries) {
        EXPECT_EQ(e.Data(), "e" + std::to_string(e.index));
        Result<Term> term = log_->TermAt(e.index);
        EXPECT_TRUE(term.ok() || term.code() == Code::kNotFound);
      }
    }
  });
  for (Index i = 2; i < 3000; i += 10) {
    Append(MakeEntries(i, i + 9, 1));
    if (i % 200 == 2 && i > 100) {
      EXPECT_TRUE(log_->Compact({1, i - 100}, kThree).ok());
    }
  }
  stop = true;
  reader.join();
}

// --- Damaged files -------------------------------------------------------------------------------

constexpr size_t kWalHeaderBytes = 7;  // crc:le32 length:le16 type:u8

class DamagedLogStoreTest : public LogStoreTest {
 protected:
  // Twenty synced writes, then the files as a power loss leaves them.
  void FillAndKill(bool flushed) {
    for (Index i = 1; i <= 20; ++i) Append({MakeEntry(i, 1, std::string(500, 'a' + i % 26))});
    if (flushed) log_.reset();  // the next open writes the WAL's entries into an SST
    if (flushed) Open();
    CopyAsAfterKill(scratch_ / "raft", copy_ / "raft");
  }
  Result<std::unique_ptr<LogStore>> OpenCopy() {
    return LogStore::Open({.directory = copy_.path()});
  }
  std::string Wal() {
    std::vector<std::string> wals = FilesEndingIn(copy_ / "raft", ".log");
    EXPECT_EQ(wals.size(), 1u);
    return wals.at(0);
  }
  ScratchDirectory copy_;
};

TEST_F(DamagedLogStoreTest, ATornTailIsCutWhereverTheWriteStopped) {
  FillAndKill(false);
  std::string wal = Wal();
  std::string whole = ReadWhole(wal);
  // Where the last record begins; all lie in one block of the file.
  size_t last = 0;
  for (size_t next = 0; next < whole.size();) {
    last = next;
    next += kWalHeaderBytes + static_cast<uint8_t>(whole[next + 4]) +
            256 * static_cast<uint8_t>(whole[next + 5]);
  }
  ASSERT_LT(whole.size(), 32u << 10);
  ASSERT_GT(whole.size() - last, 500u);
  // At 0 bytes of it, too: then the write never began.
  for (size_t cut = 1; cut <= whole.size() - last; ++cut) {
    std::filesystem::remove_all(copy_ / "raft");
    CopyAsAfterKill(scratch_ / "raft", copy_ / "raft");
    WriteWhole(wal, whole.substr(0, whole.size() - cut));
    Result<std::unique_ptr<LogStore>> log = OpenCopy();
    ASSERT_TRUE(log.ok()) << "cut " << cut << ": " << log.ToString();
    EXPECT_EQ((*log)->last_index(), 19u) << "cut " << cut;
    EXPECT_EQ(ContentsOf(**log).size(), 19u);
    if (cut % 16 != 1) continue;
    // The log goes on behind the cut, and a further restart sees all of it.
    LogWrite write;
    write.entries = MakeEntries(20, 21, 2);
    ASSERT_TRUE((*log)->Append(write).ok());
    log = Status::NotFound();
    log = OpenCopy();
    ASSERT_TRUE(log.ok()) << log.ToString();
    EXPECT_EQ((*log)->last_index(), 21u);
    EXPECT_EQ(*(*log)->TermAt(20), 2u);
  }
}

TEST_F(DamagedLogStoreTest, ABitFlippedInTheWalIsFound) {
  FillAndKill(false);
  std::string wal = Wal();
  std::string whole = ReadWhole(wal);
  // Every byte of two records in the middle, headers included, and samples of the others.
  for (size_t at = 0; at < whole.size(); at += at >= 4000 && at < 5100 ? 1 : 97) {
    std::filesystem::remove_all(copy_ / "raft");
    CopyAsAfterKill(scratch_ / "raft", copy_ / "raft");
    FlipBit(wal, at, static_cast<int>(at % 8));
    Result<std::unique_ptr<LogStore>> log = OpenCopy();
    EXPECT_FALSE(log.ok()) << "byte " << at << " of " << whole.size() << ", last index "
                           << (*log)->last_index();
    if (!log.ok()) {
      EXPECT_EQ(log.code(), Code::kCorruption) << log.ToString();
    }
  }
}

TEST_F(DamagedLogStoreTest, ARecordOfZeroesBeforeOthersIsFound) {
  FillAndKill(false);
  std::string whole = ReadWhole(Wal());
  size_t tenth = 0;
  for (int n = 0; n < 10; ++n) {
    tenth += kWalHeaderBytes + static_cast<uint8_t>(whole[tenth + 4]) +
             256 * static_cast<uint8_t>(whole[tenth + 5]);
  }
  std::string holed = whole;
  holed.replace(tenth, 64, 64, '\0');
  WriteWhole(Wal(), holed);
  EXPECT_EQ(OpenCopy().code(), Code::kCorruption);
  // At the end they are room that was not written to.
  std::filesystem::remove_all(copy_ / "raft");
  CopyAsAfterKill(scratch_ / "raft", copy_ / "raft");
  WriteWhole(Wal(), whole + std::string(3000, '\0'));
  Result<std::unique_ptr<LogStore>> log = OpenCopy();
  ASSERT_TRUE(log.ok()) << log.ToString();
  EXPECT_EQ((*log)->last_index(), 20u);
}

TEST_F(DamagedLogStoreTest, ABitFlippedInATableIsFoundByOpen) {
  FillAndKill(true);
  std::vector<std::string> tables = FilesEndingIn(copy_ / "raft", ".sst");
  ASSERT_FALSE(tables.empty());
  std::string table = tables.at(0);
  for (const std::string& t : tables) {
    if (ReadWhole(t).size() > ReadWhole(table).size()) table = t;
  }
  // In the data blocks, which come first.
  for (size_t at = 0; at < 10'000; at += 499) {
    std::filesystem::remove_all(copy_ / "raft");
    CopyAsAfterKill(scratch_ / "raft", copy_ / "raft");
    FlipBit(table, at, static_cast<int>(at % 8));
    Result<std::unique_ptr<LogStore>> log = OpenCopy();
    EXPECT_FALSE(log.ok()) << "byte " << at;
    if (!log.ok()) {
      EXPECT_EQ(log.code(), Code::kCorruption) << log.ToString();
    }
  }
}

TEST_F(DamagedLogStoreTest, AMissingTableIsFound) {
  FillAndKill(true);
  for (const std::string& table : FilesEndingIn(copy_ / "raft", ".sst")) {
    std::filesystem::remove(table);
  }
  EXPECT_FALSE(OpenCopy().ok());
}

}  // namespace
}  // namespace metastore::engine
