#include "harness/scenario/generate_parts.hpp"

namespace poolproof::scenario {
namespace {

/// Nearly half of all storms have none: what nobody thought of comes up there.
constexpr std::array<Weighted<std::uint32_t>, 4> kCounts{{{0, 8}, {1, 6}, {2, 5}, {3, 3}}};
/// Large frames cost ten times the work of all else.
constexpr std::array<Weighted<Theme>, kThemes> kChances{{{Theme::deaf_workers, 13},
                                                         {Theme::open_breaker, 7},
                                                         {Theme::closing, 6},
                                                         {Theme::queueing, 5},
                                                         {Theme::slow_starts, 5},
                                                         {Theme::hasty_starts, 3},
                                                         {Theme::signals, 4},
                                                         {Theme::farewells, 3},
                                                         {Theme::idle_moments, 5},
                                                         {Theme::photo_finish, 5},
                                                         {Theme::bare_bytes, 3},
                                                         {Theme::large_frames, 1}}};

/// The one brings the other along.
struct Pair {
  Theme theme;
  Theme with;
  std::uint32_t one_in;
};
constexpr std::array kPairs{
    Pair{Theme::bare_bytes, Theme::closing, 3},
    Pair{Theme::bare_bytes, Theme::deaf_workers, 3},
    Pair{Theme::bare_bytes, Theme::open_breaker, 2},
    Pair{Theme::bare_bytes, Theme::hasty_starts, 2},
    Pair{Theme::farewells, Theme::deaf_workers, 2},
    Pair{Theme::farewells, Theme::closing, 3},
    Pair{Theme::farewells, Theme::open_breaker, 3},
    Pair{Theme::deaf_workers, Theme::open_breaker, 3},
};

}  // namespace

Themes generate_themes(Choices& choices) {
  Themes themes;
  const std::uint32_t count = pick(choices, kCounts);
  for (std::uint32_t i = 0; i < count; ++i) themes.add(pick(choices, kChances));
  // Too rare to be met together by chance.
  for (const Pair& pair : kPairs) {
    if (themes.has(pair.theme) && choices.one_in(pair.one_in)) themes.add(pair.with);
  }
  return themes;
}

}  // namespace poolproof::scenario
