#include "tests/cluster/linearizability.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

namespace metastore::cluster_test {
namespace {

using State = std::optional<std::string>;

// Applies the operation to *state. False: it cannot have returned what it did.
bool Step(const Operation& operation, State* state) {
  const bool known = operation.return_ns != Operation::kUnknown;
  switch (operation.kind) {
    case Operation::Kind::kGet:
      return !known || operation.result == *state;
    case Operation::Kind::kSet:
      *state = operation.argument;
      return true;
    case Operation::Kind::kGetSet:
      if (known && operation.result != *state) return false;
      *state = operation.argument;
      return true;
    case Operation::Kind::kIncr: {
      std::string next = std::to_string(std::stoll(state->value_or("0")) + 1);
      if (known && operation.result != next) return false;
      *state = std::move(next);
      return true;
    }
  }
  return false;
}

// Calls and returns in the order of time, linked; a return follows its call.
struct Event {
  size_t operation = 0;
  bool is_call = false;
  int64_t at_ns = 0;
  Event* match = nullptr;  // of a call: its return
  Event* previous = nullptr;
  Event* next = nullptr;
};

void Unlink(Event* event) {
  event->previous->next = event->next;
  if (event->next != nullptr) event->next->previous = event->previous;
}
void Relink(Event* event) {
  event->previous->next = event;
  if (event->next != nullptr) event->next->previous = event;
}

class Linearized {
 public:
  explicit Linearized(size_t operations) : words_((operations + 63) / 64) {}
  void Flip(size_t operation) { words_[operation / 64] ^= uint64_t{1} << (operation % 64); }
  uint64_t Hash() const {
    uint64_t hash = 14695981039346656037ull;
    for (uint64_t word : words_) hash = (hash ^ word) * 1099511628211ull;
    return hash;
  }
  bool operator==(const Linearized&) const = default;

 private:
  std::vector<uint64_t> words_;
};

class Memo {
 public:
  // False: it was there.
  bool Insert(const Linearized& set, const State& state) {
    uint64_t hash = set.Hash() ^ std::hash<std::string>()(state.value_or("\1nil"));
    std::vector<std::pair<Linearized, State>>& bucket = seen_[hash];
    for (const auto& [known_set, known_state] : bucket) {
      if (known_state == state && known_set == set) return false;
    }
    bucket.emplace_back(set, state);
    ++size_;
    return true;
  }
  size_t size() const { return size_; }

 private:
  std::unordered_map<uint64_t, std::vector<std::pair<Linearized, State>>> seen_;
  size_t size_ = 0;
};

}  // namespace

Verdict CheckHistory(const std::vector<Operation>& history, size_t max_states) {
  std::vector<Event> events(2 * history.size());
  std::vector<Event*> order;
  for (size_t i = 0; i < history.size(); ++i) {
    Event& call = events[2 * i];
    Event& end = events[2 * i + 1];
    call = {.operation = i, .is_call = true, .at_ns = history[i].call_ns, .match = &end};
    end = {.operation = i, .at_ns = history[i].return_ns};
    order.push_back(&call);
    order.push_back(&end);
  }
  // At the same instant calls come first: the operations may overlap.
  std::stable_sort(order.begin(), order.end(), [](const Event* a, const Event* b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->is_call && !b->is_call;
  });
  Event head;
  Event* last = &head;
  for (Event* event : order) {
    event->previous = last;
    last->next = event;
    last = event;
  }

  State state;
  Linearized linearized(history.size());
  Memo memo;
  std::vector<std::pair<Event*, State>> chosen;
  Event* event = head.next;
  while (head.next != nullptr) {
    if (event->is_call) {
      State next = state;
      if (Step(history[event->operation], &next)) {
        linearized.Flip(event->operation);
        if (memo.Insert(linearized, next)) {
          if (memo.size() > max_states) return Verdict::kUndecided;
          chosen.emplace_back(event, std::move(state));
          state = std::move(next);
          Unlink(event->match);
          Unlink(event);
          event = head.next;
          continue;
        }
        linearized.Flip(event->operation);
      }
      event = event->next;
      continue;
    }
    // An operation returned that nothing so far lets take effect: undo the last choice.
    if (chosen.empty()) return Verdict::kNotLinearizable;
    event = chosen.back().first;
    state = std::move(chosen.back().second);
    chosen.pop_back();
    linearized.Flip(event->operation);
    Relink(event);
    Relink(event->match);
    event = event->next;
  }
  return Verdict::kLinearizable;
}

std::string DescribeHistory(const std::vector<Operation>& history, size_t max_operations) {
  std::vector<Operation> sorted = history;
  std::sort(sorted.begin(), sorted.end(),
            [](const Operation& a, const Operation& b) { return a.return_ns < b.return_ns; });
  // The shortest prefix, by time of return, that is not linearizable ends with the operation that
  // shows the fault. What returned later counts as unknown in it.
  size_t low = 0, high = sorted.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    std::vector<Operation> prefix = sorted;
    for (size_t i = middle + 1; i < prefix.size(); ++i) {
      prefix[i].return_ns = Operation::kUnknown;
      prefix[i].result.reset();
    }
    if (CheckHistory(prefix) == Verdict::kNotLinearizable) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  static constexpr const char* kNames[] = {"GET", "SET", "GETSET", "INCR"};
  std::string text;
  size_t first = low + 1 > max_operations ? low + 1 - max_operations : 0;
  for (size_t i = first; i <= low && i < sorted.size(); ++i) {
    const Operation& o = sorted[i];
    text += std::to_string(o.call_ns) + " .. " +
            (o.return_ns == Operation::kUnknown ? "?" : std::to_string(o.return_ns)) + "  " +
            kNames[static_cast<int>(o.kind)] + " " + o.argument + " -> " +
            o.result.value_or("(none)") + "\n";
  }
  return text;
}

}  // namespace metastore::cluster_test
