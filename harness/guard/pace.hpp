#pragma once

#include <algorithm>
#include <optional>

#include "harness/base/clock.hpp"

namespace poolproof::guard {

/// When to look again: often while processes come or go, otherwise seldom, and never so often that
/// looking costs more than half a percent of a processor. Pure.
class Pace {
 public:
  explicit Pace(Time begun) : begun_(begun), next_(after(begun, kShortest)) {}

  [[nodiscard]] Time next_look() const { return next_; }
  /// Whether to look at descriptors, too: they cost more to look at. True also sets the next time.
  [[nodiscard]] bool is_time_for_descriptors(Time now) {
    if (now < next_descriptors_) return false;
    next_descriptors_ = after(now, kDescriptors);
    return true;
  }
  /// Notes that a look was made; `cpu`: the processor time of this process since it began.
  void looked(Time now, Duration cpu, bool changed) {
    if (!cpu_before_) cpu_before_ = cpu;
    gap_ = changed ? kShortest : std::min(gap_ * 3 / 2, kLongest);
    const Duration allowed = kStart + (now - begun_) / kOneOf;
    const Duration used = cpu - *cpu_before_;
    const Duration debt = used > allowed ? (used - allowed) * kOneOf : Duration{};
    next_ = after(now, std::max(gap_, std::min(debt, kLongestDebt)));
  }

 private:
  static constexpr Duration kShortest = std::chrono::milliseconds(3);
  static constexpr Duration kLongest = std::chrono::milliseconds(200);
  static constexpr Duration kLongestDebt = std::chrono::seconds(5);
  static constexpr Duration kDescriptors = std::chrono::milliseconds(150);
  /// This much processor time is free, so that short programs are looked at more closely.
  static constexpr Duration kStart = std::chrono::milliseconds(25);
  static constexpr int kOneOf = 200;

  Time begun_;
  Time next_;
  Time next_descriptors_ = after(begun_, kDescriptors);
  Duration gap_ = kShortest;
  std::optional<Duration> cpu_before_;
};

}  // namespace poolproof::guard
