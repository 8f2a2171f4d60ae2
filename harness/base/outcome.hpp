#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/base/enumerators.hpp"

namespace poolproof {

/// How a checkout or a call ended. The names are those of scenario files, traces and reports.
enum class Outcome : std::uint8_t {
  ok,
  worker_error,      ///< the worker answered with an error; it stays in service
  checkout_timeout,  ///< no worker within the checkout timeout
  queue_full,        ///< as many clients wait as the pool allows
  start_failed,      ///< workers do not start; the cause says why
  pool_closed,       ///< the pool is closing or closed
  cancelled,         ///< the client gave up
  worker_busy,       ///< the worker of its strict session serves another client
  worker_gone,       ///< the worker of its strict session is gone, and what it knew with it
  sessions_full,     ///< the pool already has as many sessions as it allows
  call_timeout,      ///< no whole reply within the call timeout
  worker_died,       ///< the process ended in the middle of the call
  stdout_closed,     ///< the worker closed its stdout and lives on
  stdin_closed,      ///< the worker closed its stdin and lives on; nothing was answered
  protocol_error,    ///< the worker wrote something that is not a reply to this request
  stale_worker,  ///< dead, or had written something, before the call's first byte; retry is safe
  lease_over,    ///< the lease had ended before the call (returned, revoked, worker gone)
  request_too_large,  ///< the request does not fit into a frame; nothing was written
};

/// The phase in which a call or a checkout ended.
enum class Phase : std::uint8_t {
  none,
  queued,     ///< waiting for a worker; all are busy
  starting,   ///< the process that would serve it is being started
  handshake,  ///< the worker that would serve it has not yet answered its init ping
  cooling,    ///< starts are held back after a failure
  suspended,  ///< waiting for the pool to be resumed
  writing_request,
  awaiting_reply,  ///< all is written, no byte has come back
  reading_reply,   ///< part of a reply has come
};

/// Why a worker has not completed its start. It is judged from evidence alone.
enum class StartCause : std::uint8_t {
  none,
  exec_failed,           ///< the program could not be started (errno says why)
  exited,                ///< it ended before it answered (dead at start)
  ping_unread,           ///< its ping lies unread in its stdin: still importing, or it never reads
  ping_unanswered,       ///< it read the ping, answered nothing even at end of stdin: other framing
  reply_unflushed,       ///< it read the ping, and the whole reply came out only at end of stdin
  text_on_stdout,        ///< text where a frame should be (a banner, a print)
  reply_unframed,        ///< a JSON reply without its length prefix
  reply_incomplete,      ///< part of a frame, then nothing within the budget
  bad_frame,             ///< any other bytes that are not a frame or not a reply to the ping
  refused,               ///< it answered the ping with an error
  stdout_closed,         ///< it closed its stdout and lives on
  stdin_closed,          ///< it closed its stdin before it read its ping
  behind_another_start,  ///< its start has not begun: starts go one at a time
  budget_spent,          ///< the start-up budget ran out before any evidence was gathered
};

inline constexpr auto kOutcomeNames = enumerator_names<Outcome>();
inline constexpr auto kPhaseNames = enumerator_names<Phase>();
inline constexpr auto kStartCauseNames = enumerator_names<StartCause>();

constexpr std::string_view name(Outcome o) {
  return kOutcomeNames[static_cast<std::size_t>(o)];
}
constexpr std::string_view name(Phase p) {
  return kPhaseNames[static_cast<std::size_t>(p)];
}
constexpr std::string_view name(StartCause c) {
  return kStartCauseNames[static_cast<std::size_t>(c)];
}

/// Whether the worker answered the call, even if with an error.
constexpr bool was_answered(Outcome outcome) {
  return outcome == Outcome::ok || outcome == Outcome::worker_error;
}

/// The enumerator called `wanted`, or nothing.
template <class Enum, class Names>
constexpr std::optional<Enum> named(const Names& names, std::string_view wanted) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == wanted) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

/// How a process ended: an exit code or a signal, never both.
struct ExitStatus {
  int code = 0;    ///< -1: not known, somebody else has reaped it
  int signal = 0;  ///< 0: it exited by itself with `code`
  bool operator==(const ExitStatus&) const = default;
};

/// What a living process does, as the system shows it.
struct Activity {
  enum class Kind : std::uint8_t { unknown, waits, runs, stopped };
  Kind kind = Kind::unknown;
  int cpu_percent = 0;  ///< of one processor, had or wanted lately; 0: not known
};

}  // namespace poolproof
