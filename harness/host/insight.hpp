#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/host/pool_types.hpp"
#include "harness/pool/dispatcher.hpp"
#include "harness/pool/meter.hpp"

namespace poolproof::host {

/// What a pool tells of itself: its timings, the leases that are held for too long and by whom, and
/// the events for Options::on_event until the reactor takes them. It changes nothing.
///
/// Threads: one at a time.
class Insight {
 public:
  explicit Insight(const Options& options);

  /// The Core has made this step; nothing that it ordered has been delivered.
  void stepped(Time now, const pool::Event& event, std::span<const pool::Effect> effects,
               const pool::Dispatcher& dispatcher);
  /// Gives the holder of a lease a name. Does nothing if the lease is over.
  void set_holder(LeaseId lease, WorkerId worker, std::string_view name);
  /// The leases that are leaks by then, the longest held first.
  [[nodiscard]] std::vector<Leak> leaks(Time now) const;
  [[nodiscard]] const pool::Timings& timings() const { return meter_.timings(); }
  [[nodiscard]] std::uint64_t events_lost() const { return events_lost_; }

  /// When the Core must make a step at the latest, so that the next leak is told.
  [[nodiscard]] Time next_leak() const { return tells_ ? meter_.next_leak() : kNever; }
  [[nodiscard]] bool has_events() const { return !events_.empty(); }
  /// The events that nobody has taken yet, in their order.
  std::vector<pool::PoolEvent> take_events();

 private:
  void complete(pool::PoolEvent& event, const pool::Dispatcher& dispatcher) const;
  [[nodiscard]] std::string_view holder_in(std::uint32_t slot) const;

  const bool tells_;
  pool::Meter meter_;
  std::vector<std::string> holders_;  ///< names by slot; empty until a holder has one
  std::vector<pool::PoolEvent> events_;
  std::uint64_t events_lost_ = 0;
};

}  // namespace poolproof::host
