#include "harness/pool/execution.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace poolproof::pool {
namespace {

/// Whether the call failed on account of the worker, so that another one may do better.
bool is_workers_fault(const Error& error) {
  switch (error.kind) {
    case Outcome::call_timeout:
    case Outcome::worker_died:
    case Outcome::stdout_closed:
    case Outcome::stdin_closed:
    case Outcome::stale_worker:
    case Outcome::lease_over:
      return true;
    case Outcome::protocol_error:
      return error.worker.has_value();  // without a worker the call itself was at fault
    default:
      return false;
  }
}

}  // namespace

Execution::Execution(const ExecuteOptions& options, Duration usual_timeout, bool in_session,
                     Time now)
    : options_(options),
      timeout_(options.timeout.limit.value_or(usual_timeout)),
      deadline_(after(now, timeout_)),
      may_move_(!in_session || options.affinity != Affinity::strict) {}

Duration Execution::left(Time now) const {
  return deadline_ == kNever ? timeout_ : std::max(Duration::zero(), deadline_ - now);
}

Duration Execution::call_limit(Time now) const {
  return std::min(left(now), options_.try_timeout.limit.value_or(Duration::max()));
}

bool Execution::try_again(const Error& error, Time now) {
  if (!may_move_ || options_.retry == Retry::never || tries_ > options_.retries_max) return false;
  if (!is_workers_fault(error) || left(now) == Duration::zero()) return false;
  if (options_.retry == Retry::if_unread && !error.retryable) return false;
  ++tries_;
  return true;
}

Error Execution::conclude(Error error) const {
  if (tries_ > 1)
    error.message +=
        fmt::format(" (try {} of {})", tries_, std::uint64_t{options_.retries_max} + 1);
  return error;
}

}  // namespace poolproof::pool
