#include <algorithm>
#include <utility>

#include "harness/oracle/reference_model.hpp"

/// The sessions, and the clients that wait for one worker alone.
namespace poolproof::oracle {

using pool::Affinity;

std::uint32_t ReferenceModel::first_to_serve() {
  std::uint32_t first = count(State::idle) > 0 ? first_waiter() : kNone;
  for (const std::uint32_t place : bound_) {
    if (place < first && state(*asked_[place].only) == State::idle) first = place;
  }
  return first;
}

/// A session begins with its first request, if there is room. A request of a strict session that
/// has a worker can be served by that worker alone.
void ReferenceModel::ask_in_session(CheckoutRequest& asked) {
  const std::uint32_t known = session_numbers_.find(asked.use.session);
  const bool goes_on = known != kNone && sessions_[known].lives && !sessions_[known].ended;
  asked.has_no_room = !goes_on && open_sessions_ >= config_.sessions_max;
  if (asked.has_no_room) return;
  asked.session = session_numbers_.number(asked.use.session);
  if (asked.session == sessions_.size()) sessions_.emplace_back();
  Session& session = sessions_[asked.session];
  if (!goes_on) ++open_sessions_;
  session.lives = true;
  session.ended = false;
  session.idle_until = kNever;
  ++session.waiting;
  if (asked.use.affinity != Affinity::strict) return;
  session.is_strict = true;
  if (!session.worker) return;
  asked.only = session.worker;
  bound_.push_back(static_cast<std::uint32_t>(&asked - asked_.data()));
}

/// A strict session keeps its first worker: all its other clients wait for that one from then on.
void ReferenceModel::serve_in_session(std::uint32_t place, std::uint32_t worker) {
  const std::uint32_t number = asked_[place].session;
  workers_[worker].session = number;
  if (number == kNone || !sessions_[number].lives) return;
  Session& session = sessions_[number];
  --session.waiting;
  ++session.leases;
  const bool is_first = !session.worker;
  if (is_first || !session.is_strict) session.worker = ids_.key(worker);
  if (!is_first || session.waiting == 0) return;
  for (std::size_t other = first_; other < asked_.size(); ++other) {
    CheckoutRequest& one = asked_[other];
    if (one.answered || one.session != number || one.use.affinity != Affinity::strict) continue;
    one.only = session.worker;
    bound_.push_back(static_cast<std::uint32_t>(other));
  }
  std::sort(bound_.begin(), bound_.end());
}

void ReferenceModel::turn_away_in_session(const CheckoutRequest& asked) {
  if (asked.session == kNone || !sessions_[asked.session].lives) return;
  --sessions_[asked.session].waiting;
  rest(asked.session);
}

void ReferenceModel::give_back(std::uint32_t worker) {
  const std::uint32_t number = std::exchange(workers_[worker].session, kNone);
  if (number == kNone || !sessions_[number].lives) return;
  --sessions_[number].leases;
  rest(number);
}

void ReferenceModel::end_session(std::uint32_t number) {
  Session& session = sessions_[number];
  if (!session.lives || std::exchange(session.ended, true)) return;
  --open_sessions_;
  rest(number);
}

/// If nobody uses the session any more: it is over if it was ended or never served, else it is
/// idle.
void ReferenceModel::rest(std::uint32_t number) {
  Session& session = sessions_[number];
  if (session.waiting > 0 || session.leases > 0) return;
  if (session.ended || !session.worker) {
    session.ends_now = true;
    add(session_ends_, number);
  } else if (config_.session_idle_timeout > Duration::zero()) {
    session.idle_until = after(now_, config_.session_idle_timeout);
    start_timer(session_timers_, {session.idle_until, number});
  }
}

void ReferenceModel::ordered(const pool::SessionOver& effect) {
  const std::uint32_t number = session_numbers_.find(effect.session);
  if (number == kNone || !sessions_[number].lives) return;
  if (!sessions_[number].ended) --open_sessions_;
  sessions_[number] = {};
}

void ReferenceModel::happened(const pool::SessionEnded& event) {
  const std::uint32_t number = session_numbers_.find(event.session);
  if (number != kNone) end_session(number);
}

}  // namespace poolproof::oracle
