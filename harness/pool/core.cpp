#include "harness/pool/core.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "harness/base/assert.hpp"
#include "harness/base/dispatch.hpp"
#include "harness/pool/lease_number.hpp"

namespace poolproof::pool {
namespace {

std::uint64_t key(WorkerId worker) {
  return std::uint64_t{worker.slot} << 32U | worker.generation;
}

/// A step of the stop ladder, and the time that a worker is given before the next step.
struct LadderStep {
  StopStep step;
  Duration Config::*grace;
};
constexpr std::array kStopLadder{LadderStep{StopStep::ask, &Config::shutdown_grace},
                                 LadderStep{StopStep::end_of_input, &Config::stdin_grace},
                                 LadderStep{StopStep::term, &Config::term_grace},
                                 LadderStep{StopStep::kill, nullptr}};

/// Whether an idle worker goes for a fault of its own. If it never served, that counts as a
/// failure.
bool is_fault_of_idle(RemovalReason why) {
  return why == RemovalReason::unsolicited || why == RemovalReason::ping_failed;
}

}  // namespace

Core::Core(const Config& config)
    : config_(config),
      jitter_(config.seed, "backoff"),
      waiters_(config.waiters_max),
      sessions_(config.sessions_max, config.session_idle_timeout),
      slots_(config.size),
      lifetime_jitter_(config.seed, "lifetime"),
      kept_(config.size) {
  POOLPROOF_ASSERT(checked(config).has_value());
  vacant_.reserve(config.size);
  for (std::uint32_t slot = config.size; slot > 0; --slot) vacant_.push_back(slot - 1);
  in_state_[static_cast<std::size_t>(SlotState::vacant)] = config.size;
  next_deadline_ = earliest_deadline();
}

void Core::step(Time now, const Event& event, std::vector<Effect>& effects) noexcept {
  now_ = std::max(now_, now);
  begun_ = true;
  effects_ = &effects;
  expire();
  // Deadlines that are over may let clients be served who came before this event.
  while (grant_next()) {
  }
  dispatch(event, [this](const auto& happened) { on(happened); });
  settle();
  next_deadline_ = earliest_deadline();
  effects_ = nullptr;
}

Time Core::earliest_deadline() const {
  const bool starts_unasked = config_.start == StartMode::eager || config_.min_idle > 0;
  if (!begun_ && starts_unasked) return Time::min();
  return std::min({waiters_.earliest_deadline(), slot_deadlines_.earliest(),
                   stop_deadlines_.earliest(), breaker_until_, drain_until_, close_deadline_,
                   sessions_.earliest()});
}

// ---- events ------------------------------------------------------------------------------------

void Core::on(const CheckoutRequested& event) {
  if (waiters_.contains(event.checkout)) return ignore();
  ++counters_.requested;
  last_checkout_ = event.checkout;
  Waiter waiter{event.checkout, now_, event.deadline};
  if (closing_) return refuse(waiter, Outcome::pool_closed);
  if (!sessions_.ask(event.use)) return refuse(waiter, Outcome::sessions_full);
  waiter.use = event.use;
  if (event.use.affinity == Affinity::strict) {
    const auto known = sessions_.worker_of(event.use.session);
    if (known) return request_bound(waiter, *known);
  }
  if (waiters_.empty(kAnyWorker) && idle_head_ != kNone && grants_allowed()) {
    return grant(waiter, slot_for(waiter));
  }
  if (hopeless()) return refuse(waiter, Outcome::start_failed);
  if (event.deadline <= now_) return refuse_late(waiter);
  if (waiters_.full()) return refuse(waiter, Outcome::queue_full);
  waiters_.push(waiter);
}

void Core::on(const CheckoutCancelled& event) {
  const auto waiter = waiters_.remove(event.checkout);
  if (!waiter) return ignore();
  note_line(waiter->line());
  refuse(*waiter, Outcome::cancelled);
}

void Core::on(const CheckedIn& event) {
  const std::uint32_t slot = slot_of(event.lease);
  if (slot == kNone) return ignore();
  if (!event.clean) {
    ++counters_.returned_dirty;
    return leave(slot, StopStep::term, RemovalReason::dirty);
  }
  ++counters_.returned_clean;
  slots_[slot].served = true;
  slots_[slot].failures = 0;
  if (closing_) return leave(slot, StopStep::ask, RemovalReason::closing);
  if (goes_at_checkin(slot, event)) return leave(slot, StopStep::ask, slots_[slot].due);
  become_idle(slot);
}

void Core::on(const LeaseRevoked& event) {
  const std::uint32_t slot = slot_of(event.lease);
  if (slot == kNone) return ignore();
  ++counters_.revoked;
  leave(slot, StopStep::term, RemovalReason::revoked);
}

void Core::on(const Started& event) {
  const std::uint32_t slot = slot_in(event.worker, SlotState::starting);
  if (slot != kNone) {
    const Time begun = slots_[slot].since;
    enter(slot, SlotState::handshake);
    // The backstop: should the world fall silent, the Core ends the start by itself.
    const Time deadline = after(begun, config_.startup_budget);
    slot_deadlines_.set(slot, after(deadline, config_.postmortem_budget + config_.silence_max));
    return emit(BeginHandshake{event.worker, deadline});
  }
  const std::uint32_t place = find_stopping(event.worker);
  if (place == kNone || stopping_[place].started) return ignore();
  stopping_[place].started = true;
  take_step(place, StopStep::kill);
}

void Core::on(const StartFailed& event) {
  const std::uint32_t slot = slot_in(event.worker, SlotState::starting);
  if (slot != kNone) {
    StartEvidence evidence;
    evidence.cause = StartCause::exec_failed;
    evidence.errno_value = event.errno_value;
    start_did_not_work(slot, evidence);
    ++counters_.forgotten;
    emit(Forget{event.worker});
    return vacate(slot, true);
  }
  const std::uint32_t place = find_stopping(event.worker);
  if (place == kNone || stopping_[place].started) return ignore();
  forget_stopping(place);
}

void Core::on(const HandshakeEnded& event) {
  const std::uint32_t slot = slot_in(event.worker, SlotState::handshake);
  if (slot == kNone) return ignore();
  if (event.evidence.cause != StartCause::none) {
    start_did_not_work(slot, event.evidence);
    return leave(slot, StopStep::term, RemovalReason::start_failed);
  }
  failures_ = 0;
  breaker_open_ = false;
  breaker_until_ = kNever;
  begin_life(slot);
  become_idle(slot);
}

void Core::on(const UnsolicitedOutput& event) {
  const std::uint32_t slot = slot_in(event.worker, SlotState::idle);
  if (slot == kNone) return ignore();
  // Counts as a failure, as if it had died: see Exited.
  if (!slots_[slot].served) ++slots_[slot].failures;
  leave(slot, StopStep::term, RemovalReason::unsolicited);
}

void Core::on(const Exited& event) {
  const std::uint32_t place = find_stopping(event.worker);
  if (place != kNone) {
    if (!stopping_[place].started) return ignore();
    return forget_stopping(place);
  }
  const std::uint32_t slot = event.worker.slot;
  if (slot >= config_.size || id(slot) != event.worker) return ignore();
  const SlotState state = slots_[slot].state;
  const bool idle = state == SlotState::idle || state == SlotState::pinging;
  if (state != SlotState::handshake && !idle && state != SlotState::leased) return ignore();
  bool cool = false;
  if (state == SlotState::handshake) {
    StartEvidence evidence;
    evidence.cause = StartCause::exited;
    evidence.exit = event.status;
    start_did_not_work(slot, evidence);
    cool = true;
  } else if (idle && !slots_[slot].served) {
    // A worker got through its start and died before it was of any use: without a pause an eager
    // pool would start such workers for ever.
    ++slots_[slot].failures;
    cool = true;
  }
  if (state == SlotState::leased) ++counters_.lost;
  ++counters_.forgotten;
  emit(Forget{event.worker});
  vacate(slot, cool);
  refuse_line(slot, Outcome::worker_gone);
}

void Core::on(const CloseRequested& event) {
  close_deadline_ = std::min(close_deadline_, std::max(now_, event.deadline));
  const Duration left = std::max(Duration::zero(), close_deadline_ - now_);
  drain_until_ = std::min(drain_until_, close_deadline_ - std::min(config_.term_grace, left / 2));
  closing_ = true;
  suspended_ = false;
  breaker_until_ = kNever;
  refuse_line(kAnyWorker, Outcome::pool_closed);
  for (std::uint32_t slot = 0; slot < config_.size; ++slot) {
    refuse_line(slot, Outcome::pool_closed);
    const SlotState state = slots_[slot].state;
    if (state == SlotState::idle || state == SlotState::pinging) {
      leave(slot, StopStep::ask, RemovalReason::closing);
    }
    if (state == SlotState::starting || state == SlotState::handshake) {
      leave(slot, StopStep::kill, RemovalReason::closing);
    }
    if (state == SlotState::cooling) vacate(slot, false);
  }
}

void Core::on(const SessionEnded& event) {
  const auto over = sessions_.end(event.session);
  if (!over) return ignore();
  if (*over) emit(SessionOver{event.session});
}

// ---- what is due -------------------------------------------------------------------------------

/// Does everything that is due, in the order in which it fell due; at the same time, clients before
/// workers. Nothing is granted before all of it is done: that is what keeps a late step from
/// serving an expired waiter.
void Core::expire() {
  for (Time due = next_deadline_; due <= now_ && due != Time::min(); due = earliest_deadline()) {
    if (waiters_.earliest_deadline() == due) {
      const Waiter late = waiters_.pop_earliest();
      note_line(late.line());
      refuse_late(late);
    } else if (slot_deadlines_.earliest() == due) {
      expire_slot(slot_deadlines_.first());
    } else if (stop_deadlines_.earliest() == due) {
      next_step(stop_deadlines_.first());
    } else if (drain_until_ == due) {
      drain_until_ = kNever;
      revoke_all();
    } else if (close_deadline_ == due) {
      close_deadline_ = kNever;
      kill_all();
    } else if (sessions_.earliest() == due) {
      const SessionId idle = sessions_.first();
      sessions_.forget(idle);
      emit(SessionOver{idle});
    } else {
      breaker_until_ = kNever;  // half open: start_wanted() lets one start through
    }
  }
}

void Core::expire_slot(std::uint32_t slot) {
  if (slots_[slot].state == SlotState::cooling) return vacate(slot, false);
  if (slots_[slot].state == SlotState::idle) return expire_idle(slot);
  if (slots_[slot].state == SlotState::pinging) return on(PingEnded{id(slot), false});
  StartEvidence evidence;
  evidence.cause = StartCause::budget_spent;
  start_did_not_work(slot, evidence);
  leave(slot, StopStep::kill, RemovalReason::budget_spent);
}

void Core::next_step(std::uint32_t place) {
  const auto taken = static_cast<std::size_t>(stopping_[place].step);
  take_step(place, kStopLadder[taken + 1].step);
}

void Core::revoke_all() {
  for (std::uint32_t slot = 0; slot < config_.size; ++slot) {
    if (slots_[slot].state != SlotState::leased) continue;
    ++counters_.revoked;
    leave(slot, StopStep::term, RemovalReason::closing);
  }
}

void Core::kill_all() {
  for (std::uint32_t place = 0; place < stopping_.size(); ++place) {
    const bool present = find_stopping(stopping_[place].worker) == place;
    if (present && stopping_[place].step != StopStep::kill) take_step(place, StopStep::kill);
  }
}

// ---- what follows ------------------------------------------------------------------------------

void Core::settle() {
  while (grant_next()) {
  }
  recycle_next();
  ping_next();
  measure_idle();
  while (start_wanted()) {
    const std::uint32_t slot = slot_to_start();
    if (slot == kNone) break;
    start(slot);
  }
  if (hopeless()) refuse_line(kAnyWorker, Outcome::start_failed);
  if (closing_ && !closed_ && live() == 0 && stopping_index_.empty()) {
    closed_ = true;
    sessions_.clear();
    drain_until_ = kNever;
    close_deadline_ = kNever;
    emit(Closed{});
  }
}

/// Whether a lease may be granted now. In a pool with init_mode `blocking` no start may be under
/// way.
bool Core::grants_allowed() const {
  return !suspended_ && (config_.init_mode == InitMode::async || under_way_.empty());
}

/// Serves whoever came first of those whom an idle worker may serve. False: there is nobody.
bool Core::grant_next() {
  if (idle_head_ == kNone || !grants_allowed()) return false;
  const std::uint32_t bound = bound_ready_.empty() ? kNone : bound_ready_.first();
  const bool any = !waiters_.empty(kAnyWorker);
  if (bound != kNone &&
      (!any || waiters_.first(bound).checkout < waiters_.first(kAnyWorker).checkout)) {
    grant(waiters_.pop_first(bound), bound);
    return true;
  }
  if (!any) return false;
  const Waiter next = waiters_.pop_first(kAnyWorker);
  grant(next, slot_for(next));
  return true;
}

/// The idle worker for a client whom any worker may serve. Requires: there is an idle worker.
std::uint32_t Core::slot_for(const Waiter& waiter) const {
  if (waiter.use.affinity == Affinity::prefer) {
    const auto known = sessions_.worker_of(waiter.use.session);
    const std::uint32_t slot = known ? slot_in(*known, SlotState::idle) : kNone;
    if (slot != kNone) return slot;
  }
  return config_.reuse == Reuse::last_in_first_out ? idle_head_ : idle_tail_;
}

void Core::grant(const Waiter& waiter, std::uint32_t slot) {
  unlink_idle(slot);
  enter(slot, SlotState::leased);
  ++leases_;
  slots_[slot].lease = lease_number(leases_, slot, config_.size);
  slots_[slot].session = waiter.use.session;
  ++counters_.granted;
  emit(Grant{waiter.checkout, slots_[slot].lease, id(slot)});
  if (sessions_.grant(waiter.use, id(slot))) bind_waiters(waiter.use.session, slot);
  if (waiters_.impatient() > 0) refuse_impatient(slot);
}

bool Core::start_wanted() const {
  if (closing_ || stopping_index_.size() >= config_.leaving_max) return false;
  if (under_way_.size() >= under_way_limit()) return false;
  if (breaker_open_) return breaker_until_ == kNever && under_way_.empty();
  const std::size_t coming = under_way_.size() + in(SlotState::pinging);
  return lacks_workers() || (!suspended_ && waiters_.size_of_any() > coming);
}

void Core::start(std::uint32_t slot) {
  ++slots_[slot].next_generation;
  slots_[slot].served = false;
  slots_[slot].begun_after = last_checkout_;
  slots_[slot].due = RemovalReason::none;
  slots_[slot].lifetime_end = kNever;
  enter(slot, SlotState::starting);
  kept_ = std::max(kept_, live());
  link_under_way(slot);
  slot_deadlines_.set(slot, after(now_, config_.startup_budget));
  ++counters_.starts;
  emit(Start{id(slot)});
}

/// Takes a vacant slot; the breaker's probe takes a cooling one if it must.
std::uint32_t Core::slot_to_start() {
  if (!vacant_.empty()) {
    const std::uint32_t slot = vacant_.back();
    vacant_.pop_back();
    return slot;
  }
  if (!breaker_open_) return kNone;
  for (std::uint32_t slot = 0; slot < config_.size; ++slot) {
    if (slots_[slot].state == SlotState::cooling && may_start(slot)) return slot;
  }
  return kNone;
}

/// Whether no worker lives and none will be tried before the breaker half-opens.
bool Core::hopeless() const {
  return breaker_open_ && breaker_until_ != kNever && live() == 0;
}

// ---- refusals ----------------------------------------------------------------------------------

void Core::refuse(const Waiter& waiter, Outcome why) {
  Refuse refusal;
  refusal.checkout = waiter.checkout;
  refusal.why = why;
  refusal.waiting_since = waiter.since;
  refusal.since = waiter.since;
  refusal.failures = failures_;
  if (why == Outcome::start_failed) {
    refusal.cause = last_failure_;
    refusal.cause_worker = last_failed_;
  }
  if (waiter.only && !is_at_rest(*waiter.only)) {
    refusal.has_blocker = true;
    refusal.blocker = *waiter.only;
    refusal.phase = Phase::queued;
    if (id(waiter.only->slot) == *waiter.only) refusal.since = slots_[waiter.only->slot].since;
  } else {
    name_blocker(refusal);
  }
  ++counters_.refused[static_cast<std::size_t>(why)];
  emit(refusal);
  if (sessions_.refuse(waiter.use, now_)) emit(SessionOver{waiter.use.session});
}

/// Refuses everybody who waits for that slot's worker; kAnyWorker: who waits for any worker.
void Core::refuse_line(std::uint32_t slot, Outcome why) {
  while (!waiters_.empty(slot)) refuse(waiters_.pop_first(slot), why);
  note_line(slot);
}

/// Refuses a client whose deadline has come. If starts kept failing meanwhile, that is the reason.
void Core::refuse_late(const Waiter& waiter) {
  if (waiter.only && !is_at_rest(*waiter.only)) return refuse(waiter, Outcome::worker_busy);
  const bool starts_fail = failures_ > 0 && last_failed_at_ >= waiter.since;
  refuse(waiter, starts_fail ? Outcome::start_failed : Outcome::checkout_timeout);
}

void Core::name_blocker(Refuse& refusal) const {
  if (suspended_ && refusal.why != Outcome::start_failed) {
    refusal.phase = Phase::suspended;
    return;
  }
  if (!under_way_.empty()) {
    const std::uint32_t slot = under_way_.first;
    const Slot& ahead = slots_[slot];
    refusal.has_blocker = true;
    refusal.blocker = id(slot);
    refusal.since = ahead.since;
    refusal.phase = ahead.state == SlotState::starting ? Phase::starting : Phase::handshake;
    const bool could_be_served = idle_head_ != kNone || !vacant_.empty();
    const bool all_begun_for_others = slots_[under_way_.last].begun_after < refusal.checkout;
    const bool one_at_a_time = under_way_.size() >= under_way_limit();
    if (refusal.why == Outcome::checkout_timeout && could_be_served && all_begun_for_others &&
        one_at_a_time) {
      refusal.phase = Phase::queued;
      refusal.cause.cause = StartCause::behind_another_start;
    }
    return;
  }
  const bool cooling = in_state_[static_cast<std::size_t>(SlotState::cooling)] > 0 || breaker_open_;
  refusal.phase = cooling && in_state_[static_cast<std::size_t>(SlotState::leased)] == 0
                      ? Phase::cooling
                      : Phase::queued;
}

// ---- slots -------------------------------------------------------------------------------------

/// The one place where a slot's state changes. It ends the deadline of the state before.
void Core::enter(std::uint32_t slot, SlotState state) {
  Slot& entered = slots_[slot];
  const bool was_under_way =
      entered.state == SlotState::starting || entered.state == SlotState::handshake;
  const bool is_under_way = state == SlotState::starting || state == SlotState::handshake;
  if (was_under_way && !is_under_way) unlink_under_way(slot);
  if (entered.state == SlotState::leased) {
    give_back(std::exchange(entered.session, SessionId::none));
  }
  --in_state_[static_cast<std::size_t>(entered.state)];
  ++in_state_[static_cast<std::size_t>(state)];
  entered.state = state;
  if (state != SlotState::handshake) entered.since = now_;  // a start's age counts from its order
  slot_deadlines_.clear(slot);
}

void Core::become_idle(std::uint32_t slot) {
  enter(slot, SlotState::idle);
  slots_[slot].lease = LeaseId::none;
  slots_[slot].idle_since = now_;
  slots_[slot].turn = ++turns_;
  await_measure(slot);
  link_idle(slot);
}

/// Puts a slot into the idle list by its turn: a worker that was pinged goes back to its old place.
void Core::link_idle(std::uint32_t slot) {
  std::uint32_t later = kNone;
  std::uint32_t earlier = idle_head_;
  while (earlier != kNone && slots_[earlier].turn > slots_[slot].turn) {
    later = std::exchange(earlier, slots_[earlier].next);
  }
  slots_[slot].previous = later;
  slots_[slot].next = earlier;
  (later == kNone ? idle_head_ : slots_[later].next) = slot;
  (earlier == kNone ? idle_tail_ : slots_[earlier].previous) = slot;
  begin_idling(slot);
  note_line(slot);
}

void Core::unlink_idle(std::uint32_t slot) {
  end_idling(slot);
  const Slot& taken = slots_[slot];
  bound_ready_.clear(slot);
  (taken.previous == kNone ? idle_head_ : slots_[taken.previous].next) = taken.next;
  (taken.next == kNone ? idle_tail_ : slots_[taken.next].previous) = taken.previous;
}

void Core::link_under_way(std::uint32_t slot) {
  slots_[slot].previous = under_way_.last;
  slots_[slot].next = kNone;
  (under_way_.empty() ? under_way_.first : slots_[under_way_.last].next) = slot;
  under_way_.last = slot;
  ++under_way_.count;
}

void Core::unlink_under_way(std::uint32_t slot) {
  const Slot& gone = slots_[slot];
  (gone.previous == kNone ? under_way_.first : slots_[gone.previous].next) = gone.next;
  (gone.next == kNone ? under_way_.last : slots_[gone.next].previous) = gone.previous;
  --under_way_.count;
}

/// Counts a failed start; the breaker opens at the last one allowed in a row, and again after a
/// failed probe.
void Core::start_did_not_work(std::uint32_t slot, const StartEvidence& evidence) {
  ++counters_.starts_failed;
  ++failures_;
  ++slots_[slot].failures;
  last_failure_ = evidence;
  last_failed_ = id(slot);
  last_failed_at_ = now_;
  if (config_.breaker_failures == 0 || failures_ < config_.breaker_failures) return;
  if (!breaker_open_) ++counters_.breaker_opened;
  breaker_open_ = true;
  breaker_until_ = after(now_, config_.breaker_open);
}

/// Frees the slot; when `cool`, only after a pause.
void Core::vacate(std::uint32_t slot, bool cool) {
  if (slots_[slot].state == SlotState::idle) unlink_idle(slot);
  slots_[slot].lease = LeaseId::none;
  if (cool && !closing_) {
    enter(slot, SlotState::cooling);
    slot_deadlines_.set(slot, after(now_, backoff(slots_[slot].failures)));
    return;
  }
  enter(slot, SlotState::vacant);
  if (may_start(slot)) vacant_.push_back(slot);
}

/// Whether the slot's next worker may start. Without overlap it waits until the last one is gone.
bool Core::may_start(std::uint32_t slot) const {
  return config_.overlap || slots_[slot].leaving == 0;
}

Duration Core::backoff(std::uint32_t failures) {
  Duration pause = config_.backoff_initial;
  for (std::uint32_t i = 1; i < failures && pause < config_.backoff_max; ++i) pause *= 2;
  pause = std::min(pause, config_.backoff_max);
  const auto cut_max =
      static_cast<std::uint64_t>(pause.count()) * config_.backoff_jitter_percent / 100;
  const std::uint64_t cut = jitter_.below(cut_max + 1);
  return pause - Duration(static_cast<Duration::rep>(cut));
}

// ---- leaving -----------------------------------------------------------------------------------

/// The worker in `slot` must go: it leaves the slot at once, so that one that is deaf to TERM
/// blocks nobody.
void Core::leave(std::uint32_t slot, StopStep step, RemovalReason why) {
  const SlotState state = slots_[slot].state;
  const WorkerId worker = id(slot);
  const bool was_no_use = state == SlotState::starting || state == SlotState::handshake ||
                          (is_fault_of_idle(why) && !slots_[slot].served);
  std::uint32_t place = static_cast<std::uint32_t>(stopping_.size());
  if (free_stopping_.empty()) {
    stopping_.emplace_back();
    free_stopping_.reserve(stopping_.capacity());
  } else {
    place = free_stopping_.back();
    free_stopping_.pop_back();
  }
  stopping_[place] = {worker, step, state != SlotState::starting, why};
  stopping_index_.put(key(worker), place);
  // The effects on the worker's session come after those of the worker's own end.
  const SessionId session = std::exchange(slots_[slot].session, SessionId::none);
  ++slots_[slot].leaving;
  if (is_recycling(why)) ++recycling_;
  if (why == RemovalReason::idle_too_long) --kept_;
  vacate(slot, was_no_use);
  if (stopping_[place].started) take_step(place, step);
  give_back(session);
  refuse_line(slot, Outcome::worker_gone);
}

void Core::take_step(std::uint32_t place, StopStep step) {
  Stopping& stopping = stopping_[place];
  stopping.step = step;
  emit(Stop{stopping.worker, step, stopping.why});
  const auto grace = kStopLadder[static_cast<std::size_t>(step)].grace;
  if (grace == nullptr) return stop_deadlines_.clear(place);
  stop_deadlines_.set(place, after(now_, config_.*grace));
}

void Core::forget_stopping(std::uint32_t place) {
  const WorkerId worker = stopping_[place].worker;
  stop_deadlines_.clear(place);
  if (is_recycling(stopping_[place].why)) --recycling_;
  stopping_index_.erase(key(worker));
  free_stopping_.push_back(place);
  ++counters_.forgotten;
  emit(Forget{worker});
  Slot& slot = slots_[worker.slot];
  const bool held_back = !may_start(worker.slot);
  --slot.leaving;
  if (held_back && may_start(worker.slot) && slot.state == SlotState::vacant) {
    vacant_.push_back(worker.slot);
  }
}

std::uint32_t Core::find_stopping(WorkerId worker) const {
  return stopping_index_.find(key(worker));
}

// ---- small questions ---------------------------------------------------------------------------

WorkerId Core::id(std::uint32_t slot) const {
  const std::uint32_t begun = slots_[slot].next_generation;
  return {slot, begun == 0 ? 0 : begun - 1};
}

/// The slot, if this very incarnation is in it and in this state.
std::uint32_t Core::slot_in(WorkerId worker, SlotState state) const {
  const bool there = worker.slot < config_.size && id(worker.slot) == worker;
  return there && slots_[worker.slot].state == state ? worker.slot : kNone;
}

std::uint32_t Core::slot_of(LeaseId lease) const {
  const std::uint32_t slot = slot_of_lease(lease, config_.size);
  return lease != LeaseId::none && slots_[slot].lease == lease ? slot : kNone;
}

std::uint32_t Core::under_way_limit() const {
  return config_.init_mode == InitMode::blocking ? 1 : config_.starts_max;
}

std::uint32_t Core::live() const {
  return config_.size - in_state_[static_cast<std::size_t>(SlotState::vacant)] -
         in_state_[static_cast<std::size_t>(SlotState::cooling)];
}

Gauges Core::gauges() const {
  Gauges gauges;
  gauges.vacant = in(SlotState::vacant) + in(SlotState::cooling);
  gauges.starting = in(SlotState::starting);
  gauges.handshake = in(SlotState::handshake);
  gauges.idle = in(SlotState::idle);
  gauges.leased = in(SlotState::leased);
  gauges.leaving = stopping_index_.size();
  gauges.waiting = waiters_.size();
  gauges.sessions = sessions_.size();
  gauges.pinging = in(SlotState::pinging);
  gauges.suspended = suspended_;
  gauges.breaker_open = breaker_open_;
  gauges.closing = closing_;
  return gauges;
}

std::uint64_t Counters::refused_total() const {
  return std::accumulate(refused.begin(), refused.end(), std::uint64_t{0});
}

bool adds_up(const Counters& counted, const Gauges& now) {
  const auto ended =
      counted.returned_clean + counted.returned_dirty + counted.revoked + counted.lost;
  const auto live = now.starting + now.handshake + now.idle + now.leased + now.pinging;
  return counted.requested == counted.granted + counted.refused_total() + now.waiting &&
         counted.granted == ended + now.leased &&
         counted.starts == counted.forgotten + live + now.leaving;
}

}  // namespace poolproof::pool
