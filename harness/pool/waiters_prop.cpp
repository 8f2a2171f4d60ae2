#include <algorithm>
#include <list>
#include <set>
#include <utility>

#include "harness/base/property_testing.hpp"
#include "harness/pool/waiters.hpp"

namespace poolproof::pool {
namespace {

/// The same promises, kept by a list and a set.
class PlainQueue {
 public:
  void push(const Waiter& waiter) {
    order_.push_back(waiter);
    if (waiter.deadline != kNever) by_deadline_.emplace(waiter.deadline, waiter.checkout);
  }
  std::optional<Waiter> remove(CheckoutId checkout) {
    const auto found = std::find_if(order_.begin(), order_.end(),
                                    [&](const Waiter& w) { return w.checkout == checkout; });
    if (found == order_.end()) return std::nullopt;
    const Waiter waiter = *found;
    order_.erase(found);
    by_deadline_.erase({waiter.deadline, checkout});
    return waiter;
  }
  [[nodiscard]] bool contains(CheckoutId checkout) const {
    return std::any_of(order_.begin(), order_.end(),
                       [&](const Waiter& w) { return w.checkout == checkout; });
  }
  /// Kept in order by the checkouts: who joins a line late stands where he came.
  Waiter pop_first(std::uint32_t line) {
    const auto first =
        std::min_element(order_.begin(), order_.end(), [&](const auto& a, const auto& b) {
          return std::pair(a.line() != line, a.checkout) < std::pair(b.line() != line, b.checkout);
        });
    return *remove(first->checkout);
  }
  [[nodiscard]] std::size_t size_of(std::uint32_t line) const {
    return static_cast<std::size_t>(std::count_if(
        order_.begin(), order_.end(), [&](const Waiter& w) { return w.line() == line; }));
  }
  Waiter pop_earliest() { return *remove(by_deadline_.begin()->second); }
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  [[nodiscard]] Time earliest_deadline() const {
    return by_deadline_.empty() ? kNever : by_deadline_.begin()->first;
  }

 private:
  std::list<Waiter> order_;
  std::set<std::pair<Time, CheckoutId>> by_deadline_;
};

void same(const Waiter& a, const Waiter& b) {
  RC_ASSERT(a.checkout == b.checkout && a.since == b.since && a.deadline == b.deadline);
  RC_ASSERT(a.only == b.only);
}

std::uint32_t line_of(std::uint32_t pick) {
  return pick % 5 < 2 ? pick % 5 : kAnyWorker;
}

/// One operation on both, chosen by a number.
void operate(Waiters& waiters, PlainQueue& plain, std::uint32_t number, std::uint64_t& next) {
  const std::uint32_t pick = number / 8;
  if (number % 8 < 4) {
    if (waiters.full()) return;
    const Time deadline = pick % 9 == 0 ? kNever : Time(Duration(pick % 20));
    Waiter waiter{CheckoutId{++next}, Time(Duration(pick)), deadline};
    if (const auto line = line_of(pick); line != kAnyWorker) waiter.only = WorkerId{line, pick % 2};
    waiters.push(waiter);
    return plain.push(waiter);
  }
  const std::uint32_t line = line_of(pick);
  if (number % 8 == 4 && !waiters.empty(line)) {
    RC_ASSERT(waiters.first(line).line() == line);
    return same(waiters.pop_first(line), plain.pop_first(line));
  }
  if (number % 8 == 5 && waiters.earliest_deadline() != kNever) {
    return same(waiters.pop_earliest(), plain.pop_earliest());
  }
  const CheckoutId checkout{pick % (next + 2)};
  const auto removed = waiters.remove(checkout);
  const auto expected = plain.remove(checkout);
  RC_ASSERT(removed.has_value() == expected.has_value());
  if (!removed) return;
  same(*removed, *expected);
  if (pick % 3 == 0) return;
  // As of one whose session has found its worker.
  Waiter moved = *removed;
  moved.only = WorkerId{pick % 2, 0};
  waiters.push(moved);
  plain.push(moved);
}

TEST_CASE("pool: waiters: they are a list and a set, whatever is done") {
  std::size_t most_at_once = 0;
  std::uint64_t pushed = 0;
  holds("waiters", {500, 300}, [&] {
    constexpr std::uint32_t kLimit = 25;
    Waiters waiters(kLimit);
    PlainQueue plain;
    std::uint64_t next = 0;
    for (const auto number : *rc::gen::arbitrary<std::vector<std::uint32_t>>()) {
      operate(waiters, plain, number, next);
      RC_ASSERT(waiters.size() == plain.size());
      RC_ASSERT(waiters.size_of_any() == plain.size_of(kAnyWorker));
      RC_ASSERT(waiters.empty(1) == (plain.size_of(1) == 0));
      RC_ASSERT(waiters.empty() == (plain.size() == 0));
      RC_ASSERT(waiters.full() == (plain.size() == kLimit));
      RC_ASSERT(waiters.earliest_deadline() == plain.earliest_deadline());
      RC_ASSERT(waiters.contains(CheckoutId{next / 2}) == plain.contains(CheckoutId{next / 2}));
      most_at_once = std::max(most_at_once, plain.size());
    }
    pushed += next;
    for (const std::uint32_t line : {0U, 1U, kAnyWorker}) {
      while (!waiters.empty(line)) same(waiters.pop_first(line), plain.pop_first(line));
    }
    RC_ASSERT(waiters.empty());
  });
  CHECK(most_at_once == 25);
  CHECK(pushed > 10'000);
}

}  // namespace
}  // namespace poolproof::pool
