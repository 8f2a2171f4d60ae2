#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "harness/base/clock.hpp"
#include "harness/pool/config.hpp"

/// What scenario files, errors and tests know of an option; README.md says how to add one.
namespace poolproof::pool {

enum class Unit : std::uint8_t { count, milliseconds, choice, flag };

/// One option of some settings. Its default is that of the settings' member.
template <class Settings>
struct Option {
  std::string_view name;
  Unit unit = Unit::count;
  std::int64_t min = 0;  ///< the bounds, in its unit
  std::int64_t max = 0;
  /// The names of a choice: its value is an index into them.
  std::span<const std::string_view> names;
  std::int64_t (*get)(const Settings&) = nullptr;
  void (*set)(Settings&, std::int64_t) = nullptr;
  bool (*is_within)(const Settings&, std::int64_t min, std::int64_t max) = nullptr;
  /// The value in words, exactly: what get() gives is rounded, and may be of another sign.
  std::string (*words)(const Settings&) = nullptr;
};

/// `86400000.001 ms`
std::string in_ms(Duration span);

template <class Value>
std::string words_of(Value value) {
  if constexpr (std::is_same_v<Value, Duration>)
    return in_ms(value);
  else if constexpr (std::is_unsigned_v<Value>)
    return std::to_string(std::uint64_t{value});
  else
    return std::to_string(static_cast<std::int64_t>(value));
}

template <class Value>
constexpr std::int64_t in_unit(Value value) {
  if constexpr (std::is_same_v<Value, Duration>) return to_ms(value);
  if constexpr (!std::is_same_v<Value, Duration>) return static_cast<std::int64_t>(value);
}

template <class Value>
constexpr Value from_unit(std::int64_t number) {
  if constexpr (std::is_same_v<Value, Duration>) return std::chrono::milliseconds(number);
  if constexpr (!std::is_same_v<Value, Duration>) return static_cast<Value>(number);
}

/// The class that the first of these members belongs to.
template <class Settings, class Member, class... Others>
Settings settings_of(Member Settings::*first, Others... others);

/// The row of the member at the end of a path: `option<&Config::size>("size", 1, 100'000)`.
template <auto... path>
constexpr auto option(std::string_view name, std::int64_t min, std::int64_t max,
                      std::span<const std::string_view> names = {}) {
  using Settings = decltype(settings_of(path...));
  using Value = std::remove_cvref_t<decltype((std::declval<Settings&>().*....*path))>;
  constexpr bool kIsSpan = std::is_same_v<Value, Duration>;
  constexpr bool kIsFlag = std::is_same_v<Value, bool>;
  return Option<Settings>{name,
                          kIsSpan          ? Unit::milliseconds
                          : !names.empty() ? Unit::choice
                          : kIsFlag        ? Unit::flag
                                           : Unit::count,
                          min,
                          max,
                          names,
                          [](const Settings& settings) { return in_unit((settings.*....*path)); },
                          [](Settings& settings, std::int64_t number) {
                            (settings.*....*path) = from_unit<Value>(number);
                          },
                          [](const Settings& settings, std::int64_t least, std::int64_t most) {
                            const Value value = (settings.*....*path);
                            return value >= from_unit<Value>(least) &&
                                   value <= from_unit<Value>(most);
                          },
                          [](const Settings& settings) { return words_of((settings.*....*path)); }};
}

template <auto... path>
constexpr auto choice(std::string_view name, std::span<const std::string_view> names) {
  return option<path...>(name, 0, static_cast<std::int64_t>(names.size()) - 1, names);
}

inline constexpr std::array<std::string_view, 2> kStartModeNames{"lazy", "eager"};
inline constexpr std::array<std::string_view, 2> kInitModeNames{"async", "blocking"};
inline constexpr std::array<std::string_view, 2> kReuseNames{"lifo", "fifo"};
inline constexpr std::array<std::string_view, 2> kOnExceptionNames{"keep", "discard"};

/// All options that the Core decides by, but for the seed.
inline constexpr std::array kOptions{
    option<&Config::size>("size", 1, 100'000),
    choice<&Config::start>("start", kStartModeNames),
    choice<&Config::init_mode>("init_mode", kInitModeNames),
    choice<&Config::reuse>("reuse", kReuseNames),
    option<&Config::waiters_max>("waiters_max", 1, 10'000'000),
    option<&Config::sessions_max>("sessions_max", 1, 1'000'000),
    option<&Config::session_idle_timeout>("session_idle_timeout_ms", 0, kLongestMs),
    option<&Config::starts_max>("starts_max", 1, 100'000),
    option<&Config::leaving_max>("leaving_max", 1, 100'000),
    option<&Config::overlap>("overlap", 0, 1),
    option<&Config::startup_budget>("startup_budget_ms", 1, kLongestMs),
    option<&Config::postmortem_budget>("postmortem_budget_ms", 0, kLongestMs),
    option<&Config::silence_max>("silence_max_ms", 0, kLongestMs),
    option<&Config::backoff_initial>("backoff_initial_ms", 1, kLongestMs),
    option<&Config::backoff_max>("backoff_max_ms", 1, kLongestMs),
    option<&Config::backoff_jitter_percent>("backoff_jitter_percent", 0, 100),
    option<&Config::breaker_failures>("breaker_failures", 0, 1'000'000),
    option<&Config::breaker_open>("breaker_open_ms", 1, kLongestMs),
    option<&Config::shutdown_grace>("shutdown_grace_ms", 0, kLongestMs),
    option<&Config::stdin_grace>("stdin_grace_ms", 0, kLongestMs),
    option<&Config::term_grace>("term_grace_ms", 0, kLongestMs),
    option<&Config::max_calls>("max_calls", 0, 1'000'000'000),
    option<&Config::max_lifetime>("max_lifetime_ms", 0, kLongestMs),
    option<&Config::lifetime_jitter_percent>("lifetime_jitter_percent", 0, 100),
    option<&Config::max_rss_bytes>("max_rss_bytes", 0, 1'000'000'000'000'000),
    option<&Config::rss_interval>("rss_interval_ms", 1, kLongestMs),
    option<&Config::idle_timeout>("idle_timeout_ms", 0, kLongestMs),
    option<&Config::min_idle>("min_idle", 0, 100'000),
    option<&Config::idle_ping_interval>("idle_ping_interval_ms", 0, kLongestMs),
    option<&Config::idle_ping_budget>("idle_ping_budget_ms", 1, kLongestMs),
};

}  // namespace poolproof::pool
