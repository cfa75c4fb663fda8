#include "net/peer_transport.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "tests/net/node.h"

namespace metastore::net {
namespace {

uint16_t FreeTcpPort() {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

// A node's transport with its loop in a thread.
class Peer : public replica::TransportHandler {
 public:
  Peer(raft::NodeId id, LookUpFunction look_up,
       std::map<raft::NodeId, replica::PeerAddress> peers = {})
      : port_(FreeTcpPort()), peers_(std::move(peers)) {
    PeerTransportOptions options;
    options.cluster_id = 1;
    options.id = id;
    options.disk_incarnation = id;
    options.listen_host = "127.0.0.1";
    options.listen_port = port_;
    options.look_up = std::move(look_up);
    Result<std::unique_ptr<replica::Transport>> made = MakePeerTransport(options);
    CHECK_OK(made.status());
    transport_ = std::move(*made);
    thread_ = std::thread([this] { transport_->Run(this); });
  }
  ~Peer() override {
    transport_->Stop();
    thread_.join();
  }
  uint16_t port() const { return port_; }

  replica::Transport& transport() { return *transport_; }
  // Done in the loop's thread, once, at the end of a turn.
  void AtTurn(std::function<void()> task) {
    std::unique_lock<std::mutex> lock(mutex_);
    task_ = std::move(task);
    changed_.wait(lock, [this] { return !task_; });
  }
  // Bodies of the frames that came.
  std::vector<std::string> Frames() {
    std::lock_guard<std::mutex> lock(mutex_);
    return frames_;
  }
  bool WaitFrames(size_t count) {
    return Wait([this, count] { return frames_.size() >= count; });
  }
  // Its link for Raft messages came up that often.
  bool WaitRaftLinks(int times) {
    return Wait([this, times] { return raft_links_ >= times; });
  }
  bool WaitLink(raft::NodeId peer) {
    return Wait([this, peer] { return links_.contains(peer); });
  }
  // The loop turns `turns` more times.
  bool WaitTurns(int turns) {
    std::unique_lock<std::mutex> lock(mutex_);
    const int wanted = turns_ + turns;
    lock.unlock();
    return Wait([this, wanted] { return turns_ >= wanted; });
  }
  bool HasLink(raft::NodeId peer) {
    std::lock_guard<std::mutex> lock(mutex_);
    return links_.contains(peer);
  }

 private:
  bool Wait(const std::function<bool()>& condition) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs), condition);
  }

  bool OnFrame(raft::NodeId, const replica::wire::Frame& frame) override {
    std::lock_guard<std::mutex> lock(mutex_);
    frames_.emplace_back(frame.body);
    changed_.notify_all();
    return true;
  }
  void OnLinkUp(raft::NodeId peer, replica::wire::Channel channel) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (channel == replica::wire::Channel::kRaft) ++raft_links_;
    links_.insert(peer);
    changed_.notify_all();
  }
  void OnLinkDown(raft::NodeId, replica::wire::Channel) override {}
  bool KnowsDisk(raft::NodeId, uint64_t) override { return true; }
  replica::Greeting GreetingTo(raft::NodeId) override { return {}; }
  void OnGreeting(raft::NodeId, const replica::Greeting&) override {}
  std::optional<raft::Index> NotAMember(raft::NodeId, raft::Index) override { return std::nullopt; }
  void OnNotAMember(raft::NodeId, raft::Index) override {}
  void OnJoin(uint64_t, std::string_view) override {}
  void OnTurn() override {
    if (!peers_set_) transport_->SetPeers(peers_);
    peers_set_ = true;
    std::lock_guard<std::mutex> lock(mutex_);
    if (task_) task_();
    task_ = nullptr;
    ++turns_;
    changed_.notify_all();
  }

  const uint16_t port_;
  const std::map<raft::NodeId, replica::PeerAddress> peers_;
  std::unique_ptr<replica::Transport> transport_;
  bool peers_set_ = false;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int turns_ = 0;
  std::set<raft::NodeId> links_;
  std::function<void()> task_;
  std::vector<std::string> frames_;
  int raft_links_ = 0;
};

std::string Url(const std::string& host, uint16_t port) {
  return "http://" + host + ":" + std::to_string(port);
}

TEST(PeerTransportTest, ASilentNameServerStopsNeitherTheLoopNorLinksToNumericAddresses) {
  auto answered = std::make_shared<std::promise<void>>();
  std::shared_future<void> answer(answered->get_future());
  std::promise<void> asked;
  auto look_up = [&asked, answer, first = std::make_shared<bool>(true)](
                     const std::string& host, uint16_t port, Address* address) {
    EXPECT_EQ(host, "third.test");
    if (std::exchange(*first, false)) asked.set_value();
    answer.wait();
    return ParseAddress("127.0.0.1", port, address);
  };
  Peer second(2, nullptr);
  Peer third(3, nullptr);
  Peer peer(1, look_up,
            {{2, {Url("127.0.0.1", second.port())}}, {3, {Url("third.test", third.port())}}});
  ASSERT_EQ(asked.get_future().wait_for(std::chrono::milliseconds(kPatienceMs)),
            std::future_status::ready);
  EXPECT_TRUE(peer.WaitLink(2));
  EXPECT_TRUE(peer.WaitTurns(20));
  EXPECT_FALSE(peer.HasLink(3));
  answered->set_value();
  EXPECT_TRUE(peer.WaitLink(3));
}

TEST(PeerTransportTest, ANameThatDoesNotResolveIsAskedForAgain) {
  auto times = std::make_shared<std::atomic<int>>(0);
  auto look_up = [times](const std::string&, uint16_t port, Address* address) {
    return ++*times > 1 && ParseAddress("127.0.0.1", port, address);
  };
  Peer second(2, nullptr);
  Peer peer(1, look_up, {{2, {Url("second.test", second.port())}}});
  EXPECT_TRUE(peer.WaitLink(2));
  EXPECT_GT(times->load(), 1);
}

// The network may harm what TCP's own checksum does not notice.
TEST(PeerTransportTest, AFrameHarmedOnItsWayCostsTheConnectionAndIsNotHandedOn) {
  Peer receiver(1, nullptr);
  Peer sender(2, nullptr, {{1, {Url("127.0.0.1", receiver.port())}}});
  ASSERT_TRUE(sender.WaitRaftLinks(1));
  const std::string whole =
      replica::wire::MakeFrame(replica::wire::FrameType::kStateDigest, "body");
  int links = 1;
  // Version, type, length, checksum, body; a length that became longer is noticed by what follows.
  for (size_t at : {size_t{0}, size_t{1}, size_t{7}, size_t{8}, whole.size() - 1}) {
    std::string harmed = whole;
    harmed[at] = static_cast<char>(harmed[at] ^ 4);
    sender.AtTurn(
        [&] { sender.transport().Send(1, replica::wire::Channel::kRaft, harmed + whole); });
    ASSERT_TRUE(sender.WaitRaftLinks(++links)) << "byte " << at;
  }
  EXPECT_EQ(receiver.Frames(), std::vector<std::string>());
  sender.AtTurn([&] { sender.transport().Send(1, replica::wire::Channel::kRaft, whole); });
  ASSERT_TRUE(receiver.WaitFrames(1));
}

// An append reply that was under way when its sender was removed, its disk wiped and the id added
// again would count for the new disk: the leader's term is the same, and so is the id.
TEST(PeerTransportTest, NothingThatAnEarlierMemberOfAnIdSentIsTakenFromTheNextOne) {
  const raft::Position first{1, 1}, second{1, 9};
  Peer leader(1, nullptr);
  Peer member(2, nullptr, {{1, {Url("127.0.0.1", leader.port())}}});
  const std::string url = Url("127.0.0.1", member.port());
  auto added = [&leader, &url](raft::Position at) {
    leader.AtTurn([&leader, &url, at] { leader.transport().SetPeers({{2, {url, at}}}); });
  };
  auto send = [&member](const std::string& body) {
    member.AtTurn([&member, &body] {
      member.transport().Send(
          1, replica::wire::Channel::kRaft,
          replica::wire::MakeFrame(replica::wire::FrameType::kStateDigest, body));
    });
  };
  added(first);
  ASSERT_TRUE(member.WaitRaftLinks(1));
  send("before");
  ASSERT_TRUE(leader.WaitFrames(1));
  // What the leader's loop has not read when it learns of the next member lies in the socket. The
  // turn waits until it is there.
  leader.AtTurn([&] {
    send("under way");
    ASSERT_TRUE(member.WaitTurns(2));
    leader.transport().SetPeers({{2, {url, second}}});
  });
  ASSERT_TRUE(member.WaitRaftLinks(2));
  send("after");
  ASSERT_TRUE(leader.WaitFrames(2));
  EXPECT_EQ(leader.Frames(), (std::vector<std::string>{"before", "after"}));
}

// A lookup cannot be cancelled.
TEST(PeerTransportTest, RunningOutOfDescriptorsPassesBy) {
  Peer first(1, nullptr);
  const int late = ::socket(AF_INET, SOCK_STREAM, 0);
  struct rlimit old = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const int probe = ::open("/dev/null", O_RDONLY);
  const struct rlimit small = {static_cast<rlim_t>(std::max(probe, late) + 1), old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  std::vector<int> taken = {probe, late};
  for (int fd; (fd = ::open("/dev/null", O_RDONLY)) >= 0;) taken.push_back(fd);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(first.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // The kernel takes the connection; the node has no descriptor for it.
  EXPECT_EQ(::connect(late, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(first.WaitTurns(5)) << "the loop goes on";
  for (int fd : taken) ::close(fd);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  Peer second(2, nullptr, {{1, {Url("127.0.0.1", first.port())}}});
  EXPECT_TRUE(second.WaitLink(1)) << "accepting goes on";
}

TEST(PeerTransportTest, TheTransportEndsWhileANameIsLookedUp) {
  auto answered = std::make_shared<std::promise<void>>();
  std::shared_future<void> answer(answered->get_future());
  auto asked = std::make_shared<std::promise<void>>();
  {
    Peer peer(1,
              [answer, asked](const std::string&, uint16_t, Address*) {
                asked->set_value();
                answer.wait();
                return false;
              },
              {{2, {"http://second.test:1"}}});
    ASSERT_EQ(asked->get_future().wait_for(std::chrono::milliseconds(kPatienceMs)),
              std::future_status::ready);
  }
  answered->set_value();
}

}  // namespace
}  // namespace metastore::net
