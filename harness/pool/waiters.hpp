#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/pool/deadlines.hpp"
#include "harness/pool/id_index.hpp"

namespace poolproof::pool {

struct Waiter {
  CheckoutId checkout = CheckoutId::none;
  Time since;
  Time deadline;
};

/// The queue of waiting clients: first come first served, with a deadline each and removal from the
/// middle. Every operation is O(log n) at most and allocates only when the queue is longer than
/// ever before.
class Waiters {
 public:
  explicit Waiters(std::uint32_t limit) : limit_(limit) {}

  [[nodiscard]] bool empty() const { return index_.empty(); }
  [[nodiscard]] bool full() const { return index_.size() >= limit_; }
  [[nodiscard]] std::uint32_t size() const { return index_.size(); }
  [[nodiscard]] bool contains(CheckoutId checkout) const {
    return index_.find(static_cast<std::uint64_t>(checkout)) != IdIndex::kNone;
  }
  /// Of equal ones the first come. kNever when nobody waits for ever less.
  [[nodiscard]] Time earliest_deadline() const { return deadlines_.earliest(); }

  /// Requires: not full, not contained.
  void push(const Waiter& waiter);
  /// Takes out the one who came first. Requires: not empty.
  Waiter pop_first();
  /// Takes out the one with the earliest deadline. Requires: earliest_deadline() != kNever.
  Waiter pop_earliest();
  std::optional<Waiter> remove(CheckoutId checkout);

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Node {
    Waiter waiter;
    std::uint32_t previous;
    std::uint32_t next;
  };

  Waiter take(std::uint32_t node);

  std::uint32_t limit_;
  std::vector<Node> slab_;
  std::vector<std::uint32_t> free_;
  Deadlines deadlines_;  ///< by node number
  IdIndex index_;        ///< from checkouts to node numbers
  std::uint32_t head_ = kNone;
  std::uint32_t tail_ = kNone;
};

}  // namespace poolproof::pool
