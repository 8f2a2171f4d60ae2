#pragma once

#include <cstdint>
#include <vector>

namespace poolproof::search {

/// Which cases of a sweep have been carried out: all below `next()`, and some stretches above it,
/// which other processes had ended while the lowest was still under way.
class DoneNumbers {
 public:
  /// From `from` to before `to`.
  struct Stretch {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    bool operator==(const Stretch&) const = default;
  };

  /// What is there already may be added again.
  void add(Stretch fresh);
  [[nodiscard]] bool has(std::uint64_t number) const;
  [[nodiscard]] bool has_all(Stretch some) const;

  /// The lowest that is not done.
  [[nodiscard]] std::uint64_t next() const { return next_; }
  /// Sorted, none empty, a hole before each.
  [[nodiscard]] const std::vector<Stretch>& apart() const { return apart_; }
  bool operator==(const DoneNumbers&) const = default;

 private:
  std::uint64_t next_ = 0;
  std::vector<Stretch> apart_;  ///< at most one or two a process of the sweep
};

}  // namespace poolproof::search
