#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/clock.hpp"
#include "harness/base/enumerators.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/outcome.hpp"
#include "harness/pool/effect.hpp"

namespace poolproof::pool {

/// What has happened in a pool, as its user is told it. Members say for which kinds they are set.
struct PoolEvent {
  enum class Kind : std::uint8_t {
    started,   ///< a worker's process runs; it is not ready yet
    ready,     ///< a worker has answered its init ping
    left,      ///< a worker is gone, or could not be started
    leased,    ///< a client has got a worker
    returned,  ///< a lease is over, however it ended
    waited,    ///< a client that was not served at once has its answer
    leak,      ///< a lease has been held for too long; it goes on
  };

  Kind kind = Kind::started;
  Time at;                        ///< on the system's monotonic clock
  WorkerId worker;                ///< set for all kinds but waited
  LeaseId lease = LeaseId::none;  ///< set for leased, returned and leak
  Outcome outcome = Outcome::ok;  ///< waited: ok, or why it was refused
  /// left: why it had to go; none: it ended by itself, and `exit` says how.
  RemovalReason why = RemovalReason::none;
  ExitStatus exit;     ///< left: how the process ended
  int pid = 0;         ///< started: the process id
  std::string holder;  ///< leak: as Lease::set_holder has it
  /// How long it took. started, ready: since the order to start. leased, waited: since the request.
  /// returned, leak: since the grant.
  Duration took{};
};

inline constexpr auto kRemovalReasonNames = enumerator_names<RemovalReason>();
inline constexpr auto kPoolEventNames = enumerator_names<PoolEvent::Kind>();

constexpr std::string_view name(PoolEvent::Kind kind) {
  return kPoolEventNames[static_cast<std::size_t>(kind)];
}

}  // namespace poolproof::pool
