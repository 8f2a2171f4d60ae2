#pragma once

#include <optional>
#include <string>

#include "harness/run/result.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::run {

/// One process's attempt at a scenario.
struct Attempt {
  std::optional<trace::Trace> trace;
  std::string trouble;   ///< why there is no trace
  bool overran = false;  ///< it hung and was killed
  bool crashed = false;  ///< it aborted, or a sanitizer ended it
  bool kept = false;     ///< its trace lies in the output folder
};

/// From what was seen to a verdict. Pure.
///
/// fail: an invariant or an expectation is broken, in the run or (invariants) in its control; or it
/// hung or crashed. invalid: a planned fault or signal never struck, or changed nothing against
/// the control. unknown: the harness could not tell, or an await never came true and yet nothing
/// was broken. Worst wins. `control` is nothing when the scenario has no faults to switch off.
ScenarioResult judge(const scenario::Scenario& scenario, const Attempt& run,
                     const std::optional<Attempt>& control);

}  // namespace poolproof::run
