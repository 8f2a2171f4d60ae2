#include "harness/host/state.hpp"

#include <atomic>
#include <unistd.h>
#include <utility>

#include "harness/host/census.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {
namespace {

using std::chrono::steady_clock;

/// How long close() waits beyond its timeout for the last worker, KILLed by then, to be reaped.
constexpr Duration kReapingLimit = 5s;

/// A reactor that would sleep longer than this is woken to watch workers that have become idle.
constexpr Duration kLongNap = 50ms;

/// Pool time as a time of libstdc++'s steady clock; both are CLOCK_MONOTONIC.
steady_clock::time_point wall(Time at) {
  constexpr auto kFar = std::chrono::hours(24 * 365);
  const auto since_boot =
      std::min<Duration>(at.time_since_epoch(), sys::now().time_since_epoch() + kFar);
  return steady_clock::time_point(since_boot);
}

}  // namespace

/// The ticket of a waiting client, on that client's stack. The thread that answers it wakes the
/// client once the mutex is free, so that the client need not wait for the mutex. The client goes
/// on in no other way, so the ticket lives until then.
struct PoolState::WaitingTicket final : pool::Ticket {
  explicit WaitingTicket(PoolState& of) : state(of) {}

  void answered() override {
    if (!parked) return;
    (state.first_answered_ == nullptr ? state.first_answered_ : state.last_answered_->next) = this;
    state.last_answered_ = this;
  }

  /// Wakes the client. The ticket is gone as soon as its word is set: waking needs only the
  /// address.
  void let_go() {
    const auto* const address = &may_go;
    may_go.store(1, std::memory_order_release);
    sys::wake_sleeper(address);
  }

  PoolState& state;
  bool parked = false;            ///< the checkout was not answered at once; guarded by the mutex
  WaitingTicket* next = nullptr;  ///< the next one of the answered tickets
  std::atomic<std::uint32_t> may_go{0};
};

PoolState::PoolState(Options options)
    : options_(std::move(options)),
      times_are_noted_(options_.observer || options_.on_event ||
                       options_.leak_after > Duration::zero()),
      dispatcher_(*this),
      insight_(options_) {
  if (auto wake = sys::event_fd()) wake_ = std::move(*wake);
  dispatcher_.begin(options_.core, wire_of(options_).row().greeting_name);
}

// ---- clients -----------------------------------------------------------------------------------

Result<pool::HeldLease> PoolState::checkout(const pool::SessionRequest& session, Duration timeout,
                                            const std::stop_token& stop) {
  WaitingTicket ticket(*this);
  {
    const pool::Entered entered(dispatcher_);
    dispatcher_.request(ticket, timeout, session);
    ticket.parked = !ticket.done;
  }
  if (ticket.parked) await_answer(ticket, stop);
  if (ticket.error) return unexpected(std::move(*ticket.error));
  return Result<pool::HeldLease>(tl::in_place, std::move(ticket.worker), ticket.lease);
}

bool PoolState::end_session(std::string_view name) {
  const pool::Entered entered(dispatcher_);
  return dispatcher_.end_session(name);
}

void PoolState::await_answer(WaitingTicket& ticket, const std::stop_token& stop) {
  // Registered and removed without the mutex: a stop already asked for calls back at once.
  const std::stop_callback cancel(stop, [&] {
    const pool::Entered entered(dispatcher_);
    dispatcher_.step(pool::CheckoutCancelled{ticket.checkout});
  });
  Time until = ticket.deadline;
  while (ticket.may_go.load(std::memory_order_acquire) == 0) {
    sys::sleep_while(ticket.may_go, 0, until);
    if (until == kNever || sys::now() < until) continue;
    // A client at its deadline ticks the Core itself: then it is answered, or has been before. If
    // it finds itself granted, it keeps the lease.
    until = kNever;
    const pool::Entered entered(dispatcher_);
    if (!ticket.done) dispatcher_.step(pool::Tick{});
  }
}

bool PoolState::close(Duration timeout) {
  const Time deadline = after(sys::now(), timeout);
  {
    const pool::Entered entered(dispatcher_);
    dispatcher_.step(pool::CloseRequested{deadline});
  }
  std::unique_lock lock(mutex_);
  return closed_changed_.wait_until(lock, wall(after(deadline, kReapingLimit)),
                                    [this] { return closed_; });
}

void PoolState::tell(const pool::Event& event) {
  const pool::Entered entered(dispatcher_);
  dispatcher_.step(event);
}

void PoolState::end_orphans() {
  if (!options_.adopt_orphans) return;
  const std::lock_guard lock(orphans_mutex_);
  end_descendants(::getpid());
}

bool PoolState::wait_until_quiescent(Duration limit) {
  std::unique_lock lock(mutex_);
  const auto closing = [this] { return dispatcher_.core().gauges().closing; };
  ++awaiting_quiescence_;
  maybe_quiescent_.wait_until(lock, wall(after(sys::now(), limit)),
                              [&] { return closing() || is_quiescent(); });
  --awaiting_quiescence_;
  return !closing() && is_quiescent();
}

Statistics PoolState::statistics() {
  const std::lock_guard lock(mutex_);
  return {dispatcher_.core().counters(), dispatcher_.core().gauges(), insight_.timings(),
          insight_.leaks(sys::now()), insight_.events_lost()};
}

void PoolState::set_holder(LeaseId lease, WorkerId worker, std::string_view name) {
  const std::lock_guard lock(mutex_);
  insight_.set_holder(lease, worker, name);
}

pool::WorkerRef PoolState::find(WorkerId id) {
  const std::lock_guard lock(mutex_);
  return dispatcher_.keep(id);
}

std::optional<ExitStatus> PoolState::wait_for_exit(Worker& worker, Duration limit) {
  std::unique_lock lock(mutex_);
  worker.exited.wait_for(lock, limit, [&worker] { return worker.exit.has_value(); });
  return worker.exit;
}

// ---- the spawner and the reactor ---------------------------------------------------------------

void PoolState::started(WorkerId id, Expected<Child, LaunchError> child) {
  const pool::Entered entered(dispatcher_);
  if (!child) {
    return dispatcher_.start_failed(id, child.error().errno_value,
                                    std::move(child.error().message));
  }
  auto worker = std::make_shared<Worker>(id, std::move(*child), options_.stderr_tail_bytes);
  worker->pool = shared_from_this();
  inbox_.fresh.push_back(worker);
  dispatcher_.started(std::move(worker));
  wake_reactor();
}

void PoolState::tick() {
  const pool::Entered entered(dispatcher_);
  dispatcher_.step(pool::Tick{});
}

Inbox PoolState::take_inbox() {
  const std::lock_guard lock(mutex_);
  wake_pending_ = false;
  nap_until_ = Time::min();  // awake: nobody needs to wake it before it naps again
  Inbox taken = std::exchange(inbox_, {});
  inbox_.stopping = taken.stopping;
  for (const auto& worker : taken.idle) worker->told_to_look = false;
  while (dispatcher_.has_orders()) taken.orders.push_back(dispatcher_.take_order());
  taken.events = insight_.take_events();
  taken.deadline = next_deadline();
  return taken;
}

void PoolState::naps_until(Time at) {
  const std::lock_guard lock(mutex_);
  nap_until_ = at;
  const bool too_long = !inbox_.idle.empty() && at > after(sys::now(), kLongNap);
  const bool missed = inbox_.stopping || dispatcher_.has_orders() || insight_.has_events() ||
                      !inbox_.fresh.empty() || next_deadline() < at || too_long;
  if (missed) wake_reactor();
  if (awaiting_quiescence_ > 0) maybe_quiescent_.notify_all();
}

void PoolState::stop() {
  const std::lock_guard lock(mutex_);
  inbox_.stopping = true;
  wake_reactor();
}

void PoolState::abandon() {
  const pool::Entered entered(dispatcher_);
  inbox_.fresh.clear();
  inbox_.idle.clear();
  dispatcher_.forget_all();
}

std::vector<pool::WorkerRef> PoolState::workers() {
  const std::lock_guard lock(mutex_);
  std::vector<pool::WorkerRef> all;
  dispatcher_.for_each_worker([&all](const auto& worker) { all.push_back(worker); });
  return all;
}

// ---- what the dispatcher asks for --------------------------------------------------------------

void PoolState::leave() {
  WaitingTicket* next = std::exchange(first_answered_, nullptr);
  mutex_.unlock();
  while (next != nullptr) std::exchange(next, next->next)->let_go();
}

Time PoolState::now() {
  return sys::now();
}

Time PoolState::recently() {
  return times_are_noted_ ? sys::now() : sys::recently();
}

void PoolState::stepped(Time now, const pool::Event& event, std::span<const pool::Effect> effects) {
  insight_.stepped(now, event, effects, dispatcher_);
  // A lease may outlive its pool; the observer need not.
  if (options_.observer && !inbox_.stopping) options_.observer(now, event, effects);
}

void PoolState::delivered() {
  const bool to_do = dispatcher_.has_orders() || insight_.has_events();
  if (to_do || next_deadline() < nap_until_) wake_reactor();
  if (awaiting_quiescence_ > 0) maybe_quiescent_.notify_all();
}

void PoolState::became_idle(const pool::WorkerRef& worker) {
  if (inbox_.stopping || std::exchange(worker->told_to_look, true)) return;
  inbox_.idle.push_back(worker);
  // Wakes the reactor only when it would sleep long: at most once a nap, however busy the pool is.
  if (nap_until_ > after(sys::now(), kLongNap)) wake_reactor();
}

void PoolState::closed() {
  closed_ = true;
  closed_changed_.notify_all();
}

/// Whether nothing is left to do. The reactor naps only when it has done all that it took over, and
/// keeps nothing of it.
bool PoolState::is_quiescent() const {
  const pool::Gauges now = dispatcher_.core().gauges();
  const auto busy =
      now.waiting + now.starting + now.handshake + now.leased + now.leaving + now.pinging;
  const bool awake = nap_until_ == Time::min();
  return busy == 0 && has_its_workers(now) && !awake && !dispatcher_.has_orders() &&
         !insight_.has_events() && inbox_.fresh.empty();
}

/// Whether the workers are there that the pool starts unasked.
bool PoolState::has_its_workers(const pool::Gauges& now) const {
  const pool::Core& core = dispatcher_.core();
  const pool::Config& wanted = options_.core;
  if (now.idle < wanted.min_idle) return false;
  if (wanted.start == pool::StartMode::lazy) return true;
  if (wanted.idle_timeout == Duration::zero()) return now.vacant == 0;
  // How many it keeps of those that it let go nobody tells. It lacks one only before its first
  // step, or where a failure holds starts back.
  if (core.next_deadline() == Time::min() || now.breaker_open) return false;
  for (std::uint32_t slot = 0; slot < wanted.size; ++slot) {
    if (core.state(slot) == pool::SlotState::cooling) return false;
  }
  return true;
}

Time PoolState::next_deadline() const {
  return std::min(dispatcher_.next_deadline(), insight_.next_leak());
}

void PoolState::wake_reactor() {
  // A reactor that is awake looks again before it naps (naps_until).
  if (nap_until_ == Time::min()) return;
  const std::uint64_t one = 1;
  const std::string_view knock(reinterpret_cast<const char*>(&one), sizeof one);
  // Tried twice: a wake-up that is lost might be the last one.
  for (int tries = 0; tries < 2 && !wake_pending_; ++tries) {
    wake_pending_ = sys::write(wake_.get(), knock).has_value();
  }
}

}  // namespace poolproof::host
