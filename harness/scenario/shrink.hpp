#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "harness/scenario/scenario.hpp"

namespace poolproof::scenario {

struct ShrinkBudget {
  std::size_t attempts = 2000;  ///< calls of `fails`; who wants a bound in time returns false there
};

struct Shrunk {
  Scenario scenario;
  std::size_t attempts = 0;     ///< candidates that were tried
  std::size_t steps_taken = 0;  ///< those that still failed and were kept
  std::vector<Scenario> way;    ///< from the one that was given to `scenario`: all of them fail
};

/// The smallest scenario found that still fails. `fails` says whether a candidate fails in the same
/// way as `failing`, which is taken to do so. Greedy: parts are dropped and values brought back to
/// their defaults, the largest cuts first, until nothing that is left can be dropped. The same
/// scenario and the same answers give the same result. Candidates are always such as
/// read_scenario() takes.
///
/// `fails` may give a candidate that fails in another order than its own the seed and the schedule
/// that show it: they are kept with it, unless it was just these that were to become smaller.
Shrunk shrink(Scenario failing, const std::function<bool(Scenario&)>& fails,
              ShrinkBudget budget = {});

/// How much there is to read in it: steps and faults.
std::size_t size_of(const Scenario& scenario);

}  // namespace poolproof::scenario
