#pragma once

#include <chrono>
#include <optional>

#include "harness/base/clock.hpp"

namespace poolproof::pool {

/// Any span as pool time: rounded up; the longest one where it does not fit, and none at all if it
/// is negative.
template <class Rep, class Period>
constexpr Duration to_pool_time(std::chrono::duration<Rep, Period> span) {
  using Wide = std::chrono::duration<long double, Duration::period>;
  const Wide wide = span;
  if (!(wide < Wide(Duration::max()))) return Duration::max();
  return wide > Wide::zero() ? std::chrono::ceil<Duration>(wide) : Duration::zero();
}

/// How long something may take. Without a limit it is the time that the options give.
struct Timeout {
  std::optional<Duration> limit;

  Timeout() = default;
  // Implicit, so that a caller can write 500ms, or pass an optional of it.
  template <class Rep, class Period>
  Timeout(std::chrono::duration<Rep, Period> span) : limit(to_pool_time(span)) {}
  Timeout(std::optional<Duration> span) : limit(span) {}
};

}  // namespace poolproof::pool
