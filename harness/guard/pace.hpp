#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "harness/base/clock.hpp"

namespace poolproof::guard {

/// When to look again: often while processes come or go, otherwise seldom, and never so often that
/// looking costs more than half a percent of a processor, and what is free besides: a little at the
/// start, and once a reserve for times in which many processes come and go. Pure.
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
  /// Notes that a look was made; `cpu`: the processor time of this process since it began;
  /// `changes`: how many processes have come or gone since the last look.
  void looked(Time now, Duration cpu, std::size_t changes) {
    if (!cpu_before_) cpu_before_ = cpu;
    count(now, changes);
    gap_ = changes > 0 ? kShortest : std::min(gap_ * 3 / 2, kLongest);
    const Duration allowed = kStart + (now - begun_) / kOneOf + taken_;
    Duration over = std::max(cpu - *cpu_before_ - allowed, Duration{});
    if (over > Duration{} && changes_ + changes_before_ >= kManyChanges) {
      const Duration more = std::min(over, kReserve - taken_);
      taken_ += more;
      over -= more;
      gap_ = std::max(gap_, kFrugal);
    }
    next_ = after(now, std::max(gap_, std::min(over * kOneOf, kLongestDebt)));
  }

 private:
  /// Counts changes by windows of time: the one that lasts, and the one before it.
  void count(Time now, std::size_t changes) {
    if (now - window_ >= kWindow) {
      changes_before_ = now - window_ < 2 * kWindow ? changes_ : 0;
      changes_ = 0;
      window_ = now;
    }
    changes_ += changes;
  }

  static constexpr Duration kShortest = std::chrono::milliseconds(3);
  static constexpr Duration kLongest = std::chrono::milliseconds(200);
  static constexpr Duration kLongestDebt = std::chrono::seconds(5);
  static constexpr Duration kDescriptors = std::chrono::milliseconds(150);
  /// This much processor time is free, so that short programs are looked at more closely.
  static constexpr Duration kStart = std::chrono::milliseconds(25);
  static constexpr int kOneOf = 200;
  /// This much more is free, once, for times in which so many processes come or go.
  static constexpr Duration kReserve = std::chrono::milliseconds(150);
  static constexpr std::size_t kManyChanges = 20;
  static constexpr Duration kWindow = std::chrono::seconds(1);
  /// How long the reserve lets a look wait: most processes live for longer.
  static constexpr Duration kFrugal = std::chrono::milliseconds(8);

  Time begun_;
  Time next_;
  Time next_descriptors_ = after(begun_, kDescriptors);
  Duration gap_ = kShortest;
  std::optional<Duration> cpu_before_;
  Duration taken_{};  ///< of the reserve
  Time window_ = begun_;
  std::size_t changes_ = 0;
  std::size_t changes_before_ = 0;
};

}  // namespace poolproof::guard
