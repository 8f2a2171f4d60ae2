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
  std::uint32_t size = 1;                ///< slots
  StartMode start = StartMode::lazy;     ///< eager: full at once and kept full
  InitMode init_mode = InitMode::async;  ///< blocking: one start at a time, and no grant meanwhile
  Reuse reuse = Reuse::last_in_first_out;  ///< which idle worker is leased next

  std::uint32_t waiters_max = 1000;     ///< clients that may wait; one more is refused at once
  std::uint32_t sessions_max = 10'000;  ///< sessions that may go on; the next one is refused
  Duration session_idle_timeout{};      ///< one that nobody used for so long is over; 0: never
  std::uint32_t starts_max = 4;         ///< starts and handshakes under way at a time
  std::uint32_t leaving_max = 16;       ///< workers told to go and not gone; when full, starts wait

  /// Whether a slot's next worker may start while the last one is still leaving. Not where each
  /// holds for itself what only one can hold: a port, a lock, a GPU.
  bool overlap = true;

  Duration startup_budget = 5s;        ///< from the order to start to the init ping's good reply
  Duration postmortem_budget = 300ms;  ///< on top, to find out why a start failed

  Duration silence_max = 5s;  ///< on top of both: then a start is given up without evidence

  Duration backoff_initial = 100ms;  ///< pause of a slot after its first failed start; doubles
  Duration backoff_max = 10s;
  std::uint32_t backoff_jitter_percent = 20;  ///< the pause is cut by up to this share, at random
  std::uint32_t breaker_failures = 3;  ///< failed starts in a row that open the breaker; 0: never
  Duration breaker_open = 5s;          ///< then one start is tried, demand or not

  Duration shutdown_grace = 500ms;  ///< from the shutdown request to the end of stdin
  Duration stdin_grace = 500ms;     ///< from the end of stdin to TERM
  Duration term_grace = 500ms;      ///< from TERM to KILL

  // Recycling: after its job, never in the middle, and one worker at a time.
  std::uint32_t max_calls = 0;  ///< after so many calls a worker is replaced; 0: never
  Duration max_lifetime = 0ms;  ///< from its good init ping; 0: without end
  std::uint32_t lifetime_jitter_percent = 20;  ///< it is cut by up to this share, at random
  /// Replaced once its process alone is seen with more resident memory than that; 0: never. It is
  /// looked at when it comes back, and while it idles each `rss_interval`.
  std::uint64_t max_rss_bytes = 0;
  Duration rss_interval = 10s;
  Duration idle_timeout = 0ms;  ///< idle for so long beyond `min_idle` it is let go; 0: never
  std::uint32_t min_idle = 0;   ///< so many are kept idle, and started ahead of demand

  Duration idle_ping_interval = 0ms;  ///< idle for so long a worker is pinged, and again; 0: never
  Duration idle_ping_budget = 1s;     ///< within it the ping must be answered well

  std::uint64_t seed = 0;  ///< of the jitter
};

/// The names by which errors call the options are those of scenario files (`startup_budget_ms`).
/// Error: the first option out of its bounds, `where` is the option's name.
Parsed<Config> checked(const Config& config);

}  // namespace poolproof::pool
