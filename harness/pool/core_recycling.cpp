#include <algorithm>
#include <utility>

#include "harness/pool/core.hpp"

/// Which workers are recycled, and when; and how many the pool is to have. A worker is recycled
/// after a lease, never in the middle of one, and never two at a time.
namespace poolproof::pool {

void Core::on(const RenewRequested& /*event*/) {
  if (closing_) return ignore();
  for (std::uint32_t slot = 0; slot < config_.size; ++slot) {
    const SlotState state = slots_[slot].state;
    if (state != SlotState::vacant && state != SlotState::cooling) {
      mark_for_recycling(slot, RemovalReason::renewed);
    }
  }
}

void Core::on(const SuspendRequested& /*event*/) {
  if (closing_ || suspended_) return ignore();
  suspended_ = true;
}

void Core::on(const ResumeRequested& /*event*/) {
  if (closing_ || !suspended_) return ignore();
  suspended_ = false;
}

void Core::on(const PingEnded& event) {
  const std::uint32_t slot = slot_in(event.worker, SlotState::pinging);
  if (slot == kNone) return ignore();
  if (!event.good) {
    if (!slots_[slot].served) ++slots_[slot].failures;  // counts as a failure, as if it had died
    return leave(slot, StopStep::term, RemovalReason::ping_failed);
  }
  enter(slot, SlotState::idle);
  link_idle(slot);
}

void Core::on(const MemoryMeasured& event) {
  if (!is_at_rest(event.worker)) return ignore();
  note_memory(event.worker.slot, event.rss_bytes);
}

/// Begins the lifetime of a worker that is ready.
void Core::begin_life(std::uint32_t slot) {
  if (config_.max_lifetime == Duration::zero()) return;
  const auto cut_max = static_cast<std::uint64_t>(config_.max_lifetime.count()) *
                       config_.lifetime_jitter_percent / 100;
  const std::uint64_t cut = lifetime_jitter_.below(cut_max + 1);
  const Duration lifetime = config_.max_lifetime - Duration(static_cast<Duration::rep>(cut));
  slots_[slot].lifetime_end = after(now_, std::max(lifetime, Duration(1)));
}

/// Notes why a worker is to be recycled. The first reason stays, unless it is idle_too_long.
void Core::mark_for_recycling(std::uint32_t slot, RemovalReason why) {
  Slot& one = slots_[slot];
  if (one.due != RemovalReason::none && one.due != RemovalReason::idle_too_long) return;
  const bool counted = one.state == SlotState::idle;
  if (counted && one.due != RemovalReason::none) --idle_due(one.due);
  one.due = why;
  if (counted) ++idle_due(why);
}

std::uint32_t& Core::idle_due(RemovalReason why) {
  return why == RemovalReason::idle_too_long ? idle_too_long_ : idle_overdue_;
}

// ---- idle workers ------------------------------------------------------------------------------

void Core::begin_idling(std::uint32_t slot) {
  if (slots_[slot].due != RemovalReason::none) ++idle_due(slots_[slot].due);
  await_ping(slot);
  await_idle_end(slot);
}

void Core::end_idling(std::uint32_t slot) {
  RemovalReason& due = slots_[slot].due;
  if (due != RemovalReason::none) --idle_due(due);
  if (due == RemovalReason::idle_too_long) due = RemovalReason::none;
  if (std::exchange(slots_[slot].ping_due, false)) --pings_due_;
  if (std::exchange(slots_[slot].measure_due, false)) --measures_due_;
}

void Core::expire_idle(std::uint32_t slot) {
  Slot& one = slots_[slot];
  if (one.ping_at <= now_) {
    one.ping_at = kNever;
    one.ping_due = true;
    ++pings_due_;
  }
  await_idle_end(slot);
}

/// Notes which deadlines of an idle worker have come, and waits for the next one.
void Core::await_idle_end(std::uint32_t slot) {
  Slot& one = slots_[slot];
  if (one.measure_at <= now_ && !std::exchange(one.measure_due, true)) ++measures_due_;
  const bool ends = config_.idle_timeout > Duration::zero();
  const Time idle_end = ends ? after(one.idle_since, config_.idle_timeout) : kNever;
  if (one.lifetime_end <= now_) {
    mark_for_recycling(slot, RemovalReason::lifetime_over);
  } else if (idle_end <= now_) {
    mark_for_recycling(slot, RemovalReason::idle_too_long);
  }
  Time next = one.measure_due ? one.ping_at : std::min(one.ping_at, one.measure_at);
  if (one.due == RemovalReason::none) next = std::min(next, idle_end);
  if (one.due == RemovalReason::none || one.due == RemovalReason::idle_too_long) {
    next = std::min(next, one.lifetime_end);
  }
  if (next == kNever) return slot_deadlines_.clear(slot);
  slot_deadlines_.set(slot, next);
}

// ---- who goes ----------------------------------------------------------------------------------

/// Whether the worker that has come back goes now. If it could not be replaced at once it stays
/// while somebody waits.
bool Core::goes_at_checkin(std::uint32_t slot, const CheckedIn& event) {
  if (config_.max_calls > 0 && event.calls >= config_.max_calls) {
    mark_for_recycling(slot, RemovalReason::calls_spent);
  }
  if (slots_[slot].lifetime_end <= now_) mark_for_recycling(slot, RemovalReason::lifetime_over);
  note_memory(slot, event.rss_bytes);
  if (slots_[slot].due == RemovalReason::none || !may_recycle()) return false;
  return waiters_.empty(kAnyWorker) || stopping_index_.size() + 1 < config_.leaving_max;
}

/// Whether a worker may be recycled now: not while another one is being recycled, a start is under
/// way or the breaker is open.
bool Core::may_recycle() const {
  return !closing_ && !breaker_open_ && recycling_ == 0 && under_way_.empty();
}

/// Recycles an idle worker: of those that are due, the one that has been idle longest.
void Core::recycle_next() {
  const bool too_many = in(SlotState::idle) > config_.min_idle;
  if (idle_overdue_ == 0 && (idle_too_long_ == 0 || !too_many)) return;
  if (!may_recycle()) return;
  for (std::uint32_t slot = idle_tail_; slot != kNone; slot = slots_[slot].previous) {
    const RemovalReason due = slots_[slot].due;
    if (due == RemovalReason::none) continue;
    if (due == RemovalReason::idle_too_long && !too_many) continue;
    return leave(slot, StopStep::ask, due);
  }
}

// ---- idle pings --------------------------------------------------------------------------------

void Core::await_ping(std::uint32_t slot) {
  const Duration interval = config_.idle_ping_interval;
  slots_[slot].ping_at = interval == Duration::zero() ? kNever : after(now_, interval);
}

/// Pings the idle worker whose ping is due, the longest idle first. One at a time: the others
/// serve.
void Core::ping_next() {
  if (pings_due_ == 0 || closing_ || in(SlotState::pinging) > 0) return;
  std::uint32_t slot = idle_tail_;
  while (!slots_[slot].ping_due) slot = slots_[slot].previous;
  unlink_idle(slot);
  enter(slot, SlotState::pinging);
  const Time deadline = after(now_, config_.idle_ping_budget);
  // The backstop: should the world fall silent, the Core ends the ping by itself.
  slot_deadlines_.set(slot, after(deadline, config_.postmortem_budget + config_.silence_max));
  emit(BeginPing{id(slot), deadline});
}

// ---- memory ------------------------------------------------------------------------------------

void Core::await_measure(std::uint32_t slot) {
  const bool never = config_.max_rss_bytes == 0;
  slots_[slot].measure_at = never ? kNever : after(now_, config_.rss_interval);
}

/// Orders a measurement of each idle worker that is due. The next one is due after the interval.
void Core::measure_idle() {
  for (std::uint32_t slot = idle_tail_; measures_due_ > 0; slot = slots_[slot].previous) {
    if (!std::exchange(slots_[slot].measure_due, false)) continue;
    --measures_due_;
    await_measure(slot);
    await_idle_end(slot);
    emit(MeasureMemory{id(slot)});
  }
}

/// A worker that was once seen too large is recycled, even if it frees memory before that.
void Core::note_memory(std::uint32_t slot, std::uint64_t rss_bytes) {
  if (config_.max_rss_bytes == 0 || rss_bytes <= config_.max_rss_bytes) return;
  mark_for_recycling(slot, RemovalReason::rss_exceeded);
}

// ---- how many there are to be ------------------------------------------------------------------

/// Whether a worker is to be started beyond what the waiting clients need. An eager pool keeps
/// `kept_` workers alive; any pool keeps `min_idle` idle. A slot in its backoff counts: it will be
/// tried again.
bool Core::lacks_workers() const {
  const std::uint32_t cooling = in(SlotState::cooling);
  if (config_.start == StartMode::eager && live() + cooling < kept_) return true;
  if (config_.min_idle == 0) return false;
  const std::uint64_t there =
      in(SlotState::idle) + in(SlotState::pinging) + under_way_.size() + cooling;
  const std::uint64_t served_next = suspended_ ? 0 : waiters_.size_of_any();
  return there < served_next + config_.min_idle;
}

}  // namespace poolproof::pool
