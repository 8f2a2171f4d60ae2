#include <algorithm>
#include <span>
#include <vector>

#include "harness/base/assert.hpp"
#include "harness/scenario/generate_parts.hpp"
#include "harness/scenario/pool_options.hpp"

namespace poolproof::scenario {
namespace {

/// What an option is set to: its default so many times out of so many and the number of the others.
struct OptionPalette {
  std::string_view name;
  std::uint32_t default_weight;
  std::array<std::int64_t, 8> others;
  std::uint32_t others_count;
};

template <class... Numbers>
constexpr OptionPalette row(std::string_view name, std::uint32_t default_weight,
                            Numbers... others) {
  return {name, default_weight, {others...}, sizeof...(others)};
}

// A start-up budget below 100 ms, or a frame below 256 bytes, is a pool that can never start.
constexpr std::array kPalettes{
    row("size", 5, 2, 2, 2, 2, 2, 3, 3, 4),
    row("start", 2, 1),
    row("init_mode", 5, 1),
    row("reuse", 2, 1),
    row("waiters_max", 9, 1, 2, 3),
    row("starts_max", 5, 1, 2),
    row("leaving_max", 5, 1, 2),
    row("startup_budget_ms", 8, 100, 200, 300, 500, 1000, 3000),
    row("postmortem_budget_ms", 8, 0, 1, 10, 50, 100, 1000),
    row("silence_max_ms", 8, 0, 10, 100, 1000),
    row("backoff_initial_ms", 8, 1, 10, 50, 200, 300, 500, 1000),
    row("backoff_max_ms", 6, 100, 300, 1000, 3000),
    row("backoff_jitter_percent", 2, 0, 0, 0, 50, 100),
    row("breaker_failures", 4, 1, 2, 0),
    row("breaker_open_ms", 6, 1, 10, 100, 200, 300, 1000, 3000),
    row("shutdown_grace_ms", 6, 0, 1, 10, 100, 200, 1000),
    row("stdin_grace_ms", 6, 0, 1, 10, 100, 200, 1000),
    row("term_grace_ms", 6, 0, 1, 10, 100, 200, 1000),
    row("prefix_bytes", 14, 2, 1),
    row("max_frame_bytes", 27, 256, 1000, 70'000),
    row("checkout_timeout_ms", 6, 0, 10, 100, 200, 300, 1000, 3000),
    row("call_timeout_ms", 6, 1, 10, 100, 200, 300, 1000, 3000),
    row("close_timeout_ms", 8, 0, 1, 10, 100, 300, 1000, 3000),
    row("on_exception", 2, 1),
};

struct Drawable {
  const PoolOption* option;
  const OptionPalette* palette;
};

/// The palettes beside their options, which are looked up once. The payload's kind is not drawn: it
/// decides what clients can say.
const std::vector<Drawable>& drawables() {
  static const std::vector<Drawable> all = [] {
    std::vector<Drawable> found;
    for (const PoolOption& option : pool_options()) {
      if (option.name == "payload") continue;
      const auto* const palette =
          std::find_if(kPalettes.begin(), kPalettes.end(),
                       [&](const OptionPalette& one) { return one.name == option.name; });
      POOLPROOF_ASSERT(palette != kPalettes.end());
      found.push_back({&option, palette});
    }
    return found;
  }();
  return all;
}

}  // namespace

PoolSpec generate_pool(Choices& choices) {
  PoolSpec pool;
  for (const auto& [option, palette] : drawables()) {
    const std::uint32_t chosen = choices.below(palette->default_weight + palette->others_count);
    if (chosen < palette->default_weight) continue;
    option->set(pool, palette->others[chosen - palette->default_weight]);
  }
  pool.core.backoff_max = std::max(pool.core.backoff_max, pool.core.backoff_initial);
  return pool;
}

}  // namespace poolproof::scenario
