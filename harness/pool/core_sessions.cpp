#include "harness/pool/core.hpp"

/// The clients that wait for one worker alone, because it serves their session.
namespace poolproof::pool {

/// A strict request in a session that has a worker: only that worker may serve it.
void Core::request_bound(Waiter waiter, WorkerId worker) {
  const std::uint32_t slot = worker.slot;
  waiter.only = worker;
  const bool at_rest = is_at_rest(worker);
  if (!at_rest && slot_in(worker, SlotState::leased) == kNone) {
    return refuse(waiter, Outcome::worker_gone);
  }
  if (slots_[slot].state == SlotState::idle && grants_allowed()) return grant(waiter, slot);
  if (!at_rest && waiter.use.when_busy == WhenBusy::fail) {
    return refuse(waiter, Outcome::worker_busy);
  }
  if (waiter.deadline <= now_) return refuse_late(waiter);
  if (waiters_.full()) return refuse(waiter, Outcome::queue_full);
  waiters_.push(waiter);
  note_line(slot);
}

/// The session has got its first worker, which is busy with it. Whoever asked strictly waits for
/// that worker alone from now on.
void Core::bind_waiters(SessionId session, std::uint32_t slot) {
  if (!sessions_.has_strict_waiters(session)) return;
  gather(kAnyWorker, [session](const SessionUse& use) {
    return use.affinity == Affinity::strict && use.session == session;
  });
  for (const CheckoutId checkout : gathered_) {
    Waiter waiter = *waiters_.remove(checkout);
    waiter.only = id(slot);
    waiters_.push(waiter);
  }
  refuse_impatient(slot);
}

/// The worker is busy from now on: refuses those who wait for it and would rather fail than wait.
void Core::refuse_impatient(std::uint32_t slot) {
  gather(slot, [](const SessionUse& use) { return use.when_busy == WhenBusy::fail; });
  for (const CheckoutId checkout : gathered_) {
    refuse(*waiters_.remove(checkout), Outcome::worker_busy);
  }
}

/// Gathers the waiters of a line whose requests are wanted, into gathered_.
template <class IsWanted>
void Core::gather(std::uint32_t line, IsWanted is_wanted) {
  gathered_.clear();
  waiters_.for_each(line, [&](const Waiter& waiter) {
    if (is_wanted(waiter.use)) gathered_.push_back(waiter.checkout);
  });
}

/// Notes whether the slot is idle and somebody waits for its worker. Called when either may change.
void Core::note_line(std::uint32_t slot) {
  if (slot == kAnyWorker) return;
  if (slots_[slot].state == SlotState::idle && !waiters_.empty(slot)) {
    const auto first = static_cast<std::uint64_t>(waiters_.first(slot).checkout);
    bound_ready_.set(slot, Time::min(), first);
  } else {
    bound_ready_.clear(slot);
  }
}

/// A lease in that session is over, and perhaps the session with it.
void Core::give_back(SessionId session) {
  if (sessions_.give_back(session, now_)) emit(SessionOver{session});
}

}  // namespace poolproof::pool
