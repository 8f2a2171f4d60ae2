#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/host/command.hpp"
#include "harness/host/pool.hpp"
#include "harness/pool/config.hpp"
#include "harness/pool/core.hpp"
#include "harness/pool/error.hpp"
#include "harness/pool/session.hpp"
#include "harness/wire/framing.hpp"

/// What goes into a pool and comes out of it.
namespace poolproof::host {

using namespace std::chrono_literals;

/// Told of every event and of what the Core ordered on it, under the pool's mutex: be quick, call
/// nothing back.
using Observer = std::function<void(Time now, const pool::Event&, std::span<const pool::Effect>)>;

struct Options {
  pool::Config core;
  wire::Framing framing;
  Duration checkout_timeout = 5s;  ///< when checkout is given none
  Duration call_timeout = 5s;      ///< when a call is given none
  Duration close_timeout = 5s;     ///< of the destructor
  pool::OnException on_exception = pool::OnException::keep;
  bool opaque =
      false;  ///< payloads are bytes: no init ping, no shutdown request, `call_bytes` only
  /// What workers leave behind is put away at close, also a daemon in a session of its own: this
  /// process adopts orphans from now on (sys::adopt_orphans), and once its workers are gone, close
  /// kills and reaps every other process below it. Only for a process that starts nothing else, no
  /// second pool either.
  bool adopt_orphans = false;
  std::size_t stderr_tail_bytes = 4096;
  Command command;  ///< what to start; POOLPROOF_SLOT and POOLPROOF_GENERATION are added to its env
  std::function<Command(WorkerId)> command_for;  ///< instead of `command`, when workers differ
  Observer observer;
};

/// What the pool has done and how it stands, of one moment.
struct Statistics {
  pool::Counters counters;
  pool::Gauges gauges;
};

/// What a worker answered; an answer that is an error comes as Error (worker_error).
struct Reply {
  std::int64_t id = 0;                           ///< of the request, counted by worker from 1 on
  std::shared_ptr<const nlohmann::json> result;  ///< never null; any JSON value
};

/// How long something may take.
struct Timeout {
  std::optional<Duration> limit;

  Timeout() = default;
  // Whoever is told how long it may take writes 500ms, or has an optional of it.
  template <class Rep, class Period>
  Timeout(std::chrono::duration<Rep, Period> span) : limit(span) {}
  Timeout(std::optional<Duration> span) : limit(span) {}
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
