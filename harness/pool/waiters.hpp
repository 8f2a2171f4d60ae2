#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/pool/deadlines.hpp"
#include "harness/pool/id_index.hpp"
#include "harness/pool/session.hpp"

namespace poolproof::pool {

/// The line of those whom any worker may serve. Each other line is for the worker of one slot.
inline constexpr std::uint32_t kAnyWorker = UINT32_MAX;

struct Waiter {
  CheckoutId checkout = CheckoutId::none;
  Time since;
  Time deadline;
  SessionUse use{};
  std::optional<WorkerId> only{};  ///< that worker alone may serve it

  [[nodiscard]] std::uint32_t line() const { return only ? only->slot : kAnyWorker; }
};

/// The queue of waiting clients: in each line first come first served, with a deadline each and
/// removal from the middle. Every operation is O(log n) at most and allocates only when the queue
/// is longer, or has more lines, than ever before.
class Waiters {
 public:
  explicit Waiters(std::uint32_t limit) : limit_(limit) {}

  [[nodiscard]] bool empty() const { return index_.empty(); }
  [[nodiscard]] bool full() const { return index_.size() >= limit_; }
  [[nodiscard]] std::uint32_t size() const { return index_.size(); }
  [[nodiscard]] bool contains(CheckoutId checkout) const {
    return index_.find(static_cast<std::uint64_t>(checkout)) != IdIndex::kNone;
  }
  /// The earliest deadline of all waiters. kNever: there is none.
  [[nodiscard]] Time earliest_deadline() const { return deadlines_.earliest(); }

  /// How many wait for any worker.
  [[nodiscard]] std::uint32_t size_of_any() const { return size() - bound_; }
  /// How many wait for one worker and are to be refused as soon as it is busy.
  [[nodiscard]] std::uint32_t impatient() const { return impatient_; }
  [[nodiscard]] bool empty(std::uint32_t line) const { return first_in(line) == kNone; }
  /// The waiter that came first. Requires: the line is not empty.
  [[nodiscard]] const Waiter& first(std::uint32_t line) const {
    return slab_[first_in(line)].waiter;
  }

  /// Adds a waiter. Requires: not full, not contained. Puts it in front of those in its line that
  /// came later, which takes the longer the more they are.
  void push(const Waiter& waiter);
  /// Takes out the waiter that came first. Requires: the line is not empty.
  Waiter pop_first(std::uint32_t line);
  /// Takes out the waiter with the earliest deadline, of equal ones the one that came first.
  /// Requires: earliest_deadline() != kNever.
  Waiter pop_earliest();
  std::optional<Waiter> remove(CheckoutId checkout);
  /// Visits all waiters of the line, in the order of their coming. Nothing may change meanwhile.
  template <class Visit>
  void for_each(std::uint32_t line, Visit visit) const {
    for (std::uint32_t node = first_in(line); node != kNone; node = slab_[node].next) {
      visit(slab_[node].waiter);
    }
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Node {
    Waiter waiter;
    std::uint32_t previous;
    std::uint32_t next;
  };

  struct Line {
    std::uint32_t head = kNone;
    std::uint32_t tail = kNone;
  };

  static std::size_t place_of(std::uint32_t line) {
    return line == kAnyWorker ? 0 : std::size_t{1} + line;
  }
  [[nodiscard]] std::uint32_t first_in(std::uint32_t line) const {
    const std::size_t place = place_of(line);
    return place < lines_.size() ? lines_[place].head : kNone;
  }
  static bool is_impatient(const Waiter& waiter) {
    return waiter.only && waiter.use.when_busy == WhenBusy::fail;
  }
  Waiter take(std::uint32_t node);

  std::uint32_t limit_;
  std::vector<Node> slab_;
  std::vector<std::uint32_t> free_;
  Deadlines deadlines_;  ///< of the waiters, by node number
  IdIndex index_;        ///< from checkouts to node numbers
  /// The line for any worker, then those of the slots, as far as they were used.
  std::vector<Line> lines_{1};
  std::uint32_t impatient_ = 0;
  std::uint32_t bound_ = 0;  ///< how many wait for one worker alone
};

}  // namespace poolproof::pool
