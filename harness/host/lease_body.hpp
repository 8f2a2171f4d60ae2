#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "harness/host/pool.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/pool/held_lease.hpp"
#include "harness/wire/conversation.hpp"

namespace poolproof::host {

class PoolState;

/// What the pool has granted, for a lease that takes it over: `held` is empty afterwards.
struct Lease::Granted {
  pool::HeldLease& held;
};

/// The parts of a lease.
struct Lease::Body {
  explicit Body(Granted granted);

  Result<wire::CallResult> converse(const pool::CallSpec& call, const std::string& message,
                                    const std::stop_token& stop);
  [[nodiscard]] Duration limit_of(const Timeout& timeout) const;
  bool end(bool clean);
  /// Whether a holder that leaves by an exception gives the worker back as if there were none.
  [[nodiscard]] bool keeps_at_exceptions() const;

  /// The worker's pool. Null: there is no worker, since the lease was never granted, has moved away
  /// or was given back.
  [[nodiscard]] PoolState* pool() const;

  pool::HeldLease held;
  int exceptions = 0;  ///< exceptions under way at the grant, if they matter
  std::uint64_t written_bytes = 0;
  bool in_doubt = false;
};

}  // namespace poolproof::host
