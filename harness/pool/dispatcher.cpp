#include "harness/pool/dispatcher.hpp"

#include <algorithm>
#include <utility>

#include "harness/base/assert.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::pool {

void Dispatcher::begin(const Config& config, std::string_view greeting) {
  core_.emplace(config);
  greeting_ = greeting;
  orders_.clear();
  taken_ = 0;
  ordered_ = 0;
  checkouts_ = 0;
  tickets_.clear();
  sessions_.clear();
  session_names_.clear();
  sessions_begun_ = 0;
  forget_all();
  in_slot_.resize(config.size);
  last_failed_ = last_unlaunched_ = {};
  last_failed_tail_.clear();
  last_failed_reason_.clear();
  before_failed_.reset();
  last_launch_error_.clear();
}

void Dispatcher::step(const Event& event) {
  step(world_.now(), event);
}

void Dispatcher::step(Time now, const Event& event) {
  effects_.clear();
  core_->step(now, event, effects_);
  world_.stepped(now, event, effects_);
  for (const auto& effect : effects_) deliver(effect);
  world_.delivered();
}

// ---- clients -----------------------------------------------------------------------------------

void Dispatcher::request(Ticket& ticket, Duration timeout, const SessionRequest& session) {
  SessionUse use;
  if (!session.name.empty()) {
    use = {session_of(session.name), session.affinity, session.when_busy};
    if (use.session == SessionId::none) use.session = SessionId{++sessions_begun_};
  }
  // A request that is served at once sets no deadline, and the clock is half of what such one
  // costs.
  const bool at_once = session.name.empty() && nothing_is_due() && core_->serves_at_once();
  const Time now = at_once ? world_.recently() : world_.now();
  ticket.done = false;
  ticket.lease = LeaseId::none;
  ticket.error.reset();
  ticket.checkout = CheckoutId{++checkouts_};
  ticket.deadline = after(now, timeout);
  asking_ = &ticket;
  step(now, CheckoutRequested{ticket.checkout, ticket.deadline, use});
  asking_ = nullptr;
  if (!session.name.empty()) note_session(session.name, use.session);
  if (!ticket.done) tickets_.emplace(ticket.checkout, &ticket);
}

bool Dispatcher::end_lease(LeaseId lease, WorkerRef& worker, bool clean, std::uint64_t rss_bytes) {
  const auto ignored = core_->counters().ignored;
  const Time now = clean && nothing_is_due() ? world_.recently() : world_.now();
  step(now, CheckedIn{lease, clean, worker->calls, rss_bytes});
  if (core_->counters().ignored != ignored) return false;
  if (!clean) return true;
  world_.became_idle(worker);
  if (Kept* const kept = place_in(in_slot_, worker->id())) kept->to_lend = std::move(worker);
  return true;
}

bool Dispatcher::end_session(std::string_view name) {
  const SessionId session = session_of(name);
  if (session == SessionId::none) return false;
  step(SessionEnded{session});
  forget_session(session);  // a session of that name is another one from now on
  return true;
}

SessionId Dispatcher::session_of(std::string_view name) const {
  const auto found = sessions_.find(name);
  return found == sessions_.end() ? SessionId::none : found->second;
}

/// Remembers the name of a session in which somebody has asked for a worker. The session may not
/// have been let in. It may also have been over by time in that very step, and begun anew.
void Dispatcher::note_session(std::string_view name, SessionId session) {
  if (!core_->has_session(session) || session_names_.contains(session)) return;
  sessions_.emplace(name, session);
  session_names_.emplace(session, name);
}

void Dispatcher::forget_session(SessionId session) {
  const auto found = session_names_.find(session);
  if (found == session_names_.end()) return;
  sessions_.erase(found->second);
  session_names_.erase(found);
}

// ---- who starts processes ----------------------------------------------------------------------

void Dispatcher::started(WorkerRef worker) {
  const WorkerId id = worker->id();
  in_slot_[id.slot].push_back({worker, std::move(worker)});
  step(Started{id});
}

void Dispatcher::start_failed(WorkerId id, int errno_value, std::string message) {
  last_unlaunched_ = id;
  last_launch_error_ = std::move(message);
  step(StartFailed{id, errno_value});
}

// ---- the event loop ----------------------------------------------------------------------------

Effect Dispatcher::take_order() {
  POOLPROOF_ASSERT(has_orders());
  Effect order = orders_[taken_++];
  // Mostly all orders have been taken; where there is always one more they must not pile up.
  if (taken_ > orders_.size() / 2) {
    orders_.erase(orders_.begin(), orders_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }
  return order;
}

void Dispatcher::handshake_ended(Worker& worker, const StartEvidence& evidence,
                                 std::string reason) {
  worker.handshake_reported = true;
  if (evidence.cause != StartCause::none) note_failed(worker, std::move(reason));
  step(HandshakeEnded{worker.id(), evidence});
}

void Dispatcher::exited(Worker& worker) {
  // The process may have ended before its handshake had any result.
  if (!worker.handshake_reported) note_failed(worker, "");
  step(Exited{worker.id(), *worker.exit});
}

void Dispatcher::note_failed(const Worker& worker, std::string reason) {
  last_failed_ = worker.id();
  last_failed_tail_ = worker.stderr_tail.text();
  last_failed_reason_ = std::move(reason);
  note_worker_before(worker.id());
}

/// Notes the slot's worker before this one, if it has not left; of several, the newest.
void Dispatcher::note_worker_before(WorkerId id) {
  before_failed_.reset();
  for (const auto& [worker, to_lend] : in_slot_[id.slot]) {
    world_.looked_up(worker.get());
    if (worker->id().generation >= id.generation || worker->exit) continue;
    before_failed_ = worker->id();
    pid_before_failed_ = worker->pid();
  }
}

void Dispatcher::forget(WorkerId id) {
  std::erase_if(in_slot_[id.slot], [id](const Kept& kept) { return kept.worker->id() == id; });
}

void Dispatcher::forget_all() {
  for (auto& slot : in_slot_) slot.clear();
}

/// Where a worker is kept. Null: it is forgotten, or never was.
template <class Slots>
auto Dispatcher::place_in(Slots& slots, WorkerId id) -> decltype(slots.front().data()) {
  if (id.slot >= slots.size()) return nullptr;
  auto& slot = slots[id.slot];
  const auto found =
      std::ranges::find_if(slot, [id](const Kept& k) { return k.worker->id() == id; });
  return found == slot.end() ? nullptr : &*found;
}

const Dispatcher::Kept* Dispatcher::place_of(WorkerId id) const {
  const Kept* const found = place_in(in_slot_, id);
  world_.looked_up(found == nullptr ? nullptr : found->worker.get());
  return found;
}

Worker* Dispatcher::find(WorkerId id) const {
  const Kept* const found = place_of(id);
  return found == nullptr ? nullptr : found->worker.get();
}

WorkerRef Dispatcher::keep(WorkerId id) const {
  const Kept* const found = place_of(id);
  return found == nullptr ? nullptr : found->worker;
}

/// The worker for who gets a lease of it.
WorkerRef Dispatcher::lend(WorkerId id) {
  Kept* const found = place_in(in_slot_, id);
  POOLPROOF_ASSERT(found != nullptr);
  world_.looked_up(found->worker.get());
  // Who is served as soon as another gives the worker back may be quicker than that reference.
  return found->to_lend ? std::move(found->to_lend) : found->worker;
}

bool Dispatcher::is_idle(WorkerId id) const {
  return core_->current(id.slot) == id && core_->state(id.slot) == SlotState::idle;
}

// ---- what a step orders ------------------------------------------------------------------------

void Dispatcher::deliver(const Effect& effect) {
  if (const auto* granted = std::get_if<Grant>(&effect)) {
    Ticket& ticket = answer(granted->checkout);
    ticket.lease = granted->lease;
    ticket.worker = lend(granted->worker);
    ticket.answered();
  } else if (const auto* refused = std::get_if<Refuse>(&effect)) {
    Ticket& ticket = answer(refused->checkout);
    ticket.error.emplace(explain(*refused));
    ticket.answered();
  } else if (std::holds_alternative<Closed>(effect)) {
    sessions_.clear();
    session_names_.clear();
    world_.closed();
  } else if (const auto* over = std::get_if<SessionOver>(&effect)) {
    forget_session(over->session);
  } else {
    if (const auto* stop = std::get_if<Stop>(&effect)) {
      if (Worker* const worker = find(stop->worker)) worker->told_to_go = stop->why;
    }
    ++ordered_;
    orders_.push_back(effect);
    world_.ordered();
  }
}

Ticket& Dispatcher::answer(CheckoutId checkout) {
  Ticket* ticket = asking_;
  if (ticket == nullptr || ticket->checkout != checkout) {
    const auto found = tickets_.find(checkout);
    POOLPROOF_ASSERT(found != tickets_.end());
    ticket = found->second;
    tickets_.erase(found);
  }
  POOLPROOF_ASSERT(!ticket->done);
  ticket->done = true;
  return *ticket;
}

Error Dispatcher::explain(const Refuse& refusal) const {
  RefusalFacts facts;
  facts.now = world_.now();
  facts.gauges = core_->gauges();
  facts.cause.greeting = greeting_;
  // Another start may have failed since, in another way: then nothing more is known of this one.
  if (refusal.cause_worker == last_unlaunched_) facts.cause.launch_error = last_launch_error_;
  if (refusal.cause_worker == last_failed_) {
    facts.cause.stderr_tail = last_failed_tail_;
    facts.cause.reason = last_failed_reason_;
  }
  const Worker* const blocker = refusal.has_blocker ? find(refusal.blocker) : nullptr;
  if (blocker != nullptr && refusal.phase == Phase::handshake) {
    facts.blocker_pid = blocker->pid();
    facts.ping_bytes = blocker->ping_bytes;
    const auto unread = blocker->unread();
    if (facts.ping_bytes > 0 && unread) {
      const std::size_t of_ping = *unread - std::min(*unread, blocker->answer_bytes);
      facts.unread_bytes = static_cast<std::uint32_t>(of_ping);
    }
  }
  if (refusal.cause_worker == last_failed_ && before_failed_) {
    const Worker* const before = find(*before_failed_);
    facts.cause.pid_before = pid_before_failed_;
    facts.cause.still_there = before != nullptr && !before->exit;
  }
  return explain_refusal(refusal, core_->config(), facts);
}

}  // namespace poolproof::pool
