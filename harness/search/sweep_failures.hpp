#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/search/sweep.hpp"
#include "harness/search/sweep_job.hpp"

namespace poolproof::search {

/// The failures that a sweep has found, one for each signature.
class SweepFailures {
 public:
  explicit SweepFailures(std::uint64_t sweep_seed) : sweep_seed_(sweep_seed) {}

  /// Takes over what an earlier run of the sweep has found.
  void go_on_from(const std::vector<Failure>& before);
  /// Keeps a failure: the first of its kind, and some more as examples. Does not count it.
  void note(const JobFailure& failure);
  /// Counts failures that were noted.
  void count(const std::map<std::string, std::uint64_t>& times);

  [[nodiscard]] bool none() const { return found_.empty(); }
  /// All failures, sorted by their first number.
  [[nodiscard]] std::vector<Failure> list() const;
  [[nodiscard]] std::vector<Failure*> to_shrink();

 private:
  std::uint64_t sweep_seed_;
  std::map<std::string, Failure> found_;
};

}  // namespace poolproof::search
