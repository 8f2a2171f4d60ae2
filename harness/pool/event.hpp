#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/outcome.hpp"
#include "harness/pool/session.hpp"

namespace poolproof::pool {

/// Why a start failed or is late, judged from what could be observed. Plain values, no text: the
/// words (stderr tail, command) stay with the world.
struct StartEvidence {
  StartCause cause = StartCause::none;
  std::int32_t errno_value = 0;  ///< exec_failed: why
  ExitStatus exit;               ///< exited: how the process ended
  std::uint32_t ping_bytes = 0;  ///< length of the init ping's frame
  /// Bytes of the ping that lay unread in the worker's stdin when the budget ran out or the process
  /// ended.
  std::uint32_t unread_bytes = 0;
  /// Read from its stdout before we closed its stdin. reply_incomplete: only of the message that is
  /// not whole.
  std::uint32_t answered_bytes = 0;
  std::uint32_t late_bytes = 0;  ///< read from its stdout after we closed its stdin
  std::uint8_t first_size = 0;
  std::array<char, 48> first{};  ///< the first bytes it wrote, raw
  bool outlived_stdin = false;   ///< still alive at the end of the post-mortem
};

/// The events: facts, in the past tense, which are all that the Core learns.
struct CheckoutRequested {
  CheckoutId checkout;
  Time deadline;
  SessionUse use{};
};
struct CheckoutCancelled {
  CheckoutId checkout;
};
struct CheckedIn {
  LeaseId lease;
  bool clean;
  std::uint32_t calls = 0;      ///< calls that its worker has been sent so far, in all its leases
  std::uint64_t rss_bytes = 0;  ///< its worker's resident memory now; 0: not known
};
/// The holder is gone, or gave the lease up with a call in flight.
struct LeaseRevoked {
  LeaseId lease;
};
struct Started {
  WorkerId worker;
};
struct StartFailed {
  WorkerId worker;
  std::int32_t errno_value;
};
/// The init ping's conversation is over. With cause `none` the worker is good.
struct HandshakeEnded {
  WorkerId worker;
  StartEvidence evidence;
};
/// A worker wrote, or closed its stdout, while nobody had asked it anything.
struct UnsolicitedOutput {
  WorkerId worker;
};
/// The process has ended and is reaped.
struct Exited {
  WorkerId worker;
  ExitStatus status;
};
struct Tick {};
/// A session has been ended by its client. It goes on for those who wait and those who hold a lease
/// in it, and is over with the last of them.
struct SessionEnded {
  SessionId session;
};
/// The pool is to close: from now on nobody is let in, and all must be over at `deadline`.
struct CloseRequested {
  Time deadline;
};
/// Every worker that there is now is to be replaced, one after another, each after its lease.
struct RenewRequested {};
/// From now on nobody is served, until ResumeRequested or CloseRequested; those who wait go on
/// waiting.
struct SuspendRequested {};
struct ResumeRequested {};
/// The idle ping's conversation is over. Not good: answered badly, or not in time.
struct PingEnded {
  WorkerId worker;
  bool good;
};

/// The resident memory of an idle worker's process has been measured.
struct MemoryMeasured {
  WorkerId worker;
  std::uint64_t rss_bytes;
};

using Event = std::variant<CheckoutRequested, CheckoutCancelled, CheckedIn, LeaseRevoked, Started,
                           StartFailed, HandshakeEnded, UnsolicitedOutput, Exited, Tick,
                           CloseRequested, SessionEnded, RenewRequested, SuspendRequested,
                           ResumeRequested, PingEnded, MemoryMeasured>;

}  // namespace poolproof::pool
