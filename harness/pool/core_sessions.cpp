#include "harness/pool/core.hpp"

/// Who waits for one worker alone, because it served his session.
namespace poolproof::pool {

/// A strict request in a session that has a worker: that one serves it, or none.
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

/// The session has its first worker, which is busy with it: whoever asked strictly waits for that
/// one from now on.
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

/// The worker is busy from now on: whoever would rather be told than wait is told.
void Core::refuse_impatient(std::uint32_t slot) {
  gather(slot, [](const SessionUse& use) { return use.when_busy == WhenBusy::fail; });
  for (const CheckoutId checkout : gathered_) {
    refuse(*waiters_.remove(checkout), Outcome::worker_busy);
  }
}

/// The waiters of a line whose requests are of that kind.
template <class IsWanted>
void Core::gather(std::uint32_t line, IsWanted is_wanted) {
  gathered_.clear();
  waiters_.for_each(line, [&](const Waiter& waiter) {
    if (is_wanted(waiter.use)) gathered_.push_back(waiter.checkout);
  });
}

/// Something may have changed about who waits for that slot's worker, or whether it is idle.
void Core::note_line(std::uint32_t slot) {
  if (slot == kAnyWorker) return;
  if (slots_[slot].state == SlotState::idle && !waiters_.empty(slot)) {
    const auto first = static_cast<std::uint64_t>(waiters_.first(slot).checkout);
    bound_ready_.set(slot, Time::min(), first);
  } else {
    bound_ready_.clear(slot);
  }
}

/// A lease in that session is over.
void Core::give_back(SessionId session) {
  if (sessions_.give_back(session, now_)) emit(SessionOver{session});
}

}  // namespace poolproof::pool
