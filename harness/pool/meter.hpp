#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/pool/core.hpp"
#include "harness/pool/effect.hpp"
#include "harness/pool/event.hpp"
#include "harness/pool/histogram.hpp"
#include "harness/pool/id_index.hpp"
#include "harness/pool/pool_event.hpp"

namespace poolproof::pool {

/// Measures a pool by what its Core was told and what it ordered: how long clients waited, leases
/// were held and starts took, and who holds a lease for too long. It changes nothing.
///
/// Memory: allocates only when more clients wait, or more starts are given up, than ever before.
class Meter {
 public:
  struct Hold {
    LeaseId lease = LeaseId::none;
    WorkerId worker;
    Time since;  ///< when the lease was granted
  };

  /// `size` is that of the Core's Config. A lease held for longer than `leak_after` is a leak; 0:
  /// none is.
  explicit Meter(std::uint32_t size, Duration leak_after = {});

  /// The Core has made this step. Appends to `events` what users are told of it; null: nothing is
  /// told.
  void stepped(Time now, const Event& event, std::span<const Effect> effects,
               std::vector<PoolEvent>* events = nullptr);

  [[nodiscard]] const Timings& timings() const { return timings_; }
  [[nodiscard]] bool holds(LeaseId lease) const { return slot_of(lease) != kNone; }
  /// When the next lease becomes a leak that has not been told of.
  [[nodiscard]] Time next_leak() const;
  /// The leases that are leaks by then, the longest held first.
  template <class Visit>
  void for_each_leak(Time now, Visit visit) const {
    for (std::uint32_t slot = oldest_; slot != kNone && is_leak(slot, now);
         slot = slots_[slot].younger) {
      visit(slots_[slot].hold);
    }
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Slot {
    Hold hold;  ///< if it has no lease, nobody holds the slot's worker
    WorkerId starting;
    Time start_ordered = kNever;  ///< kNever: no start is under way in the slot
    std::uint32_t older = kNone;  ///< neighbours among the slots that are held, by their grants
    std::uint32_t younger = kNone;
  };

  /// An order to start that was given up before there was a process; its slot has the next one.
  struct GivenUp {
    WorkerId worker;
    Time ordered;
  };

  // What an event tells the meter.
  void on(const CheckedIn& event);
  void on(const Started& event);
  void on(const HandshakeEnded& event);
  template <class Other>
  void on(const Other& /*event*/) {}

  // What an effect tells the meter.
  void ordered(const Grant& effect);
  void ordered(const Refuse& effect);
  void ordered(const Start& effect);
  void ordered(const Stop& effect);
  void ordered(const Forget& effect);
  template <class Other>
  void ordered(const Other& /*effect*/) {}

  [[nodiscard]] Duration waited(CheckoutId checkout);
  void note_waiter(CheckoutId checkout);
  void tell_leaks();
  void end_lease(WorkerId worker);
  void tell(PoolEvent::Kind kind, WorkerId worker, LeaseId lease, Duration took);
  [[nodiscard]] bool starts(WorkerId worker) const;
  [[nodiscard]] Time start_ordered(WorkerId worker) const;
  void end_start(WorkerId worker);
  [[nodiscard]] std::uint32_t slot_of(LeaseId lease) const;
  [[nodiscard]] bool is_leak(std::uint32_t slot, Time now) const {
    return leak_after_ > Duration::zero() && after(slots_[slot].hold.since, leak_after_) <= now;
  }

  Duration leak_after_;
  Timings timings_;
  std::vector<Slot> slots_;
  std::uint32_t oldest_ = kNone;    ///< the slot that has been held longest
  std::uint32_t youngest_ = kNone;  ///< the slot that was granted last
  std::uint32_t untold_ = kNone;    ///< the slot held longest of those whose leak was not told
  IdIndex waiting_;                 ///< from a waiting checkout to its place in requested_at_
  std::vector<Time> requested_at_;
  std::vector<std::uint32_t> free_;  ///< the free places in requested_at_
  std::vector<GivenUp> given_up_;

  // These hold only during stepped().
  Time now_ = Time::min();
  const Event* event_ = nullptr;
  std::span<const Effect> effects_;
  std::vector<PoolEvent>* events_ = nullptr;
  /// The checkout that the step requests, until it is answered.
  CheckoutId asked_ = CheckoutId::none;
};

/// True at any moment: each grant has its wait counted, and each lease that has ended its use.
[[nodiscard]] bool adds_up(const Timings& timings, const Counters& counted);

}  // namespace poolproof::pool
