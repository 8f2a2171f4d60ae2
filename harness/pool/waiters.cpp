#include "harness/pool/waiters.hpp"

#include "harness/base/assert.hpp"

namespace poolproof::pool {

void Waiters::push(const Waiter& waiter) {
  POOLPROOF_ASSERT(!full());
  std::uint32_t node = static_cast<std::uint32_t>(slab_.size());
  if (free_.empty()) {
    slab_.emplace_back();
    free_.reserve(slab_.capacity());
  } else {
    node = free_.back();
    free_.pop_back();
  }
  index_.put(static_cast<std::uint64_t>(waiter.checkout), node);
  const std::size_t place = place_of(waiter.line());
  if (place >= lines_.size()) lines_.resize(place + 1);
  Line& line = lines_[place];
  std::uint32_t previous = line.tail;
  while (previous != kNone && slab_[previous].waiter.checkout > waiter.checkout) {
    previous = slab_[previous].previous;
  }
  const std::uint32_t next = previous == kNone ? line.head : slab_[previous].next;
  slab_[node] = {waiter, previous, next};
  (previous == kNone ? line.head : slab_[previous].next) = node;
  (next == kNone ? line.tail : slab_[next].previous) = node;
  if (waiter.only) ++bound_;
  if (is_impatient(waiter)) ++impatient_;
  deadlines_.set(node, waiter.deadline, static_cast<std::uint64_t>(waiter.checkout));
}

Waiter Waiters::pop_first(std::uint32_t line) {
  POOLPROOF_ASSERT(!empty(line));
  return take(first_in(line));
}

Waiter Waiters::pop_earliest() {
  POOLPROOF_ASSERT(!deadlines_.empty());
  return take(deadlines_.first());
}

std::optional<Waiter> Waiters::remove(CheckoutId checkout) {
  const std::uint32_t node = index_.find(static_cast<std::uint64_t>(checkout));
  if (node == IdIndex::kNone) return std::nullopt;
  return take(node);
}

Waiter Waiters::take(std::uint32_t node) {
  const Node taken = slab_[node];
  Line& line = lines_[place_of(taken.waiter.line())];
  (taken.previous == kNone ? line.head : slab_[taken.previous].next) = taken.next;
  (taken.next == kNone ? line.tail : slab_[taken.next].previous) = taken.previous;
  if (taken.waiter.only) --bound_;
  if (is_impatient(taken.waiter)) --impatient_;
  deadlines_.clear(node);
  index_.erase(static_cast<std::uint64_t>(taken.waiter.checkout));
  free_.push_back(node);
  return taken.waiter;
}

}  // namespace poolproof::pool
