#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/base/clock.hpp"
#include "harness/base/enumerators.hpp"
#include "harness/pool/error.hpp"
#include "harness/pool/session.hpp"

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
  /// Over all of it: queue, start, call, and every further try. Nothing: as the pool has it.
  std::optional<Duration> timeout{};
  /// Of one call; nothing: as long as there is time.
  std::optional<Duration> try_timeout{};
  Affinity affinity = Affinity::strict;  ///< in a session
  WhenBusy when_busy = WhenBusy::wait;   ///< in a strict session
  Retry retry = Retry::never;
  std::uint32_t retries_max = 2;  ///< further tries
};

/// One execution under way: how much time is left for what, and whether there is another try. Both
/// worlds go by it.
class Execution {
 public:
  /// `usual_timeout`: when the options have none.
  Execution(const ExecuteOptions& options, Duration usual_timeout, bool in_session, Time now);

  /// Of the whole, from its begin.
  [[nodiscard]] Duration timeout() const { return timeout_; }
  [[nodiscard]] Duration left(Time now) const;
  /// Of a call that begins now.
  [[nodiscard]] Duration call_limit(Time now) const;
  /// The call failed so. True: it is to be tried again, beginning with a checkout.
  bool try_again(const Error& error, Time now);
  /// So many calls have been begun and failed with another try, and this one.
  [[nodiscard]] std::uint32_t tries() const { return tries_; }
  /// The last error as it is told of the whole.
  [[nodiscard]] Error conclude(Error error) const;

 private:
  ExecuteOptions options_;
  Duration timeout_;
  Time deadline_;
  bool may_move_;  ///< another worker will do
  std::uint32_t tries_ = 1;
};

}  // namespace poolproof::pool
