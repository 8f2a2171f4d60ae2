#pragma once

#include <optional>
#include <string>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/outcome.hpp"
#include "harness/base/result.hpp"

namespace poolproof::pool {

/// Why a checkout or a call did not succeed: what happened, where, and what a person needs to know
/// about it.
struct Error {
  Outcome kind = Outcome::ok;
  Phase phase = Phase::none;
  /// Set for start_failed, and for checkout_timeout where starts are the reason.
  StartCause cause = StartCause::none;
  std::string message;  ///< one paragraph, safe on a terminal
  std::optional<WorkerId> worker;
  ExitStatus exit;          ///< how the process ended, where that is the reason
  std::string stderr_tail;  ///< the last bytes of the worker's stderr, raw
  std::string first_bytes;  ///< the first bytes of what could not be parsed, raw
  /// call_timeout: the limit that was over. A refused checkout: how long the client had waited.
  std::optional<Duration> after;
  bool truncated = false;  ///< protocol_error: the worker's output ended within a frame
  /// Nothing of the request had reached the worker: it is safe to ask again, and may be of use.
  bool retryable = false;
};

template <class T>
using Result = Expected<T, Error>;

}  // namespace poolproof::pool
