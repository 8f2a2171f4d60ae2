#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/host/command.hpp"
#include "harness/host/pool.hpp"
#include "harness/pool/config.hpp"
#include "harness/pool/core.hpp"
#include "harness/pool/error.hpp"
#include "harness/pool/histogram.hpp"
#include "harness/pool/pool_event.hpp"
#include "harness/pool/session.hpp"
#include "harness/pool/timeout.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/speech_name.hpp"

/// What goes into a pool and comes out of it.
namespace poolproof::host {

using namespace std::chrono_literals;
using pool::PoolEvent;

/// Called with every event and what the Core ordered on it, under the pool's mutex: it must be
/// quick, and must not call the pool.
using Observer = std::function<void(Time now, const pool::Event&, std::span<const pool::Effect>)>;

struct Options {
  pool::Config core;
  wire::Framing framing;
  Duration checkout_timeout = 5s;  ///< for a checkout that is given none
  Duration call_timeout = 5s;      ///< for a call that is given none
  Duration close_timeout = 5s;     ///< for a close that is given none, and the destructor
  pool::OnException on_exception = pool::OnException::keep;
  bool opaque =
      false;  ///< payloads are bytes: no init ping, no shutdown request, `call_bytes` only
  wire::Speech speech = wire::Speech::bridge;  ///< protocol of the payloads, unless they are opaque
  /// What workers leave behind is put away at close, also a daemon in a session of its own: this
  /// process adopts orphans from now on (sys::adopt_orphans), and once its workers are gone, close
  /// kills and reaps every other process below it. Only for a process that starts nothing else, no
  /// second pool either.
  bool adopt_orphans = false;
  std::size_t stderr_tail_bytes = 4096;
  Command command;  ///< what to start; POOLPROOF_SLOT and POOLPROOF_GENERATION are set in its env
  /// Instead of `command`, when workers differ. Called by the pool's own thread, outside of the
  /// pool's mutex; the start has failed if it throws.
  std::function<Command(WorkerId)> command_for;
  Observer observer;
  /// A lease held for longer than this is a leak: Statistics and `on_event` tell of it, and nothing
  /// else comes of it. 0: none is.
  Duration leak_after{};
  /// Told what happens, one thing after another, soon after it has happened, by the pool's own
  /// thread and outside of the pool's mutex: it may ask the pool for its statistics. It must not
  /// throw, nor wait for the pool (checkout, close, wait_until_quiescent), and be quick: meanwhile
  /// no worker is greeted, watched or reaped. While it has 10,000 events before it, further ones
  /// are lost, and counted.
  std::function<void(const PoolEvent&)> on_event;
};

/// A lease that has been held for longer than Options::leak_after.
struct Leak {
  LeaseId lease = LeaseId::none;
  WorkerId worker;
  std::string holder;  ///< as Lease::set_holder has it; raw
  Time since;          ///< when it was granted, on the system's monotonic clock
  Duration held{};     ///< how long it has been held so far
};

/// What the pool has done and how it stands, both at one moment.
struct Statistics {
  pool::Counters counters;
  pool::Gauges gauges;
  /// How long clients waited, leases were held and workers took to start. Where nobody waits and
  /// nothing has a deadline a lease's begin and end are noted to a tick of the kernel's (1 to 4 ms,
  /// never later than it was), so that sums are right and single short ones are not; exact with
  /// `on_event`, `leak_after` or an observer.
  pool::Timings timings;
  std::vector<Leak> leaks;        ///< the longest held first
  std::uint64_t events_lost = 0;  ///< events that Options::on_event was too slow for
};

/// What a worker answered; an answer that is an error comes as Error (worker_error).
struct Reply {
  /// Number of the request, from 1 on for each worker.
  std::int64_t id = 0;
  std::shared_ptr<const nlohmann::json> result;  ///< never null; any JSON value
};

/// Asks a call or checkout to give up.
struct Cancellation {
  const std::stop_token& token;

  Cancellation(const std::stop_token& stop) : token(stop) {}
};

/// A pool, or the option that is out of bounds.
struct Opened : Parsed<std::unique_ptr<Pool>> {
  using Parsed<std::unique_ptr<Pool>>::expected;
};

}  // namespace poolproof::host
