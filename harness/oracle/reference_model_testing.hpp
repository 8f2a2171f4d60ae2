#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/oracle/promises.hpp"
#include "harness/pool/core_testing.hpp"
#include "harness/pool/meter.hpp"

/// For tests only: the Core against the reference model.
namespace poolproof::oracle::testing {

using namespace pool;
using Effects = std::vector<Effect>;

struct BrokenPromise : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void demand(bool holds, const std::string& promise) {
  if (!holds) throw BrokenPromise(promise);
}

/// Throws on the first promise that is broken, and demands what only somebody can who sees the Core
/// itself: its gauges, counters, slots and deadlines.
class Witness final : public Promises {
 public:
  Witness(const Config& config, const Core& core)
      : Promises(config, kLateness, std::pmr::get_default_resource(), 0),
        core_(core),
        meter_(config.size) {}

  void see(Time now, const Event& event, const Effects& effects) {
    trace::PoolRecord record{now, event, {effects.begin(), effects.end()}, 0};
    take(record);
    meter_.stepped(now, event, effects);
    demand(findings().empty(), findings().empty() ? "" : findings().front().what);
    check_state();
    check_slots();
    check_accounts();
  }

  /// The workers that are not over and fit.
  template <class Fits>
  [[nodiscard]] std::vector<WorkerId> workers(Fits fits) const {
    std::vector<WorkerId> found;
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
      if (workers_[i].state != State::over && fits(workers_[i])) found.push_back(ids_.key(i));
    }
    return found;
  }
  [[nodiscard]] std::vector<CheckoutId> clients() const {
    std::vector<CheckoutId> found;
    for (const CheckoutRequest& asked : asked_) {
      if (!asked.answered) found.push_back(asked.checkout);
    }
    return found;
  }
  [[nodiscard]] std::vector<LeaseId> open_leases() const {
    std::vector<LeaseId> found;
    for (const LeaseId lease : granted_) {
      if (holder(lease) != kNone) found.push_back(lease);
    }
    return found;
  }
  [[nodiscard]] bool was_granted(LeaseId lease) const {
    return std::ranges::find(granted_, lease) != granted_.end();
  }
  [[nodiscard]] Time deadline_of(CheckoutId checkout) const {
    const std::uint32_t place = checkout_numbers_.find(checkout);
    return place == kNone ? kNever : asked_[place].deadline;
  }

  using Worker = ReferenceModel::Worker;
  static bool is_ordered(const Worker& worker) { return !worker.running; }
  static bool is_running(const Worker& worker) { return worker.running; }
  static bool is_idle(const Worker& worker) { return worker.state == State::idle; }
  static bool is_pinging(const Worker& worker) { return worker.state == State::pinging; }
  static bool is_leaving(const Worker& worker) { return worker.state == State::leaving; }
  static bool is_told(const Worker& worker) { return worker.taken.has_value(); }
  /// Also one whose handshake was given up.
  static bool is_in_handshake(const Worker& worker) {
    return worker.state == State::handshake || worker.taken == StopStep::kill;
  }

 private:
  static constexpr Duration kLateness{1};  ///< its world may be late

  /// How patient the world was is no matter of the Core.
  void before(const Event& event) override {
    if (std::holds_alternative<CheckoutRequested>(event)) ++seen_.requested;
    if (const auto* back = std::get_if<CheckedIn>(&event); back && holder(back->lease) != kNone) {
      ++(back->clean ? seen_.returned_clean : seen_.returned_dirty);
    }
    const auto* revoked = std::get_if<LeaseRevoked>(&event);
    if (revoked != nullptr && holder(revoked->lease) != kNone) ++seen_.revoked;
    const auto* exited = std::get_if<Exited>(&event);
    if (exited != nullptr && state(exited->worker) == State::leased) ++seen_.lost;
  }
  void before(const Effect& effect) override {
    Promises::before(effect);
    dispatch(effect, [this](const auto& order) { count_in(order); });
  }
  void before_failure(std::uint32_t /*worker*/, StartCause /*cause*/) override {
    ++seen_.starts_failed;
    if (failures_ + 1 == config_.breaker_failures) ++seen_.breaker_opened;
  }

  void count_in(const Grant& grant) {
    ++seen_.granted;
    granted_.push_back(grant.lease);
  }
  void count_in(const Refuse& refusal) {
    ++seen_.refused[static_cast<std::size_t>(refusal.why)];
    const std::uint32_t place = waiter(refusal.checkout);
    demand(place != kNone && refusal.waiting_since == asked_[place].at,
           "a refusal says since when the client waited");
    const bool names_a_start = refusal.phase == Phase::starting ||
                               refusal.phase == Phase::handshake ||
                               refusal.cause.cause == StartCause::behind_another_start;
    const auto& only = asked_[place].only;
    demand((names_a_start || (only && !is_at_rest(state(*only)))) == refusal.has_blocker,
           "a blocker is a start under way, or the worker of a strict session");
  }
  void count_in(const Start& /*order*/) { ++seen_.starts; }
  void count_in(const BeginHandshake& /*order*/) {}
  void count_in(const BeginPing& /*order*/) {}
  void count_in(const MeasureMemory& /*order*/) {}
  void count_in(const Stop& stop) {
    if (state(stop.worker) == State::leased) ++seen_.revoked;
  }
  void count_in(const Forget& /*order*/) { ++seen_.forgotten; }
  void count_in(const SessionOver& /*order*/) {}
  void count_in(const Closed& /*order*/) {
    demand(waiting_ == 0 && present() + count(State::leaving) == 0, "at Closed, nothing is left");
  }

  void check_state() const {
    demand(core_.next_deadline() > now_, "after a step nothing is overdue");
    for (const CheckoutRequest& asked : asked_) {
      demand(asked.answered || asked.deadline > now_, "nobody waits for ever");
    }
    demand(count(State::leaving) + present() < config_.leaving_max + config_.size,
           "leaving workers are bounded");
    demand(!closing_ || present() == count(State::leased), "a closing pool keeps only leases");
  }
  void check_slots() const {
    const bool held_back = closing_ || breaker_open() || under_way() >= under_way_limit() ||
                           count(State::leaving) >= config_.leaving_max;
    const bool wanted = lacks_workers(may_cool()) || (!suspended_ && waiting_for_any() > coming());
    for (std::uint32_t slot = 0; slot < config_.size; ++slot) {
      const bool may_cool = slot < slots_.size() && slots_[slot].may_cool;
      const bool awaits = slot < slots_.size() && slots_[slot].awaited > 0;
      const SlotState state = core_.state(slot);
      demand(state != SlotState::cooling || may_cool,
             "no slot rests without a failure, nor too long");
      demand(state != SlotState::vacant || held_back || !wanted || awaits,
             "no demand beside an unfilled slot");
    }
  }
  void check_accounts() const {
    const Gauges gauges = core_.gauges();
    demand(gauges.waiting == waiting_, "gauge: waiting");
    demand(gauges.sessions == sessions(), "gauge: sessions");
    demand(gauges.idle == count(State::idle), "gauge: idle");
    demand(gauges.leased == count(State::leased), "gauge: leased");
    demand(gauges.leaving == count(State::leaving), "gauge: leaving");
    demand(gauges.starting == count(State::starting), "gauge: starting");
    demand(gauges.handshake == count(State::handshake), "gauge: handshake");
    demand(gauges.vacant == config_.size - present(), "gauge: vacant");
    demand(gauges.closing == closing_, "gauge: closing");
    demand(gauges.pinging == count(State::pinging), "gauge: pinging");
    demand(gauges.suspended == suspended_, "gauge: suspended");
    demand(gauges.breaker_open == breaker_open(), "gauge: breaker");
    Counters expected = seen_;
    expected.ignored = core_.counters().ignored;
    demand(is_same(core_.counters(), expected), "counters say what was seen");
    demand(adds_up(core_.counters(), gauges), "counters add up");
    demand(adds_up(meter_.timings(), core_.counters()), "timings add up");
  }

  static bool is_same(const Counters& a, const Counters& b) {
    return a.requested == b.requested && a.granted == b.granted && a.refused == b.refused &&
           a.returned_clean == b.returned_clean && a.returned_dirty == b.returned_dirty &&
           a.revoked == b.revoked && a.lost == b.lost && a.starts == b.starts &&
           a.starts_failed == b.starts_failed && a.forgotten == b.forgotten &&
           a.breaker_opened == b.breaker_opened;
  }

  const Core& core_;
  Meter meter_;
  Counters seen_;  ///< `ignored` is not kept
  std::vector<LeaseId> granted_;
};

}  // namespace poolproof::oracle::testing
