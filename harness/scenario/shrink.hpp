#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "harness/scenario/scenario.hpp"

namespace poolproof::scenario {

struct ShrinkBudget {
  /// The most calls of `fails`; to limit the time, let `fails` return false
  std::size_t attempts = 2000;
};

struct Shrunk {
  Scenario scenario;
  std::size_t attempts = 0;     ///< candidates that were tried
  std::size_t steps_taken = 0;  ///< how many candidates still failed and were kept
  /// All scenarios kept on the way, from the given one to `scenario`: each of them fails
  std::vector<Scenario> way;
};

/// The smallest scenario found that still fails. `fails` says whether a candidate fails in the same
/// way as `failing`, of which this is taken for granted. Greedy: parts are dropped and values
/// brought back to their defaults, the largest cuts first, until nothing more can be dropped. The
/// same scenario and the same answers give the same result. Every candidate is one that
/// read_scenario() accepts.
///
/// A candidate may fail in another order than its own: `fails` may then set its seed and schedule
/// to those that show it. They are kept with it, unless the edit was to make just these smaller.
Shrunk shrink(Scenario failing, const std::function<bool(Scenario&)>& fails,
              ShrinkBudget budget = {});

/// How large a scenario is for its reader: the number of steps and faults.
std::size_t size_of(const Scenario& scenario);

}  // namespace poolproof::scenario
