#pragma once

#include <chrono>
#include <cstdint>

namespace poolproof {

/// Pool time: microseconds since a zero that only the world knows. It has no `now()` on purpose:
/// code that decides is told the time and never asks for it (law 1).
struct PoolClock {
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<PoolClock>;
  static constexpr bool is_steady = true;
};

using Duration = PoolClock::duration;
using Time = PoolClock::time_point;

/// Later than anything that happens: "no deadline".
inline constexpr Time kNever = Time::max();

/// `at + span`. An endless span gives kNever instead of an overflow, and Time::min() ("it never
/// happened") stays Time::min().
constexpr Time after(Time at, Duration span) {
  if (span == Duration::max()) return kNever;
  return at > Time() && span >= kNever - at ? kNever : at + span;
}

/// The sum of two spans. It is endless if one of them is.
constexpr Duration plus(Duration a, Duration b) {
  const bool endless = a == Duration::max() || b >= Duration::max() - a;
  return endless ? Duration::max() : a + b;
}

/// No wait that anybody can ask for is longer than a day: it keeps every sum of times far from
/// overflow.
inline constexpr std::int64_t kLongestMs = 24LL * 60 * 60 * 1000;

constexpr std::int64_t to_ms(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace poolproof
