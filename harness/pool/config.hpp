#pragma once

#include <cstdint>
#include <string>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"

namespace poolproof::pool {

using namespace std::chrono_literals;

enum class StartMode : std::uint8_t { lazy, eager };
enum class InitMode : std::uint8_t { async, blocking };
enum class Reuse : std::uint8_t { last_in_first_out, first_in_first_out };
enum class OnException : std::uint8_t { keep, discard };

/// Everything the Core decides by. Every queue, retry and wait has its bound here.
struct Config {
  std::uint32_t size = 1;                ///< the number of slots, each for one worker
  StartMode start = StartMode::lazy;     ///< eager: all slots are started at once and kept full
  InitMode init_mode = InitMode::async;  ///< blocking: one start at a time, and no grant meanwhile
  Reuse reuse = Reuse::last_in_first_out;  ///< which idle worker is leased next

  std::uint32_t waiters_max = 1000;     ///< clients that may wait; one more is refused at once
  std::uint32_t sessions_max = 10'000;  ///< sessions that may go on at a time; one more is refused
  /// A session that nobody used for so long is over; 0: never.
  Duration session_idle_timeout{};
  std::uint32_t starts_max = 4;  ///< starts and handshakes under way at a time
  /// Workers told to go and not yet gone; when so many, starts wait.
  std::uint32_t leaving_max = 16;

  /// Whether a slot's next worker may start while the last one is still leaving. False is for
  /// workers that hold what only one can hold: a port, a lock, a GPU.
  bool overlap = true;

  Duration startup_budget = 5s;        ///< from the order to start to the init ping's good reply
  Duration postmortem_budget = 300ms;  ///< time on top of it, to find out why a start failed

  /// Time on top of both, after which a start is given up without evidence.
  Duration silence_max = 5s;

  Duration backoff_initial = 100ms;  ///< pause of a slot after its first failed start; doubles
  Duration backoff_max = 10s;
  std::uint32_t backoff_jitter_percent = 20;  ///< the pause is cut by up to this share, at random
  std::uint32_t breaker_failures = 3;  ///< failed starts in a row that open the breaker; 0: never
  /// How long the breaker is open; then one start is tried, demand or not.
  Duration breaker_open = 5s;

  Duration shutdown_grace = 500ms;  ///< from the shutdown request to the end of stdin
  Duration stdin_grace = 500ms;     ///< from the end of stdin to TERM
  Duration term_grace = 500ms;      ///< from TERM to KILL

  // Recycling: a worker is replaced after a lease, never in the middle of one, and one at a time.
  std::uint32_t max_calls = 0;  ///< after so many calls a worker is replaced; 0: never
  /// How long a worker lives after its good init ping; 0: without end.
  Duration max_lifetime = 0ms;
  /// The lifetime is cut by up to this share, at random.
  std::uint32_t lifetime_jitter_percent = 20;
  /// A worker is replaced once its process alone is seen with more resident memory than that; 0:
  /// never. It is measured at each check-in, and each `rss_interval` while it is idle.
  std::uint64_t max_rss_bytes = 0;
  Duration rss_interval = 10s;
  /// A worker idle for so long is let go, if more than `min_idle` are; 0: never.
  Duration idle_timeout = 0ms;
  std::uint32_t min_idle = 0;  ///< so many workers are kept idle, started ahead of demand

  /// A worker idle for so long is pinged, and again after each such time; 0: never. Only where the
  /// speech has a ping: bridge and mcp.
  Duration idle_ping_interval = 0ms;
  Duration idle_ping_budget = 1s;  ///< the time in which a worker must answer that ping well

  std::uint64_t seed = 0;  ///< the seed of the random jitter
};

/// The names by which errors call the options are those of scenario files (`startup_budget_ms`).
/// Error: the first option out of its bounds, `where` is the option's name.
Parsed<Config> checked(const Config& config);

}  // namespace poolproof::pool
