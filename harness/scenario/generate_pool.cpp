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

struct ThemePalette {
  Theme theme;
  OptionPalette palette;
};

/// What a theme makes of an option; its default weight is that of leaving it as it was drawn. Where
/// themes disagree, the later row has its way.
constexpr std::array kThemePalettes{
    ThemePalette{Theme::deaf_workers, row("term_grace_ms", 1, 1000, 1000, 3000)},
    ThemePalette{Theme::deaf_workers, row("leaving_max", 3, 1, 2)},
    ThemePalette{Theme::deaf_workers, row("size", 1, 1)},
    ThemePalette{Theme::queueing, row("size", 0, 1, 1, 2)},
    ThemePalette{Theme::queueing, row("waiters_max", 2, 1, 2)},
    ThemePalette{Theme::closing, row("close_timeout_ms", 1, 1000, 3000)},
    ThemePalette{Theme::slow_starts, row("startup_budget_ms", 1, 100, 200, 300)},
    ThemePalette{Theme::slow_starts, row("postmortem_budget_ms", 2, 50, 100, 300)},
    ThemePalette{Theme::slow_starts, row("start", 1, 1)},
    ThemePalette{Theme::slow_starts, row("size", 2, 2, 3)},
    ThemePalette{Theme::signals, row("start", 1, 1)},
    ThemePalette{Theme::signals, row("size", 1, 2)},
    ThemePalette{Theme::signals, row("init_mode", 1, 1)},
    ThemePalette{Theme::farewells, row("on_exception", 0, 1)},
    ThemePalette{Theme::idle_moments, row("size", 2, 2, 3)},
    ThemePalette{Theme::idle_moments, row("init_mode", 2, 1)},
    ThemePalette{Theme::open_breaker, row("size", 0, 2, 2, 3)},
    ThemePalette{Theme::open_breaker, row("start", 1, 1, 1)},
    ThemePalette{Theme::open_breaker, row("breaker_failures", 0, 1, 1, 1, 2)},
    ThemePalette{Theme::open_breaker, row("breaker_open_ms", 1, 300, 1000, 3000)},
    ThemePalette{Theme::hasty_starts, row("startup_budget_ms", 0, 4, 5)},
    ThemePalette{Theme::hasty_starts, row("size", 0, 2, 3, 4)},
    ThemePalette{Theme::hasty_starts, row("start", 1, 1)},
    ThemePalette{Theme::hasty_starts, row("backoff_initial_ms", 1, 1, 10)},
    ThemePalette{Theme::hasty_starts, row("breaker_failures", 1, 1, 2)},
    ThemePalette{Theme::hasty_starts, row("breaker_open_ms", 1, 10, 100)},
    ThemePalette{Theme::photo_finish, row("size", 0, 1, 1, 2)},
    ThemePalette{Theme::photo_finish, row("backoff_initial_ms", 0, 1)},
    ThemePalette{Theme::photo_finish, row("backoff_jitter_percent", 0, 100)},
    ThemePalette{Theme::photo_finish, row("breaker_failures", 1, 0)},
    ThemePalette{Theme::bare_bytes, row("payload", 0, 1)},
};

struct Drawable {
  const PoolOption* option;
  const OptionPalette* palette;
};

const PoolOption& option_of(std::string_view name) {
  const auto options = pool_options();
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const PoolOption& one) { return one.name == name; });
  POOLPROOF_ASSERT(found != options.end());
  return *found;
}

void draw(Choices& choices, const PoolOption& option, const OptionPalette& palette,
          PoolSpec& pool) {
  const std::uint32_t chosen = choices.below(palette.default_weight + palette.others_count);
  if (chosen < palette.default_weight) return;
  option.set(pool, palette.others[chosen - palette.default_weight]);
}

/// The palettes beside their options, which are looked up once. The payload's kind is a theme's
/// business: it decides what clients can say.
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

const std::array<const PoolOption*, kThemePalettes.size()>& theme_options() {
  static const auto all = [] {
    std::array<const PoolOption*, kThemePalettes.size()> found{};
    for (std::size_t i = 0; i < found.size(); ++i) {
      found[i] = &option_of(kThemePalettes[i].palette.name);
    }
    return found;
  }();
  return all;
}

}  // namespace

PoolSpec generate_pool(Choices& choices, Themes themes) {
  PoolSpec pool;
  for (const auto& [option, palette] : drawables()) draw(choices, *option, *palette, pool);
  const auto& options = theme_options();
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (!themes.has(kThemePalettes[i].theme)) continue;
    draw(choices, *options[i], kThemePalettes[i].palette, pool);
  }
  pool.core.backoff_max = std::max(pool.core.backoff_max, pool.core.backoff_initial);
  return pool;
}

}  // namespace poolproof::scenario
