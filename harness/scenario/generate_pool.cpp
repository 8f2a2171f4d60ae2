#include <algorithm>

#include "harness/base/assert.hpp"
#include "harness/scenario/generate_parts.hpp"
#include "harness/scenario/pool_options.hpp"

namespace poolproof::scenario {
namespace {

struct FeaturePalette {
  Feature feature;
  std::string_view option;
  Palette palette;
};

/// The values that a feature gives to an option; the default weight is that of leaving the option
/// as it was drawn. Where features disagree, the later row counts.
constexpr std::array kFeaturePalettes{
    FeaturePalette{Feature::deaf_workers, "term_grace_ms", palette(1, 1000, 1000, 3000)},
    FeaturePalette{Feature::deaf_workers, "leaving_max", palette(3, 1, 2)},
    FeaturePalette{Feature::deaf_workers, "size", palette(1, 1)},
    FeaturePalette{Feature::deaf_workers, "overlap", palette(2, 0)},
    FeaturePalette{Feature::queueing, "size", palette(0, 1, 1, 2)},
    FeaturePalette{Feature::queueing, "waiters_max", palette(2, 1, 2)},
    FeaturePalette{Feature::closing, "close_timeout_ms", palette(1, 1000, 3000)},
    FeaturePalette{Feature::slow_starts, "startup_budget_ms", palette(1, 100, 200, 300)},
    FeaturePalette{Feature::slow_starts, "postmortem_budget_ms", palette(2, 50, 100, 300)},
    FeaturePalette{Feature::slow_starts, "start", palette(1, 1)},
    FeaturePalette{Feature::slow_starts, "size", palette(2, 2, 3)},
    FeaturePalette{Feature::signals, "start", palette(1, 1)},
    FeaturePalette{Feature::signals, "size", palette(1, 2)},
    FeaturePalette{Feature::signals, "init_mode", palette(1, 1)},
    FeaturePalette{Feature::farewells, "on_exception", palette(0, 1)},
    FeaturePalette{Feature::idle_moments, "size", palette(2, 2, 3)},
    FeaturePalette{Feature::idle_moments, "init_mode", palette(2, 1)},
    FeaturePalette{Feature::open_breaker, "size", palette(0, 2, 2, 3)},
    FeaturePalette{Feature::open_breaker, "start", palette(1, 1, 1)},
    FeaturePalette{Feature::open_breaker, "breaker_failures", palette(0, 1, 1, 1, 2)},
    FeaturePalette{Feature::open_breaker, "breaker_open_ms", palette(1, 300, 1000, 3000)},
    FeaturePalette{Feature::tight_start_budgets, "startup_budget_ms", palette(0, 4, 5)},
    FeaturePalette{Feature::tight_start_budgets, "size", palette(0, 2, 3, 4)},
    FeaturePalette{Feature::tight_start_budgets, "start", palette(1, 1)},
    FeaturePalette{Feature::tight_start_budgets, "backoff_initial_ms", palette(1, 1, 10)},
    FeaturePalette{Feature::tight_start_budgets, "breaker_failures", palette(1, 1, 2)},
    FeaturePalette{Feature::tight_start_budgets, "breaker_open_ms", palette(1, 10, 100)},
    FeaturePalette{Feature::tight_deadlines, "size", palette(0, 1, 1, 2)},
    FeaturePalette{Feature::tight_deadlines, "backoff_initial_ms", palette(0, 1)},
    FeaturePalette{Feature::tight_deadlines, "backoff_jitter_percent", palette(0, 100)},
    FeaturePalette{Feature::tight_deadlines, "breaker_failures", palette(1, 0)},
    FeaturePalette{Feature::sessions, "size", palette(1, 2, 2, 3)},
    FeaturePalette{Feature::sessions, "sessions_max", palette(5, 1, 2)},
    FeaturePalette{Feature::bare_bytes, "payload", palette(0, 1)},
    FeaturePalette{Feature::recycling, "size", palette(1, 2, 3)},
    FeaturePalette{Feature::recycling, "start", palette(1, 1)},
    FeaturePalette{Feature::recycling, "leaving_max", palette(3, 1, 2)},
    FeaturePalette{Feature::recycling, "max_calls", palette(2, 1, 2)},
    FeaturePalette{Feature::recycling, "max_lifetime_ms", palette(3, 100, 300)},
    FeaturePalette{Feature::recycling, "max_rss_bytes", palette(4, 1, 64'000'000)},
    FeaturePalette{Feature::recycling, "idle_timeout_ms", palette(2, 1, 10, 100)},
    FeaturePalette{Feature::recycling, "min_idle", palette(2, 1)},
};

const PoolOption& option_of(std::string_view name) {
  const auto options = pool_options();
  const auto found = std::ranges::find(options, name, &PoolOption::name);
  POOLPROOF_ASSERT(found != options.end());
  return *found;
}

void draw(Choices& choices, const PoolOption& option, const Palette& palette, PoolSpec& pool) {
  const std::uint32_t chosen = choices.below(palette.default_weight + palette.others_count);
  if (chosen < palette.default_weight) return;
  option.set(pool, palette.others[chosen - palette.default_weight]);
}

}  // namespace

PoolSpec generate_pool(Choices& choices, Features features) {
  PoolSpec pool;
  for (const PoolOption& option : pool_options()) {
    if (option.palette.others_count > 0) draw(choices, option, option.palette, pool);
  }
  for (const FeaturePalette& row : kFeaturePalettes) {
    if (features.has(row.feature)) draw(choices, option_of(row.option), row.palette, pool);
  }
  pool.core.backoff_max = std::max(pool.core.backoff_max, pool.core.backoff_initial);
  if (pool.framing.wire != wire::Wire::prefix) {
    pool.framing.prefix_bytes = wire::Framing{}.prefix_bytes;
    pool.framing.little_endian = false;
  }
  if (pool.opaque) pool.speech = wire::Speech::bridge;
  if (!pool.pings()) pool.core.idle_ping_interval = Duration::zero();
  return pool;
}

}  // namespace poolproof::scenario
