#include "harness/pool/sessions.hpp"

namespace poolproof::pool {

std::optional<WorkerId> Sessions::worker_of(SessionId session) const {
  const std::uint32_t place = place_of(session);
  return place == kNone ? std::nullopt : slab_[place].worker;
}

bool Sessions::has_strict_waiters(SessionId session) const {
  const std::uint32_t place = place_of(session);
  return place != kNone && slab_[place].strict_waiting > 0;
}

bool Sessions::ask(const SessionUse& use) {
  if (use.session == SessionId::none) return true;
  if (!admit(use.session)) return false;
  const std::uint32_t place = place_of(use.session);
  Session& asked = slab_[place];
  ++asked.waiting;
  if (use.affinity == Affinity::strict) {
    ++asked.strict_waiting;
    asked.is_strict = true;
  }
  idle_until_.clear(place);
  return true;
}

bool Sessions::grant(const SessionUse& use, WorkerId worker) {
  const std::uint32_t place = place_of(use.session);
  if (place == kNone) return false;
  Session& served = slab_[place];
  stop_waiting(served, use);
  ++served.leases;
  const bool is_first = !served.worker;
  if (is_first || !served.is_strict) served.worker = worker;
  return is_first;
}

bool Sessions::refuse(const SessionUse& use, Time now) {
  const std::uint32_t place = place_of(use.session);
  if (place == kNone) return false;
  stop_waiting(slab_[place], use);
  return rest(place, now);
}

bool Sessions::give_back(SessionId session, Time now) {
  const std::uint32_t place = place_of(session);
  if (place == kNone) return false;
  --slab_[place].leases;
  return rest(place, now);
}

std::optional<bool> Sessions::end(SessionId session) {
  const std::uint32_t place = place_of(session);
  if (place == kNone || slab_[place].ended) return std::nullopt;
  slab_[place].ended = true;
  --size_;
  if (slab_[place].is_used()) return false;
  take(place);
  return true;
}

void Sessions::clear() {
  *this = Sessions(limit_, idle_timeout_);
}

bool Sessions::admit(SessionId session) {
  const std::uint32_t known = place_of(session);
  const bool goes_on = known != kNone && !slab_[known].ended;
  if (!goes_on && size_ >= limit_) return false;
  if (goes_on) return true;
  ++size_;
  if (known != kNone) {
    slab_[known].ended = false;
    return true;
  }
  std::uint32_t place = static_cast<std::uint32_t>(slab_.size());
  if (free_.empty()) {
    slab_.emplace_back();
    free_.reserve(slab_.capacity());
  } else {
    place = free_.back();
    free_.pop_back();
  }
  slab_[place] = {};
  slab_[place].id = session;
  index_.put(static_cast<std::uint64_t>(session), place);
  return true;
}

void Sessions::stop_waiting(Session& session, const SessionUse& use) {
  --session.waiting;
  if (use.affinity == Affinity::strict) --session.strict_waiting;
}

/// Somebody has ceased to use the session. True: nobody uses it any more, and it is over.
bool Sessions::rest(std::uint32_t place, Time now) {
  const Session& session = slab_[place];
  if (session.is_used()) return false;
  const bool is_over = session.ended || !session.worker;
  if (is_over) {
    take(place);
  } else if (idle_timeout_ > Duration::zero()) {
    idle_until_.set(place, after(now, idle_timeout_));
  }
  return is_over;
}

void Sessions::take(std::uint32_t place) {
  if (!slab_[place].ended) --size_;
  index_.erase(static_cast<std::uint64_t>(slab_[place].id));
  idle_until_.clear(place);
  free_.push_back(place);
}

}  // namespace poolproof::pool
