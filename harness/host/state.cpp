#include "harness/host/state.hpp"

#include "harness/base/assert.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::host {
namespace {

using std::chrono::steady_clock;

/// How long close() waits beyond its timeout for the last worker, KILLed by then, to be reaped.
constexpr Duration kReapingLimit = 5s;

/// A caretaker that would sleep longer than this is woken to watch workers that have become idle.
constexpr Duration kLongNap = 50ms;

/// Pool time is CLOCK_MONOTONIC, and so is libstdc++'s steady clock.
steady_clock::time_point wall(Time at) {
  constexpr auto kFar = std::chrono::hours(24 * 365);
  const auto since_boot =
      std::min<Duration>(at.time_since_epoch(), sys::now().time_since_epoch() + kFar);
  return steady_clock::time_point(since_boot);
}

}  // namespace

PoolState::PoolState(Options options) : options_(std::move(options)), core_(options_.core) {
  if (auto wake = sys::event_fd()) wake_ = std::move(*wake);
  errands_.deadline = core_.next_deadline();
}

// ---- clients
// -------------------------------------------------------------------------------------

Result<std::shared_ptr<Worker>> PoolState::checkout(Duration timeout, const std::stop_token& stop,
                                                    LeaseId& lease) {
  Ticket ticket;
  std::unique_lock lock(mutex_);
  const Time deadline = after(sys::now(), timeout);
  ticket.checkout = CheckoutId{++checkouts_};
  asking_ = &ticket;
  step(pool::CheckoutRequested{ticket.checkout, deadline});
  asking_ = nullptr;
  if (!ticket.done) {
    tickets_.emplace(ticket.checkout, &ticket);
    lock.unlock();
    {
      // Registered and removed without the mutex: a stop already asked for calls back at once.
      const std::stop_callback cancel(stop,
                                      [&] { happened(pool::CheckoutCancelled{ticket.checkout}); });
      lock.lock();
      while (!ticket.done) {
        ticket.answered.wait_until(lock, wall(deadline));
        // A client at its deadline ticks the Core itself; if it finds itself granted, it keeps the
        // lease.
        if (!ticket.done && sys::now() >= deadline) step(pool::Tick{});
      }
      lock.unlock();
    }
    lock.lock();
    tickets_.erase(ticket.checkout);
  }
  if (ticket.lease == LeaseId::none) return unexpected(std::move(ticket.error));
  lease = ticket.lease;
  return std::move(ticket.worker);
}

bool PoolState::end_lease(LeaseId lease, const std::shared_ptr<Worker>& worker, bool clean) {
  const std::lock_guard lock(mutex_);
  const auto ignored = core_.counters().ignored;
  step(pool::CheckedIn{lease, clean});
  if (core_.counters().ignored != ignored) return false;
  if (clean && !worker->watch_queued) {
    worker->watch_queued = true;
    errands_.watch.push_back(worker);
    // Wakes the caretaker only when it would sleep long: at most once per nap, however busy the
    // pool is.
    if (nap_until_ > after(sys::now(), kLongNap)) wake_caretaker();
  }
  return true;
}

pool::RemovalReason PoolState::told_to_go(const Worker& worker) const {
  const std::lock_guard lock(mutex_);
  return worker.told_to_go;
}

bool PoolState::close(Duration timeout) {
  std::unique_lock lock(mutex_);
  const Time deadline = after(sys::now(), timeout);
  step(pool::CloseRequested{deadline});
  return closed_changed_.wait_until(lock, wall(after(deadline, kReapingLimit)),
                                    [this] { return closed_; });
}

bool PoolState::wait_for_rest(Duration limit) {
  std::unique_lock lock(mutex_);
  const Time give_up = after(sys::now(), limit);
  rests_.wait_until(lock, wall(give_up), [this] { return core_.gauges().closing || rests(); });
  return !core_.gauges().closing && rests();
}

Statistics PoolState::statistics() const {
  const std::lock_guard lock(mutex_);
  return {core_.counters(), core_.gauges()};
}

std::shared_ptr<Worker> PoolState::find(WorkerId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second;
}

// ---- the spawner and the caretaker
// ---------------------------------------------------------------

void PoolState::started(WorkerId id, Expected<Child, LaunchError> child) {
  const std::lock_guard lock(mutex_);
  if (!child) {
    last_unlaunched_ = id;
    last_launch_error_ = child.error().message;
    return step(pool::StartFailed{id, child.error().errno_value});
  }
  auto worker = std::make_shared<Worker>(id, std::move(*child), options_.stderr_tail_bytes);
  workers_[id] = worker;
  errands_.adopt.push_back(std::move(worker));
  step(pool::Started{id});
  wake_caretaker();
}

void PoolState::happened(const pool::Event& event) {
  const std::lock_guard lock(mutex_);
  step(event);
}

void PoolState::handshake_ended(WorkerId worker, const pool::StartEvidence& evidence,
                                std::string stderr_tail) {
  const std::lock_guard lock(mutex_);
  if (evidence.cause != StartCause::none) {
    last_failed_ = worker;
    last_failed_tail_ = std::move(stderr_tail);
  }
  step(pool::HandshakeEnded{worker, evidence});
  const auto found = workers_.find(worker);
  if (evidence.cause != StartCause::none || found == workers_.end() || found->second->watch_queued)
    return;
  found->second->watch_queued = true;
  errands_.watch.push_back(found->second);
}

bool PoolState::is_idle(WorkerId worker) const {
  const std::lock_guard lock(mutex_);
  return idle_now(worker);
}

bool PoolState::strayed_if(WorkerId worker, const std::function<bool()>& still) {
  const std::lock_guard lock(mutex_);
  if (!idle_now(worker) || !still()) return false;
  step(pool::OutputStrayed{worker});
  return true;
}

void PoolState::pinged(Worker& worker, std::uint32_t ping_bytes) {
  const std::lock_guard lock(mutex_);
  worker.ping_bytes = ping_bytes;
}

Errands PoolState::take_errands() {
  const std::lock_guard lock(mutex_);
  wake_pending_ = false;
  nap_until_ = Time::min();  // awake: nobody needs to wake it before it naps again
  Errands taken = std::move(errands_);
  errands_ = {};
  errands_.stopping = taken.stopping;
  for (const auto& worker : taken.watch) worker->watch_queued = false;
  taken.deadline = core_.next_deadline();
  return taken;
}

void PoolState::naps_until(Time at) {
  const std::lock_guard lock(mutex_);
  nap_until_ = at;
  const bool too_long = !errands_.watch.empty() && at > after(sys::now(), kLongNap);
  const bool missed = errands_.stopping || !errands_.orders.empty() || !errands_.adopt.empty() ||
                      core_.next_deadline() < at || too_long;
  if (missed) wake_caretaker();
  rests_.notify_all();
}

void PoolState::close_stdin(Worker& worker) {
  const std::lock_guard lock(mutex_);
  worker.close_stdin();
}

void PoolState::forget(WorkerId id) {
  const std::lock_guard lock(mutex_);
  workers_.erase(id);
}

void PoolState::stop() {
  const std::lock_guard lock(mutex_);
  errands_.stopping = true;
  wake_caretaker();
}

// ---- under the mutex
// -----------------------------------------------------------------------------

void PoolState::step(const pool::Event& event) {
  const Time now = sys::now();
  effects_.clear();
  core_.step(now, event, effects_);
  // A lease may outlive its pool; whoever observed the pool may not.
  if (options_.observer && !errands_.stopping) options_.observer(now, event, effects_);
  for (const auto& effect : effects_) deliver(effect);
  if (!errands_.orders.empty() || core_.next_deadline() < nap_until_) wake_caretaker();
  rests_.notify_all();
}

bool PoolState::idle_now(WorkerId worker) const {
  return core_.current(worker.slot) == worker && core_.state(worker.slot) == pool::SlotState::idle;
}

/// The caretaker naps only when it has done all that it took over, and keeps nothing of it.
bool PoolState::rests() const {
  const pool::Gauges now = core_.gauges();
  const auto busy = now.waiting + now.starting + now.greeting + now.leased + now.leaving;
  const bool filled = options_.core.start == pool::StartMode::lazy || now.vacant == 0;
  const bool awake = nap_until_ == Time::min();
  return busy == 0 && filled && !awake && errands_.orders.empty() && errands_.adopt.empty();
}

void PoolState::deliver(const pool::Effect& effect) {
  const auto ticket_of = [this](CheckoutId id) -> Ticket* {
    if (asking_ != nullptr && asking_->checkout == id) return asking_;
    const auto found = tickets_.find(id);
    return found == tickets_.end() ? nullptr : found->second;
  };
  if (const auto* granted = std::get_if<pool::Grant>(&effect)) {
    Ticket* ticket = ticket_of(granted->checkout);
    POOLPROOF_ASSERT(ticket != nullptr);
    ticket->lease = granted->lease;
    ticket->worker = workers_.at(granted->worker);
    ticket->done = true;
    ticket->answered.notify_one();
  } else if (const auto* refused = std::get_if<pool::Refuse>(&effect)) {
    Ticket* ticket = ticket_of(refused->checkout);
    POOLPROOF_ASSERT(ticket != nullptr);
    ticket->error = explain(*refused);
    ticket->done = true;
    ticket->answered.notify_one();
  } else if (std::holds_alternative<pool::Closed>(effect)) {
    closed_ = true;
    closed_changed_.notify_all();
  } else {
    const auto* stop = std::get_if<pool::Stop>(&effect);
    if (stop != nullptr && is_signal(stop->step)) {
      const auto found = workers_.find(stop->worker);
      if (found != workers_.end()) found->second->told_to_go = stop->why;
    }
    errands_.orders.push_back(effect);
  }
}

Error PoolState::explain(const pool::Refuse& refusal) const {
  pool::RefusalFacts facts;
  facts.now = sys::now();
  facts.gauges = core_.gauges();
  // Another start may have failed since in another way.
  if (refusal.cause_worker == last_unlaunched_) facts.launch_error = last_launch_error_;
  if (refusal.cause_worker == last_failed_) facts.cause_stderr = last_failed_tail_;
  const auto blocker = workers_.find(refusal.blocker);
  if (refusal.has_blocker && refusal.phase == Phase::handshake && blocker != workers_.end()) {
    facts.blocker_pid = blocker->second->pid();
    facts.ping_bytes = blocker->second->ping_bytes;
    if (facts.ping_bytes > 0) {
      const auto unread =
          sys::unread_bytes(blocker->second->stdout_fd() >= 0 ? blocker->second->stdin_fd() : -1);
      if (unread) facts.unread_bytes = static_cast<std::uint32_t>(*unread);
    }
  }
  return pool::explain_refusal(refusal, options_.core, facts);
}

void PoolState::wake_caretaker() {
  // Awake it looks again before it naps (naps_until).
  if (nap_until_ == Time::min()) return;
  const std::uint64_t one = 1;
  const std::string_view knock(reinterpret_cast<const char*>(&one), sizeof one);
  // A wake-up that is lost might be the last one.
  for (int tries = 0; tries < 2 && !wake_pending_; ++tries) {
    wake_pending_ = sys::write(wake_.get(), knock).has_value();
  }
}

}  // namespace poolproof::host
