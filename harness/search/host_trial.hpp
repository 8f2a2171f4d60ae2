#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "harness/base/clock.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/search/shrink_failure.hpp"

namespace poolproof::search {

/// How often a scenario that fails in the simulator failed on real processes, too.
struct OnHost {
  std::uint32_t failed = 0;
  std::uint32_t runs = 0;  ///< 0: not tried
};

/// Runs scenarios on real processes, one after another, within a budget.
class HostTrials {
 public:
  /// `self`: our own program. `folder`: for what the runs leave behind; it is removed after each.
  HostTrials(std::string self, std::string folder, Duration budget);

  /// Runs `scenario` so many times, without its control run. A run counts as failed if it breaks
  /// the same invariant or crashes; one that breaks another, none, or proves nothing does not. No
  /// runs: the budget is spent, or the machine does not have what the scenario needs.
  OnHost run(const scenario::Scenario& scenario, const std::string& signature, std::uint32_t runs);

  [[nodiscard]] Duration spent() const { return spent_; }

 private:
  std::string self_;
  std::string folder_;
  Duration budget_;
  Duration spent_{};
};

/// Runs a scenario so many times, or not at all when the time for it is over.
using TryOnHost = std::function<OnHost(const scenario::Scenario& scenario, std::uint32_t runs)>;

/// Tries the smallest scenario on real processes. Where it does not fail there, but with a pause at
/// its end or as it was on the way does, that one is made as small as it can be while it fails in
/// both worlds, and takes its place.
OnHost suit_host(ShrunkFailure& shrunk, const std::string& signature, const TryOnHost& try_on_host);

}  // namespace poolproof::search
