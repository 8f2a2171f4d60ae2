#pragma once

#include <string>

#include "harness/base/result.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/sim/world.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::worlds {

/// Carries a scenario out in the simulator, in the order of its schedule, else in one drawn from
/// its seed. An await that never came true and a run without end are told by the trace's header.
/// Error: one sentence why it could not be done (a worker that can't be simulated).
Expected<trace::Trace, std::string> simulate(const scenario::Scenario& scenario,
                                             sim::Limits limits = {});

}  // namespace poolproof::worlds
