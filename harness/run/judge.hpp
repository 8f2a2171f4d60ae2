#pragma once

#include <optional>
#include <string>

#include "harness/run/result.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::run {

/// The result of one process that carried out a scenario.
struct Attempt {
  std::optional<trace::Trace> trace;
  std::string trouble;   ///< why there is no trace
  bool overran = false;  ///< it hung and was killed
  bool crashed = false;  ///< it aborted, or a sanitizer ended it
  bool kept = false;     ///< its trace is kept in the output folder
};

/// Turns what was seen into a verdict. Pure.
///
/// fail: an invariant or an expectation is broken in the run, or an invariant in its control run;
/// or a process hung or crashed. invalid: a planned fault or signal never struck, or changed
/// nothing against the control run. unknown: the harness could not tell, or an await never came
/// true although nothing was broken. The worst verdict wins. `control` is nothing if the scenario
/// has no faults to switch off.
ScenarioResult judge(const scenario::Scenario& scenario, const Attempt& run,
                     const std::optional<Attempt>& control);

}  // namespace poolproof::run
