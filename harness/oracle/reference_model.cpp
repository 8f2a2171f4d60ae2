#include "harness/oracle/reference_model.hpp"

#include <algorithm>

namespace poolproof::oracle {

using pool::RemovalReason;
using pool::StopStep;

ReferenceModel::ReferenceModel(const pool::Config& config, Memory* memory, std::size_t records)
    : config_(config), memory_(memory) {
  // In a usual trace one record in four asks, grants, or starts.
  const std::size_t some = records / 4 + 1;
  asked_.reserve(some);
  leases_.reserve(some);
  ids_.reserve(some);
  workers_.reserve(some);
  timers_.reserve(some);
  slots_.reserve(std::min<std::size_t>(config_.size, some));
  kept_ = config_.size;
}

void ReferenceModel::take(const trace::PoolRecord& record) {
  record_ = &record;
  ++records_;
  now_ = std::max(now_, record.at);
  failed_now_ = false;
  has_happened_ = false;
  greet_ = ending_ = returned_ = kNone;
  begin_close_steps();
  const Time later = after(now_, Duration(1));
  std::size_t done = 0;
  for (; done < record.effects.size(); ++done) {
    // A grant before the record's event comes after everything else that was due by then.
    const bool grants = std::holds_alternative<pool::Grant>(record.effects[done]);
    if (grants && is_due(timers_, later)) expire(later);
    const Time due = due_of(record.effects[done]);
    if (due > now_) break;
    if (is_due(timers_, due)) expire(due);
    apply(record.effects[done]);
  }
  if (is_due(timers_, later)) expire(later);
  has_happened_ = true;
  before(record.event);
  dispatch(record.event, [this](const auto& event) { happened(event); });
  for (; done < record.effects.size(); ++done) apply(record.effects[done]);
  if (!awaited_.empty() || time_is_up_) look_for_missed();
  if (is_due(cooling_, later)) end_cooling();
  record_over();
}

void ReferenceModel::apply(const pool::Effect& effect) {
  before(effect);
  dispatch(effect, [this](const auto& order) { ordered(order); });
}

// ---- events ------------------------------------------------------------------------------------

inline void ReferenceModel::happened(const pool::CheckoutRequested& event) {
  if (checkout_numbers_.number(event.checkout) < asked_.size()) return;
  asked_.push_back({event.checkout, now_, event.deadline, records_, false, event.use});
  ++waiting_;
  if (event.use.session != SessionId::none && !closing_) ask_in_session(asked_.back());
}

inline void ReferenceModel::happened(const pool::CheckedIn& event) {
  const std::uint32_t worker = holder(event.lease);
  const std::uint32_t place = lease_numbers_.number(event.lease);
  if (place == leases_.size()) leases_.emplace_back();
  Lease& lease = leases_[place];
  if (!lease.story.returned_clean) lease.story.returned_clean = event.clean;
  if (worker == kNone) return;
  lease.holds = kNone;
  if (event.clean) {
    workers_[worker].served = true;
    slot_of(worker).failures = 0;
  }
  workers_[worker].calls = std::max(workers_[worker].calls, event.calls);
  workers_[worker].rss_bytes = std::max(workers_[worker].rss_bytes, event.rss_bytes);
  if (event.clean && !closing_) {
    returned_ = worker;
    return enter(worker, State::idle);
  }
  enter(worker, State::leaving);
  if (!event.clean) return must_stop(worker, StopStep::term, RemovalReason::dirty);
  must_stop(worker, StopStep::ask, RemovalReason::closing);
}

inline void ReferenceModel::happened(const pool::LeaseRevoked& event) {
  const std::uint32_t worker = holder(event.lease);
  if (worker == kNone) return;
  enter(worker, State::leaving);
  must_stop(worker, StopStep::term, RemovalReason::revoked);
}

/// A process whose start was given up is killed once it is there.
inline void ReferenceModel::happened(const pool::Started& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || workers_[worker].running) return;
  Worker& one = workers_[worker];
  one.running = true;
  one.greeted = now_;
  if (one.state == State::leaving) {
    noted_.late_start = now_;
    return must_stop(worker, StopStep::kill, one.next.why);
  }
  greet_ = worker;
  will_stop(worker,
            {StopStep::kill, RemovalReason::budget_spent, after(one.since, longest_start())});
  enter(worker, State::handshake);
}

inline void ReferenceModel::happened(const pool::StartFailed& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || workers_[worker].running) return;
  ending_ = worker;
  if (workers_[worker].state == State::leaving) noted_.late_start = now_;
  if (workers_[worker].state != State::starting) return;
  failed_start(worker, StartCause::exec_failed);
}

inline void ReferenceModel::happened(const pool::HandshakeEnded& event) {
  const bool good = event.evidence.cause == StartCause::none;
  if (!good) add(noted_.bad_handshakes, record_);
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || workers_[worker].state != State::handshake) return;
  if (good) {
    failures_ = 0;
    workers_[worker].next = {};
    workers_[worker].ready = now_;
    return enter(worker, State::idle);
  }
  failed_start(worker, event.evidence.cause);
  enter(worker, State::leaving);
  must_stop(worker, StopStep::term, RemovalReason::start_failed);
}

/// The worker is put away at once. If it had never served, its slot may cool as after a death.
inline void ReferenceModel::happened(const pool::UnsolicitedOutput& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || workers_[worker].state != State::idle) return;
  if (!workers_[worker].served) count_useless_worker(worker);
  add(noted_.unsolicited, {event.worker, now_});
  must_stop(worker, StopStep::term, RemovalReason::unsolicited);
}

inline void ReferenceModel::happened(const pool::Exited& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || !workers_[worker].running) return;
  ending_ = worker;
  const State state = workers_[worker].state;
  if (state == State::handshake) failed_start(worker, StartCause::exited);
  const bool idle = state == State::idle || state == State::pinging;
  if (idle && !workers_[worker].served) count_useless_worker(worker);
  enter(worker, State::leaving);
}

/// A closing pool drains until the last part of its time, which belongs to TERM. It asks idle
/// workers to go and gives up all starts.
inline void ReferenceModel::happened(const pool::CloseRequested& event) {
  last_close_ = standing();
  closing_ = true;
  suspended_ = false;
  close_deadline_ = std::min(close_deadline_, std::max(now_, event.deadline));
  const Duration left = close_deadline_ - now_;
  drain_until_ = std::min(drain_until_, close_deadline_ - std::min(config_.term_grace, left / 2));
  for (std::uint32_t worker = 0; worker < workers_.size(); ++worker) {
    Worker& one = workers_[worker];
    if (one.state == State::idle || one.state == State::pinging) {
      must_stop(worker, StopStep::ask, RemovalReason::closing);
    }
    if (one.state == State::handshake) must_stop(worker, StopStep::kill, RemovalReason::closing);
    if (one.state != State::starting) continue;
    one.next = {StopStep::kill, RemovalReason::closing, kNever};
    enter(worker, State::leaving);
  }
}

inline void ReferenceModel::happened(const pool::RenewRequested& /*event*/) {
  if (closing_) return;
  for (Worker& one : workers_) one.renewed = one.renewed || one.state < State::leaving;
}

/// The worker goes back to its former place among the idle.
inline void ReferenceModel::happened(const pool::PingEnded& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || workers_[worker].state != State::pinging) return;
  Worker& one = workers_[worker];
  if (!event.good) return must_stop(worker, StopStep::term, RemovalReason::ping_failed);
  one.next = {};
  const Time idle_since = one.idle_since;
  const Time measured_at = one.measured_at;
  const std::uint64_t turn = one.turn;
  enter(worker, State::idle);
  unlink(idle_, worker);
  one.idle_since = idle_since;
  one.measured_at = measured_at;
  one.turn = turn;
  link_in_turn(worker);
}

inline void ReferenceModel::happened(const pool::MemoryMeasured& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || !is_at_rest(workers_[worker].state)) return;
  workers_[worker].rss_bytes = std::max(workers_[worker].rss_bytes, event.rss_bytes);
}

// ---- effects -----------------------------------------------------------------------------------

inline void ReferenceModel::ordered(const pool::Grant& effect) {
  const std::uint32_t waited = waiter(effect.checkout);
  answer(effect.checkout);
  const std::uint32_t worker = living(effect.worker);
  if (worker != kNone) enter(worker, State::leased);
  if (worker != kNone && waited != kNone) serve_in_session(waited, worker);
  const std::uint32_t place = lease_numbers_.number(effect.lease);
  if (place == leases_.size()) leases_.emplace_back();
  if (!leases_[place].story.granted) leases_[place].story.granted = effect.worker;
  leases_[place].holds = worker;
}

inline void ReferenceModel::ordered(const pool::Refuse& effect) {
  add(noted_.refusals, &effect);
  const std::uint32_t waited = waiter(effect.checkout);
  answer(effect.checkout);
  if (waited != kNone) turn_away_in_session(asked_[waited]);
}

inline void ReferenceModel::ordered(const pool::Closed&) {
  closed_ = true;
  for (Session& session : sessions_) session = {};
  open_sessions_ = 0;
}

inline void ReferenceModel::ordered(const pool::Start& effect) {
  const std::uint32_t worker = ids_.number(effect.worker);
  if (worker < workers_.size()) return;
  const std::uint32_t slot = effect.worker.slot;
  if (slot < config_.size && slot >= slots_.size()) slots_.resize(slot + 1);
  Worker& one = workers_.emplace_back();
  one.since = one.greeted = now_;
  one.begun_after = static_cast<std::uint32_t>(asked_.size());
  ++counts_[static_cast<std::size_t>(State::over)];
  change(slot_of(worker), [](Slot& begun) {
    begun.may_cool = false;
    ++begun.generations;
  });
  will_stop(worker,
            {StopStep::kill, RemovalReason::budget_spent, after(now_, config_.startup_budget)});
  enter(worker, State::starting);
  kept_ = std::max(kept_, present());
}

inline void ReferenceModel::ordered(const pool::Stop& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker == kNone) return;
  Worker& one = workers_[worker];
  const bool spent = effect.why == RemovalReason::budget_spent;
  if (spent && one.state == State::handshake) failed_start(worker, StartCause::budget_spent);
  if (one.state == State::leased && effect.why == RemovalReason::closing) {
    add(noted_.taken_back, {effect.worker, now_});
  }
  if (one.state == State::pinging && effect.why == RemovalReason::ping_failed && !one.served) {
    count_useless_worker(worker);
  }
  if (!one.taken && one.state == State::idle && pool::is_recycling(effect.why)) {
    one.recycled = true;
    ++recycling_;
    if (effect.why == RemovalReason::idle_too_long) --kept_;
  }
  if (effect.step == StopStep::end_of_input) add(noted_.deaf, {effect.worker, now_});
  one.taken = effect.step;
  one.next = {effect.step, effect.why, kNever};
  enter(worker, State::leaving);
  if (effect.step == StopStep::kill) return;
  const auto following = static_cast<StopStep>(static_cast<int>(effect.step) + 1);
  will_stop(worker, {following, effect.why, after(now_, grace(effect.step))});
}

inline void ReferenceModel::ordered(const pool::BeginPing& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker == kNone || workers_[worker].state != State::idle) return;
  enter(worker, State::pinging);
  const Duration backstop = config_.postmortem_budget + config_.silence_max;
  will_stop(worker, {StopStep::term, RemovalReason::ping_failed, after(effect.deadline, backstop)});
}

inline void ReferenceModel::ordered(const pool::MeasureMemory& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker != kNone) workers_[worker].measured_at = now_;
}

inline void ReferenceModel::ordered(const pool::Forget& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker == kNone) return;
  if (worker == ending_) ending_ = kNone;
  if (workers_[worker].recycled) --recycling_;
  workers_[worker].next.due = kNever;
  enter(worker, State::over);
}

// ---- small steps -------------------------------------------------------------------------------

void ReferenceModel::must_stop(std::uint32_t worker, StopStep step, RemovalReason why) {
  workers_[worker].next = {step, why, now_};
  add(awaited_, {worker, step});
}

void ReferenceModel::will_stop(std::uint32_t worker, const NextStop& next) {
  workers_[worker].next = next;
  start_timer(timers_, {next.due, worker});
}

Duration ReferenceModel::grace(StopStep step) const {
  if (step == StopStep::ask) return config_.shutdown_grace;
  return step == StopStep::end_of_input ? config_.stdin_grace : config_.term_grace;
}

std::uint32_t ReferenceModel::holder(LeaseId lease) const {
  const std::uint32_t place = lease_numbers_.find(lease);
  const std::uint32_t worker = place == kNone ? kNone : leases_[place].holds;
  return worker == kNone || workers_[worker].state != State::leased ? kNone : worker;
}

void ReferenceModel::answer(CheckoutId checkout) {
  const std::uint32_t place = waiter(checkout);
  if (place == kNone) return;
  asked_[place].answered = true;
  --waiting_;
  if (asked_[place].only) std::erase(bound_, place);
}

std::uint32_t ReferenceModel::first_waiter() {
  while (first_ < asked_.size() && (asked_[first_].answered || asked_[first_].only)) ++first_;
  return first_ < asked_.size() ? static_cast<std::uint32_t>(first_) : kNone;
}

void ReferenceModel::failed_start(std::uint32_t worker, StartCause cause) {
  before_failure(worker, cause);
  ++failures_;
  last_cause_ = cause;
  last_failure_ = now_;
  last_failed_ = failed_now_ ? std::nullopt : std::optional(ids_.key(worker));
  failed_now_ = true;
  count_useless_worker(worker);
}

/// Notes that a worker was of no use: the next one in its slot may have to wait.
void ReferenceModel::count_useless_worker(std::uint32_t worker) {
  Slot& slot = slot_of(worker);
  change(slot, [this](Slot& one) {
    ++one.failures;
    one.may_cool = true;
    one.cooled_from = now_;
  });
  if (&slot == &outside_) return;
  start_timer(cooling_, {after(now_, longest_pause(slot.failures)), ids_.key(worker).slot});
}

/// Ends the pauses that are over by now even without jitter: these slots are vacant.
void ReferenceModel::end_cooling() {
  while (!cooling_.empty() && cooling_.front().due <= now_) {
    const std::uint32_t slot = pop_timer(cooling_);
    const Slot& one = slots_[slot];
    if (!one.may_cool || after(one.cooled_from, longest_pause(one.failures)) > now_) continue;
    change(slots_[slot], [](Slot& cooled) { cooled.may_cool = false; });
  }
}

Duration ReferenceModel::longest_pause(std::uint32_t failures) const {
  Duration pause = config_.backoff_initial;
  for (std::uint32_t i = 1; i < failures && pause < config_.backoff_max; ++i) pause *= 2;
  return std::min(pause, config_.backoff_max);
}

void ReferenceModel::enter(std::uint32_t worker, State state) {
  const auto is_present = [](State one) { return one < State::leaving; };
  const State before = std::exchange(workers_[worker].state, state);
  if (before == State::leased && state != State::leased) give_back(worker);
  if (state == State::idle) {
    Worker& idle = workers_[worker];
    idle.idle_since = idle.ping_from = idle.measured_at = now_;
    workers_[worker].turn = ++turns_;
  }
  --counts_[static_cast<std::size_t>(before)];
  ++counts_[static_cast<std::size_t>(state)];
  if (line_of(before) != line_of(state)) {
    if (line_of(before) != nullptr) unlink(*line_of(before), worker);
    if (line_of(state) != nullptr) link(*line_of(state), worker);
  }
  const bool leaves = state == State::leaving;
  if (!config_.overlap && (before == State::leaving) != leaves) {
    change(slot_of(worker), [leaves](Slot& slot) { slot.awaited += leaves ? 1U : UINT32_MAX; });
  }
  if (is_present(before) == is_present(state)) return;
  change(slot_of(worker), [arrives = is_present(state)](Slot& slot) {
    slot.occupants += arrives ? 1U : UINT32_MAX;
  });
}

ReferenceModel::Line* ReferenceModel::line_of(State state) {
  if (state == State::idle) return &idle_;
  return state == State::starting || state == State::handshake ? &under_way_ : nullptr;
}

void ReferenceModel::link(Line& line, std::uint32_t worker) {
  workers_[worker].previous = line.last;
  workers_[worker].following = kNone;
  (line.last == kNone ? line.first : workers_[line.last].following) = worker;
  line.last = worker;
}

void ReferenceModel::link_in_turn(std::uint32_t worker) {
  std::uint32_t later = idle_.first;
  while (later != kNone && workers_[later].turn < workers_[worker].turn) {
    later = workers_[later].following;
  }
  const std::uint32_t earlier = later == kNone ? idle_.last : workers_[later].previous;
  workers_[worker].previous = earlier;
  workers_[worker].following = later;
  (earlier == kNone ? idle_.first : workers_[earlier].following) = worker;
  (later == kNone ? idle_.last : workers_[later].previous) = worker;
}

void ReferenceModel::unlink(Line& line, std::uint32_t worker) {
  const Worker& one = workers_[worker];
  (one.previous == kNone ? line.first : workers_[one.previous].following) = one.following;
  (one.following == kNone ? line.last : workers_[one.following].previous) = one.previous;
}

template <class Change>
void ReferenceModel::change(Slot& slot, Change what) {
  const bool counts = &slot != &outside_;
  if (counts && slot.held()) --held_;
  if (counts && slot.taken()) --taken_;
  what(slot);
  if (counts && slot.held()) ++held_;
  if (counts && slot.taken()) ++taken_;
}

}  // namespace poolproof::oracle
