#include "harness/pool/meter.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "harness/base/assert.hpp"
#include "harness/base/dispatch.hpp"
#include "harness/pool/lease_number.hpp"

namespace poolproof::pool {

Meter::Meter(std::uint32_t size, Duration leak_after)
    : leak_after_(std::max(leak_after, Duration::zero())), slots_(size) {}

void Meter::stepped(Time now, const Event& event, std::span<const Effect> effects,
                    std::vector<PoolEvent>* events) {
  now_ = std::max(now_, now);
  event_ = &event;
  effects_ = effects;
  events_ = events;
  if (events_ != nullptr) tell_leaks();
  const auto* const request = std::get_if<CheckoutRequested>(&event);
  asked_ = request != nullptr ? request->checkout : CheckoutId::none;
  dispatch(event, [this](const auto& happened) { on(happened); });
  for (const Effect& effect : effects) {
    dispatch(effect, [this](const auto& order) { ordered(order); });
  }
  if (asked_ != CheckoutId::none) note_waiter(asked_);
  event_ = nullptr;
  effects_ = {};
  events_ = nullptr;
}

Time Meter::next_leak() const {
  if (leak_after_ == Duration::zero() || untold_ == kNone) return kNever;
  return after(slots_[untold_].hold.since, leak_after_);
}

// ---- events ------------------------------------------------------------------------------------

void Meter::on(const CheckedIn& event) {
  const std::uint32_t slot = slot_of(event.lease);
  if (slot != kNone) end_lease(slots_[slot].hold.worker);
}

void Meter::on(const Started& event) {
  const Time ordered_at = start_ordered(event.worker);
  if (ordered_at == kNever) return;
  tell(PoolEvent::Kind::started, event.worker, LeaseId::none, now_ - ordered_at);
}

void Meter::on(const HandshakeEnded& event) {
  if (!starts(event.worker)) return;
  const Time ordered_at = std::exchange(slots_[event.worker.slot].start_ordered, kNever);
  if (event.evidence.cause != StartCause::none) return;
  // The reply was good but too late if the Core had given the start up before it heard of it.
  const bool given_up = std::any_of(effects_.begin(), effects_.end(), [&](const Effect& effect) {
    const auto* stop = std::get_if<Stop>(&effect);
    return stop != nullptr && stop->worker == event.worker && !is_recycling(stop->why);
  });
  if (given_up) return;
  timings_.start.add(now_ - ordered_at);
  tell(PoolEvent::Kind::ready, event.worker, LeaseId::none, now_ - ordered_at);
}

// ---- effects -----------------------------------------------------------------------------------

void Meter::ordered(const Grant& effect) {
  const Duration wait = waited(effect.checkout);
  timings_.wait.add(wait);
  const std::uint32_t at = effect.worker.slot;
  Slot& slot = slots_[at];
  slot.hold = {effect.lease, effect.worker, now_};
  POOLPROOF_ASSERT(slot_of(effect.lease) == at);
  slot.older = std::exchange(youngest_, at);
  slot.younger = kNone;
  (slot.older == kNone ? oldest_ : slots_[slot.older].younger) = at;
  if (untold_ == kNone) untold_ = at;
  if (events_ == nullptr) return;
  if (wait > Duration::zero()) tell(PoolEvent::Kind::waited, {}, LeaseId::none, wait);
  tell(PoolEvent::Kind::leased, effect.worker, effect.lease, wait);
}

void Meter::ordered(const Refuse& effect) {
  const Duration wait = waited(effect.checkout);
  tell(PoolEvent::Kind::waited, {}, LeaseId::none, wait);
  if (events_ != nullptr) events_->back().outcome = effect.why;
}

void Meter::ordered(const Start& effect) {
  Slot& slot = slots_[effect.worker.slot];
  if (slot.start_ordered != kNever) given_up_.push_back({slot.starting, slot.start_ordered});
  slot.starting = effect.worker;
  slot.start_ordered = now_;
}

void Meter::ordered(const Stop& effect) {
  end_start(effect.worker);
  end_lease(effect.worker);
}

/// Comes with the event that tells how the worker ended.
void Meter::ordered(const Forget& effect) {
  end_start(effect.worker);
  end_lease(effect.worker);
  tell(PoolEvent::Kind::left, effect.worker, LeaseId::none, {});
  if (events_ == nullptr) return;
  PoolEvent& left = events_->back();
  if (const auto* exited = std::get_if<Exited>(event_)) left.exit = exited->status;
  if (std::holds_alternative<StartFailed>(*event_)) left.why = RemovalReason::start_failed;
}

// ---- who waits, and who holds ------------------------------------------------------------------

/// How long that client has waited. From now on it does not wait any more.
Duration Meter::waited(CheckoutId checkout) {
  const auto id = static_cast<std::uint64_t>(checkout);
  const std::uint32_t place = waiting_.find(id);
  if (place == IdIndex::kNone) {
    if (checkout == asked_) asked_ = CheckoutId::none;
    return {};
  }
  waiting_.erase(id);
  free_.push_back(place);
  return now_ - requested_at_[place];
}

void Meter::note_waiter(CheckoutId checkout) {
  const auto id = static_cast<std::uint64_t>(checkout);
  if (waiting_.find(id) != IdIndex::kNone) return;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(requested_at_.size()));
    requested_at_.emplace_back();
    free_.reserve(requested_at_.capacity());
  }
  requested_at_[free_.back()] = now_;
  waiting_.put(id, free_.back());
  free_.pop_back();
}

void Meter::tell_leaks() {
  for (; untold_ != kNone && is_leak(untold_, now_); untold_ = slots_[untold_].younger) {
    const Hold& hold = slots_[untold_].hold;
    tell(PoolEvent::Kind::leak, hold.worker, hold.lease, now_ - hold.since);
  }
}

void Meter::end_lease(WorkerId worker) {
  const std::uint32_t at = worker.slot;
  Slot& slot = slots_[at];
  if (slot.hold.lease == LeaseId::none || slot.hold.worker != worker) return;
  (slot.older == kNone ? oldest_ : slots_[slot.older].younger) = slot.younger;
  (slot.younger == kNone ? youngest_ : slots_[slot.younger].older) = slot.older;
  if (untold_ == at) untold_ = slot.younger;
  const Hold ended = std::exchange(slot.hold, {});
  timings_.use.add(now_ - ended.since);
  tell(PoolEvent::Kind::returned, worker, ended.lease, now_ - ended.since);
}

void Meter::tell(PoolEvent::Kind kind, WorkerId worker, LeaseId lease, Duration took) {
  if (events_ == nullptr) return;
  PoolEvent& told = events_->emplace_back();
  told.kind = kind;
  told.at = now_;
  told.worker = worker;
  told.lease = lease;
  told.took = took;
}

/// Whether the worker was ordered to start, and has neither answered its init ping nor been told to
/// go.
bool Meter::starts(WorkerId worker) const {
  if (worker.slot >= slots_.size()) return false;
  const Slot& slot = slots_[worker.slot];
  return slot.start_ordered != kNever && slot.starting == worker;
}

/// When the worker was ordered to start. kNever: it was not, or its start is over.
Time Meter::start_ordered(WorkerId worker) const {
  if (starts(worker)) return slots_[worker.slot].start_ordered;
  const auto found = std::find_if(given_up_.begin(), given_up_.end(),
                                  [&](const GivenUp& one) { return one.worker == worker; });
  return found == given_up_.end() ? kNever : found->ordered;
}

void Meter::end_start(WorkerId worker) {
  if (starts(worker)) slots_[worker.slot].start_ordered = kNever;
  std::erase_if(given_up_, [&](const GivenUp& one) { return one.worker == worker; });
}

std::uint32_t Meter::slot_of(LeaseId lease) const {
  const std::uint32_t slot = slot_of_lease(lease, static_cast<std::uint32_t>(slots_.size()));
  return lease != LeaseId::none && slots_[slot].hold.lease == lease ? slot : kNone;
}

bool adds_up(const Timings& timings, const Counters& counted) {
  const auto ended =
      counted.returned_clean + counted.returned_dirty + counted.revoked + counted.lost;
  return timings.wait.count() == counted.granted && timings.use.count() == ended;
}

}  // namespace poolproof::pool
