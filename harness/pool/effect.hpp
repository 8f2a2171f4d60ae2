#pragma once

#include <cstdint>
#include <variant>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/outcome.hpp"
#include "harness/pool/event.hpp"

namespace poolproof::pool {

/// Why a worker must go.
enum class RemovalReason : std::uint8_t {
  none,
  start_failed,  ///< its handshake ended badly
  budget_spent,  ///< it was still starting or in its handshake when its budget ran out
  dirty,         ///< it came back with its stream in doubt
  revoked,       ///< its holder is gone
  unsolicited,   ///< it wrote while idle
  closing,       ///< the pool closes
  ping_failed,   ///< while idle it answered a ping badly, or not in time
  // The worker has done nothing wrong and is recycled:
  calls_spent,  ///< it has served `max_calls`
  lifetime_over,
  idle_too_long,
  renewed,       ///< a renewal was asked for after its start
  rss_exceeded,  ///< it was seen with more resident memory than `max_rss_bytes`
};

/// Whether the worker is recycled, and does not go because of what it has done or suffered.
[[nodiscard]] constexpr bool is_recycling(RemovalReason why) {
  return why >= RemovalReason::calls_spent;
}

/// The stop ladder: how hard a worker that must go is pushed, step by step.
enum class StopStep : std::uint8_t {
  ask,           ///< write the shutdown request, if that does not block
  end_of_input,  ///< close its stdin
  term,          ///< TERM to its process group
  kill,          ///< KILL to its process group
};

[[nodiscard]] constexpr bool is_signal(StopStep step) {
  return step >= StopStep::term;
}

/// Leases `worker` to the client of `checkout`.
struct Grant {
  CheckoutId checkout;
  LeaseId lease;
  WorkerId worker;
};

/// Turns a client away. `blocker` is the worker it waited for, if one can be named (has_blocker):
/// the first start under way, or the worker of its strict session.
struct Refuse {
  CheckoutId checkout;
  /// One of checkout_timeout, queue_full, start_failed, pool_closed, cancelled, worker_busy,
  /// worker_gone, sessions_full.
  Outcome why = Outcome::ok;
  Phase phase = Phase::none;  ///< queued, starting, handshake, cooling, suspended
  bool has_blocker = false;
  WorkerId blocker;
  Time since;  ///< when the blocker entered that phase; else when the client began to wait
  Time waiting_since;
  StartEvidence cause;         ///< start_failed: the last failed start; or behind_another_start
  WorkerId cause_worker;       ///< the worker whose start `cause` tells of
  std::uint32_t failures = 0;  ///< failed starts in a row
};

struct Start {
  WorkerId worker;
};
/// Send the init ping and judge the reply; give up and look into why at `deadline`.
struct BeginHandshake {
  WorkerId worker;
  Time deadline;
};
/// Take this step of the stop ladder.
struct Stop {
  WorkerId worker;
  StopStep step;
  RemovalReason why;
};
/// The incarnation is over: release all that is kept for it.
struct Forget {
  WorkerId worker;
};
/// The pool is closed: no worker is left, and no session. Comes once.
struct Closed {};
/// The session is over: ended and used no more, idle for too long, or never served.
struct SessionOver {
  SessionId session;
};
/// Ping an idle worker and judge the reply; give up at `deadline`.
struct BeginPing {
  WorkerId worker;
  Time deadline;
};

/// Look at how much memory an idle worker's process has.
struct MeasureMemory {
  WorkerId worker;
};

using Effect = std::variant<Grant, Refuse, Start, BeginHandshake, Stop, Forget, Closed, SessionOver,
                            BeginPing, MeasureMemory>;

}  // namespace poolproof::pool
