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
  slab_[node] = {waiter, tail_, kNone};
  (tail_ == kNone ? head_ : slab_[tail_].next) = node;
  tail_ = node;
  deadlines_.set(node, waiter.deadline, static_cast<std::uint64_t>(waiter.checkout));
}

Waiter Waiters::pop_first() {
  POOLPROOF_ASSERT(!empty());
  return take(head_);
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
  (taken.previous == kNone ? head_ : slab_[taken.previous].next) = taken.next;
  (taken.next == kNone ? tail_ : slab_[taken.next].previous) = taken.previous;
  deadlines_.clear(node);
  index_.erase(static_cast<std::uint64_t>(taken.waiter.checkout));
  free_.push_back(node);
  return taken.waiter;
}

}  // namespace poolproof::pool
