#include "harness/pool/config.hpp"

#include <fmt/format.h>

namespace poolproof::pool {
namespace {

/// No wait of a pool is longer than a day: it keeps every sum of times far from overflow.
constexpr Duration kLongest = 24h;

struct CountBound {
  const char* name;
  std::uint32_t value, min, max;
};
struct SpanBound {
  const char* name;
  Duration value, min;
};

}  // namespace

Parsed<Config> checked(const Config& config) {
  const CountBound counts[] = {
      {"size", config.size, 1, 100'000},
      {"waiters_max", config.waiters_max, 1, 10'000'000},
      {"starts_max", config.starts_max, 1, 100'000},
      {"leaving_max", config.leaving_max, 1, 100'000},
      {"backoff_jitter_percent", config.backoff_jitter_percent, 0, 100},
      {"breaker_failures", config.breaker_failures, 0, 1'000'000},
  };
  for (const auto& [name, value, min, max] : counts) {
    if (value >= min && value <= max) continue;
    return unexpected(
        InputError{name, fmt::format("is {}", value), fmt::format("{} to {}", min, max)});
  }
  const SpanBound spans[] = {
      {"startup_budget_ms", config.startup_budget, 1ms},
      {"postmortem_budget_ms", config.postmortem_budget, 0ms},
      {"silence_max_ms", config.silence_max, 0ms},
      {"backoff_initial_ms", config.backoff_initial, 1ms},
      {"backoff_max_ms", config.backoff_max, config.backoff_initial},
      {"breaker_open_ms", config.breaker_open, 1ms},
      {"shutdown_grace_ms", config.shutdown_grace, 0ms},
      {"stdin_grace_ms", config.stdin_grace, 0ms},
      {"term_grace_ms", config.term_grace, 0ms},
  };
  for (const auto& [name, value, min] : spans) {
    if (value >= min && value <= kLongest) continue;
    return unexpected(InputError{name, fmt::format("is {} ms", to_ms(value)),
                                 fmt::format("{} to {} ms", to_ms(min), to_ms(kLongest))});
  }
  return config;
}

}  // namespace poolproof::pool
