#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "harness/base/clock.hpp"

namespace poolproof::pool {

/// Counts spans of time by their length, in buckets of 1 us, 2 us, 4 us and so on to 134 s: each
/// has the spans that are too long for the one before. One more bucket has all that are longer.
class Histogram {
 public:
  /// The number of buckets that have a bound; the one for longer spans comes after them.
  static constexpr std::size_t kBounds = 28;
  /// The longest span that falls into that bucket. Requires: it has a bound.
  [[nodiscard]] static constexpr Duration bound(std::size_t bucket) {
    return Duration(Duration::rep{1} << bucket);
  }

  /// A span below zero counts as zero.
  constexpr void add(Duration span) {
    span = std::max(span, Duration::zero());
    const auto whole = static_cast<std::uint64_t>(span.count());
    const auto bucket = whole <= 1 ? 0 : static_cast<std::size_t>(std::bit_width(whole - 1));
    ++counts_[std::min(bucket, kBounds)];
    ++count_;
    sum_ += span;
  }

  /// The number of spans in that bucket alone; `kBounds`: of the longer ones.
  [[nodiscard]] constexpr std::uint64_t in(std::size_t bucket) const { return counts_[bucket]; }
  [[nodiscard]] constexpr std::uint64_t count() const { return count_; }
  [[nodiscard]] constexpr Duration sum() const { return sum_; }

  bool operator==(const Histogram&) const = default;

 private:
  std::array<std::uint64_t, kBounds + 1> counts_{};
  std::uint64_t count_ = 0;
  Duration sum_{};
};

/// How long clients and workers have taken since the pool began. See adds_up().
struct Timings {
  Histogram wait;   ///< from a request to its grant
  Histogram use;    ///< from a grant to the end of the lease, however it ended
  Histogram start;  ///< from the order to start a worker to its good init ping

  bool operator==(const Timings&) const = default;
};

}  // namespace poolproof::pool
