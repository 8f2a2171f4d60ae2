#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "harness/base/clock.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/search/shrink_failure.hpp"

namespace poolproof::search {

/// How often a scenario that fails in the simulator failed on real processes.
struct OnHost {
  std::uint32_t failed = 0;
  std::uint32_t runs = 0;  ///< how often it was run; 0: it was not tried
};

/// Runs scenarios on real processes, one after another, within a budget of time.
class HostTrials {
 public:
  /// `self`: our own program. `folder`: a place for what the runs leave behind, emptied after each.
  HostTrials(std::string self, std::string folder, Duration budget);

  /// Runs `scenario` `runs` times, without its control run. A run counts as failed if it breaks the
  /// same invariant or crashes. It does not count if it breaks another invariant, breaks none or
  /// proves nothing. No runs are made if the budget is spent or the machine lacks what the scenario
  /// needs.
  OnHost run(const scenario::Scenario& scenario, const std::string& signature, std::uint32_t runs);

  [[nodiscard]] Duration spent() const { return spent_; }

 private:
  std::string self_;
  std::string folder_;
  Duration budget_;
  Duration spent_{};
};

/// Runs a scenario a number of times, or not at all when its time is over.
using TryOnHost = std::function<OnHost(const scenario::Scenario& scenario, std::uint32_t runs)>;

/// Tries the smallest scenario on real processes. If it does not fail there, the same scenario with
/// pauses and then the larger ones from which it was made are tried. One that fails there is made
/// as small as possible while it fails in both worlds, and takes the smallest one's place.
OnHost shrink_for_host(ShrunkFailure& shrunk, const std::string& signature,
                       const TryOnHost& try_on_host);

}  // namespace poolproof::search
