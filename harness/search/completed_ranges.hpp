#pragma once

#include <cstdint>
#include <vector>

namespace poolproof::search {

/// Which cases of a sweep have been carried out: all below `next()`, and some stretches above it,
/// which other processes finished while the lowest case was still under way.
class CompletedRanges {
 public:
  /// The numbers from `from` up to, but not including, `to`.
  struct Range {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    bool operator==(const Range&) const = default;
  };

  /// Adds a stretch. It may overlap what is there already.
  void add(Range fresh);
  [[nodiscard]] bool has(std::uint64_t number) const;
  [[nodiscard]] bool has_all(Range some) const;

  /// The lowest number that has not been done.
  [[nodiscard]] std::uint64_t next() const { return next_; }
  /// Sorted. No stretch is empty, and there is a gap before each.
  [[nodiscard]] const std::vector<Range>& above_next() const { return above_next_; }
  bool operator==(const CompletedRanges&) const = default;

 private:
  std::uint64_t next_ = 0;
  std::vector<Range> above_next_;  ///< at most one or two for each process of the sweep
};

}  // namespace poolproof::search
