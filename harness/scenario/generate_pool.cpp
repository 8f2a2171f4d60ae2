#include <algorithm>

#include "harness/base/assert.hpp"
#include "harness/scenario/generate_parts.hpp"
#include "harness/scenario/pool_options.hpp"

namespace poolproof::scenario {
namespace {

struct ThemePalette {
  Theme theme;
  std::string_view option;
  Palette palette;
};

/// What a theme makes of an option; its default weight is that of leaving it as it was drawn. Where
/// themes disagree, the later row has its way.
constexpr std::array kThemePalettes{
    ThemePalette{Theme::deaf_workers, "term_grace_ms", palette(1, 1000, 1000, 3000)},
    ThemePalette{Theme::deaf_workers, "leaving_max", palette(3, 1, 2)},
    ThemePalette{Theme::deaf_workers, "size", palette(1, 1)},
    ThemePalette{Theme::queueing, "size", palette(0, 1, 1, 2)},
    ThemePalette{Theme::queueing, "waiters_max", palette(2, 1, 2)},
    ThemePalette{Theme::closing, "close_timeout_ms", palette(1, 1000, 3000)},
    ThemePalette{Theme::slow_starts, "startup_budget_ms", palette(1, 100, 200, 300)},
    ThemePalette{Theme::slow_starts, "postmortem_budget_ms", palette(2, 50, 100, 300)},
    ThemePalette{Theme::slow_starts, "start", palette(1, 1)},
    ThemePalette{Theme::slow_starts, "size", palette(2, 2, 3)},
    ThemePalette{Theme::signals, "start", palette(1, 1)},
    ThemePalette{Theme::signals, "size", palette(1, 2)},
    ThemePalette{Theme::signals, "init_mode", palette(1, 1)},
    ThemePalette{Theme::farewells, "on_exception", palette(0, 1)},
    ThemePalette{Theme::idle_moments, "size", palette(2, 2, 3)},
    ThemePalette{Theme::idle_moments, "init_mode", palette(2, 1)},
    ThemePalette{Theme::open_breaker, "size", palette(0, 2, 2, 3)},
    ThemePalette{Theme::open_breaker, "start", palette(1, 1, 1)},
    ThemePalette{Theme::open_breaker, "breaker_failures", palette(0, 1, 1, 1, 2)},
    ThemePalette{Theme::open_breaker, "breaker_open_ms", palette(1, 300, 1000, 3000)},
    ThemePalette{Theme::hasty_starts, "startup_budget_ms", palette(0, 4, 5)},
    ThemePalette{Theme::hasty_starts, "size", palette(0, 2, 3, 4)},
    ThemePalette{Theme::hasty_starts, "start", palette(1, 1)},
    ThemePalette{Theme::hasty_starts, "backoff_initial_ms", palette(1, 1, 10)},
    ThemePalette{Theme::hasty_starts, "breaker_failures", palette(1, 1, 2)},
    ThemePalette{Theme::hasty_starts, "breaker_open_ms", palette(1, 10, 100)},
    ThemePalette{Theme::photo_finish, "size", palette(0, 1, 1, 2)},
    ThemePalette{Theme::photo_finish, "backoff_initial_ms", palette(0, 1)},
    ThemePalette{Theme::photo_finish, "backoff_jitter_percent", palette(0, 100)},
    ThemePalette{Theme::photo_finish, "breaker_failures", palette(1, 0)},
    ThemePalette{Theme::bare_bytes, "payload", palette(0, 1)},
};

const PoolOption& option_of(std::string_view name) {
  const auto options = pool_options();
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const PoolOption& one) { return one.name == name; });
  POOLPROOF_ASSERT(found != options.end());
  return *found;
}

void draw(Choices& choices, const PoolOption& option, const Palette& palette, PoolSpec& pool) {
  const std::uint32_t chosen = choices.below(palette.default_weight + palette.others_count);
  if (chosen < palette.default_weight) return;
  option.set(pool, palette.others[chosen - palette.default_weight]);
}

/// The options of the themes' palettes, looked up once.
const std::array<const PoolOption*, kThemePalettes.size()>& theme_options() {
  static const auto all = [] {
    std::array<const PoolOption*, kThemePalettes.size()> found{};
    for (std::size_t i = 0; i < found.size(); ++i) {
      found[i] = &option_of(kThemePalettes[i].option);
    }
    return found;
  }();
  return all;
}

}  // namespace

PoolSpec generate_pool(Choices& choices, Themes themes) {
  PoolSpec pool;
  for (const PoolOption& option : pool_options()) {
    if (option.palette.others_count > 0) draw(choices, option, option.palette, pool);
  }
  const auto& options = theme_options();
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (!themes.has(kThemePalettes[i].theme)) continue;
    draw(choices, *options[i], kThemePalettes[i].palette, pool);
  }
  pool.core.backoff_max = std::max(pool.core.backoff_max, pool.core.backoff_initial);
  return pool;
}

}  // namespace poolproof::scenario
