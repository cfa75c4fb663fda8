#include "replica/wire.h"

#include <utility>

#include "base/coding.h"
#include "base/crc32c.h"
#include "replica/peer.pb.h"

namespace metastore::replica::wire {
namespace {

uint32_t Checksum(uint8_t type, std::string_view body) {
  std::string prefix(1, static_cast<char>(type));
  PutBig32(&prefix, static_cast<uint32_t>(body.size()));
  return ExtendCrc32c(Crc32c(prefix), body);
}

}  // namespace

std::string MakeFrame(FrameType type, std::string_view body) {
  CHECK_LE(body.size(), kMaxFrameBytes);
  std::string frame;
  frame.reserve(kFrameHeaderBytes + body.size());
  frame.push_back(static_cast<char>(kFrameVersion));
  frame.push_back(static_cast<char>(type));
  frame.append(2, '\0');
  PutBig32(&frame, static_cast<uint32_t>(body.size()));
  PutBig32(&frame, Checksum(static_cast<uint8_t>(type), body));
  frame.append(body);
  return frame;
}

Result<Frame> TakeFrame(std::string_view* in, size_t* wanted) {
  *wanted = kFrameHeaderBytes;
  if (in->size() < kFrameHeaderBytes) return Status::NotFound();
  if (static_cast<uint8_t>((*in)[0]) != kFrameVersion) {
    return Status::Corruption("frame of an unknown version");
  }
  uint8_t type = static_cast<uint8_t>((*in)[1]);
  uint32_t length = ReadBig32(in->data() + 4);
  uint32_t checksum = ReadBig32(in->data() + 8);
  if (length > kMaxFrameBytes) return Status::Corruption("frame longer than the limit");
  *wanted = kFrameHeaderBytes + length;
  if (in->size() < *wanted) return Status::NotFound();
  Frame frame{static_cast<FrameType>(type), in->substr(kFrameHeaderBytes, length)};
  if (Checksum(type, frame.body) != checksum) return Status::Corruption("frame checksum mismatch");
  in->remove_prefix(*wanted);
  return frame;
}

std::string EncodeRaft(const raft::Message& m) {
  peer::Raft out;
  out.set_type(static_cast<uint32_t>(m.type));
  out.set_from(m.from);
  out.set_to(m.to);
  out.set_term(m.term);
  out.set_log_term(m.log_term);
  out.set_log_index(m.log_index);
  out.set_reject_hint(m.reject_hint);
  for (const raft::Entry& entry : m.entries) {
    peer::Entry* e = out.add_entries();
    e->set_term(entry.term);
    e->set_index(entry.index);
    e->set_type(static_cast<uint32_t>(entry.type));
    if (entry.data) e->set_data(*entry.data);
  }
  out.set_commit_index(m.commit_index);
  out.set_reject(m.reject);
  out.set_transfer(m.transfer);
  out.set_context(m.context);
  if (m.snapshot.index != 0) {
    out.mutable_snapshot()->set_index(m.snapshot.index);
    out.mutable_snapshot()->set_term(m.snapshot.term);
    out.mutable_snapshot()->set_membership(raft::EncodeMembership(m.snapshot.membership));
  }
  return MakeFrame(FrameType::kRaft, out.SerializeAsString());
}

Result<raft::Message> DecodeRaft(std::string_view body) {
  peer::Raft in;
  if (!in.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return Status::Corruption("raft message does not parse");
  }
  if (in.type() > static_cast<uint32_t>(raft::MessageType::kSnapshotStatus)) {
    return Status::Corruption("raft message of an unknown type");
  }
  raft::Message m;
  m.type = static_cast<raft::MessageType>(in.type());
  m.from = in.from();
  m.to = in.to();
  m.term = in.term();
  m.log_term = in.log_term();
  m.log_index = in.log_index();
  m.reject_hint = in.reject_hint();
  m.entries.reserve(static_cast<size_t>(in.entries_size()));
  raft::Index expected = m.log_index + 1;
  for (peer::Entry& e : *in.mutable_entries()) {
    if (e.index() != expected++ || e.type() > static_cast<uint32_t>(raft::EntryType::kConfChange)) {
      return Status::Corruption("raft message with entries that do not follow each other");
    }
    raft::Entry entry;
    entry.term = e.term();
    entry.index = e.index();
    entry.type = static_cast<raft::EntryType>(e.type());
    if (!e.data().empty()) {
      entry.data = std::make_shared<const std::string>(std::move(*e.mutable_data()));
    }
    m.entries.push_back(std::move(entry));
  }
  m.commit_index = in.commit_index();
  m.reject = in.reject();
  m.transfer = in.transfer();
  m.context = in.context();
  if (in.has_snapshot()) {
    m.snapshot.index = in.snapshot().index();
    m.snapshot.term = in.snapshot().term();
    Result<raft::Membership> membership = raft::DecodeMembership(in.snapshot().membership());
    RETURN_IF_ERROR(membership.status());
    m.snapshot.membership = std::move(*membership);
  }
  return m;
}

}  // namespace metastore::replica::wire
