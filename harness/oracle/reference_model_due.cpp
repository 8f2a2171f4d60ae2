#include <algorithm>
#include <utility>

#include "harness/oracle/reference_model.hpp"

/// What falls due without any event, and in which order.
namespace poolproof::oracle {

using pool::RemovalReason;
using pool::StopStep;

/// A closing pool that has drained for long enough takes back the leases that still go on.
void ReferenceModel::begin_close_steps() {
  time_is_up_ = close_deadline_ <= now_;
  if (drain_until_ > now_) return;
  drain_until_ = kNever;
  for (std::uint32_t worker = 0; worker < workers_.size(); ++worker) {
    if (workers_[worker].state != State::leased) continue;
    must_stop(worker, StopStep::term, RemovalReason::closing);
  }
}

/// Whether a strict request is refused because its worker has gone or has just been given to
/// another, and not because its time is up.
bool ReferenceModel::follows(const pool::Refuse& refused, const CheckoutRequest& asked) const {
  if (!asked.only) return false;
  const State its_own = state(*asked.only);
  const bool would_not_wait = asked.use.when_busy == pool::WhenBusy::fail;
  return refused.why == Outcome::worker_busy
             ? its_own == State::leased && would_not_wait
             : refused.why == Outcome::worker_gone && its_own >= State::leaving;
}

/// When this effect was due without any event; kNever: it was not. Time::min(): it follows from
/// other effects that were due, and has no time of its own.
Time ReferenceModel::due_of(const pool::Effect& effect) const {
  if (const auto* grant = std::get_if<pool::Grant>(&effect)) {
    const bool may_be = may_grant() && state(grant->worker) == State::idle;
    return may_be && waiter(grant->checkout) != kNone ? Time::min() : kNever;
  }
  if (const auto* refused = std::get_if<pool::Refuse>(&effect)) {
    const std::uint32_t place = waiter(refused->checkout);
    if (place == kNone) return kNever;
    return follows(*refused, asked_[place]) ? Time::min() : asked_[place].deadline;
  }
  if (const auto* over = std::get_if<pool::SessionOver>(&effect)) {
    const std::uint32_t session = session_numbers_.find(over->session);
    if (session == kNone || !sessions_[session].lives) return kNever;
    return sessions_[session].ends_now ? Time::min() : sessions_[session].idle_until;
  }
  const auto* stop = std::get_if<pool::Stop>(&effect);
  const std::uint32_t worker = stop == nullptr ? kNone : living(stop->worker);
  if (worker == kNone || !workers_[worker].running) return kNever;
  return time_is_up_ && stop->step == StopStep::kill ? now_ : workers_[worker].next.due;
}

/// Lets everything fall due that was due before that time. At the same time, clients come first.
void ReferenceModel::expire(Time before) {
  while (is_due(timers_, before)) {
    const Time due = timers_.front().due;
    const std::uint32_t worker = pop_timer(timers_);
    if (workers_[worker].next.due == due) fall_due(worker);
  }
}

/// Gives up, without an effect, a start that has not come up within its budget; of any other
/// worker, its next step must be taken.
void ReferenceModel::fall_due(std::uint32_t worker) {
  Worker& one = workers_[worker];
  if (one.state != State::starting) return add(awaited_, {worker, one.next.step});
  one.next.due = kNever;
  failed_start(worker, StartCause::budget_spent);
  enter(worker, State::leaving);
}

void ReferenceModel::look_for_missed() {
  for (const Awaited& awaited : awaited_) {
    NextStop& next = workers_[awaited.worker].next;
    const bool missing = next.step == awaited.step && next.due <= now_;
    if (!missing || workers_[awaited.worker].state == State::over) continue;
    missed(awaited.worker, awaited.step);
    next.due = kNever;
  }
  awaited_.clear();
  if (!std::exchange(time_is_up_, false)) return;
  close_deadline_ = kNever;
  for (std::uint32_t worker = 0; worker < workers_.size(); ++worker) {
    const Worker& one = workers_[worker];
    const bool told = one.state == State::leaving && one.taken;
    if (told && one.taken != StopStep::kill) missed(worker, StopStep::kill);
  }
}

void ReferenceModel::start_timer(Table<Timer>& timers, const Timer& timer) {
  add(timers, timer);
  std::push_heap(timers.begin(), timers.end(),
                 [](const Timer& a, const Timer& b) { return a.due > b.due; });
}

std::uint32_t ReferenceModel::pop_timer(Table<Timer>& timers) {
  std::pop_heap(timers.begin(), timers.end(),
                [](const Timer& a, const Timer& b) { return a.due > b.due; });
  const std::uint32_t number = timers.back().number;
  timers.pop_back();
  return number;
}

}  // namespace poolproof::oracle
