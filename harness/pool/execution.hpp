#pragma once

#include <cstdint>
#include <string_view>

#include "harness/base/clock.hpp"
#include "harness/base/enumerators.hpp"
#include "harness/pool/error.hpp"
#include "harness/pool/session.hpp"
#include "harness/pool/timeout.hpp"

namespace poolproof::pool {

/// Which calls that failed are made again, on another worker.
enum class Retry : std::uint8_t {
  never,
  if_unread,   ///< nothing of the request had reached a worker
  idempotent,  ///< also after death, timeout or nonsense: the worker may have done what was asked
};
inline constexpr auto kRetryNames = enumerator_names<Retry>();

constexpr std::string_view name(Retry retry) {
  return kRetryNames[static_cast<std::size_t>(retry)];
}

/// How a command is executed: checkout, call and check-in in one.
struct ExecuteOptions {
  /// The limit for all of it: queue, start, call, and every further try. Without one it is the
  /// pool's default.
  Timeout timeout{};
  /// The limit for one call. Without one it is all the time that is left.
  Timeout try_timeout{};
  Affinity affinity = Affinity::strict;  ///< which worker serves, in a session
  WhenBusy when_busy = WhenBusy::wait;   ///< in a session with strict affinity
  Retry retry = Retry::never;
  std::uint32_t retries_max = 2;  ///< the most tries after the first one
};

/// One execution under way: how much time is left for what, and whether there is another try. Both
/// worlds use it.
class Execution {
 public:
  /// `usual_timeout` holds when the options have none.
  Execution(const ExecuteOptions& options, Duration usual_timeout, bool in_session, Time now);

  /// The limit for the whole execution, from its beginning.
  [[nodiscard]] Duration timeout() const { return timeout_; }
  [[nodiscard]] Duration left(Time now) const;
  /// The limit for a call that begins now.
  [[nodiscard]] Duration call_limit(Time now) const;
  /// A call failed with this error. True: try again, beginning with a checkout.
  bool try_again(const Error& error, Time now);
  /// How many calls have been tried, this one included.
  [[nodiscard]] std::uint32_t tries() const { return tries_; }
  /// The last error, worded for the whole execution: with the number of tries.
  [[nodiscard]] Error conclude(Error error) const;

 private:
  ExecuteOptions options_;
  Duration timeout_;
  Time deadline_;
  bool may_move_;  ///< a further try may go to another worker
  std::uint32_t tries_ = 1;
};

}  // namespace poolproof::pool
