#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/random.hpp"
#include "harness/pool/config.hpp"
#include "harness/pool/deadlines.hpp"
#include "harness/pool/effect.hpp"
#include "harness/pool/event.hpp"
#include "harness/pool/id_index.hpp"
#include "harness/pool/sessions.hpp"
#include "harness/pool/waiters.hpp"

namespace poolproof::pool {

/// The states of a slot. A worker told to go has left its slot already (see Stopping).
enum class SlotState : std::uint8_t { vacant, cooling, starting, handshake, idle, leased, pinging };
inline constexpr std::array<std::string_view, 7> kSlotStateNames{
    "vacant", "cooling", "starting", "handshake", "idle", "leased", "pinging"};

/// Counts since the pool began. See adds_up().
struct Counters {
  std::uint64_t requested = 0;
  std::uint64_t granted = 0;
  std::array<std::uint64_t, kOutcomeNames.size()> refused{};  ///< refused checkouts, by Outcome
  std::uint64_t returned_clean = 0;
  std::uint64_t returned_dirty = 0;
  std::uint64_t revoked = 0;  ///< leases ended by the pool or by the end of the holder
  std::uint64_t lost = 0;     ///< leases ended by the end of the worker
  std::uint64_t starts = 0;
  std::uint64_t starts_failed = 0;
  std::uint64_t forgotten = 0;  ///< incarnations that are over
  std::uint64_t breaker_opened = 0;
  std::uint64_t ignored = 0;  ///< events of a past generation, an ended lease, or out of place

  [[nodiscard]] std::uint64_t refused_total() const;
};

/// How many slots, workers and clients there are of each kind now. Always holds: starting +
/// handshake + idle + leased + pinging <= size.
struct Gauges {
  std::uint32_t vacant = 0;  ///< slots without a worker, cooling ones included
  std::uint32_t starting = 0;
  std::uint32_t handshake = 0;
  std::uint32_t idle = 0;
  std::uint32_t leased = 0;
  std::uint32_t leaving = 0;
  std::uint32_t waiting = 0;
  std::uint32_t sessions = 0;
  std::uint32_t pinging = 0;  ///< idle workers with a ping under way
  bool suspended = false;
  bool breaker_open = false;
  bool closing = false;
};

/// True at any moment: `requested = granted + refused + waiting`, `granted = returned_clean +
/// returned_dirty + revoked + lost + leased`, and `starts = forgotten + live + leaving`.
[[nodiscard]] bool adds_up(const Counters& counted, const Gauges& now);

/// Every decision of the pool: who gets which worker, when to start, to ask, to signal. It knows no
/// clock, no thread and no process: it is told what happened and answers with orders.
///
/// Threads: none of its own; the caller serialises.
/// Memory: allocates only when the queue, the slots or the list of leaving workers are larger than
/// ever before.
/// Total: any event in any state is accepted; what is stale or out of place is ignored and counted.
class Core {
 public:
  /// Requires: checked(config).
  explicit Core(const Config& config);

  /// `event` happened at `now`; appends what must be done to `effects`. First, everything due at
  /// `now` is done: a waiter whose deadline has come is never granted. `now` never goes back (an
  /// earlier one counts as the latest).
  void step(Time now, const Event& event, std::vector<Effect>& effects) noexcept;

  /// When the next Tick is needed; kNever if only an event can change anything.
  [[nodiscard]] Time next_deadline() const { return next_deadline_; }
  /// Whether a step now would grant a plain request.
  [[nodiscard]] bool serves_at_once() const {
    return !closing_ && waiters_.empty() && idle_head_ != kNone && grants_allowed();
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] Gauges gauges() const;
  [[nodiscard]] SlotState state(std::uint32_t slot) const { return slots_[slot].state; }
  /// The incarnation in the slot, or the last one that was there.
  [[nodiscard]] WorkerId current(std::uint32_t slot) const { return id(slot); }
  [[nodiscard]] bool has_session(SessionId session) const { return sessions_.contains(session); }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Slot {
    SlotState state = SlotState::vacant;
    std::uint32_t next_generation = 0;
    std::uint32_t failures = 0;  ///< incarnations in a row that ended before they served
    std::uint32_t leaving = 0;   ///< earlier incarnations that have not gone yet
    bool served = false;         ///< this incarnation has had a clean lease
    RemovalReason due = RemovalReason::none;  ///< why it is to be recycled; none: it is not
    /// When this incarnation's lifetime ends; set once it is ready.
    Time lifetime_end = kNever;
    /// When it came back or was ready; pings do not change it.
    Time idle_since;
    Time ping_at = kNever;     ///< while idle: when it is to be pinged
    bool ping_due = false;     ///< while idle: the time of its ping has come
    Time measure_at = kNever;  ///< when its memory is to be measured; pings do not change it
    bool measure_due = false;  ///< while idle: the time to measure it has come
    std::uint64_t turn = 0;    ///< larger ones became idle later; pings do not change it
    LeaseId lease = LeaseId::none;
    SessionId session = SessionId::none;        ///< the session of the lease
    CheckoutId begun_after = CheckoutId::none;  ///< the last checkout asked for before its start
    Time since;  ///< when the current state began (starting: the order to start)
    std::uint32_t previous = kNone;  ///< neighbours in the idle list, or among those under way
    std::uint32_t next = kNone;
  };

  /// The slots that start or greet a worker, in the order of their starts: a list through the
  /// slots, as it may hold all of them and any may leave it.
  struct UnderWay {
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
    std::uint32_t count = 0;

    [[nodiscard]] bool empty() const { return count == 0; }
    [[nodiscard]] std::uint32_t size() const { return count; }
  };

  /// A worker told to go: it is out of its slot, and pushed harder and harder until it has exited.
  struct Stopping {
    WorkerId worker;
    StopStep step = StopStep::ask;
    bool started = true;  ///< false: the order to start has not been answered yet
    RemovalReason why = RemovalReason::none;
  };

  // One for each kind of Event, in their order.
  void on(const CheckoutRequested& event);
  void on(const CheckoutCancelled& event);
  void on(const CheckedIn& event);
  void on(const LeaseRevoked& event);
  void on(const Started& event);
  void on(const StartFailed& event);
  void on(const HandshakeEnded& event);
  void on(const UnsolicitedOutput& event);
  void on(const Exited& event);
  void on(const Tick&) {}
  void on(const CloseRequested& event);
  void on(const SessionEnded& event);
  void on(const RenewRequested& event);
  void on(const SuspendRequested& event);
  void on(const ResumeRequested& event);
  void on(const PingEnded& event);
  void on(const MemoryMeasured& event);

  // Deadlines that have come.
  [[nodiscard]] Time earliest_deadline() const;
  void expire();
  void expire_slot(std::uint32_t slot);
  void next_step(std::uint32_t place);
  void revoke_all();
  void kill_all();

  // What follows from what has changed.
  void settle();
  [[nodiscard]] bool grants_allowed() const;
  [[nodiscard]] bool grant_next();
  [[nodiscard]] std::uint32_t slot_for(const Waiter& waiter) const;
  void grant(const Waiter& waiter, std::uint32_t slot);
  [[nodiscard]] bool start_wanted() const;
  void start(std::uint32_t slot);
  [[nodiscard]] std::uint32_t slot_to_start();
  [[nodiscard]] bool hopeless() const;

  // Refusals.
  void refuse(const Waiter& waiter, Outcome why);
  void refuse_late(const Waiter& waiter);
  void name_blocker(Refuse& refusal) const;
  void refuse_line(std::uint32_t slot, Outcome why);

  // Sessions.
  void request_bound(Waiter waiter, WorkerId worker);
  void bind_waiters(SessionId session, std::uint32_t slot);
  void refuse_impatient(std::uint32_t slot);
  template <class IsWanted>
  void gather(std::uint32_t line, IsWanted is_wanted);
  void note_line(std::uint32_t slot);
  void give_back(SessionId session);

  // Slots.
  void enter(std::uint32_t slot, SlotState state);
  void become_idle(std::uint32_t slot);
  void start_did_not_work(std::uint32_t slot, const StartEvidence& evidence);
  void vacate(std::uint32_t slot, bool cool);
  [[nodiscard]] bool may_start(std::uint32_t slot) const;
  void link_idle(std::uint32_t slot);
  void unlink_idle(std::uint32_t slot);
  void link_under_way(std::uint32_t slot);
  void unlink_under_way(std::uint32_t slot);
  [[nodiscard]] Duration backoff(std::uint32_t failures);

  // Recycling; implemented in core_recycling.cpp.
  void begin_life(std::uint32_t slot);
  void mark_for_recycling(std::uint32_t slot, RemovalReason why);
  void begin_idling(std::uint32_t slot);
  void end_idling(std::uint32_t slot);
  void expire_idle(std::uint32_t slot);
  void await_idle_end(std::uint32_t slot);
  [[nodiscard]] bool goes_at_checkin(std::uint32_t slot, const CheckedIn& event);
  [[nodiscard]] bool may_recycle() const;
  void recycle_next();
  void await_ping(std::uint32_t slot);
  void ping_next();
  void await_measure(std::uint32_t slot);
  void measure_idle();
  void note_memory(std::uint32_t slot, std::uint64_t rss_bytes);
  [[nodiscard]] bool lacks_workers() const;
  [[nodiscard]] std::uint32_t& idle_due(RemovalReason why);

  // Leaving.
  void leave(std::uint32_t slot, StopStep step, RemovalReason why);
  void take_step(std::uint32_t place, StopStep step);
  void forget_stopping(std::uint32_t place);
  [[nodiscard]] std::uint32_t find_stopping(WorkerId worker) const;

  [[nodiscard]] WorkerId id(std::uint32_t slot) const;
  [[nodiscard]] std::uint32_t slot_in(WorkerId worker, SlotState state) const;
  /// Whether nobody holds the worker: it is idle or being pinged.
  [[nodiscard]] bool is_at_rest(WorkerId worker) const {
    return slot_in(worker, SlotState::idle) != kNone ||
           slot_in(worker, SlotState::pinging) != kNone;
  }
  [[nodiscard]] std::uint32_t slot_of(LeaseId lease) const;
  [[nodiscard]] std::uint32_t under_way_limit() const;
  [[nodiscard]] std::uint32_t live() const;
  [[nodiscard]] std::uint32_t in(SlotState state) const {
    return in_state_[static_cast<std::size_t>(state)];
  }
  template <class Order>
  void emit(const Order& order) {
    effects_->emplace_back(order);  // built in place: an Effect is as large as its largest kind
  }
  void ignore() { ++counters_.ignored; }

  Config config_;
  Random jitter_;
  Time now_ = Time::min();
  bool begun_ = false;
  Time next_deadline_ = kNever;             ///< as the last step left it
  std::vector<Effect>* effects_ = nullptr;  ///< only during step()

  Waiters waiters_;
  Sessions sessions_;
  /// Idle slots with waiters of their own, in the order in which the first of these came.
  Deadlines bound_ready_;
  std::vector<CheckoutId> gathered_;  ///< see gather()
  std::vector<Slot> slots_;
  Deadlines slot_deadlines_;
  /// Slots that may start a worker; the last one is the next to do so.
  std::vector<std::uint32_t> vacant_;
  UnderWay under_way_;
  std::uint32_t idle_head_ = kNone;  ///< the idle slot whose worker came back last
  std::uint32_t idle_tail_ = kNone;  ///< the idle slot whose worker came back first
  std::array<std::uint32_t, kSlotStateNames.size()> in_state_{};

  std::vector<Stopping> stopping_;
  std::vector<std::uint32_t> free_stopping_;
  Deadlines stop_deadlines_;
  IdIndex stopping_index_;

  Random lifetime_jitter_;
  std::uint32_t recycling_ = 0;      ///< recycled workers that are not gone yet
  std::uint32_t idle_overdue_ = 0;   ///< idle workers that are to be recycled, however few are idle
  std::uint32_t idle_too_long_ = 0;  ///< idle workers that may go while more than min_idle are idle
  std::uint32_t kept_;               ///< how many workers an eager pool keeps alive
  bool suspended_ = false;
  std::uint32_t pings_due_ = 0;     ///< idle workers that are to be pinged
  std::uint32_t measures_due_ = 0;  ///< idle workers whose memory is to be measured
  std::uint64_t turns_ = 0;

  std::uint64_t leases_ = 0;
  CheckoutId last_checkout_ = CheckoutId::none;
  std::uint32_t failures_ = 0;  ///< failed starts in a row, all slots
  StartEvidence last_failure_;
  WorkerId last_failed_;
  Time last_failed_at_ = Time::min();
  bool breaker_open_ = false;
  Time breaker_until_ = kNever;  ///< kNever while closed, and while the probe start is under way

  bool closing_ = false;
  bool closed_ = false;
  Time drain_until_ = kNever;
  Time close_deadline_ = kNever;

  Counters counters_;
};

}  // namespace poolproof::pool
